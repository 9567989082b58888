"""The interpreter on Z3 terms: data symbolic, control concrete. Needs `unmask[proofs]`.

Registers, CSRs, states and memory elements are terms; what decides how many elements there are and
where a vector lies must come out as a number (it does, for programs that set it from immediates).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import z3

from unmask.spec import isa, loops
from unmask.spec.bits import Bits, BitsError, mux
from unmask.spec.encoding import (
    A_COUNT,
    CSRS,
    F_COUNT,
    GP_COUNT,
    IMM22,
    RD,
    STATE_COUNT,
    Effect,
    Instruction,
    Kind,
    Trap,
)
from unmask.spec.loops import Entry
from unmask.spec.machine import WIDTH
from unmask.spec.softmax import SoftmaxState
from unmask.spec.softmax import State as Softmax
from unmask.spec.state import ALL, Config
from unmask.spec.terms import const
from unmask.spec.vectors import Each

_VECTORS = Each(const)
Cell = Callable[[int], Bits]


def value_of(term: Bits) -> int:
    """The number that a term is.

    Raises:
        BitsError: if it depends on a variable.
    """
    simple = z3.simplify(term.value)
    if not z3.is_bv_value(simple):
        raise BitsError(f"a number is needed here, and this depends on data: {simple}")
    return int(simple.as_long())


def zeros(width: int) -> Cell:
    """The content of a memory that holds 0 everywhere."""
    return lambda place: const(width, 0)


class Memory:
    """Elements by address: a function for what was there, and what was written since."""

    def __init__(self, size: int, content: Cell) -> None:
        self.size, self._content = size, content
        self.cells: dict[int, Bits] = {}

    def __getitem__(self, place: int) -> Bits:
        if place not in self.cells:
            self.cells[place] = self._content(place)
        return self.cells[place]

    def __setitem__(self, place: int, value: Bits) -> None:
        self.cells[place] = value


@dataclass
class SymbolicState:
    """The architectural state as terms; the parts that are not given are zero, or at reset."""

    config: Config
    pc: int = 0
    gp: list[Bits] = field(default_factory=lambda: [const(32, 0)] * GP_COUNT)
    f: list[Bits] = field(default_factory=lambda: [const(16, 0)] * F_COUNT)
    a: list[Bits] = field(default_factory=lambda: [const(64, 0)] * A_COUNT)
    csrs: dict[str, Bits] = field(default_factory=dict)
    softmax: list[Softmax] = field(
        default_factory=lambda: [SoftmaxState.empty(const(1, 0))] * STATE_COUNT
    )
    memories: dict[str, Memory] = field(default_factory=dict)
    loops: list[Entry] = field(default_factory=list)
    window: tuple[int, int] = ALL

    def __post_init__(self) -> None:
        for name, csr in CSRS.items():
            reset = self.config.vlen if csr.reset is None else csr.reset
            self.csrs.setdefault(name, const(32, reset))
        for name, width in WIDTH.items():
            self.memories.setdefault(name, Memory(self.config.elements(name), zeros(width)))
        if self.window == ALL:
            self.window = (0, self.config.hbm_bytes)


class SymbolicOperands:
    """The context that a semantics function sees, of terms."""

    vectors = _VECTORS

    def __init__(self, state: SymbolicState, row: Instruction, word: int) -> None:
        self._state = state
        self.fields = {x.name: (x.kind, x.field.get(word)) for x in row.operands}
        self.vlen = state.config.vlen
        self.vl = state.csrs["VL"]
        self.window = state.window

    def __getitem__(self, operand: str) -> Bits:
        kind, number = self.fields[operand]
        banks = {Kind.GP: self._state.gp, Kind.F: self._state.f, Kind.A: self._state.a}
        return banks[kind][number] if kind in banks else const(32, number)

    def field(self, operand: str) -> int:
        return self.fields[operand][1] if operand in self.fields else 0

    def csr(self, name: str) -> Bits:
        return self._state.csrs[name]

    def number(self, value: Bits) -> int:
        return value_of(value)

    def depth(self, memory: str) -> int:
        return self._state.config.elements(memory)

    def load(self, memory: str, address: Bits) -> Bits:
        """An element at a known place; at an unknown one, a choice among all of them."""
        array = self._state.memories[memory]
        try:
            return array[value_of(address)]
        except BitsError:
            found = array[0]
            for place in range(1, array.size):
                found = mux(address.eq(place), array[place], found)
            return found

    def read(self, memory: str, address: Bits, length: int, step: int = 1) -> list[Bits]:
        first, array = value_of(address) if length else 0, self._state.memories[memory]
        return [array[first + lane * step] for lane in range(length)]

    def softmax(self, operand: str) -> Softmax:
        return self._state.softmax[value_of(self[operand]) % STATE_COUNT]


def cause(state: SymbolicState, row: Instruction, word: int) -> Any:
    """The trap of a word, by the rules of its row, as a Z3 term of 4 bits (loops apart)."""
    operands = SymbolicOperands(state, row, word)
    result = z3.BitVecVal(int(Trap.NONE), 4)
    for trap, condition in sorted(row.traps, key=lambda rule: -rule[0]):
        result = z3.If(condition(operands).value == 1, z3.BitVecVal(int(trap), 4), result)
    return result


def execute(state: SymbolicState, row: Instruction, word: int) -> Effect:
    """Let one word, whose traps do not hold, change the state."""
    operands: Any = SymbolicOperands(state, row, word)
    effect = row.semantics(operands)
    for name, value in effect.registers.items():
        kind, number = operands.fields[name]
        _set(state, kind, number, value)
    for memory, address, value in effect.stores:
        _store(state.memories[memory], address, value)
    for write in effect.writes:
        array, first = state.memories[write.memory], value_of(write.address)
        for lane, value in enumerate(write.values):
            place = first + lane * write.step
            if write.enable is not None:
                value = mux(write.enable[lane], value, array[place])
            array[place] = value
    state.csrs.update(effect.csrs)
    if effect.softmax is not None:
        name, new = effect.softmax
        state.softmax[value_of(operands[name]) % STATE_COUNT] = new
    return effect


def _set(state: SymbolicState, kind: Kind, number: int, value: Bits) -> None:
    bank = {Kind.GP: state.gp, Kind.F: state.f, Kind.A: state.a}[kind]
    if number or kind is Kind.A:
        bank[number] = value


def _store(array: Memory, address: Bits, value: Bits) -> None:
    try:
        array[value_of(address)] = value
    except BitsError:
        for place in range(array.size):
            array[place] = mux(address.eq(place), value, array[place])


def run(state: SymbolicState, program: Sequence[int], table: isa.Table = isa.TABLE) -> None:
    """Run a program from pc to C_BREAK.

    Raises:
        BitsError: if it traps, if a trap depends on data, or where a number is needed that does.
    """
    stopped = False
    while not stopped:
        word = program[state.pc] if state.pc < len(program) else 0
        row = table.decode(word) if state.pc < len(program) else None
        if row is None:
            raise BitsError(f"pc {state.pc} traps: ILLEGAL, word {word:08x}")
        target = _target(state, row, word, program)
        trap = value_of(Bits(state.gp[0].algebra, 4, cause(state, row, word)))
        if trap != Trap.NONE:
            raise BitsError(f"{row.mnemonic} at pc {state.pc} traps: {Trap(trap).name}")
        effect = execute(state, row, word)
        if effect.loop is not None:
            asked = effect.registers.get("rd")
            count = 0 if asked is None else value_of(asked)
            left = loops.turn(state.loops, effect.loop, state.pc, count, RD.get(word))
            _set(state, Kind.GP, RD.get(word), const(32, left))
        state.pc, stopped = target, effect.stop


def _target(state: SymbolicState, row: Instruction, word: int, program: Sequence[int]) -> int:
    """The next pc: counts of loops are immediates, so it is known."""
    trap, target = Trap.NONE, state.pc + 1
    if row.opcode == loops.START:
        depth = state.config.loop_depth
        trap, target, _ = loops.after_start(program, state.pc, state.loops, depth, IMM22.get(word))
    elif row.opcode == loops.END:
        trap, target = loops.after_end(state.pc, state.loops, RD.get(word))
    if trap is not Trap.NONE:
        raise BitsError(f"{row.mnemonic} at pc {state.pc} traps: {trap.name}")
    return target
