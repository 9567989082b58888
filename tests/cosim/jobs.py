"""The simulations there are: a bound unit, the core, real rows; of RTL, a broken copy or a netlist.

Used by pytest (small), by the gate (larger) and by the planted bugs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from unmask.model.settings import Core, Profile, profile
from unmask.spec.binding import Binding
from unmask.spec.contracts.sequenced import Sequenced, Size
from unmask.spec.pack import Shape
from unmask.spec.programs.step import Step
from unmask.spec.state import Config
from unmask.tests.cosim.paths import RTL, shown
from unmask.tests.cosim.runner import CORE_FILES, Job, available
from unmask.tests.strategies import SMALL

Swap = Mapping[Path, Path]  # our file -> the file to read instead

NETLIST_CORE = replace(SMALL, vlen=4)  # the core that is synthesised, its SRAMs left as macros


def swapped(files: tuple[Path, ...], swap: Swap) -> tuple[Path, ...]:
    """A file list with the replaced files in place of ours."""
    return tuple(swap.get(path, path) for path in files)


def mark(swap: Swap) -> str:
    """A name for a set of replaced files, so that their builds do not overwrite good ones."""
    return "".join(f"-{path.parent.name}" for path in swap.values())


# Sizes of a configuration that are parameters of the core.
CORE_SIZES = (
    "vlen",
    "vector_rows",
    "fp_words",
    "key_words",
    "int_words",
    "program_words",
    "loop_depth",
    "channels",
)
BENCH_FILES = tuple(
    Path(__file__).parent / "verilog" / f"{name}.v"
    for name in ("bench_core", "retire_log", "axi_memory", "axi_memory_channel")
)


def quick_simulator() -> str:
    """The simulator that builds fastest here."""
    return "icarus" if available("icarus") else "verilator"


def bus_side(config: Config) -> dict[str, int]:
    """The core's side of the bus in simulations: small, so that it fills."""
    return {"burst": 4, "outstanding": 4, "fifo": 4, "ring": max(32, 8 * config.channels)}


def core_parameters(config: Config) -> dict[str, int]:
    """The core's Verilog parameters: a configuration's fields in capitals."""
    sizes = asdict(config)
    found = {name.upper(): sizes[name] for name in CORE_SIZES}
    found["BEAT_BITS"] = 8 * config.beat_bytes
    return found | {name.upper(): value for name, value in bus_side(config).items()}


def unit_job(
    binding: Binding, lanes: int, simulator: str, examples: int, swap: Swap | None = None
) -> Job:
    """A bound unit's RTL against its contract."""
    swap = swap or {}
    folders = (*binding.include, *dict.fromkeys(path.parent for path in binding.files))
    return Job(
        name=f"{binding.name}-{lanes}-{simulator}{mark(swap)}",
        module="units",
        top=binding.top,
        files=swapped(binding.files, swap),
        simulator=simulator,
        parameters=binding.parameters(lanes),
        include=folders,
        examples=examples,
        options={"binding": shown(binding.path), "lanes": lanes},
    )


def sequenced_size(vlen: int) -> Size:
    """Sizes of a unit with memory ports of its own: up to four blocks of ranks, few rows."""
    words = {"fp_words": 64, "int_words": 64, "key_words": 128}
    return Size(Config(vlen=vlen, vector_rows=max(2, 512 // vlen), **words))


SEQUENCED_NETLIST = Size(replace(sequenced_size(4).config, key_words=32), cells=8)


def sequenced_job(
    unit: Sequenced, size: Size, simulator: str, examples: int, swap: Swap | None = None
) -> Job:
    """A unit with memory ports of its own, instruction by instruction, against the machine."""
    swap = swap or {}
    return Job(
        name=f"{unit.name}-{size.config.vlen}-{simulator}{mark(swap)}",
        module="vector_jobs",
        top=unit.top,
        files=swapped(tuple(RTL / path for path in unit.files), swap),
        simulator=simulator,
        parameters=unit.parameters(size),
        examples=examples,
        options={"unit": unit.name, "config": asdict(size.config), "cells": size.cells},
        shrink_s=10.0,
    )


def bus_name(config: Config) -> str:
    """Channels and bits of a beat: 1x64."""
    return f"{config.channels}x{8 * config.beat_bytes}"


def core_job(
    simulator: str, examples: int, config: Config = SMALL, swap: Swap | None = None
) -> Job:
    """The core on drawn programs, in lockstep with spec and model."""
    swap = swap or {}
    return Job(
        name=f"core-{config.vlen}-{bus_name(config)}-{simulator}{mark(swap)}",
        module="core",
        top="bench_core",
        files=(*swapped(CORE_FILES, swap), *BENCH_FILES),
        simulator=simulator,
        parameters={**core_parameters(config), "HBM_BYTES": config.hbm_bytes},
        examples=examples,
        options={"config": asdict(config), "core": bus_side(config)},
        shrink_s=6.0,  # whole programs: seconds after which little more is gained
    )


def real_rows_job(vocabulary: int, rows: int, vlen: int) -> Job:
    """Whole logit rows through the core's RTL under Verilator."""
    chunks = -(-vocabulary // vlen)
    config = replace(SMALL, vlen=vlen, vector_rows=1 << (chunks - 1).bit_length())
    job = core_job("verilator", rows, config)
    options = {**job.options, "vocabulary": vocabulary, "strip": vlen}
    return replace(job, name=f"core-real-{vlen}", options=options)


def coverage_jobs(programs: int, words: int) -> tuple[Job, Job, Job]:
    """Drawn programs, random words, and what aims at bins, on one build that counts.

    The last takes the option `seen`: bins of the two before it.
    """
    job = replace(core_job("verilator", programs), name="core-coverage", coverage=True)
    fuzz = replace(job, module="fuzz", examples=words, options={**job.options, "seed": 0})
    return job, fuzz, replace(job, module="aimed")


def fuzz_job(simulator: str, words: int, seed: int, swap: Swap | None = None) -> Job:
    """The core on so many words of any kind."""
    job = core_job(simulator, words, swap=swap)
    options = {**job.options, "seed": seed}
    name = f"core-fuzz-{simulator}{mark(swap or {})}"
    return replace(job, name=name, module="fuzz", options=options, limit_s=60 + words // 10)


@dataclass(frozen=True)
class Block:
    """Streaming steps over blocks of logits, one after the other, on a core and a memory.

    Attributes:
        vlen: lanes.
        memory: a profile of `model/profiles`.
        batch, rows, vocabulary: B, L, V.
        formats: of the logits, a step for each.
    """

    vlen: int
    memory: str
    batch: int
    rows: int
    vocabulary: int
    formats: tuple[str, ...] = ("BF16", "E4M3_B32")

    def config(self, behind: Profile) -> Config:
        """The core's smallest memories that hold a step."""
        step = Step(self.batch, self.rows, self.vocabulary, self.vocabulary - 1, vlen=self.vlen)
        beat, all_rows = behind.beat_bits // 8, self.batch * self.rows
        powers = {
            "vector_rows": -(-step.masks // self.vlen),
            "key_words": step.rows + 1,
            "int_words": step.quotas + self.batch + 1,
            "program_words": 128,
            "hbm_bytes": max(
                1 << 10, *(Shape(x, all_rows, self.vocabulary, beat).size for x in self.formats)
            ),
        }
        return replace(
            SMALL,
            vlen=self.vlen,
            channels=behind.channels,
            beat_bytes=beat,
            **{name: max(2, 1 << (least - 1).bit_length()) for name, least in powers.items()},
        )


def block_job(block: Block, swap: Swap | None = None) -> Job:
    """A block's steps through the core's RTL under Verilator."""
    behind = profile(block.memory)
    bus = Core(vlen=block.vlen).bus(behind)
    side = {"burst": bus.burst, "outstanding": bus.outstanding, "fifo": bus.fifo, "ring": bus.ring}
    job = core_job("verilator", len(block.formats), block.config(behind), swap)
    numbers = {name.upper(): value for name, value in side.items()}
    return replace(
        job,
        name=f"block-{block.vlen}-{Path(block.memory).stem}{mark(swap or {})}",
        module="block",
        parameters={**job.parameters, **numbers},
        options={**job.options, "core": side, "block": asdict(block)},
        limit_s=1800,
    )


def on_netlist(job: Job, netlist: Path) -> Job:
    """The same simulation, unchanged, of a netlist."""
    name, bench = f"{job.name}-netlist", job.module == "core"
    if bench:  # the netlist has lost its parameters, the bench around it has them
        files, defines = (netlist, *BENCH_FILES), {"NETLIST": 1}
        return replace(job, name=name, files=files, include=(), defines=defines)
    return replace(job, name=name, files=(netlist,), parameters={}, include=())
