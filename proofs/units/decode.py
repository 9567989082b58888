"""The decoder is the instruction table."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from inspect import getdoc
from typing import Any

import z3

from unmask.proofs.engine.mutate import Mutation
from unmask.proofs.engine.obligation import Files, Obligation, Theorem, Values
from unmask.proofs.units import rtl
from unmask.spec import isa
from unmask.spec.encoding import Instruction, Operand

FILE = rtl.RTL / "frontend" / "unmask_decode.v"
SMALL_FIELD = 6  # bits; the values of wider fields are not listed, they must all be legal


def decodes(files: Files) -> Iterator[Obligation]:
    """For all 2^32 words, each bit of `row` is the table's answer for that row.

    Opcode, unused bits zero, every operand field names something that exists; the bits are in the
    order of the table, so at most one is high, and none for an illegal word. No assumptions.
    """
    module = rtl.load(FILE, {}, files)
    word = z3.BitVec("word", 32)
    got = module.view({}, {"word": word}, "once")["row"]
    if got.size() != len(isa.TABLE):
        raise ValueError(f"{got.size()} outputs for {len(isa.TABLE)} rows")
    explain = partial(_explain, word)
    for place, row in enumerate(isa.TABLE):
        bit = z3.Extract(place, place, got) == 1
        yield Obligation(row.mnemonic, bit == is_row(row, word), (), explain, (word,))


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
    row = isa.decode(number)
    return f"word {number:08x} is {row.mnemonic if row else 'illegal'}; the RTL disagrees"


def _twin(files: Files) -> Iterator[Obligation]:
    old = "MATCH_V_RED_MAX_IDX && rs3_is_8;"  # lets f8 .. f15 through
    mutation = Mutation(FILE, old, "MATCH_V_RED_MAX_IDX;")
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
