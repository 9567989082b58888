"""The rank unit step by step: masks of any length, by induction over cycles."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from inspect import getdoc
from typing import Any

import z3

from unmask.proofs.engine.mutate import Mutation
from unmask.proofs.engine.obligation import Enumeration, Files, Obligation, Theorem, Values
from unmask.proofs.engine.smt import Transition, View
from unmask.proofs.units.rtl import RTL
from unmask.proofs.units.sequenced import VECTOR, load
from unmask.spec.bits import Bits
from unmask.spec.contracts.sequenced import UNITS, Size
from unmask.spec.encoding import Step
from unmask.spec.formats import order_key
from unmask.spec.instructions import masks
from unmask.spec.instructions.rules import is_set
from unmask.spec.state import Config
from unmask.spec.terms import Terms, const
from unmask.spec.vectors import Each

FILE = VECTOR / "unmask_rank.v"
SIZES = (
    Size(Config(vlen=4, vector_rows=16, key_words=32), 8),
    Size(Config(vlen=8, vector_rows=32, key_words=64), 32),
)
IDLE, LOAD, STREAM, DRAIN, EMIT, FINISH, WRITE = range(7)
QUOTA, RULE, FACTOR, TOP_K = range(4)
LONGEST = 4096  # elements
Proof = Callable[[Files], Iterator[Obligation]]
REQUEST = ("kind", "mask_row", "conf_row", "key", "k", "limit", "kmax")


@dataclass(frozen=True)
class Ghost:
    """A request, the block and the element of this cycle; lives in the proof only.

    Attributes:
        size: of the unit.
        request: input without `in_` -> its value at issue.
        length, block, place: elements, 32 bits.
    """

    size: Size
    request: dict[str, Any]
    length: Any
    block: Any
    place: Any

    def possible(self) -> Any:
        """1 to KEY_WORDS elements; a block begins at a multiple of the cells, before the end."""
        return z3.And(
            z3.UGE(self.length, 1),
            z3.ULE(self.length, self.size.config.key_words),
            z3.ULT(self.block, self.length),
            self.block & (self.size.cells - 1) == 0,
            z3.ULT(self.place, self.length),
        )

    @property
    def in_block(self) -> Any:
        """The element lies in the block."""
        return self.place & -self.size.cells == self.block

    @property
    def ends_block(self) -> Any:
        """It is the block's last."""
        return z3.Or(self.ends, (self.place + 1) & (self.size.cells - 1) == 0)

    @property
    def ends(self) -> Any:
        """It is the last of all."""
        return self.place + 1 == self.length

    def held(self, view: View) -> Any:
        """The unit remembers the request."""
        facts = [same(view[f"{name}_reg"], self.request[name]) for name in REQUEST]
        return z3.And(*facts, same(view["end_reg"], self.length - 1))

    def at(self, view: View, phase: Any, block: Any, place: Any) -> Any:
        """The unit is in a phase, at an element of a block."""
        return z3.And(
            self.held(view),
            view["phase_reg"] == phase,
            same(view["block_reg"], block),
            same(view["place_reg"], place),
            view["wait_reg"] == 0,
        )


def steps(files: Files) -> Iterator[Obligation]:
    """Every cycle of the rank unit, from any state that it can then be in.

    A request leads to LOAD at element 0 of block 0. LOAD asks for element p of its block: key
    first_key + p, and row p / VLEN of the mask (and of the confidences) where the row is new or
    the phase begins (elsewhere that port still shows the row, as nothing else reads it); it ends
    with the block. STREAM asks for elements 0 .. length - 1 in the same
    way. DRAIN takes two cycles. EMIT shows the cells of the block in order, with key[table + rank]
    asked for, and ends with the block: then LOAD of the next one, or FINISH, two cycles, and WRITE.
    So elements arrive in order, one a cycle, and the cycles of a request are a sum over phases.
    By induction over cycles with ghost values for the request, the block and the element; for all
    requests of 1 to KEY_WORDS elements. Assumes no reset and no request before the end.
    """
    for size in SIZES:
        module = load(UNITS["rank"], size, files)
        ghost = _ghost(module, size)
        possible = ghost.possible()
        name = f"VLEN {size.config.vlen}, {size.cells} cells"

        def obligation(
            label: str,
            premise: Any,
            goal: Any,
            now: View,
            ghost: Ghost = ghost,
            possible: Any = possible,
            name: str = name,
        ) -> Obligation:
            small = (ghost.block, ghost.place, ghost.length)
            explain = partial(_explain, ghost, label, now)
            return Obligation(f"{name}: {label}", goal, (possible, premise), explain, small)

        zero = z3.BitVecVal(0, 32)
        now, after = _step(module, "request", in_valid=1, **ghost.request, length=ghost.length)
        started = z3.And(
            ghost.at(after, LOAD, zero, zero),
            same(after["row_reg"], ghost.request["row"]),
            after["chosen_row_reg"] == 0,
        )
        resting = z3.And(now["phase_reg"] == IDLE, now["wait_reg"] == 0)
        yield obligation("a request", resting, started, now)

        now, after = _step(module, "step")
        here = partial(ghost.at, now, block=ghost.block, place=ghost.place)
        then = partial(ghost.at, after)
        following = ghost.place + 1

        goal = z3.And(
            _asks(ghost, now, z3.Or(_first_lane(ghost), ghost.place == ghost.block)),
            z3.If(
                ghost.ends_block,
                then(STREAM, ghost.block, zero),
                then(LOAD, ghost.block, following),
            ),
            _row_stage(ghost, after, loads=1, streams=0),
        )
        yield obligation("LOAD", z3.And(here(LOAD), ghost.in_block), goal, now)

        goal = z3.And(
            _asks(ghost, now, _first_lane(ghost)),
            z3.If(
                ghost.ends,
                then(DRAIN, ghost.block, ghost.block),
                then(STREAM, ghost.block, following),
            ),
            _row_stage(ghost, after, loads=0, streams=1),
            (after["row_before_reg"] == 1) == z3.ULT(ghost.place & -size.cells, ghost.block),
            (after["row_within_reg"] == 1) == ghost.in_block,
        )
        yield obligation("STREAM", here(STREAM), goal, now)

        wait = partial(_waits, ghost, now, after)
        yield obligation("DRAIN", *wait(DRAIN, EMIT), now)
        yield obligation("FINISH", *wait(FINISH, WRITE), now)

        cells = _cells(size, now)
        table = ghost.request["k"] + z3.ZeroExt(32 - cells[0][2].size(), cells[0][2])
        goal = z3.And(
            now["mask_enable"] == 0,
            now["conf_enable"] == 0,
            (now["key_enable"] == 1) == (ghost.request["kind"] == FACTOR),
            same(now["key_address"], table),
            *(
                z3.And(*(a == b for a, b in zip(new, old, strict=True)))
                for new, old in zip(_cells(size, after)[:-1], cells[1:], strict=True)
            ),
            after["decide_key_reg"] == cells[0][0],
            after["decide_there_reg"] == cells[0][1],
            after["decide_rank_reg"] == cells[0][2],
            after["decide_reg"] == 1,
            (after["decide_last_reg"] == 1) == ghost.ends,
            same(after["row_lane_reg"], ghost.place & (size.config.vlen - 1)),
            z3.If(
                ghost.ends,
                z3.And(ghost.held(after), after["phase_reg"] == FINISH, after["wait_reg"] == 0),
                z3.If(
                    ghost.ends_block,
                    then(LOAD, following, following),
                    then(EMIT, ghost.block, following),
                ),
            ),
            after["row_loads_reg"] == 0,
            after["row_streams_reg"] == 0,
        )
        yield obligation("EMIT", z3.And(here(EMIT), ghost.in_block), goal, now)

        shown = z3.Extract(size.config.vlen - 1, 0, now["chosen_reg"] >> _place(now, size))
        goal = z3.And(
            now["row_write"] == 1,
            now["row_address"] == now["row_reg"],
            *(
                z3.Extract(16 * lane + 15, 16 * lane, now["row_data"])
                == z3.If(z3.Extract(lane, lane, shown) == 1, z3.BitVecVal(masks.ONE, 16), 0)
                for lane in range(size.config.vlen)
            ),
            (now["out_valid"] == 1) == (now["chosen_row_reg"] == now["chosen_end_reg"]),
            after["phase_reg"] == z3.If(now["out_valid"] == 1, z3.BitVecVal(IDLE, 3), WRITE),
            after["row_reg"] == now["row_reg"] + 1,
            after["chosen_row_reg"] == now["chosen_row_reg"] + 1,
            after["chosen_reg"] == now["chosen_reg"],
            after["chosen_end_reg"] == now["chosen_end_reg"],
        )
        writing = z3.And(now["phase_reg"] == WRITE, now["row_fill.valid_reg"] == 0)
        yield obligation("WRITE", writing, goal, now)
        quiet = z3.And(
            *(now[x] == 0 for x in ("mask_enable", "conf_enable", "key_enable", "row_write"))
        )
        unmoved = z3.And(after["phase_reg"] == IDLE, after["wait_reg"] == 0)
        resting = z3.And(now["phase_reg"] == IDLE, now["wait_reg"] == 0)
        yield obligation("rest", resting, z3.And(quiet, unmoved, now["out_valid"] == 0), now)
        _, after = _step(module, "reset", rst=1)
        calm = ("row_loads", "row_streams", "loads", "streams", "decide", "row_fill.valid", "wait")
        goal = z3.And(after["phase_reg"] == IDLE, *(after[f"{x}_reg"] == 0 for x in calm))
        yield Obligation(f"{name}: reset", goal)


def cells(files: Files) -> Iterator[Obligation]:
    """A cell's rank is the number of streamed candidates before its element, and the decision fits.

    The lane of a row, or the word, becomes key and candidate as the specification says
    (`order_key`, `is_set`). In LOAD the element's cell takes it, with rank 0, and no other cell
    changes. In STREAM each cell's rank becomes `masks.counted` of the element that passes: the
    specification's own step, so by induction rank(i) = |{candidates j <= p: (key j, j) < (key i,
    i)}| after element p; it never wraps, because an element does not come before itself. The
    decision is the specification's `quota`, `rule` or `factor` on the cell's rank and key, and goes
    to its lane of the row that is being filled, a row's first clearing the others; full rows, and
    the last, go to the next place of the mask. From any state, for all data and all elements.
    """
    for size in SIZES:
        module = load(UNITS["rank"], size, files)
        ghost = _ghost(module, size)
        now, after = _step(module, "step")
        name = f"VLEN {size.config.vlen}, {size.cells} cells"
        yield from _picks(name, ghost, now, after)
        yield from _takes(name, ghost, now, after)
        yield from _counts(name, ghost, now, after)
        yield from _decides(name, ghost, now)
        yield from _fills(name, ghost, now, after)


def _picks(name: str, ghost: Ghost, now: View, after: View) -> Iterator[Obligation]:
    """Row and word to key and candidate."""
    lane = z3.ZeroExt(16 * ghost.size.config.vlen - now["row_lane_reg"].size(), now["row_lane_reg"])

    def element(port: str) -> Bits:
        return Bits(Terms, 16, z3.Extract(15, 0, z3.LShR(now[port], lane * 16)))

    confidence = (~order_key(element("conf_data"))).zext(32).value
    owed = z3.If(now["kind_reg"] == TOP_K, confidence, now["key_data"])
    goal = z3.And(
        after["there_reg"] == is_set(element("mask_data")).value,
        after["element_reg"] == owed,
        *(
            after[f"{x}_reg"] == now[f"row_{x}_reg"]
            for x in ("loads", "streams", "before", "within")
        ),
        after["cell_reg"] == now["row_cell_reg"],
    )
    yield Obligation(f"{name}: an element is picked", goal)


def _takes(name: str, ghost: Ghost, now: View, after: View) -> Iterator[Obligation]:
    """LOAD: the element's cell takes it."""
    goals = []
    for number, (new, old) in enumerate(
        zip(_cells(ghost.size, after), _cells(ghost.size, now), strict=True)
    ):
        owed = (now["element_reg"], now["there_reg"], z3.BitVecVal(0, old[2].size()))
        mine = now["cell_reg"] == number
        goals += [x == z3.If(mine, y, z) for x, y, z in zip(new, owed, old, strict=True)]
    loads = z3.And(now["loads_reg"] == 1, now["streams_reg"] == 0, now["phase_reg"] != EMIT)
    yield Obligation(f"{name}: a cell takes its element", z3.And(*goals), (loads,))


def _counts(name: str, ghost: Ghost, now: View, after: View) -> Iterator[Obligation]:
    """STREAM: element `place` passes, each cell counts it as the specification does."""
    describes = z3.And(
        ghost.possible(),
        now["streams_reg"] == 1,
        now["loads_reg"] == 0,
        now["phase_reg"] != EMIT,
        same(now["cell_reg"], ghost.place & (ghost.size.cells - 1)),
        (now["before_reg"] == 1) == z3.ULT(ghost.place & -ghost.size.cells, ghost.block),
        (now["within_reg"] == 1) == ghost.in_block,
    )
    found = zip(_cells(ghost.size, now), _cells(ghost.size, after), strict=True)
    for number, ((key, there, rank), (new_key, new_there, new_rank)) in enumerate(found):
        own = ghost.block + number
        wide = z3.ZeroExt(32 - rank.size(), rank)
        most = z3.If(z3.UGT(ghost.place, own), ghost.place - 1, ghost.place)
        itself = z3.Implies(ghost.place == own, now["element_reg"] == key)
        owed = masks.counted(
            Bits(Terms, 32, wide),
            Bits(Terms, 32, key),
            Bits(Terms, 32, own),
            Bits(Terms, 32, now["element_reg"]),
            Bits(Terms, 1, now["there_reg"]),
            Bits(Terms, 32, ghost.place),
        ).value
        goal = z3.And(
            new_key == key,
            new_there == there,
            z3.ZeroExt(32 - rank.size(), new_rank) == owed,
            z3.ULE(owed, z3.If(z3.UGT(ghost.place + 1, own), ghost.place, ghost.place + 1)),
        )

        def explain(
            value: Values,
            own: Any = own,
            key: Any = key,
            wide: Any = wide,
            owed: Any = owed,
            new_rank: Any = new_rank,
        ) -> str:
            return (
                f"element {value(ghost.place)} with key {value(now['element_reg'])} (candidate: "
                f"{value(now['there_reg'])}) passes the cell of element {value(own)} with key "
                f"{value(key)} and rank {value(wide)}\n"
                f"  expected: rank {value(owed)}\n  got:      rank {value(new_rank)}"
            )

        # A cell behind the end of the last block holds nothing that anyone looks at.
        bounds = z3.And(z3.ULE(wide, most), itself, z3.ULT(own, ghost.length))
        small = (ghost.block, ghost.place, rank, key, now["element_reg"], ghost.length)
        yield Obligation(f"{name}: cell {number} counts", goal, (describes, bounds), explain, small)


class _OneEntry(Each):
    """Vectors of which a table's entry is the one that was read."""

    def gather(self, table: list[Bits], places: list[Bits]) -> list[Bits]:
        return table


class _Operands:
    """What the specification's rules read: k, the CSRs, and a table with one entry."""

    def __init__(self, now: View) -> None:
        self._now = now
        self.vectors = _OneEntry(const)

    def __getitem__(self, operand: str) -> Bits:
        return Bits(Terms, 32, self._now["k_reg"])

    def csr(self, name: str) -> Bits:
        return Bits(Terms, 32, self._now[f"{name.lower()}_reg"])

    def read(self, memory: str, address: Bits, length: int) -> list[Bits]:
        return [Bits(Terms, 32, self._now["key_data"])]


def _accepted(now: View) -> Any:
    """The specification's decision on the element that is looked at."""
    x: Any = _Operands(now)
    key, rank = now["decide_key_reg"], now["decide_rank_reg"]
    keys, ranks = [Bits(Terms, 32, key)], [Bits(Terms, 32, z3.ZeroExt(32 - rank.size(), rank))]
    rules = {QUOTA: masks.quota, RULE: masks.rule, FACTOR: masks.factor, TOP_K: masks.quota}
    owed = z3.BitVecVal(0, 1)
    for kind, function in rules.items():
        (yes,) = function(x, keys, ranks, 1)
        owed = z3.If(now["kind_reg"] == kind, yes.value, owed)
    return owed & now["decide_there_reg"]


def _decides(name: str, ghost: Ghost, now: View) -> Iterator[Obligation]:
    """What goes into the row is the specification's decision: `_fills` has the lane."""
    after = now.module.view(now.next(), {}, "after")
    lane = now["row_lane_reg"]
    bit = z3.Extract(0, 0, z3.LShR(after["row_fill.bits_reg"], _extended(lane, ghost)))
    small = (now["decide_rank_reg"], now["decide_key_reg"], now["key_data"], now["k_reg"])

    def explain(value: Values) -> str:
        kinds = ("QUOTA", "RULE", "FACTOR", "TOP_K")
        return (
            f"{kinds[value(now['kind_reg'])]}: candidate {value(now['decide_there_reg'])}, key "
            f"{value(now['decide_key_reg'])}, rank {value(now['decide_rank_reg'])}; k "
            f"{value(now['k_reg'])}, limit {value(now['limit_reg'])}, kmax "
            f"{value(now['kmax_reg'])}, table's entry {value(now['key_data'])}\n"
            f"  expected: {value(_accepted(now))}\n  got:      {value(bit)}"
        )

    yield Obligation(
        f"{name}: a decision", bit == _accepted(now), (now["decide_reg"] == 1,), explain, small
    )


def _extended(lane: Any, ghost: Ghost) -> Any:
    return z3.ZeroExt(ghost.size.config.vlen - lane.size(), lane)


def _fills(name: str, ghost: Ghost, now: View, after: View) -> Iterator[Obligation]:
    """The row that is being filled, and the rows that are kept."""
    vlen, lane = ghost.size.config.vlen, now["row_lane_reg"]
    old, new = now["row_fill.bits_reg"], after["row_fill.bits_reg"]
    others = [
        z3.Implies(
            lane != number,
            z3.Extract(number, number, new)
            == z3.If(lane == 0, z3.BitVecVal(0, 1), z3.Extract(number, number, old)),
        )
        for number in range(vlen)
    ]
    full = z3.Or(lane == vlen - 1, now["decide_last_reg"] == 1)
    goal = z3.And(
        *others,
        (after["row_fill.valid_reg"] == 1) == full,
        after["row_fill.last_reg"] == now["decide_last_reg"],
    )
    going = z3.And(now["decide_reg"] == 1, now["rst"] == 0)

    def explain(value: Values) -> str:
        return (
            f"a decision for lane {value(lane)} (the last: {value(now['decide_last_reg'])}) of a "
            f"row with {value(old):0{vlen}b}\n"
            f"  got: {value(new):0{vlen}b}, full {value(after['row_fill.valid_reg'])}; expected: "
            f"lanes other than {value(lane)} as before, or 0 from lane 0 on"
        )

    yield Obligation(f"{name}: a row fills", goal, (going,), explain, (lane, old))
    size, row, kept = ghost.size, now["chosen_row_reg"], now["chosen_reg"]
    goals = []
    for number in range(kept.size() // vlen):
        high, low = vlen * number + vlen - 1, vlen * number
        stays = z3.Extract(high, low, kept)
        goals.append(z3.Extract(high, low, after["chosen_reg"]) == z3.If(row == number, old, stays))
    last = now["row_fill.last_reg"] == 1
    goals.append(after["chosen_row_reg"] == z3.If(last, z3.BitVecVal(0, row.size()), row + 1))
    goals.append(after["chosen_end_reg"] == z3.If(last, row, now["chosen_end_reg"]))
    full_row = z3.And(now["row_fill.valid_reg"] == 1, now["row_write"] == 0, now["in_valid"] == 0)
    yield Obligation(
        f"{name}, {size.config.key_words} keys: a row is kept", z3.And(*goals), (full_row,)
    )


def _ghost(module: Transition, size: Size) -> Ghost:
    names = (*REQUEST, "row")
    request = {x: z3.BitVec(x, module.inputs[f"in_{x}"].size()) for x in names}
    return Ghost(size, request, *(z3.BitVec(x, 32) for x in ("length", "block", "place")))


def _step(
    module: Transition, tag: str, rst: int = 0, in_valid: int = 0, **request: Any
) -> tuple[View, View]:
    """A cycle from any state, and the next one."""
    inputs = {f"in_{name}": value for name, value in request.items()}
    inputs |= {"rst": z3.BitVecVal(rst, 1), "in_valid": z3.BitVecVal(in_valid, 1)}
    now = module.view(module.arbitrary("any"), inputs, tag)
    return now, module.view(now.next(), {}, "after")


def _cells(size: Size, view: View) -> list[tuple[Any, Any, Any]]:
    """Key, candidate and rank of each cell."""
    key, there, rank = (view[f"cell_{x}_reg"] for x in ("key", "there", "rank"))
    width = rank.size() // size.cells
    return [
        (
            z3.Extract(32 * number + 31, 32 * number, key),
            z3.Extract(number, number, there),
            z3.Extract(width * number + width - 1, width * number, rank),
        )
        for number in range(size.cells)
    ]


def _first_lane(ghost: Ghost) -> Any:
    return ghost.place & (ghost.size.config.vlen - 1) == 0


def _asks(ghost: Ghost, now: View, new_row: Any) -> Any:
    """The element's key, or its row of the confidences; its row of the mask where it is new."""
    row = z3.LShR(ghost.place, ghost.size.config.vlen.bit_length() - 1)
    top_k = ghost.request["kind"] == TOP_K
    return z3.And(
        (now["mask_enable"] == 1) == new_row,
        same(
            now["mask_row"],
            z3.ZeroExt(32 - now["mask_row"].size(), ghost.request["mask_row"]) + row,
        ),
        (now["conf_enable"] == 1) == z3.And(new_row, top_k),
        same(
            now["conf_row"],
            z3.ZeroExt(32 - now["conf_row"].size(), ghost.request["conf_row"]) + row,
        ),
        (now["key_enable"] == 1) == z3.Not(top_k),
        same(now["key_address"], ghost.request["key"] + ghost.place),
        now["row_write"] == 0,
    )


def _row_stage(ghost: Ghost, after: View, loads: int, streams: int) -> Any:
    """The stage in which the element's row is here."""
    return z3.And(
        after["row_loads_reg"] == loads,
        after["row_streams_reg"] == streams,
        same(after["row_lane_reg"], ghost.place & (ghost.size.config.vlen - 1)),
        same(after["row_cell_reg"], ghost.place & (ghost.size.cells - 1)),
        after["decide_reg"] == 0,
    )


def _waits(ghost: Ghost, now: View, after: View, phase: int, following: int) -> tuple[Any, Any]:
    """(premise, goal): two cycles in a phase, in which nothing else happens."""
    kept = ("block_reg", "place_reg") if phase == DRAIN else ()
    premise = z3.And(ghost.held(now), now["phase_reg"] == phase)
    second = now["wait_reg"] == 1
    goal = z3.And(
        ghost.held(after),
        after["phase_reg"] == z3.If(second, z3.BitVecVal(following, 3), phase),
        (after["wait_reg"] == 1) == z3.Not(second),
        *(after[name] == now[name] for name in kept),
        *(now[x] == 0 for x in ("mask_enable", "conf_enable", "key_enable", "row_write")),
        *(after[f"{x}_reg"] == 0 for x in ("row_loads", "row_streams", "decide")),
    )
    return premise, goal


def _place(view: View, size: Size) -> Any:
    """The first bit of the row of decisions that is shown."""
    row, width = view["chosen_row_reg"], view["chosen_reg"].size()
    return z3.ZeroExt(width - row.size(), row) * size.config.vlen


def _explain(ghost: Ghost, label: str, now: View, value: Values) -> str:
    ports = ("mask_enable", "mask_row", "conf_enable", "key_enable", "key_address", "row_write")
    shown = ", ".join(f"{name} {value(now[name])}" for name in ports)
    return (
        f"{label} at element {value(ghost.place)} of {value(ghost.length)}, block "
        f"{value(ghost.block)}, kind {value(ghost.request['kind'])}, first key "
        f"{value(ghost.request['key'])}, mask row {value(ghost.request['mask_row'])}\n"
        f"  got: {shown}, phase {value(now['phase_reg'])}"
    )


def same(narrow: Any, wide: Any) -> Any:
    """A register or port holds the value modulo its width."""
    low = z3.Extract(narrow.size() - 1, 0, wide) if narrow.size() < wide.size() else wide
    return narrow == low


def cycles(files: Files) -> Iterator[Enumeration]:
    """The phases' cycles add up to the specification's `rank_cycles`.

    1 for the request; for each block twice its elements (LOAD, EMIT), the length (STREAM) and 2
    (DRAIN); then 2 (FINISH) and a cycle for each row (WRITE). VLEN 2 to 2048, 1 to 4,096 elements.
    """
    yield from _sums(masks.rank_cycles)


def _sums(formula: Callable[[Step], int]) -> Iterator[Enumeration]:
    for vlen in (1 << levels for levels in range(1, 12)):
        yield Enumeration(f"VLEN {vlen}", LONGEST, partial(_wrong_sum, formula, vlen))


def _wrong_sum(formula: Callable[[Step], int], vlen: int) -> str | None:
    cells = masks.RANKED_AT_ONCE
    for length in range(1, LONGEST + 1):
        blocks = [min(cells, length - first) for first in range(0, length, cells)]
        taken = 1 + sum(2 * block + length + 2 for block in blocks) + 2 + -(-length // vlen)
        if taken != formula(Step(vlen, 0, length=length)):
            return f"{length} elements: {taken} cycles"
    return None


def _one_short(step: Step) -> int:
    """Broken: no cycle for the last decision to be stored."""
    return masks.rank_cycles(step) - 1


def _broken_sums(files: Files) -> Iterator[Enumeration]:
    yield from _sums(_one_short)


def _twin(mutation: Mutation, obligations: Proof, files: Files) -> Iterator[Obligation]:
    with mutation.applied(files) as mutated:
        yield from obligations(mutated)


# Planted bugs. The table's entry is that of the element's place, not of its rank:
BY_PLACE = Mutation(FILE, "k_reg[KEY_BITS-1:0] + emit_rank", "k_reg[KEY_BITS-1:0] + place_reg")
# an element counts itself.
ITSELF = Mutation(FILE, "{{(CELLS - 1){1'b1}}, 1'b0} << cell_reg", "{CELLS{1'b1}} << cell_reg")

_BOUNDS = "VLEN 4, 8 cells and VLEN 8, 32 cells, any length"
_SOURCES = tuple(RTL / file for file in UNITS["rank"].files)

THEOREMS = (
    Theorem(
        name="ranks.steps",
        statement=getdoc(steps) or "",
        bounds=_BOUNDS,
        engine="z3 or bitwuzla",
        obligations=steps,
        twin=partial(_twin, BY_PLACE, steps),
        sources=_SOURCES,
        include=(RTL,),
    ),
    Theorem(
        name="ranks.cells",
        statement=getdoc(cells) or "",
        bounds=_BOUNDS,
        engine="z3 or bitwuzla",
        obligations=cells,
        twin=partial(_twin, ITSELF, cells),
        sources=_SOURCES,
        include=(RTL,),
    ),
    Theorem(
        name="ranks.cycles",
        statement=getdoc(cycles) or "",
        bounds="VLEN 2 to 2048, up to 4,096 elements",
        engine="enumeration",
        obligations=cycles,
        twin=_broken_sums,
    ),
)
