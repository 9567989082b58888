"""Laws of max-with-index's `combine`, from which any tree and any number of beats follow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from inspect import getdoc
from typing import Any

import z3

from unmask.proofs.engine.obligation import Files, Obligation, Theorem
from unmask.proofs.spec.candidates import free, same
from unmask.spec.bits import Bits, mux
from unmask.spec.formats import NEG_INF, order_key
from unmask.spec.reductions import Candidate, MaxIndex
from unmask.spec.terms import const, var

Combine = Callable[[Candidate, Candidate], Candidate]


def associative(combine: Combine, files: Files) -> Iterator[Obligation]:
    """combine(combine(a, b), c) = combine(a, combine(b, c)), for all keys, codes and indices.

    By induction every tree that keeps the order of its leaves equals the fold, at any size, and a
    fold over beats equals the fold over all elements, at any length. No assumptions.
    """
    a, b, c = free("a"), free("b"), free("c")
    yield Obligation("associativity", same(combine(combine(a, b), c), combine(a, combine(b, c))))


def by_subtraction(first: Candidate, second: Candidate) -> Candidate:
    """Broken: compares keys by the sign of their 16-bit difference, which wraps around."""
    later = (first.key - second.key).extract(15, 15)
    return Candidate(*(mux(later, b, a) for a, b in zip(first, second, strict=True)))


def by_index(first: Candidate, second: Candidate) -> Candidate:
    """The order-free form: greater key, then lower index."""
    tie = first.key.eq(second.key) & second.index.ult(first.index)
    return _select(first.key.ult(second.key) | tie, first, second)


def by_late_index(first: Candidate, second: Candidate) -> Candidate:
    """Broken: of equal keys the higher index wins."""
    tie = first.key.eq(second.key) & first.index.ult(second.index)
    return _select(first.key.ult(second.key) | tie, first, second)


def _select(second_wins: Bits, first: Candidate, second: Candidate) -> Candidate:
    return Candidate(*(mux(second_wins, b, a) for a, b in zip(first, second, strict=True)))


def index_form(combine: Combine, files: Files) -> Iterator[Obligation]:
    """Greater key, then lower index, is associative, commutative, and is `combine` in order.

    So hardware may combine elements in any order whatsoever (prefix networks, shards) if it
    compares indices on ties. Commutativity assumes that candidates of equal index are the same
    element; equality with `combine` assumes that the first index is the lower one.
    """
    a, b, c = free("a"), free("b"), free("c")
    yield Obligation("associativity", same(combine(combine(a, b), c), combine(a, combine(b, c))))
    one_element = z3.Implies(a.index.value == b.index.value, same(a, b))
    yield Obligation("commutativity", same(combine(a, b), combine(b, a)), (one_element,))
    in_order = z3.ULT(a.index.value, b.index.value)
    yield Obligation("equals combine", same(combine(a, b), MaxIndex.combine(a, b)), (in_order,))


def identity(empty: Candidate, files: Files) -> Iterator[Obligation]:
    """`empty` is an identity: on the right of anything, on the left of any element that exists.

    For all codes and indices; on the left with the element's key made by `order_key`.
    """
    a = free("a")
    yield Obligation("right identity", same(MaxIndex.combine(a, empty), a))
    element = MaxIndex.lane(var("code", 16), var("index", 32))
    yield Obligation("left identity", same(MaxIndex.combine(empty, element), element))
    off = MaxIndex.lane(var("code", 16), var("index", 32), var("inactive", 1))
    inactive: Any = off.key.const(1, 0).value == var("inactive", 1).value
    yield Obligation("an inactive lane", same(MaxIndex.combine(a, off), a), (inactive,))


def _empty_at(code: int) -> Candidate:
    return MaxIndex.empty(const(1, 0))._replace(key=order_key(const(16, code)))


THEOREMS = (
    Theorem(
        name="spec.max_index.associative",
        statement=getdoc(associative) or "",
        bounds="any size",
        engine="z3, bitwuzla",
        obligations=partial(associative, MaxIndex.combine),
        twin=partial(associative, by_subtraction),
        confirm=True,
    ),
    Theorem(
        name="spec.max_index.index_form",
        statement=getdoc(index_form) or "",
        bounds="any size",
        engine="z3, bitwuzla",
        obligations=partial(index_form, by_index),
        twin=partial(index_form, by_late_index),
        confirm=True,
    ),
    Theorem(
        name="spec.max_index.identity",
        statement=getdoc(identity) or "",
        bounds="all codes",
        engine="z3, bitwuzla",
        obligations=partial(identity, MaxIndex.empty(const(1, 0))),
        twin=partial(identity, _empty_at(NEG_INF)),
        confirm=True,
    ),
)
