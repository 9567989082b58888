"""Slices of a stripe: what the channels brought, in order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import z3

from unmask.proofs.engine import smt
from unmask.proofs.engine.obligation import Files, Obligation
from unmask.proofs.engine.smt import View
from unmask.proofs.units.read_engine.common import (
    PARAMETERS,
    Size,
    is_one,
    load_module,
    one_bit,
    to_width,
)

JOINS = (Size(1, 8, 20, vlen=4, ring=8), Size(4, 8, 20, vlen=8, ring=32))


def slice_joins(files: Files) -> Iterator[Obligation]:
    """The lanes take exactly the bytes of each stripe, slice after slice, and then its beats.

    The bytes of the active lanes of a slice and those left behind it are those left before; the
    slice begins with the lowest. A slice is taken only while the FIFO of every channel of the
    stripe has a beat and all scales have come; the beats of exactly those channels leave with the
    stripe's last slice. A row's elements are numbered on. Scale beats are freed with a segment's
    last slice, as many as its entry says. Any segment, any state that a segment can be in.
    """
    for size in JOINS:
        names = PARAMETERS["unmask_stripe_join"]
        module = load_module(
            files, size.parameters(*names), "unmask_stripe_join", "unmask_read_segments"
        )
        for kind in ("mx", "bf16", "word"):
            yield from _slice(size, module, kind)


def _slice(size: Size, module: smt.Transition, kind: str) -> Iterator[Obligation]:
    state = module.arbitrary("any")
    now = module.view(state, {"rst": one_bit(0)}, "now")
    after = module.view(now.next(), {"rst": one_bit(0)}, "after")
    wide = 16
    item = {"mx": 1, "bf16": 2, "word": 4}[kind]
    lanes = 1 if kind == "word" else size.vlen
    width = min(lanes * item, size.stripe)

    # One register with the walk's own, which is loaded with the same.
    final = "final_reg" if "final_reg" in module.signals else "segments.fresh_reg"

    def of(view: View, name: str) -> Any:
        return to_width(view[f"{name}_reg"], wide)

    def sane(view: View) -> Any:
        """What holds of a segment that is not taken whole."""
        bottom = z3.And(is_one(view[final]), view["stripe_reg"] == view["high_reg"])
        lead = is_one(view["lead_reg"])
        top = is_one(view["top_reg"]) if size.channels > 1 else lead  # one alone needs to know less
        place, head, tail = of(view, "place"), of(view, "head"), of(view, "tail")
        first = head & ~(width - 1)
        return z3.And(
            is_one(view["mx_reg"]) == (kind == "mx"), is_one(view["bf16_reg"]) == (kind == "bf16"),
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
        start = z3.If(is_one(view["lead_reg"]), of(view, "head"), of(view, "place"))
        bottom = z3.And(is_one(view[final]), stripe == view["high_reg"])
        return z3.And(
            is_one(view["valid_reg"]),
            z3.UGE(stripe, view["stripe_reg"]), z3.ULE(stripe, view["high_reg"]),
            z3.Implies(in_front, z3.UGE(byte, start)),
            z3.Implies(bottom, z3.ULE(byte, of(view, "tail"))),
        )  # fmt: skip

    place = to_width(now["place"], wide)
    lane = z3.UDiv(byte - place, z3.BitVecVal(item, wide))
    inside = z3.And(
        stripe == now["stripe_reg"], z3.UGE(byte, place), z3.ULT(byte, place + width),
        z3.UGE(lane, to_width(now["low_lane"], wide)),
        z3.ULE(lane, to_width(now["high_lane"], wide)),
    )  # fmt: skip
    takes = is_one(now["take"])
    fits = z3.ULT(byte, size.stripe)
    bottom = z3.And(is_one(now[final]), now["stripe_reg"] == now["high_reg"])
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
        low = z3.If(is_one(now["top_reg"]), of(now, "head"), low)
    members = [
        z3.And(z3.UGE(n, z3.LShR(low, size.beat_bits)), z3.ULE(n, z3.LShR(stop, size.beat_bits)))
        for n in (z3.BitVecVal(channel, wide) for channel in channels)
    ]
    filled = [z3.Extract(c, c, now["filled"]) == 1 for c in channels]
    pops = [z3.Extract(c, c, now["pop"]) == 1 for c in channels]
    ready = z3.And(
        is_one(now["valid_reg"]), now["scales_in"] == (1 << size.channels) - 1,
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
        z3.And(takes, ends, is_one(now["mx_reg"])), now["frees_reg"], now["freed_reg"]
    )  # fmt: skip
    yield Obligation(
        f"{label}: elements count on, scales are freed at the end",
        z3.And(
            z3.Implies(z3.And(takes, z3.Not(ends)),
                       after["element_reg"] == now["element_reg"] + lanes_now),
            after["freed_reg"] == freed,
            is_one(now["last"]) == z3.And(ends, is_one(now["ends_reg"])),
        ),
        (sane(now),),
    )  # fmt: skip
