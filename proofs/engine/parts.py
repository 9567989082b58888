"""Units whose parts are proven on their own: in the unit, such a part is a function and no more.

A part is a module that applies a function to its operands and gives the result some cycles later.
Where the part's own theorem says which function that is, the unit can be proven with a function
symbol in its place, on both sides. Nothing is known of the symbol but that equal operands give
equal results, so what is proven holds for the real function too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import z3

from unmask.proofs.engine.alike import variables
from unmask.proofs.engine.smt import Transition, View
from unmask.spec.bits import Bits
from unmask.spec.terms import Terms

State = dict[Any, Any]


@dataclass
class Symbol:
    """A function of which nothing is known. `premises` hold for its operands wherever it is used.

    Each application is a variable. Operands that are the same term, or are proven equal under the
    premises to those of an application that was made before `close`, share it; others get a new
    one, which only leaves more to be proven.
    """

    name: str
    width: int
    premises: tuple[Any, ...] = ()
    _known: dict[tuple[int, ...], Any] = field(default_factory=dict)
    _asked: list[tuple[tuple[Any, ...], Any]] = field(default_factory=list)
    _closed: bool = False

    def __call__(self, *operands: Bits) -> Bits:
        """An application to values of the specification."""
        return Bits(Terms, self.width, self.of(*(x.value for x in operands)))

    def close(self) -> None:
        """From now on, applications are held against those there are."""
        self._closed = True

    def of(self, *operands: Any) -> Any:
        """An application to terms."""
        terms = tuple(z3.simplify(x) for x in operands)
        key = tuple(x.get_id() for x in terms)
        if key not in self._known:
            result = self._proven(terms) if self._closed else None
            if result is None:
                result = z3.BitVec(f"{self.name}{len(self._known)}", self.width)
            if not self._closed:
                self._asked.append((terms, result))
            self._known[key] = result
            self._known[(*key, -1)] = terms  # keeps the terms alive, so their identities stay
        return self._known[key]

    def _proven(self, terms: tuple[Any, ...]) -> Any:
        mine = {x.get_id() for term in terms for x in variables(term)}
        for known, result in self._asked:
            if mine != {x.get_id() for term in known for x in variables(term)}:
                continue
            solver = z3.Solver()
            solver.add(*self.premises)
            solver.add(z3.Or(*(a != b for a, b in zip(terms, known, strict=True))))
            if solver.check() == z3.unsat:
                return result
        return None


@dataclass(frozen=True)
class Assembly:
    """A module whose parts are applications of a symbol; stands where a `Transition` can.

    Attributes:
        module: exported with the parts as macros.
        symbol: what they compute.
        operands, result: names of their ports.
        cycles: from operands to result.
    """

    module: Transition
    symbol: Symbol
    operands: tuple[str, ...]
    result: str
    cycles: int

    @property
    def parts(self) -> list[str]:
        """The instances, by their paths."""
        end = f".{self.result}"
        return [name.removesuffix(end) for name in self.module.inputs if name.endswith(end)]

    @property
    def inputs(self) -> dict[str, Any]:
        """The module's own inputs."""
        return {
            name: x
            for name, x in self.module.inputs.items()
            if not name.endswith(f".{self.result}")
        }

    def arbitrary(self, name: str) -> State:
        """Fresh variables in all registers and on their way through all parts."""
        state: State = dict(self.module.arbitrary(name))
        for part in self.parts:
            for age in range(self.cycles):
                state[part, age] = z3.BitVec(f"{name}.{part}.{age}", self.symbol.width)
        return state

    def view(self, state: State, inputs: Mapping[str, Any], tag: str) -> AssemblyView:
        """One clock cycle, as `Transition.view`."""
        results = {f"{x}.{self.result}": state[x, self.cycles - 1] for x in self.parts}
        registers = {slot: state[slot] for slot in self.module.registers}
        return AssemblyView(self, state, self.module.view(registers, {**inputs, **results}, tag))


@dataclass(frozen=True)
class AssemblyView:
    """An assembly in one clock cycle."""

    assembly: Assembly
    state: State
    view: View

    def __getitem__(self, name: str) -> Any:
        """The value of a port or register in this cycle, those of parts by `part.port`."""
        return self.view[name]

    def next(self) -> State:
        """The state after this cycle's clock edge."""
        following: State = dict(self.view.next())
        for part in self.assembly.parts:
            operands = (self.view[f"{part}.{name}"] for name in self.assembly.operands)
            following[part, 0] = self.assembly.symbol.of(*operands)
            for age in range(1, self.assembly.cycles):
                following[part, age] = self.state[part, age - 1]
        return following
