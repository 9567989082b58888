"""cocotb: the host interface, driven by cocotbext-axi's master, against a register file in Python.

Every channel pauses at random. The bench is the core: it sets what the core shows and whether it is
busy between accesses, and counts starts and halts.
"""

from __future__ import annotations

import itertools
import logging
import warnings
from dataclasses import asdict, dataclass
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge
from cocotbext.axi import AxiLiteBus, AxiLiteMaster
from hypothesis import strategies as st

from unmask.tests.cosim.bench import Mismatch, explore, options, read, replay

PROGRAM = 0x0400_0000
ID, VERSION = 0x756E4D6B, 0x00010000
CONTROL, STATUS = 0x08, 0x0C
SETTINGS = (0x30, 0x38, 0x3C, 0x40, 0x44)  # PROGRAM_LENGTH, WINDOW_*
WINDOW_LOW = (0x38, 0x40)  # of which a whole beat is wanted
BEAT_BYTES = 8
# Low half -> what the core shows there; the high half lies behind it.
PAIRS = {0x18: "fault_address", 0x20: "cycles", 0x28: "retired"}
BUILT = (32, 64, 1024, 4096, 1024, 0, 8, 1, 64, 16, 16, 16, 77)  # from 0x80 on; 0: program words
OKAY, SLVERR = 0, 2
CHANNELS = ("aw", "w", "b", "ar", "r")


@dataclass(frozen=True)
class Access:
    """A read, or a write of some bytes; what the core shows from before it on.

    Attributes:
        write: or a read of a whole word.
        address: any byte.
        data: bytes to write.
        core: values of its outputs by name.
    """

    write: bool
    address: int
    data: tuple[int, ...]
    core: dict[str, int]


@dataclass(frozen=True)
class Case:
    """Accesses, one after the other, and in which cycles each channel pauses (repeating)."""

    accesses: tuple[Access, ...]
    pauses: dict[str, tuple[bool, ...]]


def addresses(words: int) -> st.SearchStrategy[int]:
    """Registers, words of program memory, what lies near them, anything."""
    registers = st.integers(0, 0x34).map(lambda word: 4 * word)
    program = st.integers(-1, words + 1).map(lambda word: PROGRAM + 4 * word)
    busy = st.sampled_from([CONTROL, STATUS, *SETTINGS, *PAIRS, *(x + 4 for x in PAIRS)])
    near = (busy | registers).flatmap(lambda x: st.integers(x, x + 3))
    return busy | busy | registers | program | program | near | st.integers(0, (1 << 32) - 8)


@st.composite
def cases(draw: st.DrawFn, words: int) -> Case:
    value64 = st.integers(0, (1 << 64) - 1)
    core = {
        "busy": st.sampled_from([0, 0, 1]), "done": st.integers(0, 1), "halted": st.integers(0, 1),
        "cause": st.integers(0, 15), "trap_pc": st.integers(0, (1 << 32) - 1),
        "fault_address": value64, "cycles": value64, "retired": value64,
    }  # fmt: skip
    found = []
    for _ in range(draw(st.integers(1, 12))):
        address = draw(addresses(words))
        size = draw(st.sampled_from([4, 4, 4, 4, 1, 2, 3]))
        size = min(size, 4 - address % 4)
        data = draw(st.lists(st.integers(0, 255), min_size=size, max_size=size))
        if address in WINDOW_LOW and draw(st.booleans()):
            data[0] &= -BEAT_BYTES & 0xFF
        shown = draw(st.fixed_dictionaries(core) | st.just({}))
        found.append(Access(draw(st.booleans()), address, tuple(data), shown))
        if address in PAIRS and draw(st.booleans()):  # the other half, while the core goes on
            shown = draw(st.fixed_dictionaries(core))
            found.append(Access(False, address + 4, (0,), shown))
    pattern = st.just([False]) | st.lists(st.booleans(), min_size=2, max_size=6)
    pauses = {name: (*draw(pattern), False) for name in CHANNELS}
    return Case(tuple(found), pauses)


class Registers:
    """What the host should see."""

    def __init__(self, words: int) -> None:
        self.words = words
        self.settings = dict.fromkeys(SETTINGS, 0)
        self.program: dict[int, int] = {}
        self.core: dict[str, int] = {}
        self.starts = self.halts = 0
        self.kept: tuple[int, int] | None = None  # address and value of a high half

    def write(self, address: int, data: tuple[int, ...]) -> int:
        """The answer to a write, which takes effect."""
        busy = self.core["busy"]
        value = int.from_bytes(bytes(data), "little")
        if address % 4 or len(data) != 4:
            return SLVERR
        if address == CONTROL:
            if value & 3 == 1 and busy:
                return SLVERR
            self.starts += value & 3 == 1
            self.halts += value >> 1 & 1
            return OKAY
        if address in WINDOW_LOW and value % BEAT_BYTES:
            return SLVERR
        if address in SETTINGS and not busy:
            self.settings[address] = value
            return OKAY
        if 0 <= address - PROGRAM < 4 * self.words and not busy:
            self.program[address] = value
            return OKAY
        return SLVERR

    def read(self, address: int) -> tuple[int, int | None]:
        """The answer to a read, and its data; None: anything."""
        kept, self.kept = self.kept, None
        if address % 4:
            return SLVERR, None
        if kept is not None and kept[0] == address:
            return OKAY, kept[1]
        if 0 <= address - PROGRAM < 4 * self.words:
            return (SLVERR, None) if self.core["busy"] else (OKAY, self.program[address])
        core = self.core
        for low, name in PAIRS.items():
            if address == low:
                self.kept = (low + 4, core[name] >> 32)
                return OKAY, core[name] & 0xFFFFFFFF
            if address == low + 4:
                return OKAY, core[name] >> 32
        if address in self.settings:
            return OKAY, self.settings[address]
        if 0 <= (address - 0x80) // 4 < len(BUILT):
            return OKAY, BUILT[(address - 0x80) // 4] or self.words
        status = core["busy"] | core["done"] << 1 | core["halted"] << 2 | core["cause"] << 4
        fixed = {0: ID, 4: VERSION, CONTROL: 0, STATUS: status, 0x10: core["trap_pc"]}
        return (OKAY, fixed[address]) if address in fixed else (SLVERR, None)


class HostBench:
    """The master, the core's outputs, and the registers as they should be."""

    def __init__(self, dut: Any, words: int) -> None:
        self.dut, self.words = dut, words
        self.master: Any = None

    async def start(self) -> None:
        """Clock and master; the master's log would be most of the run."""
        dut = self.dut
        for name in ("aw", "w", "ar"):
            getattr(dut, f"s_axi_{name}valid").value = 0
        dut.s_axi_bready.value = 0
        dut.s_axi_rready.value = 0
        dut.rst.value = 1
        Clock(dut.clk, 2, unit="ns").start()
        await ClockCycles(dut.clk, 2)
        logging.getLogger("cocotb.host_bench").setLevel(logging.WARNING)
        warnings.simplefilter("ignore", DeprecationWarning)  # cocotbext-axi's, of cocotb 2
        bus = AxiLiteBus.from_prefix(self.dut, "s_axi")
        self.master = AxiLiteMaster(bus, self.dut.clk)

    async def run(self, case: Case) -> None:
        """Run a case from reset, on a program memory of zeros.

        Raises:
            Mismatch: on a wrong answer, wrong data, a wrong effect or a broken handshake.
        """
        dut = self.dut
        owed = Registers(self.words)
        owed.core = dict.fromkeys(
            ("busy", "done", "halted", "cause", "trap_pc", *PAIRS.values()), 0
        )
        await self._show(owed.core)
        dut.rst.value = 1
        await ClockCycles(dut.clk, 2)
        dut.rst.value = 0
        await RisingEdge(dut.clk)
        for word in range(self.words):
            await self._write(owed, PROGRAM + 4 * word, (word, 0, 0, 0))
        for name, part in self._channels().items():
            part.set_pause_generator(itertools.cycle(case.pauses[name]))
        try:
            for access in case.accesses:
                owed.core |= access.core
                await self._show(owed.core)
                if access.write:
                    await self._write(owed, access.address, access.data)
                else:
                    await self._read(owed, access.address)
            await RisingEdge(dut.clk)
        finally:
            for part in self._channels().values():
                part.clear_pause_generator()
                part.pause = False
        owed.core |= {"busy": 0}
        await self._show(owed.core)
        for address in (*SETTINGS, *owed.program):
            await self._read(owed, address)
        await ClockCycles(dut.clk, 2)
        shown = {
            "starts": owed.starts, "halts": owed.halts, "error": 0,
            "program_length": owed.settings[0x30],
            "window_first": owed.settings[0x38] | owed.settings[0x3C] << 32,
            "window_end": owed.settings[0x40] | owed.settings[0x44] << 32,
        }  # fmt: skip
        got = {name: read(getattr(dut, name)) for name in shown}
        if got != shown:
            raise Mismatch(f"after {len(case.accesses)} accesses: expected {shown}, got {got}")

    def _channels(self) -> dict[str, Any]:
        write, read_ = self.master.write_if, self.master.read_if
        parts = (write.aw_channel, write.w_channel, write.b_channel)
        return dict(zip(CHANNELS, (*parts, read_.ar_channel, read_.r_channel), strict=True))

    async def _show(self, core: dict[str, int]) -> None:
        for name, value in core.items():
            getattr(self.dut, name).value = value
        await RisingEdge(self.dut.clk)

    async def _write(self, owed: Registers, address: int, data: tuple[int, ...]) -> None:
        expected = owed.write(address, data)
        answer = await self.master.write(address, bytes(data))
        if answer.resp != expected:
            raise Mismatch(
                f"write of {bytes(data).hex()} at {address:08x}, busy {owed.core['busy']}: "
                f"expected answer {expected}, got {answer.resp:d}"
            )

    async def _read(self, owed: Registers, address: int) -> None:
        expected, data = owed.read(address)
        answer = await self.master.read(address, 4 - address % 4)
        got = int.from_bytes(answer.data, "little")
        if answer.resp != expected or (data is not None and got != data):
            raise Mismatch(
                f"read at {address:08x}, busy {owed.core['busy']}: expected answer {expected}, "
                f"data {data}, got {answer.resp:d}, {got}"
            )


def to_json(case: Case) -> dict[str, Any]:
    return asdict(case)


def from_json(case: dict[str, Any]) -> Case:
    accesses = tuple(
        Access(x["write"], x["address"], tuple(x["data"]), x["core"]) for x in case["accesses"]
    )
    return Case(accesses, {name: tuple(x) for name, x in case["pauses"].items()})


@cocotb.test()
async def answers_are_the_registers(dut: Any) -> None:
    """Every drawn access has the answer, the data and the effect that it owes."""
    option = options()
    bench = HostBench(dut, option["words"])
    await bench.start()
    if "cases" in option:
        await replay(option["cases"], bench.run, from_json)
        return
    await explore(cases(option["words"]), bench.run, to_json)
