"""Softmax programs: chunking, order, banned ids, the argmax, and logits that come from memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import z3

from unmask.proofs.engine.obligation import Files, Obligation
from unmask.proofs.programs.symbolic_run import (
    Run,
    Unknown,
    bf16,
    bits,
    broken,
    cell,
    cells,
    gp,
    greater,
    run,
    theorem,
)
from unmask.spec import isa
from unmask.spec.bits import Bits
from unmask.spec.encoding import Context, Effect
from unmask.spec.instructions import softmax
from unmask.spec.reductions import parts
from unmask.spec.softmax import Placed, SoftmaxState, State, lane_of
from unmask.spec.state import Config
from unmask.spec.terms import const

NO_TOKEN = z3.BitVecVal(0xFFFFFFFF, 32)
NEGATIVE_INFINITY = z3.BitVecVal(0xFF80, 16)
# 0 - 1 is the id that bans nobody.
NO_BANS = "S_ADDI_INT gp15, gp0, 1\nS_SUB_INT gp15, gp0, gp15\n" + "".join(
    f"C_SET_CSR BAN{at}, gp15\n" for at in range(4)
)
FOUR = Config(vlen=4, vector_rows=8, hbm_bytes=1024)
EIGHT = Config(vlen=8, vector_rows=8, hbm_bytes=1024)


_EMPTY = SoftmaxState.empty(const(1, 0))
_WIDTHS = [part.width for part in parts(_EMPTY)]
_COUNT = len(_WIDTHS) - 2  # the part that the instructions' length traps look at
_WIDTH = sum(_WIDTHS) - _WIDTHS[_COUNT]


def packed(state: State) -> Any:
    """All parts of a state but its count, as one term."""
    return z3.Concat(*(x.value for at, x in enumerate(parts(state)) if at != _COUNT))


def unpacked(whole: Any, count: Bits) -> State:
    """The state that `packed` gives this term for."""
    values, end = [], _WIDTH
    for at, width in enumerate(_WIDTHS):
        if at == _COUNT:
            values.append(count)
        else:
            values.append(bits(z3.Extract(end - 1, end - width, whole)))
            end -= width
    key, index, top, *slots, counted, flags = values
    return State(key, index, top, tuple(slots), counted, flags)


class Abstract:
    """States of which only the algebra is known: the lane of a code and index, and `combine`.

    Counts are the real ones, because the instructions' traps depend on them.
    """

    def __init__(self) -> None:
        self.lane = Unknown("lane", _WIDTH)
        self.plus = Unknown("sum", _WIDTH)

    def _combine(self, a: State, b: State) -> State:
        return unpacked(self.plus(packed(a), packed(b)), a.count + b.count)

    def _lane(self, state: State, index: Bits, flags: Bits | None = None) -> State:
        # `_code` has put the code where the key would be.
        return unpacked(self.lane(state.key.value, index.value), const(19, 1))

    @staticmethod
    def _code(code: Bits) -> State:
        return _EMPTY._replace(key=code)

    @contextmanager
    def instead(self) -> Iterator[None]:
        """While programs run that are to use this algebra."""
        with ExitStack() as stack:
            stack.enter_context(patch.object(softmax, "lane_of", self._code))
            stack.enter_context(patch.object(Placed, "lane", staticmethod(self._lane)))
            stack.enter_context(patch.object(Placed, "combine", staticmethod(self._combine)))
            yield

    def consistent(self) -> Any:
        """Lane and `combine` are functions."""
        return z3.And(*self.lane.consistent(), *self.plus.consistent())


def _state(done: Run, number: int, but: tuple[str, ...] = ()) -> list[Any]:
    prefix = f"state{number}."
    return [
        value
        for name, value in done.after.items()
        if name.startswith(prefix) and name.removeprefix(prefix) not in but
    ]


def _same(a: list[Any], b: list[Any]) -> Any:
    return z3.And(*(x == y for x, y in zip(a, b, strict=True)))


def chunks(table: isa.Table, files: Files) -> Iterator[Obligation]:
    """A row cut into pieces that feed one state leaves the state that the whole row leaves.

    5 elements of vector SRAM: whole, 2 and 3, 4 and 1, one by one; and with VLEN 2, 4 and 8. All
    logits and index bases (with the index of the first element given to each piece). The lane is
    the real one. Nothing but that state and the base register changes.
    """
    whole = run("V_RED_SM gp2, gp1, gp3, 1", table=table, gp1=0, gp2=6, VL=5)
    owed = _state(whole, 2)
    state = {name: x for name, x in whole.after.items() if name.startswith("state2.")}
    yield Obligation("the rest", whole.becomes(state))
    for sizes in ((2, 3), (4, 1)):
        done = _pieces(sizes, table)
        yield Obligation(f"{sizes[0]} and {sizes[1]}", _same(_state(done, 2), owed))
    for config in (FOUR, EIGHT):
        done = run("V_RED_SM gp2, gp1, gp3, 1", config, table, gp1=0, gp2=6, VL=5)
        yield Obligation(f"VLEN {config.vlen}", _same(_state(done, 2), owed))
    single = [
        f"V_RED_SM gp2, gp{4 + at}, gp3, {int(at == 0)}\nS_ADDI_INT gp3, gp3, 1" for at in range(5)
    ]
    places: dict[str, Any] = {f"gp{4 + at}": 2 * at for at in range(5)}
    # One by one, elements must begin chunks: a loose row has them there.
    loose = {f"vector{2 * at}": cell("vector", at) for at in range(5)}
    done = run("\n".join(single), table=table, given=loose, **places, gp2=6, VL=1)
    yield Obligation("one by one", _same(_state(done, 2), owed))


def _pieces(sizes: tuple[int, ...], table: isa.Table) -> Run:
    text, place = [], 0
    for size in sizes:
        text += [
            f"C_SET_CSR VL, gp0, {size}",
            f"S_ADDI_INT gp1, gp0, {place}",
            f"V_RED_SM gp2, gp1, gp3, {int(place == 0)}",
            f"S_ADDI_INT gp3, gp3, {size}",
        ]
        place += size
    return run("\n".join(text), table=table, gp2=6)


def restarts(x: Context) -> Effect:
    """Broken: every instruction empties the state first."""
    state = SoftmaxState.empty(x.softmax("rd").key)
    codes = x.read("vector", x["rs1"], x.number(x.vl))
    return softmax._reduce(x, state, codes, None, x.number(x.vl))


def order(table: isa.Table, files: Files) -> Iterator[Obligation]:
    """The pieces of a row may feed a state in any order, on top of what the state already holds.

    A first element, then two pieces of 1, or of 2 elements, in both orders, VLEN 2. Of
    the lane and of `combine` nothing is used but that `combine` is associative and commutative:
    assumed here for the states that occur, proven in spec.softmax. No id is
    banned; all logits and index bases.
    """
    for size in (1, 2):
        algebra = Abstract()
        with algebra.instead():
            forth = _three(table, size, (0, 1))
            back = _three(table, size, (1, 0))
        start = unpacked(
            algebra.plus(packed(_EMPTY), algebra.lane(cell("vector", 0), gp(3))), _EMPTY.count
        )
        first, second = (
            [algebra.lane(cell("vector", at + i), gp(3) + at + i) for i in range(size)]
            for at in (4, 8)
        )
        laws = _laws(algebra.plus, packed(start), first, second)
        goal = _same(_state(forth, 0), _state(back, 0))
        yield Obligation(f"pieces of {size}", goal, (z3.And(*laws, algebra.consistent()),))


def _three(table: isa.Table, size: int, order: tuple[int, int]) -> Run:
    """An element, then two pieces in one order or the other; indices are places."""
    feed = [
        f"S_ADDI_INT gp4, gp3, {place}\nV_RED_SM gp0, gp{number}, gp4"
        for number, place in ((1, 4), (2, 8))
    ]
    text = ["V_RED_SM gp0, gp0, gp3, 1", f"C_SET_CSR VL, gp0, {size}", *(feed[at] for at in order)]
    return run(NO_BANS + "\n".join(text), table=table, gp1=4, gp2=8, VL=1)


def _laws(plus: Unknown, start: Any, first: list[Any], second: list[Any]) -> list[Any]:
    """Associativity and commutativity of the sums that turn one order into the other."""

    def associative(a: Any, b: Any, c: Any) -> Any:
        return plus(plus(a, b), c) == plus(a, plus(b, c))

    x, y = (part[0] if len(part) == 1 else plus(*part) for part in (first, second))
    laws = [plus(x, y) == plus(y, x), associative(start, x, y), associative(start, y, x)]
    if len(first) == 2:
        laws += [associative(start, *first), associative(start, *second)]
        laws += [associative(plus(start, x), *second), associative(plus(start, y), *first)]
    return laws


def position(x: Context) -> Effect:
    """Broken: an element's index is how many elements the state held before it."""
    length = x.number(x.vl)
    start = softmax._start(x)
    codes = x.read("vector", x["rs1"], length)
    lanes = x.vectors.table(lane_of, codes)
    indices = x.vectors.map(
        lambda i, count: i + count.zext(32), x.vectors.of(32, range(length)), start.count
    )
    return Effect(softmax=("rd", x.vectors.reduce(Placed, start, lanes, indices)))


def banned(table: isa.Table, files: Files) -> Iterator[Obligation]:
    """Ids that BAN0 to BAN3 name count as -infinity: the state is that of a row changed so.

    4 elements, VLEN 2; all logits, index bases and ids, in the row or not, 0xFFFFFFFF banning
    nobody. Of the lane and of `combine` nothing is used but that they are functions.
    """
    bans = "".join(f"C_SET_CSR BAN{at}, gp{4 + at}\n" for at in range(4))
    codes = {}
    for lane, code in enumerate(cells("vector", 0, 4)):
        names_it = [z3.And(gp(4 + at) == gp(3) + lane, gp(4 + at) != NO_TOKEN) for at in range(4)]
        codes[f"vector{lane}"] = z3.If(z3.Or(*names_it), NEGATIVE_INFINITY, code)
    algebra = Abstract()
    with algebra.instead():
        with_bans = run(f"{bans}V_RED_SM gp0, gp0, gp3, 1", table=table, VL=4)
        changed = run(f"{NO_BANS}V_RED_SM gp0, gp0, gp3, 1", table=table, given=codes, VL=4)
    goal = _same(_state(with_bans, 0), _state(changed, 0))
    yield Obligation("4 elements", goal, (algebra.consistent(),))


def bans_everywhere(x: Context) -> Effect:
    """Broken: the id that bans nobody is 2**31."""
    with patch.object(softmax, "NO_TOKEN", 1 << 31):
        return softmax.red_sm(x)


def first_argmax(table: isa.Table, files: Files) -> Iterator[Obligation]:
    """S_SM_IDX gives the index of the first greatest element, S_SM_MAX that element.

    Greatest by Z3's theory: NaN above all, zeros equal; S_SM_MAX gives zeros as +0 and NaN as
    0x7FC0. VLEN 2, VL 1 to 4; all logits and index bases. No id is banned. Assumes that
    indices do not wrap.
    """
    for length in range(1, 5):
        text = "V_RED_SM gp0, gp0, gp3, 1\nS_SM_IDX gp1, gp0\nS_SM_MAX f1, gp0"
        done = run(NO_BANS + text, table=table, VL=length)
        index, code = done.after["gp1"], done.after["f1"]
        codes = cells("vector", 0, length)
        facts = [z3.Or(*(index == gp(3) + lane for lane in range(length)))]
        for lane, own in enumerate(codes):
            best = z3.And(
                *(greater(own, other) for other in codes[:lane]),
                *(z3.Not(greater(other, own)) for other in codes[lane + 1 :]),
                _is_plain(code, own),
            )
            facts.append(z3.Implies(index == gp(3) + lane, best))
        premise = z3.ULE(gp(3), z3.BitVecVal((1 << 32) - length, 32))
        yield Obligation(f"{length} elements", z3.And(*facts), (premise,))


def _is_plain(code: Any, own: Any) -> Any:
    number = bf16(own)
    zero, nan = code == 0, code == 0x7FC0
    return z3.If(z3.fpIsNaN(number), nan, z3.If(z3.fpIsZero(number), zero, code == own))


def last_of_equals(x: Context) -> Effect:
    """Broken: indices count down, so that of equals the last wins."""
    effect = softmax.red_sm(x)
    assert effect.softmax is not None
    name, state = effect.softmax
    lanes = x.read("vector", x["rs1"], x.number(x.vl))
    best = state.index
    for lane, code in enumerate(lanes):
        equal = lane_of(code).key.eq(state.key).value == 1
        best = best.like(z3.If(equal, (x["rs3"] + lane).value, best.value))
    return Effect(softmax=(name, state._replace(index=best)))


FORMATS = {"BF16": 0, "E4M3_B8": 2, "E5M2_B8": 4}


def streamed(table: isa.Table, files: Files) -> Iterator[Obligation]:
    """H_RED_SM of a row of memory leaves the state of H_PREFETCH_V, then V_RED_SM of that row.

    BF16, 5 elements at an element offset; E4M3 and E5M2 in blocks of 8, 10 elements with the scales
    behind them. All bytes of memory and index bases; the lane is the real one. In all parts of the
    state but the flags of MX formats, which a row in vector SRAM no longer has.
    """
    for name, number in FORMATS.items():
        length, offset = (5, 3) if name == "BF16" else (10, 8)
        head = f"C_SET_ADDR_REG a1, gp0, gp2\nC_SET_CSR FMT0, gp0, {number}\n"
        numbers: dict[str, Any] = {"gp1": offset, "gp2": 64, "SCALE": 128, "VL": length, "ROWS": 1}
        stream = run(f"{head}H_RED_SM gp0, gp1, a1, gp3, {name}, 1", table=table, **numbers)
        text = f"{head}H_PREFETCH_V gp0, gp1, a1\nV_RED_SM gp0, gp0, gp3, 1"
        fetched = run(text, table=table, **numbers)
        but = () if name == "BF16" else ("flags",)
        yield Obligation(name, _same(_state(stream, 0, but), _state(fetched, 0, but)))


def big_endian(x: Context) -> Effect:
    """Broken: the upper byte of a BF16 element comes first."""

    def concat(high: Bits, low: Bits) -> Bits:
        return low.zext(16) << 8 | high.zext(16)

    with patch("unmask.spec.instructions.memory.concat", concat):
        return softmax.stream_sm(x)


THEOREMS = (
    theorem("softmax.chunks", "5 elements", chunks, broken({"V_RED_SM": restarts})),
    theorem("softmax.order", "3, 5 elements", order, broken({"V_RED_SM": position})),
    theorem("softmax.banned", "4 elements", banned, broken({"V_RED_SM": bans_everywhere})),
    theorem("softmax.first_argmax", "VL 1..4", first_argmax, broken({"V_RED_SM": last_of_equals})),
    theorem("softmax.streamed", "5, 10 elements", streamed, broken({"H_RED_SM": big_endian})),
)
