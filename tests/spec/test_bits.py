"""The bit algebra: three interpretations, one meaning."""

import operator

import numpy as np
import pytest
import z3
from hypothesis import given
from hypothesis import strategies as st

from unmask.spec.bits import Arrays, Bits, BitsError, Ints, arrays, concat, ints, lut, mux
from unmask.spec.terms import LARGEST_TABLE, Terms

BINARY = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "and": operator.and_,
    "or": operator.or_,
    "xor": operator.xor,
    "shl": operator.lshift,
    "shr": operator.rshift,
    "eq": Bits.eq,
    "ne": Bits.ne,
    "ult": Bits.ult,
    "ule": Bits.ule,
    "concat": concat,
}
PLAIN = {  # what each operation means, on plain integers a, b of width w
    "add": lambda a, b, w: (a + b) % 2**w,
    "sub": lambda a, b, w: (a - b) % 2**w,
    "mul": lambda a, b, w: a * b % 2**w,
    "and": lambda a, b, w: a & b,
    "or": lambda a, b, w: a | b,
    "xor": lambda a, b, w: a ^ b,
    "shl": lambda a, b, w: a * 2**b % 2**w if b < w else 0,
    "shr": lambda a, b, w: a // 2**b if b < w else 0,
    "eq": lambda a, b, w: int(a == b),
    "ne": lambda a, b, w: int(a != b),
    "ult": lambda a, b, w: int(a < b),
    "ule": lambda a, b, w: int(a <= b),
    "concat": lambda a, b, w: a * 2**w + b,
}


def make(algebra: type, width: int, value: int) -> Bits:
    if algebra is Terms:
        return Bits(Terms, width, z3.BitVecVal(value, width))
    return arrays(width, [value]) if algebra is Arrays else ints(width, value)


def number(bits: Bits) -> int:
    if bits.algebra is Terms:
        return z3.simplify(bits.value).as_long()
    return int(np.ravel(bits.value)[0])


@st.composite
def pairs(draw: st.DrawFn, widest: int) -> tuple[int, int, int]:
    width = draw(st.integers(1, widest))
    border = st.sampled_from([0, 1, width, (1 << width) - 1, 1 << (width - 1)])
    value = (border | st.integers(0, (1 << width) - 1)).map(lambda v: v % (1 << width))
    return width, draw(value), draw(value)


@pytest.mark.parametrize("algebra", [Ints, Arrays, Terms])
@pytest.mark.parametrize("name", BINARY)
@given(case=pairs(31))
def test_operations_mean_the_same_everywhere(algebra, name, case):
    width, a, b = case
    result = BINARY[name](make(algebra, width, a), make(algebra, width, b))
    assert number(result) == PLAIN[name](a, b, width)
    assert result.width == {"concat": 2 * width}.get(
        name, 1 if name in ("eq", "ne", "ult", "ule") else width
    )


@pytest.mark.parametrize("algebra", [Ints, Arrays, Terms])
@given(case=pairs(63), data=st.data())
def test_wide_values_and_structure(algebra, case, data):
    width, a, b = case
    x, y = make(algebra, width, a), make(algebra, width, b)
    assert number(x + y) == (a + b) % 2**width
    assert number(x * y) == a * b % 2**width
    assert number(~x) == 2**width - 1 - a
    high = data.draw(st.integers(0, width - 1))
    low = data.draw(st.integers(0, high))
    assert number(x.extract(high, low)) == a // 2**low % 2 ** (high - low + 1)
    assert number(x.zext(63)) == a
    assert number(mux(x.ult(y), x, y)) == min(a, b)
    assert number(x << width) == number(x >> width + 5) == 0


@pytest.mark.parametrize("algebra", [Ints, Arrays, Terms])
@given(table=st.lists(st.integers(0, 255), min_size=16, max_size=16), index=st.integers(0, 15))
def test_lut(algebra, table, index):
    assert number(lut(table, 8, make(algebra, 4, index))) == table[index]


def test_arrays_work_element_by_element():
    x = arrays(8, np.arange(256).reshape(16, 16))
    assert np.array_equal((x + 1).value, (np.arange(256).reshape(16, 16) + 1) % 256)
    amounts = arrays(8, np.arange(256).reshape(16, 16))
    expected = [1 << n if n < 8 else 0 for n in range(256)]
    assert (x.const(8, 1) << amounts).value.ravel().tolist() == expected


@pytest.mark.parametrize("algebra", [Ints, Arrays, Terms])
def test_what_is_refused(algebra):
    x, y = make(algebra, 8, 3), make(algebra, 8, 4)
    for wrong in (
        lambda: bool(x),
        lambda: x == y,
        lambda: x != y,
        lambda: x < y,
        lambda: x >= y,
        lambda: hash(x),
        lambda: {x},
        lambda: x // y,
        lambda: x % y,
        lambda: -x,
        lambda: x + make(algebra, 9, 3),
        lambda: x + 256,
        lambda: x + (-1),
        lambda: x + 1.0,  # type: ignore[operator]
        lambda: x + True,
        lambda: mux(x, x, y),
        lambda: x.zext(7),
        lambda: x.extract(8, 0),
        lambda: lut([0] * 255, 8, x),
        lambda: lut([256] * 256, 8, x),
    ):
        with pytest.raises(TypeError):
            wrong()


def test_interpretations_do_not_mix():
    x, y, z = (make(algebra, 8, 1) for algebra in (Ints, Arrays, Terms))
    for a, b in ((x, y), (y, z), (z, x)):
        with pytest.raises(BitsError):
            a + b
        with pytest.raises(BitsError):
            concat(a, b)
        with pytest.raises(BitsError):
            mux(a.eq(1), b, b)


def test_what_an_interpretation_cannot_do_exactly_is_an_error():
    with pytest.raises(BitsError, match="64 bits in Arrays"):
        arrays(64, [1])
    with pytest.raises(BitsError):
        arrays(63, [1]).zext(64)
    with pytest.raises(BitsError):
        concat(arrays(32, [1]), arrays(32, [1]))
    with pytest.raises(BitsError, match="dtype float64"):
        arrays(8, [1.0])
    with pytest.raises(BitsError):
        arrays(8, [-1])
    with pytest.raises(BitsError):
        ints(8, 256)
    assert number(ints(200, 1) << 199) == 1 << 199
    big = Bits(Terms, 11, z3.BitVec("i", 11))
    with pytest.raises(BitsError, match=f"at most {LARGEST_TABLE}"):
        lut([0] * 2048, 8, big)
    with pytest.raises(BitsError, match="no single integer"):
        arrays(8, [1]).as_int()
    with pytest.raises(BitsError, match="16 bits where 8 are stated"):
        Bits(Terms, 8, z3.BitVec("x", 16))
