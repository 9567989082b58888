"""Assembler and disassembler, both driven by the instruction table.

One instruction a line, operands separated by commas, `;` starts a comment. Registers are `gp0` to
`gp15` (or one hex digit, `gpA`) and `f0` to `f7`, CSRs go by name (`VL`), immediates are unsigned,
decimal or 0x.
"""

from __future__ import annotations

import difflib
import re

from unmask.spec import isa
from unmask.spec.encoding import CSRS, F_COUNT, GP_COUNT, Kind, Operand
from unmask.spec.errors import UsageError

_TOKEN = re.compile(r"[^\s,]+")


def assemble(text: str, file: str = "<text>") -> list[int]:
    """The words of a program.

    Args:
        text: the source.
        file: its name, for error messages.

    Raises:
        UsageError: naming file, line and column.
    """
    words = []
    for number, line in enumerate(text.splitlines(), start=1):
        code = line.split(";", 1)[0]
        if code.strip():
            words.append(_assemble_line(code, file, number))
    return words


def disassemble(word: int) -> str:
    """One instruction as text that `assemble` turns into the same word; `.illegal` otherwise."""
    row = isa.decode(word)
    if row is None:
        return f".illegal 0x{word:08x}"
    operands = [_operand_text(x, x.field.get(word)) for x in row.operands]
    return " ".join([row.mnemonic, ", ".join(operands)]).strip()


def _assemble_line(code: str, file: str, line: int) -> int:
    head = _TOKEN.search(code)
    if head is None:
        raise UsageError("an instruction is expected", file, line, code.index(",") + 1)
    row = isa.BY_MNEMONIC.get(head.group())
    if row is None:
        close = difflib.get_close_matches(head.group().upper(), isa.BY_MNEMONIC, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise UsageError(f"unknown mnemonic {head.group()!r}{hint}", file, line, head.start() + 1)
    names = ", ".join(operand.name for operand in row.operands)
    rest = code[head.end() :]
    places = [] if not rest.strip() else _split(rest, head.end())
    if len(places) != len(row.operands):
        raise UsageError(
            f"{row.mnemonic} takes {len(row.operands)} operands ({names or 'none'}), "
            f"got {len(places)}",
            file,
            line,
            head.start() + 1,
        )
    word = row.opcode
    for operand, (text, column) in zip(row.operands, places, strict=True):
        try:
            word |= _operand_value(operand, text) << operand.field.low
        except ValueError as error:
            message = f"{row.mnemonic} operand {operand.name}: {error}"
            raise UsageError(message, file, line, column) from None
    return word


def _split(rest: str, offset: int) -> list[tuple[str, int]]:
    """Operand texts with their 1-based columns."""
    places = []
    for part in rest.split(","):
        lead = len(part) - len(part.lstrip())
        places.append((part.strip(), offset + lead + 1))
        offset += len(part) + 1
    return places


def _operand_value(operand: Operand, text: str) -> int:
    if operand.kind is Kind.GP:
        return _register(text, "gp", GP_COUNT)
    if operand.kind is Kind.F:
        return _register(text, "f", F_COUNT)
    if operand.kind is Kind.CSR and text in CSRS:
        return CSRS[text]
    if not re.fullmatch(r"-?(0[xX][0-9a-fA-F]+|[0-9]+)", text):
        what = f"one of {', '.join(CSRS)}" if operand.kind is Kind.CSR else "an unsigned number"
        raise ValueError(f"{text!r} is not {what}")
    value = int(text, 16 if "x" in text.lower() else 10)
    if not 0 <= value < 1 << operand.field.width:
        most = (1 << operand.field.width) - 1
        raise ValueError(f"{text} does not fit in {operand.field.width} bits (0 to {most})")
    if operand.kind is Kind.CSR and value not in CSRS.values():
        raise ValueError(f"CSR {value} does not exist; there are: {', '.join(CSRS)}")
    return value


def _register(text: str, bank: str, count: int) -> int:
    digits = text[len(bank) :] if text.startswith(bank) else ""
    if re.fullmatch(r"[0-9a-fA-F]", digits):
        number = int(digits, 16)
    elif re.fullmatch(r"[1-9][0-9]", digits):
        number = int(digits)
    else:
        raise ValueError(f"{text!r} is not a {bank} register")
    if number >= count:
        raise ValueError(f"register {text} does not exist ({bank}0 to {bank}{count - 1})")
    return number


def _operand_text(operand: Operand, value: int) -> str:
    if operand.kind in (Kind.GP, Kind.F):
        return f"{operand.kind.value}{value:X}"
    if operand.kind is Kind.CSR:
        return next(name for name, number in CSRS.items() if number == value)
    return str(value)
