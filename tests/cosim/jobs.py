"""The simulations there are: a bound unit, the core, real rows; of RTL, a broken copy or a netlist.

Used by pytest (small), by the gate (larger) and by the planted bugs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

from unmask.spec.binding import Binding
from unmask.spec.contracts.sequenced import Sequenced, Size
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
# The core's side of the bus in simulations: small, so that it fills.
BUS_SIDE = {"burst": 4, "outstanding": 4, "fifo": 4, "ring": 32}
BENCH_FILES = tuple(
    Path(__file__).parent / "verilog" / f"{name}.v"
    for name in ("bench_core", "axi_memory", "axi_memory_channel")
)


def quick_simulator() -> str:
    """The simulator that builds fastest here."""
    return "icarus" if available("icarus") else "verilator"


def core_parameters(config: Config) -> dict[str, int]:
    """The core's Verilog parameters: a configuration's fields in capitals."""
    sizes = asdict(config)
    found = {name.upper(): sizes[name] for name in CORE_SIZES}
    found["BEAT_BITS"] = 8 * config.beat_bytes
    return found | {name.upper(): value for name, value in BUS_SIDE.items()}


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


def core_job(
    simulator: str, examples: int, config: Config = SMALL, swap: Swap | None = None
) -> Job:
    """The core on drawn programs, in lockstep with spec and model."""
    swap = swap or {}
    return Job(
        name=f"core-{config.vlen}-{simulator}{mark(swap)}",
        module="core",
        top="bench_core",
        files=(*swapped(CORE_FILES, swap), *BENCH_FILES),
        simulator=simulator,
        parameters={**core_parameters(config), "HBM_BYTES": config.hbm_bytes},
        examples=examples,
        options={"config": asdict(config), "core": BUS_SIDE},
        shrink_s=6.0,  # whole programs: seconds after which little more is gained
    )


def real_rows_job(vocabulary: int, rows: int, vlen: int) -> Job:
    """Whole logit rows through the core's RTL under Verilator."""
    chunks = -(-vocabulary // vlen)
    config = replace(SMALL, vlen=vlen, vector_rows=1 << (chunks - 1).bit_length())
    job = core_job("verilator", rows, config)
    options = {**job.options, "vocabulary": vocabulary, "strip": vlen}
    return replace(job, name=f"core-real-{vlen}", options=options)


def on_netlist(job: Job, netlist: Path) -> Job:
    """The same simulation, unchanged, of a netlist."""
    name, bench = f"{job.name}-netlist", job.module == "core"
    if bench:  # the netlist has lost its parameters, the bench around it has them
        files, defines = (netlist, *BENCH_FILES), {"NETLIST": 1}
        return replace(job, name=name, files=files, include=(), defines=defines)
    return replace(job, name=name, files=(netlist,), parameters={}, include=())
