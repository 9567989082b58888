"""Fast bit-exact execution with cycles.

The model is the specification's interpreter with two additions: vector reductions run on whole
arrays with a table of order keys made from the specification's own function, and each retired
instruction carries the cycles in which it issues and retires.

Time: the cycle after the core takes `start` is cycle 0 and fetches the first word; the first
instruction issues in cycle 1; instructions issue in order, each one cycle after the one before it
retired; a trap retires in the cycle it is found. What an instruction costs is in its row of the
table (`Instruction.cycles`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmask.spec import isa
from unmask.spec.bits import Bits, arrays, ints
from unmask.spec.encoding import Step, Trap
from unmask.spec.formats import order_key
from unmask.spec.machine import Machine, Retired
from unmask.spec.reductions import Candidate
from unmask.spec.state import Config

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


def fold_keys(reduction: Any, codes: NDArray[np.uint16], base: Bits, start: Candidate) -> Candidate:
    """The reduction of `codes` by their keys; numpy's argmax takes the first of equals too.

    Args:
        reduction: `MaxIndex`.
        codes: BF16 bit patterns, shape (VL,).
        base: index of the first.
        start: the running maximum.
    """
    if codes.size == 0:
        return start
    place = int(order_keys()[codes].argmax())
    winner = reduction.lane(ints(16, int(codes[place])), base + (place & 0xFFFFFFFF))
    best: Candidate = reduction.combine(start, winner)
    return best


def duration(record: Retired, vlen: int) -> int:
    """Cycles from issue to retire, both included."""
    step = Step(vlen, record.vl, record.examined)
    row = isa.decode(record.word)
    if record.cause is not Trap.NONE or row is None:
        return 1 + record.examined
    return row.cycles(step)


class Model(Machine):
    """A core that runs one program, with cycles. Arguments as `unmask.spec.machine.Machine`."""

    def __init__(self, program: Sequence[int], config: Config | None = None) -> None:
        super().__init__(program, config, fold_keys)
        self.cycle = FIRST_ISSUE

    def trace(self) -> Iterator[Timed]:
        """Retire instructions, with their cycles, until the program stops or traps."""
        for record in self.run():
            retire = self.cycle + duration(record, self.config.vlen) - 1
            yield Timed(record, self.cycle, retire)
            self.cycle = retire + 1
