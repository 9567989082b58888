"""Some cycles of a run: the instructions that are at work in them, the busy channels and lanes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmask.model.machine import Model, Timed
from unmask.spec.machine import Retired

MOST_CYCLES = 20_000
MOST_ROWS = 400  # instructions


@dataclass(frozen=True)
class Entry:
    """An instruction.

    Attributes:
        timed: its cycles.
        ready: first cycle in which it could have issued, had it not had to wait.
    """

    timed: Timed
    ready: int


@dataclass(frozen=True)
class Window:
    """What happens in cycles [first, end).

    Attributes:
        entries: instructions that are waiting, at work or under way in it, in order.
        more: how many further ones are left out.
        reads, writes: (C + 1, end - first) whether a channel moves a beat; last row: the lanes
            take, or the quantiser gives, a slice.
        ended: whether the run ends in it.
        last: the last record; of the run, if that ends in it.
    """

    first: int
    end: int
    entries: tuple[Entry, ...]
    more: int
    reads: NDArray[np.bool_]
    writes: NDArray[np.bool_]
    ended: bool
    last: Retired


def look(
    machine: Model,
    first: int,
    end: int,
    watch: Callable[[Iterator[Timed]], Iterable[Timed]] = iter,
) -> Window:
    """Run a machine that has not begun until cycle `end`.

    Args:
        machine: from `run.prepared`.
        first, end: cycles.
        watch: what the instructions go through on their way, for a display.
    """
    machine.memory.window = (first, end)
    found: list[Entry] = []
    more, ready = 0, 1
    last: Retired | None = None
    for timed in watch(machine.trace()):
        if ready >= end:
            break
        last = timed.record
        if timed.complete >= first:
            if len(found) < MOST_ROWS:
                found.append(Entry(timed, ready))
            else:
                more += 1
        ready = timed.retire + 1
    assert last is not None  # the first word is ready in cycle 1
    return Window(
        first,
        end,
        tuple(found),
        more,
        _busy(machine.memory.reads),
        _busy(machine.memory.writes),
        machine.stopped and ready <= end,
        last,
    )


def _busy(side: Any) -> NDArray[np.bool_]:
    busy: NDArray[np.bool_] = side.busy
    return busy
