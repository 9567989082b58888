"""The softmax engine (`rtl/softmax/unmask_softmax.v`) takes beats in as the specification does.

One beat is followed through the real Verilog from any state of the unit, so what is proven holds
after any history, for any number of beats, transactions and pauses between them. Let s be the
state that the beat meets (in_start of a first beat, else out_state of the cycle before its own
result), l_0, l_1, ... those of its lanes, and W what the specification makes of s and all lanes,
without its slots:

    maximum   all parts of the new state but its slots are those of W
    slots     its slot j is the sum of what `combine(W, s)` and each `combine(W, l_i)` have there
    merge     and so is the specification's

Together: the new state is the contract's. `merge` is proven for beats of 2 lanes; for more it
follows from spec.softmax.associative: what an operand adds to the result of several combines is the
same in any order of them, and so what it adds beside all the others already combined, W. In
one formula, with all additions as bits, the solvers reach slot 0 of 2 lanes.

The exponential is cut out of the Verilog; that `unmask_base2` and `unmask_mantissa` are the
specification's, theorems of their own say (exponential). Of their numbers nothing is used but what
spec.softmax.closure proves of the specification's: states of lanes, and of what is made of
them, are canonical; a bin is a function of the key, and rises with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from inspect import getdoc
from typing import Any
from unittest.mock import patch

import z3

from unmask.proofs.engine import smt, yosys
from unmask.proofs.engine.alike import variables
from unmask.proofs.engine.mutate import Mutation
from unmask.proofs.engine.obligation import Files, Obligation, Theorem, Values
from unmask.proofs.spec.softmax_merge import (
    NO_SLOTS,
    Combine,
    aliased,
    canonical,
    free,
    premises,
    same,
)
from unmask.proofs.units.planted import softmax as planted
from unmask.proofs.units.rtl import RTL
from unmask.spec import binding, softmax
from unmask.spec.bits import Bits, mux
from unmask.spec.contracts.softmax import elements, state_of
from unmask.spec.formats import describe, order_key
from unmask.spec.reductions import tree
from unmask.spec.softmax import (
    BIG_MAGNITUDE,
    BIN_WIDTH,
    P_FRACTION,
    SLOT_WIDTH,
    SLOTS,
    Exponential,
    SoftmaxState,
    State,
)
from unmask.spec.terms import Terms, var

FOLDER = RTL / "softmax"
UNIT = binding.load(FOLDER / "v_red_sm.toml")
MACROS = ("unmask_base2", "unmask_mantissa")  # what is cut out
RESTING = {"rst": z3.BitVecVal(0, 1)}

SIZES = UNIT.sizes["prove"]

Cuts = Mapping[int, tuple[str, ...]]  # cycle -> registers
Statement = Callable[[int, Files], Iterator[Obligation]]


@dataclass(frozen=True)
class Stages:
    """Cycles of a beat that is at the inputs in cycle 0, and names, for a number of lanes."""

    lanes: int

    @property
    def levels(self) -> int:
        return self.lanes.bit_length() - 1

    @property
    def met(self) -> int:
        """The beat's codes are at the exponentials, its maximum meets the running one."""
        return self.levels + 2

    @property
    def added(self) -> int:
        """What the lanes add is at the tree."""
        return self.met + 4

    @property
    def end(self) -> int:
        """The sums meet the slots; the result is there one cycle later."""
        return self.added + self.levels

    @property
    def total(self) -> str:
        return f"sum.tree[{self.levels}].sum_reg"

    def term(self, lane: int) -> str:
        return f"terms[{lane}].term"

    def own(self, lane: int) -> Exponential:
        """What the macros of a lane give for the beat: variables."""
        return Exponential(
            bin=var(f"cycle{self.met}.{self.term(lane)}.base2.bin", BIN_WIDTH),
            place=var(f"cycle{self.met}.{self.term(lane)}.base2.place", 4),
            mantissa=var(f"cycle{self.met + 1}.{self.term(lane)}.power.mantissa", P_FRACTION + 1),
        )


@dataclass(frozen=True)
class Beat:
    """One beat on its way through the unit, from any state of the unit.

    Attributes:
        views: the unit in each cycle; in the last the beat's result is shown.
        inputs: the beat by logical port name.
        met: the state that it meets.
        codes: of each lane, banned ones replaced, by the specification.
        parts: the states of its lanes, by the specification.
    """

    views: list[smt.View]
    inputs: Mapping[str, Bits]
    met: State
    codes: list[Bits]
    parts: list[State]

    def explain(self, value: Values) -> str:
        """The beat for a person."""
        active = value(self.inputs["active"].value)
        lanes = [
            f"[{lane}] {describe(value(code.value))}" if active >> lane & 1 else f"[{lane}] -"
            for lane, code in enumerate(self.codes)
        ]
        got = state_of(_bits(self.views[-1]["out_state"]))
        return (
            f"V_RED_SM on {len(lanes)} lanes, one beat from any state\n"
            f"  lanes from index {value(self.inputs['base'].value)}: {' '.join(lanes)}\n"
            f"  state before: {_shown(self.met, value)}\n"
            f"  got:          {_shown(got, value)}"
        )


def _shown(state: State, value: Values) -> str:
    key, index, top = (value(x.value) for x in state[:3])
    slots = " ".join(f"{value(x.value):x}" for x in state.slots)
    count, flags = value(state.count.value), value(state.flags.value)
    return f"key {key:04x}, index {index}, bin {top}, slots {slots}, count {count}, flags {flags}"


def _bits(term: Any) -> Bits:
    return Bits(Terms, term.size(), term)


def elaborated(lanes: int, files: Files) -> smt.Transition:
    """The engine, its exponentials cut out."""
    return smt.load(yosys.export(replace(yosys.Design.of(UNIT, lanes, files), macros=MACROS)))


def run(module: smt.Transition, cycles: int, valid: int, cuts: Cuts) -> list[smt.View]:
    """The unit from any state on; a beat in cycle 0 or not, later any inputs but reset.

    What the registers named in `cuts` hold in that cycle is forgotten: it may be anything.
    """
    beat = {"in_valid": z3.BitVecVal(valid, 1), "in_bans": _bans(module)}
    registers, views = module.arbitrary("any"), []
    for cycle in range(cycles + 1):
        for name in cuts.get(cycle, ()):
            for slot, variable in _variables(module, name):
                size = variable.size()
                registers[slot] = z3.BitVec(f"cycle{cycle}.{name}.{variable}", size)
        inputs = RESTING if cycle else {**RESTING, **beat}
        views.append(module.view(registers, inputs, f"cycle{cycle}"))
        registers = views[-1].next()
    return views


def _bans(module: smt.Transition) -> Any:
    """The beat's bans, any four: given as the index of lane 0 and a distance to it."""
    base = z3.BitVec("cycle0.in_base", module.inputs["in_base"].size())
    return z3.Concat(*(base + z3.BitVec(f"cycle0.ban{at}", base.size()) for at in range(4)))


def _variables(module: smt.Transition, name: str) -> Iterator[tuple[int, Any]]:
    """Where the registers of a name lie in the state, with their variables."""
    slots = {x.get_id(): slot for slot, x in module.registers.items()}
    yield from ((slots[x.get_id()], x) for x in variables(module.signals[name]))


def _next(view: smt.View, name: str) -> Any:
    """What the registers of a name hold in the cycle after."""
    after = view.next()
    pairs = [(x, after[slot]) for slot, x in _variables(view.module, name)]
    return z3.simplify(z3.substitute(view.module.signals[name], *pairs))


def follow(module: smt.Transition, lanes: int, cuts: Cuts) -> Beat:
    """Follow a beat through the unit; `cuts` as for `run`.

    The state that the beat meets is any: what led to it is forgotten.
    """
    at = Stages(lanes)
    names = ("key", "index", "count", "flags")
    before = {
        at.met: tuple(f"maximum.{name}_reg" for name in names),
        at.met + 1: ("maximum.top_reg",),
        at.end: ("slots_reg",),
    }
    every = {x: before.get(x, ()) + cuts.get(x, ()) for x in {*before, *cuts}}
    views = run(module, at.end + 1, 1, every)
    inputs = {name: _bits(views[0][port]) for name, port in UNIT.input.ports.items()}
    codes: list[Bits] = []

    def own(code: Bits) -> Exponential:
        codes.append(code)
        return at.own(len(codes) - 1)

    with patch.object(softmax, "exponential", own):
        parts = elements(inputs, lanes)
    met = state_of(mux(inputs["first"], inputs["start"], _bits(views[at.end]["out_state"])))
    return Beat(views, inputs, met, codes, parts)


def maximum(lanes: int, files: Files) -> Iterator[Obligation]:
    """From any state whatsoever, a beat changes all parts of the state but its slots as owed.

    With L the latency, 2 * log2(VLEN) + 7: key, index, top, count and flags at t + L are the
    specification's of the beat at t and the state that it meets; without a beat nothing changes.
    For all data, active lanes (none, too), flags, bans, bases that wrap or do not. The marks at
    t + L are the beat's; after reset no beat is under way. So are, where they are used, key and bin
    of W, the bin of the met state and whether its key stays. Assumes that the met state is
    canonical if it is empty, and that the bin of a normal code is a function of its key.
    """
    module, at = elaborated(lanes, files), Stages(lanes)
    beat = follow(module, lanes, {})
    views, met = beat.views, beat.met
    owed = SoftmaxState.combine(met, tree(beat.parts, SoftmaxState))
    got = state_of(_bits(views[-1]["out_state"]))
    best = order_key(_bits(views[at.met]["maximum.base2.code"])).value
    best_bin = z3.BitVec(f"cycle{at.met}.maximum.base2.bin", BIN_WIDTH)
    functional = [
        z3.Implies(
            z3.And(
                order_key(code).value == best,
                z3.ULT((code & 0x7FFF).value, z3.BitVecVal(BIG_MAGNITUDE, 16)),
            ),
            at.own(lane).bin.value == best_bin,
        )
        for lane, code in enumerate(beat.codes)
    ]
    facts = (canonical(met)["empty"],)
    running, late = views[at.met + 1], views[at.met + 2]
    for name in ("key", "index", "count", "flags", "top"):
        value = getattr(owed, name).value
        known = (*facts, *functional) if name == "top" else facts
        used = (late if name == "top" else running)[f"maximum.{name}_reg"]
        yield Obligation(name, used == value, known, beat.explain)
        yield Obligation(f"{name} shown", getattr(got, name).value == value, known, beat.explain)
    stays = (late["maximum.same_late_reg"] == 1) == (owed.key.value == met.key.value)
    yield Obligation("whether the key stays", stays, facts, beat.explain)
    yield Obligation("bin before", late["maximum.old_top_reg"] == met.top.value)
    for mark in ("last", "tag"):
        yield Obligation(mark, views[-1][f"out_{mark}"] == views[0][f"in_{mark}"])
    yield from _marks(module, at.end + 1)


def _marks(module: smt.Transition, latency: int) -> Iterator[Obligation]:
    """A result exactly if there was a beat; without one the state is held, and after a reset."""
    for valid in (0, 1):
        *_, before, shown = run(module, latency, valid, {})
        yield Obligation(f"beats {valid}: results", shown["out_valid"] == valid)
        if not valid:
            pairs = (state_of(_bits(view["out_state"])) for view in (before, shown))
            yield Obligation("no beat: held", same(*pairs))
    silent = {**RESTING, "in_valid": z3.BitVecVal(0, 1)}
    view = module.view(module.arbitrary("any"), {"rst": z3.BitVecVal(1, 1)}, "reset")
    for cycle in range(latency + 1):
        view = module.view(view.next(), silent, f"silent{cycle}")
        yield Obligation(f"{cycle} cycles after reset", view["out_valid"] == 0)


def slots(lanes: int, files: Files) -> Iterator[Obligation]:
    """From any state whatsoever, slots become those of the met state and of all lanes, moved.

    Each lane adds to five sums the slots that the specification's `combine` gives it beside W; what
    stays of the met state's own are those that `combine` gives that; the result's are their
    sum modulo 2**34. In steps, each from anything that the step before could give: the codes
    that reach the lanes, the lanes, what stays, the tree, the last addition. W is any state that
    beats the operand, the parts of it that reach the lanes are as `maximum` proves. Assumes that
    states are canonical and that their bins rise with their keys.
    """
    module, at = elaborated(lanes, files), Stages(lanes)
    added = [f"{at.term(lane)}.slots_reg" for lane in range(lanes)]
    late = ("maximum.top_reg", "maximum.old_top_reg", "maximum.same_late_reg")
    cuts = {
        at.met: ("codes.line_reg",),
        at.met + 1: ("maximum.key_reg",),
        at.met + 2: late,
        at.added: (*added,),
        at.end: (at.total,),
    }
    beat, winner = follow(module, lanes, cuts), free("w")._replace(slots=NO_SLOTS)
    views, met = beat.views, beat.met
    reached: tuple[Any, ...] = (
        views[at.met + 1]["maximum.key_reg"] == winner.key.value,
        views[at.met + 2]["maximum.top_reg"] == winner.top.value,
    )
    arriving = _next(views[at.met - 1], "codes.line_reg")
    for lane in range(lanes):
        active = beat.inputs["active"].extract(lane, lane).value
        owed = z3.Concat(active, beat.codes[lane].value)
        got = _part(arriving, lanes * at.levels + lane, 17)
        yield Obligation(f"code of lane {lane}", got == owed, (), beat.explain)
    for lane in range(lanes):
        yield from _lane(beat, at, lane, winner, reached)
    reached += (
        views[at.met + 2]["maximum.old_top_reg"] == met.top.value,
        (views[at.met + 2]["maximum.same_late_reg"] == 1) == (winner.key.value == met.key.value),
    )
    facts = (*reached, *premises(winner, met), z3.UGE(winner.key.value, met.key.value))
    stays = SoftmaxState.combine(winner, met).slots
    shown = state_of(_bits(views[-1]["out_state"])).slots
    total, summed = views[at.end][at.total], _next(views[at.end - 1], at.total)
    nothing = [(x, z3.BitVecVal(0, x.size())) for x in variables(total)]
    for j in range(SLOTS):
        alone = z3.simplify(z3.substitute(shown[j].value, *nothing))
        yield Obligation(f"what stays, slot {j}", alone == stays[j].value, facts, beat.explain)
        sums = [_bits(_wide(_part(views[at.added][name], j, 16))) for name in added]
        while len(sums) > 1:
            sums = [a + b for a, b in zip(sums[::2], sums[1::2], strict=True)]
        got = _wide(_part(summed, j, 16 + at.levels))
        yield Obligation(f"tree, slot {j}", got == sums[0].value)
        whole = alone + _wide(_part(total, j, 16 + at.levels))
        yield Obligation(f"addition, slot {j}", shown[j].value == whole)


def _lane(
    beat: Beat, at: Stages, lane: int, winner: State, reached: tuple[Any, ...]
) -> Iterator[Obligation]:
    """What a lane adds, its code and the exponential of that being anything."""
    term, views = at.term(lane), beat.views
    line = _bits(_part(views[at.met]["codes.line_reg"], 2**at.levels * at.levels + lane, 17))
    code, active = line.extract(15, 0), line.extract(16, 16)
    with patch.object(softmax, "exponential", lambda code: at.own(lane)):
        part = SoftmaxState.lane(code, var(f"index{lane}", 32), active)
    given = z3.And(
        views[at.met][f"{term}.base2.code"] == code.value,
        views[at.met + 1][f"{term}.power.fraction"]
        == z3.BitVec(f"cycle{at.met}.{term}.base2.fraction", 17),
    )
    yield Obligation(f"lane {lane}: given to the exponential", given)
    facts = (*reached, *premises(winner, part), z3.UGE(winner.key.value, part.key.value))
    owed, got = (
        SoftmaxState.combine(winner, part).slots,
        _next(views[at.added - 1], f"{term}.slots_reg"),
    )

    def explain(value: Values) -> str:
        return (
            f"a lane with {describe(value(code.value))}, active {value(active.value)}, its bin "
            f"{value(part.top.value)}\n  beside: {_shown(winner, value)}\n"
            f"  expected slots: {' '.join(f'{value(x.value):x}' for x in owed)}\n"
            f"  got:            {' '.join(f'{value(_part(got, j, 16)):x}' for j in range(SLOTS))}"
        )

    for j in range(SLOTS):
        same_slot = _wide(_part(got, j, 16)) == owed[j].value
        yield Obligation(f"lane {lane}, slot {j}", same_slot, facts, explain)


def _part(word: Any, place: int, width: int) -> Any:
    return z3.Extract(width * place + width - 1, width * place, word)


def _wide(term: Any) -> Any:
    return z3.ZeroExt(SLOT_WIDTH - term.size(), term)


def merge(combine: Combine, files: Files) -> Iterator[Obligation]:
    """Alone, an operand adds to the result of a beat what it adds beside the result of all.

    A state and 2 lanes: any three canonical states whose bins rise with their keys. With all slots
    but one operand's at 0, those of the specification's result are those of `combine(W, operand)`;
    with all of them there they are the sums, since what `combine` does to slots is additive
    (spec.softmax.associative).
    """
    operands = [free(f"x{at}") for at in range(3)]
    facts = premises(*operands)
    for kept in range(3):
        s, a, b = (x if at == kept else x._replace(slots=NO_SLOTS) for at, x in enumerate(operands))
        result = combine(s, combine(a, b))
        owed = combine(result._replace(slots=NO_SLOTS), operands[kept])
        for j in range(SLOTS):
            goal = result.slots[j].value == owed.slots[j].value
            yield Obligation(f"operand {kept}, slot {j}", goal, facts)


def _twin(
    statement: Statement, lanes: int, mutation: Mutation, files: Files
) -> Iterator[Obligation]:
    with mutation.applied(files) as mutated:
        yield from statement(lanes, mutated)


def _theorem(name: str, statement: Statement, mutation: Mutation, lanes: int) -> Theorem:
    confirm = lanes == min(SIZES)
    return Theorem(
        name=f"red_sm.{name}.{lanes}",
        statement=getdoc(statement) or "",
        bounds=f"{lanes} lanes, any number of beats",
        engine="z3, bitwuzla" if confirm else "z3 or bitwuzla",
        obligations=partial(statement, lanes),
        twin=partial(_twin, statement, lanes, mutation),
        sources=(UNIT.path, *UNIT.files),
        confirm=confirm,
    )


THEOREMS = (
    *(_theorem("maximum", maximum, planted.WRAP_IGNORED, lanes) for lanes in SIZES),
    *(_theorem("slots", slots, planted.BINS_ALIAS, lanes) for lanes in SIZES),
    Theorem(
        name="red_sm.merge",
        statement=getdoc(merge) or "",
        bounds="2 lanes",
        engine="z3 or bitwuzla",
        obligations=partial(merge, SoftmaxState.combine),
        twin=partial(merge, aliased),
    ),
)
