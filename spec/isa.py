"""THE instruction table. Assembler, decoder, interpreter, Verilog header and checks read it.

`python -m unmask.spec header` prints the Verilog constants that the RTL includes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from unmask.spec.encoding import CSRS, OPCODE, OPCODE_BITS, Instruction, Trap
from unmask.spec.instructions import control, masks, memory, scalar, softmax, vector


class Table:
    """Rows in the order of their opcodes, and how a word finds its row.

    Args:
        rows: any order.

    Raises:
        ValueError: if two rows have the same name, an operand's field overlaps another, or there
            is a word that two rows claim.
    """

    def __init__(self, rows: Sequence[Instruction]) -> None:
        self.rows = tuple(sorted(rows, key=lambda row: (row.opcode, row.match)))
        check_table(self.rows)
        self.by_mnemonic = {row.mnemonic: row for row in self.rows}
        self._by_opcode: dict[int, list[Instruction]] = {}
        for row in self.rows:
            self._by_opcode.setdefault(row.opcode, []).append(row)

    def __iter__(self) -> Iterator[Instruction]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def decode(self, word: int) -> Instruction | None:
        """The row of a 32-bit word, or None where the word is illegal."""
        for row in self._by_opcode.get(OPCODE.get(word), ()):
            if row.legal(word):
                return row
        return None

    def subset(self, names: Sequence[str], changed: Mapping[str, Instruction]) -> Table:
        """The rows with these names, some of them in a narrower form."""
        return Table([changed.get(name, self.by_mnemonic[name]) for name in names])


def check_table(rows: Sequence[Instruction]) -> None:
    """Raise ValueError on rows that share a name or a word, or whose fields overlap."""
    seen: set[str] = set()
    for row in rows:
        if row.mnemonic in seen:
            raise ValueError(f"two rows have the mnemonic {row.mnemonic}")
        seen.add(row.mnemonic)
        if not 0 <= row.opcode < 1 << OPCODE_BITS:
            raise ValueError(f"{row.mnemonic}: opcode {row.opcode:#x} has over {OPCODE_BITS} bits")
        given = [operand.default is None for operand in row.operands]
        if given != sorted(given, reverse=True):
            raise ValueError(f"{row.mnemonic}: an operand after one that may be left out")
        taken = OPCODE.mask
        for name, field in (
            *((operand.name, operand.field) for operand in row.operands),
            *((field.name, field) for field, _ in row.fixed),
        ):
            if taken & field.mask:
                raise ValueError(f"{row.mnemonic}: field {name} overlaps another")
            taken |= field.mask
    for place, row in enumerate(rows):
        for other in rows[:place]:
            shared = row.match_mask & other.match_mask
            if row.match & shared == other.match & shared:
                raise ValueError(f"{other.mnemonic} and {row.mnemonic} share words")


TABLE = Table((*vector.ROWS, *scalar.ROWS, *memory.ROWS, *control.ROWS, *masks.ROWS, *softmax.ROWS))
BY_MNEMONIC = TABLE.by_mnemonic
decode = TABLE.decode


def verilog_header() -> str:
    """The table as Verilog `localparam`s: opcodes, used bits, places, CSR numbers, trap causes."""
    lines = [
        "// Generated from the instruction table: python -m unmask.spec header. Do not edit.",
        "/* verilator lint_off UNUSEDPARAM */",  # a module uses some of them
    ]
    for row in TABLE:
        lines.append(f"localparam [5:0] OP_{row.mnemonic} = 6'h{row.opcode:02x};")
    for row in TABLE:
        lines.append(f"localparam [31:0] MASK_{row.mnemonic} = 32'h{row.match_mask:08x};")
        lines.append(f"localparam [31:0] MATCH_{row.mnemonic} = 32'h{row.match:08x};")
    for place, row in enumerate(TABLE):
        lines.append(f"localparam ROW_{row.mnemonic} = {place};")
    for name, csr in CSRS.items():
        lines.append(f"localparam [3:0] CSR_{name} = 4'd{csr.number};")
    for trap in Trap:
        lines.append(f"localparam [3:0] TRAP_{trap.name} = 4'd{trap.value};")
    lines.append("/* verilator lint_on UNUSEDPARAM */")
    return "\n".join(lines) + "\n"
