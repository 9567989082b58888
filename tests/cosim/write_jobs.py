"""The write engine and the host interface as built and simulated: units without a binding file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from unmask.spec.state import Config
from unmask.tests.cosim.paths import ROOT, RTL
from unmask.tests.cosim.runner import Job

BENCH = ROOT / "tests" / "cosim" / "verilog"
ENGINE = (
    "unmask_write", "unmask_write_steps", "unmask_write_quantiser", "unmask_block_key",
    "unmask_running_key", "unmask_quantise", "unmask_write_align", "unmask_write_beats",
    "unmask_write_channel",
)  # fmt: skip
FILES = (
    *(RTL / "stream" / f"{name}.v" for name in ENGINE),
    RTL / "vector" / "unmask_bf16_normalise.v",
    RTL / "vector" / "unmask_bf16_shift_sticky.v",
)
MEMORIES = (
    RTL / "memory" / "unmask_sram.v",
    BENCH / "axi_memory.v",
    BENCH / "axi_memory_channel.v",
)

# Name -> (sizes, parameters of the engine alone): lanes below, at and above a block and a stripe.
_BUILT = {"BURST": 16, "OUTSTANDING": 16, "FIFO": 16}
_SIZES = {"fp_words": 2, "key_words": 32, "int_words": 64}
SETUPS: dict[str, tuple[Config, dict[str, int]]] = {
    "1x64": (
        Config(vlen=8, vector_rows=32, hbm_bytes=4096, channels=1, beat_bytes=8, **_SIZES),
        {**_BUILT, "FIFO": 3},
    ),
    "1x512": (
        Config(vlen=16, vector_rows=32, hbm_bytes=8192, channels=1, beat_bytes=64, **_SIZES),
        {**_BUILT, "OUTSTANDING": 2, "BURST": 1},
    ),
    "4x128": (
        Config(vlen=64, vector_rows=16, hbm_bytes=8192, channels=4, beat_bytes=16, **_SIZES),
        {**_BUILT, "BURST": 8},
    ),
    "32x64": (
        Config(vlen=4, vector_rows=128, hbm_bytes=8192, channels=32, beat_bytes=8, **_SIZES),
        {**_BUILT, "BURST": 2, "FIFO": 2},
    ),
    "2x256": (  # regions of more than one burst, though it be the longest
        Config(vlen=32, vector_rows=64, hbm_bytes=16384, channels=2, beat_bytes=32, **_SIZES),
        {**_BUILT, "BURST": 32},
    ),
    "1x1024": (  # likewise; a burst is 4 KiB
        Config(vlen=8, vector_rows=512, hbm_bytes=32768, channels=1, beat_bytes=128, **_SIZES),
        {**_BUILT, "BURST": 32, "FIFO": 5},
    ),
    # Small enough to be synthesised, and for its netlist to be proven equal. FIFO + OUTSTANDING is
    # a power of two: a ring has no place that induction could think of and the design never is in.
    "netlist": (
        Config(vlen=2, vector_rows=32, hbm_bytes=1024, channels=1, beat_bytes=8, **_SIZES),
        {"FIFO": 2, "OUTSTANDING": 2, "BURST": 2},
    ),
    "2x64": (
        Config(vlen=2, vector_rows=128, hbm_bytes=2048, channels=2, beat_bytes=8, **_SIZES),
        {**_BUILT, "FIFO": 1, "OUTSTANDING": 1, "BURST": 4},
    ),
}


@dataclass(frozen=True)
class Unit:
    """A unit at a size, and the bench around it.

    Attributes:
        top, files, parameters: the unit's Verilog.
        bench: the bench's Verilog, its top first, named like it.
        bench_parameters: of the bench.
        module: the cocotb test module.
        options: for it.
        macros: modules that synthesis leaves alone.
        depth: of the induction that its netlist equals it, cycles.
    """

    top: str
    files: tuple[Path, ...]
    parameters: dict[str, int]
    bench: tuple[Path, ...]
    bench_parameters: dict[str, int]
    module: str
    options: dict[str, Any]
    macros: tuple[str, ...] = ()
    depth: int = 8

    def job(
        self, name: str, simulator: str, examples: int, swap: Mapping[Path, Path] | None = None
    ) -> Job:
        """A simulation of it; with `swap`, of a broken copy."""
        swap = swap or {}
        mark = "".join(f"-{path.parent.name}" for path in swap.values())
        return Job(
            name=f"{name.replace(' ', '-')}-{simulator}{mark}",
            module=self.module,
            top=self.bench[0].stem,
            files=tuple(swap.get(path, path) for path in (*self.bench, *self.files)),
            simulator=simulator,
            parameters=self.bench_parameters,
            examples=examples,
            options=self.options,
            shrink_s=10.0,
        )

    def on_netlist(self, job: Job, netlist: Path) -> Job:
        """The same simulation of a netlist, whose sizes are fixed."""
        files = (*self.bench, netlist)
        return replace(job, name=f"{job.name}-netlist", files=files, defines={"NETLIST": 1})


def _write(config: Config, built: Mapping[str, int]) -> Unit:
    parameters = {
        "VLEN": config.vlen, "VECTOR_ROWS": config.vector_rows, "INT_WORDS": config.int_words,
        "KEY_WORDS": config.key_words, "CHANNELS": config.channels,
        "BEAT_BITS": 8 * config.beat_bytes, **built,
    }  # fmt: skip
    return Unit(
        top="unmask_write",
        files=FILES,
        parameters=parameters,
        bench=(BENCH / "write_bench.v", *MEMORIES),
        bench_parameters={**parameters, "WORDS": config.hbm_bytes // config.beat_bytes},
        module="write_engine",
        options={"config": asdict(config), "built": dict(built)},
        depth=1,
    )


HOST_WORDS = 8
UNITS = {
    **{f"write {name}": _write(*sizes) for name, sizes in SETUPS.items()},
    "host": Unit(
        top="unmask_host",
        files=(RTL / "frontend" / "unmask_host.v",),
        parameters={"PROGRAM_WORDS": HOST_WORDS, "VLEN": 32, "RING": 77},
        bench=(BENCH / "host_bench.v", MEMORIES[0]),
        bench_parameters={"PROGRAM_WORDS": HOST_WORDS},
        module="host",
        options={"words": HOST_WORDS},
    ),
}
