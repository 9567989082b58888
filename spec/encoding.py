"""What a row of the instruction table is made of: fields, operands, traps, effects.

A word has 32 bits: `op[5:0] rd[9:6] rs1[13:10] rs2[17:14] rs3[21:18] rs4[25:22]`; immediates are
imm22 = [31:10] and imm18 = [31:14]. This is the layout of the published PLENA ISA. Bits
that an instruction does not use are zero; a word that breaks this is illegal.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from unmask.spec.bits import Bits

WORD_BITS = 32
OPCODE_BITS = 6


@dataclass(frozen=True)
class Field:
    """A bit field [high:low] of the instruction word."""

    name: str
    high: int
    low: int

    @property
    def width(self) -> int:
        return self.high - self.low + 1

    @property
    def mask(self) -> int:
        return ((1 << self.width) - 1) << self.low

    def get(self, word: int) -> int:
        return (word & self.mask) >> self.low


OPCODE = Field("op", 5, 0)
RD = Field("rd", 9, 6)
RS1 = Field("rs1", 13, 10)
RS2 = Field("rs2", 17, 14)
RS3 = Field("rs3", 21, 18)
IMM22 = Field("imm22", 31, 10)
IMM18 = Field("imm18", 31, 14)


class Kind(enum.Enum):
    """What an operand's field names."""

    GP = "gp"  # uint32 register; gp0 reads 0 and ignores writes
    F = "f"  # BF16 register; f0 reads +0 and ignores writes
    IMM = "immediate"  # unsigned
    CSR = "csr"  # a control and status register, by number


GP_COUNT = 16
F_COUNT = 8
CSRS = {"VL": 0}  # name -> number; the numbers left are illegal


@dataclass(frozen=True)
class Operand:
    """One operand: its field, what it names, and whether the instruction writes it."""

    field: Field
    kind: Kind
    written: bool = False

    @property
    def name(self) -> str:
        return self.field.name

    def legal(self, value: int) -> bool:
        """Whether the field's value names something that exists."""
        if self.kind is Kind.F:
            return value < F_COUNT
        return value in CSRS.values() if self.kind is Kind.CSR else True


class Trap(enum.IntEnum):
    """Trap causes, in order of priority; the number is what the core reports."""

    NONE = 0
    ILLEGAL = 1
    LOOP = 2
    MISALIGNED = 3
    LENGTH = 4
    RANGE = 5


TRAP_TEXT = {
    Trap.NONE: "no trap",
    Trap.ILLEGAL: "the word is no instruction, or the program ran past its end",
    Trap.LOOP: "loops nested too deep, or a loop start and end that do not match",
    Trap.MISALIGNED: "a vector address that is no multiple of VLEN",
    Trap.LENGTH: "a length the unit cannot take",
    Trap.RANGE: "an SRAM address outside the memory",
}


class Context(Protocol):
    """What a semantics function sees: operand values before the instruction, and memory.

    Registers are `Bits` (gp 32, f 16), immediates `Bits` of 32. `vl` is the vector length.
    """

    @property
    def vl(self) -> Bits: ...
    @property
    def vlen(self) -> int: ...
    def __getitem__(self, operand: str) -> Bits: ...
    def depth(self, memory: str) -> int: ...
    def load(self, memory: str, address: Bits) -> Bits: ...
    def reduce(self, reduction: Any, address: Bits, base: Bits, start: Any) -> Any: ...


class Loop(enum.Enum):
    """What an instruction does to the loop stack."""

    START = "start"
    END = "end"


@dataclass(frozen=True)
class Effect:
    """Everything an instruction does, apart from moving to the next word.

    Attributes:
        registers: operand name -> new value.
        stores: (memory, address, value).
        csrs: CSR name -> new value.
        loop: what happens to the loop stack.
        stop: the program ends here.
    """

    registers: Mapping[str, Bits] = field(default_factory=dict)
    stores: tuple[tuple[str, Bits, Bits], ...] = ()
    csrs: Mapping[str, Bits] = field(default_factory=dict)
    loop: Loop | None = None
    stop: bool = False


@dataclass(frozen=True)
class Step:
    """What the time of one instruction depends on.

    Attributes:
        vlen: lanes.
        vl: vector length in elements when it issued.
        examined: words that a loop of zero iterations looked at to find its end, else 0.
    """

    vlen: int
    vl: int
    examined: int = 0


def single_cycle(step: Step) -> int:
    """Issue and retire in one cycle."""
    return 1


TrapRule = tuple[Trap, Callable[[Context], Bits]]


@dataclass(frozen=True)
class Instruction:
    """One row of the table.

    Attributes:
        mnemonic: the name in assembly.
        opcode: bits [5:0].
        operands: in the order of the assembly text.
        semantics: context -> `Effect`; runs on every interpretation that has its primitives.
        traps: (cause, condition of width 1), tested in the priority order of `Trap`.
        cycles: `Step` -> clock cycles from issue to retire, both included.
        doc: one line for the manual.
    """

    mnemonic: str
    opcode: int
    operands: tuple[Operand, ...]
    semantics: Callable[[Context], Effect]
    doc: str
    traps: tuple[TrapRule, ...] = ()
    cycles: Callable[[Step], int] = single_cycle

    @property
    def used(self) -> int:
        """Mask of the bits that carry the opcode or an operand."""
        return OPCODE.mask | sum(operand.field.mask for operand in self.operands)

    def legal(self, word: int) -> bool:
        """Whether `word`, whose opcode is this row's, is a legal instruction."""
        return word & ~self.used == 0 and all(
            operand.legal(operand.field.get(word)) for operand in self.operands
        )
