"""rho: the greatest relative error of a weight, over every pair of an element and a maximum.

A weight exp(l - m) is stood for by g(l) / g(m), whose error is that of ln g(l) - l against that of
ln g(m) - m. Both are bounded for each code from both sides, by integers rounded outward; the
greatest difference of two codes at most 45 apart is then found in one sweep over the sorted codes.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from functools import cache, partial
from inspect import getdoc

import numpy as np

from unmask.proofs.engine.obligation import Enumeration, Files, Theorem
from unmask.proofs.numerics.softmax_lane import (
    GUARD,
    Lane,
    Span,
    log_ratio,
    normal_codes,
    powers,
)
from unmask.spec.bits import Bits, arrays
from unmask.spec.formats import describe, order_key, to_float
from unmask.spec.numerics import RHO
from unmask.spec.softmax import BIG_MAGNITUDE, P_FRACTION, T_FRACTION, Exponential, exponential

APART = 45  # exp(-45) < 2**-64: farther elements count as lost, in the term c of the bound
_LN2_GUARD = 128
_LN2 = sum((1 << _LN2_GUARD + 16) // (k << k) for k in range(1, 160)) >> 16  # floor, see `_ln2`


def _times_ln2(exponent: int) -> Span:
    """Bounds of exponent / 2**17 * ln 2, with 80 fraction bits.

    The sum above is of 1 / (k * 2**k), 159 terms floored at 2**-144 and the rest below 2**-159,
    and floored once more, so ln 2 is between _LN2 and _LN2 + 2.
    """
    shift = _LN2_GUARD + T_FRACTION - GUARD
    ends = (exponent * _LN2, exponent * (_LN2 + 2))
    return min(ends) >> shift, (max(ends) >> shift) + 1


@cache
def log_errors(lane: Lane) -> tuple[list[int], list[int]]:
    """Lower and upper bounds of ln g(l) - l for all normal codes, ascending; 80 fraction bits."""
    order = normal_codes()
    own = lane(arrays(16, order))
    lows, highs = powers()
    found: tuple[list[int], list[int]] = ([], [])
    for number, high_part, place, mantissa in zip(
        to_float(order).tolist(),
        own.bin.value.tolist(),
        own.place.value.tolist(),
        own.mantissa.value.tolist(),
        strict=True,
    ):
        # ln g = ln(mantissa / 2**f) + (q + f) * ln 2, with the f whose power is next below.
        f = bisect_right(lows, mantissa << (GUARD - P_FRACTION)) - 1
        ratio = log_ratio(mantissa, lows[f], highs[f])
        q = 16 * (high_part - 2048) + place
        power = _times_ln2((q << T_FRACTION) + f)
        numerator, denominator = number.as_integer_ratio()
        l_low = (numerator << GUARD) // denominator
        found[0].append(ratio[0] + power[0] - l_low - 1)
        found[1].append(ratio[1] + power[1] - l_low)
    return found


def sweep(
    above: list[int], below: list[int], apart: float = APART
) -> Iterator[tuple[int, int, int]]:
    """Each code as a maximum, with two of the elements at most `apart` below it, itself included.

    All as places in the ascending order of normal codes.

    Args:
        above, below: a number for each code.

    Yields:
        The maximum, the element of the greatest `above`, the element of the least `below`.
    """
    numbers = to_float(normal_codes()).tolist()
    # Codes within reach of the current maximum that may be the ones to yield, best first.
    most: deque[int] = deque()
    least: deque[int] = deque()
    for at, number in enumerate(numbers):
        while most and above[most[-1]] <= above[at]:
            most.pop()
        while least and below[least[-1]] >= below[at]:
            least.pop()
        most.append(at)
        least.append(at)
        for window in (most, least):
            while number - numbers[window[0]] > apart:
                window.popleft()
        yield at, most[0], least[0]


def near_pairs(lane: Lane, files: Files) -> Iterator[Enumeration]:
    """|g(l) / g(m) - exp(l - m)| <= rho * exp(l - m), rho = 1.3301e-5, for all l <= m <= l + 45.

    All pairs of the 36,096 normal codes that are no farther apart; farther ones are in
    numerics.pair_bound.far. From x = greatest difference of ln g(l) - l and ln g(m) - m follows
    a relative error of at most exp(x) - 1 <= x + x**2.
    """
    order = normal_codes()

    def failing() -> str | None:
        lows, highs = log_errors(lane)
        for at, most, least in sweep(highs, lows):
            if (other := _worse(highs[most] - lows[at], most)) is None:
                other = _worse(highs[at] - lows[least], least)
            if other is not None:
                return f"element {describe(order[other])}, maximum {describe(order[at])}"
        return None

    yield Enumeration("pairs up to 45 apart", order.size, failing)


def _worse(difference: int, other: int) -> int | None:
    """`other` if a difference of logarithms can mean a relative error above rho."""
    x = Fraction(difference, 1 << GUARD)
    return None if x + x * x <= RHO else other


def far_pairs(lane: Lane, apart: float, files: Files) -> Iterator[Enumeration]:
    """Of elements more than 45 below a normal maximum, exp(l - m) and g(l) / g(m) are < 2**-64.

    And any two elements of which one is big and which differ are at least 64 apart, so that
    exp(l - m) < 2**-64 too. Over all normal codes, and all neighbours of finite codes.
    """
    normal = normal_codes()
    codes = np.arange(1 << 16)
    codes = codes[np.isfinite(to_float(codes))]
    codes = codes[np.argsort(order_key(arrays(16, codes)).value, kind="stable")]

    def lost() -> str | None:
        lows, highs = log_errors(lane)
        most = max(max(highs), -min(lows))  # of |ln g(l) - l|
        # ln of the two: at most -apart, or that and twice the error; against 64 * ln 2
        limit = _times_ln2(64 << T_FRACTION)[1]
        far = int(apart * (1 << GUARD)) - 2 * most > limit
        return None if far else f"{apart} is not far enough"

    def big() -> str | None:
        numbers = to_float(codes).astype(np.float64)
        with_big = (codes & 0x7FFF) >= BIG_MAGNITUDE
        gap = np.diff(numbers)
        wrong = (with_big[1:] | with_big[:-1]) & (gap != 0) & (gap < 64)
        at = int(wrong.argmax())
        return f"{describe(codes[at])} and {describe(codes[at + 1])}" if wrong.any() else None

    yield Enumeration("normal", normal.size, lost)
    yield Enumeration("big", codes.size - 1, big)


def short_mantissa(code: Bits) -> Exponential:
    """Broken: mantissas of 18 fraction bits, one less than the budget asks for."""
    own = exponential(code)
    return own._replace(mantissa=(own.mantissa >> 1) << 1)


THEOREMS = (
    Theorem(
        name="numerics.pair_bound.near",
        statement=getdoc(near_pairs) or "",
        bounds="all pairs up to 45 apart",
        engine="enumeration, exact integers",
        obligations=partial(near_pairs, exponential),
        twin=partial(near_pairs, short_mantissa),
    ),
    Theorem(
        name="numerics.pair_bound.far",
        statement=getdoc(far_pairs) or "",
        bounds="all other pairs",
        engine="enumeration, exact integers",
        obligations=partial(far_pairs, exponential, APART),
        twin=partial(far_pairs, exponential, 44),
    ),
)
