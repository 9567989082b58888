"""When the beats of a transfer cross the bus: the recurrences of `model/README.md`, beat by beat.

Compiled where numba is installed; without it the same functions run as plain Python, slowly.

Every name is as in the README. All times are clock cycles, int64. Nothing looks ahead: what a beat
waits for has a lower ordinal, so a transfer is timed when it issues, before the next one is known.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from unmask.model.settings import SEGMENT, Bus

try:
    import numba.extending

    compiled: Any = numba.njit(cache=True)
    inlined: Any = numba.extending.register_jitable
except ImportError:  # the same text, interpreted

    def compiled(function: Any) -> Any:
        return function

    inlined = compiled

Times = NDArray[np.int64]
MOST_GAP = 16  # cycles of a random stall
LONG_AGO = -(1 << 40)
HASHED = 0xFFFFFFFF
READ, WRITE = 0, 1  # which stalls: those of read or of write data


class Side(NamedTuple):
    """What the past of the read or write channels leaves for the next beat; C channels.

    Attributes:
        address: (C,) cycle of the last address.
        bursts, beats: (C,) so far.
        phase: (C,) beats so far, modulo the length of `gaps`.
        slot: (C,) the next beat's place in the FIFO.
        closed: (C, outstanding) when a burst's last beat (reads) or answer (writes) came.
        last: (C,) cycle of the last beat.
        left: (C, fifo) when a beat left the FIFO.
        lane: (1,) cycle of the last slice.
        scales: (3,) places of the ring given to scale beats so far; segments with scales; how many
            of these `credit` saw.
        freed, freed_at: (H,) of a segment with scales: places done with at its end; when.
        credit: (2,) places done with, and since when, as far as it had to be known.
        gaps: (beats,) cycles that the rate takes beside one for each beat.
        cuts: (MOST_GAP,) a random 16-bit number below cuts[g] stalls for more than g cycles.
        begin, busy: (1,), (C + 1, W) whether a channel moved a beat, or in the last row the lanes
            took a slice, in each of the W cycles from `begin` on; W is 0 where nobody looks.
    """

    address: Times
    bursts: Times
    beats: Times
    phase: Times
    slot: Times
    closed: Times
    last: Times
    left: Times
    lane: Times
    scales: Times
    freed: Times
    freed_at: Times
    credit: Times
    gaps: Times
    cuts: Times
    begin: Times
    busy: NDArray[np.bool_]


def side(bus: Bus, stall: float, window: tuple[int, int] = (0, 0)) -> Side:
    """Channels on which nothing has happened.

    Args:
        stall: share of cycles in which a beat is held back at random, below 1.
        window: cycles [first, end) in which `busy` is to be kept.
    """

    def times(*shape: int) -> Times:
        return np.full(shape, LONG_AGO, np.int64)

    def counts(*shape: int) -> Times:
        return np.zeros(shape, np.int64)

    c, history = bus.channels, 2 * bus.ring + 8
    cuts = [int((1 << 16) * stall ** (gap + 1)) for gap in range(MOST_GAP)]
    return Side(
        address=times(c),
        bursts=counts(c),
        beats=counts(c),
        phase=counts(c),
        slot=counts(c),
        closed=times(c, bus.outstanding),
        last=times(c),
        left=times(c, bus.fifo),
        lane=times(1),
        scales=counts(3),
        freed=counts(history),
        freed_at=times(history),
        credit=np.array([0, LONG_AGO]),
        gaps=np.diff(np.arange(bus.beats + 1) * bus.cycles // bus.beats) - 1,
        cuts=np.array(cuts, np.int64),
        begin=np.array(window[:1]),
        busy=np.zeros((c + 1, window[1] - window[0]), np.bool_),
    )


@inlined
def drawn(seed: int, stream: int, channel: int, ordinal: int) -> int:
    """A number below 2**32 that looks random; by 32-bit operations alone, so hardware can too."""
    x = (ordinal * 0x9E3779B1 + channel * 0x85EBCA6B + (seed * 4 + stream) * 0x27D4EB2F) & HASHED
    x = ((x ^ (x >> 16)) * 0x7FEB352D) & HASHED
    x = ((x ^ (x >> 15)) * 0x046CA68B) & HASHED
    return x ^ (x >> 16)


@inlined
def stall_of(cuts: Times, seed: int, stream: int, channel: int, ordinal: int) -> int:
    """Cycles for which the memory holds a beat back at random."""
    number = drawn(seed, stream, channel, ordinal) & 0xFFFF
    gap = 0
    for cut in cuts:
        if number >= cut:
            break
        gap += 1
    return gap


@inlined
def latency_of(bus: Bus, stream: int, channel: int, ordinal: int) -> int:
    """Cycles from the address of a burst to its first beat, or from its last beat to the answer."""
    if bus.jitter == 0:
        return bus.latency
    return bus.latency + drawn(bus.seed, stream + 2, channel, ordinal) % (bus.jitter + 1)


@inlined
def refreshed(period: int, length: int, shift: int, cycle: int) -> int:
    """The first cycle from this one on in which a channel is not in refresh."""
    phase = (cycle + shift) % period
    if phase < period - length:
        return cycle
    return cycle + period - phase


@inlined
def open_burst(bus: Bus, side: Side, channel: int, earliest: int) -> int:
    """The cycle of a burst's address; its number is `bursts` until it is closed."""
    place = side.bursts[channel] % bus.outstanding
    cycle = max(earliest, side.address[channel] + 1, side.closed[channel, place] + 1)
    side.address[channel] = cycle
    return cycle


@inlined
def close_burst(bus: Bus, side: Side, channel: int, cycle: int) -> None:
    side.closed[channel, side.bursts[channel] % bus.outstanding] = cycle
    side.bursts[channel] += 1


@inlined
def move_beat(bus: Bus, side: Side, stream: int, channel: int, earliest: int, room: int) -> int:
    """The cycle of a beat's handshake: valid from `earliest` on, taken from `room` on."""
    phase = side.phase[channel]
    side.phase[channel] = phase + 1 if phase + 1 < bus.beats else 0
    cycle = max(earliest, side.last[channel] + 1) + side.gaps[phase]
    if side.cuts[0]:
        cycle += stall_of(side.cuts, bus.seed, stream, channel, side.beats[channel])
    if bus.refresh_cycles:
        shift = bus.refresh_shift * channel
        cycle = refreshed(bus.refresh_period, bus.refresh_cycles, shift, cycle)
    cycle = max(cycle, room)
    side.last[channel] = cycle
    side.beats[channel] += 1
    see(side, channel, cycle, cycle)
    return cycle


@inlined
def see(side: Side, row: int, first: int, last: int) -> None:
    """Keep that a channel, or the lanes, were busy in cycles `first` to `last`."""
    begin, width = side.begin[0], side.busy.shape[1]
    for place in range(max(first - begin, 0), min(last + 1 - begin, width)):
        side.busy[row, place] = True


@inlined
def pass_slot(bus: Bus, side: Side, channel: int) -> None:
    """Go on to the next place in a channel's FIFO."""
    slot = side.slot[channel] + 1
    side.slot[channel] = slot if slot < bus.fifo else 0


@inlined
def credit_for(bus: Bus, side: Side, count: int, start: int) -> int:
    """The first cycle in which addresses of a segment with `count` new scale beats may go out."""
    side.scales[0] += count
    while side.credit[0] + bus.ring < side.scales[0]:
        place = side.scales[2] % side.freed.size
        side.credit[0], side.credit[1] = side.freed[place], side.freed_at[place]
        side.scales[2] += 1
    return max(start, side.credit[1] + 1)


@inlined
def read_scales(bus: Bus, side: Side, first: int, last: int, start: int) -> int:
    """The scale beats `first` to `last` of HBM, for one segment: when all have arrived."""
    ready = start
    for channel in range(bus.channels):
        beat = first + (channel - first) % bus.channels  # the channel's first
        valid = 0
        fresh = True
        while beat <= last:
            local = beat // bus.channels
            if fresh or local % bus.burst == 0:
                latency = latency_of(bus, READ, channel, side.bursts[channel])
                valid = open_burst(bus, side, channel, start) + latency
            cycle = move_beat(bus, side, READ, channel, valid, LONG_AGO)
            beat += bus.channels
            fresh = False
            if beat > last or (local + 1) % bus.burst == 0:
                close_burst(bus, side, channel, cycle)
            ready = max(ready, cycle + 1)
    return ready


@compiled
def read_piece(
    bus: Bus, side: Side, first: int, end: int, slice_bytes: int, scale: int, block: int, start: int
) -> int:
    """Time a contiguous read through the stripe FIFOs and the lanes.

    Args:
        first, end: bytes [first, end) of HBM, end > first.
        slice_bytes: bytes that the lanes take in a cycle.
        scale: byte address of the first element's scale.
        block: bytes of elements that share a scale, or 0: none.
        start: first cycle in which an address may go out.

    Returns:
        The cycle in which its last slice enters the lanes.
    """
    width = bus.channels * bus.beat
    top, bottom = first // width, (end - 1) // width  # stripes
    head, tail = first // bus.beat % bus.channels, (end - 1) // bus.beat % bus.channels
    asked = scale // bus.beat  # next scale beat to ask for
    stripe = top
    valid = np.zeros(bus.channels, np.int64)  # first beat of the channel's open burst
    sent = np.zeros(bus.channels, np.int64)  # bursts before the segment
    if block:  # each channel has its own part of the ring
        side.scales[0] += (asked - side.scales[0]) % bus.channels
    while stripe <= bottom:
        behind = min(bottom + 1, (stripe // SEGMENT + 1) * SEGMENT)
        ready = begins_at = start
        sent[:] = side.bursts
        if block:
            last = (scale + (min(end, behind * width) - 1 - first) // block) // bus.beat
            begins_at = credit_for(bus, side, last + 1 - asked, start)
            ready = read_scales(bus, side, asked, last, begins_at)
            asked = last + 1
        for row in range(stripe, behind):
            low = head if row == top else 0
            high = tail if row == bottom else bus.channels - 1
            cut, cut_behind = row % bus.burst == 0, (row + 1) % bus.burst == 0
            whole = ready
            for channel in range(low, high + 1):
                begins = row == top or (row == top + 1 and channel < head)
                if begins or cut:
                    latency = latency_of(bus, READ, channel, side.bursts[channel])
                    valid[channel] = open_burst(bus, side, channel, begins_at) + latency
                room = side.left[channel, side.slot[channel]] + 1
                # `move_beat`, written out: numba hands over all arrays, ten times the time of this.
                phase = side.phase[channel]
                side.phase[channel] = phase + 1 if phase + 1 < bus.beats else 0
                cycle = max(valid[channel], side.last[channel] + 1) + side.gaps[phase]
                if side.cuts[0]:
                    cycle += stall_of(side.cuts, bus.seed, READ, channel, side.beats[channel])
                if bus.refresh_cycles:
                    shift = bus.refresh_shift * channel
                    cycle = refreshed(bus.refresh_period, bus.refresh_cycles, shift, cycle)
                cycle = max(cycle, room)
                side.last[channel] = cycle
                side.beats[channel] += 1
                if 0 <= cycle - side.begin[0] < side.busy.shape[1]:
                    side.busy[channel, cycle - side.begin[0]] = True
                ends = row == bottom or (row == bottom - 1 and channel > tail)
                if ends or cut_behind:
                    close_burst(bus, side, channel, cycle)
                whole = max(whole, cycle + 1)
            begin, stop = max(first, row * width), min(end, (row + 1) * width)
            slices = (stop - 1) // slice_bytes - begin // slice_bytes + 1
            side.lane[0] = max(side.lane[0] + 1, whole) + slices - 1
            see(side, bus.channels, side.lane[0] + 1 - slices, side.lane[0])
            for channel in range(low, high + 1):
                side.left[channel, side.slot[channel]] = side.lane[0]
                pass_slot(bus, side, channel)
        for channel in range(bus.channels):
            if side.bursts[channel] == sent[channel]:  # nothing for it: that takes a cycle
                side.address[channel] = max(begins_at, side.address[channel] + 1)
        stripe = behind
        if block:
            done = side.scales[0]
            if stripe <= bottom and (scale + (stripe * width - first) // block) // bus.beat < asked:
                done -= 1  # the next segment begins within this one's last scale beat
            place = side.scales[1] % side.freed.size
            side.freed[place], side.freed_at[place] = done, side.lane[0]
            side.scales[1] += 1
    return side.lane[0]


@compiled
def write_piece(
    bus: Bus, side: Side, first: int, end: int, slice_bytes: int, pace: int, start: int
) -> int:
    """Time a contiguous write: slices into the stripe FIFOs, beats out of them, answers.

    Args:
        first, end: bytes [first, end) of HBM, end > first.
        slice_bytes: bytes that come out of the quantiser together.
        pace: cycles from one slice to the next.
        start: first cycle in which a slice may come.

    Returns:
        The cycle of the last answer.
    """
    width = bus.channels * bus.beat
    top, bottom = first // width, (end - 1) // width
    head, tail = first // bus.beat % bus.channels, (end - 1) // bus.beat % bus.channels
    answered = start
    opened = np.zeros(bus.channels, np.int64)  # address of the channel's open burst
    for row in range(top, bottom + 1):
        low = head if row == top else 0
        high = tail if row == bottom else bus.channels - 1
        begin, stop = max(first, row * width), min(end, (row + 1) * width)
        slices = (stop - 1) // slice_bytes - begin // slice_bytes + 1
        lane = max(side.lane[0] + 1, start) + pace * slices - 1
        for channel in range(low, high + 1):  # the last slice of a stripe waits for room
            lane = max(lane, side.left[channel, side.slot[channel]] + 1)
        side.lane[0] = lane
        see(side, bus.channels, lane + 1 - pace * slices, lane)
        for channel in range(low, high + 1):
            begins = row == top or (row == top + 1 and channel < head)
            if begins or row % bus.burst == 0:
                opened[channel] = open_burst(bus, side, channel, lane + 1)
            earliest = max(opened[channel] + 1, lane + 1)
            cycle = move_beat(bus, side, WRITE, channel, earliest, LONG_AGO)
            side.left[channel, side.slot[channel]] = cycle
            pass_slot(bus, side, channel)
            ends = row == bottom or (row == bottom - 1 and channel > tail)
            if ends or (row + 1) % bus.burst == 0:
                number = side.bursts[channel]
                before = side.closed[channel, (number - 1) % bus.outstanding]
                latency = latency_of(bus, WRITE, channel, number)
                answer = max(cycle + latency, before + 1)  # answers keep their order
                close_burst(bus, side, channel, answer)
                answered = max(answered, answer)
    return answered
