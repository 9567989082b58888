"""When instructions issue, retire and complete: the front end, the queues, and who waits for whom.

The rules are in `model/README.md`; this is their text.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import inf

from unmask.model.memory import DEQUANTISE, TO_SRAM, Memory, Transfer
from unmask.spec.encoding import Instruction
from unmask.spec.machine import Access

FIRST_ISSUE = 1
QUEUED_READS = 3  # one that the lanes work on, two behind it
TO_STATE = 7  # codes at the lanes to the end of a state, and twice the levels of the tree


@dataclass(frozen=True)
class Footprint:
    """What an instruction touches beside registers.

    Attributes:
        row: of the table.
        reads, writes: ranges of SRAM, of "hbm" and of "softmax", whose elements are the states.
        transfer: what it moves; None where it is no memory instruction.
    """

    row: Instruction
    reads: tuple[Access, ...] = ()
    writes: tuple[Access, ...] = ()
    transfer: Transfer | None = None

    @property
    def stores(self) -> bool:
        """Whether it writes HBM."""
        return any(access.memory == "hbm" for access in self.writes)

    @property
    def moves(self) -> bool:
        """Whether it is a transfer of anything."""
        return self.transfer is not None and bool(self.transfer.pieces)


@dataclass(frozen=True)
class Pending:
    """A memory instruction that has retired and is under way.

    Attributes:
        footprint: what it holds until it completes.
        done: cycle of its last slice at the lanes; of a store, of its last answer.
        complete: cycle after which everything it did can be seen.
    """

    footprint: Footprint
    done: int
    complete: int


def meet(some: Iterable[Access], others: Iterable[Access]) -> bool:
    """Whether two sets of ranges share an element."""
    return any(
        a.memory == b.memory and a.first < b.end and b.first < a.end for a in some for b in others
    )


class Pipeline:
    """Cycles of the instructions of a run, given one after the other.

    Args:
        vlen: lanes.
        memory: what moves the transfers.

    Attributes:
        next: the next instruction's first possible cycle.
        pending: transfers under way.
        fault: when the first transfer that failed completes: the last cycle in which anything
            issues.
    """

    def __init__(self, vlen: int, memory: Memory) -> None:
        self.memory = memory
        self.next = FIRST_ISSUE
        self.fault: float = inf
        self.pending: list[Pending] = []
        self._levels = vlen.bit_length() - 1
        self._reads = deque([0] * QUEUED_READS, QUEUED_READS)  # when these complete
        self._stored = 0  # when the last store completes

    def issue(self, footprint: Footprint | None, last: bool) -> int:
        """The cycle in which the next instruction issues.

        Args:
            footprint: what it touches; None where it traps.
            last: whether the run ends with it: older work then completes first.
        """
        issue = self.next
        self.pending = [old for old in self.pending if old.complete >= issue]
        for old in self.pending:
            if last:
                issue = max(issue, old.complete + 1)
            elif footprint is not None:
                issue = max(issue, _after(old, footprint))
        if footprint is not None and footprint.moves:
            issue = max(issue, (self._stored if footprint.stores else self._reads[0]) + 1)
        return issue

    def place(self, cycles: int, footprint: Footprint | None, issue: int) -> tuple[int, int, int]:
        """Cycles in which the instruction issues, retires and completes.

        Args:
            cycles: from issue to retire, both included.
            footprint: as of `issue`.
            issue: what that gave.
        """
        self.next = issue + cycles
        retire = complete = self.next - 1
        if footprint is not None and footprint.moves:
            assert footprint.transfer is not None
            if footprint.stores:
                done = self.memory.write(footprint.transfer, issue)
                complete = self._stored = done + 1
            else:
                done = self.memory.read(footprint.transfer, issue)
                complete = done + DEQUANTISE + self._behind(footprint)
                self._reads.append(complete)
            self.pending.append(Pending(footprint, done, complete))
        return issue, retire, complete

    def fail(self) -> int:
        """The transfer that was placed last is one that the memory refuses; when it completes."""
        last = self.pending[-1]
        if last.footprint.stores:
            # Which refused burst is the lowest is looked for, a channel a cycle.
            late = last.complete + self.memory.bus.channels + 1
            self.pending[-1] = last = replace(last, complete=late)
            self._stored = late
        self.fault = min(self.fault, last.complete)
        return last.complete

    def _behind(self, footprint: Footprint) -> int:
        """Cycles from the last codes to the end of what a read does with them."""
        if footprint.row.mnemonic == "H_RED_SM":
            return 2 * self._levels + TO_STATE
        return TO_SRAM


def _after(old: Pending, new: Footprint) -> int:
    """The first cycle in which an instruction may issue while an older transfer is under way."""
    held = old.footprint
    if meet(held.writes, (*new.reads, *new.writes)) or meet(held.reads, new.writes):
        return old.complete + 1
    if new.row.mnemonic == "V_RED_SM" and held.row.mnemonic == "H_RED_SM":
        return old.done + DEQUANTISE  # its first chunk comes to the lanes behind the last slice
    return 0
