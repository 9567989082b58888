"""The recurrences of the bus against state machines that are stepped one cycle at a time."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pytest import MonkeyPatch

from unmask.model import kernel
from unmask.model.machine import Model
from unmask.model.memory import Memory, Piece, Transfer
from unmask.model.pipeline import Footprint, Pipeline
from unmask.model.settings import Bus
from unmask.spec import isa
from unmask.spec.assembler import assemble
from unmask.spec.encoding import Trap
from unmask.spec.instructions.memory import Layout
from unmask.spec.machine import Access, Machine
from unmask.spec.mx import E4M3
from unmask.spec.state import Config
from unmask.tests.model.bus_machine import Wires, noise, read_all, stalls, write_all

STREAM, STORE = isa.BY_MNEMONIC["H_RED_SM"], isa.BY_MNEMONIC["H_ST_INT"]
TAIL = 3 + 7 + 2 * 1  # of a stream with two lanes


@dataclass(frozen=True)
class Drawn:
    """A bus, its random stalls, and transfers: (delay, pieces, layout, lanes) each."""

    bus: Bus
    stall: float
    transfers: list[tuple[int, tuple[Piece, ...], Layout, int]]


@st.composite
def buses(draw: st.DrawFn) -> tuple[Bus, float]:
    """Small ones, in which everything can be what holds up the rest."""
    channels, beat = draw(st.sampled_from([1, 1, 2, 4])), draw(st.sampled_from([8, 8, 16]))
    cycles, beats = draw(st.sampled_from([(1, 1), (1, 1), (5, 4), (3, 2), (256, 115), (4, 1)]))
    period = draw(st.sampled_from([1, 1, 50, 97]))
    bus = Bus(
        channels=channels,
        beat=beat,
        burst=draw(st.sampled_from([1, 2, 4, 16, 32])),
        outstanding=draw(st.sampled_from([1, 2, 3, 16])),
        fifo=draw(st.sampled_from([1, 2, 3, 16])),
        ring=5 * channels + 1 + draw(st.integers(0, 9) | st.just(200)),
        latency=draw(st.sampled_from([1, 2, 7, 40])),
        jitter=draw(st.sampled_from([0, 0, 1, 30])),
        cycles=cycles,
        beats=beats,
        refresh_period=period,
        refresh_cycles=draw(st.sampled_from([1, 20])) if period > 1 else 0,
        refresh_shift=draw(st.sampled_from([0, 11])) if period > 1 else 0,
        seed=draw(st.integers(0, 5)),
    )
    return bus, draw(st.sampled_from([0, 0, 0.2, 0.7]))


@st.composite
def drawn(draw: st.DrawFn) -> Drawn:
    """Transfers of every layout: head and tail anywhere, scales anywhere."""
    bus, stall = draw(buses())
    transfers = []
    for _ in range(draw(st.integers(1, 6))):
        layout = draw(st.sampled_from([Layout(1, 8, E4M3), Layout(1, 32, E4M3), Layout(2)]))
        pieces = []
        for _ in range(draw(st.sampled_from([1, 1, 1, 3]))):
            first = draw(st.integers(0, 40)) * 8
            length = draw(st.integers(1, 30) | st.integers(1, 1500)) * layout.size
            blocks = -(-length // layout.block) if layout.element else 0
            scale = draw(st.integers(2000, 2080)) if layout.element else 0
            pieces.append(Piece(first, first + length, scale, scale + blocks))
        delay = draw(st.sampled_from([1, 1, 3, 60]))
        lanes = draw(st.sampled_from([1, 2, 8, 64]))
        transfers.append((delay, tuple(pieces), layout, lanes))
    return Drawn(bus, stall, transfers)


READ, WRITE = 0, 1  # streams of random stalls; those of latencies are 2 and 3


def wires_of(bus: Bus, stall: float, stream: int) -> Wires:
    def gap(channel: int, ordinal: int) -> int:
        evenly = (ordinal + 1) * bus.cycles // bus.beats - ordinal * bus.cycles // bus.beats - 1
        return evenly + stalls(stall, noise(bus.seed, stream, channel, ordinal))

    def latency(channel: int, ordinal: int) -> int:
        return bus.latency + noise(bus.seed, stream + 2, channel, ordinal) % (bus.jitter + 1)

    def closed(channel: int, cycle: int) -> bool:
        if not bus.refresh_cycles:
            return False
        phase = (cycle + bus.refresh_shift * channel) % bus.refresh_period
        return phase >= bus.refresh_period - bus.refresh_cycles

    return Wires(
        bus.channels,
        bus.beat,
        bus.burst,
        bus.outstanding,
        bus.fifo,
        bus.ring,
        gap,
        latency,
        closed,
    )


def test_what_is_random():
    """Numbers that hardware must give too."""
    places = [(0, 0, 0, 0), (0, 0, 0, 1), (0, 1, 0, 1), (0, 0, 1, 1), (5, 3, 31, 123_456)]
    wanted = [0x00000000, 0x6D523710, 0x3BF15977, 0xC3FCAF5C, 0xFAD8984E]
    assert [kernel.drawn(*place) for place in places] == wanted
    assert [noise(*place) for place in places] == wanted
    bus = Bus(2, 8, 16, 4, 4, 64, 10, 7, 1, 1, 1, 0, 0, 3)
    found = [kernel.latency_of(bus, kernel.READ, 1, k) for k in range(12)]
    assert found == [11, 17, 14, 16, 11, 11, 13, 16, 17, 14, 13, 17]
    cuts = kernel.side(bus, 0.7).cuts
    found = [kernel.stall_of(cuts, 3, kernel.WRITE, 1, k) for k in range(20)]
    assert found == [5, 1, 0, 0, 4, 1, 3, 4, 0, 0, 1, 0, 0, 0, 2, 0, 1, 0, 0, 0]


@cache
def interpreted() -> ModuleType:
    """The kernel as it is where numba is not installed."""
    found = spec_from_file_location("kernel_without_numba", kernel.__file__)
    assert found is not None and found.loader is not None
    module = module_from_spec(found)
    with MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "numba", None)
        found.loader.exec_module(module)
    assert not hasattr(module.read_piece, "py_func")
    return module


def modelled(case: Drawn, row, memory: Memory) -> tuple[list[int], list[int]]:
    pipeline, issues, ends = Pipeline(2, memory), [], []
    hbm = (Access("hbm", 0, 1),) if row is STORE else ()
    for delay, pieces, layout, lanes in case.transfers:
        touched = Footprint(row, (), hbm, Transfer(pieces, layout, lanes))
        issue = pipeline.issue(touched, last=False)
        pipeline.place(delay, touched, issue)
        issues.append(issue)
        ends.append(pipeline.pending[-1].done)
    return issues, ends


# The scales of each segment share a beat with the next one's, the ring is just full, and an address
# that goes out too early shows.
RING = Bus(1, 8, 32, 16, 16, 8, 300, 0, 1, 1, 1, 0, 0, 0)
SHARED = Drawn(RING, 0, [(1, (Piece(0, 1024, 2004, 2132),), Layout(1, 8, E4M3), 8)])


@settings(max_examples=150)
@given(case=drawn())
@example(case=SHARED)
def test_reads_are_what_the_hardware_does(case):
    transfers = [
        (
            delay,
            [(p.first, p.end, p.scale) for p in pieces],
            min(lanes * layout.size, case.bus.channels * case.bus.beat),
            layout.block if layout.element else 0,
        )
        for delay, pieces, layout, lanes in case.transfers
    ]
    wanted = read_all(wires_of(case.bus, case.stall, READ), transfers, TAIL)
    assert modelled(case, STREAM, Memory(case.bus, case.stall)) == wanted


@settings(max_examples=100)
@given(case=drawn())
def test_writes_are_what_the_hardware_does(case):
    transfers = []
    for delay, pieces, layout, lanes in case.transfers:
        stripe = case.bus.channels * case.bus.beat
        pace = max(1, layout.block // lanes)  # rows of a block
        scales = min(max(1, lanes // layout.block), stripe)
        regions = []
        for p in pieces:
            regions.append((p.first, p.end, min(lanes * layout.size, stripe), 1))
            if p.scale < p.scale_end:
                regions.append((p.scale, p.scale_end, scales, pace))
        transfers.append((delay, regions, pace - 1 if layout.element else 0))
    wanted = write_all(wires_of(case.bus, case.stall, WRITE), transfers)
    assert modelled(case, STORE, Memory(case.bus, case.stall)) == wanted


@given(case=drawn())
@settings(max_examples=25)
def test_compiled_and_plain_are_one(case):
    for row in (STREAM, STORE):
        compiled = modelled(case, row, Memory(case.bus, case.stall))
        assert compiled == modelled(case, row, Memory(case.bus, case.stall, interpreted()))


class Recorded(list[Any]):
    """A value for each channel that remembers all it ever was."""

    def __init__(self, channels: int) -> None:
        super().__init__([kernel.LONG_AGO] * channels)
        self.past: list[list[int]] = [[] for _ in range(channels)]

    def __setitem__(self, channel, value):
        super().__setitem__(channel, value)
        self.past[channel].append(int(value))


def seen(case: Drawn, row, patch: MonkeyPatch) -> tuple[list[list[int]], ...]:
    """Of each channel the cycles of its beats, of its addresses, and of the ends of its bursts."""
    module = interpreted()
    last: Any = Recorded(case.bus.channels)
    addresses: list[list[int]] = [[] for _ in range(case.bus.channels)]
    ends: list[list[int]] = [[] for _ in range(case.bus.channels)]
    open_burst, close_burst = module.open_burst, module.close_burst

    def opened(bus, side, channel, earliest):
        cycle = open_burst(bus, side, channel, earliest)
        addresses[channel].append(int(cycle))
        return cycle

    def closed(bus, side, channel, cycle):
        close_burst(bus, side, channel, cycle)
        ends[channel].append(int(cycle))

    patch.setattr(module, "open_burst", opened)
    patch.setattr(module, "close_burst", closed)
    memory = Memory(case.bus, case.stall, module)
    memory.reads = memory.reads._replace(last=last)
    memory.writes = memory.writes._replace(last=last)
    modelled(case, row, memory)
    return last.past, addresses, ends


def beats_needed(case: Drawn, channel: int) -> int:
    """Beats of a channel that transfers touch; a piece reads each of them once."""
    return sum(
        sum(beat % case.bus.channels == channel for beat in range(a // w, (b - 1) // w + 1))
        for _, pieces, _, _ in case.transfers
        for p in pieces
        for a, b in ((p.first, p.end), (p.scale, p.scale_end))
        if a < b and (w := case.bus.beat)
    )


@given(case=drawn())
@settings(max_examples=40)
def test_rates_and_limits_hold(case):
    for row in (STREAM, STORE):
        with MonkeyPatch.context() as patch:
            beats, addresses, ends = seen(case, row, patch)
        for channel in range(case.bus.channels):
            at = np.array(beats[channel], int)
            assert len(at) == beats_needed(case, channel)
            assert (np.diff(at) > 0).all()
            places = np.arange(len(at))
            spread = at[None, :] - at[:, None] + 1
            least = (places[None, :] - places[:, None]) * case.bus.cycles
            assert (spread * case.bus.beats > least)[np.triu_indices(len(at))].all()
            sent = addresses[channel]
            assert sent == sorted(set(sent))  # one a cycle, in order
            bursts = list(zip(sent, ends[channel], strict=True))
            for now in sent:
                under_way = sum(first <= now <= end for first, end in bursts)
                assert under_way <= case.bus.outstanding


def slower(bus: Bus) -> list[tuple[Bus, float]]:
    """Memories that are in one way worse, with their stalls."""
    return [
        (bus._replace(latency=bus.latency + 3), 0.2),
        (bus._replace(jitter=bus.jitter + 9) if not bus.jitter else bus, 0.2),
        (bus._replace(cycles=bus.cycles + bus.beats), 0.2),
        (bus, 0.5),
        (bus._replace(refresh_period=60, refresh_cycles=20), 0.2),
    ]


@given(case=drawn())
@settings(max_examples=40)
def test_a_slower_memory_makes_nothing_earlier(case):
    bus = case.bus._replace(refresh_period=1, refresh_cycles=0, refresh_shift=0)
    for row in (STREAM, STORE):
        before = modelled(case, row, Memory(bus, 0.2))
        for worse, stall in slower(bus):
            after = modelled(case, row, Memory(worse, stall))
            assert all(x <= y for old, new in zip(before, after, strict=True)
                       for x, y in zip(old, new, strict=True))  # fmt: skip


@pytest.mark.parametrize("row", [STREAM, STORE], ids=["read", "write"])
def test_a_single_beat(row):
    """Read: issue 1, address 3, data 10 later, in the lanes a cycle after that. Write: slice 7,
    address 8, data 9, answer 10 later."""
    bus = Bus(1, 8, 16, 4, 4, 64, 10, 0, 1, 1, 1, 0, 0, 0)
    case = Drawn(bus, 0, [(1, (Piece(8, 16),), Layout(2), 4)])
    assert modelled(case, row, Memory(bus)) == ([1], [14] if row is STREAM else [19])


@pytest.mark.parametrize(("mnemonic", "said"), [("H_LD_INT", 40), ("H_ST_INT", 32)])
def test_a_failed_store_says_its_burst_a_read_its_beat(mnemonic, said):
    """Eight beats in bursts of four, of which the sixth fails; one answer stands for a burst."""
    words = assemble(f"S_ADDI_INT gp1, gp0, 16\n{mnemonic} gp0, gp0, a0, gp1\nC_BREAK")
    bus = Bus(1, 8, 4, 4, 4, 32, 1, 0, 1, 1, 1, 0, 0, 0)
    config = Config(int_words=16, hbm_bytes=1024)
    *_, last = Model(words, config, memory=Memory(bus), faulty=[(40, 48)]).run()
    assert (last.cause, last.fault) == (Trap.FATAL, said)
    *_, last = Machine(words, config, faulty=[(40, 48)]).run()
    assert (last.cause, last.fault) == (Trap.FATAL, 40)
