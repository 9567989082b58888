"""The interpreter: one instruction at a time, from the table, with precise traps.

Scalars and control run on Python integers. Vector work runs as the machine is told to: element by
element on integers (the readable definition), or on numpy arrays; the results are the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from unmask.spec import isa, loops
from unmask.spec.bits import Bits, known
from unmask.spec.encoding import (
    STATE_COUNT,
    WORD_BITS,
    Effect,
    Instruction,
    Kind,
    Trap,
    Write,
)
from unmask.spec.errors import UsageError
from unmask.spec.softmax import State as Softmax
from unmask.spec.state import MEMORIES, Config, State, plain
from unmask.spec.vectors import EACH, Each, Whole

WIDTH = {name: 8 * np.dtype(dtype).itemsize for name, dtype in MEMORIES.items()}
_REGISTERWIDTH = {Kind.GP: 32, Kind.F: 16, Kind.A: 64}


@dataclass(slots=True, eq=False)
class Block:
    """Elements that an instruction wrote.

    Attributes:
        memory, address, step: the first element's place, and the distance of neighbours.
        values: shape (n,).
        enable: shape (n,), which of them; None: all.
    """

    memory: str
    address: int
    values: NDArray[np.int64]
    enable: NDArray[np.bool_] | None = None
    step: int = 1

    def written(self) -> list[tuple[int, int]]:
        """(address, value) of each element written."""
        places = range(self.address, self.address + len(self.values) * self.step, self.step)
        pairs = zip(places, self.values.tolist(), strict=True)
        if self.enable is None:
            return list(pairs)
        return [pair for pair, on in zip(pairs, self.enable, strict=True) if on]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Block):
            return NotImplemented
        return self.memory == other.memory and self.written() == other.written()


@dataclass
class Retired:
    """What one instruction did: the fields of the core's retire port, without the cycle.

    Attributes:
        order: 0, 1, 2, ... since the start.
        pc, word, next_pc: word is 0 where the program has none at pc.
        cause: the trap, or NONE; a trapped instruction changed nothing and ended the run.
        stop: the program ended here as it should.
        vl: vector length when it issued.
        examined: words looked at to find the end of a loop of zero iterations.
        length: elements it worked on.
        gp, f, a: (register, value) written, or None.
        csr: (name, value) written, or None.
        store: (memory, address, value), or None.
        blocks: vectors written.
        softmax: (number, `state.plain` of its new value), or None.
        fault: of a FATAL, the address of the first beat that the memory refused. A core in whose
            bursts one answer stands for all beats of a store says the burst's (`model.Model` too).
        undefined: of a FATAL, (memory or "softmax", first, end) that may hold anything: what all
            transfers that failed were writing.
    """

    order: int
    pc: int
    word: int
    next_pc: int
    cause: Trap
    stop: bool
    vl: int
    examined: int = 0
    # Most records have few of these: what is not set stays the class's own.
    length: int = field(init=False, default=0)
    gp: tuple[int, int] | None = field(init=False, default=None)
    f: tuple[int, int] | None = field(init=False, default=None)
    a: tuple[int, int] | None = field(init=False, default=None)
    csr: tuple[str, int] | None = field(init=False, default=None)
    store: tuple[str, int, int] | None = field(init=False, default=None)
    blocks: tuple[Block, ...] = field(init=False, default=())
    softmax: tuple[int, tuple[int, ...]] | None = field(init=False, default=None)
    fault: int | None = field(init=False, default=None)
    undefined: tuple[tuple[str, int, int], ...] = field(init=False, default=())


class Access(NamedTuple):
    """Elements [first, end) of a memory that an instruction reads or writes."""

    memory: str
    first: int
    end: int


class Operands:
    """The context that a semantics function sees, read from a machine's state."""

    def __init__(self, state: State, vectors: Each | Whole) -> None:
        self._state, self.vectors = state, vectors
        self.vlen = state.config.vlen
        self._gp, self._f, self._a = state.gp, state.f, state.a
        self._fields: dict[str, tuple[Kind, int]] = {}
        self.reads: list[Access] = []

    def bind(self, fields: dict[str, tuple[Kind, int]]) -> None:
        """Turn to the next instruction: operand name -> (kind, value of its field)."""
        self._fields = fields
        if self.reads:
            self.reads = []

    def __getitem__(self, operand: str) -> Bits:
        kind, number = self._fields[operand]
        if kind is Kind.GP:
            return known(32, self._gp[number])
        if kind is Kind.F:
            return known(16, self._f[number])
        if kind is Kind.A:
            return known(64, self._a[number])
        return known(32, number)

    @property
    def vl(self) -> Bits:
        return known(32, self._state.csrs["VL"])

    @property
    def window(self) -> tuple[int, int]:
        return self._state.window

    def field(self, operand: str) -> int:
        """The field's own value; 0 where the instruction has no such operand."""
        return self._fields[operand][1] if operand in self._fields else 0

    def csr(self, name: str) -> Bits:
        return known(32, self._state.csrs[name])

    def number(self, value: Bits) -> int:
        return value.as_int()

    def depth(self, memory: str) -> int:
        return self._state.config.elements(memory)

    def load(self, memory: str, address: Bits) -> Bits:
        place = address.as_int()
        self.reads.append(Access(memory, place, place + 1))
        return known(WIDTH[memory], int(self._state.memories[memory][place]))

    def read(self, memory: str, address: Bits, length: int, step: int = 1) -> Any:
        first = address.as_int()
        if length:
            self.reads.append(Access(memory, first, first + (length - 1) * step + 1))
        values = self._state.memories[memory][first : first + length * step : step][:length]
        return self.vectors.of(WIDTH[memory], values)

    def state_number(self, operand: str) -> int:
        """Which softmax state an operand names: its register's value modulo 4."""
        return self._gp[self._fields[operand][1]] % STATE_COUNT

    def softmax(self, operand: str) -> Softmax:
        number = self.state_number(operand)
        self.reads.append(Access("softmax", number, number + 1))
        return self._state.softmax[number]


class Decoded(NamedTuple):
    """A word of the program, taken apart once."""

    word: int
    row: Instruction
    fields: dict[str, tuple[Kind, int]]
    traps: tuple[Any, ...]


class Machine:
    """A core that runs one program.

    Args:
        program: instruction words, each 0 .. 2**32 - 1; any word is allowed, bad ones trap.
        config: sizes.
        vectors: how vector work runs: `vectors.EACH`, the definition, or `vectors.WHOLE`.
        table: the instructions that exist.
        faulty: ranges of HBM addresses, in whole beats, that answer with a bus error.
        late: how many younger instructions retire before a failed transfer is reported, if
            they can: one that touches what it was writing, a C_BREAK and one that traps wait for
            it. They may be transfers, which may fail too.

    Raises:
        UsageError: if the program does not fit in instruction memory, a word in 32 bits, or a
            faulty range is not made of beats.
    """

    def __init__(
        self,
        program: Sequence[int],
        config: Config | None = None,
        vectors: Each | Whole = EACH,
        table: isa.Table = isa.TABLE,
        faulty: Sequence[tuple[int, int]] = (),
        late: int = 0,
    ) -> None:
        self.config = config or Config()
        if len(program) > self.config.program_words:
            raise UsageError(
                f"the program has {len(program)} words, instruction memory "
                f"{self.config.program_words}"
            )
        for place, word in enumerate(program):
            if not 0 <= word < 1 << WORD_BITS:
                raise UsageError(f"word {place} is {word:#x}, over {WORD_BITS} bits")
        for first, end in faulty:
            if (
                not 0 <= first < end
                or first % self.config.beat_bytes
                or end % self.config.beat_bytes
            ):
                raise UsageError(f"faulty range {first}:{end} is not made of whole beats")
        self.program = list(program)
        self.table = table
        self.state = State(self.config)
        self.order = 0
        self.stopped = False
        self.faulty, self.late = tuple(faulty), late
        self._failed: Retired | None = None  # what is to be reported: the oldest that failed
        self._operands = Operands(self.state, vectors)
        self._decoded = [self._take_apart(word) for word in self.program]

    def _take_apart(self, word: int) -> Decoded | None:
        row = self.table.decode(word)
        if row is None:
            return None
        fields = {x.name: (x.kind, x.field.get(word)) for x in row.operands}
        return Decoded(word, row, fields, tuple(sorted(row.traps, key=lambda rule: rule[0])))

    def run(self) -> Iterator[Retired]:
        """Retire instructions until the program stops or traps. Every program ends.

        A transfer retires as soon as it is under way, before the memory refuses it, and so may
        younger instructions. The last record is then a second one of the oldest transfer that
        failed, with cause FATAL and the order it had.
        """
        while not self.stopped:
            yield self.step()

    def step(self) -> Retired:
        """Retire the next instruction, or report the transfer that failed."""
        if self.stopped:
            raise RuntimeError("the program has ended")
        state = self.state
        decoded = self._decoded[state.pc] if state.pc < len(self.program) else None
        if decoded is None:
            word = self.program[state.pc] if state.pc < len(self.program) else 0
            return self._refuse(word, Trap.ILLEGAL)
        operands = self._operands
        operands.bind(decoded.fields)
        row = decoded.row
        target, examined = state.pc + 1, 0
        if row.opcode == loops.START or row.opcode == loops.END:
            cause, target, examined = self._loop_target(decoded)
            if cause is not Trap.NONE:
                return self._refuse(decoded.word, cause, examined)
        for cause, condition in decoded.traps:
            if condition(operands).value:
                return self._refuse(decoded.word, cause)
        if operands.reads:
            operands.reads.clear()  # of what the conditions looked at
        effect = row.semantics(operands)
        if not self._admits(decoded, effect, examined):
            return self._give_up()
        if self.faulty and row.transfers is not None:
            failed = self._bus_error(decoded, effect)
            if failed is not None:
                self._fail(failed)
                effect = Effect()
        return self._apply(decoded, effect, target, examined)

    def _loop_target(self, decoded: Decoded) -> tuple[Trap, int, int]:
        """The LOOP trap or NONE, the next pc, the words examined to find it."""
        pc, stack = self.state.pc, self.state.loops
        if decoded.row.opcode == loops.END:
            return *loops.after_end(pc, stack, decoded.fields["rd"][1]), 0
        count = decoded.fields["imm22"][1]
        return loops.after_start(self.program, pc, stack, self.config.loop_depth, count)

    def _apply(self, decoded: Decoded, effect: Effect, target: int, examined: int) -> Retired:
        state, fields = self.state, decoded.fields
        record = Retired(
            self.order,
            state.pc,
            decoded.word,
            target,
            Trap.NONE,
            effect.stop,
            state.csrs["VL"],
            examined,
        )
        if decoded.row.length is not None:
            record.length = decoded.row.length(self._operands)
        for name, value in effect.registers.items():
            kind, number = fields[name]
            self._set(record, kind, number, value.value)
        if effect.loop is not None:
            asked = effect.registers.get("rd")
            count = 0 if asked is None else asked.value
            left = loops.turn(state.loops, effect.loop, state.pc, count, fields["rd"][1])
            self._set(record, Kind.GP, fields["rd"][1], left)
        for memory, where, what in effect.stores:
            state.memories[memory][where.value] = what.value
            record.store = (memory, where.value, what.value)
        if effect.writes:
            record.blocks = tuple(self._write(write) for write in effect.writes)
        for name, what in effect.csrs.items():
            state.csrs[name] = what.value
            record.csr = (name, what.value)
        if effect.softmax is not None:
            operand, new = effect.softmax
            number = self._operands.state_number(operand)
            state.softmax[number] = new
            record.softmax = (number, plain(new))
        state.pc = target
        self.order += 1
        self.stopped = effect.stop
        return record

    def _set(self, record: Retired, kind: Kind, number: int, value: int) -> None:
        """Write a register; gp0 and f0 ignore it."""
        if kind is Kind.GP:
            if number:
                self.state.gp[number] = value
                record.gp = (number, value)
        elif kind is Kind.F:
            if number:
                self.state.f[number] = value
                record.f = (number, value)
        else:
            self.state.a[number] = value
            record.a = (number, value)

    def _write(self, write: Write) -> Block:
        address, values = write.address.as_int(), _numbers(write.values)
        enable = None if write.enable is None else _numbers(write.enable) != 0
        array = self.state.memories[write.memory]
        target = array[address : address + len(values) * write.step : write.step]
        if enable is None:
            target[:] = values
        else:
            target[enable] = values[enable]
        return Block(write.memory, address, values, enable, write.step)

    def _refuse(self, word: int, cause: Trap, examined: int = 0) -> Retired:
        """The record of a trap: nothing changes, the run ends."""
        if self._failed is not None:
            return self._give_up()  # older work finishes first, and fails
        self.stopped = True
        pc = self.state.pc
        return Retired(self.order, pc, word, pc, cause, False, self.state.csrs["VL"], examined)

    # -- bus errors --

    def _bus_error(self, decoded: Decoded, effect: Effect) -> Retired | None:
        """The FATAL record of a transfer that touches a faulty beat, or None."""
        beat = self.config.beat_bytes
        writes = [self._access(write) for write in effect.writes]
        refused = [
            max(access.first // beat * beat, first)
            for access in (*self._operands.reads, *writes)
            if access.memory == "hbm"
            for first, end in self.faulty
            if access.first // beat * beat < end and first < -(-access.end // beat) * beat
        ]
        if not refused:
            return None
        undefined = tuple((x.memory, x.first, x.end) for x in writes)
        if effect.softmax is not None:
            number = self._operands.state_number(effect.softmax[0])
            undefined = (("softmax", number, number + 1),)
        pc = self.state.pc
        vl = self.state.csrs["VL"]
        record = Retired(self.order, pc, decoded.word, pc, Trap.FATAL, False, vl)
        record.fault, record.undefined = min(refused), undefined
        return record

    def _fail(self, failed: Retired) -> None:
        """A transfer that fails; what it writes will be undefined."""
        if self._failed is None:
            self._failed = failed
        else:
            self._failed.undefined += failed.undefined

    def _admits(self, decoded: Decoded, effect: Effect, examined: int) -> bool:
        """Whether an instruction that does not trap retires before a failure is reported.

        Args:
            decoded, effect: the instruction, and what it would do.
            examined: words looked at to find the end of a loop.
        """
        failed = self._failed
        if failed is None:
            return True
        if effect.stop or self.order - failed.order > self.late:
            return False
        written = [self._access(write) for write in effect.writes]
        written += [Access(memory, x.as_int(), x.as_int() + 1) for memory, x, _ in effect.stores]
        if effect.softmax is not None:
            number = self._operands.state_number(effect.softmax[0])
            written.append(Access("softmax", number, number + 1))
        return not any(
            access.memory == memory and access.first < end and first < access.end
            for access in (*self._operands.reads, *written)
            for memory, first, end in failed.undefined
        )

    def _access(self, write: Write) -> Access:
        first, length = write.address.as_int(), self._operands.vectors.length(write.values)
        return Access(write.memory, first, first + (length - 1) * write.step + 1)

    def _give_up(self) -> Retired:
        """Report the failed transfer; the run ends."""
        assert self._failed is not None
        self.stopped = True
        return self._failed


def _numbers(vector: Any) -> NDArray[np.int64]:
    """The values of a vector, shape (n,)."""
    if isinstance(vector, Bits):
        return np.asarray(vector.value, np.int64)
    return np.array([element.value for element in vector], np.int64)
