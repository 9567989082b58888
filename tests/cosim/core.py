"""cocotb: the core in lockstep with the specification and, to the cycle, with the model.

A case is one program. `verilog/bench_core.v` runs it by itself, from loading the memories to
reading them back, and writes down what the retire port says; here that is compared: each retired
instruction in the clock cycle that the model says, with all that it wrote, each beat, state and
transfer, and at the end all memories. Cases follow each other with and without a reset, some with a
host that disturbs the running core, some after a run that was abandoned by a reset.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ValueChange
from hypothesis import strategies as st

from unmask.model.machine import Model, Timed
from unmask.model.memory import Memory, Transfer
from unmask.model.settings import Bus
from unmask.spec.assembler import assemble, disassemble
from unmask.spec.encoding import Trap
from unmask.spec.programs.argmax import START_CODE, argmax_rows, pitch
from unmask.spec.state import MEMORIES, Config
from unmask.tests.cosim import corners
from unmask.tests.cosim.bench import Mismatch, explore, options, replay, report
from unmask.tests.cosim.bins import Bin, observed, of_run
from unmask.tests.cosim.retire import SELECT, Checker, Expected, Log, place
from unmask.tests.logit_rows import FAMILIES, logit_row
from unmask.tests.strategies import Case, bus_of, load_case, programs

MOST_SHOWN = 64  # words of a memory in a listing
SETTINGS = 30  # lines of a case before the words to load, see `bench_core`
RESET, NOISE, READ_BACK, WHOLE_HBM, READ_BUILT = 1, 2, 4, 8, 16
MOST_LINES = 1 << 15  # of words to load; if there are more, HBM is loaded from a file of its own
TO_HALT = 2  # cycles from the answer to the host's request at most until nothing issues
# What a core was built with, in the order of its registers: a size of the configuration, or a
# number of its side of the bus.
BUILT = ("vlen", "vector_rows", "fp_words", "int_words", "key_words", "program_words",
         "loop_depth", "channels", "beat_bits", "burst", "outstanding", "fifo", "ring")  # fmt: skip
MOST_INSTRUCTIONS = 1000  # of a drawn program
MARGIN = 64  # cycles that a run may take longer than the model says, before it is given up


class Ran(NamedTuple):
    """A case that hardware, specification and model agree on.

    Attributes:
        cycles: to the last retire.
        instructions: retired or trapped.
        cause: how it ended; None: the host halted it.
        moved: transfers, each with whether it writes HBM.
    """

    cycles: int
    instructions: int
    cause: Trap | None
    moved: list[tuple[Transfer, bool]]


class CoreBench:
    """Runs cases on a core and compares.

    Attributes:
        config: of the core.
        core: its side of the bus.
        most: instructions; a program that is not done by then is halted halfway there.
    """

    def __init__(
        self, dut: Any, config: Config, core: dict[str, int], most: int = MOST_INSTRUCTIONS
    ) -> None:
        self.most = most
        self.dut, self.config, self.core = dut, config, core
        self.cycles_run = 0
        self.bins: Counter[Bin] = Counter()  # of what was compared
        self.checker = Checker(config.vlen)
        self.ready = False  # whether it was reset since it last misbehaved
        self.built = False  # whether the registers that say how it was built were read
        self.known: dict[str, list[int]] = {}  # what the memories hold, -1 where nobody knows
        self.folder = Path.cwd()
        self.go = 0
        data = max(16 * config.vlen, 8 * config.beat_bytes)
        self.digits = (data + 64) // 4
        self.place = data  # of the address in a line

    def begin(self) -> None:
        """Start the clock, which Python does not touch again."""
        Clock(self.dut.clk, 2, unit="ns", impl="gpi").start()

    def facts(self) -> dict[str, Any]:
        """For the report: cycles, and how often each bin was seen."""
        return {"cycles": self.cycles_run, "bins": {str(x): n for x, n in self.bins.items()}}

    async def run(self, case: Case) -> Ran:
        """One case from start to stop.

        Raises:
            Mismatch: where hardware, specification and model differ.
        """
        try:
            return await self.lockstep(case)
        except Mismatch as error:
            self.known, self.ready = {}, False
            raise Mismatch(f"{error}\n{listing(case)}") from None

    async def lockstep(self, case: Case) -> Ran:
        """Run model and core, compare."""
        bus = bus_of(self.config, self.core, case)
        model = self.model(case, bus)
        expected = self.expect(model, self.most)
        if len(expected) == self.most:
            case = replace(case, halt=expected[-1].timed.issue // 2)
        seen = await self.simulate(case, bus, expected)
        halted = self.stopped_early(expected, seen)
        if halted:  # compared with a run up to there
            self.compare_halt(expected, seen)
            model = self.model(case, bus)
            expected = self.expect_halted(model, done(seen))
        last = expected[-1].timed if expected else None
        cause = None if last is None else last.record.cause
        if halted and cause is not Trap.FATAL:
            cause = None
        self.checker.compare(expected, seen)
        retired = sum(x.timed.record.cause is Trap.NONE for x in expected)
        spared: tuple[tuple[str, int, int], ...] = ()
        if last is not None and cause is not None:
            self.compare_end(last, seen)
            spared = last.record.undefined
        self.compare_registers(case, seen, cause, retired)
        for name in SELECT:
            owed = (
                self.program(case)
                if name == "program"
                else self.rows(name, model.state.memories[name])
            )
            self.compare_memory(name, owed, seen.memories[name], spared)
        self.ready = self.built = True
        cycles = last.retire + 1 if last is not None else 0
        self.bins.update(x.kind for x in expected if x.kind is not None)
        self.bins.update(of_run(case, cause))
        return Ran(cycles, len(expected), cause, model.moved)

    def model(self, case: Case, bus: Bus) -> Model:
        """The case, about to run."""
        memory = Memory(bus, case.stall)
        model = Model(case.words, self.config, memory=memory, faulty=case.faulty)
        load_case(model, case)
        return model

    def expect(self, model: Model, most: int) -> list[Expected]:
        """What the model says that each instruction does, up to so many."""
        return list(islice(self.checker.expect(observed(model), model.state), most))

    def expect_halted(self, model: Model, count: int) -> list[Expected]:
        """The same of a run that the host halts after so many; a failure is not hidden by that."""
        found = self.expect(model, count)
        failed = model.halt()
        return found if failed is None else [*found, Expected(failed, {}, [])]

    def program(self, case: Case) -> list[int]:
        """Program memory in the end: as it was loaded, but for the word of `word`."""
        found = list(self.known["program"])
        place, word = self.word(case)
        found[place] = word
        return found

    def word(self, case: Case) -> tuple[int, int]:
        """Place and value of the word that the host writes and reads after the run."""
        seed = case.memory[7]
        return seed % self.config.program_words, ~seed * 0x9E3779B1 & 0xFFFFFFFF

    async def simulate(self, case: Case, bus: Bus, expected: Sequence[Expected]) -> Log:
        """Let the bench run the case."""
        fresh = case.abandoned is not None or not self.ready
        if fresh:
            self.known = {}
        words = list(self.changed(case))
        whole = len(words) > MOST_LINES
        if whole:
            words = [word for word in words if word >> self.place + 32 != SELECT["hbm"]]
            digits = 2 * self.config.beat_bytes
            beats = "\n".join(f"{beat:0{digits}x}" for beat in self.known["hbm"])
            (self.folder / "hbm.hex").write_text(beats)
        last = expected[-1].timed.retire
        flags = (RESET if case.reset or not self.ready else 0) | (NOISE if case.noise else 0)
        flags |= (WHOLE_HBM if whole else 0) | (0 if self.built else READ_BUILT)
        window = case.window or (0, self.config.hbm_bytes)
        faults = [*case.faulty, *[(0, 0)] * 2][:2]
        memory = Memory(bus, case.stall).reads
        cuts = sum(int(cut) << 16 * place for place, cut in enumerate(memory.cuts))
        settings = [
            len(words),
            flags | READ_BACK,
            len(case.words) + case.excess,
            0 if case.abandoned is None else case.abandoned + 1,
            case.halt or 0,
            last + MARGIN,
            last - 1,
            *window,
            bus.latency,
            bus.jitter,
            bus.cycles,
            bus.beats,
            bus.refresh_period,
            bus.refresh_cycles,
            bus.refresh_shift,
            bus.seed,
            bus.outstanding,
            0,
            *(edge for fault in faults for edge in fault),
            0b1011,  # one range answers SLVERR, the other DECERR
            *(cuts >> 64 * part & (1 << 64) - 1 for part in range(4)),
            *self.word(case),
        ]
        assert len(settings) == SETTINGS
        lines = [f"{value:0{self.digits}x}" for value in (*settings, *words)]
        (self.folder / "case.hex").write_text("\n".join(lines) + "\n")
        self.go ^= 1
        self.dut.count.value = len(lines)
        self.dut.go.value = self.go
        while str(self.dut.done.value) != str(self.go):
            await ValueChange(self.dut.done)
        self.cycles_run += last
        return Log((self.folder / "records.txt").read_text(), self.config.vlen)

    def changed(self, case: Case) -> Iterator[int]:
        """The words that differ from what the memories hold, as the bench loads them."""
        # Behind a program stays what an earlier one left there.
        held = self.known.get("program", [0] * self.config.program_words)
        program = [*case.words, *held[len(case.words) :]]
        images: dict[str, Any] = {"program": np.array(program, np.uint32)}
        for name, dtype in MEMORIES.items():
            images[name] = np.zeros(self.config.elements(name), dtype)
            given = case.memories.get(name, ())
            images[name][: len(given)] = given
        for name, values in images.items():
            known = self.known.setdefault(name, [])
            wanted = self.rows(name, values)
            known += [-1] * (len(wanted) - len(known))
            for address, value in enumerate(wanted):
                if known[address] != value:
                    yield (SELECT[name] << 32 | address) << self.place | value
            known[: len(wanted)] = wanted

    def rows(self, memory: str, values: Any) -> list[int]:
        """A memory's content as the words of the host port; of HBM, beats."""
        if memory in ("vector", "hbm"):
            width = 2 * self.config.vlen if memory == "vector" else self.config.beat_bytes
            data = values.astype(values.dtype.newbyteorder("<")).tobytes()
            return [
                int.from_bytes(data[place : place + width], "little")
                for place in range(0, len(data), width)
            ]
        found: list[int] = values.tolist()
        return found

    # -- comparison --

    def compare_end(self, timed: Timed, seen: Log) -> None:
        """Done in the right cycle, with the cause that the last record has."""
        record, cause = timed.record, timed.record.cause
        if not seen.end:
            raise Mismatch("the run had no end")
        cycle, finished, busy, halted, trap_cause, trap_pc, fault, errors = seen.end
        wanted: dict[str, tuple[int | None, int]] = {
            "cycle": (timed.retire + 1, cycle),
            "done": (1, finished),
            "busy": (0, busy),
            "halted": (0, halted),
            "trap_cause": (int(cause), trap_cause),
            "trap_pc": (0 if cause is Trap.NONE else record.pc, trap_pc),
            "fault_address": (record.fault if cause is Trap.FATAL else 0, fault),
            "rules of AXI that were broken": (0, errors),
        }
        for name, (owed, got) in wanted.items():
            if owed != got:
                raise Mismatch(f"at the end {name} is {got}, expected {owed}: {place(timed)}")

    def compare_registers(self, case: Case, seen: Log, cause: Trap | None, retired: int) -> None:
        """The registers say how it ended and what it counted; settings are as they were made.

        Cycles are the bench's own. `compare_end` and `compare_halt` have looked at what the ports
        say, of which these are the copies.
        """
        cycle, *_, trap_pc, fault, _ = seen.end
        status = 0b110 if cause is None else int(cause) << 4 | 0b010
        first, end = case.window or (0, self.config.hbm_bytes)
        owed = [status, trap_pc]
        for pair in (fault, cycle, retired):
            owed += halves(pair)
        owed += [len(case.words) + case.excess, *halves(first), *halves(end)]
        owed += [0, self.word(case)[1]]  # the answers to the write of a word and to its read
        if not self.built:
            sizes = {**vars(self.config), "beat_bits": 8 * self.config.beat_bytes, **self.core}
            owed += [sizes[name] for name in BUILT]
        if seen.status != [(0, value) for value in owed]:
            raise Mismatch(f"control registers: got {seen.status}, expected {owed}")

    def stopped_early(self, whole: Sequence[Expected], seen: Log) -> bool:
        """Whether the host's halt ended the run before it would have ended by itself."""
        if seen.halt is None or not seen.end:
            return False
        ended = whole[-1].timed.retire + 1
        return len(seen.completions) < len(whole) or seen.end[0] < ended

    def compare_halt(self, whole: Sequence[Expected], seen: Log) -> None:
        """The core stopped soon after the host asked, behind the instructions that it retired."""
        assert seen.halt is not None
        asked, answered = seen.halt
        count = done(seen)
        behind = max([x.timed.complete for x in whole[:count]], default=0)
        following = whole[count].timed
        if following.record.cause is not Trap.FATAL and following.issue <= asked:
            raise Mismatch(f"halted in cycle {asked}, but {place(following)} had issued")
        if count and whole[count - 1].timed.issue > answered + TO_HALT:
            raise Mismatch(f"halted in cycle {asked}, but {place(whole[count - 1].timed)} issued")
        if count < len(seen.completions):
            return  # it ended as FATAL, which `compare_end` sees to
        cycle, *others = seen.end
        if others != [1, 0, 1, 0, 0, 0, 0]:
            raise Mismatch(f"after a halt in cycle {asked}: {seen.end}")
        if not behind < cycle <= max(behind, answered) + TO_HALT + 1:
            raise Mismatch(f"halted in cycle {asked}, all complete in {behind}, ended in {cycle}")

    def compare_memory(
        self,
        name: str,
        expected: list[int],
        got: list[int | None],
        spared: Sequence[tuple[str, int, int]],
    ) -> None:
        """A whole memory: it holds what it should, and nothing else changed."""
        got, known = got[: len(expected)], list(expected)
        size = {"vector": self.config.vlen, "hbm": self.config.beat_bytes}.get(name, 1)
        for memory, first, end in spared:  # a failed transfer wrote what it liked
            if memory == name and first < end:
                for address in range(first // size, -(-end // size)):
                    got[address] = expected[address]
                    known[address] = -1
        if got != expected:
            for address, (found, owed) in enumerate(zip(got, expected, strict=True)):
                if found != owed:
                    raise Mismatch(
                        f"{name} memory word {address}: "
                        f"got {'unknown' if found is None else hex(found)}, expected {owed:#x}"
                    )
        self.known[name] = known


def done(seen: Log) -> int:
    """Instructions that a core retired; a FATAL repeats one of them."""
    return sum(x.cause != Trap.FATAL for x in seen.completions)


def halves(pair: int) -> list[int]:
    """A number of 64 bits as two registers, low first."""
    return [pair & 0xFFFFFFFF, pair >> 32]


def listing(case: Case) -> str:
    """The program and what its memories hold, zeros left out."""
    lines = [f"  {place:3}  {disassemble(word)}" for place, word in enumerate(case.words)]
    for name, values in case.memories.items():
        digits = 2 * np.dtype(MEMORIES[name]).itemsize
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
    changed = {"words": tuple(case["words"]), "memories": memories}
    for name, make in (("window", tuple), ("faulty", lambda x: tuple(tuple(y) for y in x))):
        if case.get(name):
            made: Callable[[Any], Any] = make
            changed[name] = made(case[name])
    return Case(**{**case, **changed})


@cocotb.test()
async def core_equals_model(dut: Any) -> None:
    """Drawn programs, or with the option `vocabulary` real rows, or the one case to replay."""
    option = options()
    # A row is taken whole, in strips of a chunk too: a halt would leave it without a token.
    most = 1 << 20 if "vocabulary" in option else MOST_INSTRUCTIONS
    bench = CoreBench(dut, config_of(option), option["core"], most)
    bench.begin()
    if "cases" in option:
        await replay(option["cases"], bench.run, from_json)
    elif "vocabulary" in option:
        await real_rows(bench, option)
    else:
        directed = [to_json(case) for case in corners.cases(bench.config)]
        strategy: st.SearchStrategy[Case] = programs(bench.config)
        await explore(strategy, bench.run, to_json, directed, from_json, bench.facts)


async def in_turn(
    dut: Any,
    cases: Callable[[CoreBench], Iterator[Case]],
    ran: Callable[[Ran], None] = lambda ran: None,
    facts: Callable[[], dict[str, Any]] = dict,
) -> None:
    """Run cases on one core up to the first that fails, and report; or those of the option `cases`.

    Args:
        dut: the bench's top module.
        cases: those of a bench, drawn one by one.
        ran: told of each.
        facts: go into the report, after the bench's own; `examples` counts there if it is given.
    """
    option = options()
    bench = CoreBench(dut, config_of(option), option["core"])
    bench.begin()
    if "cases" in option:
        await replay(option["cases"], bench.run, from_json)
        return
    begin, failure, done, saved = time.monotonic(), None, 0, None
    before: list[dict[str, Any]] = []
    for case in cases(bench):
        try:
            ran(await bench.run(case))
        except Mismatch as error:
            failure, saved = str(error), to_json(case)
            break
        done, before = done + 1, [to_json(case)]
    told = {"examples": done, **bench.facts(), **facts()}
    report(told.pop("examples"), time.monotonic() - begin, failure, saved, before, **told)
    if failure is not None:
        raise Mismatch(failure)


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
            ran = await bench.run(case)
            if ran.cause is not Trap.NONE:
                raise Mismatch(f"{family} row: ended with {ran.cause}")
            token = bench.known["int"][0]
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
