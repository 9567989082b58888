"""Cycles without data: registers and control run, of a vector there is one element and a length.

A program's cycles depend on its addresses, lengths, states and loops alone, and those mostly on
nothing but the program. So no element is loaded, streamed or reduced. A register whose value came
from a memory or a state is *unknown*, and a program that uses it for an address, a length, a state
or whatever else a trap depends on is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from unmask.model.machine import Model
from unmask.model.memory import Memory
from unmask.spec.bits import Bits, known
from unmask.spec.encoding import Effect, Kind
from unmask.spec.errors import UsageError
from unmask.spec.machine import WIDTH, Access, Decoded, Machine, Operands, Retired
from unmask.spec.softmax import State as Softmax
from unmask.spec.state import Config, State
from unmask.spec.vectors import Whole

_NAMES = {Kind.GP: "gp", Kind.F: "f", Kind.A: "a"}


@dataclass(frozen=True)
class Alike:
    """A vector whose elements are all the same; of these only the width means something."""

    length: int
    element: Any


class Outlines(Whole):
    """What `unmask.spec.vectors` asks of a way to hold vectors, on `Alike`."""

    def of(self, width: int, values: Any) -> Any:
        return Alike(len(values), known(width, 0))

    def places(self, length: int) -> Any:
        return Alike(length, known(32, 0))

    def stack(self, elements: list[Any]) -> Any:
        return Alike(len(elements), elements[0])

    def length(self, vector: Any) -> int:
        return int(vector.length)

    def map(self, function: Callable[..., Any], *operands: Any) -> Any:
        length = next(x.length for x in operands if isinstance(x, Alike))
        return Alike(length, function(*map(_element, operands)))

    def table(self, function: Callable[[Bits], Any], vector: Any) -> Any:
        return Alike(vector.length, function(vector.element))

    def at(self, vector: Any, place: int) -> Any:
        return vector.element

    def gather(self, table: Any, places: Any) -> Any:
        return Alike(places.length, table.element)

    def join(self, parts: list[Any]) -> Any:
        return Alike(sum(part.length for part in parts), parts[0].element)

    def repeat(self, vector: Any, times: int, length: int) -> Any:
        return Alike(length, vector.element)

    def replace(self, vector: Any, place: Bits, value: int, where: Bits) -> Any:
        return vector

    def tree(self, vector: Any, vlen: int, combine: Any, identity: int) -> list[Any]:
        return [vector.element] * -(-vector.length // vlen)

    def reduce(self, reduction: Any, start: Any, *operands: Any) -> Any:
        """One element; but a softmax state counts them all, which the LENGTH trap depends on."""
        length = operands[0].length
        if length == 0:
            return start
        result = reduction.combine(start, reduction.lane(*map(_element, operands)))
        if isinstance(result, Softmax):
            return result._replace(count=start.count + length)
        return result


def _element(operand: Any) -> Any:
    return operand.element if isinstance(operand, Alike) else operand


class Seen(Operands):
    """Operands that know which registers are unknown.

    Attributes:
        unknown: (kind, number) of these.
        strict: an unknown register is refused, as traps and lengths need it; else something
            stands for it, and `blurred` says that results are unknown too.
    """

    def __init__(self, state: State, vectors: Outlines) -> None:
        super().__init__(state, vectors)
        self.unknown: set[tuple[Kind, int]] = set()
        self.strict, self.blurred = True, False

    def bind(self, fields: dict[str, tuple[Kind, int]]) -> None:
        super().bind(fields)
        self.strict, self.blurred = True, False

    def __getitem__(self, operand: str) -> Bits:
        if self._fields[operand] in self.unknown:
            self.blurred = True
            if self.strict:
                self.refuse(operand)
        return super().__getitem__(operand)

    def load(self, memory: str, address: Bits) -> Bits:
        place = address.as_int()
        self.reads.append(Access(memory, place, place + 1))
        return known(WIDTH[memory], 0)

    def state_number(self, operand: str) -> int:
        if self._fields[operand] in self.unknown:
            self.refuse(operand)
        return super().state_number(operand)

    def refuse(self, operand: str) -> None:
        kind, number = self._fields[operand]
        raise UsageError(
            f"word {self._state.pc}: {_NAMES[kind]}{number:X} depends on data, and an address, "
            "a length, a state or a trap on it: only a run with data has cycles for this program"
        )


def _to_register(x: Any) -> Effect:
    x.softmax("rs1")
    return Effect(registers={"rd": known(32, 0)})


def _to_key(x: Any) -> Effect:
    x.softmax("rs1")
    return Effect(stores=(("key", x["rd"], known(32, 0)),))


# What these do apart from a division, which takes an interpreter longer than all else in a step.
_DIVIDED = {"S_SM_KEY": _to_register, "S_SM_CONF": _to_register, "S_SM_ST_KEY": _to_key}


class Outline(Model):
    """A model that runs without data: its records say who retires when, but of results nothing.

    Args:
        program, config, memory, faulty: as `Model`.

    Raises:
        UsageError: while it runs, where cycles depend on data.
    """

    def __init__(
        self,
        program: Sequence[int],
        config: Config,
        memory: Memory,
        faulty: Sequence[tuple[int, int]] = (),
    ) -> None:
        super().__init__(program, config, memory=memory, vectors=Outlines(), faulty=faulty)
        self._seen = Seen(self.state, Outlines())
        self._operands = self._seen

    def _take_apart(self, word: int) -> Decoded | None:
        decoded = super()._take_apart(word)
        if decoded is None:
            return None
        semantics = _DIVIDED.get(decoded.row.mnemonic, decoded.row.semantics)

        def outlined(x: Any) -> Effect:
            x.strict = False
            effect = semantics(x)
            x.strict = True
            return effect

        return decoded._replace(row=replace(decoded.row, semantics=outlined))

    def _apply(self, decoded: Decoded, effect: Effect, target: int, examined: int) -> Retired:
        seen = self._seen
        blurred = seen.blurred or bool(seen.reads)
        if effect.csrs and blurred:
            seen.refuse("rd")
        for name in effect.registers:
            kind, number = decoded.fields[name]
            if blurred and (number or kind is Kind.A):  # gp0 and f0 are always 0
                seen.unknown.add((kind, number))
            else:
                seen.unknown.discard((kind, number))
        kept = replace(effect, stores=(), writes=())
        return Machine._apply(self, decoded, kept, target, examined)
