"""Steps over many cores and memories, each a run without data."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from itertools import product
from multiprocessing import get_context
from typing import Any

from unmask.model.measure import WAITING, Measured, nanoseconds
from unmask.model.scenario import Scenario, job, timed
from unmask.model.settings import Core, Profile
from unmask.spec.errors import UsageError


@dataclass(frozen=True)
class Point:
    """One run: a step, and what of core and memory is varied.

    Attributes:
        scenario: the step.
        vlen: lanes.
        channels: of the memory; its rate goes with them.
        latency_ns: of the memory.
    """

    scenario: Scenario
    vlen: int
    channels: int
    latency_ns: float

    def parameters(self) -> dict[str, Any]:
        """Name -> value, of everything."""
        rest = {name: value for name, value in asdict(self).items() if name != "scenario"}
        return {**asdict(self.scenario), **rest}


@dataclass(frozen=True)
class Result:
    """What a point gave; times in nanoseconds.

    Attributes:
        floor_memory, floor_lanes: the least for reading each logit once.
        sram_bytes: touched, with masks, keys and ids, and with FIFOs and scale ring.
        dropped: logits of each row that are left out.
    """

    point: Point
    measured: Measured
    time: float
    floor_memory: float
    floor_lanes: float
    sram_bytes: int
    dropped: int

    @property
    def floor(self) -> float:
        return max(self.floor_memory, self.floor_lanes)


def points(
    kinds: Sequence[str],
    vlens: Sequence[int],
    chunks: Sequence[int],
    channels: Sequence[int],
    batches: Sequence[int],
    rows: Sequence[int],
    vocabularies: Sequence[int],
    latencies: Sequence[float],
    form: str,
) -> list[Point]:
    """All combinations; chunks do not matter to a program without pieces, so it comes once."""
    found: dict[Point, None] = {}
    for kind, vlen, chunk, channel, batch, row, vocabulary, latency in product(
        kinds, vlens, chunks, channels, batches, rows, vocabularies, latencies
    ):
        pieces = chunk if kind in ("edge", "prefetch") else 1
        scenario = Scenario(kind, batch, row, vocabulary, form, pieces)
        found[Point(scenario, vlen, channel, latency)] = None
    return list(found)


def memory_of(point: Point, profile: Profile) -> Profile:
    """The profile with a point's channels and latency."""
    rate = profile.gigabytes_per_second * point.channels / profile.channels
    return replace(
        profile,
        channels=point.channels,
        gigabytes_per_second=rate,
        latency_ns=point.latency_ns,
    )


def result(point: Point, core: Core, profile: Profile) -> Result:
    """Raises:
    UsageError: names the point, where its core, memory and step do not go together.
    """
    try:
        core, memory = replace(core, vlen=point.vlen), memory_of(point, profile)
        made = job(point.scenario, core, memory)
        run = timed(point.scenario, core, memory)
        stream = replace(point.scenario, kind="stream")
        once = (run if stream == point.scenario else timed(stream, core, memory)).floor
    except UsageError as error:
        text = ", ".join(f"{name} {value}" for name, value in point.parameters().items())
        raise UsageError(f"{error} (at {text})") from None
    return Result(
        point,
        run,
        nanoseconds(run.cycles, core),
        nanoseconds(once.memory, core),
        nanoseconds(once.lanes, core),
        run.sram_bytes + made.core.fifo_bytes(memory),
        made.dropped,
    )


def results(
    wanted: Sequence[Point], core: Core, profile: Profile, jobs: int = 1
) -> Iterator[Result]:
    """Of each point, in order.

    Args:
        jobs: processes.
    """
    if jobs == 1:
        for point in wanted:
            yield result(point, core, profile)
        return
    # A fresh process each: a forked one would share the locks of the compiler's threads.
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(result, point, core, profile) for point in wanted]
        try:
            for future in futures:
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def table(found: Sequence[Result]) -> str:
    """CSV, a line for each result."""
    units = list(dict.fromkeys(unit for one in found for unit in one.measured.units))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = list(found[0].point.parameters())
    writer.writerow(
        [*names, "cycles", "time_ns", "floor_memory_ns", "floor_lanes_ns", "over_floor",
         "bytes_read", "sram_bytes", "logits_dropped", *(f"cycles: {unit}" for unit in units)]
    )  # fmt: skip
    for one in found:
        writer.writerow(
            [*one.point.parameters().values(), one.measured.cycles, f"{one.time:g}",
             f"{one.floor_memory:g}", f"{one.floor_lanes:g}", f"{one.time / one.floor:.4f}",
             one.measured.bytes_read, one.sram_bytes, one.dropped,
             *(one.measured.units.get(unit, 0) for unit in units)]
        )  # fmt: skip
    return text.getvalue()


def waiting(one: Result) -> float:
    """Share of the cycles in which the front end waits for memory."""
    return one.measured.units.get(WAITING, 0) / one.measured.cycles
