"""Segments of a transfer: each piece is walked along, stripe by stripe."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import z3

from unmask.proofs.engine import smt
from unmask.proofs.engine.obligation import Files, Obligation
from unmask.proofs.units.read_engine.common import (
    PARAMETERS,
    Piece,
    Size,
    any_piece,
    holding,
    is_one,
    load_module,
    one_bit,
    packed,
    plan_terms,
    to_width,
    unpacked,
)

SEGMENTS = (Size(1, 8, 20), Size(4, 16, 24))


def segment_walk(files: Files) -> Iterator[Obligation]:
    """The walk along a transfer meets each segment of each piece, with exactly its new scale beats.

    From a request to its plan; from the plan, or the registers of a first or later segment, to what
    is said of the segment, and to the registers of the next one. A segment goes from its stripe to
    the next multiple of 32, or to the piece's last stripe. Its new scale beats are those from the
    one behind the segment before up to that of its last byte; it keeps the last of them exactly if
    the next segment's first byte has its scale there. A piece's first scale beat takes the next
    position that is its channel's modulo CHANNELS. Of a segment that follows any other, the
    positions from the first that the other keeps on are at most 8 * CHANNELS, the least ring: so
    when the lanes are done with all before it, its scales have room, and nothing waits for ever.
    For all first bytes, lengths, scales and pitches whose bytes lie in the address space. What else
    a request brings stays, with all its bits, until its entry is the next request's, two later;
    vector SRAM's rows begin on multiples of VLEN.
    """
    for size in SEGMENTS:
        yield from _requests(size, files)
        module = load_module(
            files,
            size.parameters(*PARAMETERS["unmask_read_segments"]),
            "unmask_read_segments",
        )
        for by in (None, 3, 5):
            yield from _walk(size, module, by)
        yield from _entries(size, module)


def _requests(size: Size, files: Files) -> Iterator[Obligation]:
    """A request becomes the plan of its first piece."""
    names = PARAMETERS["unmask_read_queue"]
    module = load_module(files, size.parameters(*names), "unmask_read_queue")
    for by in (None, 3, 5):
        piece = any_piece(size, by, "piece")
        kind, form, length = z3.BitVec("kind", 2), z3.BitVec("format", 3), z3.BitVec("length", 32)
        word = z3.UGE(kind, 2)
        shift = z3.If(word, z3.BitVecVal(2, 64), z3.If(form == 0, z3.BitVecVal(1, 64), 0))
        mx_now = z3.And(z3.Not(word), form != 0)
        is_by = {None: z3.Not(mx_now), 3: z3.And(mx_now, z3.Or(form == 2, form == 4)),
                 5: z3.And(mx_now, z3.Or(form == 1, form == 3))}[by]  # fmt: skip
        span = (to_width(length, 64) << shift) - 1
        pitch = z3.BitVec("pitch", 32)
        inputs = {
            "rst": one_bit(0), "in_valid": one_bit(1), "in_kind": kind, "in_format": form,
            "in_first": to_width(piece.first, 64), "in_scale": to_width(piece.scale, 64),
            "in_length": length, "in_pitch": pitch,
        }  # fmt: skip
        premises = (
            piece.sane, is_by, length != 0, z3.ULE(form, 4),
            to_width(piece.span, 64) == span,
        )  # fmt: skip
        plans, rows = [], None
        for entry in range(3):
            entries = holding(module, "next_reg", _number(entry))
            state = {**module.arbitrary("queue"), **entries}
            now = module.view(state, inputs, "now")
            after = module.view(now.next(), {}, "after")
            rows = now["in_rows"]
            plans.append(z3.Extract(size.plan * (entry + 1) - 1, size.plan * entry, after["plan"]))
        found = unpacked(size, plans[0])
        a = size.address
        scales = z3.And(
            found["scale_pitch"] == to_width(z3.LShR(pitch, piece.shift), a),
            found["scale_gap"] == to_width(z3.LShR(pitch, piece.shift), a)
            - to_width(z3.LShR(piece.span, piece.shift), a),
        )  # fmt: skip
        goal = z3.And(
            is_one(found["mx"]) == (by is not None),
            is_one(found["by_8"]) == (by == 3),
            piece.begins(found.__getitem__),
            found["pitch"] == to_width(to_width(pitch, 64) << shift, a),
            found["gap"] == found["pitch"] - to_width(piece.span, a),
            z3.BoolVal(True) if by is None else scales,
            found["rows"] == rows,
        )
        yield Obligation(f"{size}, scales by {by}: request", goal, premises)
        same = z3.And(plans[0] == plans[1], plans[0] == plans[2])
        yield Obligation(f"{size}, scales by {by}: request, any entry", same)
    yield from _held(size, module)


HELD = {"tag": "slot", "kind": "kind", "format": "format", "to": "to", "state": "state",
        "clear": "clear", "index": "index", "bans": "bans"}  # fmt: skip


def _held(size: Size, module: smt.Transition) -> Iterator[Obligation]:
    """The queue's entries besides their plans."""
    for entry in range(3):
        state = {**module.arbitrary("queue"), **holding(module, "next_reg", _number(entry))}
        now = module.view(state, {"rst": one_bit(0)}, "now")
        after = module.view(now.next(), {}, "after")
        valid = now.apply(module.inputs["in_valid"]) == 1
        length = now.apply(module.inputs["in_length"])
        given = {name: now.apply(module.inputs[f"in_{port}"]) for name, port in HELD.items()}
        given["step"] = (length + (size.vlen - 1)) & ~z3.BitVecVal(size.vlen - 1, 32)
        same = []
        for name, value in given.items():
            width = value.size()
            for place in range(3):
                old, new = (
                    z3.Extract(width * place + width - 1, width * place, view[name])
                    for view in (now, after)
                )
                same.append(new == (z3.If(valid, value, old) if place == entry else old))
        turn = after["next_reg"] == z3.If(valid, _number((entry + 1) % 3), _number(entry))
        yield Obligation(f"{size}: held in entry {entry}", z3.And(turn, *same))


def _number(entry: int) -> Any:
    return z3.BitVecVal(entry, 2)


def _walk(size: Size, module: smt.Transition, by: int | None) -> Iterator[Obligation]:
    plan = plan_terms(size, "plan")
    piece = any_piece(size, by, "piece")
    start = z3.BitVec("start", piece.first.size())
    idle = z3.BitVec("others", 2 * size.plan)
    inputs = {"rst": one_bit(0), "plan": z3.Concat(idle, packed(plan)), "advance": one_bit(1)}
    state = module.arbitrary("any")
    now = module.view(state, inputs, "now")
    after = module.view(now.next(), {}, "after")
    kinds = (
        is_one(plan["mx"]) == (by is not None), is_one(plan["by_8"]) == (by == 3),
        now["entry_reg"] == 0, piece.sane,
    )  # fmt: skip

    def register(name: str) -> Any:
        return now[f"{name}_reg"]

    def later(name: str) -> Any:
        return after[f"{name}_reg"]

    busy, fresh = is_one(now["busy_reg"]), is_one(now["fresh_reg"])
    cases = {
        "the plan": z3.And(z3.Not(busy), piece.begins(plan.__getitem__), start == 0),
        "a first segment": z3.And(busy, fresh, piece.begins(register), start == 0),
        "a later segment": z3.And(busy, z3.Not(fresh), piece.goes_on(register, start)),
    }
    width = piece.first.size()
    c, position = size.channels, size.position
    low = c - 1
    for name, holds in cases.items():
        begins = name != "a later segment"
        rows = plan["rows"] if name == "the plan" else now["rows_reg"]
        end = piece.end_of(z3.BitVecVal(0, width)) if begins else start + piece.ones
        is_final = z3.UGE(end, piece.span)
        last_byte = z3.If(is_final, piece.span, end)
        asked = piece.beat_of(z3.BitVecVal(0, width)) if begins else piece.beat_of(start - 1) + 1
        last_beat = piece.beat_of(last_byte)
        count = last_beat + 1 - asked
        goal = [
            is_one(now["segment_final"]) == is_final,
            is_one(now["segment_ends"]) == z3.And(is_final, rows == 1),
            is_one(now["segment_fresh"]) == begins,
            is_one(now["segment_begins"]) == z3.Not(busy),
            to_width(now["segment_stripe"], width) == piece.stripe_of(start),
            now["segment_high"] == to_width(piece.stripe_of(last_byte), 5),
            to_width(now["segment_tail"], width) == (piece.first + piece.span) & (size.stripe - 1),
            now["segment_head"] == to_width(piece.first, now["segment_head"].size()),
        ]
        if by is None:
            goal += [now["segment_count"] == 0, now["segment_position"] == now["position_reg"]]
        else:
            skipped = now["segment_position"] - now["position_reg"]
            wide = z3.BitVecVal(0, 12)
            used = wide + to_width(skipped, 12) + to_width(now["segment_count"], 12)
            kept = z3.And(z3.Not(is_final), piece.beat_of(end + 1) == last_beat)
            congruent = z3.And(
                z3.ULT(skipped, c),
                now["segment_position"] & low == to_width(asked, position) & low,
            )
            goal += [
                now["segment_asked"] == to_width(asked, size.address - size.beat_bits),
                to_width(now["segment_count"], width) == count,
                is_one(now["segment_keeps"]) == kept,
                congruent if begins else skipped == 0,
                z3.ULE(used + 1, 8 * c),
                later("position") == now["segment_position"]
                + to_width(now["segment_count"], position),
            ]  # fmt: skip
            if begins:
                goal.append(now["segment_scale"] == to_width(piece.scale, size.beat_bits))
        label = f"{size}, scales by {by}: {name}"
        yield Obligation(f"{label}: what is said", z3.And(*goal), (*kinds, holds))
        on = z3.And(
            is_one(later("busy")), z3.Not(is_one(later("fresh"))), piece.goes_on(later, end + 1),
            later("rows") == rows, later("entry") == 0,
        )  # fmt: skip
        yield Obligation(f"{label}: goes on", on, (*kinds, holds, z3.Not(is_final)))
        if name == "a first segment":
            continue  # as the plan
        pitch, scale_pitch = to_width(plan["pitch"], width), to_width(plan["scale_pitch"], width)
        moved = Piece(size, piece.first + pitch, piece.span, piece.scale + scale_pitch, by)
        steps = (
            plan["gap"] == plan["pitch"] - to_width(piece.span, size.address),
            plan["scale_gap"] == plan["scale_pitch"]
            - to_width(z3.LShR(piece.span, piece.shift), size.address),
            moved.sane,
        )  # fmt: skip
        begun = z3.And(
            is_one(later("busy")), is_one(later("fresh")), moved.begins(later),
            later("rows") == rows - 1, later("entry") == 0,
        )  # fmt: skip
        yield Obligation(
            f"{label}: next piece", begun, (*kinds, holds, is_final, rows != 1, *steps)
        )
        arrives = to_width(now["arrives"], 2)
        ended = z3.And(
            z3.Not(is_one(later("busy"))), later("entry") == 1,
            later("pending") == now["pending_reg"] + arrives - 1,
        )  # fmt: skip
        yield Obligation(f"{label}: end", ended, (*kinds, holds, is_final, rows == 1))


def _entries(size: Size, module: smt.Transition) -> Iterator[Obligation]:
    """Each entry's plan is walked along as the first one's."""
    plan = z3.BitVec("plan", size.plan)
    others = [z3.BitVec(f"other{n}", size.plan) for n in range(4)]
    state = module.arbitrary("any")
    (slot,) = holding(module, "entry_reg", z3.BitVecVal(0, 2))
    views = []
    for number in range(3):
        parts = [others[0], others[1], others[2]]
        parts[2 - number] = plan
        inputs = {"plan": z3.Concat(*parts)}
        held = {**state, slot: z3.BitVecVal(number, 2)}
        views.append(module.view(held, inputs, "now"))
    names = [x for x in module.outputs if x != "segment_entry"]
    for number in (1, 2):
        one, other = views[0], views[number]
        after, later = one.next(), other.next()
        same = [one[name] == other[name] for name in names]
        same += [after[k] == later[k] for k in after if k != slot]
        finish = z3.And(
            is_one(one["advance"]), is_one(one["segment_ends"]), z3.Not(is_one(one["rst"]))
        )
        turned = z3.If(finish, z3.BitVecVal((number + 1) % 3, 2), z3.BitVecVal(number, 2))
        same.append(z3.Implies(z3.Not(is_one(one["rst"])), later[slot] == turned))
        same.append(other["segment_entry"] == number)
        yield Obligation(f"{size}: entry {number}", z3.And(*same))
