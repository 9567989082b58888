"""The retire port's checker: what a core says that it did, against the specification.

The port is written down by `verilog/retire_log.v`, a line for each event: a letter, the cycle in
which it was seen, then the event's signals in the order of the page in rtl/README.md, hexadecimal,
with an x where a bit is unknown. Any core that has the port can be checked so: with `cycles` to the
cycle of the model, without as an architecture alone.

    R completion   B beat   S state   W row   V word of int SRAM   M rows from HBM
    N word from HBM   C transfers complete
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from unmask.model.machine import Timed
from unmask.spec import isa
from unmask.spec.assembler import disassemble
from unmask.spec.contracts.softmax import word_of
from unmask.spec.encoding import CSRS, F_COUNT, GP_COUNT, RS1, Trap
from unmask.spec.errors import UsageError
from unmask.spec.formats import describe
from unmask.spec.machine import Machine, Retired
from unmask.spec.state import State, softmax_of
from unmask.tests.cosim.bench import Mismatch
from unmask.tests.cosim.bins import Bin

SELECT = {"program": 0, "vector": 1, "fp": 2, "int": 3, "key": 4, "hbm": 5}
NAMES = {number: name for name, number in SELECT.items()}
STRIPS = ("V_ADD", "V_SUB", "V_MUL", "V_EXP", "V_REC", "V_RED", "V_SEL", "V_CMP_MASK_V")
# Numbers of a line; D, E, G and H are our bench's own, and X, which has some.
FIELDS = {"R": 26, "B": 6, "S": 4, "W": 5, "V": 4, "M": 6, "N": 5, "C": 3,
          "D": 2, "E": 8, "G": 2, "H": 3}  # fmt: skip
_NUMBER = re.compile("[0-9a-fxz]+", re.ASCII | re.IGNORECASE)

Pairs = dict[tuple[str, int], int]  # (memory, address) -> value


class Completion(NamedTuple):
    """The fields of a line R, in order."""

    cycle: int
    order: int
    pc: int
    word: int
    next_pc: int
    cause: int
    stop: int
    retire_cycle: int
    gp_write: int
    gp_address: int
    gp_data: int
    f_write: int
    f_address: int
    f_data: int
    a_write: int
    a_address: int
    a_data: int
    csr_write: int
    csr_number: int
    csr_data: int
    store: int
    store_select: int
    store_address: int
    store_data: int
    clear: int
    clear_number: int


class Log:
    """What was written down of a run; besides the port's events, what our bench adds.

    Raises:
        UsageError: on a line that is no event.
        Mismatch: on unknown bits, or on two writes of a state by one instruction.
    """

    def __init__(self, text: str, vlen: int) -> None:
        self.completions: list[Completion] = []
        self.beats: dict[int, list[tuple[int, ...]]] = defaultdict(list)
        self.states: dict[int, tuple[int, ...]] = {}  # order -> cycle, number, value
        self.written: dict[int, Pairs] = defaultdict(dict)  # by order
        self.completed: dict[int, int] = {}  # transfer -> cycle
        self.memories: dict[str, list[int | None]] = defaultdict(list)
        self.end: tuple[int, ...] = ()
        self.halt: tuple[int, int] | None = None  # when the host asked for it, and had the answer
        self.status: list[tuple[int, int]] = []  # answer and value of control registers
        self._vlen, self._mask = vlen, (1 << 16 * vlen) - 1
        for number, line in enumerate(text.splitlines(), start=1):
            letter, *fields = line.split() or [""]
            count = FIELDS.get(letter, len(fields) if letter == "X" and fields else -1)
            if len(fields) != count or not all(map(_NUMBER.fullmatch, fields)):
                raise UsageError(f"line {number} is no event of the retire port: {line!r}")
            if letter == "D":  # words that nobody has written may be unknown
                value = None if "x" in fields[1] else int(fields[1], 16)
                self.memories[NAMES[int(fields[0], 16)]].append(value)
                continue
            try:
                values = [int(field, 16) for field in fields]
            except ValueError:
                raise Mismatch(f"undefined bits on the retire port: {line}") from None
            self._take(letter, values)

    def _take(self, letter: str, x: list[int]) -> None:
        if letter == "R":
            self.completions.append(Completion(*x))
        elif letter == "B":
            _, order, chunk, row, count, data = x
            count = min(count, self._vlen + 1)  # more than there are is as wrong
            active = data & ((1 << 16 * count) - 1)
            self.beats[order].append((chunk, row, count, active))
        elif letter == "S":
            if x[1] in self.states:
                raise Mismatch(f"instruction {x[1]} writes a softmax state twice")
            self.states[x[1]] = (x[0], *x[2:])
        elif letter == "W":
            self._row(*x[1:])
        elif letter == "V":
            self.written[x[1]]["int", x[2]] = x[3]
        elif letter == "M":
            _, order, valid, rows, masks, data = x
            for half in range(2):
                if valid >> half & 1:
                    self._row(
                        order,
                        rows >> 32 * half & 0xFFFFFFFF,
                        masks >> self._vlen * half & ((1 << self._vlen) - 1),
                        data >> 16 * self._vlen * half & self._mask,
                    )
        elif letter == "N":
            _, order, select, address, value = x
            self.written[order][NAMES.get(select, f"memory {select}"), address] = value
        elif letter == "C":
            cycle, valid, orders = x
            for slot in range(4):
                if valid >> slot & 1:
                    self.completed[orders >> 32 * slot & 0xFFFFFFFF] = cycle
        elif letter == "H":
            self.status.append((x[1], x[2]))
        elif letter == "G":
            self.halt = (x[0], x[1])
        elif letter == "E":
            self.end = tuple(x)
        else:
            raise Mismatch(
                f"cycle {x[0]}: the host side (busy or done against the model's end, answers to "
                f"the host) is not as expected, got {x[1:]}"
            )

    def _row(self, order: int, row: int, mask: int, data: int) -> None:
        written, first = self.written[order], row * self._vlen
        for lane in range(self._vlen):
            if mask >> lane & 1:
                written["vector", first + lane] = data >> 16 * lane & 0xFFFF


class Expected(NamedTuple):
    """What one instruction must have done.

    Attributes:
        timed: its record and cycles.
        written: elements that it wrote as vectors.
        beats: chunks that it read; None: nobody knows their data.
        kind: its bin, where the model knows it.
    """

    timed: Timed
    written: Pairs
    beats: list[tuple[int, ...]]
    kind: Bin | None = None


class Checker:
    """Compares what a core did with what the specification says.

    Attributes:
        vlen: lanes.
        cycles: whether the cycles are compared too, and with them when transfers complete.
    """

    def __init__(self, vlen: int, cycles: bool = True) -> None:
        self.vlen, self.cycles = vlen, cycles

    def expect(self, run: Iterable[tuple[Timed, Bin | None]], state: State) -> Iterator[Expected]:
        """What each instruction of a run must do; `state` is the running machine's."""
        gp = [0] * GP_COUNT
        for timed, kind in run:
            record = timed.record
            written: Pairs = {}
            for block in record.blocks:
                if block.memory != "hbm":
                    written.update({(block.memory, at): x for at, x in block.written()})
            yield Expected(timed, written, self.beats(record, gp, state), kind)
            if record.gp is not None:
                gp[record.gp[0]] = record.gp[1]

    def beats(self, record: Retired, gp: list[int], state: State) -> list[tuple[int, ...]]:
        """The chunks that an instruction must have read, in order: (chunk, row, count, data)."""
        row = isa.decode(record.word)
        strip = row is not None and row.mnemonic.startswith(STRIPS)
        if record.cause is not Trap.NONE or not strip:
            return []
        assert row is not None
        first, vlen = gp[RS1.get(record.word)], self.vlen
        found: list[tuple[int, ...]] = []
        for chunk, start in enumerate(range(0, record.length, vlen)):
            count = min(vlen, record.length - start)
            data = -1  # it may have been overwritten meanwhile
            if row.mnemonic.startswith("V_RED"):
                codes = state.memories["vector"][first + start : first + start + count]
                data = int.from_bytes(codes.astype("<u2").tobytes(), "little")
            found.append((chunk, first // vlen + chunk, count, data))
        return found

    def compare(self, expected: Sequence[Expected], seen: Log) -> None:
        """Everything that was retired, in order."""
        banks = {"gp": [0] * GP_COUNT, "f": [0] * F_COUNT}
        failed = bool(expected) and expected[-1].timed.record.cause is Trap.FATAL
        for owed, got in zip(expected, seen.completions, strict=False):
            self.compare_one(owed, got, banks)
        if len(seen.completions) < len(expected):
            timed = expected[len(seen.completions)].timed
            how = "nothing retired in time" if self.cycles else "the log ends before it retires"
            raise Mismatch(f"{how}: {place(timed)}")
        if len(seen.completions) > len(expected):
            more = seen.completions[len(expected)]
            raise Mismatch(
                f"retired after the end, in cycle {more.cycle}: "
                f"number {more.order}, pc {more.pc}: {disassemble(more.word)}"
            )
        orders = {owed.timed.record.order for owed in expected}
        for owed in expected:
            if owed.timed.record.cause is Trap.FATAL:
                continue
            self.compare_vectors(owed, seen, failed)
        for order in {*seen.written, *seen.states, *seen.beats, *seen.completed} - orders:
            raise Mismatch(f"instruction {order}, which never retired, did something")

    def compare_one(self, owed: Expected, got: Completion, banks: dict[str, list[int]]) -> None:
        """A completion: cycle, control and registers."""
        timed, record = owed.timed, owed.timed.record

        def check(name: str, wanted: Any, found: Any) -> None:
            if wanted != found:
                raise Mismatch(wrong(timed, name, wanted, found))

        if self.cycles:  # the port is registered: a retirement shows in the cycle after
            check("clock cycle", timed.retire, got.cycle - 1)
            check("retire_cycle", timed.retire, got.retire_cycle)
        for name in ("order", "pc", "word", "next_pc"):
            check(name, getattr(record, name), getattr(got, name))
        check("cause", int(record.cause), got.cause)
        check("stop", int(record.stop), got.stop)
        for name, pair in (("gp", record.gp), ("f", record.f)):
            written, where, value = (
                getattr(got, f"{name}_{x}") for x in ("write", "address", "data")
            )
            bank = banks[name]
            # A write that changes nothing may be reported or not; any other must be.
            if pair is None:
                check(f"{name} write", (0, 0, 0), (written, where, value))
            elif written:
                check(f"{name}{pair[0]}", pair, (where, value))
            else:
                check(f"{name}{pair[0]}", pair[1], bank[pair[0]])
            if pair is not None:
                bank[pair[0]] = pair[1]
        check("a write", (0, 0, 0) if record.a is None else (1, *record.a), got[14:17])
        csr = record.csr
        check("CSR", (0, 0, 0) if csr is None else (1, CSRS[csr[0]].number, csr[1]), got[17:20])
        store = record.store
        owed_store = (0, 0, 0, 0) if store is None else (1, SELECT[store[0]], *store[1:])
        check("store", owed_store, got[20:24])
        state = record.softmax if _empties(record) else None
        check("a state emptied", (0, 0) if state is None else (1, state[0]), got[24:26])

    def compare_vectors(self, owed: Expected, seen: Log, failed: bool) -> None:
        """Chunks read, elements and states written, transfers completed.

        Args:
            failed: whether transfers of the run failed: what these wrote is anything.
        """
        timed, record = owed.timed, owed.timed.record
        moved = timed.complete > timed.retire
        found = seen.completed.get(record.order)
        if self.cycles and found != (timed.complete if moved else None):
            raise Mismatch(wrong(timed, "cycle of completion", timed.complete, found))
        if failed and moved and not record.blocks and record.softmax is None:
            return
        got = seen.beats.get(record.order, [])
        if len(got) != len(owed.beats) or any(
            found[:3] != wanted[:3] or wanted[3] not in (-1, found[3])
            for found, wanted in zip(got, owed.beats, strict=True)
        ):
            raise Mismatch(wrong(timed, "beats", owed.beats, got))
        written = seen.written.get(record.order, {})
        if written != owed.written:
            differ = {
                key: (owed.written.get(key), written.get(key))
                for key in {*written, *owed.written}
                if written.get(key) != owed.written.get(key)
            }
            raise Mismatch(wrong(timed, "elements written (expected, got)", differ, ""))
        row = isa.decode(record.word)
        reduces = row is not None and row.mnemonic in ("V_RED_SM", "H_RED_SM")
        state = None
        if reduces and record.length and record.softmax is not None:
            number, values = record.softmax
            cycle = timed.complete
            state = (cycle, number, word_of(softmax_of(values)).as_int())
        said = seen.states.get(record.order)
        if (said if self.cycles else said and said[1:]) != (
            state if self.cycles else state and state[1:]
        ):
            raise Mismatch(wrong(timed, "state", state, said))


def untimed(machine: Machine) -> Iterator[tuple[Timed, None]]:
    """A run of the specification alone, in no cycles."""
    for record in machine.run():
        yield Timed(record, 0, 0, 0), None


def _empties(record: Retired) -> bool:
    """Whether it only empties a softmax state."""
    row = isa.decode(record.word)
    clear = [x for x in row.operands if x.name == "clear"] if row is not None else []
    whole = row is not None and row.mnemonic == "S_SM_CLEAR"
    return whole or (not record.length and any(x.field.get(record.word) for x in clear))


def place(timed: Timed) -> str:
    record = timed.record
    return f"pc {record.pc}: {disassemble(record.word)}"


def wrong(timed: Timed, name: str, expected: Any, got: Any) -> str:
    record = timed.record
    if name[0] == "f" and isinstance(got, tuple) and isinstance(expected, tuple):
        expected, got = (f"{describe(pair[-1])} in f{pair[0]}" for pair in (expected, got))
    return (
        f"{place(timed)} (VL {record.vl}), retired as number {record.order}: "
        f"{name} expected {expected}, got {got}"
    )
