"""Reciprocal, square root and exponential of all 65,536 BF16 codes are the nearest results.

A magnitude is the nearest to an exact positive value if that lies between the midpoints to the
neighbouring magnitudes, and on one of them only if the magnitude is even. The neighbour above the
largest finite magnitude is infinity's, which stands for 2**128 there. Midpoints are multiples of
2**-134, so that integers decide: nothing here uses a table, a float or `spec/arith.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from unittest.mock import patch

import mpmath
import numpy as np
from mpmath.ctx_iv import MPIntervalContext

from unmask.proofs.engine.obligation import Enumeration, Files, Theorem
from unmask.spec import arith
from unmask.spec.bits import Bits, arrays, mux
from unmask.spec.formats import NAN, NEG_INF, POS_INF, describe

Function = Callable[[Bits], Bits]
Side = Callable[[int], int]  # a midpoint -> 1, 0, -1: the exact value is above, on, below it
Exact = Callable[[int], Side]  # of the function at a code

_UNIT = 133  # the smallest subnormal is 2**-_UNIT

_outward = MPIntervalContext()
_outward.prec = 80  # tells e**x from every midpoint; where it did not, the code would fail


def _multiple(magnitude: int) -> int:
    """A magnitude's value in units of the smallest subnormal."""
    field, fraction = divmod(magnitude, 128)
    return fraction if field == 0 else (128 + fraction) << (field - 1)


def _midpoint(magnitude: int) -> int:
    """Between a magnitude and the next one, in half units."""
    return _multiple(magnitude) + _multiple(magnitude + 1)


def is_nearest(result: int, side: Side) -> bool:
    """Whether a magnitude is the nearest, ties to even, to the exact value."""
    odd = result & 1
    above = result == 0 or side(_midpoint(result - 1)) >= odd
    return above and (result == POS_INF or side(_midpoint(result)) <= -odd)


def _sign(number: int) -> int:
    return (number > 0) - (number < 0)


def reciprocal_side(code: int) -> Side:
    """1 / (m 2**-133) against p 2**-134: 2**267 against m p."""
    multiple = _multiple(code & 0x7FFF)
    return lambda midpoint: _sign((1 << (2 * _UNIT + 1)) - multiple * midpoint)


def sqrt_side(code: int) -> Side:
    """The root of m 2**-133 against p 2**-134, both squared: m 2**135 against p**2."""
    multiple = _multiple(code & 0x7FFF)
    return lambda midpoint: _sign((multiple << (_UNIT + 2)) - midpoint * midpoint)


def exp_side(code: int) -> Side:
    """e**x in outward-rounded interval arithmetic."""
    multiple = _multiple(code & 0x7FFF)  # at most 8 bits and zeros below: exact in binary64
    x = mpmath.ldexp(-multiple if code >> 15 else multiple, -_UNIT)
    interval = _outward.exp(_outward.mpf(x))

    def side(midpoint: int) -> int:
        point = _outward.mpf(mpmath.ldexp(midpoint, -_UNIT - 1))
        return 1 if interval.a > point else -1 if interval.b < point else 0

    return side


def _not_a_number(code: int) -> bool:
    return code & 0x7FFF > POS_INF


def reciprocal_special(code: int) -> int | None:
    """What IEEE 754 says of 1 / a where a is no finite number other than 0."""
    fixed = {0x0000: POS_INF, 0x8000: NEG_INF, POS_INF: 0x0000, NEG_INF: 0x8000}
    return NAN if _not_a_number(code) else fixed.get(code)


def sqrt_special(code: int) -> int | None:
    """What IEEE 754 says of the square root where a is not a positive number."""
    if _not_a_number(code):
        return NAN
    if code in (0x0000, 0x8000, POS_INF):
        return code
    return NAN if code >> 15 else None


def exp_special(code: int) -> int | None:
    """What IEEE 754 says of e**a where a is no number."""
    return NAN if _not_a_number(code) else {POS_INF: POS_INF, NEG_INF: 0x0000}.get(code)


def all_codes(
    exact: Exact,
    special: Callable[[int], int | None],
    signed: bool,
    function: Function,
    files: Files,
) -> Iterator[Enumeration]:
    """Every result is the nearest to the exact one, or the special one that is fixed for its code.

    Args:
        exact: where the function's values lie.
        special: the result where it is fixed, else None.
        signed: whether the result has the operand's sign; else it is positive.
        function: what is to be shown.
        files: not used.
    """
    results = function(arrays(16, np.arange(1 << 16))).value.tolist()
    fixed = {code: owed for code in range(1 << 16) if (owed := special(code)) is not None}
    numbers = [code for code in range(1 << 16) if code not in fixed]

    def of_numbers() -> str | None:
        for code in numbers:
            magnitude, sign = results[code] & 0x7FFF, results[code] & 0x8000
            owed = code & 0x8000 if signed else 0
            if sign != owed or magnitude > POS_INF or not is_nearest(magnitude, exact(code)):
                return f"{describe(code)} gives {describe(results[code])}, not the nearest"
        return None

    def of_specials() -> str | None:
        for code, owed in fixed.items():
            if results[code] != owed:
                got = describe(results[code])
                return f"{describe(code)} gives {got}, expected {describe(owed)}"
        return None

    yield Enumeration("numbers", len(numbers), of_numbers)
    yield Enumeration("zeros, infinities, NaNs", len(fixed), of_specials)


# -- broken on purpose --


def flushed_reciprocal(code: Bits) -> Bits:
    """Broken: a subnormal operand counts as zero."""
    subnormal = code.extract(14, 7).eq(0)
    return arith.reciprocal(mux(subnormal, code & 0x8000, code))


def no_remainder_sqrt(code: Bits) -> Bits:
    """Broken: a root that is not exact leaves no sticky bit behind."""
    truncated = tuple(entry & ~1 for entry in arith._ROOTS)
    with patch.object(arith, "_ROOTS", truncated):
        return arith.sqrt(code)


def coarse_exp(code: Bits) -> Bits:
    """Broken: the power of two is cut off behind 14 bits of its fraction."""
    with patch.object(arith, "_LN2", 0):
        return arith.exp(code)


RECIPROCAL = """reciprocal(a) = 1 / a rounded once to nearest even; for all 65,536 codes.

Decided by integers: 2^267 against the operand times the midpoint. 1 / 0 is the infinity of the
zero's sign and the other way round; NaN gives 0x7FC0. No assumptions."""

SQRT = """sqrt(a) = the root of a rounded once to nearest even; for all 65,536 codes.

Decided by integers: the operand against the squared midpoint. The root of -0 is -0, of +infinity
+infinity, of other negative values and of NaN 0x7FC0. No assumptions."""

EXP = """exp(a) = e^a rounded once to nearest even; for all 65,536 codes.

Decided by mpmath's interval arithmetic, outward-rounded at 80 bits: no interval touches a midpoint.
e^-infinity is +0, e^+infinity +infinity; NaN gives 0x7FC0. Assumes that mpmath's intervals hold."""


THEOREMS = (
    Theorem(
        name="numerics.bf16.reciprocal",
        statement=RECIPROCAL,
        bounds="all 65,536 codes",
        engine="enumeration, integers",
        obligations=partial(all_codes, reciprocal_side, reciprocal_special, True, arith.reciprocal),
        twin=partial(all_codes, reciprocal_side, reciprocal_special, True, flushed_reciprocal),
    ),
    Theorem(
        name="numerics.bf16.sqrt",
        statement=SQRT,
        bounds="all 65,536 codes",
        engine="enumeration, integers",
        obligations=partial(all_codes, sqrt_side, sqrt_special, False, arith.sqrt),
        twin=partial(all_codes, sqrt_side, sqrt_special, False, no_remainder_sqrt),
    ),
    Theorem(
        name="numerics.bf16.exp",
        statement=EXP,
        bounds="all 65,536 codes",
        engine="enumeration, mpmath intervals",
        obligations=partial(all_codes, exp_side, exp_special, False, arith.exp),
        twin=partial(all_codes, exp_side, exp_special, False, coarse_exp),
    ),
)
