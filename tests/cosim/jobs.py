"""The simulations there are: a bound unit, the core, real rows; of RTL, a broken copy or a netlist.

Used by pytest (small), by the gate (larger) and by the planted bugs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

from unmask.spec.binding import Binding
from unmask.spec.state import Config
from unmask.tests.cosim.paths import shown
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


# What of a configuration the core has: no key SRAM and no memory behind it.
CORE_SIZES = ("vlen", "vector_rows", "fp_words", "int_words", "program_words", "loop_depth")


def quick_simulator() -> str:
    """The simulator that builds fastest here."""
    return "icarus" if available("icarus") else "verilator"


def core_parameters(config: Config) -> dict[str, int]:
    """The core's Verilog parameters: a configuration's fields in capitals."""
    sizes = asdict(config)
    return {name.upper(): sizes[name] for name in CORE_SIZES}


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


def core_job(
    simulator: str, examples: int, config: Config = SMALL, swap: Swap | None = None
) -> Job:
    """The core on drawn programs, in lockstep with spec and model."""
    swap = swap or {}
    return Job(
        name=f"core-{config.vlen}-{simulator}{mark(swap)}",
        module="core",
        top="unmask_core",
        files=swapped(CORE_FILES, swap),
        simulator=simulator,
        parameters=core_parameters(config),
        examples=examples,
        options={"config": asdict(config)},
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
    return replace(job, name=f"{job.name}-netlist", files=(netlist,), parameters={}, include=())
