"""Steps over many cores and memories, each a run without data."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import product
from multiprocessing import get_context
from typing import Any

from unmask.model.measure import WAITING, Measured, nanoseconds
from unmask.model.scenario import Job, Scenario, carried_out, job
from unmask.model.settings import Core, Profile, changed
from unmask.model.walk import walk
from unmask.spec.errors import UsageError

# Fields of core and memory that a point always has -> option of the command.
OWN = {"vlen": "vlen", "channels": "channels", "latency_ns": "latency"}


@dataclass(frozen=True)
class Point:
    """One run: a step, and what of core and memory is varied.

    Attributes:
        scenario: the step.
        vlen: lanes.
        channels: of the memory; its rate goes with them.
        latency_ns: of the memory.
        more: (field, value) of core or memory, see `settings.changed`.
    """

    scenario: Scenario
    vlen: int
    channels: int
    latency_ns: float
    more: tuple[tuple[str, Any], ...] = ()

    def parameters(self) -> dict[str, Any]:
        """Name -> value, of everything."""
        own = {"vlen": self.vlen, "channels": self.channels, "latency_ns": self.latency_ns}
        return {**vars(self.scenario), **own, **dict(self.more)}


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
    axes: Mapping[str, Sequence[Any]] | None = None,
) -> list[Point]:
    """All combinations; chunks do not matter to a program without pieces, so it comes once.

    Args:
        axes: field of core or memory -> its values.
    """
    found: dict[Point, None] = {}
    names = tuple(axes or ())
    for kind, vlen, chunk, channel, batch, row, vocabulary, latency, *more in product(
        kinds, vlens, chunks, channels, batches, rows, vocabularies, latencies,
        *(axes or {}).values(),
    ):  # fmt: skip
        pieces = chunk if kind in ("edge", "prefetch") else 1
        scenario = Scenario(kind, batch, row, vocabulary, form, pieces)
        found[Point(scenario, vlen, channel, latency, tuple(zip(names, more, strict=True)))] = None
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


@dataclass(frozen=True)
class Plan:
    """A point, and what is run for it.

    Attributes:
        profile: its memory.
        job, stream: its program, and the streaming one, whose floor is that of the step.
    """

    point: Point
    profile: Profile
    job: Job
    stream: Job

    @property
    def jobs(self) -> list[Job]:
        """What is run."""
        return [self.job] if self.stream is self.job else [self.job, self.stream]

    @property
    def instructions(self) -> int:
        """That are run; a published program's once."""
        return sum(walk(made.words).instructions for made in self.jobs)


def plan(point: Point, core: Core, profile: Profile) -> Plan:
    """Raises:
    UsageError: names the point, where its core, memory and step do not go together.
    """
    try:
        core, memory = changed(core, memory_of(point, profile), dict(point.more))
        core = replace(core, vlen=point.vlen)
        core.bus(memory)
        made = job(point.scenario, core, memory)
        stream = replace(point.scenario, kind="stream")
        return Plan(
            point, memory, made, made if stream == point.scenario else job(stream, core, memory)
        )
    except UsageError as error:
        raise _at(point, error) from None


def _at(point: Point, error: UsageError) -> UsageError:
    text = ", ".join(f"{name} {value}" for name, value in point.parameters().items())
    return UsageError(f"{error} (at {text})")


def result(planned: Plan, **watch: Any) -> Result:
    """What a plan gives; `watch` as of `measure`.

    Raises:
        UsageError: names the point whose program traps.
    """
    core, memory = planned.job.core, planned.profile
    try:
        runs = [carried_out(made, memory, **watch) for made in planned.jobs]
    except UsageError as error:
        raise _at(planned.point, error) from None
    run, once = runs[0], runs[-1].floor
    return Result(
        planned.point,
        run,
        nanoseconds(run.cycles, core),
        nanoseconds(once.memory, core),
        nanoseconds(once.lanes, core),
        run.sram_bytes + core.fifo_bytes(memory),
        planned.job.dropped,
    )


def results(wanted: Sequence[Plan], jobs: int) -> Iterator[Result]:
    """Of each plan, in order, by so many processes."""
    # A fresh process each: a forked one would share the locks of the compiler's threads.
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(result, one) for one in wanted]
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
