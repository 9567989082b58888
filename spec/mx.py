"""OCP Microscaling (MX) v1.0: blocks of 8-bit elements under one power of two, to and from BF16.

An element's value is its own times 2**(scale - 127); the scale is an E8M0 code, 0xFF is NaN.

What the standard leaves open, and is decided here:
  * to BF16: exact where BF16 has the value; nearest even among its subnormals; a value too large
    becomes the largest finite one, and a flag says so;
  * the scale of a block comes from its finite elements alone. Where none has an exponent to give
    (all zero or subnormal, infinite, NaN) it is 0, which the clamp gives anyway;
  * a NaN becomes the element format's one NaN; an infinity stays one in E5M2 and becomes NaN in
    E4M3, which has none. Only finite values saturate: a banned token (-infinity) must not turn
    into an ordinary number without a trace.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

from unmask.spec.arith import BF16, OFFSET, normalise, round_magnitude, unpack
from unmask.spec.bits import Bits, concat, mux

SCALE_NAN = 0xFF
BF16_LARGEST = 0x7F7F
SATURATED, INEXACT = 1, 2  # flags of `dequantise`
_WIDTH = 10  # of significands inside: the least that `round_magnitude` takes


@dataclass(frozen=True)
class Element:
    """An 8-bit floating-point format: a sign, 7 bits of magnitude.

    Attributes:
        name: as in the standard.
        fraction: fraction bits; the others are the exponent's.
        bias: exponent bias.
        largest: magnitude of the largest finite value; specials lie above.
        nan: the code that stands for NaN.
        infinite: whether the magnitude after the largest is infinity.
        top: exponent of the largest finite value, `emax` in the standard.
    """

    name: str
    fraction: int
    bias: int
    largest: int
    nan: int
    infinite: bool
    top: int


E4M3 = Element("E4M3", fraction=3, bias=7, largest=0x7E, nan=0x7F, infinite=False, top=8)
E5M2 = Element("E5M2", fraction=2, bias=15, largest=0x7B, nan=0x7E, infinite=True, top=15)
ELEMENTS = (E4M3, E5M2)


def dequantise(code: Bits, scale: Bits, form: Element) -> tuple[Bits, Bits]:
    """One element as BF16.

    Args:
        code: the element, width 8.
        scale: E8M0, width 8.
        form: the element's format.

    Returns:
        The BF16 code, and flags of width 2: `SATURATED` where the value was too large,
        `INEXACT` where it was rounded; never both, and neither for infinities and NaNs.
    """
    sign, magnitude = code.extract(7, 7), code.extract(6, 0)
    field = magnitude.extract(6, form.fraction)
    normal = field.ne(0)
    significand = concat(normal, magnitude.extract(form.fraction - 1, 0))
    # The two biases meet in the exponent: field - bias + scale - 127, and 127 for BF16.
    lowest = (field | (~normal).zext(field.width)).zext(_WIDTH)
    exponent = lowest + scale.zext(_WIDTH) + (OFFSET - form.bias)
    exponent, significand = normalise(exponent, significand)
    wide = significand.zext(_WIDTH) << (_WIDTH - significand.width)
    rounded, inexact = round_magnitude(exponent, wide, BF16.fraction)

    over = rounded.const(rounded.width, BF16_LARGEST).ult(rounded)
    finite = mux(over, rounded.const(15, BF16_LARGEST), rounded.extract(14, 0))
    special = magnitude.const(7, form.largest).ult(magnitude)
    is_nan = special | scale.eq(SCALE_NAN)
    if form.infinite:
        infinite = magnitude.eq(form.largest + 1)
        finite = mux(infinite, finite.const(15, BF16.infinity), finite)
        is_nan = (special & ~infinite) | scale.eq(SCALE_NAN)
    result = mux(is_nan, code.const(16, BF16.nan), concat(sign, finite))
    flags = concat(inexact, over)
    return result, mux(special | is_nan, flags.const(2, 0), flags)


def scale_key(code: Bits) -> Bits:
    """What one BF16 element says about its block's scale: its exponent field, 0 if not finite.

    The greatest of them is floor(log2(max |x|)) + 127, or 0 where that is lower than any scale.
    """
    field = code.extract(14, 7)
    return mux(field.eq(0xFF), field.const(8, 0), field)


def shared_scale(keys: Sequence[Bits], form: Element) -> Bits:
    """The E8M0 scale of a block by its elements' keys: floor(log2(max |x|)) - emax, at least 0.

    The greatest element then lies in the element format's top binade, where it may still saturate;
    no key comes near the upper end of E8M0.
    """
    greatest = reduce(lambda a, b: mux(a.ult(b), b, a), keys)
    return mux(greatest.ult(form.top), greatest.const(8, 0), greatest - form.top)


def quantise(code: Bits, scale: Bits, form: Element) -> Bits:
    """One BF16 element over its scale, to nearest even; finite values saturate. NaN for scale NaN.

    Args:
        code: BF16, width 16.
        scale: E8M0, width 8; any, not only the one that `shared_scale` gives.
        form: the element's format.

    Returns:
        The element, width 8.
    """
    parts = unpack(code, BF16)
    exponent = parts.exponent + (OFFSET + form.bias) - scale.zext(_WIDTH)
    exponent, significand = normalise(exponent, parts.significand)
    wide = significand.zext(_WIDTH) << (_WIDTH - significand.width)
    rounded, _ = round_magnitude(exponent, wide, form.fraction)
    magnitude = mux(rounded.ult(form.largest), rounded, form.largest).extract(6, 0)
    infinity = parts.magnitude.const(15, BF16.infinity)
    is_nan = infinity.ult(parts.magnitude)
    infinite = infinity.eq(parts.magnitude)
    if form.infinite:
        magnitude = mux(infinite, magnitude.const(7, form.largest + 1), magnitude)
    else:
        is_nan = is_nan | infinite
    nan = code.const(8, form.nan)
    return mux(is_nan | scale.eq(SCALE_NAN), nan, concat(parts.sign, magnitude))


def quantise_block(codes: Sequence[Bits], form: Element) -> tuple[Bits, list[Bits]]:
    """A block of BF16 codes as its shared scale and elements."""
    scale = shared_scale([scale_key(code) for code in codes], form)
    return scale, [quantise(code, scale, form) for code in codes]
