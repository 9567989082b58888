"""Arithmetic against ml_dtypes, numpy's float32 and mpmath: every code, or a dense set of pairs."""

import operator

import ml_dtypes
import mpmath
import numpy as np
import pytest
import z3
from hypothesis import given, settings
from hypothesis import strategies as st

from unmask.spec import arith
from unmask.spec.bits import arrays, ints
from unmask.spec.formats import NAN, POS_INF, from_float, to_float
from unmask.spec.terms import const
from unmask.tests.strategies import SPECIAL_CODES, codes

ALL = np.arange(1 << 16)
NAN32 = 0x7FC00000
# Both signs, every exponent, the fractions at which carries and ties happen; then the specials.
DENSE = np.unique([*((high << 7) | low for high in range(512) for low in (0, 1, 127)),
                   *SPECIAL_CODES])  # fmt: skip
OPERATIONS = {
    "add": (arith.add, operator.add),
    "sub": (arith.sub, operator.sub),
    "mul": (arith.mul, operator.mul),
}
COMPARISONS = {
    "equal": (arith.equal, operator.eq),
    "not_equal": (arith.not_equal, operator.ne),
    "less": (arith.less, operator.lt),
    "less_equal": (arith.less_equal, operator.le),
    "greater": (arith.greater, operator.gt),
    "greater_equal": (arith.greater_equal, operator.ge),
}
UNARY = {
    "reciprocal": (arith.reciprocal, lambda x: 1 / x),
    "sqrt": (arith.sqrt, mpmath.sqrt),
    "exp": (arith.exp, mpmath.exp),
}
BINARY = {**OPERATIONS, **COMPARISONS, "maximum": (arith.maximum, None)}


def bfloat(patterns):
    return np.asarray(patterns, np.uint16).view(ml_dtypes.bfloat16)


def patterns(values):
    """The codes of bfloat16 values, all NaNs as the one that arithmetic gives."""
    found = np.asarray(values, ml_dtypes.bfloat16).view(np.uint16)
    return np.where(np.isnan(to_float(found)), NAN, found)


def nearest(value):
    """The code nearest to a positive value, by exact arithmetic of mpmath; ties to even."""
    unit = max(mpmath.frexp(value)[1] - 8, -133)
    return min(int(mpmath.nint(mpmath.ldexp(value, -unit))) + ((unit + 133) << 7), POS_INF)


pairs = st.lists(st.tuples(codes, codes), min_size=20, max_size=60)
# pairs of one magnitude and pairs a few exponents apart: cancellation, and rounding of both kinds
near = st.tuples(codes, st.integers(-1200, 1200), st.booleans()).map(
    lambda p: (p[0], (p[0] + p[1]) % 0x8000 | p[2] << 15)
)


@pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")
@pytest.mark.parametrize("name", OPERATIONS)
def test_operations_on_dense_pairs(name):
    ours, theirs = OPERATIONS[name]
    a, b = DENSE[:, None], DENSE[None, :]
    got = ours(arrays(16, a), arrays(16, b)).value
    assert np.array_equal(got, patterns(theirs(bfloat(a), bfloat(b))))


@pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")
@pytest.mark.parametrize("name", OPERATIONS)
@given(drawn=pairs | st.lists(near, min_size=20, max_size=60))
def test_operations_on_drawn_pairs(name, drawn):
    ours, theirs = OPERATIONS[name]
    a, b = np.array(drawn).T
    expected = patterns(theirs(bfloat(a), bfloat(b)))
    assert np.array_equal(ours(arrays(16, a), arrays(16, b)).value, expected)


@pytest.mark.parametrize("name", COMPARISONS)
def test_comparisons_on_dense_pairs(name):
    ours, theirs = COMPARISONS[name]
    a, b = DENSE[:, None], DENSE[None, :]
    got = ours(arrays(16, a), arrays(16, b))
    assert got.width == 1
    assert np.array_equal(got.value, theirs(to_float(a), to_float(b)))


def test_maximum_on_dense_pairs():
    a, b = np.broadcast_arrays(DENSE[:, None], DENSE[None, :])
    x, y = to_float(a), to_float(b)
    expected = np.where(np.isnan(x) | np.isnan(y), NAN, np.where(x < y, b, a))
    assert np.array_equal(arith.maximum(arrays(16, a), arrays(16, b)).value, expected)


@pytest.mark.parametrize("name", UNARY)
def test_functions_of_one_operand_on_all_codes(name):
    ours, theirs = UNARY[name]
    values = to_float(ALL)
    got = ours(arrays(16, ALL)).value
    assert (got[np.isnan(values)] == NAN).all()
    infinite = {"reciprocal": [0x0000, 0x8000], "sqrt": [POS_INF, NAN], "exp": [POS_INF, 0]}
    assert got[[POS_INF, 0x8000 | POS_INF]].tolist() == infinite[name]
    zeros = {"reciprocal": [POS_INF, 0xFF80], "sqrt": [0x0000, 0x8000], "exp": [0x3F80, 0x3F80]}
    assert got[[0x0000, 0x8000]].tolist() == zeros[name]
    with mpmath.workprec(120):
        for code in ALL[np.isfinite(values) & (values != 0)]:
            value = mpmath.mpf(float(values[code]))
            if name == "sqrt" and value < 0:
                expected = NAN
            elif name == "reciprocal" and value < 0:
                expected = nearest(theirs(-value)) | 0x8000
            else:
                expected = nearest(theirs(value))
            assert got[code] == expected, f"{name} of {code:04x}"


def floats(words):
    return np.asarray(words, np.uint32).view(np.float32)


def add_by_numpy(a, b):
    with np.errstate(all="ignore"):
        total = floats(a) + floats(b)
    return np.where(np.isnan(total), NAN32, total.view(np.uint32))


words = st.integers(0, 0xFFFFFFFF) | codes.map(lambda code: code << 16)
word_pairs = st.tuples(words, words) | st.tuples(words, st.integers(-(1 << 28), 1 << 28)).map(
    lambda p: (p[0], (p[0] ^ 1 << 31) + p[1] & 0xFFFFFFFF)
)


@given(drawn=st.lists(word_pairs, min_size=20, max_size=60))
def test_add32_on_drawn_pairs(drawn):
    a, b = np.array(drawn).T
    assert np.array_equal(arith.add32(arrays(32, a), arrays(32, b)).value, add_by_numpy(a, b))


def test_add32_on_boundary_pairs():
    """Every exponent with fractions at which carries and ties happen, on a few of each kind."""
    low = np.array([0, 1, 0x400000, 0x7FFFFE, 0x7FFFFF])
    few = (np.array([0, 1, 2, 24, 25, 126, 127, 150, 253, 254, 255])[:, None] << 23) | low
    every = (np.arange(512)[:, None] << 23) | low
    a, b = np.ravel(every)[:, None], np.ravel(few)[None, :]
    assert np.array_equal(arith.add32(arrays(32, a), arrays(32, b)).value, add_by_numpy(a, b))


def test_conversions():
    wide = arith.widen(arrays(16, ALL)).value
    assert np.array_equal(floats(wide), to_float(ALL), equal_nan=True)
    rng = np.random.default_rng(1)
    ties = (ALL << 16) | 0x8000
    drawn = np.concatenate([wide, ties - 1, ties, ties + 1, rng.integers(0, 1 << 32, 200_000)])
    assert np.array_equal(arith.round32(arrays(32, drawn)).value, from_float(floats(drawn)))


@pytest.mark.parametrize("name", [*BINARY, "add32"])
@settings(max_examples=20)
@given(data=st.data())
def test_two_operands_are_the_same_on_every_interpretation(name, data):
    ours, width = (arith.add32, 32) if name == "add32" else (BINARY[name][0], 16)
    a, b = data.draw(word_pairs if width == 32 else st.tuples(codes, codes) | near)
    result = ours(ints(width, a), ints(width, b)).as_int()
    assert ours(arrays(width, [a]), arrays(width, [b])).value.tolist() == [result]
    assert z3.simplify(ours(const(width, a), const(width, b)).value).as_long() == result


@pytest.mark.parametrize("name", [*UNARY, "widen", "round32"])
@settings(max_examples=20)
@given(word=words)
def test_one_operand_is_the_same_on_every_interpretation(name, word):
    ours, width = getattr(arith, name), 32 if name == "round32" else 16
    word >>= 32 - width
    result = ours(ints(width, word)).as_int()
    assert ours(arrays(width, [word])).value.tolist() == [result]
    assert z3.simplify(ours(const(width, word)).value).as_long() == result
