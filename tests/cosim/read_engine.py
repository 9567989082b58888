"""cocotb: the read engine on `verilog/axi_memory.v`: what it delivers against the specification's
fetches, when against the model, cycle by cycle."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import Any

import cocotb
import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from unmask.model import kernel
from unmask.model.memory import DEQUANTISE, TO_SRAM, Memory, Transfer, transfer_of
from unmask.model.pipeline import QUEUED_READS, TO_STATE
from unmask.model.settings import Bus
from unmask.spec import isa
from unmask.spec.encoding import FORMATS, Instruction, Kind
from unmask.spec.instructions.memory import LAYOUTS, WORD, Layout, fetch
from unmask.spec.machine import Operands
from unmask.spec.state import MEMORIES, State
from unmask.spec.vectors import WHOLE
from unmask.tests.cosim.bench import Clocked, Mismatch, bases, explore, options, read, replay
from unmask.tests.cosim.read_jobs import Sizes

KINDS = {"H_RED_SM": 0, "H_PREFETCH_V": 1, "H_LD_INT": 2, "H_LD_KEY": 3}
MEMORY_OF = {"H_PREFETCH_V": "vector", "H_LD_INT": "int", "H_LD_KEY": "key"}
SPECIAL_BYTES = (0x00, 0x01, 0x7B, 0x7C, 0x7E, 0x7F, 0x80, 0xFC, 0xFE, 0xFF)
LIMIT = 60_000  # cycles of a case; more is a hang


@dataclass(frozen=True)
class Fetch:
    """A read, as its instruction has it.

    Attributes:
        mnemonic: of KINDS.
        delay: cycles from its issue to the next one's, at least.
        base, offset, scale: byte address, elements, bytes from the base to the scales.
        form: number of a format.
        length, rows, pitch: elements of a row; rows, and elements from one to the next.
        to: first element of the SRAM.
        index, state, clear, bans: of a stream.
    """

    mnemonic: str
    delay: int
    base: int
    offset: int
    scale: int
    form: int
    length: int
    rows: int
    pitch: int
    to: int
    index: int
    state: int
    clear: int
    bans: int

    @property
    def first(self) -> int:
        """Byte of the first element."""
        return self.base + self.offset * self.layout.size

    @property
    def edges(self) -> list[int]:
        """Where its elements begin, and its scales."""
        if self.layout.element is None:
            return [self.first]
        return [self.first, self.base + self.scale + self.offset // self.layout.block]

    @property
    def layout(self) -> Layout:
        return Layout(WORD) if KINDS[self.mnemonic] >= 2 else LAYOUTS[self.form]


@dataclass(frozen=True)
class Case:
    """Reads, the memory's moods, and where it answers with errors.

    All addresses count from `base`, where the memory begins on the bus.
    """

    fetches: tuple[Fetch, ...]
    base: int
    bus: dict[str, int]
    stall: float
    faults: tuple[tuple[int, int, int], ...]  # first byte, end, RRESP


@cache
def image_of(size: int) -> NDArray[np.uint8]:
    """What the memory holds: anything, with special elements and scales among it."""
    rng = np.random.default_rng(16)
    image = rng.integers(0, 256, size, np.uint8)
    special = rng.random(size) < 0.15
    image[special] = rng.choice(np.array(SPECIAL_BYTES, np.uint8), int(special.sum()))
    return image


# -- drawing --


@st.composite
def buses(draw: st.DrawFn, sizes: Sizes) -> dict[str, int]:
    cycles, beats = draw(st.sampled_from([(1, 1), (1, 1), (5, 4), (3, 2), (256, 115), (4, 1)]))
    period = draw(st.sampled_from([1, 1, 50, 97]))
    return {
        "outstanding": min(sizes.outstanding, draw(st.sampled_from([1, 2, 3, 16, 64]))),
        "latency": draw(st.sampled_from([1, 2, 7, 40])),
        "jitter": draw(st.sampled_from([0, 0, 1, 30])),
        "cycles": cycles,
        "beats": beats,
        "refresh_period": period,
        "refresh_cycles": draw(st.sampled_from([1, 20])) if period > 1 else 0,
        "refresh_shift": draw(st.sampled_from([0, 11])) if period > 1 else 0,
        "seed": draw(st.integers(0, 5)),
    }


@st.composite
def fetches(draw: st.DrawFn, sizes: Sizes, stripes: int = 0) -> Fetch:
    """One that traps on nothing; its rows of at least so many stripes, where they fit."""
    config = sizes.config
    mnemonic = draw(st.sampled_from(["H_RED_SM", "H_RED_SM", "H_PREFETCH_V", *KINDS]))
    words, rows, pitch = KINDS[mnemonic] >= 2, 1, 0
    form = draw(st.sampled_from(sorted(FORMATS.values())))
    layout = Layout(WORD) if words else LAYOUTS[form]
    room = config.hbm_bytes // 2  # elements in the lower half, scales in the upper one
    most = room // 2 // layout.size
    if words:
        most = min(most, config.elements(MEMORY_OF[mnemonic]))
    stripe = config.channels * config.beat_bytes // layout.size
    few = st.integers(1, 2 * stripe) | st.integers(1, 3 * config.vlen)
    length = draw(st.integers(1, 30) | few | st.integers(1, 40 * stripe))
    length = min(max(length, stripes * stripe), most)
    to = 0
    if mnemonic == "H_PREFETCH_V":
        depth, vlen = config.elements("vector"), config.vlen
        length = min(length, depth)
        padded = -(-length // vlen) * vlen
        rows = min(draw(st.sampled_from([1, 1, 2, 5, 40])), depth // padded)
        pitch = draw(st.integers(0, 4 * length)) // layout.block * layout.block
        pitch = draw(st.sampled_from([pitch, 0, -(-length // layout.block) * layout.block]))
        while rows > 1 and ((rows - 1) * pitch + length) * layout.size > room // 2:
            rows -= 1
        to = draw(st.integers(0, (depth - rows * padded) // vlen)) * vlen
    elif words:
        to = draw(st.integers(0, config.elements(MEMORY_OF[mnemonic]) - length))
    spare = room - ((rows - 1) * pitch + length) * layout.size
    first = draw(st.integers(0, min(200, spare)) | st.integers(0, spare)) // layout.size
    offset = draw(st.sampled_from([0, first])) // layout.block * layout.block
    scale = room - (first - offset) * layout.size + draw(st.integers(0, 300))
    return Fetch(
        mnemonic=mnemonic,
        delay=draw(st.sampled_from([1, 1, 2, 5, 60])),
        base=(first - offset) * layout.size,
        offset=offset,
        scale=min(scale, config.hbm_bytes * 5 // 8),
        form=form,
        length=length,
        rows=rows,
        pitch=pitch,
        to=to,
        index=draw(st.sampled_from([0, 5, (1 << 32) - 3])),
        state=draw(st.integers(0, 3)),
        clear=draw(st.integers(0, 1)),
        bans=draw(st.integers(0, (1 << 128) - 1)),
    )


@st.composite
def cases(draw: st.DrawFn, sizes: Sizes) -> Case:
    found = tuple(draw(st.lists(fetches(sizes), min_size=1, max_size=6)))
    kind = draw(st.sampled_from(["none", "none", "one", "two", "neighbours"]))
    if kind == "neighbours":
        found, faults = draw(neighbours(sizes))
    else:
        edges: list[int] = []
        if kind == "one":
            edges = [draw(st.sampled_from(draw(st.sampled_from(found)).edges))]
        elif kind == "two":  # of one read, whose scales come before its elements
            edges = draw(st.sampled_from([x for x in found if len(x.edges) == 2] or found)).edges
        faults = tuple(draw(faults_at(sizes, edge)) for edge in edges)
    base = draw(bases(sizes.address_bits, sizes.config.hbm_bytes))
    stall = draw(st.sampled_from([0, 0, 0.2, 0.7]))
    bus = draw(buses(sizes))
    if kind == "neighbours":  # fast: the lanes lag behind, the younger's beats come meanwhile
        stall, bus = 0, bus | {"jitter": 0, "cycles": 1, "beats": 1, "refresh_cycles": 0,
                               "outstanding": min(sizes.outstanding, 16)}  # fmt: skip
    return Case(found, base, bus, stall, faults)


@st.composite
def faults_at(draw: st.DrawFn, sizes: Sizes, edge: int) -> tuple[int, int, int]:
    """Beats that fail, at or behind one."""
    beat = sizes.beat_bits // 8
    first = edge // beat + draw(st.just(0) | st.integers(0, 8))
    code = draw(st.sampled_from([2, 3]))
    return first * beat, (first + draw(st.integers(1, 9))) * beat, code


@st.composite
def neighbours(
    draw: st.DrawFn, sizes: Sizes
) -> tuple[tuple[Fetch, ...], tuple[tuple[int, int, int], ...]]:
    """Two reads, back to back: the last beats of the older fail, and the first of the younger.

    A channel keeps one failed beat: the younger's come while the older's is kept. It may be higher,
    or, more often, lower, and must not take its place either.
    """
    above = draw(st.sampled_from([0, 1, 1, 1])) * sizes.config.hbm_bytes // 4
    older = draw(fetches(sizes, stripes=draw(st.integers(4, 20))))
    older = replace(older, base=older.base + above, delay=1, rows=1, pitch=0)
    younger = replace(draw(fetches(sizes)), rows=1, pitch=0)
    stripe = sizes.channels * sizes.beat_bits // 8
    last = (older.first + older.length * older.layout.size - 1) // stripe
    begin = draw(st.sampled_from(younger.edges)) // stripe
    width = draw(st.integers(1, 3))
    return (older, younger), (
        (last * stripe, (last + 1) * stripe, 2),
        (begin * stripe, (begin + width) * stripe, 3),
    )


def to_json(case: Case) -> dict[str, Any]:
    return asdict(case)


def from_json(case: dict[str, Any]) -> Case:
    return Case(
        tuple(Fetch(**fetch_) for fetch_ in case["fetches"]),
        case["base"],
        case["bus"],
        case["stall"],
        tuple((a, b, c) for a, b, c in case["faults"]),
    )


# -- what is owed --


@dataclass
class Owed:
    """What a read is to do.

    Attributes:
        issue, done, complete: cycles, by the model.
        elements: of a stream: (first byte, codes, flags or None); else None.
        memories: the SRAMs behind it, by name.
        failing: beats that it reads and that fail, ascending.
    """

    issue: int
    done: int
    complete: int
    elements: tuple[int, NDArray[Any], NDArray[Any] | None] | None
    memories: dict[str, NDArray[Any]]
    failing: list[int]


class Bound:
    """A read's instruction and operands, as the core has them."""

    def __init__(self, fetch_: Fetch, state: State) -> None:
        self.fetch = fetch_
        self.row: Instruction = isa.BY_MNEMONIC[fetch_.mnemonic]
        state.gp[1], state.gp[2], state.gp[3] = fetch_.to, fetch_.offset, fetch_.length
        state.a[1] = fetch_.base
        for name in ("BAN0", "BAN1", "BAN2", "BAN3"):
            state.csrs[name] = 0xFFFFFFFF
        state.csrs |= {
            "VL": fetch_.length, "STRIDE": fetch_.pitch, "SCALE": fetch_.scale,
            "ROWS": fetch_.rows, "FMT0": fetch_.form,
        }  # fmt: skip
        self.operands = Operands(state, WHOLE)
        fields = {
            "rd": (Kind.GP, 1), "rs1": (Kind.GP, 2), "rs2": (Kind.A, 1), "rs3": (Kind.GP, 3),
            "rstride": (Kind.CHOICE, 1), "precision": (Kind.CHOICE, 0),
            "format": (Kind.CHOICE, fetch_.form), "clear": (Kind.CHOICE, fetch_.clear),
        }  # fmt: skip
        self.operands.bind(fields)
        for cause, condition in self.row.traps:
            if condition(self.operands).value:
                raise ValueError(f"{fetch_} traps: {cause}")

    @property
    def transfer(self) -> Transfer:
        return transfer_of(self.row, self.operands)


def owed_by(case: Case, sizes: Sizes) -> list[Owed]:
    """Of each read what it is to do and when."""
    config = sizes.config
    beat, levels = config.beat_bytes, config.vlen.bit_length() - 1
    image = image_of(config.hbm_bytes)
    state = State(config, memories={
        "hbm": image, **{name: np.zeros(config.elements(name), MEMORIES[name])
                         for name in ("vector", "int", "key", "fp")},
    })  # fmt: skip
    memory = Memory(bus_of(case, sizes), case.stall)
    found: list[Owed] = []
    reached = 1
    for number, fetch_ in enumerate(case.fetches):
        bound = Bound(fetch_, state)
        transfer = bound.transfer
        issue = reached
        if number >= QUEUED_READS:
            issue = max(issue, found[number - QUEUED_READS].complete + 1)
        done = memory.read(transfer, issue)
        elements = None
        if fetch_.mnemonic == "H_RED_SM":
            behind = 2 * levels + TO_STATE
            x = bound.operands
            codes, flags = fetch(x, "rs2", x["rs1"], fetch_.length, fetch_.layout)
            elements = (
                transfer.pieces[0].first,
                np.asarray(codes.value),
                None if flags is None else np.asarray(flags.value),
            )
        else:
            behind = TO_SRAM
            name = MEMORY_OF[fetch_.mnemonic]
            for write in bound.row.semantics(bound.operands).writes:
                values = np.asarray(write.values.value)
                at = write.address.as_int()
                state.memories[name][at : at + values.size] = values
        touched = {
            number_
            for piece in transfer.pieces
            for a, b in ((piece.first, piece.end), (piece.scale, piece.scale_end))
            if a < b
            for number_ in range(a // beat, (b - 1) // beat + 1)
        }
        failing = sorted(
            b for b in touched if any(lo <= b * beat < hi for lo, hi, _ in case.faults)
        )
        memories = {name: state.memories[name].copy() for name in MEMORY_OF.values()}
        complete = done + DEQUANTISE + behind
        found.append(Owed(issue, done, complete, elements, memories, failing))
        reached = issue + fetch_.delay
    return found


def bus_of(case: Case, sizes: Sizes) -> Bus:
    return Bus(
        channels=sizes.channels, beat=sizes.beat_bits // 8, burst=sizes.burst, fifo=sizes.fifo,
        ring=sizes.ring, **case.bus,
    )  # fmt: skip


def packed(parts: list[tuple[int, int]]) -> int:
    """(width, value) each, the first lowest."""
    value, place = 0, 0
    for width, part in parts:
        value |= (part & (1 << width) - 1) << place
        place += width
    return value


def settings_of(case: Case, sizes: Sizes, hold: int = 0) -> int:
    """The bench's `settings`."""
    bus = bus_of(case, sizes)
    cuts = kernel.side(bus, case.stall).cuts
    ranges = [*case.faults, (0, 0, 0), (0, 0, 0)][:2]
    numbers = [
        bus.latency, bus.jitter, bus.cycles, bus.beats, bus.refresh_period,
        bus.refresh_cycles, bus.refresh_shift, bus.seed, bus.outstanding,
    ]  # fmt: skip
    parts = [(32, number) for number in numbers]
    parts += [(16, int(cut)) for cut in cuts]
    parts += [(64, 0), (64, sizes.config.hbm_bytes)]
    parts += [(64, first) for first, _, _ in ranges] + [(64, end) for _, end, _ in ranges]
    parts += [(2, code) for _, _, code in ranges] + [(16, hold)]
    return packed(parts)


def request_of(fetch_: Fetch, slot: int, base: int) -> int:
    """The bench's `request`."""
    layout = fetch_.layout
    return packed([
        (128, fetch_.bans), (32, fetch_.index), (1, fetch_.clear), (2, fetch_.state),
        (32, fetch_.to), (32, fetch_.pitch), (32, fetch_.rows), (32, fetch_.length),
        (64, base + fetch_.base + fetch_.scale + fetch_.offset // layout.block),
        (64, base + fetch_.base + fetch_.offset * layout.size),
        (3, fetch_.form), (2, KINDS[fetch_.mnemonic]), (2, slot),
    ])  # fmt: skip


# -- the bench --


class ReadBench(Clocked):
    """Issues reads when the model says so, and watches everything that comes of it."""

    def __init__(self, dut: Any, sizes: Sizes) -> None:
        super().__init__(dut, "clk")
        self.sizes, self.loaded = sizes, False

    async def load(self) -> None:
        """Fill the memory."""
        beat = self.sizes.beat_bits // 8
        image = image_of(self.sizes.config.hbm_bytes).tobytes()
        dut = self.dut
        dut.host_write.value = 1
        for number in range(self.sizes.words):
            dut.host_address.value = number
            dut.host_wdata.value = int.from_bytes(image[number * beat :][:beat], "little")
            await self.step()
        dut.host_write.value = 0
        self.loaded = True

    async def run(self, case: Case) -> None:
        """One case, from reset.

        Raises:
            Mismatch: on anything wrong, late, early, missing or surplus.
        """
        dut, owed = self.dut, owed_by(case, self.sizes)
        dut.in_valid.value = 0
        dut.host_write.value = 0
        dut.base.value = case.base
        dut.settings.value = settings_of(case, self.sizes)
        if not self.loaded:
            dut.rst.value = 1
            await self.load()
        dut.rst.value = 1
        await self.step()
        await self.step()
        dut.rst.value = 0
        watch = Watch(dut, self.sizes, case, owed)
        last = owed[-1].complete
        numbers = {item.issue: number for number, item in enumerate(owed)}
        for cycle in range(last + 8):
            if cycle > LIMIT:
                raise Mismatch("a case too long for the bench")
            number = numbers.get(cycle)
            dut.in_valid.value = int(number is not None)
            if number is not None:
                dut.request.value = request_of(case.fetches[number], number % 4, case.base)
            await self.settle()
            watch.look(cycle)
            await self.edge()
        watch.end()


class Watch:
    """Compares what the engine does with what it owes; unless `timed`, not when."""

    def __init__(
        self, dut: Any, sizes: Sizes, case: Case, owed: list[Owed], timed: bool = True
    ) -> None:
        self.dut, self.sizes, self.case, self.owed, self.timed = dut, sizes, case, owed, timed
        self.memories = {
            name: np.zeros(sizes.config.elements(name), MEMORIES[name])
            for name in MEMORY_OF.values()
        }
        self.streams = [n for n, f in enumerate(case.fetches) if f.mnemonic == "H_RED_SM"]
        self.others = [n for n, f in enumerate(case.fetches) if f.mnemonic != "H_RED_SM"]
        self.place = 0  # bytes of the stream in front that were seen
        self.trusted = dict.fromkeys(MEMORY_OF.values(), True)  # no error has been written to it
        self.first_failure = next((n for n, item in enumerate(owed) if item.failing), None)

    def look(self, cycle: int) -> None:
        events = read(self.dut.events)
        under_way = any(item.issue < cycle <= item.done + DEQUANTISE + TO_SRAM
                        for item in self.owed)  # fmt: skip
        if self.timed and read(self.dut.idle) == under_way:
            raise Mismatch(f"cycle {cycle}: idle is {int(under_way)}, which is wrong")
        if events & 1:
            self._slice(cycle)
        if events >> 1 & 3:
            self._rows(events >> 1 & 3)
        if events >> 3 & 3:
            word = read(self.dut.word)
            name = "int" if events >> 3 & 1 else "key"
            size = self.memories[name].size
            self.memories[name][(word >> 32) % size] = word & 0xFFFFFFFF
        if events >> 5:
            self._done(cycle)

    def _slice(self, cycle: int) -> None:
        if not self.streams:
            raise Mismatch(f"cycle {cycle}: a slice that no stream asked for")
        number = self.streams[0]
        fetch_, owed = self.case.fetches[number], self.owed[number]
        assert owed.elements is not None
        first, codes, flags = owed.elements
        size, vlen = fetch_.layout.size, self.sizes.vlen
        stripe = self.sizes.channels * self.sizes.beat_bits // 8
        width = min(vlen * size, stripe)
        at = first + self.place
        begin, end = at // width * width, min(at // width * width + width,
                                              first + codes.size * size)  # fmt: skip
        lanes = range((at - begin) // size, (end - begin) // size)
        is_last = end == first + codes.size * size
        text = str(self.dut.stream.value)
        seen = {
            "slot": text[0:2], "state": text[2:4], "clear": text[4], "first": text[5],
            "last": text[6], "base": text[72:104], "bans": text[104:232],
        }  # fmt: skip
        index = (fetch_.index + (begin - first) // size) % (1 << 32)
        wanted = {
            "slot": f"{number % 4:02b}", "state": f"{fetch_.state:02b}",
            "clear": f"{fetch_.clear}", "first": f"{int(self.place == 0)}",
            "last": f"{int(is_last)}", "base": f"{index:032b}", "bans": f"{fetch_.bans:0128b}",
        }  # fmt: skip
        where = f"cycle {cycle}, transfer {number}, bytes {begin}:{end}"
        for name, value in wanted.items():
            if seen[name] != value:
                raise Mismatch(f"{where}: {name} is {seen[name]}, expected {value}")
        active = sum(1 << lane for lane in lanes)
        if read(self.dut.active) != active:
            raise Mismatch(f"{where}: active {read(self.dut.active):b}, expected {active:b}")
        if not owed.failing:
            data, marks = str(self.dut.data.value), str(self.dut.flags.value)
            for lane in lanes:
                element = (begin - first) // size + lane
                flag = 0 if flags is None else int(flags[element])
                expected = f"{int(codes[element]):016b}", f"{flag:02b}"
                got = (data[16 * (vlen - 1 - lane) :][:16], marks[2 * (vlen - 1 - lane) :][:2])
                if got != expected:
                    raise Mismatch(f"{where}: lane {lane} is {got}, expected {expected}")
        self.place = end - first
        if is_last:
            self.streams.pop(0)
            self.place = 0
            if self.timed and cycle != owed.done + DEQUANTISE:
                raise Mismatch(f"{where}: the last slice came {cycle - DEQUANTISE - owed.done} "
                               "cycles late")  # fmt: skip
            self._fault(number, text[7], text[8:72])

    def _rows(self, which: int) -> None:
        vlen, bits = self.sizes.vlen, self.sizes.vector_rows.bit_length() - 1
        rows, mask = read(self.dut.vector_row), read(self.dut.vector_mask)
        data = str(self.dut.vector_data.value)
        for odd in range(2):
            if not which >> odd & 1:
                continue
            row = rows >> bits * odd & (1 << bits) - 1
            if row % 2 != odd:
                raise Mismatch(f"row {row} is written to bank {odd}")
            for lane in range(vlen):
                if mask >> vlen * odd + lane & 1:
                    text = data[16 * (vlen - 1 - lane) :][:16]
                    if "x" in text.lower():
                        raise Mismatch(f"row {row}, lane {lane} is undefined: {text}")
                    self.memories["vector"][row * vlen + lane] = int(text, 2)

    def _done(self, cycle: int) -> None:
        if not self.others:
            raise Mismatch(f"cycle {cycle}: out_valid that no transfer asked for")
        number = self.others.pop(0)
        fetch_, owed = self.case.fetches[number], self.owed[number]
        text = str(self.dut.done.value)
        late = self.timed and cycle != owed.complete
        if text[:2] != f"{number % 4:02b}" or late:
            raise Mismatch(
                f"transfer {number} completes in cycle {cycle} as slot {text[:2]}, expected "
                f"{owed.complete} and {number % 4:02b}"
            )
        self._fault(number, text[2], text[3:])
        name = MEMORY_OF[fetch_.mnemonic]
        self.trusted[name] &= not owed.failing
        if self.trusted[name] and (self.memories[name] != owed.memories[name]).any():
            at = int(np.argmax(self.memories[name] != owed.memories[name]))
            raise Mismatch(
                f"transfer {number}: {name}[{at}] is {self.memories[name][at]:x}, expected "
                f"{owed.memories[name][at]:x}"
            )

    def _fault(self, number: int, fault: str, address: str) -> None:
        """The first transfer that fails says so; a later one may, with a beat of its own."""
        failing = self.owed[number].failing
        beat = self.sizes.beat_bits // 8
        said = (int(address, 2) - self.case.base) // beat if fault == "1" else None
        if number == self.first_failure:
            right = said == failing[0]
        else:
            right = said is None or said in failing
        if not right:
            raise Mismatch(f"transfer {number} fails at beats {failing[:4]}, said {said}")

    @property
    def left(self) -> int:
        """Transfers that have not ended."""
        return len(self.streams) + len(self.others)

    def end(self) -> None:
        if self.left:
            raise Mismatch(f"transfers {self.streams + self.others} never ended")
        error = read(self.dut.error)
        if error:
            raise Mismatch(f"AXI rules are broken: axi_memory's error is {error:016b}")


@cocotb.test()
async def reads_are_right_and_on_time(dut: Any) -> None:
    """Every drawn list of reads delivers what the specification owes, when the model says."""
    option = options()
    sizes = Sizes(**option["sizes"])
    bench = ReadBench(dut, sizes)
    if "cases" in option:
        await replay(option["cases"], bench.run, from_json)
        return
    await explore(cases(sizes), bench.run, to_json)
