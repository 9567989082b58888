"""The interpretation of the bit algebra on Z3 terms, for proofs. Needs `unmask[proofs]`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import z3

from unmask.spec.bits import Bits, BitsError, Ints

# A table is a multiplexer tree on the index bits: right for a few hundred entries. A function of
# a whole BF16 code is left uninterpreted in a proof and checked by enumeration instead.
LARGEST_TABLE = 1 << 10


class Terms:
    """Values are Z3 bit-vectors of the stated width; any width."""

    max_width: int | None = None

    @staticmethod
    def check(width: int, value: Any) -> Any:
        if not z3.is_bv(value):
            raise BitsError(f"a Z3 bit-vector is needed, got {type(value).__name__}")
        if value.size() != width:
            raise BitsError(f"a term of {value.size()} bits where {width} are stated")
        return value

    @staticmethod
    def const(width: int, value: Any) -> Any:
        return z3.BitVecVal(Ints.check(width, value), width)

    @staticmethod
    def trim(width: int, value: Any) -> Any:
        return value

    @staticmethod
    def invert(width: int, value: Any) -> Any:
        return ~value

    @staticmethod
    def shl(width: int, value: Any, amount: Any) -> Any:
        return value << amount  # SMT-LIB: an amount >= width gives 0

    @staticmethod
    def shr(width: int, value: Any, amount: Any) -> Any:
        return z3.LShR(value, amount)

    @staticmethod
    def flag(condition: Any) -> Any:
        return z3.If(condition, z3.BitVecVal(1, 1), z3.BitVecVal(0, 1))

    @staticmethod
    def mux(condition: Any, yes: Any, no: Any) -> Any:
        return z3.If(condition == 1, yes, no)

    @staticmethod
    def widen(width: int, extra: int, value: Any) -> Any:
        return z3.ZeroExt(extra, value)

    @staticmethod
    def extract(high: int, low: int, value: Any) -> Any:
        return z3.Extract(high, low, value)

    @staticmethod
    def concat(high: Any, low: Any, low_width: int) -> Any:
        return z3.Concat(high, low)

    @staticmethod
    def ult(a: Any, b: Any) -> Any:
        return z3.ULT(a, b)

    @staticmethod
    def ule(a: Any, b: Any) -> Any:
        return z3.ULE(a, b)

    @staticmethod
    def lut(table: Sequence[int], width: int, index: Any, index_width: int) -> Any:
        if len(table) > LARGEST_TABLE:
            raise BitsError(f"a table of {len(table)} entries on terms (at most {LARGEST_TABLE})")
        level = [z3.BitVecVal(entry, width) for entry in table]
        for bit in range(index_width):
            high = z3.Extract(bit, bit, index) == 1
            level = [
                z3.If(high, odd, even) for even, odd in zip(level[::2], level[1::2], strict=True)
            ]
        return level[0]


def var(name: str, width: int) -> Bits:
    """A free Z3 variable of `width` bits."""
    return Bits(Terms, width, z3.BitVec(name, width))


def const(width: int, value: int) -> Bits:
    """The constant `value` of `width` bits as a Z3 term."""
    return Bits(Terms, width, Terms.const(width, value))
