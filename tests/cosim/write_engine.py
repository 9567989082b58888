"""cocotb: the write engine against the specification's stores and the model's cycles.

A case is a memory with its moods, what lies in the SRAMs, and stores one after the other. After
each the whole image of HBM must be what the instruction leaves, guard bytes included; it must
complete in the model's cycle; and the memory must have seen no wrong AXI transaction.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import cocotb
import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from unmask.model import kernel
from unmask.model.memory import Memory, Transfer, bursts, transfer_of
from unmask.model.settings import Bus
from unmask.spec import isa
from unmask.spec.assembler import assemble
from unmask.spec.encoding import FORMATS, Trap
from unmask.spec.instructions.memory import LAYOUTS
from unmask.spec.machine import Machine
from unmask.spec.state import Config
from unmask.spec.vectors import WHOLE
from unmask.tests.cosim.bench import Clocked, Mismatch, bases, explore, options, read, replay

HANG = 20_000  # cycles
ADDRESS_BITS = 64
KINDS = {"H_STORE_V": 1, "H_ST_INT": 2, "H_ST_KEY": 3}
PROGRAM = {
    "H_STORE_V": "H_STORE_V gp1, gp2, a1, 1, 0",
    "H_ST_INT": "H_ST_INT gp1, gp2, a1, gp3",
    "H_ST_KEY": "H_ST_KEY gp1, gp2, a1, gp3",
}


@dataclass(frozen=True)
class Store:
    """A store: its instruction, its registers, and idle cycles before it."""

    mnemonic: str
    format: int
    place: int  # rd
    base: int  # a1
    offset: int  # rs1
    scale: int  # CSR
    length: int  # VL, or rs3
    rows: int
    pitch: int  # STRIDE
    delay: int

    @property
    def first(self) -> int:
        """Byte of the first element."""
        size = LAYOUTS[self.format].size if self.mnemonic == "H_STORE_V" else 4
        return self.base + self.offset * size

    @property
    def first_scale(self) -> int:
        """Byte of its scale; of what has none, somewhere."""
        return self.base + self.scale + self.offset // LAYOUTS[self.format].block


@dataclass(frozen=True)
class Case:
    """A memory, its moods, and stores.

    Attributes:
        base: where the memory begins on the bus; all other addresses count from there.
        bus: fields of `Bus` beside those that the engine is built with.
        stall: share of cycles in which a beat is held back.
        hold: of 65,536 cycles, in how many addresses are refused; the model knows none.
        seed: of what is in SRAM and HBM.
        faults: byte ranges in whole beats, with the answer each gets.
        stores: at least one.
    """

    base: int
    bus: dict[str, int]
    stall: float
    hold: int
    seed: int
    faults: tuple[tuple[int, int, int], ...]
    stores: tuple[Store, ...]


def config_of(option: dict[str, Any]) -> Config:
    """The sizes that the bench is built with."""
    return Config(**option["config"])


@st.composite
def stores(draw: st.DrawFn, config: Config, scaled: bool = False) -> Store:
    """One that does not trap: everything lies inside, rows begin on blocks.

    With `scaled`, one that writes scales too.
    """
    size_of = config.hbm_bytes
    words = [] if scaled else ["H_ST_INT", "H_ST_KEY"]
    mnemonic = draw(st.sampled_from(["H_STORE_V"] * 6 + words))
    delay = draw(st.sampled_from([0, 0, 1, 7]))
    if mnemonic != "H_STORE_V":
        depth = config.elements("int" if mnemonic == "H_ST_INT" else "key")
        length = draw(st.integers(1, min(depth, size_of // 8)))
        place = draw(st.integers(0, depth - length))
        base, offset = _split(draw, size_of - 4 * length, 4, 4)
        return Store(mnemonic, 0, place, base, offset // 4, 0, length, 1, 0, delay)
    forms = [x for x in FORMATS.values() if LAYOUTS[x].element is not None or not scaled]
    form = draw(st.sampled_from(forms))
    layout, vlen = LAYOUTS[form], config.vlen
    block, size = layout.block, layout.size
    # So many elements fit SRAM and a fraction of HBM.
    most = min(vlen * config.vector_rows, size_of // (4 * size))
    rows = draw(st.sampled_from([1, 1, 2, 3, 5]))
    row_most = max(most // rows // max(vlen, block), 1) * max(vlen, block)
    few = draw(st.integers(1, max(row_most // block, 1)))
    short = min(few, 3)
    length = block * draw(st.sampled_from([short, short, few, few, row_most // block]))
    while rows > 1 and -(-length // vlen) * rows > config.vector_rows:
        rows -= 1
    padded = -(-length // vlen)
    place = draw(st.integers(0, config.vector_rows - padded * rows)) * vlen
    slack = (size_of // 2 // size - length) // max(rows - 1, 1)
    pitch = block * draw(
        st.just(length // block) | st.integers(0, max(min(slack, 2 * length) // block, 0))
    )
    elements = ((rows - 1) * pitch + length) * size
    base, offset = _split(draw, size_of // 2 - elements, size, block * size)
    scale = 0
    if layout.element is not None:  # behind base + offset / block, up to the end
        scales = ((rows - 1) * pitch + length) // block
        if draw(st.booleans()):
            used = base + offset // block + scales
            scale = draw(st.integers(size_of // 2 - min(base, 40), size_of - used))
        else:  # the elements in the upper half, the scales below them
            base, offset = base % block, offset + size_of // 2
            used = base + offset // block + scales
            scale = draw(st.integers(0, size_of // 2 - used))
    return Store(mnemonic, form, place, base, offset // size, scale, length, rows, pitch, delay)


def _split(draw: st.DrawFn, room: int, unit: int, step: int) -> tuple[int, int]:
    """A base, a multiple of `unit`, and an offset in bytes, of `step`, that fit together."""
    base = draw(st.integers(0, room // unit)) * unit
    return base, draw(st.integers(0, min(room - base, 40 * step) // step)) * step


@st.composite
def cases(draw: st.DrawFn, config: Config, bus: dict[str, int]) -> Case:
    """Memories in which everything can be what holds up the rest; some fail."""
    cycles, beats = draw(st.sampled_from([(1, 1), (1, 1), (5, 4), (3, 2), (4, 1)]))
    period = draw(st.sampled_from([1, 1, 50, 97]))
    moods = {
        "outstanding": draw(st.sampled_from([1, 2, 3, 64, 64])),
        "latency": draw(st.sampled_from([1, 1, 2, 7, 40])),
        "jitter": draw(st.sampled_from([0, 0, 1, 30])),
        "cycles": cycles,
        "beats": beats,
        "refresh_period": period,
        "refresh_cycles": draw(st.sampled_from([1, 20])) if period > 1 else 0,
        "refresh_shift": draw(st.sampled_from([0, 11])) if period > 1 else 0,
        "seed": draw(st.integers(0, 5)),
    }
    found = tuple(draw(st.lists(stores(config), min_size=1, max_size=3)))
    faults: tuple[tuple[int, int, int], ...] = ()
    kind = draw(st.sampled_from(["none", "none", "none", "anywhere", "regions"]))
    if kind == "anywhere":
        total = config.hbm_bytes // config.beat_bytes
        faults = tuple(draw(_faults(config, draw(st.integers(0, total - 1)), x)) for x in (2, 3))
    elif kind == "regions":  # so the burst that a channel is answered first may be the higher one
        found = (draw(stores(config, scaled=True)), *found[1:])
        firsts = (found[0].first, found[0].first_scale)
        faults = tuple(draw(_faults(config, first // config.beat_bytes, code))
                       for first, code in zip(firsts, (2, 3), strict=True))  # fmt: skip
    return Case(
        draw(bases(ADDRESS_BITS, config.hbm_bytes)),
        moods,
        draw(st.sampled_from([0, 0, 0.2, 0.7])),
        draw(st.sampled_from([0, 0, 0, 30_000])),
        draw(st.integers(0, 1 << 16)),
        faults,
        found,
    )


@st.composite
def _faults(draw: st.DrawFn, config: Config, first: int, code: int) -> tuple[int, int, int]:
    """Up to eight beats that answer with an error, numbered from `first` on."""
    beat = config.beat_bytes
    total = config.hbm_bytes // beat
    return first * beat, min(first + draw(st.integers(1, 8)), total) * beat, code


def _mixed(number: NDArray[np.uint32], salt: int) -> NDArray[np.uint32]:
    """As in verilog/write_bench.v."""
    x = number * np.uint32(0x9E3779B1) + np.uint32(salt * 0x85EBCA6B & 0xFFFFFFFF)
    x = (x ^ x >> np.uint32(16)) * np.uint32(0x7FEB352D)
    x = (x ^ x >> np.uint32(15)) * np.uint32(0x046CA68B)
    return x ^ x >> np.uint32(16)


def contents(config: Config, seed: int) -> dict[str, NDArray[Any]]:
    """What the bench puts into the memories.

    Exponents of eight neighbours lie near each other; some codes are special, some anything.
    """

    def numbers(count: int) -> NDArray[np.uint32]:
        return np.arange(count, dtype=np.uint32)

    places = numbers(config.elements("vector"))
    own, group = _mixed(places, seed), _mixed(places >> np.uint32(3), seed + 1)

    def bits(high: int, low: int) -> NDArray[np.uint32]:
        return own >> np.uint32(low) & np.uint32((1 << high - low + 1) - 1)

    sign, field = bits(0, 0) << 15, (group & np.uint32(0xFF)) ^ bits(11, 8)
    near = sign | field << 7 | bits(7, 1)
    exponent = np.where(bits(12, 12), 0xFF, bits(13, 13) * 0xFF ^ 1)
    edge = sign | exponent << 7 | bits(14, 14) * 0x7F
    plain = sign | np.where(bits(12, 12), 0x7F80, 0)
    special = np.where(bits(15, 15), plain, edge)
    codes = np.where(bits(31, 28), near, np.where(bits(27, 27), bits(26, 11), special))
    return {
        "vector": codes.astype(np.uint16),
        "int": _mixed(numbers(config.elements("int")), seed + 2),
        "key": _mixed(numbers(config.elements("key")), seed + 3),
        "hbm": _mixed(numbers(config.hbm_bytes // 4), seed + 4).astype("<u4").view(np.uint8),
    }


class Stores:
    """The specification's machine, turned to one store after the other."""

    def __init__(self, config: Config, held: dict[str, NDArray[Any]], case: Case) -> None:
        program = "\n".join(PROGRAM.values())
        self.machine = Machine(assemble(program), config, WHOLE)
        self.faults = case.faults
        for name, values in held.items():
            self.machine.state.load(name, values)

    def run(self, store: Store) -> Transfer:
        """Change the image as the store does, but for beats that fail."""
        machine, state = self.machine, self.machine.state
        state.pc = list(PROGRAM).index(store.mnemonic)
        state.gp[1:4] = [store.place, store.offset, store.length]
        state.a[1] = store.base
        state.csrs |= {
            "VL": store.length, "ROWS": store.rows, "STRIDE": store.pitch,
            "SCALE": store.scale, "FMT0": store.format,
        }  # fmt: skip
        before = state.memories["hbm"].copy()
        record = machine.step()
        if record.cause is not Trap.NONE:
            raise ValueError(f"a store that traps was drawn: {record.cause.name}, {store}")
        for first, end, _ in self.faults:
            state.memories["hbm"][first:end] = before[first:end]
        row = isa.BY_MNEMONIC[store.mnemonic]
        return transfer_of(row, machine._operands)


class WriteBench(Clocked):
    """Drives the engine, and looks at the memory behind it."""

    def __init__(self, dut: Any, config: Config, built: dict[str, int]) -> None:
        super().__init__(dut, "clk")
        self.config, self.built = config, built
        for name in ("in_valid", "fill", "show"):
            getattr(dut, name).value = 0

    async def run(self, case: Case) -> None:
        """Run a case from reset.

        Raises:
            Mismatch: on a wrong byte, a wrong cycle, a wrong burst, or none at all.
        """
        dut, config = self.dut, self.config
        bus = self._bus(case)
        held = contents(config, case.seed)
        self._settings(case, bus)
        dut.base.value = case.base
        dut.seed.value = case.seed
        dut.fill.value = 1
        dut.rst.value = 1
        await self.step()
        dut.fill.value = 0
        dut.rst.value = 0
        time = Memory(bus._replace(outstanding=min(bus.outstanding, self.built["OUTSTANDING"])),
                      case.stall)  # fmt: skip
        spec, now = Stores(config, held, case), 0
        for number, store in enumerate(case.stores):
            for _ in range(store.delay + (number == 0)):
                await self.step()
            await self.settle()
            issue = read(dut.cycle)
            transfer = spec.run(store)
            failing = [
                first for first, beats in bursts(transfer, bus)
                if any(f <= beat < end for beat in beats for f, end, _ in case.faults)
            ]  # fmt: skip
            owed = time.write(transfer, issue) + 1
            self._request(store, transfer, case.base)
            await self.step()
            dut.in_valid.value = 0
            for _ in range(HANG):
                await self.settle()
                if read(dut.out_valid):
                    break
                await self.edge()
            else:
                raise Mismatch(f"store {number} does not complete in {HANG} cycles: {store}")
            now = read(dut.cycle)
            self._compare(case, number, now - owed, failing)
            await self.edge()
        await self._image(case, spec.machine.state.memories["hbm"])
        if error := read(dut.error):
            raise Mismatch(f"the memory saw wrong transactions, error bits {error:016b}: {case}")

    def _bus(self, case: Case) -> Bus:
        built, config = self.built, self.config
        return Bus(
            channels=config.channels, beat=config.beat_bytes, burst=built["BURST"],
            fifo=built["FIFO"], ring=1, **case.bus,
        )  # fmt: skip

    def _settings(self, case: Case, bus: Bus) -> None:
        dut = self.dut
        cuts = kernel.side(bus, case.stall).cuts.tolist()
        values = {
            "latency": bus.latency, "jitter": bus.jitter, "cycles": bus.cycles,
            "beats": bus.beats, "period": bus.refresh_period, "length": bus.refresh_cycles,
            "shift": bus.refresh_shift, "seed": bus.seed, "outstanding": bus.outstanding,
            "cuts": sum(cut << 16 * place for place, cut in enumerate(cuts)),
            "window_first": 0, "window_end": self.config.hbm_bytes,
            "fault_first": sum(x[0] << 64 * n for n, x in enumerate(case.faults)),
            "fault_end": sum(x[1] << 64 * n for n, x in enumerate(case.faults)),
            "fault_code": sum(x[2] << 2 * n for n, x in enumerate(case.faults)),
            "hold": case.hold,
        }  # fmt: skip
        for name, value in values.items():
            getattr(dut, f"set_{name}").value = value

    def _drive(self, store: Store, transfer: Transfer, base: int) -> None:
        first = transfer.pieces[0]
        values = {
            "kind": KINDS[store.mnemonic], "format": store.format, "first": base + first.first,
            "scale": base + first.scale, "length": store.length, "rows": store.rows,
            "pitch": store.pitch, "from": store.place,
        }  # fmt: skip
        for name, value in values.items():
            getattr(self.dut, f"in_{name}").value = value
        self.dut.in_valid.value = 1

    def _request(self, store: Store, transfer: Transfer, base: int) -> None:
        dut = self.dut
        self._drive(store, transfer, base)
        touched = [
            edge
            for p in transfer.pieces
            for begin, end in ((p.first, p.end), (p.scale, p.scale_end))
            if begin < end
            for edge in (begin, end)
        ]
        beat = self.config.beat_bytes
        dut.set_window_first.value = min(touched) // beat * beat
        dut.set_window_end.value = -(-max(touched) // beat) * beat

    def _compare(self, case: Case, number: int, late: int, failing: list[int]) -> None:
        dut = self.dut
        fault = read(dut.out_fault)
        if fault != bool(failing):
            raise Mismatch(f"store {number}: out_fault is {fault}; {len(failing)} bursts fail")
        if failing and (got := read(dut.out_fault_address)) != case.base + min(failing):
            owed = case.base + min(failing)
            raise Mismatch(f"store {number}: fault at {got:#x}, expected {owed:#x}")
        extra = self.config.channels + 1 if failing else 0
        if not case.hold and late != extra:
            raise Mismatch(
                f"store {number} of {len(case.stores)} completes {late - extra:+} cycles from the "
                f"model's: {case.stores[number]}, {case.bus}, stall {case.stall}"
            )

    async def _image(self, case: Case, owed: NDArray[np.uint8]) -> None:
        self.dut.show.value = 1
        await self.settle()
        got = read(self.dut.image).to_bytes(self.config.hbm_bytes, "little")
        self.dut.show.value = 0
        await self.settle()
        self._same(case, owed, np.frombuffer(got, np.uint8))

    def _same(self, case: Case, owed: NDArray[np.uint8], found: NDArray[np.uint8]) -> None:
        wrong = np.flatnonzero(found != owed)
        if wrong.size:
            lines = [
                f"  byte {at:#x}: expected {owed[at]:02x}, got {found[at]:02x}"
                for at in wrong[:8].tolist()
            ]
            text = "\n".join([f"{wrong.size} bytes of HBM differ after:", *map(str, case.stores)])
            raise Mismatch("\n".join([text, *lines]))


def to_json(case: Case) -> dict[str, Any]:
    return asdict(case)


def from_json(case: dict[str, Any]) -> Case:
    made = Case(**case)
    return replace(
        made,
        faults=tuple((x[0], x[1], x[2]) for x in made.faults),
        stores=tuple(Store(**x) for x in case["stores"]),
    )


@cocotb.test()
async def stores_are_the_specifications(dut: Any) -> None:
    """Every drawn store leaves the image that it owes, in the model's cycle."""
    option = options()
    config = config_of(option)
    bench = WriteBench(dut, config, option["built"])
    if "cases" in option:
        await replay(option["cases"], bench.run, from_json)
        return
    await explore(cases(config, option["built"]), bench.run, to_json)
