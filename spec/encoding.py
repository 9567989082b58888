"""What a row of the instruction table is made of: fields, operands, traps, effects.

A word has 32 bits: `op[5:0] rd[9:6] rs1[13:10] rs2[17:14] rs3[21:18] rs4[25:22] fn[31:26]`;
immediates are imm22 = [31:10], imm18 = [31:14] and imm14 = [31:18]. This is the layout of the
published PLENA ISA (AICrossSim/PLENA_Simulator, `doc` and `compiler/assembler`); `fn` tells apart
instructions that share an opcode. Bits that an instruction does not use are zero; a word that
breaks this is illegal.
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
RS4 = Field("rs4", 25, 22)
FN = Field("fn", 31, 26)
# Switches in the places where the published assembler puts them.
RMASK = Field("rmask", 21, 18)
RORDER = Field("rorder", 25, 22)
RSTRIDE = Field("rstride", 21, 18)
PRECISION = Field("precision", 25, 22)
FORMAT = Field("format", 25, 22)
CLEAR = Field("clear", 26, 26)
RELATION = Field("relation", 28, 26)
SOURCES = Field("sources", 31, 29)
IMM22 = Field("imm22", 31, 10)
IMM18 = Field("imm18", 31, 14)
IMM14 = Field("imm14", 31, 18)


class Kind(enum.Enum):
    """What an operand's field names."""

    GP = "gp"  # uint32 register; gp0 reads 0 and ignores writes
    F = "f"  # BF16 register; f0 reads +0 and ignores writes
    A = "a"  # uint64 HBM base address
    IMM = "immediate"  # unsigned
    CSR = "csr"  # a control and status register
    CHOICE = "choice"  # one of a few named values


GP_COUNT = 16
F_COUNT = 8
A_COUNT = 8
STATE_COUNT = 4  # softmax states; a gp's value modulo 4 names one

NO_TOKEN = 0xFFFFFFFF  # the token id of nothing: what an empty state holds, what bans nobody


@dataclass(frozen=True)
class Csr:
    """A control and status register.

    Attributes:
        number: in the instruction word.
        limit: greatest value that it takes; a greater one traps.
        reset: value when a program starts; None for VL, which starts as VLEN.
        doc: meaning.
    """

    number: int
    limit: int
    reset: int | None
    doc: str


_ANY = 0xFFFFFFFF
FORMATS = {"BF16": 0, "E4M3_B32": 1, "E4M3_B8": 2, "E5M2_B32": 3, "E5M2_B8": 4}
CSRS = {
    "VL": Csr(0, _ANY, None, "vector length in elements"),
    "STRIDE": Csr(1, _ANY, 0, "elements from one row of a strided transfer to the next"),
    "SCALE": Csr(2, _ANY, 0, "bytes from a base address to the scales of its blocks"),
    "MASK": Csr(3, _ANY, 0, "lane mask: bit i mod 32 enables lane i where rmask is 1"),
    "ROWS": Csr(4, _ANY, 1, "rows of VL elements that H_PREFETCH_V and H_STORE_V move"),
    "FMT0": Csr(5, len(FORMATS) - 1, 0, "format of precision 0 (published: activation)"),
    "FMT1": Csr(6, len(FORMATS) - 1, 0, "format of precision 1 (published: key/value)"),
    "NAN": Csr(7, 1, 0, "rank of NaN rows: 0 first, as torch.topk does; 1 last"),
    "LIMIT": Csr(8, _ANY, 0, "V_KEY_MASK rule: keys up to this are accepted"),
    "KMAX": Csr(9, _ANY, 0, "V_KEY_MASK rule: ranks below this may be accepted by LIMIT"),
    "BAN0": Csr(10, _ANY, NO_TOKEN, "token id that softmax states take as -infinity"),
    "BAN1": Csr(11, _ANY, NO_TOKEN, "a second one"),
    "BAN2": Csr(12, _ANY, NO_TOKEN, "a third one"),
    "BAN3": Csr(13, _ANY, NO_TOKEN, "a fourth one"),
}
CSR_NAMES = {csr.number: name for name, csr in CSRS.items()}
SWITCH = {"0": 0, "1": 1}

_COUNTS = {Kind.GP: GP_COUNT, Kind.F: F_COUNT, Kind.A: A_COUNT}


@dataclass(frozen=True)
class Operand:
    """One operand of an instruction.

    Attributes:
        field: where in the word.
        kind: what it names.
        written: whether the instruction writes the register.
        default: the field's value where the assembly text leaves the operand out, which only
            trailing operands may do; None: it must be there.
        choices: name -> value, for `Kind.CHOICE` and `Kind.CSR`; other values are illegal.
        doc: what it is for, in a few words.
    """

    field: Field
    kind: Kind
    written: bool = False
    default: int | None = None
    choices: Mapping[str, int] | None = None
    doc: str = ""

    @property
    def name(self) -> str:
        return self.field.name

    def legal(self, value: int) -> bool:
        """Whether the field's value names something that exists."""
        if self.choices is not None:
            return value in self.choices.values()
        return value < _COUNTS.get(self.kind, 1 << self.field.width)


def csr_operand(*names: str) -> Operand:
    """A CSR, one of the named ones, or any that there is."""
    numbers = {name: CSRS[name].number for name in names or CSRS}
    return Operand(RD, Kind.CSR, choices=numbers, doc="CSR")


class Trap(enum.IntEnum):
    """Why a program stops early, in order of priority; the number is what the core reports.

    All but FATAL are traps: decided at issue from registers alone, precise, and a trapped
    instruction changes nothing.
    """

    NONE = 0
    ILLEGAL = 1
    LOOP = 2
    MISALIGNED = 3
    LENGTH = 4
    RANGE = 5
    OVERLAP = 6
    WINDOW = 7
    FATAL = 8


TRAP_TEXT = {
    Trap.NONE: "no trap",
    Trap.ILLEGAL: "the word is no instruction, a CSR cannot take the value, "
    "or the program ran past its end",
    Trap.LOOP: "loops nested too deep, or a loop start and end that do not match",
    Trap.MISALIGNED: "a vector address that is no multiple of VLEN, or a memory address that is no "
    "multiple of its element or block",
    Trap.LENGTH: "a length the unit cannot take",
    Trap.RANGE: "an SRAM address outside the memory",
    Trap.OVERLAP: "source and destination overlap, but are not the same range",
    Trap.WINDOW: "a memory address outside the window that the host allows",
    Trap.FATAL: "the memory answered with an error; what the transfer was writing is undefined",
}


class Context(Protocol):
    """What a semantics function sees: operand values before the instruction, and memory.

    Registers are `Bits` (gp 32, f 16, a 64), immediates, choices and CSR numbers `Bits` of 32.
    Vectors are held as the interpretation likes (`unmask.spec.vectors`); how many elements one
    has must be a plain number, which `number` gives where the interpretation knows it.
    """

    @property
    def vl(self) -> Bits: ...
    @property
    def vlen(self) -> int: ...
    @property
    def window(self) -> tuple[int, int]: ...
    @property
    def vectors(self) -> Any: ...
    def __getitem__(self, operand: str) -> Bits: ...
    def field(self, operand: str) -> int: ...
    def csr(self, name: str) -> Bits: ...
    def number(self, value: Bits) -> int: ...
    def depth(self, memory: str) -> int: ...
    def load(self, memory: str, address: Bits) -> Bits: ...
    def read(self, memory: str, address: Bits, length: int, step: int = 1) -> Any: ...
    def softmax(self, operand: str) -> Any: ...


class Loop(enum.Enum):
    """What an instruction does to the loop stack."""

    START = "start"
    END = "end"


@dataclass(slots=True)
class Write:
    """Elements that an instruction writes to a memory, from `address` on, `step` apart.

    Attributes:
        memory: its name.
        address: of the first element.
        values: a vector.
        enable: a vector of width 1, or None: all elements.
        step: distance of neighbouring elements.
    """

    memory: str
    address: Bits
    values: Any
    enable: Any = None
    step: int = 1


_NOTHING: Mapping[str, Bits] = {}


def _nothing() -> Mapping[str, Bits]:
    return _NOTHING


@dataclass(slots=True)
class Effect:
    """Everything an instruction does, apart from moving to the next word.

    Attributes:
        registers: operand name -> new value.
        stores: (memory, address, value): single elements.
        writes: vectors.
        csrs: CSR name -> new value.
        softmax: (operand that names the state, its new value).
        loop: what happens to the loop stack.
        stop: the program ends here.
    """

    registers: Mapping[str, Bits] = field(default_factory=_nothing)
    stores: tuple[tuple[str, Bits, Bits], ...] = ()
    writes: tuple[Write, ...] = ()
    csrs: Mapping[str, Bits] = field(default_factory=_nothing)
    softmax: tuple[str, Any] | None = None
    loop: Loop | None = None
    stop: bool = False


@dataclass(frozen=True)
class Step:
    """What the time of one instruction depends on.

    Attributes:
        vlen: lanes.
        vl: vector length in elements when it issued.
        examined: words that a loop of zero iterations looked at to find its end, else 0.
        length: elements that it works on: VL, or its own length operand.
    """

    vlen: int
    vl: int
    examined: int = 0
    length: int = 0


def single_cycle(step: Step) -> int:
    """Issue and retire in one cycle."""
    return 1


TrapRule = tuple[Trap, Callable[[Context], Bits]]


@dataclass(frozen=True)
class Span:
    """Bytes of memory that a transfer touches: [first, end), as integers of any size."""

    first: Bits
    end: Bits


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
        fixed: fields that have one value, which tells rows of the same opcode apart.
        length: context -> elements that it works on, where its time depends on that.
        transfers: context -> the `Span`s of memory it touches; none if it moves nothing.
    """

    mnemonic: str
    opcode: int
    operands: tuple[Operand, ...]
    semantics: Callable[[Context], Effect]
    doc: str
    traps: tuple[TrapRule, ...] = ()
    cycles: Callable[[Step], int] = single_cycle
    fixed: tuple[tuple[Field, int], ...] = ()
    length: Callable[[Context], int] | None = None
    transfers: Callable[[Context], tuple[Span, ...]] | None = None

    @property
    def used(self) -> int:
        """Mask of the bits that carry the opcode, an operand or a fixed value."""
        fields = (OPCODE, *(x.field for x in self.operands), *(field for field, _ in self.fixed))
        return sum(field.mask for field in fields)

    @property
    def match(self) -> int:
        """Value of the bits that are the same in every word of this row."""
        return self.opcode | sum(value << field.low for field, value in self.fixed)

    @property
    def match_mask(self) -> int:
        """Mask of those bits: opcode, fixed fields, and bits that are unused and so zero."""
        return 0xFFFFFFFF & ~sum(operand.field.mask for operand in self.operands)

    def legal(self, word: int) -> bool:
        """Whether `word` is a legal instruction of this row."""
        return word & self.match_mask == self.match and all(
            operand.legal(operand.field.get(word)) for operand in self.operands
        )
