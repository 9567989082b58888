"""cocotb: the core in lockstep with the specification and, to the cycle, with the model.

After each retired instruction, in the clock cycle that the model says, the registers as the retire
port tells them equal the model's; at the end all memories, read back through the host port, do too.
Cases follow each other with and without a reset, some with a host that disturbs the running core,
some after a run that was abandoned by a reset.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import cocotb
import numpy as np
from hypothesis import strategies as st

from unmask.model.machine import CORE, Model, Timed
from unmask.spec import isa
from unmask.spec.assembler import assemble, disassemble
from unmask.spec.encoding import F_COUNT, GP_COUNT, RS1, Trap
from unmask.spec.formats import describe
from unmask.spec.programs.argmax import START_CODE, argmax_rows, pitch
from unmask.spec.state import MEMORIES, Config
from unmask.tests.cosim import corners
from unmask.tests.cosim.bench import Clocked, Mismatch, explore, options, read, replay, report
from unmask.tests.logit_rows import FAMILIES, logit_row
from unmask.tests.strategies import Case, load_case, programs

MAX_IDX = isa.BY_MNEMONIC["V_RED_MAX_IDX"]
MOST_SHOWN = 64  # words of a memory in a listing
SELECT = {"program": 0, "vector": 1, "fp": 2, "int": 3}


class CoreBench(Clocked):
    """Loads, runs and reads back a core through its host port, and watches its retire port.

    Time is counted by the bench's own clock edges, never taken from the core alone.
    """

    def __init__(self, dut: Any, config: Config) -> None:
        super().__init__(dut, "clk")
        self.config = config
        self.cycles_run = 0
        self.started = 0  # the bench's cycle that is cycle 0 of the core
        self.ready = False  # whether it was reset since it last misbehaved
        self.known: dict[str, list[int]] = {}  # what the memories hold, -1 where nobody knows
        self.before: dict[str, list[int]] = {}  # registers before the instruction

    async def reset(self) -> None:
        self.quiet()
        self.dut.program_length.value = 0
        self.dut.rst.value = 1
        await self.step()
        self.dut.rst.value = 0
        self.ready = True

    def quiet(self) -> None:
        """Nothing asked of the core."""
        for name in ("host_valid", "host_write", "host_select", "host_address", "host_wdata"):
            getattr(self.dut, name).value = 0
        self.dut.start.value = 0

    def noise(self) -> None:
        """What a busy core must ignore: start, and writes to what the program runs from."""
        self.dut.host_valid.value = 1
        self.dut.host_write.value = 1
        self.dut.host_select.value = self.cycle % 4
        self.dut.host_address.value = self.cycle // 4 % 4
        self.dut.host_wdata.value = 0
        self.dut.start.value = 1
        self.dut.program_length.value = 0

    async def write(self, memory: str, values: list[int]) -> None:
        """Bring a memory's words (vector: rows) from 0 on to these values, where they differ."""
        known = self.known.get(memory, [])
        known += [-1] * (len(values) - len(known))
        self.dut.host_valid.value = 1
        self.dut.host_write.value = 1
        self.dut.host_select.value = SELECT[memory]
        for address, value in enumerate(values):
            if known[address] != value:
                self.dut.host_address.value = address
                self.dut.host_wdata.value = value
                await self.step()
                known[address] = value
        self.dut.host_valid.value = 0
        self.dut.host_write.value = 0
        self.known[memory] = known

    async def read_back(self, memory: str, count: int) -> list[int]:
        """The first words (vector: rows) of a memory; each shows one cycle after its address.

        Raises:
            Mismatch: if the last one does not stay while nothing is read.
        """
        values = []
        self.dut.host_select.value = SELECT[memory]
        for address in range(count + 1):
            self.dut.host_valid.value = int(address < count)
            self.dut.host_address.value = address
            await self.settle()
            if address:
                values.append(read(self.dut.host_rdata))
            await self.edge()
        # Neither another selection alone nor accesses outside the memory do anything.
        for valid, write in ((0, 0), (1, 0), (1, 1)):
            self.dut.host_valid.value, self.dut.host_write.value = valid, write
            self.dut.host_select.value = SELECT[memory] ^ (1 - valid)
            self.dut.host_address.value = 0x80000000
            await self.step()
            await self.settle()
            if values and read(self.dut.host_rdata) != values[-1]:
                raise Mismatch(f"host_rdata changed without a read, after {memory} memory")
        self.quiet()
        return values

    async def run(self, case: Case) -> None:
        """One case from reset to stop.

        Raises:
            Mismatch: where hardware, specification and model differ.
        """
        try:
            await self.lockstep(case)
        except Mismatch:
            self.known, self.ready = {}, False
            raise

    async def lockstep(self, case: Case) -> None:
        """Load, run to the end, read back."""
        model, again = (Model(case.words, self.config, CORE) for _ in range(2))
        load_case(model, case)
        load_case(again, case)
        end = [timed.retire for timed in again.trace()][-1]
        if case.reset or not self.ready:
            await self.reset()
        await self.write("program", list(case.words))
        for name, values in case.memories.items():
            await self.write(name, self.rows(name, np.array(values, MEMORIES[name])))
        if case.abandoned is not None:
            await self.abandon(case)
        await self.start(case)
        self.before = {"gp": [0] * GP_COUNT, "f": [0] * F_COUNT}
        for timed in model.trace():
            await self.expect(case, timed, model, end)
        await self.expect_end(case, timed)
        for name in case.memories:
            await self.compare_memory(case, name, self.rows(name, model.state.memories[name]))
        await self.compare_memory(case, "program", list(case.words))

    async def start(self, case: Case) -> None:
        self.quiet()
        self.dut.program_length.value = len(case.words) + case.excess
        self.dut.start.value = 1
        await self.step()
        self.quiet()
        self.started = self.cycle

    async def abandon(self, case: Case) -> None:
        """Start, reset in the middle of the run, and load again what it may have written."""
        await self.start(case)
        for _ in range(case.abandoned or 0):
            await self.step()
        await self.reset()
        self.known = {name: words for name, words in self.known.items() if name == "program"}
        for name, values in case.memories.items():
            await self.write(name, self.rows(name, np.array(values, MEMORIES[name])))

    async def expect_end(self, case: Case, timed: Timed) -> None:
        """Done, with the cause that the last record has, and nothing more retires."""
        self.quiet()
        for _ in range(4):
            await self.settle()
            cause = timed.record.cause
            expected = {
                "done": 1,
                "busy": 0,
                "trap_cause": int(cause),
                "trap_pc": 0 if cause is Trap.NONE else timed.record.pc,
                "retire_valid": 0,
                "beat_valid": 0,
            }
            for name, value in expected.items():
                if (got := read(getattr(self.dut, name))) != value:
                    text = f"after the end {name} is {got}, expected {value}"
                    raise Mismatch(f"{text}: {self.place(timed)}\n{listing(case)}")
            await self.edge()

    def expect_running(self, case: Case, timed: Timed) -> None:
        for name, value in (("busy", 1), ("done", 0), ("trap_cause", 0)):
            if (got := read(getattr(self.dut, name))) != value:
                text = f"while it runs {name} is {got}, expected {value}"
                raise Mismatch(f"{text}: {self.place(timed)}\n{listing(case)}")

    async def compare_memory(self, case: Case, name: str, expected: list[int]) -> None:
        """Read a whole memory back: it holds what it should, and nothing else changed."""
        got = await self.read_back(name, len(expected))
        for place, (found, wanted) in enumerate(zip(got, expected, strict=True)):
            if found != wanted:
                raise Mismatch(
                    f"{name} memory word {place}: got {found:#x}, expected {wanted:#x}\n"
                    + listing(case)
                )
        self.known[name] = expected

    def rows(self, memory: str, values: np.ndarray) -> list[int]:
        """A memory's content as the words of the host port."""
        if memory != "vector":
            return [int(value) for value in values]
        little = values.astype("<u2").reshape(-1, self.config.vlen)
        return [int.from_bytes(row.tobytes(), "little") for row in little]

    async def expect(self, case: Case, timed: Timed, model: Model, end: int) -> None:
        """Wait for the next retired instruction, and compare everything it says."""
        beats = []
        for _ in range(timed.retire - timed.issue + 8):
            if case.noise and self.cycle - self.started < end - 1:
                self.noise()
            else:
                self.quiet()
            await self.settle()
            if self.cycle - self.started <= end:
                self.expect_running(case, timed)
            if read(self.dut.beat_valid):
                beats.append(self.read_beat())
            found = read(self.dut.retire_valid)
            if found:
                break
            await self.edge()
            self.cycles_run += 1
        else:
            raise Mismatch(f"nothing retired in time: {self.place(timed)}\n{listing(case)}")
        record, dut = timed.record, self.dut
        # The port is registered: a retirement shows in the cycle after.
        if self.cycle - self.started - 1 != timed.retire:
            seen = self.cycle - self.started - 1
            raise Mismatch(self.wrong(case, timed, "clock cycle", timed.retire, seen))
        expected = {
            "order": record.order,
            "pc": record.pc,
            "word": record.word,
            "next_pc": record.next_pc,
            "cause": int(record.cause),
            "stop": int(record.stop),
            "cycle": timed.retire,
        }
        if beats != (wanted := self.expected_beats(timed, model)):
            raise Mismatch(self.wrong(case, timed, "beats", wanted, beats))
        for name, pair in (("gp", record.gp), ("f", record.f)):
            written = read(getattr(dut, f"retire_{name}_write"))
            value = read(getattr(dut, f"retire_{name}_data"))
            where = read(getattr(dut, f"retire_{name}_address"))
            bank = getattr(model.state, name)
            # A write that changes nothing may be reported or not; any other must be.
            if written and (where == 0 or bank[where] != value or pair != (where, value)):
                raise Mismatch(self.wrong(case, timed, f"{name}{where:X}", bank[where], value))
            if pair and not written and self.before[name][pair[0]] != pair[1]:
                raise Mismatch(self.wrong(case, timed, f"{name}{pair[0]:X}", pair[1], "no write"))
        expected["vl_write"] = int(record.csr is not None)
        if record.csr:
            expected["vl_data"] = record.csr[1]
        expected["store"] = int(record.store is not None)
        if record.store:
            expected["store_select"] = SELECT[record.store[0]]
            expected["store_address"], expected["store_data"] = record.store[1:]
        for name, value in expected.items():
            got = read(getattr(dut, f"retire_{name}"))
            if got != value:
                raise Mismatch(self.wrong(case, timed, name, value, got))
        self.before = {"gp": list(model.state.gp), "f": list(model.state.f)}
        await self.edge()

    def read_beat(self) -> dict[str, int]:
        """A chunk on its way into the vector unit; of its data, the active lanes."""
        names = ("order", "chunk", "row", "count", "data")
        beat = {name: read(getattr(self.dut, f"beat_{name}")) for name in names}
        beat["data"] &= (1 << 16 * beat["count"]) - 1
        return beat

    def expected_beats(self, timed: Timed, model: Model) -> list[dict[str, int]]:
        """The chunks that the instruction must have read, in order."""
        record, vlen = timed.record, self.config.vlen
        if record.cause is not Trap.NONE or isa.decode(record.word) is not MAX_IDX:
            return []
        first = self.before["gp"][RS1.get(record.word)]
        beats = []
        for chunk, start in enumerate(range(0, record.vl, vlen)):
            count = min(vlen, record.vl - start)
            codes = model.state.memories["vector"][first + start : first + start + count]
            data = int.from_bytes(codes.astype("<u2").tobytes(), "little")
            row = first // vlen + chunk
            beats.append(
                {"order": record.order, "chunk": chunk, "row": row, "count": count, "data": data}
            )
        return beats

    def place(self, timed: Timed) -> str:
        record = timed.record
        return f"pc {record.pc}: {disassemble(record.word)}"

    def wrong(self, case: Case, timed: Timed, name: str, expected: Any, got: Any) -> str:
        if name.startswith("f") and isinstance(got, int):
            expected, got = describe(expected), describe(got)
        vl = timed.record.vl
        return (
            f"{self.place(timed)} (VL {vl}), retired as number {timed.record.order}: "
            f"{name} expected {expected}, got {got}\n{listing(case)}"
        )


def listing(case: Case) -> str:
    """The program and what its memories hold, zeros left out."""
    lines = [f"  {place:3}  {disassemble(word)}" for place, word in enumerate(case.words)]
    for name, values in case.memories.items():
        digits = 8 if name == "int" else 4
        fill, _ = Counter(values).most_common(1)[0]
        others = [f"{i}:{value:0{digits}x}" for i, value in enumerate(values) if value != fill]
        if len(others) <= MOST_SHOWN:
            text = f"{fill:0{digits}x} everywhere" + (" but " + " ".join(others) if others else "")
            lines.append(f"  {name}: {text}")
    return "\n".join(lines)


def config_of(option: dict[str, Any]) -> Config:
    return Config(**option["config"])


def to_json(case: Case) -> dict[str, Any]:
    return vars(case)


def from_json(case: dict[str, Any]) -> Case:
    memories = {name: tuple(values) for name, values in case["memories"].items()}
    return Case(**{**case, "words": tuple(case["words"]), "memories": memories})


@cocotb.test()
async def core_equals_model(dut: Any) -> None:
    """Drawn programs, or with the option `vocabulary` real rows, or the one case to replay."""
    option = options()
    bench = CoreBench(dut, config_of(option))
    if "cases" in option:
        await replay(option["cases"], bench.run, from_json)
    elif "vocabulary" in option:
        await real_rows(bench, option)
    else:
        directed = [to_json(case) for case in corners.cases(bench.config)]
        strategy: st.SearchStrategy[Case] = programs(bench.config)
        await explore(strategy, bench.run, to_json, directed, from_json)


async def real_rows(bench: CoreBench, option: dict[str, Any]) -> None:
    """The argmax program on whole logit rows: lockstep as ever, tokens equal to torch.argmax."""
    from unmask.spec.reference.argmax import argmax  # PyTorch takes seconds to load: only here

    vocabulary, vlen = option["vocabulary"], bench.config.vlen
    begin, failure, case, count = time.monotonic(), None, None, 0
    for number in range(option["examples"]):
        family = sorted(FAMILIES)[number % len(FAMILIES)]
        row = logit_row(family, vocabulary, seed=number)
        # LLaDA's vocabulary is a multiple of 64: every third row is cut, so that it has a tail,
        # behind which lie NaNs that would win if a tail lane were not masked.
        row = row[: vocabulary - number % 3]
        pad = pitch(row.size, vlen) - row.size
        padded = np.concatenate([row, np.full(pad, 0x7FC0, np.uint16)])
        strip = option["strip"] if number % 2 else None
        words = tuple(assemble(argmax_rows(1, row.size, vlen, strip)))
        case = Case(
            words,
            {
                "vector": tuple(padded.tolist()),
                "fp": (START_CODE, 0),
                "int": (0,),
            },
        )
        try:
            await bench.run(case)
            token = (await bench.read_back("int", 1))[0]
            if token != (wanted := int(argmax(row))):
                raise Mismatch(f"{family} row: token {token}, torch.argmax says {wanted}")
        except Mismatch as error:
            failure = f"{family} row of {vocabulary} logits: {error}"
            break
        count += 1
    seconds = time.monotonic() - begin
    facts = {"cycles": bench.cycles_run, "vocabulary": vocabulary}
    saved = None if failure is None or case is None else to_json(case)
    report(count, seconds, failure, saved, **facts)
    if failure is not None:
        raise Mismatch(failure)
