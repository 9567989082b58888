"""Runs of a program on a core and a memory, and the least time that they could take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from numpy.typing import NDArray

from unmask.model.machine import Model, Timed
from unmask.model.memory import Memory, Transfer
from unmask.model.outline import Outline
from unmask.model.settings import Core, Profile, beats_per_cycle
from unmask.spec.errors import UsageError
from unmask.spec.state import State


@dataclass(frozen=True)
class Floor:
    """The least cycles for what a run moves, each part alone and without a pause.

    Attributes:
        memory: bytes over the rate of all channels, reads and writes each; the greater.
        lanes: elements that are streamed or loaded, VLEN a cycle; words, one a cycle.
    """

    memory: Fraction
    lanes: Fraction

    @property
    def cycles(self) -> Fraction:
        return max(self.memory, self.lanes)


@dataclass(frozen=True)
class Run:
    """A program's run.

    Attributes:
        timed: its instructions, in the order in which they retired.
        transfers: what its memory instructions moved, in order.
        floor: least cycles for these.
        state: registers and memories afterwards; without data they mean nothing.
    """

    timed: tuple[Timed, ...]
    transfers: tuple[Transfer, ...]
    floor: Floor
    state: State

    @property
    def cycles(self) -> int:
        """Cycles from the start to the last retire."""
        return self.timed[-1].retire + 1

    @property
    def ratio(self) -> float:
        """Cycles over the floor's; infinite where that is 0."""
        least = self.floor.cycles
        return float(self.cycles / least) if least else float("inf")


def floor(transfers: Sequence[tuple[Transfer, bool]], core: Core, profile: Profile) -> Floor:
    """The least cycles in which a core on a memory could move transfers.

    Args:
        transfers: each with whether it writes.
    """
    rate = beats_per_cycle(core, profile) * profile.channels * (profile.beat_bits // 8)
    moved = {True: 0, False: 0}
    lanes = Fraction(0)
    for transfer, writes in transfers:
        for piece in transfer.pieces:
            moved[writes] += piece.end - piece.first + piece.scale_end - piece.scale
            if not writes:
                elements = (piece.end - piece.first) // transfer.layout.size
                lanes += -(-elements // transfer.lanes)
    return Floor(max(moved.values()) / rate, lanes)


def prepared(
    program: Sequence[int],
    core: Core,
    profile: Profile,
    memories: Mapping[str, NDArray[Any]] | None = None,
    hbm_bytes: int = 0,
    data: bool = True,
    faulty: Sequence[tuple[int, int]] = (),
) -> Model:
    """A machine that is about to run a program.

    Args:
        program: words.
        core, profile: what it runs on, see `settings`.
        memories: name -> elements from address 0 on, "hbm" among them.
        hbm_bytes: size of HBM, where it is more than the image.
        data: whether results are wanted; else a run takes a fraction of the time, and is refused
            if its cycles depend on them (`outline`).
        faulty: bytes [first, end) of HBM, whole beats, that answer with an error.

    Raises:
        UsageError: on memories that do not fit, a core that does not fit the profile, or a
            program that cannot run without data.
    """
    given = dict(memories or {})
    size = max(hbm_bytes, given["hbm"].size if "hbm" in given else 0)
    config = core.config(profile, size)
    memory = Memory(core.bus(profile), profile.stall)
    machine = (
        Model(program, config, memory=memory, faulty=faulty)
        if data
        else Outline(program, config, memory, faulty)
    )
    for name, values in given.items():
        if name not in machine.state.memories:
            raise UsageError(f"no memory {name!r}; there are {', '.join(machine.state.memories)}")
        if data:
            machine.state.load(name, values)
    return machine


def run_timed(
    program: Sequence[int],
    core: Core,
    profile: Profile,
    memories: Mapping[str, NDArray[Any]] | None = None,
    hbm_bytes: int = 0,
    data: bool = True,
) -> Run:
    """Run a program to its end; arguments and errors as of `prepared`."""
    machine = prepared(program, core, profile, memories, hbm_bytes, data)
    timed = tuple(machine.trace())
    moved = tuple(machine.moved)
    return Run(
        timed, tuple(transfer for transfer, _ in moved), floor(moved, core, profile), machine.state
    )
