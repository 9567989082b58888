"""BF16 operations of two operands are the host's own, rounded once: all 2**32 pairs, one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from unittest.mock import patch

from unmask.proofs.engine.compiled import PAIRS, Difference, first_difference
from unmask.proofs.engine.obligation import Enumeration, Files, Theorem
from unmask.spec import arith
from unmask.spec.bits import Bits, mux
from unmask.spec.formats import NAN, describe, order_key

Operation = Callable[[Bits, Bits], Bits]

# The witness works on values, in the host's binary64. `nearest` rounds to BF16 in two ways that
# share nothing with `spec/arith.py`: a normal number as an integer, by adding half a unit of the
# 45 bits that go; a subnormal one by adding 2**-81, beside which the host itself rounds to whole
# multiples of 2**-133.
_WITNESS = """
inline double value(uint32_t code) {{
  uint32_t word = code << 16;
  float x;
  memcpy(&x, &word, 4);
  return x;
}}

inline uint32_t nearest(double x) {{
  double size = __builtin_fabs(x), shifted = size + 0x1p-81;
  uint64_t sign, bits, multiples;
  memcpy(&sign, &x, 8);
  memcpy(&bits, &size, 8);
  memcpy(&multiples, &shifted, 8);
  uint64_t half = (1ull << 44) - 1 + ((bits >> 45) & 1);
  uint64_t normal = ((bits + half) >> 45) - ((1023 - 127) << 7);
  uint64_t code = size < 0x1p-126 ? multiples & 0xff : normal;
  code = (code < 0x7f80 ? code : 0x7f80) | sign >> 63 << 15;
  return (uint32_t)(x == x ? code : 0x7fc0);
}}

inline uint32_t expected(uint32_t a, uint32_t b) {{
  double x = value(a), y = value(b);
  return {result};
}}
"""

ARITHMETIC = """a {sign} b = the exact result, rounded once to nearest even; all 2^32 pairs.

Subnormals are kept, infinities and signs of zeros are IEEE's, and a NaN is 0x7FC0. The witness is
the host's binary64 operation, then rounded to BF16 by code of its own. {why}
Assumes that the host computes as IEEE 754 says."""

# Why the rounding to binary64 does not count.
_PRODUCT = """A product of two 8-bit
significands is exact in binary64, whose exponents reach far below those of BF16."""
_SUM = """A sum is exact in
binary64 if the operands' exponents are at most 44 apart. Else it is the larger operand, a BF16
number, and a rest that is too small to make it another one, be it rounded to binary64 or not."""

COMPARISON = """{name}(a, b) = the host's `a {sign} b` on the values, for all 2^32 pairs.

So -0 equals +0, and NaN is unordered: {nan}"""

MAXIMUM = """maximum(a, b) = b where a < b as the host compares values, else a, for all 2^32 pairs.

So of -0 and +0 it is the first. Where either is a NaN it is 0x7FC0."""


def equals_host(operation: Operation, result: str, files: Files) -> Iterator[Enumeration]:
    """The operation gives what the C expression `result` does, on every pair."""
    witness = _WITNESS.format(result=result)

    def failing() -> str | None:
        found = first_difference(operation, witness)
        return None if found is None else _explained(found)

    yield Enumeration("all pairs", PAIRS, failing)


def _explained(found: Difference) -> str:
    a, b, got, expected = (describe(code) for code in found)
    return f"a {a}, b {b}: got {got}, expected {expected}"


# -- broken on purpose --


def no_sticky(a: Bits, b: Bits) -> Bits:
    """Broken: what the alignment of a sum shifts out is forgotten."""
    with patch.object(arith, "shift_sticky", lambda value, amount: value >> amount):
        return arith.add(a, b)


def sub_from_behind(a: Bits, b: Bits) -> Bits:
    """Broken: -(b - a), in which x - x is -0."""
    return arith.sub(b, a) ^ 0x8000


def flushed_mul(a: Bits, b: Bits) -> Bits:
    """Broken: a subnormal product becomes zero."""
    product = arith.mul(a, b)
    return mux(product.extract(14, 7).eq(0), product & 0x8000, product)


def payload_maximum(a: Bits, b: Bits) -> Bits:
    """Broken: a NaN is passed on with its payload."""
    return mux(order_key(a).ult(order_key(b)), b, a)


def _by_keys(compare: Operation) -> Operation:
    """Broken: NaN takes part in the order as the greatest."""
    return lambda a, b: compare(order_key(a), order_key(b))


_COMPARISONS = (
    ("equal", "==", "equal to nothing.", arith.equal, _by_keys(Bits.eq)),
    ("not_equal", "!=", "different from everything.", arith.not_equal, _by_keys(Bits.ne)),
    ("less", "<", "never less.", arith.less, _by_keys(Bits.ult)),
    ("less_equal", "<=", "never less or equal.", arith.less_equal, _by_keys(Bits.ule)),
    ("greater", ">", "never greater.", arith.greater, _by_keys(lambda a, b: b.ult(a))),
    (
        "greater_equal",
        ">=",
        "never greater or equal.",
        arith.greater_equal,
        _by_keys(lambda a, b: b.ule(a)),
    ),
)


def _theorem(
    name: str, statement: str, result: str, operation: Operation, broken: Operation
) -> Theorem:
    return Theorem(
        name=f"numerics.bf16.{name}",
        statement=statement,
        bounds="all 2^32 pairs",
        engine="enumeration, compiled",
        obligations=partial(equals_host, operation, result),
        twin=partial(equals_host, broken, result),
    )


THEOREMS = (
    _theorem(
        "add",
        ARITHMETIC.format(sign="+", why=_SUM),
        "nearest(x + y)",
        arith.add,
        no_sticky,
    ),
    _theorem(
        "sub",
        ARITHMETIC.format(sign="-", why=_SUM),
        "nearest(x - y)",
        arith.sub,
        sub_from_behind,
    ),
    _theorem(
        "mul",
        ARITHMETIC.format(sign="*", why=_PRODUCT),
        "nearest(x * y)",
        arith.mul,
        flushed_mul,
    ),
    _theorem(
        "maximum",
        MAXIMUM,
        f"x != x || y != y ? {NAN:#x} : x < y ? b : a",
        arith.maximum,
        payload_maximum,
    ),
    *(
        _theorem(
            name, COMPARISON.format(name=name, sign=sign, nan=nan), f"x {sign} y", ours, broken
        )
        for name, sign, nan, ours, broken in _COMPARISONS
    ),
)
