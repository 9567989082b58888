"""Lanes of a slice: elements dequantised, turned to their lane and written to rows."""

from __future__ import annotations

from collections.abc import Iterator

import z3

from unmask.proofs.engine import smt
from unmask.proofs.engine.obligation import Files, Obligation
from unmask.proofs.units.read_engine.common import (
    is_one,
    item_of,
    load_module,
    log2_of,
    one_bit,
    to_width,
    widened,
)
from unmask.spec import mx
from unmask.spec.bits import Bits
from unmask.spec.terms import Terms


def dequantisers(files: Files) -> Iterator[Obligation]:
    """The dequantiser gives the specification's BF16 code and flags, or the BF16 code as it is.

    For all elements and scales of both formats.
    """
    module = load_module(files, {}, "unmask_dequantise")
    state = module.arbitrary("none")
    for form in mx.ELEMENTS:
        inputs = {"in_mx": one_bit(1), "in_e5m2": one_bit(form is mx.E5M2)}
        view = module.view(state, inputs, "now")
        code = Bits(Terms, 8, z3.Extract(7, 0, view["in_code"]))
        scale = Bits(Terms, 8, view["in_scale"])
        owed, flags = mx.dequantise(code, scale, form)
        same = z3.And(view["out_code"] == owed.value, view["out_flags"] == flags.value)
        yield Obligation(form.name, same)
    view = module.view(state, {"in_mx": one_bit(0)}, "now")
    same = z3.And(view["out_code"] == view["in_code"], view["out_flags"] == 0)
    yield Obligation("BF16", same)


LANES = ((4, 8), (8, 32), (16, 8))  # VLEN, bytes of a stripe


def lane_choice(files: Files) -> Iterator[Obligation]:
    """A slice's active lanes get its elements, each dequantised under the scale of its block.

    Lane i of an MX slice has byte i of the slice, under byte (i + lane 0's place in its block) /
    block of the scales given; a BF16 slice's lane the pair i; of a word the first lane has the
    lower half and the second the upper. From there a dequantiser for each lane (theorem
    stream.dequantise) gives codes and flags, in the third cycle after the slice was taken; the
    active lanes are low .. high.
    """
    single = load_module(files, {}, "unmask_dequantise")
    for vlen, stripe in LANES:
        singles = min(vlen, stripe)
        window = singles // 8 + 1 if singles > 8 else 2
        module = load_module(
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
        "take_mx": one_bit(kind == "mx"),
        "take_by_8": one_bit(by == 3),
        "take_bf16": one_bit(kind == "bf16"),
    }
    first = module.view(module.arbitrary("any"), taken, "first")
    second = module.view(first.next(), {}, "second")
    third = module.view(second.next(), {}, "third")
    out = module.view(third.next(), {}, "out")
    data, scales = second["stripe_data"], second["scale_data"]
    size = {"mx": 1, "bf16": 2, "word": 4}[kind]
    width = min(4 if kind == "word" else vlen * size, stripe)
    number = 2 if kind == "word" else min(vlen, stripe // size)
    low, high = (to_width(first[f"take_{x}"], 12) for x in ("low", "high"))
    chosen = z3.LShR(data, to_width(first["take_place"], data.size()) << 3)
    goals = [third["mx_now_reg"] == first["take_mx"], third["e5m2_now_reg"] == first["take_e5m2"]]
    for lane in range(number):
        code = z3.Extract(16 * lane + 15, 16 * lane, third["code_now_reg"])
        if by is None:
            goals.append(code == z3.Extract(16 * lane + 15, 16 * lane, chosen))
            continue
        inside = z3.Extract(by - 1, 0, first["take_lane"])
        index = z3.LShR(to_width(inside, scales.size()) + lane, by)
        scale = z3.Extract(8 * lane + 7, 8 * lane, third["scale_now_reg"])
        goals.append(scale == z3.Extract(7, 0, z3.LShR(scales, index << 3)))
        goals.append(code == to_width(z3.Extract(8 * lane + 7, 8 * lane, chosen), 16))
    for lane in range(vlen):
        active = z3.And(z3.UGE(lane, low), z3.ULE(lane, high))
        goals.append(is_one(z3.Extract(lane, lane, out["out_active"])) == active)
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
        module = load_module(files, {"BITS": 8, "ITEMS": items, "TAKEN": taken}, "unmask_turn")
        view = module.view(module.arbitrary("none"), {}, "now")
        data = view["in_data"]
        first = to_width(view["in_first"], data.size())
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
        module = load_module(files, {"VLEN": vlen, "ROWS": rows}, "unmask_row_writer")
        begin = module.view(module.arbitrary("any"), {"rst": one_bit(0)}, "begin")
        middle = module.view(begin.next(), {"rst": one_bit(0)}, "middle")
        out = module.view(middle.next(), {}, "out")
        bits = begin["in_target"].size()
        element = z3.BitVec("element", bits)
        lane = element - begin["in_target"]
        owed = z3.And(
            is_one(begin["in_valid"]), z3.ULT(widened(lane), vlen),
            is_one(item_of(begin["in_active"], lane, 1)),
        )  # fmt: skip
        place = element & (vlen - 1)
        row = z3.Extract(bits - 1, log2_of(vlen), element)
        odd = is_one(z3.Extract(log2_of(vlen), log2_of(vlen), element))
        size = row.size()
        written = z3.Or(*(
            z3.And(
                odd == (bank == 1), is_one(z3.Extract(bank, bank, out["write"])),
                z3.Extract(size * bank + size - 1, size * bank, out["write_row"]) == row,
                is_one(item_of(z3.Extract(vlen * bank + vlen - 1, vlen * bank, out["write_mask"]),
                          place, 1)),
            )
            for bank in range(2)
        ))  # fmt: skip
        data = item_of(out["write_data"], place, 16) == item_of(begin["in_data"], lane, 16)
        goal = z3.And(written == owed, z3.Implies(owed, data))
        # A bank that does not hold the row of its address writes nothing there.
        parity = z3.And(*(
            z3.Implies(is_one(z3.Extract(bank, bank, out["write"])),
                       z3.Extract(size * bank, size * bank, out["write_row"]) == bank)
            for bank in range(2)
        ))  # fmt: skip
        yield Obligation(f"{vlen} lanes, {rows} rows", z3.And(goal, parity))
