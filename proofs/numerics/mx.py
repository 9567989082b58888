"""MX elements to and from BF16, against exact values made from the formats' definition."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from inspect import getdoc
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmask.proofs.engine.obligation import Enumeration, Files, Theorem
from unmask.proofs.numerics.bf16_unary import is_nearest
from unmask.spec import mx
from unmask.spec.bits import Bits, arrays, mux
from unmask.spec.formats import NAN, NEG_INF, POS_INF, describe

Dequantise = Callable[[Bits, Bits, mx.Element], tuple[Bits, Bits]]
Quantise = Callable[[Bits, Bits, mx.Element], Bits]
SharedScale = Callable[[list[Bits], mx.Element], Bits]

_BYTES = np.arange(256)
_CODES = np.arange(1 << 16)
_LOWEST = 160  # exact values are whole multiples of 2**-_LOWEST
_LARGEST = 255 << 120 + _LOWEST  # of BF16


def _multiple(magnitude: int, fraction: int) -> int:
    """A magnitude's value in units of its format's smallest subnormal."""
    field, low = divmod(magnitude, 1 << fraction)
    return low if field == 0 else ((1 << fraction) + low) << (field - 1)


def _smallest(form: mx.Element) -> int:
    """The power of two that the element format's smallest subnormal is."""
    return 1 - form.bias - form.fraction


def dequantised(dequantise: Dequantise, files: Files) -> Iterator[Enumeration]:
    """dequantise(element, scale) = element * 2^(scale - 127) as BF16; all 65,536 pairs, 2 formats.

    Where the exact value, an integer multiple of 2^-160, is beyond the largest finite BF16 it is
    that one, with the flag for saturation; else the nearest, ties to even, with the flag for
    inexact exactly where it differs. Scale 0xFF and element NaN give 0x7FC0, E5M2 infinities
    infinities, all without flags. No assumptions.
    """
    for form in mx.ELEMENTS:
        pairs = arrays(8, _BYTES[:, None]), arrays(8, _BYTES[None, :])
        results, flags = (
            np.broadcast_to(part.value, (256, 256)).tolist() for part in dequantise(*pairs, form)
        )

        def failing(form: mx.Element = form, results: Any = results, flags: Any = flags) -> Any:
            for element in range(256):
                for scale in range(256):
                    got = results[element][scale], flags[element][scale]
                    if not _dequantised_right(element, scale, form, *got):
                        given = f"element {element:02x}, scale {scale:02x}"
                        return f"{given}: got {describe(got[0])}, flags {got[1]}"
            return None

        yield Enumeration(form.name, 1 << 16, failing)


def _dequantised_right(element: int, scale: int, form: mx.Element, code: int, flags: int) -> bool:
    magnitude, negative = element & 0x7F, element >> 7
    if scale == mx.SCALE_NAN or (magnitude > form.largest and not _is_infinity(magnitude, form)):
        return (code, flags) == (NAN, 0)
    if magnitude > form.largest:
        return (code, flags) == (NEG_INF if negative else POS_INF, 0)
    if code >> 15 != negative:
        return False
    exact = _multiple(magnitude, form.fraction) << _smallest(form) + scale - 127 + _LOWEST
    result = code & 0x7FFF
    if exact > _LARGEST:
        return (result, flags) == (mx.BF16_LARGEST, mx.SATURATED)
    differs = _multiple(result, 7) << _LOWEST - 133 != exact

    def side(midpoint: int) -> int:
        point = midpoint << _LOWEST - 134
        return (exact > point) - (exact < point)

    return is_nearest(result, side) and flags == mx.INEXACT * differs


def _is_infinity(magnitude: int, form: mx.Element) -> bool:
    return form.infinite and magnitude == form.largest + 1


def quantised(quantise: Quantise, files: Files) -> Iterator[Enumeration]:
    """quantise(a, scale) = the element nearest to a / 2^(scale - 127); all codes and scales.

    Ties to even; beyond the largest finite element it is that one. NaN, and scale 0xFF, give the
    format's one NaN; infinities are kept in E5M2, and NaN in E4M3. The quotient and the midpoints
    between elements have at most 8 bits, so they are exact in the host's binary64. Assumes that the
    host compares those, and multiplies them by powers of two, as IEEE 754 says.
    """
    for form in mx.ELEMENTS:
        yield Enumeration(form.name, 1 << 24, partial(_quantise_failing, quantise, form))


def _quantise_failing(quantise: Quantise, form: mx.Element) -> str | None:
    magnitude, negative = _CODES & 0x7FFF, _CODES >> 15
    multiples = np.array([_multiple(int(m), 7) for m in range(POS_INF)], dtype=object)
    values = np.ldexp(multiples.astype(np.float64), -133)
    values = values[np.minimum(magnitude, POS_INF - 1)]
    finite, infinite = magnitude < POS_INF, magnitude == POS_INF
    of_infinity = form.largest + 1 + 128 * negative if form.infinite else form.nan
    special = np.where(infinite, of_infinity, form.nan)
    low, high = _intervals(form)
    for scale in range(256):
        got = quantise(arrays(16, _CODES), arrays(8, [scale]), form).value
        if scale == mx.SCALE_NAN:
            good = got == form.nan
        else:
            exact, element = np.ldexp(values, 127 - scale), got & 0x7F
            even = element & 1 == 0
            inside = (low[element] < exact) & (exact < high[element])
            on_border = even & ((low[element] == exact) | (exact == high[element]))
            right = (inside | on_border) & (got >> 7 == negative)
            good = np.where(finite, right, got == special)
        if not good.all():
            code = int(_CODES[~good][0])
            return f"{describe(code)}, scale {scale:02x}: got {int(got[code]):02x}"
    return None


def _intervals(form: mx.Element) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Between which midpoints values round to each magnitude; NaN for those that none rounds to."""
    units = [_multiple(magnitude, form.fraction) for magnitude in range(form.largest + 1)]
    values = np.ldexp(np.array(units, np.float64), _smallest(form))
    middles = (values[:-1] + values[1:]) / 2
    low, high = np.full(128, np.nan), np.full(128, np.nan)
    low[: form.largest + 1] = [-np.inf, *middles]
    high[: form.largest + 1] = [*middles, np.inf]
    return low, high


def round_trip(quantise: Quantise, files: Files) -> Iterator[Enumeration]:
    """quantise(dequantise(e, s), s) = e wherever BF16 holds e * 2^(s - 127); 2 x 65,536 pairs.

    That is where dequantise raises no flag. All NaNs come back as the format's one. No assumptions.
    """
    for form in mx.ELEMENTS:

        def failing(form: mx.Element = form) -> str | None:
            element, scale = (np.ravel(x) for x in np.meshgrid(_BYTES, _BYTES))
            code, flags = mx.dequantise(arrays(8, element), arrays(8, scale), form)
            back = quantise(code, arrays(8, scale), form).value
            owed = np.where(code.value == NAN, form.nan, element)
            wrong = np.flatnonzero((flags.value == 0) & (back != owed))
            if not wrong.size:
                return None
            at = wrong[0]
            return f"element {element[at]:02x}, scale {scale[at]:02x}: back {back[at]:02x}"

        yield Enumeration(form.name, 1 << 16, failing)


def scales(shared_scale: SharedScale, files: Files) -> Iterator[Enumeration]:
    """shared_scale = floor(log2(max |x|)) - emax + 127, at least 0, over a block's finite elements.

    For all 65,536 codes as a block of one, from exact integers; and for all pairs of keys it is the
    greater of their scales, so that any block follows by induction. No assumptions.
    """
    for form in mx.ELEMENTS:

        def of_one(form: mx.Element = form) -> str | None:
            got = shared_scale([mx.scale_key(arrays(16, _CODES))], form).value
            for code in range(1 << 16):
                magnitude = code & 0x7FFF
                multiple = _multiple(magnitude, 7) if magnitude < POS_INF else 0
                # floor(log2) of 0 stands for anything below the clamp
                owed = max(0, multiple.bit_length() - 1 - 133 - form.top + 127)
                if got[code] != owed:
                    return f"{describe(code)}: got {got[code]}, expected {owed}"
            return None

        def of_two(form: mx.Element = form) -> str | None:
            a, b = arrays(8, _BYTES[:, None]), arrays(8, _BYTES[None, :])
            got = shared_scale([a, b], form).value
            alone = [shared_scale([key], form).value for key in (a, b)]
            wrong = np.argwhere(got != np.maximum(*alone))
            return f"keys {wrong[0].tolist()}" if wrong.size else None

        yield Enumeration(f"{form.name}, one element", 1 << 16, of_one)
        yield Enumeration(f"{form.name}, two keys", 1 << 16, of_two)


# -- broken on purpose --


def ieee_dequantise(code: Bits, scale: Bits, form: mx.Element) -> tuple[Bits, Bits]:
    """Broken: E4M3 read with the infinities and NaNs that an IEEE format would have."""
    if form is mx.E4M3:
        form = replace(form, largest=0x77, infinite=True)
    return mx.dequantise(code, scale, form)


def overflowing_quantise(code: Bits, scale: Bits, form: mx.Element) -> Bits:
    """Broken: large values run into the codes behind the largest finite one."""
    return mx.quantise(code, scale, replace(form, largest=form.nan, infinite=False))


def flushed_quantise(code: Bits, scale: Bits, form: mx.Element) -> Bits:
    """Broken: subnormal elements become zero."""
    element = mx.quantise(code, scale, form)
    return mux(element.extract(6, form.fraction).eq(0), element & 0x80, element)


def unclamped_scale(keys: list[Bits], form: mx.Element) -> Bits:
    """Broken: a block of tiny values gets a scale that wraps around."""
    greatest = mx.shared_scale(keys, replace(form, top=0))
    return greatest - form.top


def _theorem(name: str, bounds: str, cases: Any, ours: Any, broken: Any) -> Theorem:
    return Theorem(
        name=f"numerics.mx.{name}",
        statement=getdoc(cases) or "",
        bounds=bounds,
        engine="enumeration",
        obligations=partial(cases, ours),
        twin=partial(cases, broken),
    )


THEOREMS = (
    _theorem("dequantise", "all elements and scales", dequantised, mx.dequantise, ieee_dequantise),
    _theorem("quantise", "all codes and scales", quantised, mx.quantise, overflowing_quantise),
    _theorem("round_trip", "all elements and scales", round_trip, mx.quantise, flushed_quantise),
    _theorem("scale", "any block", scales, mx.shared_scale, unclamped_scale),
)
