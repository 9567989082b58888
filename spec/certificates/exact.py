"""delta of a row of BF16 codes in exact arithmetic; independent of `unmask.spec.softmax`.

delta is the sum of exp(l - max) over all elements but the first maximum. Differences are integers,
their exponentials are made by `decimal`, sums are rounded outward. Two deltas are told apart
without error, however near they are: exponentials of different rationals are linearly independent
over the rationals (Lindemann and Weierstrass), so a combination of them is 0 only if all its
coefficients are, and else some number of digits shows its sign.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from fractions import Fraction
from functools import cached_property, lru_cache, total_ordering
from typing import Any

import numpy as np
from numpy.typing import NDArray

DIGITS = 40
MOST_DIGITS = 20_000  # no known rows need more than a few hundred to be told apart
SCALE = 133  # every finite BF16 is an integer times 2**-133
WIDTH = Fraction(1, 10**30)  # relative width of an interval is less, if delta > 1e-800
FAR = 2000 << SCALE  # farther below the maximum a weight is known as 0 to 1e-860


def magnitude(code: int) -> int:
    """|l| * 2**133 of a finite code."""
    field = code >> 7 & 0xFF
    return code & 0x7F if field == 0 else (code & 0x7F | 0x80) << (field - 1)


def number(code: int) -> int:
    """l * 2**133 of a finite code."""
    return -magnitude(code) if code & 0x8000 else magnitude(code)


def is_nan(code: int) -> bool:
    return code & 0x7FFF > 0x7F80


def _ranks() -> NDArray[np.int64]:
    """For each code its place in the order of `torch.argmax`, (65536,): NaN is greatest."""
    codes = np.arange(1 << 16)
    magnitudes = codes & 0x7FFF
    signed = np.where(codes & 0x8000, -magnitudes, magnitudes)
    return np.where(magnitudes > 0x7F80, 1 << 16, signed)


RANKS = _ranks()


def token(codes: NDArray[np.uint16]) -> int:
    """The first of the greatest elements of a row (V,); all NaN are equal, and -0 equals +0."""
    return int(np.argmax(RANKS[codes]))


@lru_cache(maxsize=1 << 17)
def exponential(difference: int, digits: int) -> tuple[Decimal, Decimal]:
    """Bounds of exp(difference * 2**-133), for a difference of at most 0."""
    contexts = _contexts(digits)
    if difference == 0:
        return Decimal(1), Decimal(1)
    far = FAR * max(digits // DIGITS, 1)
    middle = contexts[0].exp(_quotient(max(difference, -far)))  # correctly rounded
    low = Decimal(0) if difference < -far else contexts[0].next_minus(middle)
    return low, contexts[1].next_plus(middle)


def _quotient(difference: int) -> Decimal:
    """difference * 2**-133 exactly, or else so near that the exponential does not notice."""
    wide = Context(prec=400, Emin=-999_999, Emax=999_999)
    return wide.divide(Decimal(difference), Decimal(1 << SCALE))


@lru_cache
def _contexts(digits: int) -> tuple[Context, Context]:
    """Rounding down, and up."""
    down, up = (
        Context(prec=digits, rounding=rounding, Emin=-999_999, Emax=999_999, traps=[])
        for rounding in (ROUND_FLOOR, ROUND_CEILING)
    )
    return down, up


def _sum(terms: Mapping[int, int], digits: int) -> tuple[Decimal, Decimal]:
    """Bounds of the sum of count * exp(difference) over difference: count, counts of any sign."""
    down, up = _contexts(digits)
    low = high = Decimal(0)
    for difference, count in terms.items():
        bounds = exponential(difference, digits)
        less, more = bounds if count > 0 else bounds[::-1]
        low = down.add(low, down.multiply(Decimal(count), less))
        high = up.add(high, up.multiply(Decimal(count), more))
    return low, high


def sign(terms: Mapping[int, int]) -> int:
    """-1, 0 or 1: the sign of the sum of count * exp(difference * 2**-133), exactly.

    Raises:
        ArithmeticError: if `MOST_DIGITS` do not show it.
    """
    left = {difference: count for difference, count in terms.items() if count}
    if not left:
        return 0
    greatest = max(left)
    shifted = {difference - greatest: count for difference, count in left.items()}
    digits = DIGITS
    while digits <= MOST_DIGITS:
        low, high = _sum(shifted, digits)
        if low > 0 or high < 0:
            return 1 if low > 0 else -1
        digits *= 2
    raise ArithmeticError(f"{MOST_DIGITS} digits do not show the sign of a sum of exponentials")


@total_ordering
@dataclass(frozen=True, eq=False)
class Delta:
    """The real number delta of a row. Comparisons with another one, or a rational, are exact.

    Attributes:
        terms: (difference * 2**133, count) of all finite elements but one maximum, ascending.
    """

    terms: tuple[tuple[int, int], ...]

    @cached_property
    def interval(self) -> tuple[Fraction, Fraction]:
        """[low, high] that holds delta; relative width below `WIDTH` if delta > 1e-800."""
        low, high = _sum(dict(self.terms), DIGITS)
        return Fraction(low), Fraction(high)

    @property
    def middle(self) -> Fraction:
        """Within half of `interval` of delta."""
        low, high = self.interval
        return (low + high) / 2

    def _compare(self, other: Delta | Fraction) -> int:
        """-1, 0 or 1."""
        low, high = self.interval
        least, most = other.interval if isinstance(other, Delta) else (other, other)
        if low > most or high < least:
            return 1 if low > most else -1
        if isinstance(other, Delta):
            left = dict(self.terms)
            for difference, count in other.terms:
                left[difference] = left.get(difference, 0) - count
            return sign(left)
        left = {difference: count * other.denominator for difference, count in self.terms}
        left[0] = left.get(0, 0) - other.numerator
        return sign(left)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Delta | Fraction):
            return NotImplemented
        return self._compare(other) == 0

    def __lt__(self, other: Delta | Fraction) -> bool:
        return self._compare(other) < 0

    # Equal deltas may have other terms, and be equal to a Fraction.
    __hash__ = None  # type: ignore[assignment]


def delta(codes: NDArray[np.uint16]) -> Delta | None:
    """delta of a row (V,); None where there is none: NaN or +infinity, or nothing but -infinity."""
    counts: Any = np.bincount(codes, minlength=1 << 16)
    present = np.flatnonzero(counts)
    finite = present[(present & 0x7FFF) < 0x7F80]
    if len(present) - len(finite) > int(counts[0xFF80] > 0) or len(finite) == 0:
        return None
    found: dict[int, int] = {}
    for code in finite.tolist():
        found[number(code)] = found.get(number(code), 0) + int(counts[code])  # -0 and +0 are one
    greatest = max(found)
    found[greatest] -= 1
    return Delta(tuple((at - greatest, count) for at, count in sorted(found.items()) if count))
