"""The read engine as built and simulated, on the simulated memory of `verilog/`."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from unmask.proofs.engine import yosys
from unmask.proofs.units.read_engine.common import PARAMETERS, Size
from unmask.spec.state import Config
from unmask.tests.cosim.paths import RTL
from unmask.tests.cosim.write_jobs import BENCH, Unit

FILES = (
    *(RTL / "stream" / f"unmask_{name}.v" for name in (
        "read", "read_queue", "read_segments", "read_walker", "read_channel", "read_lanes",
        "stripe_join", "scale_ring", "turn", "lowest", "row_writer", "dequantise",
    )),
    RTL / "memory" / "unmask_sram.v",
)  # fmt: skip


@dataclass(frozen=True)
class Sizes:
    """Parameters of the bench's design, by their names in lower case."""

    vlen: int
    vector_rows: int
    int_words: int
    key_words: int
    channels: int
    beat_bits: int
    burst: int
    outstanding: int
    fifo: int
    ring: int
    words: int
    address_bits: int

    @property
    def config(self) -> Config:
        return Config(
            vlen=self.vlen, vector_rows=self.vector_rows, int_words=self.int_words,
            key_words=self.key_words, hbm_bytes=self.words * self.beat_bits // 8,
            channels=self.channels, beat_bytes=self.beat_bits // 8,
        )  # fmt: skip


def _sizes(vlen: int, channels: int, beat_bits: int, **others: int) -> Sizes:
    usual = {
        "vector_rows": 16, "int_words": 256, "key_words": 128, "burst": 16, "outstanding": 16,
        "fifo": 16, "ring": 8 * channels, "words": 1024, "address_bits": 64,
    }  # fmt: skip
    return Sizes(vlen=vlen, channels=channels, beat_bits=beat_bits, **{**usual, **others})


# Each is something of its own: the least queues, the longest bursts, fewer bytes than lanes, ...
SIZES = {
    "1x64": _sizes(4, 1, 64),
    "1x512": _sizes(8, 1, 512, words=256),
    "2x64": _sizes(32, 2, 64, burst=2, outstanding=1, fifo=1, words=512),
    "4x128": _sizes(64, 4, 128, burst=32, fifo=3),
    "2x256": _sizes(16, 2, 256, burst=32, words=512),
    "1x1024": _sizes(4, 1, 1024, burst=32, words=128),
    "32x64": _sizes(64, 32, 64, fifo=4, words=4096),
    # Small enough to be synthesised, and for its netlist to be proven equal.
    "netlist": _sizes(4, 1, 64, vector_rows=4, int_words=16, key_words=16, burst=4, outstanding=2,
                      fifo=2, address_bits=20),
}  # fmt: skip


def _unit(sizes: Sizes) -> Unit:
    engine = {name.upper(): value for name, value in asdict(sizes).items()}
    words = engine.pop("WORDS")  # the memory's
    benches = ("read_bench", "axi_memory", "axi_memory_channel")
    return Unit(
        top="unmask_read",
        files=FILES,
        parameters=engine,
        bench=tuple(BENCH / f"{name}.v" for name in benches),
        bench_parameters={**engine, "WORDS": words},
        module="read_engine",
        options={"sizes": asdict(sizes)},
        macros=("unmask_sram",),
    )


# Modules whose netlists are proven equal each by itself, with all below them: top -> those below.
PARTS = {
    "unmask_read_queue": (),
    "unmask_stripe_join": ("unmask_read_segments",),
    "unmask_read_walker": ("unmask_read_segments",),
    "unmask_read_lanes": ("unmask_dequantise",),
    "unmask_row_writer": (),
}
_PART_PARAMETERS = {
    "unmask_read_lanes": {"VLEN": 4, "STRIPE": 8, "WINDOW": 2},
    "unmask_row_writer": {"VLEN": 4, "ROWS": 4},
}


def part(name: str) -> yosys.Design:
    """A part as it is in the engine of the netlist."""
    size = Size(1, 8, 20, vlen=4, burst=4, ring=8)
    folder = RTL / "stream"
    files = tuple(folder / f"{module}.v" for module in (name, *PARTS[name]))
    parameters = _PART_PARAMETERS.get(name) or size.parameters(*PARAMETERS[name])
    return yosys.Design(files, name, parameters, (folder,))


UNITS = {f"read {name}": _unit(sizes) for name, sizes in SIZES.items()}
