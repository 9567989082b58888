"""The interpreter: one instruction at a time, from the table, with precise traps.

Scalars and control always run on Python integers. Vector work runs as the machine is told to:
element by element on integers (the readable definition), or on numpy arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from unmask.spec import isa
from unmask.spec.bits import Bits, arrays, ints
from unmask.spec.encoding import OPCODE, WORD_BITS, Effect, Instruction, Kind, Loop, Trap
from unmask.spec.errors import UsageError
from unmask.spec.reductions import Candidate, fold, halve
from unmask.spec.state import Config, State
from unmask.spec.state import Loop as LoopEntry

_START, _END = (isa.BY_MNEMONIC[name].opcode for name in ("C_LOOP_START", "C_LOOP_END"))


@dataclass(frozen=True)
class Retired:
    """What one instruction did: the fields of the core's retire port, without the cycle.

    Attributes:
        order: 0, 1, 2, ... since the start.
        pc, word, next_pc: word is 0 where the program has none at pc.
        cause: the trap, or NONE; a trapped instruction changed nothing and ended the run.
        stop: the program ended here as it should.
        vl: vector length when it issued.
        examined: words looked at to find the end of a loop of zero iterations.
        gp, f: (register, value) written, or None.
        csr: (name, value) written, or None.
        store: (memory, address, value), or None.
    """

    order: int
    pc: int
    word: int
    next_pc: int
    cause: Trap
    stop: bool
    vl: int
    examined: int = 0
    gp: tuple[int, int] | None = None
    f: tuple[int, int] | None = None
    csr: tuple[str, int] | None = None
    store: tuple[str, int, int] | None = None


class Operands:
    """The context that a semantics function sees, read from a machine's state."""

    def __init__(self, state: State, row: Instruction, word: int, fold_elements: Fold) -> None:
        self._state, self._fold = state, fold_elements
        self.vlen = state.config.vlen
        self.vl = ints(32, state.vl)
        self._values: dict[str, Bits] = {}
        for operand in row.operands:
            number = operand.field.get(word)
            if operand.kind is Kind.GP:
                value = ints(32, state.gp[number])
            elif operand.kind is Kind.F:
                value = ints(16, state.f[number])
            else:
                value = ints(32, number)
            self._values[operand.name] = value

    def __getitem__(self, operand: str) -> Bits:
        return self._values[operand]

    def depth(self, memory: str) -> int:
        return self._state.config.elements(memory)

    def load(self, memory: str, address: Bits) -> Bits:
        array = self._state.memories[memory]
        return ints(8 * array.itemsize, int(array[address.as_int()]))

    def reduce(self, reduction: Any, address: Bits, base: Bits, start: Candidate) -> Candidate:
        """`start` folded with the VL elements at `address`, whose indices count from `base`."""
        first = address.as_int()
        codes = self._state.memories["vector"][first : first + self._state.vl]
        return self._fold(reduction, codes, base, start)


def fold_integers(
    reduction: Any, codes: NDArray[np.uint16], base: Bits, start: Candidate
) -> Candidate:
    """Element by element on Python integers: the definition."""
    lanes = (reduction.lane(ints(16, int(code)), base + lane) for lane, code in enumerate(codes))
    return fold(lanes, start)


def fold_arrays(
    reduction: Any, codes: NDArray[np.uint16], base: Bits, start: Candidate
) -> Candidate:
    """All elements at once on numpy arrays, by pairwise halving."""
    if codes.size == 0:
        return start
    index = (base.as_int() + np.arange(codes.size, dtype=np.int64)) & 0xFFFFFFFF
    best = halve(reduction.lane(arrays(16, codes), arrays(32, index)))
    scalars = (ints(x.width, int(np.ravel(x.value)[0])) for x in best)
    return cast(Candidate, reduction.combine(start, Candidate(*scalars)))


Fold = Callable[[Any, NDArray[np.uint16], Bits, Candidate], Candidate]


class Machine:
    """A core that runs one program.

    Args:
        program: instruction words, each 0 .. 2**32 - 1; any word is allowed, bad ones trap.
        config: sizes.
        fold_elements: how a reduction runs over vector elements: `fold_integers`, the definition,
            or `fold_arrays`; the results are the same.

    Raises:
        UsageError: if the program does not fit in instruction memory, or a word in 32 bits.
    """

    def __init__(
        self,
        program: Sequence[int],
        config: Config | None = None,
        fold_elements: Fold = fold_integers,
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
        self.program = list(program)
        self.state = State(self.config)
        self.fold_elements = fold_elements
        self.order = 0
        self.stopped = False

    def run(self) -> Iterator[Retired]:
        """Retire instructions until the program stops or traps. Every program ends."""
        while not self.stopped:
            yield self.step()

    def step(self) -> Retired:
        """Execute the instruction at pc."""
        if self.stopped:
            raise RuntimeError("the program has ended")
        state = self.state
        present = state.pc < len(self.program)
        word = self.program[state.pc] if present else 0
        row = isa.decode(word) if present else None
        if row is None:
            return self._retire(word, Trap.ILLEGAL)
        operands = Operands(state, row, word, self.fold_elements)
        cause, target, examined = self._check(row, word, operands)
        if cause is not Trap.NONE:
            return self._retire(word, cause, examined=examined)
        effect = row.semantics(operands)
        return self._apply(row, word, effect, target, examined)

    def _check(self, row: Instruction, word: int, x: Operands) -> tuple[Trap, int, int]:
        """The trap, or NONE with the next pc and the words examined to find it."""
        target, examined = self.state.pc + 1, 0
        loops = self.state.loops
        if row.opcode == _START:
            if len(loops) == self.config.loop_depth:
                return Trap.LOOP, target, 0
            if x["imm22"].as_int() == 0:
                end = self._loop_end(self.state.pc + 1)
                examined = (len(self.program) if end is None else end) - self.state.pc
                if end is None:
                    return Trap.LOOP, target, examined
                target = end + 1
        elif row.opcode == _END:
            if not loops or loops[-1].register != row.operands[0].field.get(word):
                return Trap.LOOP, target, 0
            if loops[-1].count > 1:
                target = loops[-1].start
        for cause, condition in sorted(row.traps, key=lambda rule: rule[0]):
            if condition(x).as_int():
                return cause, target, 0
        return Trap.NONE, target, examined

    def _loop_end(self, pc: int) -> int | None:
        """The C_LOOP_END that matches a loop whose body starts at pc, by opcodes alone."""
        nesting = 0
        for place in range(pc, len(self.program)):
            opcode = OPCODE.get(self.program[place])
            if opcode == _START:
                nesting += 1
            elif opcode == _END:
                if nesting == 0:
                    return place
                nesting -= 1
        return None

    def _apply(
        self, row: Instruction, word: int, effect: Effect, target: int, examined: int
    ) -> Retired:
        state = self.state
        written: dict[str, Any] = {}
        number = {operand.name: operand.field.get(word) for operand in row.operands}
        kinds = {operand.name: operand.kind for operand in row.operands}
        registers = {name: value.as_int() for name, value in effect.registers.items()}
        if effect.loop is Loop.START:
            if registers["rd"] > 0:
                state.loops.append(LoopEntry(state.pc + 1, registers["rd"], number["rd"]))
        elif effect.loop is Loop.END:
            state.loops[-1].count -= 1
            registers["rd"] = state.loops[-1].count
            if registers["rd"] == 0:
                state.loops.pop()
        for name, value in registers.items():
            if number[name] != 0:  # gp0 and f0 ignore writes
                bank, key = (state.gp, "gp") if kinds[name] is Kind.GP else (state.f, "f")
                bank[number[name]] = value
                written[key] = (number[name], value)
        for memory, where, what in effect.stores:
            state.memories[memory][where.as_int()] = what.as_int()
            written["store"] = (memory, where.as_int(), what.as_int())
        vl = state.vl
        for name, what in effect.csrs.items():
            state.vl = what.as_int()
            written["csr"] = (name, state.vl)
        record = Retired(
            self.order, state.pc, word, target, Trap.NONE, effect.stop, vl, examined, **written
        )
        state.pc = target
        self.order += 1
        self.stopped = effect.stop
        return record

    def _retire(self, word: int, cause: Trap, examined: int = 0) -> Retired:
        """The record of a trap: nothing changes, the run ends."""
        self.stopped = True
        pc = self.state.pc
        return Retired(self.order, pc, word, pc, cause, False, self.state.vl, examined)
