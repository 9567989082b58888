"""Symbolic transactions for a bound unit: free values on every port, and what is owed for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import z3

from unmask.proofs.engine.obligation import Values
from unmask.spec.binding import Binding
from unmask.spec.bits import Bits
from unmask.spec.contracts import Port
from unmask.spec.formats import describe
from unmask.spec.terms import const, var


@dataclass(frozen=True)
class Beat:
    """One beat: values by logical port name; `place` is its transaction and beat number."""

    place: tuple[int, int]
    values: Mapping[str, Bits]
    ends: bool


class Stimulus:
    """Consecutive transactions of free variables, with a legal number of active lanes."""

    def __init__(
        self,
        binding: Binding,
        lanes: int,
        lengths: Sequence[int],
        counts: Sequence[int] = (),
    ) -> None:
        """Transactions of `lengths` beats each, for a binding at a number of lanes.

        `counts`, where given, fixes the active lanes of each beat.
        """
        self.binding, self.lanes, self._fixed = binding, lanes, iter(counts)
        self.transactions = [
            [self._beat(number, beat, beats) for beat in range(beats)]
            for number, beats in enumerate(lengths)
        ]
        self.beats = [beat for transaction in self.transactions for beat in transaction]

    def _beat(self, number: int, beat: int, beats: int) -> Beat:
        values = {
            port.name: var(f"t{number}b{beat}.{port.name}", port.width(self.lanes))
            for port in self.binding.contract.inputs
        }
        for port in self.binding.contract.inputs:
            if port.kind == "count" and (fixed := next(self._fixed, None)) is not None:
                values[port.name] = const(port.width(self.lanes), fixed)
        if "first" in values:
            values["first"] = const(1, int(beat == 0))
            values["last"] = const(1, int(beat == beats - 1))
        return Beat((number, beat), values, beat == beats - 1)

    def owed(self, number: int) -> dict[str, Bits]:
        """The contract's result of a transaction, by logical port name."""
        beats = [beat.values for beat in self.transactions[number]]
        return self.binding.contract.result(beats, self.lanes, self.binding.shape)

    def premises(self) -> tuple[Any, ...]:
        """Every count is in 1 .. lanes, every choice one of those there are."""
        counts = [z3.And(z3.UGE(count, 1), z3.ULE(count, self.lanes)) for count in self._counts()]
        choices = [
            z3.ULT(beat.values[port.name].value, port.choices)
            for beat in self.beats
            for port in self._ports()
            if port.choices is not None and port.choices >> port.width(self.lanes) == 0
        ]
        return (*counts, *choices)

    def small(self) -> tuple[Any, ...]:
        """What a counterexample should have at 0: more than one active lane, codes, the rest."""
        terms: list[Any] = []
        for count in self._counts():
            terms += [z3.UGT(count, limit) for limit in (1, 2)]
        for beat in self.beats:
            for port in self._ports():
                value = beat.values[port.name].value
                if port.kind == "bf16":
                    terms += self._lanes(value)
                elif port.kind == "uint":
                    terms.append(value)
        return tuple(terms)

    def describe(self, value: Values) -> str:
        """The transactions for a person, one line a beat."""
        lines = []
        for beat in self.beats:
            number, place = beat.place
            text = self.inputs(beat.values, value)
            lines.append(f"  transaction {number} beat {place}: {text}")
        return "\n".join(lines)

    def inputs(self, inputs: Mapping[str, Bits], value: Values) -> str:
        """Input values for a person."""
        texts = [self._text(port, inputs[port.name].value, value) for port in self._ports()]
        return ", ".join(texts)

    def results(self, results: Mapping[str, Bits], value: Values) -> str:
        """Output values for a person."""
        ports = self.binding.contract.outputs
        return ", ".join(self._text(port, results[port.name].value, value) for port in ports)

    def _ports(self) -> list[Port]:
        return [port for port in self.binding.contract.inputs if port.kind != "flag"]

    def _counts(self) -> list[Any]:
        names = [port.name for port in self.binding.contract.inputs if port.kind == "count"]
        terms = [beat.values[name].value for beat in self.beats for name in names]
        return [term for term in terms if not z3.is_bv_value(term)]

    def _lanes(self, value: Any) -> list[Any]:
        return [z3.Extract(low + 15, low, value) for low in range(0, value.size(), 16)]

    def _text(self, port: Port, term: Any, value: Values) -> str:
        if port.kind != "bf16":
            return f"{port.name} {value(term)}"
        codes = [value(lane) for lane in self._lanes(term)]
        if len(codes) == 1:
            return f"{port.name} {describe(codes[0])}"
        shown = [f"[{lane}] {describe(code)}" for lane, code in enumerate(codes) if code]
        return (
            f"{port.name} "
            + (" ".join(shown) or "all 0000 0")
            + (" (the other lanes 0000 0)" if 0 < len(shown) < len(codes) else "")
        )
