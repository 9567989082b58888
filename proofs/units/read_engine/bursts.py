"""Bursts of a segment: what a channel asks the memory for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import z3

from unmask.proofs.engine import smt
from unmask.proofs.engine.obligation import Files, Obligation
from unmask.proofs.engine.smt import View
from unmask.proofs.units.read_engine.common import (
    PARAMETERS,
    SEGMENT,
    Size,
    holding,
    is_one,
    load_module,
    log2_of,
    one_bit,
    to_width,
)

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
        first = to_width(self.view[f"{kind}_row_reg"], self.wide)
        count = self.view[f"{kind}_last_reg"] - to_width(self.view[f"{kind}_row_reg"], 6)
        inside = z3.And(z3.UGE(row, first), z3.ULE(row, first + to_width(count, self.wide)))
        return z3.And(is_one(self.view["valid_reg"]), is_one(self.view[f"{kind}_reg"]), inside)

    @property
    def sane(self) -> Any:
        """Ranges are as long as a segment allows, and end before the address space does."""
        parts = []
        for kind, most in (("scale", 6), ("element", 32)):
            row = self.view[f"{kind}_row_reg"]
            count = self.view[f"{kind}_last_reg"] - to_width(row, 6)
            end = to_width(row, self.wide) + to_width(count, self.wide)
            fits = z3.And(z3.ULT(count, most), z3.ULT(end, 1 << row.size()))
            parts.append(z3.Implies(is_one(self.view[f"{kind}_reg"]), fits))
        element, last = self.view["element_row_reg"], self.view["element_last_reg"]
        together = z3.Extract(5, 5, element) == z3.Extract(5, 5, last)
        parts.append(z3.Implies(is_one(self.view["element_reg"]), together))
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
        module = load_module(
            files, size.parameters(*names), "unmask_read_walker", "unmask_read_segments"
        )
        yield from _burst(size, module)
        yield from _loaded(size, module, files)


def _burst(size: Size, module: smt.Transition) -> Iterator[Obligation]:
    state = module.arbitrary("any")
    now = module.view(state, {"rst": one_bit(0)}, "now")
    after = module.view(now.next(), {"rst": one_bit(0), "room": one_bit(1)}, "after")
    before, behind = Item(now), Item(after)
    row = z3.BitVec("row", before.wide)
    first = to_width(now["burst_row"], before.wide)
    stop = first + to_width(now["burst_length"], before.wide)
    offered = is_one(now["burst_valid"])
    sent = z3.And(offered, is_one(now["burst_ready"]))
    stays = z3.And(
        is_one(after["valid_reg"]), z3.Or(is_one(after["scale_reg"]), is_one(after["element_reg"]))
    )
    loads = z3.And(sent, now["segments.pending_reg"] != 0)
    inside = z3.And(z3.UGE(row, first), z3.ULE(row, stop))
    scales = is_one(now["burst_scale"])
    for kind, mine in (("scale", scales), ("element", z3.Not(scales))):
        taken = z3.And(mine, inside)
        left = behind.holds(kind, row)
        was = before.holds(kind, row)
        # Where the segment ends, the registers may hold the next one's already.
        other = "element" if kind == "scale" else "scale"
        ends = z3.And(
            mine, z3.Not(z3.And(is_one(now["scale_reg"]), is_one(now["element_reg"]))),
            stop == first + to_width(now[f"{kind}_last_reg"] - to_width(now[f"{kind}_row_reg"], 6),
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
    room = z3.Implies(is_one(now["mx_reg"]), z3.ULE(held, size.ring))
    yield Obligation(
        f"{size}: no burst crosses a multiple of BURST, none goes out without room",
        z3.And(z3.Not(crossing), room, z3.Implies(is_one(now["scale_reg"]), scales)),
        (before.sane, offered),
    )
    progress = z3.ULE(now["needs_reg"] - after["freed"], held)
    names = ("burst_scale", "burst_entry", "burst_row", "burst_length", "burst_place")
    unchanged = z3.And(is_one(after["burst_valid"]), *(now[x] == after[x] for x in names))
    yield Obligation(
        f"{size}: a burst waits unchanged", unchanged,
        (offered, z3.Not(is_one(now["burst_ready"])), progress),
    )  # fmt: skip
    place = now["place_reg"] + to_width(now["burst_length"], now["place_reg"].size()) + 1
    yield Obligation(
        f"{size}: the next scales have the next places",
        after["place_reg"] == place,
        (before.sane, sent, scales, stays, z3.Not(loads)),
    )


def _loaded(size: Size, module: smt.Transition, files: Files) -> Iterator[Obligation]:
    names = PARAMETERS["unmask_read_segments"]
    inner = load_module(files, size.parameters(*names), "unmask_read_segments")
    state = module.arbitrary("any")
    now = module.view(state, {"rst": one_bit(0)}, "now")
    after = module.view(now.next(), {}, "after")
    item = Item(after)
    held = inner.arbitrary("unused")  # the walker leaves some registers out
    for name in inner.signals:
        if name.endswith("_reg") and f"segments.{name}" in module.signals:
            held |= holding(inner, name, now[f"segments.{name}"])
    segment = inner.view(held, {"plan": now["plan"]}, "now")
    c, wide = size.channels, item.wide + log2_of(size.channels) + 2
    channel = to_width(now["channel"], wide)
    stripe, high = to_width(segment["segment_stripe"], wide), segment["segment_high"]
    last = (stripe & ~(SEGMENT - 1)) | to_width(high, wide)
    asked, count = (
        to_width(segment["segment_asked"], wide),
        to_width(segment["segment_count"], wide),
    )
    most = 1 << now["element_row_reg"].size()
    premises = (
        now["segments.pending_reg"] != 0, now["valid_reg"] == 0,
        z3.UGE(last, stripe), z3.ULE(count, 4 * c + 2), z3.ULT(channel, c),
        z3.ULE(asked + count, c * most), z3.ULT(last, most),
    )  # fmt: skip
    head = z3.LShR(to_width(segment["segment_head"], wide) & (size.stripe - 1), size.beat_bits)
    tail = z3.LShR(to_width(segment["segment_tail"], wide), size.beat_bits)
    row = z3.BitVec("row", wide)
    fits = z3.ULT(row, most)
    element = z3.And(
        z3.UGE(row, stripe), z3.ULE(row, last),
        z3.Implies(z3.And(is_one(segment["segment_fresh"]), row == stripe), z3.UGE(channel, head)),
        z3.Implies(z3.And(is_one(segment["segment_final"]), row == last), z3.ULE(channel, tail)),
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
    position = to_width(segment["segment_position"], wide)
    first = (channel - asked) & (c - 1)
    place = z3.LShR(position + first, log2_of(c))
    yield Obligation(
        f"{size}: their positions",
        z3.And(
            z3.Implies(is_one(after["scale_reg"]),
                       after["place_reg"] == to_width(place, after["place_reg"].size())),
            after["needs_reg"] == segment["segment_position"]
            + to_width(segment["segment_count"], size.position),
            after["mx_reg"] == segment["segment_mx"],
        ),
        premises,
    )  # fmt: skip
