"""The bus as hardware: registers and state machines, one clock cycle at a time.

Written from `model/README.md` and not from the recurrences. In each cycle all parts look at what
the registers held when the cycle began, and change them for the next. It enumerates bytes, so it is
for small transfers only.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction

SEGMENT = 32
NEVER = 10**9


@dataclass(frozen=True)
class Wires:
    """Numbers of a bus, and the memory's moods: (channel, ordinal) -> cycles."""

    channels: int
    beat: int
    burst: int
    outstanding: int
    fifo: int
    ring: int
    gap: Callable[[int, int], int]
    latency: Callable[[int, int], int]
    closed: Callable[[int, int], bool]  # (channel, cycle): in refresh


def noise(seed: int, stream: int, channel: int, ordinal: int) -> int:
    """32 random bits: stream 0 and 1 for stalls, 2 and 3 for latencies, of reads and writes."""

    def times(number: int, factor: int) -> int:
        return number * factor % (1 << 32)

    x = times(ordinal, 0x9E3779B1) + times(channel, 0x85EBCA6B)
    x = (x + times(4 * seed + stream, 0x27D4EB2F)) % (1 << 32)
    x = times(x ^ x >> 16, 0x7FEB352D)
    x = times(x ^ x >> 15, 0x046CA68B)
    return x ^ x >> 16


def stalls(share: float, number: int) -> int:
    """Cycles of a random stall: one more with probability `share`, at most 16, by 16 bits."""
    gap, left = 0, Fraction(str(share))
    while gap < 16 and number % (1 << 16) < int((1 << 16) * left ** (gap + 1)):
        gap += 1
    return gap


@dataclass
class Stripe:
    """What the lanes take together: a beat of each of some channels."""

    channels: list[int]
    slices: int
    scales: list[int]  # numbers of the scale beats that must be there
    frees: int | None  # scale beats done with when its last slice has been taken
    last_of: int | None  # number of the transfer that it ends


@dataclass
class Burst:
    """An entry of a channel's list of addresses; one without beats only takes a cycle."""

    beats: list[int | None]  # of each beat its place in the ring; None: an element beat
    needs: int  # places that must be there before it goes out: freed + ring >= needs; 0: none
    from_cycle: int
    sent: int = NEVER


@dataclass
class Channel:
    """One AXI master and the memory behind it."""

    todo: deque[Burst] = field(default_factory=deque)
    flying: deque[Burst] = field(default_factory=deque)
    fifo: int = 0
    bursts: int = 0  # that went out
    beats: int = 0  # that were offered
    took: int = 0  # beats of the burst in front
    wait: int | None = None  # cycles until the beat in front is offered; None: not begun
    offered: bool = False
    latencies: deque[int] = field(default_factory=deque)
    addresses: list[int] = field(default_factory=list)
    handshakes: list[int] = field(default_factory=list)


def runs(beats: list[int], wires: Wires) -> list[list[int]]:
    """Beats of one channel, ascending, as bursts: neighbours, cut at multiples of `burst`."""
    found: list[list[int]] = []
    for beat in beats:
        local = beat // wires.channels
        if found and local % wires.burst and local == found[-1][-1] // wires.channels + 1:
            found[-1].append(beat)
        else:
            found.append([beat])
    return found


class ReadMachine:
    """The read side: a queue of three transfers, channels, FIFOs, scale ring and lanes."""

    def __init__(self, wires: Wires) -> None:
        self.wires = wires
        self.channels = [Channel() for _ in range(wires.channels)]
        self.stripes: deque[Stripe] = deque()
        self.slices = 0  # taken of the stripe in front
        self.arrived: set[int] = set()
        self.asked = self.freed = 0
        self.done: dict[int, int] = {}
        self.issued = 0

    def enqueue(self, number: int, pieces, slice_bytes: int, block: int, cycle: int) -> None:
        """A transfer that issues in this cycle: its addresses may go out two cycles later."""
        for place, (first, end, scale) in enumerate(pieces):
            last = number if place == len(pieces) - 1 else None
            self._list(first, end, scale, slice_bytes, block, cycle + 2, last)

    def _list(self, first, end, scale, slice_bytes, block, cycle, last) -> None:
        wires = self.wires
        stripe_bytes = wires.channels * wires.beat
        stripes: dict[int, set[int]] = {}
        for byte in range(first, end):
            stripes.setdefault(byte // stripe_bytes, set()).add(byte)
        segments: dict[int, list[int]] = {}
        for number in stripes:
            segments.setdefault(number // SEGMENT, []).append(number)
        scale_beats = {
            segment: {
                (scale + (byte - first) // block) // wires.beat
                for number in numbers
                for byte in stripes[number]
            }
            if block
            else set()
            for segment, numbers in segments.items()
        }
        known: dict[int, int] = {}
        if block:  # a channel's scale beats have their places in its own part of the ring
            self.asked += (scale // wires.beat - self.asked) % wires.channels
        for segment, numbers in segments.items():
            new = sorted(scale_beats[segment] - set(known))
            for beat in new:
                known[beat] = self.asked
                self.asked += 1
            needs = self.asked if block else 0
            for channel, part in enumerate(self.channels):
                listed = len(part.todo)
                mine = [beat for beat in new if beat % wires.channels == channel]
                for run in runs(mine, wires):
                    numbered: list[int | None] = [known[beat] for beat in run]
                    part.todo.append(Burst(numbered, needs, cycle))
                elements = sorted(
                    {
                        byte // wires.beat
                        for number in numbers
                        for byte in stripes[number]
                        if byte // wires.beat % wires.channels == channel
                    }
                )
                for run in runs(elements, wires):
                    part.todo.append(Burst([None] * len(run), needs, cycle))
                if len(part.todo) == listed:
                    part.todo.append(Burst([], needs, cycle))
            later = set().union(*(scale_beats[s] for s in segments if s > segment))
            kept = [known[beat] for beat in known if beat in later]
            for number in numbers:
                held = stripes[number]
                final = number == max(numbers)
                self.stripes.append(
                    Stripe(
                        sorted({byte // wires.beat % wires.channels for byte in held}),
                        len({byte // slice_bytes for byte in held}),
                        sorted(known.values()),
                        (min(kept) if kept else self.asked) if final and block else None,
                        last if number == max(stripes) else None,
                    )
                )

    def step(self, cycle: int) -> None:
        """One clock cycle: everything decides on the registers as they are, then they change."""
        changes = [self._lanes(cycle)]
        for number in range(self.wires.channels):
            changes += [self._address(number, cycle), self._data(number, cycle)]
        for change in changes:
            change()

    def _address(self, number: int, cycle: int) -> Callable[[], None]:
        wires, part = self.wires, self.channels[number]
        if not part.todo:
            return _nothing
        burst = part.todo[0]
        if cycle < burst.from_cycle or (burst.needs and self.freed + wires.ring < burst.needs):
            return _nothing
        if not burst.beats:
            return lambda: _drop(part.todo)
        if len(part.flying) >= wires.outstanding:
            return _nothing

        def change() -> None:
            burst.sent = cycle
            part.todo.popleft()
            part.flying.append(burst)
            part.addresses.append(cycle)
            part.latencies.append(wires.latency(number, part.bursts))
            part.bursts += 1

        return change

    def _data(self, number: int, cycle: int) -> Callable[[], None]:
        """The memory's counter towards the next beat, and the handshake."""
        wires, part = self.wires, self.channels[number]
        if not part.flying:
            return _nothing
        burst = part.flying[0]
        wait, offered = part.wait, part.offered
        if wait is None:
            if cycle < burst.sent + part.latencies[0]:
                return _nothing
            wait = wires.gap(number, part.beats)
        if not offered:
            offered = wait == 0 and not wires.closed(number, cycle)
        ring_number = burst.beats[part.took]
        taken = offered and (ring_number is not None or part.fifo < wires.fifo)

        def change() -> None:
            part.wait, part.offered = max(wait - 1, 0), offered
            if not taken:
                return
            part.wait, part.offered = None, False
            part.handshakes.append(cycle)
            part.beats += 1
            if ring_number is None:
                part.fifo += 1
            else:
                self.arrived.add(ring_number)
            part.took += 1
            if part.took == len(burst.beats):
                part.took = 0
                part.flying.popleft()
                part.latencies.popleft()

        return change

    def _lanes(self, cycle: int) -> Callable[[], None]:
        if not self.stripes:
            return _nothing
        stripe = self.stripes[0]
        if any(self.channels[c].fifo == 0 for c in stripe.channels):
            return _nothing
        if not self.arrived.issuperset(stripe.scales):
            return _nothing

        def change() -> None:
            self.slices += 1
            if self.slices < stripe.slices:
                return
            self.slices = 0
            self.stripes.popleft()
            for c in stripe.channels:
                self.channels[c].fifo -= 1
            if stripe.frees is not None:
                self.freed = stripe.frees
            if stripe.last_of is not None:
                self.done[stripe.last_of] = cycle

        return change


def _nothing() -> None:
    """Registers keep what they hold."""


def _drop(todo: deque[Burst]) -> None:
    """Go on to the next entry."""
    todo.popleft()


@dataclass
class Writing:
    """One AXI master's write side. Beats in the FIFO carry the number of their burst."""

    fifo: deque[int] = field(default_factory=deque)
    addresses: deque[int] = field(default_factory=deque)  # bursts whose address is to go out
    sent: dict[int, int] = field(default_factory=dict)
    lengths: dict[int, int] = field(default_factory=dict)
    bursts: int = 0
    beats: int = 0
    took: int = 0
    wait: int | None = None
    offered: bool = False
    answers: dict[int, int] = field(default_factory=dict)  # burst -> cycle of its answer


class WriteMachine:
    """The write side: slices into stripes, FIFOs, channels; one store at a time."""

    def __init__(self, wires: Wires) -> None:
        self.wires = wires
        self.channels = [Writing() for _ in range(wires.channels)]
        self.stripes: deque[tuple[dict[int, bool], int]] = deque()  # channel -> begins a burst
        self.steps = 0  # cycles spent on the stripe in front
        self.start = NEVER

    def enqueue(self, regions, ahead: int, cycle: int) -> None:
        """A store that issues in this cycle: its first slice comes six cycles later, and `ahead`.

        Args:
            regions: (first, end, slice bytes, cycles of a slice) each.
            ahead: rows that are read before the first block's scale is known.
        """
        wires = self.wires
        self.start = cycle + 6 + ahead
        for first, end, slice_bytes, pace in regions:
            stripes: dict[int, set[int]] = {}
            for byte in range(first, end):
                stripes.setdefault(byte // (wires.channels * wires.beat), set()).add(byte)
            begun: set[int] = set()
            for number, held in stripes.items():
                mine = sorted({byte // wires.beat % wires.channels for byte in held})
                begins = {c: c not in begun or number % wires.burst == 0 for c in mine}
                begun.update(mine)
                slices = len({byte // slice_bytes for byte in held})
                self.stripes.append((begins, pace * slices))
            # A burst ends where the region does: the next beat of the channel begins another.

    def idle(self, cycle: int) -> bool:
        """Whether all is written and, before this cycle, answered."""
        return not self.stripes and all(
            not part.fifo and len(part.answers) == part.bursts
            and all(at < cycle for at in part.answers.values())
            for part in self.channels
        )  # fmt: skip

    def step(self, cycle: int) -> None:
        changes = [self._lanes(cycle)]
        for number in range(self.wires.channels):
            changes += [self._address(number, cycle), self._data(number, cycle)]
        for change in changes:
            change()

    def _lanes(self, cycle: int) -> Callable[[], None]:
        if not self.stripes or cycle < self.start:
            return _nothing
        begins, steps = self.stripes[0]
        full = any(len(self.channels[c].fifo) >= self.wires.fifo for c in begins)
        if self.steps + 1 == steps and full:
            return _nothing

        def change() -> None:
            self.steps += 1
            if self.steps < steps:
                return
            self.steps = 0
            self.stripes.popleft()
            for c, fresh in begins.items():
                part = self.channels[c]
                if fresh:
                    part.addresses.append(part.bursts)
                    part.lengths[part.bursts] = 0
                    part.bursts += 1
                part.lengths[part.bursts - 1] += 1
                part.fifo.append(part.bursts - 1)

        return change

    def _address(self, number: int, cycle: int) -> Callable[[], None]:
        part = self.channels[number]
        open_ = len(part.sent) - sum(at < cycle for at in part.answers.values())
        if not part.addresses or open_ >= self.wires.outstanding:
            return _nothing

        def change() -> None:
            part.sent[part.addresses.popleft()] = cycle

        return change

    def _last_of_burst(self, number: int) -> bool:
        """Whether the beat in front ends its burst; it does if nothing follows or another burst."""
        part = self.channels[number]
        burst = part.fifo[0]
        if len(part.fifo) > 1:
            return part.fifo[1] != burst
        return next((begins[number] for begins, _ in self.stripes if number in begins), True)

    def _data(self, number: int, cycle: int) -> Callable[[], None]:
        wires, part = self.wires, self.channels[number]
        if not part.fifo or part.sent.get(part.fifo[0], NEVER) >= cycle:
            return _nothing
        wait, offered = part.wait, part.offered
        if wait is None:
            wait = wires.gap(number, part.beats)
        if not offered:
            offered = wait == 0 and not wires.closed(number, cycle)
        last = self._last_of_burst(number)

        def change() -> None:
            part.wait, part.offered = max(wait - 1, 0), offered
            if not offered:
                return
            part.wait, part.offered = None, False
            part.beats += 1
            burst = part.fifo.popleft()
            if last:
                before = part.answers.get(burst - 1, -1)
                part.answers[burst] = max(cycle + wires.latency(number, burst), before + 1)

        return change


def read_all(
    wires: Wires, transfers, tail: int, limit: int = 200_000
) -> tuple[list[int], list[int]]:
    """Cycles in which transfers issue and are done.

    Args:
        transfers: (delay, pieces, slice bytes, block) each: the front end reaches the next one
            `delay` cycles after this one issued.
        tail: cycles from the last slice to the end of a transfer, when its place is free.
    """
    machine = ReadMachine(wires)
    issues: list[int] = []
    cycle, reached = 0, 1
    while len(machine.done) < len(transfers):
        cycle += 1
        assert cycle < limit, "hangs"
        number = len(issues)
        busy = number - sum(at + tail < cycle for at in machine.done.values())
        machine.step(cycle)
        if number < len(transfers) and cycle >= reached and busy < 3:
            delay, pieces, slice_bytes, block = transfers[number]
            machine.enqueue(number, pieces, slice_bytes, block, cycle)
            issues.append(cycle)
            reached = cycle + delay
    return issues, [machine.done[number] for number in range(len(transfers))]


def write_all(wires: Wires, transfers, limit: int = 200_000) -> tuple[list[int], list[int]]:
    """Cycles in which stores issue, and in which their last answers come.

    Args:
        transfers: (delay, regions, rows read ahead) each.
    """
    machine = WriteMachine(wires)
    issues: list[int] = []
    ends: list[int] = []
    cycle, reached, free = 0, 1, 0
    while len(ends) < len(transfers):
        cycle += 1
        assert cycle < limit, "hangs"
        number = len(issues)
        machine.step(cycle)
        if len(ends) < number and machine.idle(NEVER):  # every answer's cycle is known
            ends.append(max(at for part in machine.channels for at in part.answers.values()))
            free = ends[-1] + 2  # completes in the cycle after, the next one issues behind that
        if len(ends) == number and number < len(transfers) and cycle >= max(reached, free):
            delay, regions, ahead = transfers[number]
            machine.enqueue(regions, ahead, cycle)
            issues.append(cycle)
            reached = cycle + delay
    return issues, ends
