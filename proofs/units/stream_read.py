"""The read engine: segments of transfers, bursts of segments, slices of stripes, lanes of slices.

Each theorem is one step from any state that an invariant allows, so that together they speak of
transfers of any length. What passes is described by sets: an arbitrary beat (or byte) is in what
was left before the step exactly if it is in what the step takes or in what is left behind it, never
in both. So nothing is lost, nothing comes twice, and the order is that of the steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from inspect import getdoc
from typing import Any

import z3

from unmask.proofs.engine import smt, yosys
from unmask.proofs.engine.mutate import Mutation
from unmask.proofs.engine.obligation import Files, Obligation, Theorem
from unmask.proofs.engine.smt import View
from unmask.proofs.units import rtl
from unmask.proofs.units.planted import stream
from unmask.spec import mx
from unmask.spec.bits import Bits
from unmask.spec.terms import Terms

FOLDER = rtl.RTL / "stream"
SEGMENT = 32
# Parameters of the modules that depend on the bus.
_BUS = ("CHANNELS", "BEAT_BITS", "ADDRESS_BITS", "POSITION_BITS", "PLAN")
PARAMETERS = {
    "unmask_read_queue": ("VLEN", "CHANNELS", "BEAT_BITS", "ADDRESS_BITS", "PLAN"),
    "unmask_read_segments": _BUS,
    "unmask_read_walker": (*_BUS, "BURST", "RING"),
    "unmask_stripe_join": (*_BUS, "VLEN", "RING"),
}


@dataclass(frozen=True)
class Size:
    """Sizes that a theorem is proven at."""

    channels: int
    beat: int  # bytes
    address: int  # bits
    vlen: int = 4
    burst: int = 16
    ring: int = 32

    @property
    def beat_bits(self) -> int:
        return _log2(self.beat)

    @property
    def stripe(self) -> int:
        return self.channels * self.beat

    @property
    def stripe_bits(self) -> int:
        return _log2(self.stripe)

    @property
    def position(self) -> int:
        return _log2(self.ring) + 2

    @property
    def fields(self) -> dict[str, int]:
        """Of a plan: name -> width, the first highest."""
        a, beat, stripe = self.address, self.beat_bits, self.stripe_bits
        return {
            "mx": 1, "by_8": 1, "head": max(stripe, 5), "stripe": a - stripe, "last": a,
            "scale": beat, "asked": a - beat, "scale_last": a, "scale_end": stripe + 6,
            "pitch": a, "gap": a, "scale_pitch": a, "scale_gap": a, "rows": 32,
        }  # fmt: skip

    @property
    def plan(self) -> int:
        return sum(self.fields.values())

    def __str__(self) -> str:
        return f"{self.channels} x {8 * self.beat} bits"

    def parameters(self, *names: str) -> dict[str, int]:
        known = {
            "CHANNELS": self.channels, "BEAT_BITS": 8 * self.beat, "VLEN": self.vlen,
            "ADDRESS_BITS": self.address, "BURST": self.burst, "RING": self.ring,
            "POSITION_BITS": self.position, "PLAN": self.plan,
        }  # fmt: skip
        return {name: known[name] for name in names}


def _log2(number: int) -> int:
    return number.bit_length() - 1


def _load(files: Files, parameters: dict[str, int], *names: str) -> smt.Transition:
    """The module named first, with those below it."""
    sources = yosys.replaced(tuple(FOLDER / f"{name}.v" for name in names), files)
    return smt.load(yosys.export(yosys.Design(sources, names[0], parameters, (FOLDER,))))


def _bit(value: int) -> Any:
    return z3.BitVecVal(value, 1)


def _is(term: Any) -> Any:
    return term == 1


def _to(term: Any, width: int) -> Any:
    """Zero-extended or cut to a width."""
    size = term.size()
    if size == width:
        return term
    return z3.ZeroExt(width - size, term) if size < width else z3.Extract(width - 1, 0, term)


# -- segments --


@dataclass(frozen=True)
class Piece:
    """Contiguous bytes, by their distance from the first, and their scales; in the proof only.

    Attributes:
        first, scale: its first byte, and that one's scale.
        span: distance of its last byte.
        by: bytes that share a scale, log2; None: no scales.
    """

    size: Size
    first: Any
    span: Any
    scale: Any
    by: int | None

    @property
    def shift(self) -> int:
        return 5 if self.by is None else self.by

    @property
    def ones(self) -> int:
        """Bytes of a whole segment, less one."""
        return (SEGMENT << self.size.stripe_bits) - 1

    def scale_of(self, distance: Any) -> Any:
        return self.scale + z3.LShR(distance, self.shift)

    def beat_of(self, distance: Any) -> Any:
        """The beat of a byte's scale."""
        return z3.LShR(self.scale_of(distance), self.size.beat_bits)

    def stripe_of(self, distance: Any) -> Any:
        return z3.LShR(self.first + distance, self.size.stripe_bits)

    def end_of(self, start: Any) -> Any:
        """Where the segment ends that begins at a distance, if the piece goes so far."""
        return start + (~(self.first + start) & self.ones)

    @property
    def sane(self) -> Any:
        """It and its scales end before the address space does."""
        most = (1 << self.size.address) - 1
        ends = (self.first, self.span, self.first + self.span, self.scale, self.scale_of(self.span))
        return z3.And(*(z3.ULE(end, most) for end in ends))

    def begins(self, of: Callable[[str], Any]) -> Any:
        """The fields say that its first segment is in front."""
        start = z3.BitVecVal(0, self.first.size())
        return z3.And(
            self._same(of, "stripe", self.stripe_of(start)),
            *self._always(of),
            self._same(of, "scale", self.scale),
            self._same(of, "asked", self.beat_of(start)),
            self._same(of, "scale_end", self.scale_of(self.end_of(start))),
        )

    def goes_on(self, of: Callable[[str], Any], start: Any) -> Any:
        """The fields say that a later segment is in front, which begins at a distance."""
        return z3.And(
            (self.first + start) & self.ones == 0,
            start != 0,
            z3.ULE(start, self.span),
            self._same(of, "stripe", self.stripe_of(start)),
            *self._always(of),
            self._same(of, "asked", self.beat_of(start - 1) + 1),
            self._same(of, "scale_end", self.scale_of(start + self.ones)),
        )

    def _always(self, of: Callable[[str], Any]) -> tuple[Any, ...]:
        return (
            self._same(of, "head", self.first),
            self._same(of, "last", self.first + self.span),
            self._same(of, "scale_last", self.scale_of(self.span)),
        )

    def _same(self, of: Callable[[str], Any], name: str, value: Any) -> Any:
        scales = ("scale", "asked", "scale_last", "scale_end")
        if self.by is None and name in scales:
            return z3.BoolVal(True)
        found = of(name)
        return found == _to(value, found.size())


def _plan(size: Size, tag: str) -> dict[str, Any]:
    return {name: z3.BitVec(f"{tag}.{name}", width) for name, width in size.fields.items()}


def _packed(plan: dict[str, Any]) -> Any:
    return z3.Concat(*plan.values())


def _unpacked(size: Size, plan: Any) -> dict[str, Any]:
    found, top = {}, plan.size()
    for name, width in size.fields.items():
        found[name] = z3.Extract(top - 1, top - width, plan)
        top -= width
    return found


SEGMENTS = (Size(1, 8, 20), Size(4, 16, 24))


def segments(files: Files) -> Iterator[Obligation]:
    """The walk along a transfer meets each segment of each piece, with exactly its new scale beats.

    From a request to its plan; from the plan, or the registers of a first or later segment, to what
    is said of the segment, and to the registers of the next one. A segment goes from its stripe to
    the next multiple of 32, or to the piece's last stripe. Its new scale beats are those from the
    one behind the segment before up to that of its last byte; it keeps the last of them exactly if
    the next segment's first byte has its scale there. A piece's first scale beat takes the next
    position that is its channel's modulo CHANNELS. Of a segment that follows any other, the
    positions from the first that the other keeps on are at most 8 * CHANNELS, the least ring: so
    when the lanes are done with all before it, its scales have room, and nothing waits for ever.
    For all first bytes, lengths, scales and pitches whose bytes lie in the address space.
    """
    for size in SEGMENTS:
        yield from _requests(size, files)
        module = _load(
            files,
            size.parameters(*PARAMETERS["unmask_read_segments"]),
            "unmask_read_segments",
        )
        for by in (None, 3, 5):
            yield from _walk(size, module, by)
        yield from _entries(size, module)


def _piece(size: Size, by: int | None, tag: str) -> Piece:
    width = size.address + 4
    first, span, scale = (z3.BitVec(f"{tag}.{name}", width) for name in ("first", "span", "scale"))
    return Piece(size, first, span, scale, by)


def _requests(size: Size, files: Files) -> Iterator[Obligation]:
    """A request becomes the plan of its first piece."""
    names = PARAMETERS["unmask_read_queue"]
    module = _load(files, size.parameters(*names), "unmask_read_queue")
    for by in (None, 3, 5):
        piece = _piece(size, by, "piece")
        kind, form, length = z3.BitVec("kind", 2), z3.BitVec("format", 3), z3.BitVec("length", 32)
        word = z3.UGE(kind, 2)
        shift = z3.If(word, z3.BitVecVal(2, 64), z3.If(form == 0, z3.BitVecVal(1, 64), 0))
        mx_now = z3.And(z3.Not(word), form != 0)
        is_by = {None: z3.Not(mx_now), 3: z3.And(mx_now, z3.Or(form == 2, form == 4)),
                 5: z3.And(mx_now, z3.Or(form == 1, form == 3))}[by]  # fmt: skip
        span = (_to(length, 64) << shift) - 1
        pitch = z3.BitVec("pitch", 32)
        inputs = {
            "rst": _bit(0), "in_valid": _bit(1), "in_kind": kind, "in_format": form,
            "in_first": _to(piece.first, 64), "in_scale": _to(piece.scale, 64),
            "in_length": length, "in_pitch": pitch,
        }  # fmt: skip
        premises = (
            piece.sane, is_by, length != 0, z3.ULE(form, 4),
            _to(piece.span, 64) == span,
        )  # fmt: skip
        plans, rows = [], None
        for entry in range(3):
            entries = _held(module, "next_reg", z3.BitVecVal(entry, 2))
            state = {**module.arbitrary("queue"), **entries}
            now = module.view(state, inputs, "now")
            after = module.view(now.next(), {}, "after")
            rows = now["in_rows"]
            plans.append(z3.Extract(size.plan * (entry + 1) - 1, size.plan * entry, after["plan"]))
        found = _unpacked(size, plans[0])
        a = size.address
        scales = z3.And(
            found["scale_pitch"] == _to(z3.LShR(pitch, piece.shift), a),
            found["scale_gap"] == _to(z3.LShR(pitch, piece.shift), a)
            - _to(z3.LShR(piece.span, piece.shift), a),
        )  # fmt: skip
        goal = z3.And(
            _is(found["mx"]) == (by is not None),
            _is(found["by_8"]) == (by == 3),
            piece.begins(found.__getitem__),
            found["pitch"] == _to(_to(pitch, 64) << shift, a),
            found["gap"] == found["pitch"] - _to(piece.span, a),
            z3.BoolVal(True) if by is None else scales,
            found["rows"] == rows,
        )
        yield Obligation(f"{size}, scales by {by}: request", goal, premises)
        same = z3.And(plans[0] == plans[1], plans[0] == plans[2])
        yield Obligation(f"{size}, scales by {by}: request, any entry", same)


def _held(module: smt.Transition, name: str, value: Any) -> smt.State:
    """A register's part of a state; it may be kept in several pieces."""
    term = module.signals[name]
    slots = {x.get_id(): slot for slot, x in module.registers.items()}
    found, top = {}, term.size()
    for part in term.children() if z3.is_app_of(term, z3.Z3_OP_CONCAT) else [term]:
        found[slots[part.get_id()]] = z3.Extract(top - 1, top - part.size(), value)
        top -= part.size()
    return found


def _walk(size: Size, module: smt.Transition, by: int | None) -> Iterator[Obligation]:
    plan = _plan(size, "plan")
    piece = _piece(size, by, "piece")
    start = z3.BitVec("start", piece.first.size())
    idle = z3.BitVec("others", 2 * size.plan)
    inputs = {"rst": _bit(0), "plan": z3.Concat(idle, _packed(plan)), "advance": _bit(1)}
    state = module.arbitrary("any")
    now = module.view(state, inputs, "now")
    after = module.view(now.next(), {}, "after")
    kinds = (
        _is(plan["mx"]) == (by is not None), _is(plan["by_8"]) == (by == 3),
        now["entry_reg"] == 0, piece.sane,
    )  # fmt: skip

    def register(name: str) -> Any:
        return now[f"{name}_reg"]

    def later(name: str) -> Any:
        return after[f"{name}_reg"]

    busy, fresh = _is(now["busy_reg"]), _is(now["fresh_reg"])
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
            _is(now["segment_final"]) == is_final,
            _is(now["segment_ends"]) == z3.And(is_final, rows == 1),
            _is(now["segment_fresh"]) == begins,
            _is(now["segment_begins"]) == z3.Not(busy),
            _to(now["segment_stripe"], width) == piece.stripe_of(start),
            now["segment_high"] == _to(piece.stripe_of(last_byte), 5),
            _to(now["segment_tail"], width) == (piece.first + piece.span) & (size.stripe - 1),
            now["segment_head"] == _to(piece.first, now["segment_head"].size()),
        ]
        if by is None:
            goal += [now["segment_count"] == 0, now["segment_position"] == now["position_reg"]]
        else:
            skipped = now["segment_position"] - now["position_reg"]
            wide = z3.BitVecVal(0, 12)
            used = wide + _to(skipped, 12) + _to(now["segment_count"], 12)
            kept = z3.And(z3.Not(is_final), piece.beat_of(end + 1) == last_beat)
            congruent = z3.And(
                z3.ULT(skipped, c),
                now["segment_position"] & low == _to(asked, position) & low,
            )
            goal += [
                now["segment_asked"] == _to(asked, size.address - size.beat_bits),
                _to(now["segment_count"], width) == count,
                _is(now["segment_keeps"]) == kept,
                congruent if begins else skipped == 0,
                z3.ULE(used + 1, 8 * c),
                later("position") == now["segment_position"]
                + _to(now["segment_count"], position),
            ]  # fmt: skip
            if begins:
                goal.append(now["segment_scale"] == _to(piece.scale, size.beat_bits))
        label = f"{size}, scales by {by}: {name}"
        yield Obligation(f"{label}: what is said", z3.And(*goal), (*kinds, holds))
        on = z3.And(
            _is(later("busy")), z3.Not(_is(later("fresh"))), piece.goes_on(later, end + 1),
            later("rows") == rows, later("entry") == 0,
        )  # fmt: skip
        yield Obligation(f"{label}: goes on", on, (*kinds, holds, z3.Not(is_final)))
        if name == "a first segment":
            continue  # as the plan
        pitch, scale_pitch = _to(plan["pitch"], width), _to(plan["scale_pitch"], width)
        moved = Piece(size, piece.first + pitch, piece.span, piece.scale + scale_pitch, by)
        steps = (
            plan["gap"] == plan["pitch"] - _to(piece.span, size.address),
            plan["scale_gap"] == plan["scale_pitch"]
            - _to(z3.LShR(piece.span, piece.shift), size.address),
            moved.sane,
        )  # fmt: skip
        begun = z3.And(
            _is(later("busy")), _is(later("fresh")), moved.begins(later),
            later("rows") == rows - 1, later("entry") == 0,
        )  # fmt: skip
        yield Obligation(
            f"{label}: next piece", begun, (*kinds, holds, is_final, rows != 1, *steps)
        )
        arrives = _to(now["arrives"], 2)
        ended = z3.And(
            z3.Not(_is(later("busy"))), later("entry") == 1,
            later("pending") == now["pending_reg"] + arrives - 1,
        )  # fmt: skip
        yield Obligation(f"{label}: end", ended, (*kinds, holds, is_final, rows == 1))


def _entries(size: Size, module: smt.Transition) -> Iterator[Obligation]:
    """Each entry's plan is walked along as the first one's."""
    plan = z3.BitVec("plan", size.plan)
    others = [z3.BitVec(f"other{n}", size.plan) for n in range(4)]
    state = module.arbitrary("any")
    (slot,) = _held(module, "entry_reg", z3.BitVecVal(0, 2))
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
        finish = z3.And(_is(one["advance"]), _is(one["segment_ends"]), z3.Not(_is(one["rst"])))
        turned = z3.If(finish, z3.BitVecVal((number + 1) % 3, 2), z3.BitVecVal(number, 2))
        same.append(z3.Implies(z3.Not(_is(one["rst"])), later[slot] == turned))
        same.append(other["segment_entry"] == number)
        yield Obligation(f"{size}: entry {number}", z3.And(*same))


# -- bursts --

WALKERS = (Size(1, 8, 20, burst=16, ring=8), Size(4, 16, 24, burst=4, ring=32))


@dataclass(frozen=True)
class Item:
    """What of a segment is left to a channel's walker."""

    view: View

    @property
    def wide(self) -> int:
        return int(self.view["element_row_reg"].size()) + 2

    def holds(self, kind: str, row: Any) -> Any:
        """Whether a row of the channel is left, of kind "scale" or "element"."""
        first = _to(self.view[f"{kind}_row_reg"], self.wide)
        count = self.view[f"{kind}_last_reg"] - _to(self.view[f"{kind}_row_reg"], 6)
        inside = z3.And(z3.UGE(row, first), z3.ULE(row, first + _to(count, self.wide)))
        return z3.And(_is(self.view["valid_reg"]), _is(self.view[f"{kind}_reg"]), inside)

    @property
    def sane(self) -> Any:
        """Ranges are as long as a segment allows, and end before the address space does."""
        parts = []
        for kind, most in (("scale", 6), ("element", 32)):
            row = self.view[f"{kind}_row_reg"]
            count = self.view[f"{kind}_last_reg"] - _to(row, 6)
            end = _to(row, self.wide) + _to(count, self.wide)
            fits = z3.And(z3.ULT(count, most), z3.ULT(end, 1 << row.size()))
            parts.append(z3.Implies(_is(self.view[f"{kind}_reg"]), fits))
        element, last = self.view["element_row_reg"], self.view["element_last_reg"]
        together = z3.Extract(5, 5, element) == z3.Extract(5, 5, last)
        parts.append(z3.Implies(_is(self.view["element_reg"]), together))
        return z3.And(*parts)


def walkers(files: Files) -> Iterator[Obligation]:
    """A channel's bursts are exactly its beats of each segment, in order, cut as they should be.

    A loaded segment holds exactly those scale beats asked for, and those element beats of its
    stripes, that lie on the channel, behind the piece's first byte and before its last. Each burst
    begins with the lowest beat left, scales first; no beat of it but the first is a multiple of
    BURST in its channel, so that it crosses no 4 KiB; it and what is left behind it are what was
    left before. It is offered only while the positions of its segment's scales and those not
    done with fit the ring, and then until it is taken, unchanged. Scale beats have the places of
    their positions. Any channel number, any segment, any state that the walker can be in.
    """
    for size in WALKERS:
        names = PARAMETERS["unmask_read_walker"]
        module = _load(files, size.parameters(*names), "unmask_read_walker", "unmask_read_segments")
        yield from _burst(size, module)
        yield from _loaded(size, module, files)


def _burst(size: Size, module: smt.Transition) -> Iterator[Obligation]:
    state = module.arbitrary("any")
    now = module.view(state, {"rst": _bit(0)}, "now")
    after = module.view(now.next(), {"rst": _bit(0), "room": _bit(1)}, "after")
    before, behind = Item(now), Item(after)
    row = z3.BitVec("row", before.wide)
    first = _to(now["burst_row"], before.wide)
    stop = first + _to(now["burst_length"], before.wide)
    offered = _is(now["burst_valid"])
    sent = z3.And(offered, _is(now["burst_ready"]))
    stays = z3.And(
        _is(after["valid_reg"]), z3.Or(_is(after["scale_reg"]), _is(after["element_reg"]))
    )
    loads = z3.And(sent, now["segments.pending_reg"] != 0)
    inside = z3.And(z3.UGE(row, first), z3.ULE(row, stop))
    scales = _is(now["burst_scale"])
    for kind, mine in (("scale", scales), ("element", z3.Not(scales))):
        taken = z3.And(mine, inside)
        left = behind.holds(kind, row)
        was = before.holds(kind, row)
        # Where the segment ends, the registers may hold the next one's already.
        other = "element" if kind == "scale" else "scale"
        ends = z3.And(
            mine, z3.Not(z3.And(_is(now["scale_reg"]), _is(now["element_reg"]))),
            stop == first + _to(now[f"{kind}_last_reg"] - _to(now[f"{kind}_row_reg"], 6),
                                before.wide),
        )  # fmt: skip
        goal = z3.If(
            z3.And(loads, ends),
            was == taken,
            z3.And(was == z3.Or(taken, left), z3.Not(z3.And(taken, left)), behind.sane),
        )
        yield Obligation(
            f"{size}: a burst of {kind}s takes what is lowest",
            z3.And(goal, z3.Implies(mine, z3.And(was == z3.And(was, z3.UGE(row, first))))),
            (before.sane, sent, mine),
        )
        untouched = z3.Implies(z3.Not(z3.And(loads, ends)),
                               before.holds(other, row) == behind.holds(other, row))  # fmt: skip
        yield Obligation(
            f"{size}: a burst of {kind}s leaves the others", untouched, (before.sane, sent, mine)
        )
    crossing = z3.And(inside, row != first, row & (size.burst - 1) == 0)
    held = now["needs_reg"] - now["freed"]
    room = z3.Implies(_is(now["mx_reg"]), z3.ULE(held, size.ring))
    yield Obligation(
        f"{size}: no burst crosses a multiple of BURST, none goes out without room",
        z3.And(z3.Not(crossing), room, z3.Implies(_is(now["scale_reg"]), scales)),
        (before.sane, offered),
    )
    progress = z3.ULE(now["needs_reg"] - after["freed"], held)
    names = ("burst_scale", "burst_entry", "burst_row", "burst_length", "burst_place")
    unchanged = z3.And(_is(after["burst_valid"]), *(now[x] == after[x] for x in names))
    yield Obligation(
        f"{size}: a burst waits unchanged", unchanged,
        (offered, z3.Not(_is(now["burst_ready"])), progress),
    )  # fmt: skip
    place = now["place_reg"] + _to(now["burst_length"], now["place_reg"].size()) + 1
    yield Obligation(
        f"{size}: the next scales have the next places",
        after["place_reg"] == place,
        (before.sane, sent, scales, stays, z3.Not(loads)),
    )


def _loaded(size: Size, module: smt.Transition, files: Files) -> Iterator[Obligation]:
    names = PARAMETERS["unmask_read_segments"]
    inner = _load(files, size.parameters(*names), "unmask_read_segments")
    state = module.arbitrary("any")
    now = module.view(state, {"rst": _bit(0)}, "now")
    after = module.view(now.next(), {}, "after")
    item = Item(after)
    held = inner.arbitrary("unused")  # the walker leaves some registers out
    for name in inner.signals:
        if name.endswith("_reg") and f"segments.{name}" in module.signals:
            held |= _held(inner, name, now[f"segments.{name}"])
    segment = inner.view(held, {"plan": now["plan"]}, "now")
    c, wide = size.channels, item.wide + _log2(size.channels) + 2
    channel = _to(now["channel"], wide)
    stripe, high = _to(segment["segment_stripe"], wide), segment["segment_high"]
    last = (stripe & ~(SEGMENT - 1)) | _to(high, wide)
    asked, count = _to(segment["segment_asked"], wide), _to(segment["segment_count"], wide)
    most = 1 << now["element_row_reg"].size()
    premises = (
        now["segments.pending_reg"] != 0, now["valid_reg"] == 0,
        z3.UGE(last, stripe), z3.ULE(count, 4 * c + 2), z3.ULT(channel, c),
        z3.ULE(asked + count, c * most), z3.ULT(last, most),
    )  # fmt: skip
    head = z3.LShR(_to(segment["segment_head"], wide) & (size.stripe - 1), size.beat_bits)
    tail = z3.LShR(_to(segment["segment_tail"], wide), size.beat_bits)
    row = z3.BitVec("row", wide)
    fits = z3.ULT(row, most)
    element = z3.And(
        z3.UGE(row, stripe), z3.ULE(row, last),
        z3.Implies(z3.And(_is(segment["segment_fresh"]), row == stripe), z3.UGE(channel, head)),
        z3.Implies(z3.And(_is(segment["segment_final"]), row == last), z3.ULE(channel, tail)),
    )  # fmt: skip
    narrow = z3.Extract(item.wide - 1, 0, row)
    yield Obligation(
        f"{size}: the element beats of a segment",
        z3.And(item.holds("element", narrow) == element, item.sane),
        (*premises, fits),
    )
    beat = row * c + channel
    scale = z3.And(z3.UGE(beat, asked), z3.ULT(beat, asked + count))
    yield Obligation(
        f"{size}: the scale beats of a segment", item.holds("scale", narrow) == scale,
        (*premises, fits),
    )  # fmt: skip
    position = _to(segment["segment_position"], wide)
    first = (channel - asked) & (c - 1)
    place = z3.LShR(position + first, _log2(c))
    yield Obligation(
        f"{size}: their positions",
        z3.And(
            z3.Implies(_is(after["scale_reg"]),
                       after["place_reg"] == _to(place, after["place_reg"].size())),
            after["needs_reg"] == segment["segment_position"]
            + _to(segment["segment_count"], size.position),
            after["mx_reg"] == segment["segment_mx"],
        ),
        premises,
    )  # fmt: skip


# -- slices --

JOINS = (Size(1, 8, 20, vlen=4, ring=8), Size(4, 8, 20, vlen=8, ring=32))


def slices(files: Files) -> Iterator[Obligation]:
    """The lanes take exactly the bytes of each stripe, slice after slice, and then its beats.

    The bytes of the active lanes of a slice and those left behind it are those left before; the
    slice begins with the lowest. A slice is taken only while the FIFO of every channel of the
    stripe has a beat and all scales have come; the beats of exactly those channels leave with the
    stripe's last slice. A row's elements are numbered on. Scale beats are freed with a segment's
    last slice, as many as its entry says. Any segment, any state that a segment can be in.
    """
    for size in JOINS:
        names = PARAMETERS["unmask_stripe_join"]
        module = _load(files, size.parameters(*names), "unmask_stripe_join", "unmask_read_segments")
        for kind in ("mx", "bf16", "word"):
            yield from _slice(size, module, kind)


def _slice(size: Size, module: smt.Transition, kind: str) -> Iterator[Obligation]:
    state = module.arbitrary("any")
    now = module.view(state, {"rst": _bit(0)}, "now")
    after = module.view(now.next(), {"rst": _bit(0)}, "after")
    wide = 16
    item = {"mx": 1, "bf16": 2, "word": 4}[kind]
    lanes = 1 if kind == "word" else size.vlen
    width = min(lanes * item, size.stripe)

    # One register with the walk's own, which is loaded with the same.
    final = "final_reg" if "final_reg" in module.signals else "segments.fresh_reg"

    def of(view: View, name: str) -> Any:
        return _to(view[f"{name}_reg"], wide)

    def sane(view: View) -> Any:
        """What holds of a segment that is not taken whole."""
        bottom = z3.And(_is(view[final]), view["stripe_reg"] == view["high_reg"])
        lead = _is(view["lead_reg"])
        top = _is(view["top_reg"]) if size.channels > 1 else lead  # one alone needs to know less
        place, head, tail = of(view, "place"), of(view, "head"), of(view, "tail")
        first = head & ~(width - 1)
        return z3.And(
            _is(view["mx_reg"]) == (kind == "mx"), _is(view["bf16_reg"]) == (kind == "bf16"),
            of(view, "slice") == width - 1,
            head & (item - 1) == 0, tail & (item - 1) == item - 1,
            z3.ULE(view["stripe_reg"], view["high_reg"]),
            place & (width - 1) == 0, z3.Implies(lead, z3.And(top, place == first)),
            z3.Implies(z3.And(top, z3.Not(lead)), z3.UGT(place, first)),
            z3.Implies(bottom, z3.ULE(place, tail)),
            z3.Implies(z3.And(top, bottom), z3.ULE(head, tail)),
        )  # fmt: skip

    stripe, byte = z3.BitVec("stripe", 5), z3.BitVec("byte", wide)

    def left(view: View) -> Any:
        """Whether a byte of a stripe of the segment is to be taken."""
        in_front = stripe == view["stripe_reg"]
        start = z3.If(_is(view["lead_reg"]), of(view, "head"), of(view, "place"))
        bottom = z3.And(_is(view[final]), stripe == view["high_reg"])
        return z3.And(
            _is(view["valid_reg"]),
            z3.UGE(stripe, view["stripe_reg"]), z3.ULE(stripe, view["high_reg"]),
            z3.Implies(in_front, z3.UGE(byte, start)),
            z3.Implies(bottom, z3.ULE(byte, of(view, "tail"))),
        )  # fmt: skip

    place = _to(now["place"], wide)
    lane = z3.UDiv(byte - place, z3.BitVecVal(item, wide))
    inside = z3.And(
        stripe == now["stripe_reg"], z3.UGE(byte, place), z3.ULT(byte, place + width),
        z3.UGE(lane, _to(now["low_lane"], wide)), z3.ULE(lane, _to(now["high_lane"], wide)),
    )  # fmt: skip
    takes = _is(now["take"])
    fits = z3.ULT(byte, size.stripe)
    bottom = z3.And(_is(now[final]), now["stripe_reg"] == now["high_reg"])
    stop = z3.If(bottom, of(now, "tail"), z3.BitVecVal(size.stripe - 1, wide))
    ends_stripe = z3.UGE(place + width, stop + 1)
    ends = z3.And(ends_stripe, now["stripe_reg"] == now["high_reg"])
    premises = (sane(now), takes, fits)
    label = f"{size}, {size.vlen} lanes, {kind}"
    yield Obligation(
        f"{label}: takes what is lowest",
        z3.If(
            ends,
            left(now) == inside,
            z3.And(
                left(now) == z3.Or(inside, left(after)),
                z3.Not(z3.And(inside, left(after))),
                sane(after),
            ),
        ),
        premises,
    )
    channels = range(size.channels)
    low = z3.BitVecVal(0, wide)
    if size.channels > 1:
        low = z3.If(_is(now["top_reg"]), of(now, "head"), low)
    members = [
        z3.And(z3.UGE(n, z3.LShR(low, size.beat_bits)), z3.ULE(n, z3.LShR(stop, size.beat_bits)))
        for n in (z3.BitVecVal(channel, wide) for channel in channels)
    ]
    filled = [z3.Extract(c, c, now["filled"]) == 1 for c in channels]
    pops = [z3.Extract(c, c, now["pop"]) == 1 for c in channels]
    ready = z3.And(
        _is(now["valid_reg"]), now["scales_in"] == (1 << size.channels) - 1,
        *(z3.Implies(member, full) for member, full in zip(members, filled, strict=True)),
    )  # fmt: skip
    yield Obligation(
        f"{label}: waits for its beats, which leave with the last slice",
        z3.And(
            takes == ready,
            *(pop == z3.And(takes, ends_stripe, member)
              for pop, member in zip(pops, members, strict=True)),
        ),
        (sane(now),),
    )  # fmt: skip
    lanes_now = width // item
    freed = z3.If(
        z3.And(takes, ends, _is(now["mx_reg"])), now["frees_reg"], now["freed_reg"]
    )  # fmt: skip
    yield Obligation(
        f"{label}: elements count on, scales are freed at the end",
        z3.And(
            z3.Implies(z3.And(takes, z3.Not(ends)),
                       after["element_reg"] == now["element_reg"] + lanes_now),
            after["freed_reg"] == freed,
            _is(now["last"]) == z3.And(ends, _is(now["ends_reg"])),
        ),
        (sane(now),),
    )  # fmt: skip


# -- lanes --


def dequantisers(files: Files) -> Iterator[Obligation]:
    """The dequantiser gives the specification's BF16 code and flags, or the BF16 code as it is.

    For all elements and scales of both formats.
    """
    module = _load(files, {}, "unmask_dequantise")
    state = module.arbitrary("none")
    for form in mx.ELEMENTS:
        inputs = {"in_mx": _bit(1), "in_e5m2": _bit(form is mx.E5M2)}
        view = module.view(state, inputs, "now")
        code = Bits(Terms, 8, z3.Extract(7, 0, view["in_code"]))
        scale = Bits(Terms, 8, view["in_scale"])
        owed, flags = mx.dequantise(code, scale, form)
        same = z3.And(view["out_code"] == owed.value, view["out_flags"] == flags.value)
        yield Obligation(form.name, same)
    view = module.view(state, {"in_mx": _bit(0)}, "now")
    same = z3.And(view["out_code"] == view["in_code"], view["out_flags"] == 0)
    yield Obligation("BF16", same)


LANES = ((4, 8), (8, 32), (16, 8))  # VLEN, bytes of a stripe


def lanes(files: Files) -> Iterator[Obligation]:
    """A slice's active lanes get its elements, each dequantised under the scale of its block.

    Lane i of an MX slice has byte i of the slice, under byte (i + lane 0's place in its block) /
    block of the scales given; a BF16 slice's lane the pair i; of a word the first lane has the
    lower half and the second the upper. From there a dequantiser for each lane (theorem
    stream.dequantise) gives codes and flags, in the third cycle after the slice was taken; the
    active lanes are low .. high.
    """
    single = _load(files, {}, "unmask_dequantise")
    for vlen, stripe in LANES:
        singles = min(vlen, stripe)
        window = singles // 8 + 1 if singles > 8 else 2
        module = _load(
            files, {"VLEN": vlen, "STRIPE": stripe, "WINDOW": window},
            "unmask_read_lanes", "unmask_dequantise",
        )  # fmt: skip
        label = f"{vlen} lanes, stripes of {stripe} bytes"
        for kind, by in (("mx", 3), ("mx", 5), ("bf16", None), ("word", None)):
            yield _selected(label, vlen, stripe, module, kind, by)
        yield _dequantised(label, vlen, module, single)


def _selected(
    label: str, vlen: int, stripe: int, module: smt.Transition, kind: str, by: int | None
) -> Obligation:
    """What a dequantiser gets, and which lanes are active."""
    taken = {
        "take_mx": _bit(kind == "mx"),
        "take_by_8": _bit(by == 3),
        "take_bf16": _bit(kind == "bf16"),
    }
    first = module.view(module.arbitrary("any"), taken, "first")
    second = module.view(first.next(), {}, "second")
    third = module.view(second.next(), {}, "third")
    out = module.view(third.next(), {}, "out")
    data, scales = second["stripe_data"], second["scale_data"]
    size = {"mx": 1, "bf16": 2, "word": 4}[kind]
    width = min(4 if kind == "word" else vlen * size, stripe)
    number = 2 if kind == "word" else min(vlen, stripe // size)
    low, high = (_to(first[f"take_{x}"], 12) for x in ("low", "high"))
    chosen = z3.LShR(data, _to(first["take_place"], data.size()) << 3)
    goals = [third["mx_now_reg"] == first["take_mx"], third["e5m2_now_reg"] == first["take_e5m2"]]
    for lane in range(number):
        code = z3.Extract(16 * lane + 15, 16 * lane, third["code_now_reg"])
        if by is None:
            goals.append(code == z3.Extract(16 * lane + 15, 16 * lane, chosen))
            continue
        inside = z3.Extract(by - 1, 0, first["take_lane"])
        index = z3.LShR(_to(inside, scales.size()) + lane, by)
        scale = z3.Extract(8 * lane + 7, 8 * lane, third["scale_now_reg"])
        goals.append(scale == z3.Extract(7, 0, z3.LShR(scales, index << 3)))
        goals.append(code == _to(z3.Extract(8 * lane + 7, 8 * lane, chosen), 16))
    for lane in range(vlen):
        active = z3.And(z3.UGE(lane, low), z3.ULE(lane, high))
        goals.append(_is(z3.Extract(lane, lane, out["out_active"])) == active)
    within = z3.And(first["take_place"] & (width - 1) == 0, z3.ULE(low, high))
    what = kind if by is None else f"scales by {by}"
    return Obligation(f"{label}: {what}", z3.And(*goals), (within,))


def _dequantised(
    label: str, vlen: int, module: smt.Transition, single: smt.Transition
) -> Obligation:
    """Each lane's code and flags are the dequantiser's."""
    now = module.view(module.arbitrary("any"), {}, "now")
    out = module.view(now.next(), {}, "out")
    same = []
    for lane in range(vlen):
        inputs = {
            "in_mx": now["mx_now_reg"], "in_e5m2": now["e5m2_now_reg"],
            "in_code": z3.Extract(16 * lane + 15, 16 * lane, now["code_now_reg"]),
            "in_scale": z3.Extract(8 * lane + 7, 8 * lane, now["scale_now_reg"]),
        }  # fmt: skip
        owed = single.view(single.arbitrary("none"), inputs, "now")
        same.append(z3.Extract(16 * lane + 15, 16 * lane, out["out_data"]) == owed["out_code"])
        same.append(z3.Extract(2 * lane + 1, 2 * lane, out["out_flags"]) == owed["out_flags"])
    return Obligation(f"{label}: each lane has its dequantiser", z3.And(*same))


TURNS = ((16, 2), (32, 5))  # items, taken


def turns(files: Files) -> Iterator[Obligation]:
    """Item j of what is taken from a circle is item (first + j) modulo its size, for any data."""
    for items, taken in TURNS:
        module = _load(files, {"BITS": 8, "ITEMS": items, "TAKEN": taken}, "unmask_turn")
        view = module.view(module.arbitrary("none"), {}, "now")
        data = view["in_data"]
        first = _to(view["in_first"], data.size())
        goals = []
        for place in range(taken):
            number = (first + place) & (items - 1)
            owed = z3.Extract(7, 0, z3.LShR(data, number << 3))
            goals.append(z3.Extract(8 * place + 7, 8 * place, view["out_data"]) == owed)
        yield Obligation(f"{taken} of {items}", z3.And(*goals))


WRITERS = ((2, 4), (4, 8), (8, 4))  # VLEN, rows


def writers(files: Files) -> Iterator[Obligation]:
    """Each active lane is written to its element of vector SRAM, two cycles later, nothing else.

    Lane i goes to element target + i, modulo the memory's size. For an arbitrary element: it is
    written exactly if it is an active lane's, with that lane's data, in its row's bank.
    """
    for vlen, rows in WRITERS:
        module = _load(files, {"VLEN": vlen, "ROWS": rows}, "unmask_row_writer")
        begin = module.view(module.arbitrary("any"), {"rst": _bit(0)}, "begin")
        middle = module.view(begin.next(), {"rst": _bit(0)}, "middle")
        out = module.view(middle.next(), {}, "out")
        bits = begin["in_target"].size()
        element = z3.BitVec("element", bits)
        lane = element - begin["in_target"]
        owed = z3.And(
            _is(begin["in_valid"]), z3.ULT(_wide(lane), vlen),
            _is(_pick(begin["in_active"], lane, 1)),
        )  # fmt: skip
        place = element & (vlen - 1)
        row = z3.Extract(bits - 1, _log2(vlen), element)
        odd = _is(z3.Extract(_log2(vlen), _log2(vlen), element))
        size = row.size()
        written = z3.Or(*(
            z3.And(
                odd == (bank == 1), _is(z3.Extract(bank, bank, out["write"])),
                z3.Extract(size * bank + size - 1, size * bank, out["write_row"]) == row,
                _is(_pick(z3.Extract(vlen * bank + vlen - 1, vlen * bank, out["write_mask"]),
                          place, 1)),
            )
            for bank in range(2)
        ))  # fmt: skip
        data = _pick(out["write_data"], place, 16) == _pick(begin["in_data"], lane, 16)
        goal = z3.And(written == owed, z3.Implies(owed, data))
        # A bank that does not hold the row of its address writes nothing there.
        parity = z3.And(*(
            z3.Implies(_is(z3.Extract(bank, bank, out["write"])),
                       z3.Extract(size * bank, size * bank, out["write_row"]) == bank)
            for bank in range(2)
        ))  # fmt: skip
        yield Obligation(f"{vlen} lanes, {rows} rows", z3.And(goal, parity))


def _wide(term: Any) -> Any:
    return z3.ZeroExt(8, term)


def _pick(term: Any, number: Any, width: int) -> Any:
    """Item `number` of a vector."""
    size = max(term.size(), number.size() + 8)
    by = _to(number, size) << _log2(width)
    return z3.Extract(width - 1, 0, z3.LShR(_to(term, size), by))


def _twin(
    statement: Callable[[Files], Iterator[Obligation]], mutation: Mutation, files: Files
) -> Iterator[Obligation]:
    with mutation.applied(files) as mutated:
        yield from statement(mutated)


def _theorem(
    name: str,
    statement: Callable[[Files], Iterator[Obligation]],
    bounds: str,
    *sources: str,
) -> Theorem:
    return Theorem(
        name=f"stream.{name}",
        statement=getdoc(statement) or "",
        bounds=bounds,
        engine="z3 or bitwuzla",
        obligations=statement,
        twin=partial(_twin, statement, stream.TWINS[name]),
        sources=tuple(FOLDER / f"{source}.v" for source in sources),
    )


def _all(sizes: tuple[Size, ...]) -> str:
    return ", ".join(map(str, sizes))


THEOREMS = (
    _theorem("dequantise", dequantisers, "all inputs", "unmask_dequantise"),
    _theorem(
        "segments", segments, f"{_all(SEGMENTS)}; 20 and 24 address bits, any length",
        "unmask_read_queue", "unmask_read_segments",
    ),
    _theorem(
        "bursts", walkers, f"{_all(WALKERS)}; any channel, any length",
        "unmask_read_walker", "unmask_read_segments",
    ),
    _theorem(
        "slices", slices, f"{_all(JOINS)} with 4 and 8 lanes; any length",
        "unmask_stripe_join", "unmask_read_segments",
    ),
    _theorem(
        "lanes", lanes, "VLEN x bytes of a stripe " + ", ".join(f"{v}x{s}" for v, s in LANES),
        "unmask_read_lanes", "unmask_dequantise",
    ),
    _theorem(
        "turn", turns, "bytes " + ", ".join(f"{t} of {i}" for i, t in TURNS), "unmask_turn"
    ),
    _theorem(
        "row_writer", writers, "VLEN x rows " + ", ".join(f"{v}x{r}" for v, r in WRITERS),
        "unmask_row_writer",
    ),
)  # fmt: skip
