"""What a run took and where its cycles went, kept in numbers while it runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

import numpy as np

from unmask.model.machine import Model, Timed
from unmask.model.run import Floor, floor
from unmask.model.settings import Core, Profile
from unmask.spec import isa
from unmask.spec.encoding import Trap
from unmask.spec.machine import Retired
from unmask.spec.state import MEMORIES

WAITING = "waiting for memory"
# Unit -> what its mnemonics begin with; the first that fits counts.
UNITS = {
    "control": ("C_",),
    "memory issue": ("H_",),
    "softmax state": ("S_SM_", "V_RED_SM", "S_LD_KEY", "S_ST_KEY"),
    "masks and ranks": ("V_KEY_MASK", "V_TOPK", "V_CMP", "S_SELECT"),
    "vector": ("V_", "S_MAP_V_FP"),
    "scalar BF16": ("S_ADD_FP", "S_SUB_FP", "S_MAX_FP", "S_MUL_FP", "S_EXP_FP", "S_RECI_FP",
                    "S_SQRT_FP", "S_LD_FP", "S_ST_FP"),
    "scalar integer": ("S_",),
}  # fmt: skip
ILLEGAL = "illegal word"


@cache
def unit_of(word: int) -> str:
    """The unit that a word keeps busy from issue to retire."""
    row = isa.decode(word)
    if row is None:
        return ILLEGAL
    return next(unit for unit, begins in UNITS.items() if row.mnemonic.startswith(begins))


@dataclass(frozen=True)
class Measured:
    """A run in numbers.

    Attributes:
        cycles: from the start to the last retire.
        instructions: retired.
        units: unit -> cycles in which the front end was at it; they add up to `cycles`.
        bytes_read, bytes_written: of HBM, elements and scales.
        floor: least cycles for what was moved.
        sram: memory -> elements from 0 to the last one touched.
        last: how the run ended.
    """

    cycles: int
    instructions: int
    units: dict[str, int]
    bytes_read: int
    bytes_written: int
    floor: Floor
    sram: dict[str, int]
    last: Retired

    @property
    def ratio(self) -> float | None:
        """Cycles over the floor's; None where nothing is moved."""
        least = self.floor.cycles
        return float(self.cycles / least) if least else None

    @property
    def stopped(self) -> bool:
        """Whether it ended by itself, without a trap."""
        return self.last.cause is Trap.NONE

    @property
    def sram_bytes(self) -> int:
        """SRAM up to the last element touched, of all memories, without FIFOs and program."""
        sizes = {name: np.dtype(kind).itemsize for name, kind in MEMORIES.items()}
        return sum(count * sizes[name] for name, count in self.sram.items())

    def times(self, count: int) -> Measured:
        """So many such runs, one after the other."""
        return Measured(
            self.cycles * count,
            self.instructions * count,
            {unit: cycles * count for unit, cycles in self.units.items()},
            self.bytes_read * count,
            self.bytes_written * count,
            Floor(self.floor.memory * count, self.floor.lanes * count),
            self.sram,
            self.last,
        )


def measure(
    machine: Model,
    core: Core,
    profile: Profile,
    watch: Callable[[Iterator[Timed]], Iterable[Timed]] = iter,
) -> Measured:
    """Run a machine to its end.

    Args:
        machine: from `run.prepared`, for this core and profile.
        watch: what the instructions go through on their way, for a display.
    """
    units: Counter[str] = Counter(control=1)  # cycle 0, the start
    sram: Counter[str] = Counter()
    before, count, last = 0, 0, None
    for timed in watch(machine.trace()):
        waited = timed.issue - before - 1
        if waited:
            units[WAITING] += waited
        units[unit_of(timed.record.word)] += timed.retire - timed.issue + 1
        before, count, last = timed.retire, count + 1, timed.record
        touched = machine.touched
        for access in (*touched.reads, *touched.writes) if touched is not None else ():
            if access.memory not in ("hbm", "softmax"):
                sram[access.memory] = max(sram[access.memory], access.end)
    assert last is not None  # the word behind the end retires, as a trap
    moved = {True: 0, False: 0}
    for transfer, writes in machine.moved:
        for piece in transfer.pieces:
            moved[writes] += piece.end - piece.first + piece.scale_end - piece.scale
    return Measured(
        before + 1,
        count,
        dict(units.most_common()),
        moved[False],
        moved[True],
        floor(machine.moved, core, profile),
        dict(sram),
        last,
    )


def nanoseconds(cycles: int | Fraction, core: Core) -> float:
    """Time of cycles at a core's clock."""
    return float(cycles) / core.clock_ghz
