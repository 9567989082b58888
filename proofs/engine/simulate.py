"""Symbolic simulation of a bound unit: reset from any state, then transactions by handshake.

The surroundings (which beat is offered, how many results were taken) are terms as well, so
nothing is lost where the unit's control depends on data; where it does not, everything but the
data becomes concrete by simplification and a long run costs little.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import z3

from unmask.proofs.engine.obligation import Obligation, Values
from unmask.proofs.engine.smt import State, Transition, View
from unmask.proofs.engine.stimulus import Stimulus
from unmask.spec.binding import Binding
from unmask.spec.bits import Bits
from unmask.spec.terms import Terms

GAP, STALL = 2, 2  # idle cycles between beats; cycles that a result has to wait
_BITS = 10  # of the surroundings' counters
_NEVER = (1 << _BITS) - 1


def number(value: int) -> Any:
    """A counter's constant."""
    return z3.BitVecVal(value, _BITS)


@dataclass(frozen=True)
class Scenario:
    """Beats of each transaction, whether input pauses and output stalls, fixed counts if any."""

    lengths: tuple[int, ...]
    gap: bool = False
    stall: bool = False
    counts: tuple[int, ...] = ()

    def __str__(self) -> str:
        text = f"transactions of {' and '.join(map(str, self.lengths))} beats"
        if self.counts:
            text += f" with {' and '.join(map(str, self.counts))} active lanes"
        return text + (", paused" if self.gap else "") + (", stalled" if self.stall else "")


@dataclass
class _Seen:
    """What must hold, collected over the cycles."""

    rules: list[tuple[Any, str]] = field(default_factory=list)
    shown: list[list[tuple[Any, dict[str, Bits]]]] = field(default_factory=list)


class Simulation:
    """One scenario of a unit."""

    def __init__(self, module: Transition, stimulus: Stimulus, scenario: Scenario) -> None:
        """Prepare the surroundings; `run` does the cycles."""
        self._module, self._stimulus, self._scenario = module, stimulus, scenario
        self._binding: Binding = stimulus.binding
        self._latency = self._binding.cycles(stimulus.lanes)
        self._seen = _Seen(shown=[[] for _ in scenario.lengths])
        # The surroundings' own registers.
        self._at, self._wait = number(0), number(0)
        self._taken, self._hold = number(0), number(STALL if scenario.stall else 0)
        self._held: Any = z3.BoolVal(False)
        self._when = [number(_NEVER) for _ in scenario.lengths]

    def obligations(self) -> Iterator[Obligation]:
        """Run the scenario and yield what must hold."""
        self._run()
        name, premises = str(self._scenario), self._stimulus.premises()
        yield Obligation(
            f"{name}: handshake, order and latency",
            z3.And(*(rule for rule, _ in self._seen.rules)),
            premises,
            self._explain_rule,
            self._stimulus.small(),
        )
        for index, shown in enumerate(self._seen.shown):
            owed = self._stimulus.owed(index)
            goals = [z3.Implies(when, _equal(got, owed)) for when, got in shown]
            yield Obligation(
                f"{name}: result {index}",
                z3.And(*goals),
                premises,
                partial(self._explain_result, index),
                self._stimulus.small(),
            )

    # -- cycles --
    def _run(self) -> None:
        state = self._reset()
        spare = self._latency + GAP + 2
        limit = spare * (len(self._stimulus.beats) + 1)
        limit += (self._latency + STALL + 1) * len(self._scenario.lengths)
        drain = self._latency + 2
        for cycle in range(limit):
            state = self._cycle(cycle, state)
            if z3.is_bv_value(self._taken) and self._taken.as_long() >= len(self._when):
                drain -= 1
            if drain == 0:
                break
        done = self._taken == len(self._when)
        self._rule(done, f"not all results came within {limit} cycles")

    def _reset(self) -> State:
        state = self._module.arbitrary("any")
        if self._binding.reset is None:
            return state
        for cycle in range(self._binding.reset_cycles):
            inputs = self._inputs(z3.BoolVal(False), f"reset{cycle}")
            inputs[self._binding.reset] = z3.BitVecVal(self._binding.reset_active, 1)
            state = self._module.view(state, inputs, f"reset{cycle}").next()
        return state

    def _cycle(self, cycle: int, state: State) -> State:
        binding, last_beat = self._binding, len(self._stimulus.beats)
        valid = _bool(z3.And(z3.ULT(self._at, last_beat), self._wait == 0))
        ready = _bool(self._hold == 0)
        inputs = self._inputs(valid, f"cycle{cycle}")
        if binding.output.ready:
            inputs[binding.output.ready] = _bit(ready)
        view = self._module.view(state, inputs, f"cycle{cycle}")
        accepted = _bool(z3.And(valid, _flag(view, binding.input.ready)))
        self._note_arrivals(cycle, accepted)
        shown = _flag(view, binding.output.valid)
        if binding.output.last:
            shown = _bool(z3.And(shown, _flag(view, binding.output.last)))
        self._note_results(cycle, view, shown, ready)
        self._advance(accepted, shown, ready)
        return view.next()

    def _inputs(self, valid: Any, tag: str) -> dict[str, Any]:
        """The unit's input ports: the offered beat, or garbage while there is none."""
        binding, inputs = self._binding, {}
        for name, value in (binding.input.tie or {}).items():
            inputs[name] = z3.BitVecVal(value, self._module.inputs[name].size())
        if binding.reset:
            inputs[binding.reset] = z3.BitVecVal(1 - binding.reset_active, 1)
        if binding.input.valid:
            inputs[binding.input.valid] = _bit(valid)
        for logical, port in binding.input.ports.items():
            value = z3.BitVec(f"{tag}.{port}", self._module.inputs[port].size())
            for place, beat in enumerate(self._stimulus.beats):
                offered = z3.And(valid, self._at == place)
                value = z3.If(offered, beat.values[logical].value, value)
            inputs[port] = z3.simplify(value)
        return inputs

    def _note_arrivals(self, cycle: int, accepted: Any) -> None:
        ends = [place for place, beat in enumerate(self._stimulus.beats) if beat.ends]
        for index, end in enumerate(ends):
            now = z3.And(accepted, self._at == end)
            self._when[index] = z3.simplify(z3.If(now, number(cycle), self._when[index]))

    def _note_results(self, cycle: int, view: View, shown: Any, ready: Any) -> None:
        if z3.is_false(shown):
            self._rule(z3.Not(self._held), f"cycle {cycle}: a result that was not taken vanished")
            return
        got = _outputs(self._binding, view)
        taken = _bool(z3.And(shown, ready))
        for index, when in enumerate(self._when):
            mine = _bool(z3.And(shown, self._taken == index))
            owed = z3.Implies(mine, when != _NEVER)
            self._rule(owed, f"cycle {cycle}: result {index} came before its last beat")
            if not self._scenario.stall:
                age = number(cycle) - when
                exact = self._binding.exact
                on_time = age == self._latency if exact else z3.ULE(age, self._latency)
                text = f"cycle {cycle}: result {index} is not at latency {self._latency}"
                self._rule(z3.Implies(_bool(z3.And(mine, ready)), on_time), text)
            if not z3.is_false(mine):
                self._seen.shown[index].append((mine, got))
        extra = z3.And(shown, self._taken == len(self._when))
        self._rule(z3.Not(extra), f"cycle {cycle}: one result more than was owed")
        self._rule(
            z3.Implies(self._held, shown), f"cycle {cycle}: a result that was not taken vanished"
        )
        self._taken = z3.simplify(z3.If(taken, self._taken + 1, self._taken))

    def _advance(self, accepted: Any, shown: Any, ready: Any) -> None:
        pause = number(GAP if self._scenario.gap else 0)
        waiting = z3.If(self._wait == 0, number(0), self._wait - 1)
        self._wait = z3.simplify(z3.If(accepted, pause, waiting))
        self._at = z3.simplify(z3.If(accepted, self._at + 1, self._at))
        self._held = _bool(z3.And(shown, z3.Not(ready)))
        if self._scenario.stall:
            longer = z3.If(ready, number(STALL), self._hold - 1)
            self._hold = z3.simplify(z3.If(shown, longer, self._hold))

    def _rule(self, rule: Any, text: str) -> None:
        self._seen.rules.append((z3.simplify(rule), text))

    # -- counterexamples --
    def _explain_rule(self, value: Values) -> str:
        broken = next(text for rule, text in self._seen.rules if not value(rule))
        return f"{self._title()}\n{self._stimulus.describe(value)}\n  {broken}"

    def _explain_result(self, index: int, value: Values) -> str:
        owed = self._stimulus.owed(index)
        got = next(
            got
            for when, got in self._seen.shown[index]
            if value(when) and not value(_equal(got, owed))
        )
        return (
            f"{self._title()}\n{self._stimulus.describe(value)}\n"
            f"  result {index} expected: {self._stimulus.results(owed, value)}\n"
            f"  result {index} got:      {self._stimulus.results(got, value)}"
        )

    def _title(self) -> str:
        return f"{self._binding.contract.row.mnemonic} on {self._stimulus.lanes} lanes"


def _outputs(binding: Binding, view: View) -> dict[str, Bits]:
    ports = binding.output.ports
    return {name: Bits(Terms, view[port].size(), view[port]) for name, port in ports.items()}


def _equal(got: Mapping[str, Bits], owed: Mapping[str, Bits]) -> Any:
    return z3.And(*(got[name].value == owed[name].value for name in owed))


def _flag(view: View, name: str | None) -> Any:
    """A one-bit port as a condition; a port that does not exist is always 1."""
    return z3.BoolVal(True) if name is None else _bool(view[name] == 1)


def _bool(term: Any) -> Any:
    return z3.simplify(term)


def _bit(term: Any) -> Any:
    return z3.simplify(z3.If(term, z3.BitVecVal(1, 1), z3.BitVecVal(0, 1)))
