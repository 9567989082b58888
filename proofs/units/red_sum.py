"""The FP32 sum: its adder alone, and the unit with a function symbol in every adder's place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from inspect import getdoc
from typing import Any
from unittest.mock import patch

import z3

from unmask.proofs.engine import smt, yosys
from unmask.proofs.engine.mutate import Mutation
from unmask.proofs.engine.obligation import Files, Obligation, Theorem, Values
from unmask.proofs.engine.parts import Assembly, Symbol
from unmask.proofs.engine.simulate import Scenario, Simulation
from unmask.proofs.engine.stimulus import Stimulus
from unmask.proofs.units import rtl
from unmask.spec import arith
from unmask.spec.binding import Binding, load
from unmask.spec.bits import Bits
from unmask.spec.terms import Terms, var

ADDER = rtl.RTL / "vector" / "unmask_fp32_add.v"
UNIT = rtl.RTL / "vector" / "unmask_red_sum.v"
BINDING = rtl.RTL / "vector" / "v_red_sum.toml"
ADDER_CYCLES = 2
SPACING = 4  # cycles from a beat to the next, at least


def adds(files: Files) -> Iterator[Obligation]:
    """The adder gives `spec.arith.add32` of its operands two cycles later.

    For all 2**64 pairs of codes, in any state and whatever follows.
    """
    module = rtl.load(ADDER, {}, files)
    a, b = var("a", 32), var("b", 32)
    view = module.view(module.arbitrary("any"), {"in_a": a.value, "in_b": b.value}, "operands")
    for cycle in range(ADDER_CYCLES):
        view = module.view(view.next(), {}, f"after{cycle}")
    got, owed = view["out_sum"], arith.add32(a, b).value

    def explain(value: Values) -> str:
        codes = (value(x) for x in (a.value, b.value, owed, got))
        return "{:08x} + {:08x}: expected {:08x}, got {:08x}".format(*codes)

    yield Obligation("all pairs", got == owed, (), explain)


def unit(lanes: int, symbol: Symbol, files: Files) -> tuple[Binding, Assembly]:
    """The bound unit with a symbol in place of its adders, and a contract that adds by it too."""
    binding = load(BINDING)
    design = replace(yosys.Design.of(binding, lanes, files), macros=(ADDER.stem,))
    module = smt.load(yosys.export(design))
    assembly = Assembly(module, symbol, ("in_a", "in_b"), "out_sum", ADDER_CYCLES)
    right = binding.contract.result

    def result(beats: Sequence[Any], lanes: int, shape: str) -> dict[str, Bits]:
        with patch.object(arith, "add32", symbol):
            return right(beats, lanes, shape)

    return replace(binding, contract=replace(binding.contract, result=result)), assembly


def transactions(lanes: int, files: Files) -> Iterator[Obligation]:
    """After reset from any state, two transactions give exactly the owed results, in order.

    As the theorems of that name for other units; each adder is a function symbol, on both sides.
    Numbers of active lanes are free. Bounds: two transactions, of 1 or 2 beats each, offered as
    fast as the unit takes them and 2 cycles later; not two times two beats.
    """
    for lengths in ((1, 1), (1, 2), (2, 1)):
        for gap in (False, True):
            symbol = Symbol("sum", 32)
            binding, assembly = unit(lanes, symbol, files)
            stimulus = Stimulus(binding, lanes, lengths)
            symbol.premises = stimulus.premises()
            for number in range(len(lengths)):
                stimulus.owed(number)
            symbol.close()
            module: Any = assembly
            yield from Simulation(module, stimulus, Scenario(lengths, gap)).obligations()


def induction(lanes: int, files: Files) -> Iterator[Obligation]:
    """A beat changes the running sum as the contract says, whatever came before.

    The state is any one in which beats on their way are 4 or more cycles apart and `in_ready` is
    low for 3 cycles after one; each cycle preserves that, and reset brings it about. The running
    sum is that of the fold's operands, which stay from beat to beat. With n the cycle in which a
    beat is taken: at n + 2L + 2 the operands are the sum of the beat's tree, and the start where
    it is a first beat, else the running sum; their sum, rounded, is on `out_code` at n + 2L + 5
    with the beat's mark. Without a beat `out_valid` is low then, and `out_code` as before. So does
    the contract fold. Any number of beats, by induction; counts in 1 .. lanes.
    """
    symbol = Symbol("sum", 32)
    binding, module = unit(lanes, symbol, files)
    load_at, shown_at = binding.cycles(lanes) - 3, binding.cycles(lanes)
    earlier, beat = (
        {
            port.name: var(f"{name}.{port.name}", port.width(lanes))
            for port in binding.contract.inputs
        }
        for name in ("earlier", "beat")
    )
    count = beat["count"].value
    counted = z3.And(z3.UGE(count, 1), z3.ULE(count, lanes))
    symbol.premises = (counted,)
    _, sum_of_one = _fold(symbol, binding, lanes, [earlier])
    code, (begun, chunk) = _fold(symbol, binding, lanes, [beat])
    code_of_two, (going, chunk_again) = _fold(symbol, binding, lanes, [earlier, beat])
    symbol.close()
    yield Obligation(
        "the contract is a fold",
        z3.And(
            going.value == symbol(*sum_of_one).value,
            chunk_again.value == chunk.value,
            code.value == arith.round32(symbol(begun, chunk)).value,
            code_of_two.value == arith.round32(symbol(going, chunk)).value,
        ),
    )

    asked = z3.BitVec("asked", 1)
    inputs = {port: beat[name].value for name, port in binding.input.ports.items()}
    inputs |= {str(binding.input.valid): asked, **_reset(0)}
    first = module.arbitrary("any")
    views, state = [], first
    for cycle in range(shown_at + 1):
        views.append(module.view(state, inputs, f"cycle{cycle}"))
        state, inputs = views[-1].next(), _reset(0)
    kept = module.view(module.view(first, _reset(0), "step").next(), {}, "kept")
    clean = module.view(module.view(first, _reset(1), "reset").next(), {}, "clean")
    spaced = _spaced(views[0])
    yield Obligation("the spacing is preserved", _spaced(kept), (spaced,))
    yield Obligation("reset", _spaced(clean))

    taken = z3.And(views[0]["in_ready"] == 1, asked == 1)
    premises = (spaced, taken, counted)
    before, loaded = views[load_at - 1], views[load_at]
    since = views[load_at - 1 - ADDER_CYCLES]
    is_first = beat["first"].value == 1
    yield Obligation(
        "the operands stayed",
        z3.And(*(since[name] == before[name] for name in ("total_reg", "chunk_reg"))),
        premises,
    )
    running = symbol.of(since["total_reg"], since["chunk_reg"])
    then = z3.If(is_first, begun.value, running)
    yield Obligation("the fold's operands: the tree", loaded["chunk_reg"] == chunk.value, premises)
    yield Obligation("the fold's operands: the sum", loaded["total_reg"] == then, premises)
    total = symbol.of(loaded["total_reg"], loaded["chunk_reg"])
    shown, waiting = views[shown_at], views[shown_at - 1]
    yield Obligation(
        "the sum is shown",
        z3.And(
            shown["out_valid"] == 1,
            shown["out_last"] == beat["last"].value,
            shown["out_code"] == arith.round32(Bits(Terms, 32, total)).value,
        ),
        premises,
    )
    held = z3.And(shown["out_valid"] == 0, shown["out_code"] == waiting["out_code"])
    yield Obligation("no beat", held, (spaced, z3.Not(taken)))


def _fold(
    symbol: Symbol, binding: Binding, lanes: int, beats: Sequence[Any]
) -> tuple[Bits, tuple[Bits, Bits]]:
    """The contract's result, and the operands of the last addition in it."""
    operands: list[tuple[Bits, Bits]] = []

    def noted(a: Bits, b: Bits) -> Bits:
        operands.append((a, b))
        return symbol(a, b)

    with patch.object(arith, "add32", noted):
        code = load(BINDING).contract.result(beats, lanes, binding.shape)["code"]
    return code, operands[-1]


def _reset(value: int) -> dict[str, Any]:
    return {"rst": z3.BitVecVal(value, 1)}


def _spaced(view: Any) -> Any:
    """Beats on their way are `SPACING` apart, and the unit waits as long after the last one."""
    valid, wait = view["valid_reg"], view["wait_reg"]
    apart = [
        z3.Not(z3.And(_bit(valid, low), _bit(valid, high)))
        for low in range(valid.size())
        for high in range(low + 1, min(low + SPACING, valid.size()))
    ]
    waits = [z3.Implies(_bit(valid, age), wait == SPACING - 1 - age) for age in range(SPACING - 1)]
    recent = z3.Or(*(_bit(valid, age) for age in range(SPACING - 1)))
    return z3.And(*apart, *waits, z3.Implies(z3.Not(recent), wait == 0))


def _bit(word: Any, place: int) -> Any:
    return z3.Extract(place, place, word) == 1


def _twin(
    function: Callable[[Files], Iterator[Obligation]], mutation: Mutation, files: Files
) -> Iterator[Obligation]:
    with mutation.applied(files) as mutated:
        yield from function(mutated)


# Planted: half a unit rounds up always; an inactive lane is +0, which turns -0 into +0; the unit is
# ready again before the sum of the beat is at hand.
_TIES_UP = Mutation(ADDER, "bits[3] & ((|bits[2:0]) | bits[4])", "bits[3]")
_ADDS_ZERO = Mutation(UNIT, "[15:0] NONE = 16'h8000", "[15:0] NONE = 16'h0000")
_TOO_SOON = Mutation(UNIT, "wait_reg <= 2'd3", "wait_reg <= 2'd1")


def _theorem(
    name: str,
    function: Callable[[Files], Iterator[Obligation]],
    statement: Any,
    bounds: str,
    mutation: Mutation,
) -> Theorem:
    return Theorem(
        name=f"red_sum.{name}",
        statement=getdoc(statement) or "",
        bounds=bounds,
        engine="z3 or bitwuzla",
        obligations=function,
        twin=partial(_twin, function, mutation),
        sources=(BINDING, UNIT, ADDER),
    )


THEOREMS = (
    _theorem("adder", adds, adds, "all pairs of codes", _TIES_UP),
    _theorem(
        "transactions.2",
        partial(transactions, 2),
        transactions,
        "2 lanes, 2 transactions of 1 or 2 beats",
        _ADDS_ZERO,
    ),
    *(
        _theorem(
            f"induction.{lanes}",
            partial(induction, lanes),
            induction,
            f"{lanes} lanes, any number of beats",
            _TOO_SOON,
        )
        for lanes in (4, 8)
    ),
)
