"""The decoder is the instruction table."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from inspect import getdoc
from typing import Any

import z3

from unmask.model.machine import CORE
from unmask.proofs.engine.mutate import Mutation
from unmask.proofs.engine.obligation import Files, Obligation, Theorem, Values
from unmask.proofs.units import rtl
from unmask.spec.encoding import Instruction, Operand

FILE = rtl.RTL / "frontend" / "unmask_decode.v"
SMALL_FIELD = 6  # bits; the values of wider fields are not listed, they must all be legal


def decodes(files: Files) -> Iterator[Obligation]:
    """For all 2^32 words, `legal` and each instruction's own output are the table's answer.

    Of the part of the table that the core executes (`model.machine.CORE`): opcode, unused bits
    zero, every operand field names something that exists. All other words are illegal, those
    of instructions that the core lacks too. No assumptions.
    """
    module = rtl.load(FILE, {}, files)
    word = z3.BitVec("word", 32)
    view = module.view({}, {"word": word}, "once")
    rows = {row.mnemonic: is_row(row, word) for row in CORE}
    explain = partial(_explain, word)
    for mnemonic, expected in rows.items():
        got = view[f"is_{mnemonic.lower()}"] == 1
        yield Obligation(mnemonic, got == expected, (), explain, (word,))
    legal = view["legal"] == 1
    yield Obligation("legal", legal == z3.Or(*rows.values()), (), explain, (word,))


def is_row(row: Instruction, word: Any) -> Any:
    """Whether a word is a legal instruction of this row."""
    return z3.And(
        word & row.match_mask == row.match, *(_legal(operand, word) for operand in row.operands)
    )


def _legal(operand: Operand, word: Any) -> Any:
    field = operand.field
    if field.width > SMALL_FIELD:
        if not (operand.legal(0) and operand.legal((1 << field.width) - 1)):
            raise ValueError(f"{operand.name}: a wide field with illegal values")
        return z3.BoolVal(True)
    value = _field(field.high, field.low, word)
    return z3.Or(*(value == x for x in range(1 << field.width) if operand.legal(x)))


def _field(high: int, low: int, word: Any) -> Any:
    return z3.Extract(high, low, word)


def _explain(word: Any, value: Values) -> str:
    number = value(word)
    row = CORE.decode(number)
    return f"word {number:08x} is {row.mnemonic if row else 'illegal'}; the RTL disagrees"


def _twin(files: Files) -> Iterator[Obligation]:
    mutation = Mutation(FILE, " && rs3_is_f;", ";")  # lets f8 .. f15 through
    with mutation.applied(files) as mutated:
        yield from decodes(mutated)


THEOREMS = (
    Theorem(
        name="decode",
        statement=getdoc(decodes) or "",
        bounds="all 2^32 words",
        engine="z3, bitwuzla",
        obligations=decodes,
        twin=_twin,
        sources=(FILE, rtl.RTL / "unmask_isa.vh"),
        confirm=True,
    ),
)
