"""What several instructions share: lengths, trap conditions, masks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from unmask.spec.bits import Bits
from unmask.spec.encoding import RS4, Context, Kind, Operand, Step, Trap, TrapRule

Length = Callable[[Context], Bits]

# Wide enough for the end of any range that starts at a 32-bit address.
END_WIDTH = 34

LENGTH = Operand(RS4, Kind.GP, default=0, doc="length in elements; gp0 means VLEN")


def vector_length(x: Context) -> Bits:
    """VL."""
    return x.vl


def own_length(operand: str) -> Length:
    """The length that an operand gives: its register, or VLEN where it names gp0."""

    def length(x: Context) -> Bits:
        return x[operand].const(32, x.vlen) if x.field(operand) == 0 else x[operand]

    return length


def padded(x: Context, length: int) -> int:
    """A length filled up to whole chunks."""
    return -(-length // x.vlen) * x.vlen


def misaligned(*operands: str) -> TrapRule:
    """MISALIGNED: a vector address that is no multiple of VLEN (a power of two)."""

    def condition(x: Context) -> Bits:
        return _any([(x[operand] & (x.vlen - 1)).ne(0) for operand in operands])

    return (Trap.MISALIGNED, condition)


def outside(memory: str, operand: str, length: Length) -> TrapRule:
    """RANGE: the elements from the operand's address on do not end within the memory.

    A range of no elements may begin right behind the memory's end, but not farther.
    """

    def condition(x: Context) -> Bits:
        end = x[operand].zext(END_WIDTH) + length(x).zext(END_WIDTH)
        return end.const(END_WIDTH, x.depth(memory)).ult(end)

    return (Trap.RANGE, condition)


def overlap(written: str, read: str, length: Length) -> TrapRule:
    """OVERLAP: two ranges of the same memory that share elements but are not the same."""

    def condition(x: Context) -> Bits:
        to, from_, n = (v.zext(END_WIDTH) for v in (x[written], x[read], length(x)))
        return to.ne(from_) & to.ult(from_ + n) & from_.ult(to + n)

    return (Trap.OVERLAP, condition)


def _any(conditions: list[Bits]) -> Bits:
    result = conditions[0]
    for condition in conditions[1:]:
        result = result | condition
    return result


def is_set(mask: Bits) -> Bits:
    """Whether a BF16 mask element counts as true: it is not zero. NaN is true, -0 is false."""
    return (mask & 0x7FFF).ne(0)


def enabled(x: Context, length: int) -> Any:
    """The lanes that write: all of them, or where rmask is 1 those with their bit in MASK."""
    if x.field("rmask") == 0:
        return None
    lanes = x.vectors.of(32, [lane % x.vlen % 32 for lane in range(length)])
    return x.vectors.map(lambda mask, lane: (mask >> lane).extract(0, 0), x.csr("MASK"), lanes)


def chunks(step: Step) -> int:
    """Chunks of VLEN lanes that the elements fill."""
    return -(-step.length // step.vlen)


def levels(step: Step) -> int:
    """Levels of a balanced tree over the lanes."""
    return step.vlen.bit_length() - 1


def length_of(length: Length) -> Callable[[Context], int]:
    """The length as a plain number."""
    return lambda x: x.number(length(x))
