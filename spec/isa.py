"""THE instruction table. Assembler, decoder, interpreter, Verilog header and checks read it.

`python -m unmask.spec header` prints the Verilog constants that the RTL includes.
"""

from __future__ import annotations

from unmask.spec.encoding import CSRS, OPCODE, OPCODE_BITS, Instruction, Trap
from unmask.spec.instructions import control, scalar, vector

TABLE: tuple[Instruction, ...] = tuple(
    sorted((*vector.ROWS, *scalar.ROWS, *control.ROWS), key=lambda row: row.opcode)
)
BY_MNEMONIC = {row.mnemonic: row for row in TABLE}
BY_OPCODE = {row.opcode: row for row in TABLE}


def decode(word: int) -> Instruction | None:
    """The row of a 32-bit word, or None where the word is illegal."""
    row = BY_OPCODE.get(OPCODE.get(word))
    return row if row is not None and row.legal(word) else None


def check_table(table: tuple[Instruction, ...]) -> None:
    """Raise ValueError on rows that share an opcode or a name, or whose fields overlap."""
    for what in ("opcode", "mnemonic"):
        seen: dict[object, str] = {}
        for row in table:
            value = getattr(row, what)
            if value in seen:
                raise ValueError(f"{seen[value]} and {row.mnemonic} have the same {what}")
            seen[value] = row.mnemonic
    for row in table:
        if not 0 <= row.opcode < 1 << OPCODE_BITS:
            raise ValueError(f"{row.mnemonic}: opcode {row.opcode:#x} has over {OPCODE_BITS} bits")
        taken = OPCODE.mask
        for operand in row.operands:
            if taken & operand.field.mask:
                raise ValueError(f"{row.mnemonic}: field {operand.name} overlaps another")
            taken |= operand.field.mask


check_table(TABLE)


def verilog_header() -> str:
    """The table as Verilog `localparam`s: opcodes, used bits, CSR numbers, trap causes."""
    lines = [
        "// Generated from the instruction table: python -m unmask.spec header. Do not edit.",
        "/* verilator lint_off UNUSEDPARAM */",  # a module uses some of them
    ]
    for row in TABLE:
        lines.append(f"localparam [5:0] OP_{row.mnemonic} = 6'h{row.opcode:02x};")
    for row in TABLE:
        lines.append(f"localparam [31:0] USED_{row.mnemonic} = 32'h{row.used:08x};")
    for name, number in CSRS.items():
        lines.append(f"localparam [3:0] CSR_{name} = 4'd{number};")
    for trap in Trap:
        lines.append(f"localparam [3:0] TRAP_{trap.name} = 4'd{trap.value};")
    lines.append("/* verilator lint_on UNUSEDPARAM */")
    return "\n".join(lines) + "\n"
