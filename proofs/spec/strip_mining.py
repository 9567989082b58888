"""Cutting a vector into beats of VLEN lanes with a partial tail changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from inspect import getdoc

import z3

from unmask.proofs.engine.obligation import Files, Obligation, Theorem
from unmask.spec.bits import Bits
from unmask.spec.contracts import contract, count_width
from unmask.spec.reductions import MaxIndex, fold
from unmask.spec.terms import const, var

VLEN, LONGEST = 4, 13
Count = Callable[[int, int], int]


def tail_count(length: int, beat: int) -> int:
    """Active lanes of a beat: all, but what is left in the last one."""
    return min(VLEN, length - beat * VLEN)


def beats_are_fold(count: Count, files: Files) -> Iterator[Obligation]:
    """The unit contract over ceil(VL/VLEN) beats = one fold over VL elements; VLEN 4, VL 1..13.

    For all codes (garbage in the inactive lanes of the tail too), any index base and any start.
    The contract is taken in its fold form, which equals its tree form by spec.max_index.tree; with
    associativity and the identity law it holds for every VL and VLEN. No assumptions.
    """
    start_code, start_index, base = var("start_code", 16), var("start_index", 32), var("base", 32)
    owed = contract("V_RED_MAX_IDX").result
    for length in range(1, LONGEST + 1):
        chunks = -(-length // VLEN)
        codes = [var(f"code{i}", 16) for i in range(chunks * VLEN)]
        beats = [
            {
                "data": _packed(codes[beat * VLEN : (beat + 1) * VLEN]),
                "count": const(count_width(VLEN), count(length, beat)),
                "base": base + beat * VLEN,
                "start_code": start_code,
                "start_index": start_index,
            }
            for beat in range(chunks)
        ]
        got = owed(beats, VLEN, "fold")
        elements = [MaxIndex.lane(codes[i], base + i) for i in range(length)]
        best = fold(elements, MaxIndex.lane(start_code, start_index))
        goal = z3.And(got["code"].value == best.code.value, got["index"].value == best.index.value)
        yield Obligation(f"VL {length}", goal)


def _packed(codes: list[Bits]) -> Bits:
    """Lanes side by side, lane 0 lowest."""
    value = z3.Concat(*(code.value for code in reversed(codes)))
    return Bits(codes[0].algebra, 16 * len(codes), value)


def greedy_tail(length: int, beat: int) -> int:
    """Broken: the tail takes all lanes, garbage included."""
    return VLEN


THEOREMS = (
    Theorem(
        name="spec.max_index.strip_mining",
        statement=getdoc(beats_are_fold) or "",
        bounds=f"VLEN {VLEN}, VL 1..{LONGEST}",
        engine="z3, bitwuzla",
        obligations=partial(beats_are_fold, tail_count),
        twin=partial(beats_are_fold, greedy_tail),
        confirm=True,
    ),
)
