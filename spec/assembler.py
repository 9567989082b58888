"""Assembler and disassembler, both driven by the instruction table.

One statement a line; `;` and `//` start a comment.

    name:                     a label: the number of the next word
    MNEMONIC operand, ...     an instruction
    .word expression          a word as it stands
    .equ NAME, expression     a name for a value
    .include "file"           that file's lines, sought beside the file that includes it

Registers are `gp0` to `gp15` (or one hex digit, `gpA`), `f0` to `f7` and `a0` to `a7`. CSRs (`VL`)
and choices (`E4M3_B32`, `GE`) go by name or by number. Numbers are expressions
(`unmask.spec.assembly.expressions`) of decimal, 0x and 0b numbers, labels and `.equ` names, which
may stand before what they refer to; the names of registers, CSRs, choices and mnemonics are
reserved. Trailing operands that have a default may be left out; trailing zeros too many are let
pass, because published programs have them (`C_BREAK 0, 0, 0`).
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from functools import cache
from typing import NoReturn

from unmask.spec import isa
from unmask.spec.assembly.expressions import NAME, ExpressionError, evaluate
from unmask.spec.assembly.source import Line, lines
from unmask.spec.assembly.symbols import Place, Symbols
from unmask.spec.encoding import (
    A_COUNT,
    F_COUNT,
    GP_COUNT,
    WORD_BITS,
    Instruction,
    Kind,
    Operand,
)

# Other names of instructions: the row, and the operands that the name stands for.
ALIASES = {"C_SET_VL": ("C_SET_CSR", ("VL",))}

_MNEMONICS = (*isa.BY_MNEMONIC, *ALIASES)
_DIRECTIVES = (".equ", ".include", ".word")
_LABEL = re.compile(rf"\s*({NAME})\s*:")
_HEAD = re.compile(r"\s*([^\s,]+)")
_BANKS = {Kind.GP: ("gp", GP_COUNT), Kind.F: ("f", F_COUNT), Kind.A: ("a", A_COUNT)}
# A label of such a name, or of a CSR's or a choice's, would be mistaken for what stands in the
# operand's place.
_REGISTER = re.compile(r"gp[0-9A-Fa-f]|gp[0-9]{2}|[fa][0-9]")
_CHOICES = {name for row in isa.TABLE for operand in row.operands for name in operand.choices or ()}


def assemble(text: str, file: str = "<text>") -> list[int]:
    """The words of a program.

    Args:
        text: the source.
        file: its name, for error messages; included files are sought beside it.

    Raises:
        UsageError: naming file, line and column.
    """
    program = _Program()
    for line in lines(text, file):
        program.read(line)
    program.names.resolve()
    return [_word(statement, program.names) for statement in program.statements]


def disassemble(word: int) -> str:
    """One instruction as text that `assemble` turns into the same word, all operands given."""
    row = isa.decode(word)
    if row is None:
        return f".word 0x{word:08x}  ; illegal"
    operands = [_operand_text(x, x.field.get(word)) for x in row.operands]
    return " ".join([row.mnemonic, ", ".join(operands)]).strip()


def _reserved(name: str) -> bool:
    return bool(_REGISTER.fullmatch(name)) or name in _CHOICES or name in _MNEMONICS


@dataclass(frozen=True, slots=True)
class _Statement:
    """One word to be: an instruction, or a raw word where there is no row."""

    line: Line
    row: Instruction | None
    places: tuple[Place, ...]


class _Program:
    """What the lines say, before names have values."""

    def __init__(self) -> None:
        self.names = Symbols(_reserved)
        self.statements: list[_Statement] = []

    def read(self, line: Line) -> None:
        code, start = line.code, 0
        while label := _LABEL.match(code, start):
            self.names.define(label[1], len(self.statements), line, label.start(1))
            start = label.end()
        if not code[start:].strip():
            return
        head = _HEAD.match(code, start)
        if head is None:
            line.fail("an instruction is expected", code.index(",", start))
        places = _split(code, head.end())
        if head[1].startswith("."):
            self._directive(line, head, places)
            return
        name, first = ALIASES.get(head[1], (head[1], ()))
        row = isa.BY_MNEMONIC.get(name)
        if row is None:
            _unknown(line, head)
        places = [*((text, head.start(1)) for text in first), *places]
        fitting = _fitting(line, row, places, head.start(1))
        self.statements.append(_Statement(line, row, fitting))

    def _directive(self, line: Line, head: re.Match[str], places: list[Place]) -> None:
        if head[1] == ".word":
            if len(places) != 1:
                line.fail(f".word takes one expression, got {len(places)}", head.start(1))
            self.statements.append(_Statement(line, None, tuple(places)))
        elif head[1] == ".equ":
            if len(places) != 2:
                line.fail(f".equ takes a name and an expression, got {len(places)}", head.start(1))
            (name, offset), expression = places
            if not re.fullmatch(NAME, name):
                line.fail(f"{name!r} is no name: letters, digits and _ are expected", offset)
            self.names.define(name, expression, line, offset)
        elif head[1] == ".include":
            line.fail(".include must stand alone in its line", head.start(1))
        else:
            known = ", ".join(_DIRECTIVES)
            line.fail(f"unknown directive {head[1]!r}; there are {known}", head.start(1))


def _unknown(line: Line, head: re.Match[str]) -> NoReturn:
    name = head[1]
    if ":" in name:
        line.fail(f"{name.partition(':')[0]!r} cannot be a label", head.start(1))
    close = difflib.get_close_matches(name.upper(), _MNEMONICS, n=1)
    hint = f"; did you mean {close[0]}?" if close else ""
    line.fail(f"unknown mnemonic {name!r}{hint}", head.start(1))


def _split(code: str, offset: int) -> list[Place]:
    """What stands between commas from an offset on, with its offset."""
    if not code[offset:].strip():
        return []
    places = []
    for part in code[offset:].split(","):
        places.append((part.strip(), offset + len(part) - len(part.lstrip())))
        offset += len(part) + 1
    return places


def _fitting(line: Line, row: Instruction, places: list[Place], offset: int) -> tuple[Place, ...]:
    """The operands' texts, defaults left out and zeros too many taken away."""
    operands = row.operands
    least = max((n for n, x in enumerate(operands, 1) if x.default is None), default=0)
    fitting = places[: len(operands)]
    extra = [text for text, _ in places[len(operands) :]]
    if len(fitting) < least or any(text != "0" for text in extra):
        count = f"{least} to {len(operands)}" if least < len(operands) else f"{least}"
        names = ", ".join(operand.name for operand in operands) or "none"
        line.fail(f"{row.mnemonic} takes {count} operands ({names}), got {len(places)}", offset)
    return tuple(fitting)


def _word(statement: _Statement, names: Symbols) -> int:
    line, row = statement.line, statement.row
    if row is None:
        value = names.value(line, statement.places[0])
        if not 0 <= value < 1 << WORD_BITS:
            line.fail(f"{value} does not fit in {WORD_BITS} bits", statement.places[0][1])
        return value
    word = row.match
    for place, operand in enumerate(row.operands):
        if place < len(statement.places):
            what = f"{row.mnemonic} operand {operand.name}: "
            value = _operand_value(operand, line, statement.places[place], names, what)
        else:
            assert operand.default is not None  # `_fitting`
            value = operand.default
        word |= value << operand.field.low
    return word


def _operand_value(operand: Operand, line: Line, place: Place, names: Symbols, what: str) -> int:
    text, offset = place
    if operand.kind in _BANKS:
        try:
            return _register(text, operand.kind)
        except ValueError as error:
            line.fail(f"{what}{error}", offset)
    if operand.choices is not None:
        return _choice(operand, line, place, names, what)
    value = names.value(line, place, what)
    most = (1 << operand.field.width) - 1
    if not 0 <= value <= most:
        line.fail(f"{what}{value} does not fit in {operand.field.width} bits (0 to {most})", offset)
    return value


def _choice(operand: Operand, line: Line, place: Place, names: Symbols, what: str) -> int:
    text, offset = place
    choices = operand.choices or {}
    if text in choices:
        return choices[text]
    known = ", ".join(choices)
    try:
        value = evaluate(text, names.lookup)
    except ExpressionError as error:
        if re.fullmatch(NAME, text):
            line.fail(f"{what}{text!r} is not one of {known}", offset)
        line.fail(f"{what}{error}", offset + error.offset)
    if value not in choices.values():
        kind = "CSR" if operand.kind is Kind.CSR else "value"
        line.fail(f"{what}{kind} {value} does not exist; there are: {known}", offset)
    return value


@cache
def _register(text: str, kind: Kind) -> int:
    bank, count = _BANKS[kind]
    digits = text[len(bank) :] if text.startswith(bank) else ""
    if re.fullmatch(r"[0-9a-fA-F]", digits):
        number = int(digits, 16)
    elif re.fullmatch(r"[1-9][0-9]", digits):
        number = int(digits)
    else:
        raise ValueError(f"{text!r} is not {'a' if bank == 'gp' else 'an'} {bank} register")
    if number >= count:
        raise ValueError(f"register {text} does not exist ({bank}0 to {bank}{count - 1})")
    return number


def _operand_text(operand: Operand, value: int) -> str:
    if operand.kind in _BANKS:
        return f"{_BANKS[operand.kind][0]}{value:X}"
    if operand.choices is not None:
        return next(name for name, number in operand.choices.items() if number == value)
    return str(value)
