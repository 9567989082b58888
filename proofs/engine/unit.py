"""Theorems that come with a binding file: the bound unit gives what its instruction owes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from inspect import getdoc
from itertools import product
from typing import Any

import numpy as np
import z3

from unmask.proofs.engine import gates, smt, yosys
from unmask.proofs.engine.mutate import Mutation
from unmask.proofs.engine.obligation import (
    Case,
    Enumeration,
    Files,
    Obligation,
    Theorem,
    Values,
)
from unmask.proofs.engine.simulate import Scenario, Simulation
from unmask.proofs.engine.stimulus import Stimulus
from unmask.spec.binding import Binding
from unmask.spec.bits import Bits, arrays
from unmask.spec.errors import UsageError
from unmask.spec.terms import Terms

# Lanes up to which a second solver is asked too; beyond, one solver's word for each case.
_LANE_STEP = 0x9E37  # lanes take codes this far apart, which in no two of them are the same
CONFIRMED_LANES = {"combinational": 2048, "transactions": 4, "induction": 8, "codes": 2048}
_ENGINES = {"codes": "enumeration, gates; z3, bitwuzla"}
# Of the unit's transition relation, and of the Verilog that it comes from.
Check = Callable[[Binding, int, smt.Transition, yosys.Design], Iterator[Case]]


def theorems(
    binding: Binding, twin: Mutation | None = None, inside: bool = False
) -> Iterator[Theorem]:
    """The theorems of a binding.

    Args:
        binding: which unit, and how it is bound.
        twin: a one-line bug planted in the unit's Verilog; without one the twin is a contract
            that misreads one input bit, which the real unit must fail.
        inside: whether it is this repository's own, whose fixed-latency units show the running
            result after every beat; then the inductive form is proven too.
    """
    checks: list[tuple[str, str, Check]] = [("combinational", "all inputs", combinational)]
    if binding.proof == "codes":
        checks = [("codes", "all 65,536 codes", codes)]
    elif binding.clock:
        bounds = "2 transactions" + (" of 1 or 2 beats" if binding.beats else "")
        checks = [("transactions", bounds, transactions)]
    if inside and binding.clock and _fixed_time(binding) and binding.beats:
        checks.append(("induction", "any number of beats", induction))
    for lanes, (name, bounds, check) in product(binding.sizes["prove"], checks):
        size = f".{lanes}" if binding.lanes_parameter else ""
        confirm = lanes <= CONFIRMED_LANES[name]
        on = f"{lanes} lanes, " if binding.lanes_parameter else ""
        yield Theorem(
            name=f"unit.{binding.name}.{name}{size}",
            statement=getdoc(check) or "",
            bounds=on + bounds,
            engine=_ENGINES.get(name) or ("z3, bitwuzla" if confirm else "z3 or bitwuzla"),
            obligations=partial(_obligations, binding, lanes, check),
            twin=partial(_twin, binding, lanes, check, twin),
            sources=(binding.path, *binding.files),
            include=binding.include,
            confirm=confirm,
        )


def elaborate(binding: Binding, lanes: int, design: yosys.Design) -> smt.Transition:
    """A bound unit as a transition relation, its ports and clock checked.

    Raises:
        UsageError: if the module does not fit the binding.
    """
    yosys.check_ports(binding, lanes, design)
    module = smt.load(yosys.export(design))
    if module.registers and binding.clock is None:
        raise UsageError(
            f"module {design.top} has registers, but there is no [clock]", str(binding.path)
        )
    # The clock of an instance inside is named as well; it has to be the very same signal.
    known = module.signals.get(binding.clock) if binding.clock else None
    if any(known is None or not module.signals[name].eq(known) for name in module.clocks):
        found = ", ".join(module.clocks)
        raise UsageError(
            f"module {design.top} is clocked by {found}; expected {binding.clock} alone",
            str(binding.path),
        )
    return module


def check(binding: Binding, lanes: int, design: yosys.Design) -> Iterator[Obligation]:
    """The obligations of a binding on any design with its ports, such as a netlist."""
    module = elaborate(binding, lanes, design)
    yield from (transactions if binding.clock else combinational)(binding, lanes, module, design)


def _obligations(binding: Binding, lanes: int, check: Check, files: Files) -> Iterator[Case]:
    design = yosys.Design.of(binding, lanes, files)
    yield from check(binding, lanes, elaborate(binding, lanes, design), design)


def _twin(
    binding: Binding, lanes: int, check: Check, mutation: Mutation | None, files: Files
) -> Iterator[Case]:
    if mutation is None:
        yield from _obligations(_misread(binding), lanes, check, files)
    else:
        with mutation.applied(files) as mutated:
            yield from _obligations(binding, lanes, check, mutated)


def _misread(binding: Binding) -> Binding:
    """The binding with a contract that reads the first input's lowest bit inverted."""
    right = binding.contract

    def wrong(beats: Any, lanes: int, shape: str) -> dict[str, Bits]:
        name = right.inputs[0].name
        last: Mapping[str, Bits] = {**beats[-1], name: beats[-1][name] ^ 1}
        return right.result([*beats[:-1], last], lanes, shape)

    return replace(binding, contract=replace(right, result=wrong))


def combinational(
    binding: Binding, lanes: int, module: smt.Transition, design: yosys.Design
) -> Iterator[Obligation]:
    """The outputs are the instruction's result on the inputs, for all inputs.

    Inputs that the binding does not name may have any value. Where a contract has a number of
    active lanes, 1 .. lanes are assumed.
    """
    stimulus = Stimulus(binding, lanes, (1,))
    inputs = {
        port: stimulus.beats[0].values[name].value for name, port in binding.input.ports.items()
    }
    inputs |= dict(_held(binding, module))
    view = module.view(module.arbitrary("none"), inputs, "once")
    got, owed = _results(binding, view), stimulus.owed(0)

    def explain(value: Values) -> str:
        return (
            f"{binding.contract.row.mnemonic}\n{stimulus.describe(value)}\n"
            f"  expected: {stimulus.results(owed, value)}\n"
            f"  got:      {stimulus.results(got, value)}"
        )

    same = z3.And(*(got[name].value == owed[name].value for name in owed))
    yield Obligation("result", same, stimulus.premises(), explain, stimulus.small())


def scenarios(binding: Binding, lanes: int) -> Iterator[Scenario]:
    """Two transactions of every combination of beats, paused or not, stalled or not.

    Where the time that a unit takes may depend on the number of active lanes, each number is a
    scenario of its own: its control is then concrete, and the simulation stays small.
    """
    sizes = (1, 2) if binding.beats else (1,)
    stalls = (False, True) if binding.output.ready else (False,)
    counted = any(port.kind == "count" for port in binding.contract.inputs)
    for lengths, gap, stall in product(product(sizes, repeat=2), (False, True), stalls):
        if counted and not _fixed_time(binding):
            for counts in product(range(1, lanes + 1), repeat=sum(lengths)):
                yield Scenario(lengths, gap, stall, counts)
        else:
            yield Scenario(lengths, gap, stall)


def _fixed_time(binding: Binding) -> bool:
    return binding.exact and not (binding.input.ready or binding.output.ready)


def transactions(
    binding: Binding, lanes: int, module: smt.Transition, design: yosys.Design
) -> Iterator[Obligation]:
    """After reset from any state, two transactions give exactly the owed results, in order.

    For all data, counts in 1 .. lanes, bases and starts, and all garbage on the inputs while
    valid is low; back to back and with idle cycles between beats; with output ready held low
    where there is one. Each result is at its latency (within it where the binding says so), none
    is early, none is extra, and one that waits neither changes nor vanishes. Bounds: two
    transactions, of 1 or 2 beats each where the unit takes beats.
    """
    for scenario in scenarios(binding, lanes):
        stimulus = Stimulus(binding, lanes, scenario.lengths, scenario.counts)
        yield from Simulation(module, stimulus, scenario).obligations()


def induction(
    binding: Binding, lanes: int, module: smt.Transition, design: yosys.Design
) -> Iterator[Obligation]:
    """From any state whatsoever, one beat changes the running result as the contract says.

    With L the latency: the result at t + L is the contract's on the beat at t, started from the
    start values if it is a first beat and else from the result at t + L - 1; without a beat it is
    held; the marks at t + L are the beat's. This is the step of an induction over time: it lifts
    the transactions to any number of beats, pauses and any history. Assumes reset inactive and
    counts in 1 .. lanes.
    """
    latency = binding.cycles(lanes)
    state, views = module.arbitrary("any"), []
    resting = dict(_held(binding, module))
    for cycle in range(latency + 1):
        view = module.view(state, resting, f"cycle{cycle}")
        views.append(view)
        state = view.next()
    beat = {
        name: Bits(Terms, module.inputs[port].size(), views[0][port])
        for name, port in binding.input.ports.items()
    }
    valid = views[0][str(binding.input.valid)] == 1
    before, after = _results(binding, views[-2]), _results(binding, views[-1])
    continued = {**beat, **{f"start_{name}": value for name, value in before.items()}}
    first = beat["first"].value == 1
    begun = binding.contract.result([beat], lanes, binding.shape)
    grown = binding.contract.result([continued], lanes, binding.shape)
    count = beat["count"].value
    premise = z3.And(z3.UGE(count, 1), z3.ULE(count, lanes))
    small = (
        *(z3.UGT(count, few) for few in (1, 2)),
        *(z3.Extract(16 * i + 15, 16 * i, beat["data"].value) for i in range(lanes)),
        *(x.value for name, x in beat.items() if name.startswith(("base", "start"))),
        *(x.value for x in before.values()),
    )
    explain = partial(_explain, Stimulus(binding, lanes, (1,)), beat, before, after)
    for label, when, owed in (
        ("a first beat", z3.And(valid, first), begun),
        ("a later beat", z3.And(valid, z3.Not(first)), grown),
        ("no beat", z3.Not(valid), before),
    ):
        same = z3.And(*(after[name].value == owed[name].value for name in after))
        yield Obligation(label, same, (premise, when), partial(explain, owed), small)
    shown = views[-1][str(binding.output.valid)] == 1
    last = beat["last"].value == 1
    if binding.output.last:
        yield Obligation("valid follows valid", shown == valid, (premise,), partial(explain, None))
        shown = z3.And(shown, views[-1][binding.output.last] == 1)
    yield Obligation(
        "the mark of the last beat",
        shown == z3.And(valid, last),
        (premise,),
        partial(explain, None),
    )


def codes(
    binding: Binding, lanes: int, module: smt.Transition, design: yosys.Design
) -> Iterator[Case]:
    """Each of the 65,536 codes, in every lane, gives exactly the owed result at its latency.

    Two solvers show that after reset from any state valid follows valid, and that from any state a
    result depends on nothing but its own beat: not on other cycles, nor on what was before. That
    function of one beat is then evaluated on every code, in gates that Yosys makes of the Verilog;
    lanes take different codes. Assumes that a lane's result is a function of its own operand, which
    the contract says, and that Yosys maps to gates what it exports to the solvers.
    """
    for scenario in scenarios(binding, lanes):
        stimulus = Stimulus(binding, lanes, scenario.lengths)
        yield next(Simulation(module, stimulus, scenario).obligations())
    yield own_beat_alone(binding, lanes, module)
    ((operand, port),) = binding.input.ports.items()
    tie = {**(binding.input.tie or {})}
    if binding.reset:
        tie[binding.reset] = 1 - binding.reset_active
    held = gates.Gates.of(design, tie)
    every = np.arange(1 << 16, dtype=np.int64)
    rows = np.zeros_like(every)
    for lane in range(lanes):
        rows |= (every ^ (_LANE_STEP * lane & 0xFFFF)) << 16 * lane
    owed = binding.contract.result([{operand: arrays(16 * lanes, rows)}], lanes, binding.shape)

    def failing() -> str | None:
        got = gates.after(held, {port: gates.bits_of(rows, 16 * lanes)}, binding.cycles(lanes))
        for name, output in binding.output.ports.items():
            values = gates.values_of(got[output])
            for place in np.flatnonzero(values != owed[name].value)[:1]:
                texts = (rows[place], owed[name].value[place], values[place])
                given, expected, found = (f"{int(x):0{4 * lanes}x}" for x in texts)
                what = f"{binding.contract.row.mnemonic} on {lanes} lanes, codes {given}"
                return f"{what}\n  {name} expected: {expected}\n  {name} got:      {found}"
        return None

    yield Enumeration("all codes", len(every), failing)


def own_beat_alone(binding: Binding, lanes: int, module: smt.Transition) -> Obligation:
    """From any two states, with any two histories around it, a beat has the same result."""
    beat = {port: z3.BitVec(f"beat.{port}", x.size()) for port, x in module.inputs.items()}
    # Of another beat, whatever it asks for, nothing but the reset is known.
    resting = {binding.reset: z3.BitVecVal(1 - binding.reset_active, 1)} if binding.reset else {}
    beat |= resting
    results = []
    for run in "xy":
        state = module.view(module.arbitrary(run), beat, f"{run}0").next()
        for cycle in range(1, binding.cycles(lanes)):
            state = module.view(state, resting, f"{run}{cycle}").next()
        results.append(module.view(state, resting, f"{run}end"))
    ports = binding.output.ports.values()
    same = z3.And(*(results[0][port] == results[1][port] for port in ports))
    return Obligation("a result depends on its own beat alone", same)


def _held(binding: Binding, module: smt.Transition) -> Iterator[tuple[str, Any]]:
    """Tied inputs, and reset at rest."""
    for name, value in (binding.input.tie or {}).items():
        yield name, z3.BitVecVal(value, module.inputs[name].size())
    if binding.reset:
        yield binding.reset, z3.BitVecVal(1 - binding.reset_active, 1)


def _results(binding: Binding, view: smt.View) -> dict[str, Bits]:
    ports = binding.output.ports
    return {name: Bits(Terms, view[port].size(), view[port]) for name, port in ports.items()}


def _explain(
    shape: Stimulus,
    beat: Mapping[str, Bits],
    before: Mapping[str, Bits],
    after: Mapping[str, Bits],
    owed: Mapping[str, Bits] | None,
    value: Values,
) -> str:
    expected = "its marks are wrong" if owed is None else f"expected: {shape.results(owed, value)}"
    return (
        f"{shape.binding.contract.row.mnemonic} on {shape.lanes} lanes, one beat from any state\n"
        f"  beat: {shape.inputs(beat, value)}\n"
        f"  running result before: {shape.results(before, value)}\n"
        f"  {expected}\n"
        f"  got:      {shape.results(after, value)}"
    )
