"""`order_key` ranks BF16 codes as IEEE comparison does, with the rules for NaN and zeros."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from inspect import getdoc
from typing import Any

import numpy as np
import z3

from unmask.proofs.engine.obligation import Enumeration, Files, Obligation, Theorem
from unmask.spec.bits import Bits, arrays
from unmask.spec.formats import EMPTY_KEY, describe, order_key, to_float
from unmask.spec.terms import var

Key = Callable[[Bits], Bits]


def less(a: Any, b: Any) -> Any:
    """Whether code a is below code b, by the SMT theory of IEEE floats; NaN is the greatest."""
    x, y = (z3.fpBVToFP(code, z3.FPSort(8, 8)) for code in (a, b))
    return z3.Or(z3.fpLT(x, y), z3.And(z3.Not(z3.fpIsNaN(x)), z3.fpIsNaN(y)))


def ieee(key: Key, files: Files) -> Iterator[Obligation]:
    """key(a) < key(b) exactly where a < b as IEEE values, or b alone is NaN; for all 2^32 pairs.

    It follows that -0 and +0, and all NaNs, have equal keys. The comparison is Z3's own theory of
    floating point, which shares nothing with `order_key`.
    """
    a, b = var("a", 16), var("b", 16)
    goal = z3.ULT(key(a).value, key(b).value) == less(a.value, b.value)
    yield Obligation("all pairs", goal)


def enumerated(key: Key, files: Files) -> Iterator[Enumeration]:
    """Sorted by IEEE value, all 65,536 codes have rising keys; equal values, and NaNs, equal keys.

    A chain of neighbours decides all pairs, as both orders are total. The comparison is the host's
    own. Every key is above the key of "no element".
    """
    codes = np.arange(1 << 16)
    values, keys = to_float(codes), key(arrays(16, codes)).value
    nan = np.isnan(values)

    def neighbours() -> str | None:
        order = codes[~nan][np.argsort(values[~nan], kind="stable")]
        low, high = order[:-1], order[1:]
        agree = np.where(
            values[low] < values[high], keys[low] < keys[high], keys[low] == keys[high]
        )
        return _first_pair(low[~agree], high[~agree])

    def nans() -> str | None:
        of_nans = keys[nan]
        bad = (of_nans != of_nans[0]) | (of_nans <= keys[~nan].max())
        wrong = codes[nan][bad]
        return describe(int(wrong[0])) if wrong.size else None

    def above_empty() -> str | None:
        wrong = codes[keys <= EMPTY_KEY]
        return describe(int(wrong[0])) if wrong.size else None

    yield Enumeration("numbers in order", int((~nan).sum()) - 1, neighbours)
    yield Enumeration("NaNs equal and greatest", int(nan.sum()), nans)
    yield Enumeration("above the empty key", len(codes), above_empty)


def _first_pair(low: Any, high: Any) -> str | None:
    return f"{describe(int(low[0]))} and {describe(int(high[0]))}" if low.size else None


def signed_zeros(code: Bits) -> Bits:
    """Broken: ranks -0 below +0, the classic fault of a sign-and-magnitude comparison."""
    minus_zero = code.eq(0x8000).zext(16)
    return order_key(code) - minus_zero


THEOREMS = (
    Theorem(
        name="spec.order_key.ieee",
        statement=getdoc(ieee) or "",
        bounds="all 2^32 pairs",
        engine="z3 floating point",
        obligations=partial(ieee, order_key),
        twin=partial(ieee, signed_zeros),
    ),
    Theorem(
        name="spec.order_key.enumerated",
        statement=getdoc(enumerated) or "",
        bounds="all 65,536 codes",
        engine="enumeration",
        obligations=partial(enumerated, order_key),
        twin=partial(enumerated, signed_zeros),
    ),
)
