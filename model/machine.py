"""Fast bit-exact execution with cycles.

The model is the specification's interpreter with two additions: vector work runs on whole arrays,
with a table of order keys made from the specification's own function, and each retired
instruction carries the cycles in which it issues and retires.

Time: the cycle after the core takes `start` is cycle 0 and fetches the first word; the first
instruction issues in cycle 1; instructions issue in order, each one cycle after the one before it
retired; a trap retires in the cycle it is found. What an instruction costs is in its row of the
table (`Instruction.cycles`).

`CORE` is the part of the instruction set that the core in `rtl/` executes; every other word is
illegal there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmask.spec import isa
from unmask.spec.bits import arrays
from unmask.spec.encoding import Kind, Step, Trap, csr_operand
from unmask.spec.formats import order_key
from unmask.spec.machine import Machine, Retired
from unmask.spec.reductions import MaxIndex
from unmask.spec.state import Config
from unmask.spec.vectors import Whole

_SET_CSR = isa.BY_MNEMONIC["C_SET_CSR"]
CORE = isa.TABLE.subset(
    (
        "S_LD_FP",
        "S_ST_FP",
        "S_ADD_INT",
        "S_ADDI_INT",
        "S_LUI_INT",
        "S_LD_INT",
        "S_ST_INT",
        "C_LOOP_START",
        "C_LOOP_END",
        "V_RED_MAX_IDX",
        "C_BREAK",
        "C_SET_CSR",
    ),
    {
        "C_SET_CSR": replace(
            _SET_CSR,
            operands=tuple(
                csr_operand("VL") if x.kind is Kind.CSR else x for x in _SET_CSR.operands
            ),
            traps=(),  # VL takes every value
        )
    },
)
FIRST_ISSUE = 1


@dataclass(frozen=True)
class Timed:
    """A retired instruction and the clock cycles in which it issued and retired."""

    record: Retired
    issue: int
    retire: int


@cache
def order_keys() -> NDArray[np.uint16]:
    """`order_key` of all 65,536 BF16 codes; 128 KiB."""
    return order_key(arrays(16, np.arange(1 << 16))).value.astype(np.uint16)


class Fast(Whole):
    """Vectors on arrays; the running argmax by its keys alone."""

    def reduce(self, reduction: Any, start: Any, *operands: Any) -> Any:
        """As `Whole.reduce`; numpy's argmax takes the first of equals too."""
        if reduction is not MaxIndex or self.length(operands[0]) == 0:
            return super().reduce(reduction, start, *operands)
        codes, indices = operands
        place = int(order_keys()[codes.value].argmax())
        winner = MaxIndex.lane(self.at(codes, place), self.at(indices, place))
        return MaxIndex.combine(start, winner)


FAST = Fast()


def duration(record: Retired, vlen: int) -> int:
    """Cycles from issue to retire, both included."""
    row = isa.decode(record.word)
    if record.cause is not Trap.NONE or row is None:
        return 1 + record.examined
    return row.cycles(Step(vlen, record.vl, record.examined, record.length))


class Model(Machine):
    """A core that runs one program, with cycles.

    Args:
        program, config: as `unmask.spec.machine.Machine`.
        table: the instructions that exist; `CORE` for what the RTL executes.
    """

    def __init__(
        self, program: Sequence[int], config: Config | None = None, table: isa.Table = isa.TABLE
    ) -> None:
        super().__init__(program, config, FAST, table)
        self.cycle = FIRST_ISSUE

    def trace(self) -> Iterator[Timed]:
        """Retire instructions, with their cycles, until the program stops or traps."""
        for record in self.run():
            retire = self.cycle + duration(record, self.config.vlen) - 1
            yield Timed(record, self.cycle, retire)
            self.cycle = retire + 1
