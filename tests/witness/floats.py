"""BF16 by double arithmetic and one rounding.

Doubles suffice: products of BF16 are exact in them; a sum that is not exact adds less than 2**-44
of the larger operand, a BF16 that the result then rounds to either way; quotients and roots of
8-bit significands are exact, or at least 2**-19 away from what lies midway between two BF16. Only
e**x may come closer, and then mpmath decides.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import ml_dtypes
import mpmath
import numpy as np
from numpy.typing import NDArray

NAN = 0x7FC0
ALL = np.arange(1 << 16)


def value(codes: Any) -> NDArray[np.float64]:
    """BF16 codes as doubles."""
    with np.errstate(invalid="ignore"):  # NaNs
        return np.asarray(codes, np.uint16).view(ml_dtypes.bfloat16).astype(np.float64)


def code(values: Any) -> NDArray[np.uint16]:
    """Doubles rounded to the nearest BF16, ties to even; NaN is 0x7FC0."""
    x = np.asarray(values, np.float64)
    with np.errstate(all="ignore"):
        unit = np.ldexp(1.0, np.maximum(np.frexp(x)[1] - 8, -133))
        rounded = np.where(np.isfinite(x), np.rint(x / unit) * unit, x)
        rounded = np.where(np.abs(rounded) >= 2.0**128, np.copysign(np.inf, x), rounded)
        found = rounded.astype(ml_dtypes.bfloat16).view(np.uint16)  # exact by now
    return np.where(np.isnan(x), np.uint16(NAN), found)


def _quiet(function: Any) -> Any:
    def operation(*operands: Any) -> NDArray[np.uint16]:
        with np.errstate(all="ignore"):
            return code(function(*map(value, operands)))

    return operation


add = _quiet(np.add)
sub = _quiet(np.subtract)
mul = _quiet(np.multiply)
reciprocal = _quiet(lambda x: 1 / x)
sqrt = _quiet(np.sqrt)


def maximum(a: Any, b: Any) -> NDArray[np.uint16]:
    """The greater one, of equals the first; NaN if either is."""
    x, y = value(a), value(b)
    greater = np.where(y > x, np.asarray(b, np.uint16), np.asarray(a, np.uint16))
    return np.where(np.isnan(x) | np.isnan(y), np.uint16(NAN), greater)


def _exact_exp(x: float) -> int:
    with mpmath.workprec(200):
        power = mpmath.exp(mpmath.mpf(x))
        unit = max(int(mpmath.frexp(power)[1]) - 8, -133)
        return min(int(mpmath.nint(mpmath.ldexp(power, -unit))) + (unit + 133 << 7), 0x7F80)


@cache
def exp_table() -> NDArray[np.uint16]:
    """e**x of all codes. A double's exp errs by less than 2**-50: where that matters, mpmath."""
    x = value(ALL)
    with np.errstate(all="ignore"):
        power = np.exp(x)
        found = code(power)
        doubtful = (code(power * (1 - 2.0**-40)) != code(power * (1 + 2.0**-40))) & np.isfinite(x)
    for at in ALL[doubtful]:
        found[at] = _exact_exp(float(x[at]))
    return found


def exp(codes: Any) -> NDArray[np.uint16]:
    return exp_table()[np.asarray(codes, np.uint16)]


def float32(codes: Any) -> NDArray[np.float32]:
    return value(codes).astype(np.float32)


def tree_sum(start: int, lanes: NDArray[np.float32]) -> int:
    """`start` (BF16), then each row of lanes summed by a balanced tree in FP32; rounded once."""
    total = float32(start)
    with np.errstate(all="ignore"):
        for chunk in lanes:
            while len(chunk) > 1:
                chunk = chunk[0::2] + chunk[1::2]
            total = total + chunk[0]
    return int(code(np.float64(total)))


def rank(codes: Any) -> NDArray[np.int64]:
    """Documented order keys: -infinity 0x007F .. zeros 0x8000 .. +infinity 0xFF80, NaN 0xFFFF."""
    x = value(codes)
    magnitude = np.asarray(codes, np.int64) % 0x8000
    keys = 0x8000 + np.where(x > 0, magnitude, np.where(x < 0, -1 - magnitude, 0))
    return np.where(np.isnan(x), 0xFFFF, keys)


def is_true(codes: Any) -> NDArray[np.bool_]:
    """Mask elements: all but zeros; NaN is not zero."""
    return value(codes) != 0
