"""The lane of the softmax state: its fraction unit 2**f, and g(l) over all normal codes.

Bounds are integers with 80 fraction bits, rounded outward, made by integer square roots and
products alone: no floating point is trusted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, partial
from inspect import getdoc
from math import isqrt

import numpy as np
from numpy.typing import NDArray

from unmask.proofs.engine.obligation import Enumeration, Files, Theorem
from unmask.spec.bits import Bits, arrays
from unmask.spec.formats import describe, to_float
from unmask.spec.softmax import (
    BIG_MAGNITUDE,
    P_FRACTION,
    SLOPES,
    SLOTS,
    T_FRACTION,
    Exponential,
    exponential,
    mantissa,
)

GUARD = 80  # fraction bits of the bounds
MANTISSA_ERROR = 49 * (1 << GUARD) // 10**7  # 4.9e-6, just above 2**-17.64

Unit = Callable[[Bits], Bits]
Lane = Callable[[Bits], Exponential]
Span = tuple[int, int]  # a real number between two integers, GUARD fraction bits


@cache
def powers() -> tuple[list[int], list[int]]:
    """Lower and upper bounds of 2**f for every 17-bit f, with 80 fraction bits."""
    one = 1 << GUARD
    low = high = 2 * one
    roots: list[Span] = []  # of 2**(1/2), 2**(1/4), ..., 2**(2**-17)
    for _ in range(T_FRACTION):
        low, high = isqrt(low << GUARD), isqrt(high << GUARD) + 1
        roots.append((low, high))
    lows, highs = [one], [one]
    for low, high in roots:  # one bit of f more each time, appended at its end
        lows = [y for x in lows for y in (x, x * low >> GUARD)]
        highs = [y for x in highs for y in (x, (x * high >> GUARD) + 1)]
    return lows, highs


def log_ratio(value: int, low: int, high: int) -> Span:
    """Bounds of ln(v / y) for a mantissa v (19 fraction bits) and a y in low .. high near it.

    With x = v / y - 1 in -1/2 .. 1/2: x - x**2 <= ln(1 + x) <= x.
    """
    scaled = value << (2 * GUARD - P_FRACTION)
    least, most = scaled // high - (1 << GUARD), -(-scaled // low) - (1 << GUARD)
    square = (max(abs(least), abs(most)) ** 2 >> GUARD) + 1
    return least - square, most


def fraction_unit(unit: Unit, files: Files) -> Iterator[Enumeration]:
    """p(f) is in [1, 2), nondecreasing, and |ln(p(f) / 2**f)| <= 4.9e-6; all 131,072 fractions f.

    2**f is bounded from both sides by integer square roots and products.
    """
    values = unit(arrays(T_FRACTION, np.arange(1 << T_FRACTION))).value

    def in_range() -> str | None:
        return _first((values < 1 << P_FRACTION) | (values >= 2 << P_FRACTION))

    def rising() -> str | None:
        return _first(np.diff(values) < 0)

    def near() -> str | None:
        spans = (log_ratio(*x) for x in zip(values.tolist(), *powers(), strict=True))
        return _first(np.array([max(-low, high) > MANTISSA_ERROR for low, high in spans]))

    yield Enumeration("in [1, 2)", values.size, in_range)
    yield Enumeration("nondecreasing", values.size - 1, rising)
    yield Enumeration("near 2**f", values.size, near)


def _first(wrong: NDArray[np.bool_]) -> str | None:
    return f"f = {int(wrong.argmax())} / 2**{T_FRACTION}" if wrong.any() else None


@cache
def normal_codes() -> NDArray[np.int64]:
    """All codes of normal elements, ascending by value; -0 before +0."""
    magnitudes = np.arange(BIG_MAGNITUDE)
    return np.concatenate([magnitudes[::-1] + 0x8000, magnitudes])


def log2_rank(own: Exponential) -> NDArray[np.int64]:
    """An integer that ascends with g(l): the biased floor(log2 g), then the mantissa."""
    return (own.bin.value << 24) + (own.place.value << 20) + own.mantissa.value


def lane_rises(lane: Lane, files: Files) -> Iterator[Enumeration]:
    """g(l) <= g(l') for all normal l <= l', g(-0) = g(+0) = 1, and bins of g are at least 5.

    All 36,096 codes with |l| < 2**14; a chain of neighbours decides all pairs. So the maximum of
    a row has the greatest term and the highest bin, and 5 slots below a
    normal bin never reach down to the bin 0 of what is not normal.
    """
    order = normal_codes()
    own = lane(arrays(16, order))
    ranks = log2_rank(own)

    def rising() -> str | None:
        wrong = ranks[1:] < ranks[:-1]
        at = int(wrong.argmax())
        return f"{describe(order[at])} and {describe(order[at + 1])}" if wrong.any() else None

    def zeros() -> str | None:
        ones = ranks[to_float(order) == 0]
        expected = (2048 << 24) + (1 << P_FRACTION)
        return None if (ones == expected).all() else f"g(0) is {ones[0]:#x}"

    def bins() -> str | None:
        wrong = order[own.bin.value < SLOTS]
        return describe(int(wrong[0])) if wrong.size else None

    yield Enumeration("neighbours", order.size - 1, rising)
    yield Enumeration("zeros", 2, zeros)
    yield Enumeration("bins", order.size, bins)


def short_slope(fraction: Bits) -> Bits:
    """Broken: slopes of 9 bits, one less."""
    width = T_FRACTION - 7
    entry = fraction.like(fraction.value & ~((1 << width) - 1))
    slope = np.array(SLOPES)[fraction.value >> width] >> 1
    added = slope * (fraction.value & ((1 << width) - 1)) >> 6
    return mantissa(entry).like(mantissa(entry).value + added)


def truncated(code: Bits) -> Exponential:
    """Broken: takes the floor of a negative t towards zero, by negating floor and fraction."""
    own = exponential(code & 0x7FFF)
    negative = code.value >> 15 == 1
    whole = (own.bin.value << 4 | own.place.value) - 2048 * 16
    mirrored = np.where(negative, 2048 * 16 - whole, 2048 * 16 + whole)
    return Exponential(own.bin.like(mirrored >> 4), own.place.like(mirrored & 15), own.mantissa)


THEOREMS = (
    Theorem(
        name="numerics.softmax_lane.fraction",
        statement=getdoc(fraction_unit) or "",
        bounds="all 131,072 fractions",
        engine="enumeration, exact integers",
        obligations=partial(fraction_unit, mantissa),
        twin=partial(fraction_unit, short_slope),
    ),
    Theorem(
        name="numerics.softmax_lane.rises",
        statement=getdoc(lane_rises) or "",
        bounds="all 36,096 normal codes",
        engine="enumeration",
        obligations=partial(lane_rises, exponential),
        twin=partial(lane_rises, truncated),
    ),
)
