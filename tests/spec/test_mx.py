"""MX elements against ml_dtypes, on every element, BF16 code and scale."""

import math

import ml_dtypes
import numpy as np
import pytest
import z3
from hypothesis import given
from hypothesis import strategies as st

from unmask.spec import mx
from unmask.spec.bits import arrays, ints
from unmask.spec.formats import NAN, to_float
from unmask.spec.terms import const
from unmask.tests.strategies import codes, finite

BYTES = np.arange(256)
CODES = np.arange(1 << 16)
SCALES = BYTES.astype(np.uint8).view(ml_dtypes.float8_e8m0fnu).astype(np.float64)
TYPES = {"E4M3": ml_dtypes.float8_e4m3fn, "E5M2": ml_dtypes.float8_e5m2}
# NaNs and overflows go through the casts on purpose.
pytestmark = pytest.mark.filterwarnings("ignore:.*encountered in cast:RuntimeWarning")
formats = pytest.mark.parametrize("form", mx.ELEMENTS, ids=lambda form: form.name)


def element_values(form, elements):
    return np.asarray(elements, np.uint8).view(TYPES[form.name]).astype(np.float64)


def quantised(form, values):
    """The elements nearest to values, finite ones saturated, NaN as the format's one NaN."""
    most = float(ml_dtypes.finfo(TYPES[form.name]).max)
    kept = np.where(np.isfinite(values), np.clip(values, -most, most), values)
    elements = kept.astype(TYPES[form.name])
    return np.where(np.isnan(elements), form.nan, elements.view(np.uint8))


@formats
def test_constants_are_those_of_the_format(form):
    info = ml_dtypes.finfo(TYPES[form.name])
    assert element_values(form, [form.largest])[0] == float(info.max)
    assert form.top == math.floor(math.log2(float(info.max)))
    assert np.isnan(element_values(form, [form.nan])[0])


@formats
def test_dequantise_all_elements_and_scales(form):
    code, scale = BYTES[:, None], BYTES[None, :]
    got, flags = mx.dequantise(arrays(8, code), arrays(8, scale), form)
    exact = element_values(form, code) * SCALES[scale]
    rounded = exact.astype(ml_dtypes.bfloat16)  # no two roundings: elements have 4 bits
    over = np.isfinite(exact) & np.isinf(rounded)
    pattern = np.where(np.isnan(exact), NAN, rounded.view(np.uint16))
    # one below infinity, of either sign, is the largest finite code
    assert np.array_equal(got.value, pattern - over)
    inexact = np.isfinite(exact) & ~over & (rounded.astype(np.float64) != exact)
    assert np.array_equal(flags.value, mx.SATURATED * over + mx.INEXACT * inexact)
    assert over.any() and inexact.any()


@formats
def test_quantise_all_codes_and_scales(form):
    values = to_float(CODES).astype(np.float64)
    for scale in BYTES:
        got = mx.quantise(arrays(16, CODES), arrays(8, [scale]), form).value
        assert np.array_equal(got, quantised(form, values / SCALES[scale])), f"scale {scale}"


@formats
@given(block=st.lists(codes, min_size=1, max_size=32) | st.lists(finite, min_size=1, max_size=32))
def test_a_block(form, block):
    scale, elements = mx.quantise_block([ints(16, code) for code in block], form)
    values = to_float(block).astype(np.float64)
    greatest = np.abs(values[np.isfinite(values)]).max(initial=0)
    wanted = max(0, math.floor(math.log2(greatest)) - form.top + 127) if greatest else 0
    assert scale.as_int() == wanted
    expected = quantised(form, values / SCALES[wanted])
    assert [element.as_int() for element in elements] == expected.tolist()


@formats
def test_blocks_with_nothing_finite_but_zeros_and_with_infinities(form):
    infinity = [form.largest + 1] if form.infinite else [form.nan]
    negative = [infinity[0] | 0x80] if form.infinite else [form.nan]
    for block, scale, expected in (
        ([0x0000, 0x8000], 0, [0x00, 0x80]),
        ([0x7F80, 0xFF80, 0x7F81], 0, [*infinity, *negative, form.nan]),
        ([0x3F80, 0xFF80], 127 - form.top, [form.top + form.bias << form.fraction, *negative]),
    ):
        got, elements = mx.quantise_block([ints(16, code) for code in block], form)
        assert got.as_int() == scale
        assert [element.as_int() for element in elements] == expected


@formats
@given(code=codes, element=st.integers(0, 255), scale=st.integers(0, 255))
def test_the_same_on_every_interpretation(form, code, element, scale):
    result, flags = mx.dequantise(ints(8, element), ints(8, scale), form)
    expected = [result.as_int(), flags.as_int()]
    on_arrays = mx.dequantise(arrays(8, [element]), arrays(8, [scale]), form)
    assert [int(part.value[0]) for part in on_arrays] == expected
    on_terms = mx.dequantise(const(8, element), const(8, scale), form)
    assert [z3.simplify(part.value).as_long() for part in on_terms] == expected

    made = mx.quantise(ints(16, code), ints(8, scale), form).as_int()
    assert mx.quantise(arrays(16, [code]), arrays(8, [scale]), form).value.tolist() == [made]
    term = mx.quantise(const(16, code), const(8, scale), form).value
    assert z3.simplify(term).as_long() == made
    key = mx.scale_key(ints(16, code))
    shared = mx.shared_scale([key], form).as_int()
    term = mx.shared_scale([mx.scale_key(const(16, code))], form).value
    assert z3.simplify(term).as_long() == shared
