"""Laws of the softmax state's `combine`: a row's state is a function of its multiset of elements.

They hold for *canonical* states (`canonical`): lanes are canonical, and so is what `combine` makes
of canonical states (closure). A bin depends on the key alone and rises with it: `related`. With
identity, commutativity and associativity every fold, tree, chunking and sharding of the same
elements, in any order, gives the same state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from inspect import getdoc
from typing import Any

import numpy as np
import z3

from unmask.proofs.engine.obligation import Enumeration, Files, Obligation, Theorem
from unmask.proofs.numerics.key_code import arithmetic
from unmask.spec.bits import Bits, arrays
from unmask.spec.formats import describe
from unmask.spec.reductions import INDEX_WIDTH, choose, parts
from unmask.spec.softmax import (
    BIG_MAGNITUDE,
    BIN_WIDTH,
    COUNT_WIDTH,
    KEY_NAN,
    MOST_ELEMENTS,
    SLOT_WIDTH,
    SLOTS,
    SoftmaxState,
    State,
    lane_of,
)
from unmask.spec.terms import const, var
from unmask.spec.vectors import WHOLE

Combine = Callable[[State, State], State]
LEAST_NORMAL, MOST_NORMAL = 0xFFFF - (0x8000 + BIG_MAGNITUDE - 1), 0x8000 + BIG_MAGNITUDE - 1
LARGEST_SLICE = 0xFFFF
ZERO = const(SLOT_WIDTH, 0)
NO_SLOTS = (ZERO,) * SLOTS


def free(name: str) -> State:
    """Any state at all, canonical or not."""
    return State(
        var(f"{name}.key", 16),
        var(f"{name}.index", INDEX_WIDTH),
        var(f"{name}.top", BIN_WIDTH),
        tuple(var(f"{name}.slot{j}", SLOT_WIDTH) for j in range(SLOTS)),
        var(f"{name}.count", COUNT_WIDTH),
        var(f"{name}.flags", 2),
    )


def same(a: Any, b: Any) -> Any:
    """All parts equal."""
    return z3.And(*(x.value == y.value for x, y in zip(parts(a), parts(b), strict=True)))


def is_normal(state: State) -> Any:
    key = state.key.value
    return z3.And(z3.UGE(key, LEAST_NORMAL), z3.ULE(key, MOST_NORMAL))


def canonical(state: State) -> dict[str, Any]:
    """What holds for the state of any part of a row, by name."""
    key, count = state.key.value, state.count.value
    empty, nan = key == 0, key == KEY_NAN
    zero = [slot.value == 0 for slot in state.slots]
    normal = is_normal(state)
    return {
        "top": z3.If(normal, z3.UGE(state.top.value, SLOTS), state.top.value == 0),
        "big": z3.Implies(z3.Not(normal), z3.And(*zero[1:])),
        "nan": z3.Implies(z3.Or(nan, empty), zero[0]),
        "empty": z3.Implies(
            empty,
            z3.And(state.index.value == (1 << INDEX_WIDTH) - 1, count == 0, state.flags.value == 0),
        ),
    }


def related(a: State, b: State) -> Any:
    """Bins are a nondecreasing function of normal keys, and equal for any equal keys."""
    key, other, top, top_other = a.key.value, b.key.value, a.top.value, b.top.value
    normal = z3.And(is_normal(a), is_normal(b))
    return z3.And(
        z3.Implies(key == other, top == top_other),
        z3.Implies(z3.And(normal, z3.ULT(key, other)), z3.ULE(top, top_other)),
        z3.Implies(z3.And(normal, z3.ULT(other, key)), z3.ULE(top_other, top)),
    )


def premises(*states: State) -> tuple[Any, ...]:
    """All states canonical, and related in pairs."""
    facts = [fact for state in states for fact in canonical(state).values()]
    pairs = [(a, b) for at, a in enumerate(states) for b in states[at + 1 :]]
    return (*facts, *(related(a, b) for a, b in pairs))


def identity(empty: State, files: Files) -> Iterator[Obligation]:
    """`empty` is the identity of `combine` on both sides, and an inactive lane is it.

    For all canonical states, and all codes, indices and flags of the lane.
    """
    a = free("a")
    facts = premises(a, empty)
    yield Obligation("right", same(SoftmaxState.combine(a, empty), a), facts)
    yield Obligation("left", same(SoftmaxState.combine(empty, a), a), facts)
    off = SoftmaxState.lane(var("code", 16), var("index", 32), const(1, 0), var("flags", 2))
    yield Obligation("an inactive lane", same(off, empty))


def minus_infinity() -> State:
    """Broken: starts from -infinity at index 0, as a running maximum would."""
    return SoftmaxState.empty(const(1, 0))._replace(key=const(16, 0x7F), index=const(32, 0))


def commutative(combine: Combine, files: Files) -> Iterator[Obligation]:
    """combine(a, b) = combine(b, a), for all canonical states, whatever their indices."""
    a, b = free("a"), free("b")
    got, other = combine(a, b), combine(b, a)
    facts = premises(a, b)
    for place, name in enumerate(State._fields):
        yield Obligation(name, same(got[place], other[place]), facts)


def earlier_first(a: State, b: State) -> State:
    """Broken: of equal maxima the first operand wins, whatever its index."""
    ordered = combined(a, b)
    return ordered._replace(index=choose(a.key.ult(b.key), b.index, a.index))


def closure(combine: Combine, files: Files) -> Iterator[Obligation | Enumeration]:
    """Lanes are canonical, and so is what `combine` makes of canonical states.

    And no slot exceeds 65,535 * count, so 34 bits hold the sums of 2**18 elements: what an operand
    gives to a slot is one of its own slots or 0, and the two add up (spec.softmax.associative).
    Lanes: all 65,536 codes, bins related in order of keys. `combine`: all canonical states; key
    and bin of the result are one of the operands'.
    """
    a, b = free("a"), free("b")
    got = combine(a, b)
    facts = premises(a, b)
    for name, fact in canonical(got).items():
        yield Obligation(name, fact, facts)
    keys_and_tops = [
        z3.And(got.key.value == x.key.value, got.top.value == x.top.value) for x in (a, b)
    ]
    yield Obligation("key and bin", z3.Or(*keys_and_tops), facts)
    none_a, none_b = a._replace(slots=NO_SLOTS), b._replace(slots=NO_SLOTS)
    for name, own, given in (("a", a, combine(a, none_b)), ("b", b, combine(none_a, b))):
        for j, slot in enumerate(given.slots):
            goal = z3.Or(*(slot.value == x.value for x in (ZERO, *own.slots)))
            yield Obligation(f"slot {j}: what {name} gives", goal, facts)
    s, t, m, n = z3.Ints("s t m n")  # slots of m and n elements
    bounded = (s <= LARGEST_SLICE * m, t <= LARGEST_SLICE * n, m + n <= MOST_ELEMENTS)
    fits = z3.And(s + t <= LARGEST_SLICE * (m + n), s + t < 1 << SLOT_WIDTH)
    yield arithmetic("sums", fits, *bounded)
    lanes = WHOLE.table(lane_of, arrays(16, np.arange(1 << 16)))
    yield Enumeration("lanes", 1 << 16, partial(_uncanonical, lanes))


def _uncanonical(lanes: State) -> str | None:
    """The first code whose lane is not canonical or not related to the next lower key's."""
    key, top = lanes.key.value, lanes.top.value
    slots = np.stack([slot.value for slot in lanes.slots])
    normal = (key >= LEAST_NORMAL) & (key <= MOST_NORMAL)
    good = np.where(normal, top >= SLOTS, top == 0) & (key != 0)
    good &= normal | (slots[1:] == 0).all(axis=0)
    good &= (key != KEY_NAN) | (slots[0] == 0)
    good &= (slots <= LARGEST_SLICE).all(axis=0) & (lanes.count.value == 1)
    order = np.argsort(key, kind="stable")
    rising = np.where(np.diff(key[order]) == 0, np.diff(top[order]) == 0, np.diff(top[order]) >= 0)
    both = normal[order][1:] & normal[order][:-1]
    good[order[1:]] &= rising | ~both & (np.diff(key[order]) != 0)
    return None if good.all() else f"the lane of {describe(int((~good).argmax()))}"


def keeps_big(a: State, b: State) -> State:
    """Broken: the count of a big maximum stays when a NaN or a greater one replaces it."""
    alone = SoftmaxState.combine(a, b)
    both_big = a.top.eq(0) & b.top.eq(0)
    slot = choose(both_big, a.slots[0] + b.slots[0], alone.slots[0])
    return alone._replace(slots=(slot, *alone.slots[1:]))


def associative(combine: Combine, files: Files) -> Iterator[Obligation]:
    """combine(combine(a, b), c) = combine(a, combine(b, c)), for all canonical states.

    Slots by superposition. What happens to them depends on keys, indices and bins only, and is
    additive: the slots of combine(a, b) are those with b's slots 0 plus those with a's slots 0, and
    each of these parts of a sum is the sum of the parts. So both sides are sums of three parts,
    each with the slots of only one of a, b, c, and it suffices that those parts are equal.
    """
    a, b, c = free("a"), free("b"), free("c")
    facts = premises(a, b, c)
    left, right = combine(combine(a, b), c), combine(a, combine(b, c))
    for place, name in enumerate(State._fields):
        if name != "slots":
            yield Obligation(name, same(left[place], right[place]), facts)
    for alone in range(3):
        x, y, z = (
            state if at == alone else state._replace(slots=NO_SLOTS)
            for at, state in enumerate((a, b, c))
        )
        left, right = combine(combine(x, y), z), combine(x, combine(y, z))
        for j in range(SLOTS):
            goal = left.slots[j].value == right.slots[j].value
            yield Obligation(f"slot {j} of {'abc'[alone]} alone", goal, facts)
    yield from _additive(combine, a, b)


def _additive(combine: Combine, a: State, b: State) -> Iterator[Obligation]:
    """Slots of `combine` are a sum of what each operand gives, and that is additive; any states."""
    none_a, none_b = a._replace(slots=NO_SLOTS), b._replace(slots=NO_SLOTS)
    of_a, of_b = combine(a, none_b).slots, combine(none_a, b).slots
    more = free("more").slots
    more_a = combine(a._replace(slots=more), none_b).slots
    more_b = combine(none_a, b._replace(slots=more)).slots
    sum_a = combine(a._replace(slots=_add(a.slots, more)), none_b).slots
    sum_b = combine(none_a, b._replace(slots=_add(b.slots, more))).slots
    yield Obligation("operands apart", same(combine(a, b).slots, _add(of_a, of_b)))
    yield Obligation("sums of the first", same(sum_a, _add(of_a, more_a)))
    yield Obligation("sums of the second", same(sum_b, _add(of_b, more_b)))


def _add(x: tuple[Bits, ...], y: tuple[Bits, ...]) -> tuple[Bits, ...]:
    return tuple(p + q for p, q in zip(x, y, strict=True))


def aliased(a: State, b: State) -> State:
    """Broken: bins are compared modulo 8, so that distant ones look near."""
    near = [x._replace(top=x.top & 7) for x in (a, b)]
    return SoftmaxState.combine(*near)._replace(top=SoftmaxState.combine(a, b).top)


combined = SoftmaxState.combine


def _theorem(
    name: str, bounds: str, function: Callable[..., Any], real: Any, broken: Any
) -> Theorem:
    return Theorem(
        name=f"spec.softmax.{name}",
        statement=getdoc(function) or "",
        bounds=bounds,
        engine="z3 or bitwuzla",
        obligations=partial(function, real),
        twin=partial(function, broken),
    )


_EMPTY = SoftmaxState.empty(const(1, 0))
THEOREMS = (
    _theorem("identity", "all states", identity, _EMPTY, minus_infinity()),
    _theorem("commutative", "all states", commutative, combined, earlier_first),
    _theorem("closure", "2^18 elements", closure, combined, keeps_big),
    _theorem("associative", "any size", associative, combined, aliased),
)
