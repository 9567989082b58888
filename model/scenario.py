"""A sampling step at some size by one of four programs, and the core that it needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from unmask.model.measure import Measured, measure
from unmask.model.run import prepared
from unmask.model.settings import Core, Profile
from unmask.spec.assembler import assemble
from unmask.spec.encoding import FORMATS, TRAP_TEXT
from unmask.spec.errors import UsageError
from unmask.spec.instructions.memory import LAYOUTS
from unmask.spec.pack import Shape
from unmask.spec.programs import prefetch, published, stream
from unmask.spec.programs.published import Sampling
from unmask.spec.programs.step import Step

KINDS = {
    "stream": "H_RED_SM, each logit once, straight into softmax states",
    "prefetch": "H_PREFETCH_V into two buffers in SRAM, V_RED_SM out of them",
    "edge": "published, two passes over HBM by a small buffer",
    "performance": "published, all rows of a batch row resident in SRAM",
}
MASK_ID = 0  # cycles do not depend on ids


@dataclass(frozen=True)
class Scenario:
    """A step to be timed.

    Attributes:
        kind: of `KINDS`.
        batch, rows, vocabulary: B, L, V.
        form: format of the logits, a key of `FORMATS`.
        chunks: of VLEN logits, that one H_PREFETCH_V fetches ("edge" and "prefetch").

    The published programs have no batch: they run once for each batch row. They take whole chunks
    only, so V is cut down to a multiple of VLEN.
    """

    kind: str
    batch: int
    rows: int
    vocabulary: int
    form: str = "E4M3_B32"
    chunks: int = 4

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UsageError(f"step {self.kind!r}: expected one of {', '.join(KINDS)}")
        if self.form not in FORMATS:
            raise UsageError(f"format {self.form!r}: expected one of {', '.join(FORMATS)}")
        for name in ("batch", "rows", "vocabulary", "chunks"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} {getattr(self, name)}: expected at least 1")

    @property
    def published(self) -> bool:
        return self.kind in ("edge", "performance")


@dataclass(frozen=True)
class Job:
    """A scenario's program.

    Attributes:
        text: assembly.
        core: with SRAMs that hold it.
        hbm_bytes: of its logits.
        runs: how often it runs, one after the other.
        dropped: logits at the end of each row that it leaves out.
    """

    text: str
    core: Core
    hbm_bytes: int
    runs: int = 1
    dropped: int = 0

    @cached_property
    def words(self) -> list[int]:
        """The program."""
        return assemble(self.text)


def job(scenario: Scenario, core: Core, profile: Profile) -> Job:
    """Raises:
    UsageError: on sizes that the program or the core cannot take.
    """
    return (_published if scenario.published else _ours)(scenario, core, profile)


def timed(scenario: Scenario, core: Core, profile: Profile) -> Measured:
    """A scenario's cycles, without data.

    Raises:
        UsageError: as `job`, and if its program traps.
    """
    return carried_out(job(scenario, core, profile), profile)


def carried_out(made: Job, profile: Profile, **watch: Any) -> Measured:
    """A job's cycles, without data; `watch` as of `measure`.

    Raises:
        UsageError: if its program traps.
    """
    machine = prepared(made.words, made.core, profile, hbm_bytes=made.hbm_bytes, data=False)
    run = measure(machine, made.core, profile, **watch)
    if not run.stopped:
        cause = run.last.cause
        raise UsageError(f"the step traps, {cause.name} at pc {run.last.pc}: {TRAP_TEXT[cause]}")
    return run.times(made.runs)


def _ours(scenario: Scenario, core: Core, profile: Profile) -> Job:
    beat = profile.beat_bits // 8
    shape = Shape(scenario.form, scenario.batch * scenario.rows, scenario.vocabulary, beat)
    step = Step(
        scenario.batch, scenario.rows, scenario.vocabulary, MASK_ID,
        pitch=shape.pitch, format=scenario.form, scale=shape.scale, vlen=core.vlen,
    )  # fmt: skip
    elements = step.masks
    if scenario.kind == "prefetch":
        elements = prefetch.vector_elements(step, scenario.chunks)
        text = prefetch.program(step, scenario.chunks)
    else:
        text = stream.program(step)
    words = {"key": step.rows + 1, "int": step.quotas + step.batch + 1}
    return Job(text, sized(core, elements, words), shape.size)


def _published(scenario: Scenario, core: Core, profile: Profile) -> Job:
    vocabulary = scenario.vocabulary // core.vlen * core.vlen
    if not vocabulary:
        raise UsageError(
            f"vocabulary {scenario.vocabulary}: the published program takes whole chunks of "
            f"vlen = {core.vlen}"
        )
    layout = LAYOUTS[FORMATS[scenario.form]]
    if core.vlen % layout.block:
        raise UsageError(
            f"vlen {core.vlen}: the published program fetches chunks of vlen, which are no whole "
            f"blocks of {layout.block} ({scenario.form})"
        )
    size = scenario.rows * vocabulary * layout.size
    beat = profile.beat_bits // 8
    scale = 0 if layout.element is None else -(-size // beat) * beat
    resident = scenario.kind == "performance"
    sampling = Sampling(
        scenario.rows, vocabulary, core.vlen, None if resident else scenario.chunks, 1,
        format=scenario.form, scale=scale,
    )  # fmt: skip
    words = {"fp": scenario.rows + 1, "key": scenario.rows, "int": 2 * scenario.rows}
    return Job(
        published.program(sampling),
        sized(core, sampling.transfer + sampling.padded, words),
        size + (scale and scale - size + size // layout.block),
        scenario.batch,
        scenario.vocabulary - vocabulary,
    )


def sized(core: Core, elements: int, words: dict[str, int]) -> Core:
    """The core with SRAMs that hold so many elements at least."""

    def power(least: int, now: int) -> int:
        return max(now, 1 << max(least - 1, 1).bit_length())

    rows = -(-elements // core.vlen)
    sizes: dict[str, Any] = {
        f"{name}_words": power(count, getattr(core, f"{name}_words"))
        for name, count in words.items()
    }
    return replace(core, vector_rows=power(rows, core.vector_rows), **sizes)


SRAMS = ("vector_rows", "fp_words", "key_words", "int_words")


def enlarged(core: Core, jobs: Sequence[Job]) -> str:
    """What of a core's SRAMs is larger in jobs, as a line; empty if nothing is."""
    found = []
    for name in SRAMS:
        now, most = getattr(core, name), max(getattr(made.core, name) for made in jobs)
        if most > now:
            found.append(f"{name} {most:,}, not {now:,}")
    return f"SRAMs as large as the step needs: {', '.join(found)}" if found else ""
