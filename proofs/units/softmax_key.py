"""Key and confidence of a softmax state, and the registers that hold the states.

The division is never unrolled. The specification's functions are run with those that they call
replaced by free variables, which gives what each of them is given and what is made of it; then,
from any state of the unit, each stretch of cycles does what one of them does: the Verilog's
registers hold its operands before, and its result after. `divide_step` is one such function.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial, reduce
from inspect import getdoc
from typing import Any
from unittest.mock import patch

import z3

from unmask.proofs.engine import smt, yosys
from unmask.proofs.engine.mutate import Mutation
from unmask.proofs.engine.obligation import Files, Obligation, Theorem, Values
from unmask.proofs.engine.smt import Transition, View
from unmask.proofs.units import rtl
from unmask.spec import softmax
from unmask.spec.bits import Bits, concat
from unmask.spec.contracts.softmax import STATE_WIDTH, state_of, word_of
from unmask.spec.softmax import SLICE, Exponential, SoftmaxState, State
from unmask.spec.terms import Terms, var

FOLDER = rtl.RTL / "softmax"
KEY, STATES = FOLDER / "unmask_key.v", FOLDER / "unmask_states.v"
FILES = tuple(FOLDER / f"unmask_{x}.v" for x in ("key", "key_code", "base2", "mantissa"))
MACROS = ("unmask_base2", "unmask_mantissa")  # cut out: theorems `exponential`

# The unit's cycles, as its own comment has them; cycle 0 is the one in which a state is taken.
LIMBS, DIVIDE, PACK, ADD_ONE, DIVIDE_AGAIN, ROUND = 5, 7, 34, 35, 37, 46
WORD = 54  # bits of remainder and divisor, and 27 of the digits


def _load(files: Files) -> Transition:
    sources = yosys.replaced(FILES, files)
    return smt.load(yosys.export(yosys.Design(sources, KEY.stem, macros=MACROS)))


@dataclass(frozen=True)
class Parts:
    """`key32` of a state, and the operands of what it calls; their results are free variables."""

    state: State
    nan_last: Bits
    code: Bits
    own: Exponential
    slots: tuple[Bits, ...]
    place: Bits
    divisor: Bits
    limbs: list[Bits]
    dividend: Bits
    height: Bits
    quotient: Bits
    key: Bits

    @staticmethod
    def of() -> Parts:
        """Of any state."""
        state, nan_last = state_of(var("state", STATE_WIDTH)), var("nan_last", 1)
        own = Exponential(var("bin", 12), var("place", 4), var("mantissa", 20))
        limbs = [var(f"limb{i}", SLICE) for i in range(7)]
        dividend, height, quotient = var("dividend", 46), var("height", 7), var("quotient", 27)
        asked: dict[str, Any] = {}

        def answer(name: str, result: Any) -> Callable[..., Any]:
            def function(*operands: Any) -> Any:
                if name in asked:
                    raise ValueError(f"{name} is called twice")
                asked[name] = operands
                return result

            return function

        with patch.multiple(
            softmax,
            exponential=answer("exponential", own),
            excess=answer("excess", limbs),
            normalise=answer("normalise", (dividend, height)),
            divide=answer("divide", quotient),
        ):
            key = softmax.key32(state, nan_last)
        slots, place, divisor = asked["excess"]
        if asked["normalise"] != (limbs,) or asked["divide"] != (dividend, divisor):
            raise ValueError("what is normalised and divided is not what was made before")
        return Parts(
            state,
            nan_last,
            asked["exponential"][0],
            own,
            slots,
            place,
            divisor,
            limbs,
            dividend,
            height,
            quotient,
            key,
        )


def _steps(
    function: Callable[[], Bits], width: int
) -> tuple[Bits, list[tuple[Bits, Bits, Bits]], list[Bits]]:
    """What `function` makes of its division's steps: result, their operands, their digits."""
    operands: list[tuple[Bits, Bits, Bits]] = []
    digits: list[Bits] = []

    def step(remainder: Bits, bit: Bits, divisor: Bits) -> tuple[Bits, Bits]:
        place = len(operands)
        operands.append((remainder, bit, divisor))
        digits.append(var(f"digit{place}", 1))
        return var(f"remainder{place}", width), digits[-1]

    with patch.object(softmax, "divide_step", step):
        result = function()
    return result, operands, digits


def _at(view: View, cycle: int) -> tuple[Any, ...]:
    return (view["cycle_reg"] == cycle, view["rst"] == 0)


def _limbs(view: View) -> list[Bits]:
    """The limbs of D, as the unit has them from cycle 5 on."""
    low = [_bits(view[f"slot_{i}_reg"]).extract(15, 0) for i in (4, 3, 2, 1, 0)]
    top = _bits(view["slot_0_reg"])
    return [*low, top.extract(31, 16), top.extract(33, 32).zext(SLICE)]


def _bits(term: Any) -> Bits:
    return Bits(Terms, term.size(), term)


def _height(view: View) -> Any:
    return z3.Concat(view["first_reg"], ~view["short_reg"])


def _owed(
    label: str, before: View, pairs: dict[str, tuple[Any, Any]], premises: Iterable[Any]
) -> Obligation:
    """`pairs`: what -> (what the unit has, what it should have)."""

    def explain(value: Values) -> str:
        registers = [name for name in before.module.signals if name.endswith("_reg")]
        lines = ["  before: " + ", ".join(f"{x} {value(before[x]):x}" for x in registers)]
        for name, (got, owed) in pairs.items():
            mark = "" if value(got) == value(owed) else "   <-- differs"
            lines.append(f"  {name}: expected {value(owed):x}, got {value(got):x}{mark}")
        return "\n".join([f"unmask_key in cycle {value(before['cycle_reg'])}", *lines])

    goal = z3.And(*(got == owed for got, owed in pairs.values()))
    return Obligation(label, goal, tuple(premises), explain)


def key(files: Files) -> Iterator[Obligation]:
    """35 cycles after a state is taken, `out_key` is `spec.softmax.key32` of it.

    For every state of 251 bits, reachable or not, and both places of NaN. From any state of the
    unit: cycles 0 to 4 leave the limbs of `excess` and the divisor, 5 and 6 the dividend of
    `normalise`, each of 7 to 33 takes a step of `divide`, 34 packs. Of the exponential no more is
    used than that a mantissa has its top bit set (theorems `exponential`).
    """
    module, parts = _load(files), Parts.of()
    free = module.arbitrary("any")
    state, own = parts.state, parts.own

    # 0: taken.
    asked = {"in_state": word_of(state).value, "in_nan_last": parts.nan_last.value}
    view = module.view(free, asked, "take")
    after = module.view(view.next(), {}, "taken")
    kept = {
        "key_reg": state.key.value,
        "normal_reg": state.top.ne(0).value,
        "nan_last_reg": parts.nan_last.value,
    }
    slots = {f"slot_{i}_reg": slot.value for i, slot in enumerate(state.slots)}
    owed = {"confidence_reg": view["in_confidence"], **kept, **slots}
    pairs = {name: (after[name], value) for name, value in owed.items()}
    yield _owed("taken", view, pairs, (*_at(view, 0), view["in_valid"] == 1))

    # 1 to 4: place, divisor, limbs.
    fraction = var("fraction", 17)
    given = {"base2.place": own.place.value, "base2.fraction": fraction.value}
    views = [module.view(free, given, "cycle1")]
    begin = views[0]
    premises = [*_at(begin, 1), *(begin[name] == x for name, x in (kept | slots).items())]
    for cycle in range(2, LIMBS + 1):
        given = {"power.mantissa": own.mantissa.value} if cycle == 2 else {}
        views.append(module.view(views[-1].next(), {"rst": _bit(0), **given}, f"cycle{cycle}"))
    end = views[-1]
    pairs = {"its code": (begin["base2.code"], parts.code.value)}
    yield _owed("code", begin, pairs, premises)
    pairs = {"its fraction": (views[1]["power.fraction"], fraction.value)}
    yield _owed("fraction", begin, pairs, premises)
    pairs = {
        "place": (end["place_reg"], parts.place.value),
        "divisor": (end["divisor_reg"], parts.divisor.zext(WORD).value),
    }
    yield _owed("divisor", begin, pairs, premises)
    limbs = softmax.excess(parts.slots, parts.place, parts.divisor)
    for place, (got, limb) in enumerate(zip(_limbs(end), limbs, strict=True)):
        pairs = {f"limb {place}": (got.value, limb.value)}
        yield _owed(f"limb {place}", begin, pairs, premises)
    top = parts.divisor.extract(19, 19).value == 1
    yield Obligation("the divisor's top bit", top, (own.mantissa.extract(19, 19).value == 1,))

    # 5 and 6: dividend.
    view = module.view(free, {}, "cycle5")
    middle = module.view(view.next(), {"rst": _bit(0)}, "cycle6")
    after = module.view(middle.next(), {}, "cycle7")
    limbs = _limbs(view)
    dividend, height = softmax.normalise(limbs)
    for name, got, term in (
        ("digits", after["digits_reg"], dividend.extract(26, 0)),
        ("remainder", after["remainder_reg"], dividend.extract(45, 27).zext(WORD)),
        ("height", _height(after), height),
        ("nothing", after["nothing_reg"], _nothing(limbs)),
    ):
        yield _owed(f"normalised: {name}", view, {name: (got, term.value)}, _at(view, LIMBS))

    # 7 to 33: a step each.
    divisor = var("divisor", 20)
    quotient, operands, digits = _steps(lambda: softmax.divide(parts.dividend, divisor), 20)
    queue = parts.dividend.extract(26, 0)
    view = module.view(free, {}, "step")
    after = module.view(view.next(), {}, "stepped")
    for place, ((remainder, bit, by), digit) in enumerate(zip(operands, digits, strict=True)):
        smaller = z3.ULT(remainder.value, by.value)
        premises = [
            *_at(view, DIVIDE + place),
            view["divisor_reg"] == by.zext(WORD).value,
            view["remainder_reg"] == remainder.zext(WORD).value,
            view["digits_reg"] == queue.value,
            # The first remainder has 19 bits, and so is less.
            divisor.extract(19, 19).value == 1 if place == 0 else smaller,
        ]
        rest, fits = softmax.divide_step(remainder, bit, by)
        pairs = {
            "remainder": (after["remainder_reg"], rest.zext(WORD).value),
            "digits": (after["digits_reg"], concat(queue.extract(25, 0), fits).value),
            "remainder less than divisor": (rest.ult(by).value, _bit(1)),
        }
        yield _owed(f"step {place}", view, pairs, premises)
        queue = concat(queue.extract(25, 0), digit)
    yield Obligation("the digits are the quotient", queue.value == quotient.value)

    # 34: the key.
    view = module.view(free, {}, "pack")
    after = module.view(view.next(), {}, "packed")
    premises = [
        *_at(view, PACK),
        *(view[name] == x for name, x in kept.items()),
        view["place_reg"] == parts.place.value,
        _height(view) == parts.height.value,
        view["nothing_reg"] == _nothing(parts.limbs).value,
        view["digits_reg"] == parts.quotient.value,
    ]
    yield _owed("packed", view, {"key": (after["out_key"], parts.key.value)}, premises)


def _nothing(limbs: list[Bits]) -> Bits:
    return reduce(lambda a, b: a | b, limbs).eq(0)


def confidence(files: Files) -> Iterator[Obligation]:
    """12 cycles after the key, `out_confidence` is `spec.softmax.confidence` of it.

    For every key of 32 bits, from any state of the unit: cycles 35 and 36 leave the divisor, each
    of 37 to 45 takes a step of the division, 46 rounds.
    """
    module = _load(files)
    free = module.arbitrary("any")
    view = module.view(free, {}, "cycle35")
    middle = module.view(view.next(), {"rst": _bit(0)}, "cycle36")
    begun = module.view(middle.next(), {}, "cycle37")
    known = _bits(view["out_key"])
    code, operands, digits = _steps(lambda: softmax.confidence(known), WORD)
    remainder, _, divisor = operands[0]
    premises = (*_at(view, ADD_ONE), view["confidence_reg"] == 1)
    for name, owed in (
        ("divisor_reg", divisor.value),
        ("remainder_reg", remainder.value),
        ("digits_reg", z3.BitVecVal(0, 27)),
        ("out_key", known.value),
    ):
        yield _owed(f"begun: {name}", view, {name: (begun[name], owed)}, premises)

    by, queue = var("divisor", WORD), known.const(27, 0)
    now = module.view(free, {}, "step")
    after = module.view(now.next(), {}, "stepped")
    for place, ((remainder, bit, _), digit) in enumerate(zip(operands, digits, strict=True)):
        rest, fits = softmax.divide_step(remainder, bit, by)
        pairs = {
            "remainder": (after["remainder_reg"], rest.value),
            "digits": (after["digits_reg"], concat(queue.extract(25, 0), fits).value),
        }
        premises = (
            *_at(now, DIVIDE_AGAIN + place),
            now["divisor_reg"] == by.value,
            now["remainder_reg"] == remainder.value,
            now["digits_reg"] == queue.value,
        )
        yield _owed(f"step {place}", now, pairs, premises)
        queue = concat(queue.extract(25, 0), digit)

    # Another state than that of cycle 35, of which it has the key and what was made of it.
    now = module.view(module.arbitrary("last"), {}, "round")
    after = module.view(now.next(), {}, "rounded")
    premises = (
        *_at(view, ADD_ONE),
        view["confidence_reg"] == 1,
        *_at(now, ROUND),
        now["out_key"] == known.value,
        now["divisor_reg"] == divisor.value,
        now["shift_reg"] == begun["shift_reg"],
        now["digits_reg"] == queue.value,
    )
    yield _owed("rounded", now, {"confidence": (after["out_confidence"], code.value)}, premises)


def control(files: Files) -> Iterator[Obligation]:
    """Cycles follow each other, results come at 35 and 47, and what is needed later stays.

    From any state of the unit whose cycle is one that there is, whatever is offered meanwhile;
    nothing is taken but while `in_ready` is high.
    """
    module = _load(files)
    view = module.view(module.arbitrary("any"), {}, "now")
    after = module.view(view.next(), {}, "then")
    cycle, rests = view["cycle_reg"], view["rst"] == 0
    last = z3.If(view["confidence_reg"] == 1, z3.BitVecVal(ROUND, 6), z3.BitVecVal(PACK, 6))
    taken = z3.And(cycle == 0, view["in_valid"] == 1)
    on = z3.If(cycle == last, z3.BitVecVal(0, 6), cycle + 1)
    idle = z3.If(taken, z3.BitVecVal(1, 6), z3.BitVecVal(0, 6))
    following = {"cycle": (after["cycle_reg"], z3.If(cycle == 0, idle, on))}
    shown = {"valid": (after["out_valid"], z3.If(cycle == last, _bit(1), _bit(0)))}
    ready = {"ready": (view["in_ready"], z3.If(cycle == 0, _bit(1), _bit(0)))}
    cleared = {
        "cycle": (after["cycle_reg"], z3.BitVecVal(0, 6)),
        "valid": (after["out_valid"], _bit(0)),
    }
    yield _owed("ready", view, ready, ())
    yield _owed("cycles", view, following, (rests, z3.ULE(cycle, last)))
    yield _owed("valid", view, shown, (rests,))
    yield _owed("reset", view, cleared, (view["rst"] == 1,))
    # register -> the cycles that change it, 0: that in which a state is taken
    written = {
        "key_reg": (0,),
        "normal_reg": (0,),
        "nan_last_reg": (0,),
        "confidence_reg": (0,),
        "place_reg": (1,),
        "divisor_reg": (2, ADD_ONE, DIVIDE_AGAIN - 1),
        "first_reg": (LIMBS,),
        "nothing_reg": (LIMBS,),
        "short_reg": (LIMBS + 1,),
        "shift_reg": (DIVIDE_AGAIN - 1,),
        "out_key": (PACK,),
        "out_confidence": (ROUND,),
    }
    for name, cycles in written.items():
        changes = z3.Or(*(taken if at == 0 else cycle == at for at in cycles))
        stays = {name: (after[name], view[name])}
        yield _owed(f"{name} stays", view, stays, (rests, z3.Not(changes)))


def states(files: Files) -> Iterator[Obligation]:
    """Each state becomes what is written to it, or empty, or stays; both reads show it before.

    For any contents and any combination of what is asked for in one cycle: clearing all goes
    before writing, and writing before clearing one.
    """
    module = rtl.load(STATES, {}, files)
    view = module.view(module.arbitrary("any"), {}, "now")
    after = module.view(view.next(), {}, "then")
    empty = word_of(SoftmaxState.empty(var("any", 1))).value
    for number in range(4):
        low = STATE_WIDTH * number
        old, new = (z3.Extract(low + STATE_WIDTH - 1, low, x["states_reg"]) for x in (view, after))
        clear = z3.And(view["clear"] == 1, view["clear_number"] == number)
        write = z3.And(view["write"] == 1, view["write_number"] == number)
        kept = z3.If(write, view["write_state"], z3.If(clear, empty, old))
        yield Obligation(f"state {number}", new == z3.If(view["clear_all"] == 1, empty, kept))
        for port in ("read", "stream"):
            chosen = (view[f"{port}_number"] == number,)
            yield Obligation(f"state {number}: {port}", view[f"{port}_state"] == old, chosen)


def _bit(value: int) -> Any:
    return z3.BitVecVal(value, 1)


def _twin(
    function: Callable[[Files], Iterator[Obligation]], mutation: Mutation, files: Files
) -> Iterator[Obligation]:
    with mutation.applied(files) as mutated:
        yield from function(mutated)


def _theorem(
    name: str, bounds: str, function: Any, sources: tuple[Any, ...], mutation: Mutation
) -> Theorem:
    return Theorem(
        name=name,
        statement=getdoc(function) or "",
        bounds=bounds,
        engine="z3 or bitwuzla",
        obligations=function,
        twin=partial(_twin, function, mutation),
        sources=sources,
    )


# Planted: the divisor does not leave a remainder that equals it; a NaN has the confidence of its
# key's bits; a key's division goes on; a write goes to the state that is read.
_STRICT = Mutation(KEY, "joined >= {1'b0, divisor_reg}", "joined > {1'b0, divisor_reg}")
_NO_NAN = Mutation(KEY, "out_key_reg == NAN_FIRST || ", "")
_GOES_ON = Mutation(KEY, "cycle_reg == PACK;", "cycle_reg == ADD_ONE;")
_WRONG_STATE = Mutation(STATES, "write_number == number", "read_number == number")

THEOREMS = (
    _theorem("softmax_key.key", "all states", key, FILES, _STRICT),
    _theorem("softmax_key.confidence", "all keys", confidence, FILES, _NO_NAN),
    _theorem("softmax_key.control", "all states", control, FILES, _GOES_ON),
    _theorem("softmax_states", "all contents", states, (STATES,), _WRONG_STATE),
)
