"""Runs a program on free variables: every register, CSR, state and memory element is one.

Programs set addresses and lengths by immediates; what is left free is data. A variable is named
after the place that it fills (`gp3`, `f1`, `VL`, `vector5`, `state0.key`), so two runs start from
the same state, and a statement says what was there before by name alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from inspect import getdoc
from itertools import combinations
from typing import Any

import z3

from unmask.proofs.engine.obligation import Case, Files, Theorem
from unmask.proofs.spec import softmax_merge
from unmask.spec import isa, symbolic
from unmask.spec.assembler import assemble
from unmask.spec.bits import Bits
from unmask.spec.encoding import (
    A_COUNT,
    CSRS,
    F_COUNT,
    GP_COUNT,
    STATE_COUNT,
    Context,
    Effect,
    Trap,
)
from unmask.spec.machine import WIDTH
from unmask.spec.reductions import parts
from unmask.spec.softmax import State
from unmask.spec.state import MEMORIES, Config
from unmask.spec.symbolic import Cell, Memory, SymbolicState
from unmask.spec.terms import const, var

CONFIG = Config(
    vlen=2, vector_rows=16, fp_words=8, key_words=8, int_words=16, program_words=64, hbm_bytes=1024
)
BF16 = z3.FPSort(8, 8)
FP32 = z3.FPSort(8, 24)
BF16_NAN = 0x7FC0

Semantics = Callable[[Context], Effect]
Content = Mapping[str, Any]  # place -> term


# -- variables by name --


def gp(number: int) -> Any:
    """What gp held before."""
    return z3.BitVec(f"gp{number}", 32) if number else z3.BitVecVal(0, 32)


def f(number: int) -> Any:
    """What f held before."""
    return z3.BitVec(f"f{number}", 16) if number else z3.BitVecVal(0, 16)


def cell(memory: str, place: int) -> Any:
    """What an element of a memory was before."""
    return z3.BitVec(f"{memory}{place}", WIDTH[memory])


def cells(memory: str, first: int, length: int) -> list[Any]:
    """What a range of a memory held before."""
    return [cell(memory, first + lane) for lane in range(length)]


def placed(memory: str, first: int, values: Iterable[Any], step: int = 1) -> dict[str, Any]:
    """Values by the names of the places from `first` on, for `Run.becomes`."""
    return {f"{memory}{first + lane * step}": value for lane, value in enumerate(values)}


# -- running --


@dataclass(frozen=True)
class Run:
    """What a program did.

    Attributes:
        before, after: all registers, CSRs and states, and the memory elements it touched, by name.
        premises: that no trap holds, of instructions for which that depends on data.
    """

    before: Content
    after: Content
    premises: tuple[Any, ...] = ()

    def becomes(self, expected: Content) -> Any:
        """These places hold these values after the program, and all others what they held."""
        untouched = {name: z3.BitVec(name, value.size()) for name, value in expected.items()}
        owed, there = {**self.before, **expected}, {**untouched, **self.before, **self.after}
        return z3.And(*(there[name] == owed[name] for name in there))


def start(config: Config = CONFIG) -> SymbolicState:
    """A state of nothing but variables, apart from gp0 and f0."""

    def content(memory: str) -> Cell:
        return lambda place: var(f"{memory}{place}", WIDTH[memory])

    return SymbolicState(
        config,
        gp=[const(32, 0), *(var(f"gp{n}", 32) for n in range(1, GP_COUNT))],
        f=[const(16, 0), *(var(f"f{n}", 16) for n in range(1, F_COUNT))],
        a=[var(f"a{n}", 64) for n in range(A_COUNT)],
        csrs={name: var(name, 32) for name in CSRS},
        softmax=[softmax_merge.free(f"state{n}") for n in range(STATE_COUNT)],
        memories={name: Memory(config.elements(name), content(name)) for name in MEMORIES},
    )


def run(
    text: str,
    config: Config = CONFIG,
    table: isa.Table = isa.TABLE,
    given: Content | None = None,
    **settings: int,
) -> Run:
    """Run a program to its end.

    Args:
        text: assembly, without C_BREAK.
        given: terms that stand in some places of vector SRAM instead of variables.
        settings: numbers that instructions put in front set registers and CSRs to: gp1=4, VL=5.
            They count as there before.
    """
    state = start(config)
    for name, value in (given or {}).items():
        state.memories["vector"][int(name.removeprefix("vector"))] = bits(value)
    words = assemble("\n".join((*_assignments(settings), text, "C_BREAK")))
    symbolic.run(state, words, table)
    set_before = {name: z3.BitVecVal(value, 32) for name, value in settings.items()}
    before = _before(config, state, {**set_before, **(given or {})})
    return Run(before, contents(state))


def run_untrapped(
    text: str, config: Config = CONFIG, table: isa.Table = isa.TABLE, **settings: int
) -> Run:
    """Run a program without loops, whose traps may depend on data; that none holds is a premise."""
    state = start(config)
    premises = []
    for word in assemble("\n".join((*_assignments(settings), text))):
        row = table.decode(word)
        assert row is not None
        cause = z3.simplify(symbolic.cause(state, row, word) == int(Trap.NONE))
        if not z3.is_true(cause):
            premises.append(cause)
        symbolic.execute(state, row, word)
    set_before = {name: z3.BitVecVal(value, 32) for name, value in settings.items()}
    return Run(_before(config, state, set_before), contents(state), tuple(premises))


def _assignments(settings: Mapping[str, int]) -> list[str]:
    return [
        f"C_SET_CSR {name}, gp0, {value}" if name in CSRS else f"S_ADDI_INT {name}, gp0, {value}"
        for name, value in settings.items()
    ]


def contents(state: SymbolicState) -> dict[str, Any]:
    """Everything that is there by name; of memories the elements that were touched."""
    found = {
        **{f"gp{n}": value.value for n, value in enumerate(state.gp)},
        **{f"f{n}": value.value for n, value in enumerate(state.f)},
        **{f"a{n}": value.value for n, value in enumerate(state.a)},
        **{name: value.value for name, value in state.csrs.items()},
    }
    for number, softmax in enumerate(state.softmax):
        found |= named_parts(f"state{number}", softmax)
    for name, memory in state.memories.items():
        found |= {f"{name}{place}": value.value for place, value in memory.cells.items()}
    return found


def named_parts(name: str, state: State) -> dict[str, Any]:
    """A softmax state's parts by name."""
    names = (*State._fields[:3], *(f"slot{j}" for j in range(len(state.slots))), "count", "flags")
    values = (part.value for part in parts(state))
    return {f"{name}.{part}": value for part, value in zip(names, values, strict=True)}


def _before(config: Config, after: SymbolicState, changed: Content) -> dict[str, Any]:
    """What the places held that exist after a run."""
    fresh = start(config)
    for name, memory in after.memories.items():
        for place in memory.cells:
            fresh.memories[name][place]  # touched there, so named here
    return {**contents(fresh), **changed}


# -- small things that statements are made of --


def bits(term: Any) -> Bits:
    """A Z3 bit-vector as `Bits`."""
    return const(term.size(), 0).like(term)


def ones(conditions: Iterable[Any], width: int) -> Any:
    """How many of the conditions hold, as a number of `width` bits."""
    one, none = z3.BitVecVal(1, width), z3.BitVecVal(0, width)
    total = none
    for condition in conditions:
        total = total + z3.If(condition, one, none)
    return total


def bf16(code: Any) -> Any:
    """The number that a BF16 code stands for, in Z3's theory of floating point."""
    return z3.fpBVToFP(code, BF16)


def is_code_of(code: Any, number: Any) -> Any:
    """A BF16 code stands for a number; for NaN it is the quiet one."""
    return z3.If(z3.fpIsNaN(number), code == BF16_NAN, bf16(code) == number)


def greater(a: Any, b: Any) -> Any:
    """Code a ranks above code b: NaN above all numbers, zeros equal."""
    x, y = bf16(a), bf16(b)
    return z3.And(z3.Not(z3.fpIsNaN(y)), z3.Or(z3.fpIsNaN(x), z3.fpGT(x, y)))


def is_true(mask: Any) -> Any:
    """A mask element counts as true: it is no zero."""
    return z3.Not(z3.fpIsZero(bf16(mask)))


# -- functions of which nothing is known --


class Unknown:
    """A function of which nothing is known but that equal operands give equal results.

    Each operand list gets a variable for its result; `consistent` says that they are a function's.
    What is proven of it holds for every function.
    """

    def __init__(self, name: str, width: int) -> None:
        self._name, self._width = name, width
        self._results: list[tuple[tuple[Any, ...], Any]] = []

    def __call__(self, *operands: Any) -> Any:
        simple = tuple(z3.simplify(x) for x in operands)
        for known, result in self._results:
            if all(x.eq(y) for x, y in zip(simple, known, strict=True)):
                return result
        result = z3.BitVec(f"{self._name}{len(self._results)}", self._width)
        self._results.append((simple, result))
        return result

    def consistent(self) -> tuple[Any, ...]:
        """Equal operands, equal results: a premise for each pair."""
        return tuple(
            z3.Implies(z3.And(*(x == y for x, y in zip(a, b, strict=True))), result == other)
            for (a, result), (b, other) in combinations(self._results, 2)
        )


# -- theorems --

Statement = Callable[[isa.Table, Files], Iterable[Case]]


def broken(changes: Mapping[str, Semantics]) -> isa.Table:
    """The instruction table with other semantics in some rows."""
    rows: Sequence[Any] = isa.TABLE.rows
    return isa.Table(
        [replace(x, semantics=changes[x.mnemonic]) if x.mnemonic in changes else x for x in rows]
    )


def theorem(name: str, bounds: str, statement: Statement, twin: isa.Table) -> Theorem:
    """A statement about all rows as they are, whose twin is the same about a broken table."""
    return Theorem(
        name=f"programs.{name}",
        statement=getdoc(statement) or "",
        bounds=bounds,
        engine="z3 or bitwuzla",
        obligations=partial(statement, isa.TABLE),
        twin=partial(statement, twin),
    )
