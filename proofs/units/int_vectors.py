"""Comparison, selection and map step by step: vectors of any length, by induction over cycles."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from inspect import getdoc
from typing import Any

import z3

from unmask.proofs.engine.mutate import Mutation
from unmask.proofs.engine.obligation import Files, Obligation, Theorem, Values
from unmask.proofs.engine.smt import Transition, View
from unmask.proofs.units.rtl import RTL
from unmask.proofs.units.sequenced import VECTOR, load
from unmask.spec.bits import Bits
from unmask.spec.contracts.context import Ports
from unmask.spec.contracts.sequenced import UNITS, Size
from unmask.spec.instructions import masks
from unmask.spec.instructions.rules import is_set
from unmask.spec.isa import BY_MNEMONIC
from unmask.spec.state import Config
from unmask.spec.terms import Terms, const

SIZES = (
    Size(Config(vlen=4, vector_rows=16, fp_words=32, int_words=32)),
    Size(Config(vlen=16, vector_rows=64, fp_words=256, int_words=1024)),
)


@dataclass(frozen=True)
class Walk:
    """A vector that is being walked: its length and the element of this cycle, 32 bits."""

    length: Any
    place: Any

    @property
    def inside(self) -> Any:
        return z3.And(z3.UGE(self.length, 1), z3.ULT(self.place, self.length))

    @property
    def ends(self) -> Any:
        return self.place + 1 == self.length


WALK = Walk(z3.BitVec("length", 32), z3.BitVec("place", 32))


def compare(files: Files) -> Iterator[Obligation]:
    """V_CMP_MASK_IG and II, every cycle, from any state that the unit can then be in.

    A request leads to element 0. Element p asks for the word at first + p, and where both sides
    come from int SRAM for that at second + p in the next cycle, the first word being kept; then
    element p + 1 follows, or, after the last, nothing. One cycle after an element's last word was
    asked for, the specification's relation of the two values is the bit of lane p mod VLEN in the
    row that is filled (`ranks.cells` has that module), the row being full there or at the end. A
    full row is written in the next cycle, as 1.0 and 0.0, to the next row, and out_valid marks the
    last. For all lengths, addresses and data.
    """
    for size in SIZES:
        yield from _compare_steps(load(UNITS["int_compare"], size, files), size)


def _compare_steps(module: Transition, size: Size) -> Iterator[Obligation]:
    vlen, words = size.config.vlen, size.config.int_words
    name = f"VLEN {vlen}, {words} words"
    first, second = z3.BitVecs("first second", 32)
    two, relation = z3.BitVec("two", 1), z3.BitVec("relation", 3)
    row = z3.BitVec("row", module.inputs["in_row"].size())
    possible = z3.And(WALK.inside, z3.ULE(WALK.length, words))

    def at(view: View, place: Any, turn: int) -> Any:
        moved = z3.If(two == 1, second + place, second)
        return z3.And(
            view["active_reg"] == 1,
            view["turn_reg"] == turn,
            view["two_reg"] == two,
            view["relation_reg"] == relation,
            _same(view["first_reg"], first + place),
            view["second_reg"] == moved,
            _same(view["left_reg"], WALK.length - 1 - place),
            _same(view["lane_reg"], place),
        )

    inputs = {"relation": relation, "two": two, "length": WALK.length, "row": row}
    now, after = _step(module, "request", in_valid=1, first=first, second=second, **inputs)
    begun = z3.And(at(after, z3.BitVecVal(0, 32), 0), after["row_reg"] == row)
    yield Obligation(f"{name}: a request", begun, (possible,))

    now, after = _step(module, "step")
    following = z3.If(WALK.ends, after["active_reg"] == 0, at(after, WALK.place + 1, 0))
    asks = z3.And(now["int_enable"] == 1, after["word_reg"] == 1)
    whole = z3.And(
        after["half_reg"] == 0,
        (after["word_last_reg"] == 1) == WALK.ends,
        _same(after["word_lane_reg"], WALK.place),
    )
    goal = z3.And(
        asks,
        _same(now["int_address"], first + WALK.place),
        z3.If(
            two == 1,
            z3.And(at(after, WALK.place, 1), after["half_reg"] == 1),
            z3.And(following, whole),
        ),
    )
    here = at(now, WALK.place, 0)
    yield Obligation(f"{name}: a word, or the first of two", goal, (possible, here))
    goal = z3.And(asks, _same(now["int_address"], second + WALK.place), following, whole)
    here = z3.And(at(now, WALK.place, 1), two == 1)
    yield Obligation(f"{name}: the second of two", goal, (possible, here))

    kept = z3.And(now["word_reg"] == 1, now["half_reg"] == 1)
    goal = after["held_reg"] == now["int_data"]
    yield Obligation(f"{name}: the first waits", goal, (kept,))
    yield from _relation(name, size, now, after)
    yield from _rows(name, size, now, after)
    idle = z3.And(now["active_reg"] == 0, now["word_reg"] == 0)
    goal = z3.And(now["int_enable"] == 0, after["active_reg"] == 0, after["word_reg"] == 0)
    yield Obligation(f"{name}: rest", goal, (idle,))


def _relation(name: str, size: Size, now: View, after: View) -> Iterator[Obligation]:
    """The bit of an element whose words are here."""
    vlen = size.config.vlen
    lane = z3.ZeroExt(vlen - now["word_lane_reg"].size(), now["word_lane_reg"])
    got = z3.Extract(0, 0, z3.LShR(after["row_fill.bits_reg"], lane))
    data, held, value = now["int_data"], now["held_reg"], now["second_reg"]
    sources = {"IG": (data, value), "II": (held, data)}
    complete = z3.And(now["word_reg"] == 1, now["half_reg"] == 0)
    for mode, (a, b) in sources.items():
        here = z3.And(complete, now["two_reg"] == (mode == "II"))
        for relation, number in masks.RELATIONS.items():
            owed = _holds(f"V_CMP_MASK_{mode}", number, a, b)

            def explain(value: Values, a: Any = a, b: Any = b, owed: Any = owed) -> str:
                return (
                    f"{value(a)} and {value(b)}\n"
                    f"  expected: {value(owed)}\n  got:      {value(got)}"
                )

            premises = (here, now["relation_reg"] == number)
            label = f"{name}: {mode} {relation}"
            yield Obligation(label, got == owed, premises, explain, (a, b))


def _holds(mnemonic: str, relation: int, a: Any, b: Any) -> Any:
    """The specification's relation of two integers: its mask of one element, as a bit."""
    first, second = Bits(Terms, 32, a), Bits(Terms, 32, b)
    fields = {"relation": relation, "rs4": 1}
    registers = {"rd": const(32, 0), "rs4": const(32, 1), "rs2": second}
    vectors = {"rs1": [first]} | ({"rs2": [second]} if mnemonic.endswith("II") else {})
    context: Any = Ports(2, 1, registers, vectors, fields)
    (write,) = BY_MNEMONIC[mnemonic].semantics(context).writes
    return z3.If(write.values[0].value == masks.ONE, z3.BitVecVal(1, 1), z3.BitVecVal(0, 1))


def _rows(name: str, size: Size, now: View, after: View) -> Iterator[Obligation]:
    """A full row is shown, and written to the next row of the mask."""
    vlen, lane = size.config.vlen, now["word_lane_reg"]
    complete = z3.And(now["word_reg"] == 1, now["half_reg"] == 0)
    full = z3.Or(lane == vlen - 1, now["word_last_reg"] == 1)
    goal = z3.And(
        (after["row_fill.valid_reg"] == 1) == z3.And(complete, full),
        after["row_fill.last_reg"] == now["word_last_reg"],
        (now["row_write"] == 1) == (now["row_fill.valid_reg"] == 1),
        now["row_address"] == now["row_reg"],
        after["row_reg"] == z3.If(now["row_write"] == 1, now["row_reg"] + 1, now["row_reg"]),
        now["out_valid"] == now["row_fill.valid_reg"] & now["row_fill.last_reg"],
        *(
            z3.Extract(16 * number + 15, 16 * number, now["row_data"])
            == z3.If(
                z3.Extract(number, number, now["row_fill.bits_reg"]) == 1,
                z3.BitVecVal(masks.ONE, 16),
                0,
            )
            for number in range(vlen)
        ),
    )
    yield Obligation(f"{name}: rows", goal)


def select(files: Files) -> Iterator[Obligation]:
    """S_SELECT_INT, every cycle, from any state that the unit can then be in.

    A request leads to element 0. Element p asks for row p / VLEN of the mask, if it is the first of
    it; in the next cycle for the word at yes + p or no + p, as lane p mod VLEN of that row is set
    by the specification's `is_set` or not; in the third this word is written to to + p, while
    element p + 1 begins, or after the last out_valid is high. A write is never in the cycle of a
    read. For all lengths, addresses and data.
    """
    for size in SIZES:
        yield from _select_steps(load(UNITS["select_int"], size, files), size)


def _select_steps(module: Transition, size: Size) -> Iterator[Obligation]:
    vlen, words = size.config.vlen, size.config.int_words
    name = f"VLEN {vlen}, {words} words"
    to, yes, no = z3.BitVecs("to yes no", 32)
    row = z3.BitVec("row", module.inputs["in_mask_row"].size())
    possible = z3.And(WALK.inside, z3.ULE(WALK.length, words))

    def at(view: View, place: Any, turn: int) -> Any:
        rows = z3.LShR(place, vlen.bit_length() - 1)
        return z3.And(
            view["active_reg"] == 1,
            view["turn_reg"] == turn,
            _same(view["left_reg"], WALK.length - 1 - place),
            _same(view["to_reg"], to + place),
            _same(view["yes_reg"], yes + place),
            _same(view["no_reg"], no + place),
            _same(view["row_reg"], z3.ZeroExt(32 - row.size(), row) + rows),
            _same(view["lane_reg"], place),
        )

    inputs = {"length": WALK.length, "to": to, "yes": yes, "no": no, "mask_row": row}
    _, after = _step(module, "request", in_valid=1, **inputs)
    yield Obligation(f"{name}: a request", at(after, z3.BitVecVal(0, 32), 0), (possible,))

    now, after = _step(module, "step")
    rows = z3.LShR(WALK.place, vlen.bit_length() - 1)
    goal = z3.And(
        (now["mask_enable"] == 1) == (WALK.place & (vlen - 1) == 0),
        _same(now["mask_row"], z3.ZeroExt(32 - row.size(), row) + rows),
        now["int_enable"] == now["write_reg"],
        at(after, WALK.place, 1),
        after["write_reg"] == 0,
    )
    yield Obligation(f"{name}: the mask", goal, (possible, at(now, WALK.place, 0)))

    lane = WALK.place & (vlen - 1)
    wide = z3.ZeroExt(16 * vlen - 32, lane)
    element = z3.Extract(15, 0, z3.LShR(now["mask_data"], wide * 16))
    chosen = z3.If(is_set(Bits(Terms, 16, element)).value == 1, yes, no)
    goal = z3.And(
        now["mask_enable"] == 0,
        now["int_enable"] == 1,
        now["int_write"] == 0,
        _same(now["int_address"], chosen + WALK.place),
        after["write_reg"] == 1,
        (after["write_last_reg"] == 1) == WALK.ends,
        _same(after["write_to_reg"], to + WALK.place),
        z3.If(WALK.ends, after["active_reg"] == 0, at(after, WALK.place + 1, 0)),
    )
    reads = z3.And(at(now, WALK.place, 1), now["write_reg"] == 0)
    explain = partial(_chosen, now, element)
    small = (WALK.place, WALK.length, to, yes, no, element)
    yield Obligation(f"{name}: the word", goal, (possible, reads), explain, small)

    goal = z3.And(
        now["int_enable"] == 1,
        now["int_write"] == 1,
        now["int_address"] == now["write_to_reg"],
        now["int_wdata"] == now["int_data"],
        now["out_valid"] == now["write_last_reg"],
    )
    yield Obligation(f"{name}: the write", goal, (now["write_reg"] == 1,))
    goal = z3.And(now["int_enable"] == 0, now["mask_enable"] == 0, now["out_valid"] == 0)
    calm = z3.And(goal, after["active_reg"] == 0, after["write_reg"] == 0)
    idle = z3.And(now["active_reg"] == 0, now["write_reg"] == 0)
    yield Obligation(f"{name}: rest", calm, (idle,))


def _chosen(now: View, element: Any, value: Values) -> str:
    return (
        f"element {value(WALK.place)}, mask {value(element):04x}\n"
        f"  got: int SRAM word {value(now['int_address'])}, expected the one of yes + place where "
        "the mask is no zero, else of no + place"
    )


def copy(files: Files) -> Iterator[Obligation]:
    """S_MAP_V_FP, every cycle, from any state that the unit can then be in.

    A request leads to element 0. Element p asks for the one at source + p, and in the next cycle
    its data are written to lane p mod VLEN, no other, of row + p / VLEN, while element p + 1
    follows, or after the last out_valid is high. For all lengths, addresses and data.
    """
    for size in SIZES:
        yield from _copy_steps(load(UNITS["map"], size, files), size)


def _copy_steps(module: Transition, size: Size) -> Iterator[Obligation]:
    vlen, words = size.config.vlen, size.config.fp_words
    name = f"VLEN {vlen}, {words} elements"
    source = z3.BitVec("source", 32)
    row = z3.BitVec("row", module.inputs["in_row"].size())
    possible = z3.And(WALK.inside, z3.ULE(WALK.length, words))
    start = z3.ZeroExt(32 - row.size(), row) * vlen

    def at(view: View, place: Any) -> Any:
        return z3.And(
            view["active_reg"] == 1,
            _same(view["left_reg"], WALK.length - 1 - place),
            _same(view["source_reg"], source + place),
            _same(view["to_reg"], start + place),
        )

    inputs = {"length": WALK.length, "source": source, "row": row}
    _, after = _step(module, "request", in_valid=1, **inputs)
    yield Obligation(f"{name}: a request", at(after, z3.BitVecVal(0, 32)), (possible,))

    now, after = _step(module, "step")
    lane = WALK.place & (vlen - 1)
    goal = z3.And(
        now["fp_enable"] == 1,
        _same(now["fp_address"], source + WALK.place),
        z3.If(WALK.ends, after["active_reg"] == 0, at(after, WALK.place + 1)),
        after["row_write"] == 1,
        (after["out_valid"] == 1) == WALK.ends,
        _same(after["row_address"], z3.LShR(start + WALK.place, vlen.bit_length() - 1)),
        *(
            (z3.Extract(number, number, after["row_mask"]) == 1) == (lane == number)
            for number in range(vlen)
        ),
        *(
            z3.Extract(16 * number + 15, 16 * number, after["row_data"]) == after["fp_data"]
            for number in range(vlen)
        ),
    )
    yield Obligation(f"{name}: an element", goal, (possible, at(now, WALK.place)))
    calm = (now["fp_enable"], after["active_reg"], after["row_write"], after["out_valid"])
    rest = z3.And(*(x == 0 for x in calm))
    yield Obligation(f"{name}: rest", rest, (now["active_reg"] == 0,))


def _step(module: Transition, tag: str, in_valid: int = 0, **request: Any) -> tuple[View, View]:
    """A cycle from any state, and the next one."""
    inputs = {f"in_{name}": value for name, value in request.items()}
    inputs |= {"rst": z3.BitVecVal(0, 1), "in_valid": z3.BitVecVal(in_valid, 1)}
    now = module.view(module.arbitrary("any"), inputs, tag)
    return now, module.view(now.next(), {}, "after")


def _same(narrow: Any, wide: Any) -> Any:
    """A register or port holds the value modulo its width."""
    return narrow == z3.Extract(narrow.size() - 1, 0, wide)


def _twin(
    mutation: Mutation, proof: Callable[[Files], Iterator[Obligation]], files: Files
) -> Iterator[Obligation]:
    with mutation.applied(files) as mutated:
        yield from proof(mutated)


# Planted bugs: the second source is not walked; the mask's next row is not asked for; the
# destination is one lane on.
_PROVEN = (
    ("int_compare", compare, "second_reg + {31'd0, two_reg}", "second_reg"),
    ("select_int", select, "row_reg + {{(ROW_BITS - 1){1'b0}}, 1'b1}", "row_reg"),
    ("map", copy, "word_to_reg <= to_reg;", "word_to_reg <= to_reg + 1;"),
)

THEOREMS = tuple(
    Theorem(
        name=f"steps.{name}",
        statement=getdoc(proof) or "",
        bounds="VLEN 4 and 16, any length",
        engine="z3, bitwuzla",
        obligations=proof,
        twin=partial(_twin, Mutation(VECTOR / f"unmask_{name}.v", old, new), proof),
        sources=tuple(RTL / file for file in UNITS[name].files),
        include=(RTL,),
        confirm=True,
    )
    for name, proof, old, new in _PROVEN
)
