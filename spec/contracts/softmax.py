"""Contracts of units on softmax states: beats of VLEN lanes that one takes in, and what it says.

A state is one word of 251 bits at a unit's ports, `State`'s parts from the lowest bit on: key,
index, top, slots 0 to 4, count, flags.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from typing import Any

from unmask.spec.bits import Bits, concat
from unmask.spec.contracts.context import lanes_of
from unmask.spec.contracts.contract import Contract, Port, Values, constant
from unmask.spec.encoding import Instruction
from unmask.spec.instructions.softmax import banned
from unmask.spec.reductions import INDEX_WIDTH, fold, parts, tree
from unmask.spec.softmax import (
    BIN_WIDTH,
    COUNT_WIDTH,
    SLOT_WIDTH,
    SLOTS,
    SoftmaxState,
    State,
)
from unmask.spec.vectors import Each

_WIDTHS = (16, INDEX_WIDTH, BIN_WIDTH, *(SLOT_WIDTH,) * SLOTS, COUNT_WIDTH, 2)
STATE_WIDTH = sum(_WIDTHS)


def word_of(state: State) -> Bits:
    """A state as one word."""
    return reduce(lambda low, high: concat(high, low), parts(state))


def state_of(word: Bits) -> State:
    """The state that a word stands for."""
    key, index, top, *slots, count, flags = _split(word, _WIDTHS)
    return State(key, index, top, tuple(slots), count, flags)


def _split(word: Bits, widths: Sequence[int]) -> Iterator[Bits]:
    """The parts of a word, from the lowest bit on."""
    low = 0
    for width in widths:
        yield word.extract(low + width - 1, low)
        low += width


def elements(beat: Values, lanes: int) -> list[State]:
    """The states of a beat's lanes: its elements, and nothing where a lane is not active."""
    base = beat["base"]
    codes = banned(
        Each(base.const), lanes_of(beat["data"], lanes), base, _split(beat["bans"], (32,) * 4)
    )
    active, flags = _split(beat["active"], (1,) * lanes), _split(beat["flags"], (2,) * lanes)
    columns = zip(codes, active, flags, strict=True)
    return [
        SoftmaxState.lane(code, base + lane, own, flag)
        for lane, (code, own, flag) in enumerate(columns)
    ]


def _result(beats: Sequence[Values], lanes: int, shape: str) -> dict[str, Bits]:
    state = state_of(beats[0]["start"])
    for beat in beats:
        if shape == "tree":
            state = SoftmaxState.combine(state, tree(elements(beat, lanes), SoftmaxState))
        else:
            state = fold(elements(beat, lanes), state, SoftmaxState)
    return {"state": word_of(state)}


def _contract(row: Instruction) -> Contract:
    return Contract(
        row=row,
        inputs=(
            Port("data", "bf16", lambda n: 16 * n, "the beat's elements, lane 0 lowest"),
            Port("active", "lanes", lambda n: n, "which lanes are active, any"),
            Port("flags", "uint", lambda n: 2 * n, "of each lane: saturated, inexact"),
            Port("base", "uint", constant(32), "index of lane 0; indices wrap"),
            Port("bans", "bans", constant(128), "four indices that count as -infinity"),
            Port("start", "state", constant(STATE_WIDTH), "state, read with the first beat"),
            Port("first", "flag", constant(1), "first beat of a transaction", optional=True),
            Port("last", "flag", constant(1), "last beat of a transaction", optional=True),
        ),
        outputs=(Port("state", "state", constant(STATE_WIDTH), "the state"),),
        streamed=True,
        result=_result,
    )


class _Read:
    """What the semantics of an instruction that reads a state sees."""

    def __init__(self, beat: Values) -> None:
        self._state, self._last = state_of(beat["state"]), beat.get("nan_last")

    def softmax(self, operand: str) -> State:
        return self._state

    def csr(self, name: str) -> Bits:
        key = self._state.key
        return key.const(32, 0) if self._last is None else self._last.zext(32)


def _read_contract(row: Instruction, kind: str, width: int, ranks: bool) -> Contract:
    """A state in, what an instruction reads from it out; `ranks`: it depends on CSR NAN."""

    def result(beats: Sequence[Values], lanes: int, shape: str) -> dict[str, Bits]:
        context: Any = _Read(beats[0])
        return {"value": row.semantics(context).registers["rd"]}

    last = Port("nan_last", "uint", constant(1), "CSR NAN: rows without a confidence last", 2)
    return Contract(
        row=row,
        inputs=(
            Port("state", "state", constant(STATE_WIDTH), "the state"),
            *([last] if ranks else []),
        ),
        outputs=(Port("value", kind, constant(width), "what is read"),),
        streamed=False,
        result=result,
    )


def _reads(kind: str, width: int, ranks: bool) -> Callable[[Instruction], Contract]:
    return lambda row: _read_contract(row, kind, width, ranks)


UNITS: dict[str, Callable[[Instruction], Contract]] = {
    "V_RED_SM": _contract,
    "S_SM_MAX": _reads("bf16", 16, ranks=False),
    "S_SM_IDX": _reads("uint", 32, ranks=False),
    "S_SM_FLAGS": _reads("uint", 32, ranks=False),
    "S_SM_KEY": _reads("uint", 32, ranks=True),
    "S_SM_CONF": _reads("bf16", 16, ranks=True),
}
