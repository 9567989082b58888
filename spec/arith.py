"""BF16 and FP32 arithmetic on bit patterns: IEEE 754, round to nearest even, subnormals kept.

Every result is the exact one, rounded once. One quiet NaN (0x7FC0, in FP32 0x7FC00000) is what any
operation gives that makes or takes a NaN. An operation is three steps:

    unpack       sign, exponent, significand; specials are told from the code
    the core     on integers, exact but for a sticky lowest bit
    round_pack   to the format, subnormals and overflow included

A sticky bit is 1 if anything that is not 0 lies below it. Rounding to nearest needs no more than
the kept bits, the next one (guard) and one sticky bit, so all that a shift, a division or a root
leaves over may be squeezed into one bit.

Inside, an exponent is the IEEE exponent field plus `OFFSET` in 10 bits: no operation here makes it
negative or too large, so unsigned numbers do, and what is at most `OFFSET` is subnormal.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, localcontext
from functools import reduce
from math import isqrt
from typing import NamedTuple

from unmask.spec.bits import Bits, concat, lut, mux
from unmask.spec.formats import order_key

OFFSET = 256
EXPONENT_WIDTH = 10
BIAS = 127
_NAN_KEY = 0xFFFF


@dataclass(frozen=True)
class Format:
    """An IEEE format with 8 exponent bits (bias 127) and `fraction` fraction bits."""

    fraction: int

    @property
    def width(self) -> int:
        return 9 + self.fraction

    @property
    def infinity(self) -> int:
        """The code of +infinity; a magnitude (a code without its sign) above it is a NaN."""
        return 0xFF << self.fraction

    @property
    def nan(self) -> int:
        return self.infinity | 1 << (self.fraction - 1)


BF16 = Format(7)
FP32 = Format(23)


class Unpacked(NamedTuple):
    """A code's parts.

    Attributes:
        sign: width 1.
        magnitude: the code without its sign.
        exponent: exponent field, 1 for subnormals (what a field of 0 stands for); width 10.
        significand: fraction under the hidden bit; width fraction + 1, not normalised.
    """

    sign: Bits
    magnitude: Bits
    exponent: Bits
    significand: Bits


def unpack(code: Bits, form: Format) -> Unpacked:
    """The parts of a code; those of a special value mean nothing but their magnitude."""
    magnitude = code.extract(form.width - 2, 0)
    field = magnitude.extract(form.fraction + 7, form.fraction)
    normal = field.ne(0)
    return Unpacked(
        code.extract(form.width - 1, form.width - 1),
        magnitude,
        (field | (~normal).zext(8)).zext(EXPONENT_WIDTH),
        concat(normal, magnitude.extract(form.fraction - 1, 0)),
    )


def normalise(exponent: Bits, significand: Bits) -> tuple[Bits, Bits]:
    """The same value with the significand's top bit set; exponent and significand 0 for zero.

    A logarithmic shifter that counts leading zeros as it goes: a step of 2**n is taken where the
    upper 2**n bits are blank, and the steps taken are the binary digits of the count.
    """
    width, blanks = significand.width, []
    step = 1 << ((width - 1).bit_length() - 1)
    while step:
        blank = significand.extract(width - 1, width - step).eq(0)
        significand = mux(blank, significand << step, significand)
        blanks.append(blank)
        step >>= 1
    left = exponent - reduce(concat, blanks).zext(EXPONENT_WIDTH)
    return mux(significand.extract(width - 1, width - 1), left, 0), significand


def shift_sticky(value: Bits, amount: Bits) -> Bits:
    """`value >> amount` with the lowest bit sticky; any amount that the width of `value` holds."""
    kept = value >> amount
    return kept | (kept << amount).ne(value).zext(value.width)


def round_magnitude(exponent: Bits, significand: Bits, fraction: int) -> tuple[Bits, Bits]:
    """A magnitude rounded to nearest even, and whether it was inexact.

    Args:
        exponent: of the significand's top bit, with `OFFSET`, in the bias of the result.
        significand: normalised or 0; at least 10 and fraction + 3 bits, the lowest may be sticky.
        fraction: fraction bits of the result.

    Returns:
        Exponent field and fraction in `fraction` + 10 bits: beyond the largest finite value the
        codes just go on, so a caller compares, and takes infinity or the largest. And a flag.
    """
    width = significand.width
    subnormal = exponent.ule(OFFSET)
    amount = mux(subnormal, exponent.const(EXPONENT_WIDTH, OFFSET + 1) - exponent, 0)
    aligned = shift_sticky(significand, amount.zext(width))
    kept = aligned.extract(width - 1, width - 1 - fraction)
    guard = aligned.extract(width - 2 - fraction, width - 2 - fraction)
    sticky = aligned.extract(width - 3 - fraction, 0).ne(0)
    up = guard & (sticky | kept.extract(0, 0))
    # The hidden bit adds 1 to the field below it, and a carry from rounding steps it on, be it
    # from subnormal to normal or to infinity.
    below = mux(subnormal, exponent.const(EXPONENT_WIDTH, 0), exponent - (OFFSET + 1))
    wide = fraction + EXPONENT_WIDTH
    return (below.zext(wide) << fraction) + kept.zext(wide) + up.zext(wide), guard | sticky


def round_pack(sign: Bits, exponent: Bits, significand: Bits, form: Format) -> Bits:
    """The code nearest to a value as `round_magnitude` takes it; infinity where it overflows."""
    magnitude, _ = round_magnitude(exponent, significand, form.fraction)
    magnitude = mux(magnitude.ult(form.infinity), magnitude, form.infinity)
    return concat(sign, magnitude.extract(form.width - 2, 0))


# -- two operands --


def _add(a: Bits, b: Bits, form: Format) -> Bits:
    low = form.width - 2
    swap = a.extract(low, 0).ult(b.extract(low, 0))
    large, small = unpack(mux(swap, b, a), form), unpack(mux(swap, a, b), form)
    # One bit above for the carry; guard, round and sticky below. A difference that cancels more
    # than one leading bit comes from exponents at most 1 apart, and then nothing was shifted out.
    width = form.fraction + 5
    upper = large.significand.zext(width) << 3
    distance = (large.exponent - small.exponent).zext(width)
    lower = shift_sticky(small.significand.zext(width) << 3, distance)
    differ = large.sign ^ small.sign
    total = mux(differ, upper - lower, upper + lower)
    # x - x is +0; -0 comes from -0 and -0 alone.
    sign = large.sign & (small.sign | total.ne(0))
    result = round_pack(sign, *normalise(large.exponent + (OFFSET + 1), total), form)
    # Infinities and NaNs have the greatest magnitudes, so to look at the larger is enough.
    infinite = large.magnitude.eq(form.infinity)
    invalid = infinite & small.magnitude.eq(form.infinity) & differ
    is_nan = large.magnitude.const(low + 1, form.infinity).ult(large.magnitude) | invalid
    result = mux(infinite, concat(large.sign, large.magnitude), result)
    return mux(is_nan, result.const(form.width, form.nan), result)


def add(a: Bits, b: Bits) -> Bits:
    """a + b on BF16 codes."""
    return _add(a, b, BF16)


def sub(a: Bits, b: Bits) -> Bits:
    """a - b on BF16 codes."""
    return _add(a, b ^ 0x8000, BF16)


def add32(a: Bits, b: Bits) -> Bits:
    """a + b on FP32 codes."""
    return _add(a, b, FP32)


def mul(a: Bits, b: Bits) -> Bits:
    """a * b on BF16 codes."""
    x, y = unpack(a, BF16), unpack(b, BF16)
    product = x.significand.zext(16) * y.significand.zext(16)  # exact; 1.0 is 2**14
    exponent = x.exponent + y.exponent + (OFFSET - BIAS + 1)
    sign = x.sign ^ y.sign
    result = round_pack(sign, *normalise(exponent, product), BF16)
    infinity = x.magnitude.const(15, BF16.infinity)
    infinite = infinity.eq(x.magnitude) | infinity.eq(y.magnitude)
    zero = x.magnitude.eq(0) | y.magnitude.eq(0)
    is_nan = infinity.ult(x.magnitude) | infinity.ult(y.magnitude) | (infinite & zero)
    result = mux(infinite, concat(sign, infinity), result)
    return mux(is_nan, result.const(16, BF16.nan), result)


def maximum(a: Bits, b: Bits) -> Bits:
    """The greater of two BF16 codes, of equals (-0 and +0) the first; NaN if either is one."""
    key_a, key_b = order_key(a), order_key(b)
    second = key_a.ult(key_b)
    is_nan = mux(second, key_b, key_a).eq(_NAN_KEY)
    return mux(is_nan, a.const(16, BF16.nan), mux(second, b, a))


# -- comparisons: width 1; NaN is unordered, so only `not_equal` holds for it --


def less(a: Bits, b: Bits) -> Bits:
    """a < b. The keys order NaN above all, so that the upper operand alone can spoil it."""
    upper = order_key(b)
    return order_key(a).ult(upper) & upper.ne(_NAN_KEY)


def less_equal(a: Bits, b: Bits) -> Bits:
    """a <= b."""
    upper = order_key(b)
    return order_key(a).ule(upper) & upper.ne(_NAN_KEY)


def equal(a: Bits, b: Bits) -> Bits:
    """a == b; -0 equals +0."""
    key = order_key(b)
    return order_key(a).eq(key) & key.ne(_NAN_KEY)


def not_equal(a: Bits, b: Bits) -> Bits:
    """a != b."""
    return ~equal(a, b)


def greater(a: Bits, b: Bits) -> Bits:
    """a > b."""
    return less(b, a)


def greater_equal(a: Bits, b: Bits) -> Bits:
    """a >= b."""
    return less_equal(b, a)


# -- one operand --


def widen(code: Bits) -> Bits:
    """A BF16 code as the FP32 code of the same value: 16 zeros below it; NaNs keep their bits."""
    return concat(code, code.const(16, 0))


def round32(code: Bits) -> Bits:
    """An FP32 code rounded to the nearest BF16."""
    magnitude = code.extract(30, 0)
    # Adding half a unit less one, and one more where the kept part is odd, carries into the kept
    # part exactly where rounding to nearest even goes up; subnormals are no special case.
    odd = code.extract(16, 16).zext(31)
    rounded = (magnitude + odd + 0x7FFF).extract(30, 16)
    is_nan = code.const(31, FP32.infinity).ult(magnitude)
    return mux(is_nan, code.const(16, BF16.nan), concat(code.extract(31, 31), rounded))


def _sticky_bits(numerator: int, denominator: int) -> int:
    """A quotient with a sticky bit below it."""
    quotient, left = divmod(numerator, denominator)
    return quotient << 1 | (left > 0)


# 1 / 1.f and the roots of 1.f and 2 * 1.f for every fraction f, in 12 bits with sticky lowest:
# 1.0 is 2**11.
_TABLE_WIDTH = 12
_RECIPROCALS = tuple(_sticky_bits(1 << 17, 128 + f) for f in range(128))


def _root(radicand: int) -> int:
    root = isqrt(radicand)
    return root << 1 | (root * root < radicand)


_ROOTS = tuple(_root((128 + f) << scale) for scale in (13, 14) for f in range(128))


def _normalised(parts: Unpacked) -> tuple[Bits, Bits]:
    """Exponent with `OFFSET`, and fraction (width 7), of a finite value that is not 0."""
    exponent, significand = normalise(parts.exponent + OFFSET, parts.significand)
    return exponent, significand.extract(6, 0)


def reciprocal(code: Bits) -> Bits:
    """1 / a on BF16 codes; of a zero the infinity of its sign, and the other way round."""
    parts = unpack(code, BF16)
    exponent, fraction = _normalised(parts)
    inverse = lut(_RECIPROCALS, _TABLE_WIDTH, fraction)
    # 1 / 1.f is 1.0 or, one step of normalisation lower, just below it.
    negated = exponent.const(EXPONENT_WIDTH, 2 * (OFFSET + BIAS)) - exponent
    result = round_pack(parts.sign, *normalise(negated, inverse), BF16)
    infinity = result.const(15, BF16.infinity)
    special = mux(parts.magnitude.eq(0), infinity, 0)
    exact = parts.magnitude.eq(0) | parts.magnitude.eq(BF16.infinity)
    result = mux(exact, concat(parts.sign, special), result)
    return mux(infinity.ult(parts.magnitude), result.const(16, BF16.nan), result)


def sqrt(code: Bits) -> Bits:
    """The square root on BF16 codes; of -0 it is -0, of other negative values NaN."""
    parts = unpack(code, BF16)
    exponent, fraction = _normalised(parts)
    # An odd power of two leaves one factor of two under the root. OFFSET + BIAS is odd.
    odd = ~exponent.extract(0, 0)
    root = lut(_ROOTS, _TABLE_WIDTH, concat(odd, fraction))
    halved = (exponent + (OFFSET + BIAS)) >> 1
    result = round_pack(parts.sign, halved, root, BF16)
    unchanged = parts.magnitude.eq(0) | code.eq(BF16.infinity)
    infinity = result.const(15, BF16.infinity)
    invalid = infinity.ult(parts.magnitude) | (parts.sign & parts.magnitude.ne(0))
    return mux(invalid, result.const(16, BF16.nan), mux(unchanged, code, result))


# e**x = 2**(x log2 e): the integer part of that power is the exponent. The fraction, 23 bits, is
# taken apart in 7 + 7 + 9: 2**(i + j + r) = 2**i * (1 + (2**j - 1) + r ln 2), where 2**i and
# 2**j - 1 stand in tables. What that leaves out is below 2**-22, and e**x comes as close as 2**-24
# to a midpoint of two codes: widths this small, for which all 65,536 results are the nearest, were
# found by search, and proofs/numerics checks every one of them.
_X_POINT, _LOG2E_POINT, _POWER_POINT, _UPPER_POINT, _LN2_POINT = 16, 25, 23, 18, 8


def _nearest(value: Decimal, point: int) -> int:
    return int((value * (1 << point)).to_integral_value())


with localcontext(prec=40):
    _LN2_EXACT = Decimal(2).ln()
    _LOG2E, _LN2 = _nearest(1 / _LN2_EXACT, _LOG2E_POINT), _nearest(_LN2_EXACT, _LN2_POINT)
    _UPPER = tuple(_nearest(Decimal(2) ** (Decimal(i) / 128), _UPPER_POINT) for i in range(128))
    # Each entry with the product that is left out, for the middle of its interval of r.
    _MIDDLE = 1 + _LN2_EXACT / (1 << 15)
    _LOWER = tuple(
        _nearest((Decimal(2) ** (Decimal(j) / (1 << 14)) - 1) * _MIDDLE, _POWER_POINT)
        for j in range(128)
    )


def exp(code: Bits) -> Bits:
    """e**a on BF16 codes: +0 for -infinity and all that rounds to it."""
    parts = unpack(code, BF16)
    # |x| in units of 2**-16, 23 bits. Bits are lost only below 2**-9, where e**x rounds to 1;
    # from 128 on, e**x overflows or vanishes just as it does at the largest number of 23 bits.
    top = parts.exponent.const(EXPONENT_WIDTH, BIAS + 6)
    distance = (top - parts.exponent).zext(23)
    size = mux(
        top.ult(parts.exponent),
        distance.const(23, (1 << 23) - 1),
        (parts.significand.zext(23) << 15) >> distance,
    )
    product = size.zext(49) * _LOG2E
    power = product.extract(48, _X_POINT + _LOG2E_POINT - _POWER_POINT).zext(33)
    zero = power.const(33, (OFFSET + BIAS) << _POWER_POINT)
    total = mux(parts.sign, zero - power, zero + power)
    upper = lut(_UPPER, 19, total.extract(22, 16))
    lower = lut(_LOWER, 17, total.extract(15, 9))
    lower = lower + ((total.extract(8, 0).zext(17) * _LN2) >> _LN2_POINT)
    scaled = upper.zext(36) * lower.zext(36)
    value = upper + (scaled >> _POWER_POINT).extract(18, 0)
    # Never exact but for e**0, and there a sticky bit changes nothing.
    significand = concat(value, value.const(1, 1))
    positive = parts.sign.const(1, 0)
    result = round_pack(positive, total.extract(32, _POWER_POINT), significand, BF16)
    is_nan = parts.magnitude.const(15, BF16.infinity).ult(parts.magnitude)
    return mux(is_nan, result.const(16, BF16.nan), result)
