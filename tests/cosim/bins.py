"""Functional coverage: what kinds of instructions a run saw, in bins that follow from the table.

A bin is an instruction, how it ended, the class of its operands, and whether it waited at issue.
Which bins there are depends on the table alone, so a new row has its bins at once; `impossible`
says of some why they can never be seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product
from typing import NamedTuple

from unmask.model.machine import Model, Timed
from unmask.spec import isa
from unmask.spec.encoding import Instruction, Kind, Trap

NO_ROW = "(no instruction)"  # a word that decodes to none, or none at all behind the program
LENGTHS = ("0", "part of a chunk", "whole chunks", "chunks and a part")
FLOATS = ("zero", "subnormal", "normal", "infinite", "NaN")
# FP SRAM is read and written by the front end alone, so nothing there is ever waited for.
NEVER_WAIT = ("S_LD_FP", "S_ST_FP", "C_SET_CSR", "C_LOOP_START", "C_LOOP_END")


class Bin(NamedTuple):
    """Attributes: mnemonic, cause (name of the trap or "NONE"), class of operands, waited."""

    mnemonic: str
    cause: str
    operands: str
    waited: bool

    def __str__(self) -> str:
        wait = "after a wait" if self.waited else "at once"
        end = "retires" if self.cause == "NONE" else f"traps {self.cause}"
        return f"{self.mnemonic} {end} {wait}, operands: {self.operands}"


def float_class(code: int) -> str:
    """Class of a BF16 code."""
    exponent, fraction = code >> 7 & 0xFF, code & 0x7F
    if exponent == 0xFF:
        return "NaN" if fraction else "infinite"
    return "normal" if exponent else "subnormal" if fraction else "zero"


def length_class(length: int, vlen: int) -> str:
    """Class of a number of elements."""
    if length == 0:
        return "0"
    if length < vlen:
        return "part of a chunk"
    return "chunks and a part" if length % vlen else "whole chunks"


def _float_operand(row: Instruction) -> str | None:
    """The first f register that it reads, of instructions without a length."""
    if row.length is not None:
        return None
    return next((x.name for x in row.operands if x.kind is Kind.F and not x.written), None)


def classes(row: Instruction) -> tuple[str, ...]:
    """The classes that its operands may have."""
    if row.length is not None:
        return LENGTHS
    return FLOATS if _float_operand(row) else ("-",)


def may_wait(row: Instruction, cause: Trap) -> bool:
    """Whether older transfers can hold it up at issue."""
    if cause is not Trap.NONE or row.mnemonic == "C_BREAK":
        return True
    touches = bool(row.traps) or row.mnemonic.startswith("S_SM_")
    return touches and row.mnemonic not in NEVER_WAIT


def every() -> set[Bin]:
    """All bins."""
    found = {Bin(NO_ROW, "ILLEGAL", "-", waited) for waited in (False, True)}
    for row in isa.TABLE:
        causes = {Trap.NONE, *(cause for cause, _ in row.traps)}
        if row.mnemonic.startswith("C_LOOP"):
            causes.add(Trap.LOOP)
        if row.transfers is not None:
            causes.add(Trap.FATAL)
        for cause, waited in product(causes, (False, True)):
            kinds = classes(row) if cause is Trap.NONE else ("-",)
            found |= {Bin(row.mnemonic, cause.name, kind, waited) for kind in kinds}
    return {x for x in found if impossible(x) is None}


def impossible(kind: Bin) -> str | None:
    """Why a bin can never be seen; None if it can."""
    if kind.mnemonic == NO_ROW:
        return None
    row = isa.BY_MNEMONIC[kind.mnemonic]
    if kind.cause == "FATAL":
        return None if kind.waited else "it is reported when the transfer completes, never at once"
    if kind.waited and not may_wait(row, Trap[kind.cause]):
        return "it touches nothing that a transfer can hold"
    if kind.waited and kind.operands == "0" and "RED_SM" not in row.mnemonic:
        return "with no elements it touches nothing"
    return None


def observed(model: Model) -> Iterator[tuple[Timed, Bin]]:
    """Run a model: each retired instruction and its bin."""
    trace, free = model.trace(), 1  # the first cycle in which the next one could issue
    while True:
        floats = tuple(model.state.f)
        timed = next(trace, None)
        if timed is None:
            return
        yield timed, _bin(timed, floats, timed.issue > free, model.config.vlen)
        free = timed.retire + 1


def _bin(timed: Timed, floats: tuple[int, ...], waited: bool, vlen: int) -> Bin:
    record = timed.record
    row = isa.decode(record.word)
    if row is None or record.word == 0:
        return Bin(NO_ROW, record.cause.name, "-", waited)
    if record.cause is not Trap.NONE:
        fatal = record.cause is Trap.FATAL  # it may complete in the very next cycle
        return Bin(row.mnemonic, record.cause.name, "-", waited or fatal)
    operand = _float_operand(row)
    if row.length is not None:
        kind = length_class(record.length, vlen)
    elif operand:
        field = next(x.field for x in row.operands if x.name == operand)
        kind = float_class(floats[field.get(record.word)])
    else:
        kind = "-"
    return Bin(row.mnemonic, "NONE", kind, waited)


def report(seen: Iterable[Bin]) -> dict[str, object]:
    """How many bins there are and were seen, and the others by name."""
    wanted, found = every(), set(seen)
    missing = sorted(map(str, wanted - found))
    return {"bins": len(wanted), "covered": len(wanted & found), "uncovered": missing}
