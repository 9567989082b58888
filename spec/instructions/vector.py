"""Vector instructions: they work on VL elements of vector SRAM, a chunk of VLEN at a time."""

from __future__ import annotations

from unmask.spec.bits import Bits
from unmask.spec.encoding import (
    RD,
    RS1,
    RS2,
    RS3,
    Context,
    Effect,
    Instruction,
    Kind,
    Operand,
    Step,
    Trap,
)
from unmask.spec.reductions import Candidate, MaxIndex


def misaligned(x: Context) -> Bits:
    """The vector address is no multiple of VLEN (a power of two)."""
    return (x["rs1"] & (x.vlen - 1)).ne(0)


def outside(x: Context) -> Bits:
    """The VL elements at the vector address do not all lie in vector SRAM; 34 bits hold the sum."""
    end = x["rs1"].zext(34) + x.vl.zext(34)
    return end.const(34, x.depth("vector")).ult(end)


def max_idx(x: Context) -> Effect:
    start = MaxIndex.lane(x["rs3"], x["rd"])
    best: Candidate = x.reduce(MaxIndex, x["rs1"], x["rs2"], start)
    return Effect(registers={"rd": best.index, "rs3": best.code})


def max_idx_cycles(step: Step) -> int:
    """One chunk a cycle, then the tree's latency: SRAM read, lane keys, log2(VLEN) levels, fold."""
    chunks = -(-step.vl // step.vlen)
    levels = step.vlen.bit_length() - 1
    return 1 if chunks == 0 else chunks + levels + 3


V_RED_MAX_IDX = Instruction(
    mnemonic="V_RED_MAX_IDX",
    opcode=0x34,
    operands=(
        Operand(RD, Kind.GP, written=True),  # running index
        Operand(RS1, Kind.GP),  # vector address, elements
        Operand(RS2, Kind.GP),  # index of the first element
        Operand(RS3, Kind.F, written=True),  # running maximum
    ),
    semantics=max_idx,
    doc="Continue a running argmax over VL elements: first index wins, NaN is greatest.",
    traps=((Trap.MISALIGNED, misaligned), (Trap.RANGE, outside)),
    cycles=max_idx_cycles,
)

ROWS = (V_RED_MAX_IDX,)
