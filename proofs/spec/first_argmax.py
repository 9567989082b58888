"""The fold is the mathematical first argmax, stated without order keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from inspect import getdoc
from typing import Any

import z3

from unmask.proofs.engine.obligation import Files, Obligation, Theorem, Values
from unmask.spec.bits import Bits, mux
from unmask.spec.formats import describe
from unmask.spec.reductions import Candidate, MaxIndex, fold
from unmask.spec.terms import const, var

SIZES = (2, 4, 8)
Fold = Callable[[list[Candidate], Candidate], Candidate]


def _is_nan(code: Any) -> Any:
    exponent, fraction = z3.Extract(14, 7, code), z3.Extract(6, 0, code)
    return z3.And(exponent == 0xFF, fraction != 0)


def less(a: Any, b: Any) -> Any:
    """Whether code a is below code b, from the fields: sign, and magnitude as one number."""
    negative_a, negative_b = z3.Extract(15, 15, a) == 1, z3.Extract(15, 15, b) == 1
    size_a, size_b = z3.Extract(14, 0, a), z3.Extract(14, 0, b)
    by_size = z3.If(
        negative_a,
        z3.If(negative_b, z3.ULT(size_b, size_a), z3.Or(size_a != 0, size_b != 0)),
        z3.And(z3.Not(negative_b), z3.ULT(size_a, size_b)),
    )
    return z3.If(_is_nan(a), False, z3.If(_is_nan(b), True, by_size))


def is_first_argmax(folded: Fold, files: Files) -> Iterator[Obligation]:
    """The fold over a start value and n elements is the first greatest of them; n = 2, 4, 8.

    The result is one of the elements (code and index); no element is greater; no earlier one is
    its equal. Greater is stated from the BF16 fields: NaN above all, zeros equal, else by sign
    and magnitude. Assumes that indices differ, so that the index tells which element won.
    """
    for size in SIZES:
        codes = [var(f"code{i}", 16) for i in range(size + 1)]
        indices = [const(32, 1000), *(var("base", 32) + i for i in range(size))]
        premise = z3.ULT(var("base", 32).value, 900)
        elements = [MaxIndex.lane(c, i) for c, i in zip(codes, indices, strict=True)]
        best = folded(elements[1:], elements[0])
        yield Obligation(
            f"{size} elements",
            _declared(best, codes, indices),
            (premise,),
            partial(_explain, codes, best),
            tuple(code.value for code in codes),
        )


def _declared(best: Candidate, codes: list[Bits], indices: list[Bits]) -> Any:
    won = [best.index.value == index.value for index in indices]
    facts = [z3.Or(*won)]
    for place, (mine, code) in enumerate(zip(won, codes, strict=True)):
        unbeaten = [
            z3.Not(less(code.value, other.value)) if later else less(other.value, code.value)
            for later, other in ((at > place, other) for at, other in enumerate(codes))
            if other is not code
        ]
        facts.append(z3.Implies(mine, z3.And(best.code.value == code.value, *unbeaten)))
    return z3.And(*facts)


def _explain(codes: list[Bits], best: Candidate, value: Values) -> str:
    lanes = ", ".join(describe(value(code.value)) for code in codes)
    return f"start and elements {lanes}; got {describe(value(best.code.value))}"


def late_ties(candidates: list[Candidate], start: Candidate) -> Candidate:
    """Broken: a later equal element replaces an earlier one."""
    best = start
    for x in candidates:
        later = best.key.ule(x.key)
        best = Candidate(*(mux(later, b, a) for a, b in zip(best, x, strict=True)))
    return best


THEOREMS = (
    Theorem(
        name="spec.max_index.first_argmax",
        statement=getdoc(is_first_argmax) or "",
        bounds="2, 4, 8 elements",
        engine="z3, bitwuzla",
        obligations=partial(is_first_argmax, fold),
        twin=partial(is_first_argmax, late_ties),
        confirm=True,
    ),
)
