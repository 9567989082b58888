"""Functional coverage: what kinds of instructions and runs were seen, in bins from the table.

A bin of an instruction is its row, how it ended, the class of its operands, and whether it waited
at issue for an older transfer; a bin of a run is how it ended and one of its circumstances. Which
bins there are depends on the table alone, so a new row has its bins at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

from unmask.model.machine import Model, Timed
from unmask.spec import isa
from unmask.spec.encoding import FORMATS, Instruction, Kind, Trap
from unmask.tests.strategies import Case

NO_ROW = "(no instruction)"  # a word that decodes to none, or none at all behind the program
RUN = "(run)"
LENGTHS = ("0", "part of a chunk", "whole chunks", "chunks and a part")
FLOATS = ("zero", "subnormal", "normal", "infinite", "NaN")
# FP SRAM is read and written by the front end alone, so nothing there is ever waited for.
NEVER_WAIT = ("S_LD_FP", "S_ST_FP", "C_SET_CSR", "C_LOOP_START", "C_LOOP_END")
HALTED = "halted"
# Vectors in one of `FORMATS`: BF16 by length, the others by name.
FORMATTED = ("H_PREFETCH_V", "H_STORE_V", "H_RED_SM")
# Circumstance of a run -> whether a case has it.
CIRCUMSTANCES = {
    "after a reset": lambda case: case.reset,
    "without a reset": lambda case: not case.reset,
    "a reset in mid-flight before": lambda case: case.abandoned is not None,
    "start and writes while busy": lambda case: case.noise,
    "a window": lambda case: case.window is not None,
    "beats held back": lambda case: case.stall > 0,
    "jitter": lambda case: case.memory[1] > 0,
    "refresh": lambda case: case.memory[5] > 0,
    "one transaction at a time": lambda case: case.memory[8] == 1,
    "answers with errors": lambda case: bool(case.faulty),
}


class Bin(NamedTuple):
    """What of something was seen.

    Attributes:
        what: mnemonic, `NO_ROW` or `RUN`.
        end: name of the trap, "NONE", or of a run `HALTED`.
        kind: class of operands, or the circumstance.
        waited: at issue.
    """

    what: str
    end: str
    kind: str
    waited: bool = False

    def __str__(self) -> str:
        end = {"NONE": "no trap", HALTED: HALTED}.get(self.end, self.end)
        return f"{self.what}, {end}, {self.kind}" + (", after a wait" if self.waited else "")


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


def _format(row: Instruction, word: int, csrs: dict[str, int]) -> int:
    """Number of the format of the elements that it moves."""
    if row.mnemonic not in FORMATTED:
        return 0
    fields = {x.name: x.field.get(word) for x in row.operands}
    return fields["format"] if "format" in fields else csrs[f"FMT{fields['precision']}"]


def classes(row: Instruction) -> tuple[str, ...]:
    """The classes that its operands may have."""
    if row.mnemonic in FORMATTED:
        return (*LENGTHS, *(f"in {name}" for name in list(FORMATS)[1:]))
    if row.length is not None:
        return LENGTHS
    return FLOATS if _float_operand(row) else ("any operands",)


def may_wait(row: Instruction, cause: Trap, kind: str) -> bool:
    """Whether older transfers can hold it up at issue."""
    if cause is not Trap.NONE or row.mnemonic == "C_BREAK":
        return True
    touches = bool(row.traps) or row.mnemonic.startswith("S_SM_")
    if not touches or row.mnemonic in NEVER_WAIT:
        return False
    return kind != "0" or "RED_SM" in row.mnemonic  # a reduction of nothing still empties a state


def every() -> list[Bin]:
    """All bins, those of instructions in the table's order."""
    found = [Bin(NO_ROW, "ILLEGAL", "any word", waited) for waited in (False, True)]
    ends = {Trap.NONE: None, Trap.ILLEGAL: None, Trap.LOOP: None}
    for row in isa.TABLE:
        causes = {Trap.NONE: None} | {cause: None for cause, _ in row.traps}
        if row.mnemonic.startswith("C_LOOP"):
            causes[Trap.LOOP] = None
        if row.transfers is not None:
            causes[Trap.FATAL] = None
        ends |= causes
        for cause in causes:
            for kind in classes(row) if cause is Trap.NONE else ("any operands",):
                waits = (True,) if cause is Trap.FATAL else (False, True)  # when it completes
                found += [
                    Bin(row.mnemonic, cause.name, kind, waited)
                    for waited in waits
                    if not waited or may_wait(row, cause, kind)
                ]
    names = [*(cause.name for cause in ends), HALTED]
    return found + [Bin(RUN, end, kind) for end, kind in product(names, CIRCUMSTANCES)]


def of_run(case: Case, cause: Trap | None) -> Iterator[Bin]:
    """The bins of a case; no cause: it was halted."""
    end = HALTED if cause is None else cause.name
    for name, has in CIRCUMSTANCES.items():
        if has(case):
            yield Bin(RUN, end, name)


def observed(model: Model) -> Iterator[tuple[Timed, Bin]]:
    """Run a model: each retired instruction and its bin."""
    trace, free = model.trace(), 1  # the first cycle in which the next one could issue
    while True:
        floats, csrs = tuple(model.state.f), dict(model.state.csrs)
        timed = next(trace, None)
        if timed is None:
            return
        yield timed, _bin(timed, floats, csrs, timed.issue > free, model.config.vlen)
        free = timed.retire + 1


def _bin(
    timed: Timed, floats: tuple[int, ...], csrs: dict[str, int], waited: bool, vlen: int
) -> Bin:
    record = timed.record
    row = isa.decode(record.word)
    if row is None:
        return Bin(NO_ROW, record.cause.name, "any word", waited)
    if record.cause is not Trap.NONE:
        fatal = record.cause is Trap.FATAL  # it may complete in the very next cycle
        return Bin(row.mnemonic, record.cause.name, "any operands", waited or fatal)
    operand = _float_operand(row)
    form = _format(row, record.word, csrs)
    if form and record.length:
        kind = f"in {list(FORMATS)[form]}"
    elif row.length is not None:
        kind = length_class(record.length, vlen)
    elif operand:
        field = next(x.field for x in row.operands if x.name == operand)
        kind = float_class(floats[field.get(record.word)])
    else:
        kind = "any operands"
    return Bin(row.mnemonic, "NONE", kind, waited)
