"""Reductions: four functions each, and one fold for each machine.

A reduction is `lane` (an element and its index to a partial result), `combine` (two neighbours,
the earlier one first), `empty` (the identity) and `finalise`. Since `combine` is associative (a
theorem in `proofs/spec`), any tree that keeps the order gives the same result: a loop over
Python integers or terms, pairwise halving over arrays, the pipelined tree in hardware.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np

from unmask.spec.bits import Bits, Ints, mux
from unmask.spec.formats import EMPTY_KEY, order_key

INDEX_WIDTH = 32
T = TypeVar("T")  # a partial result: a named tuple of values, or of tuples of them


class Candidate(NamedTuple):
    """A greatest element so far: its order key, its BF16 code and its index."""

    key: Bits
    code: Bits
    index: Bits  # type: ignore[assignment]  # hides tuple.index, which nobody needs


class MaxIndex:
    """First greatest element: NaN above all, -0 equal to +0, the earlier of equals wins."""

    @staticmethod
    def lane(code: Bits, index: Bits, active: Bits | None = None) -> Candidate:
        """The candidate of one element; an inactive lane (`active` 0) can never win."""
        key = order_key(code)
        if active is not None:
            key = mux(active, key, EMPTY_KEY)
        return Candidate(key, code, index)

    @staticmethod
    def combine(first: Candidate, second: Candidate) -> Candidate:
        """The later one only if it is strictly greater."""
        later = first.key.ult(second.key)
        return Candidate(*(mux(later, b, a) for a, b in zip(first, second, strict=True)))

    @staticmethod
    def empty(like: Bits) -> Candidate:
        """The identity of `combine` (on the right; on the left of any element that exists)."""
        return Candidate(like.const(16, EMPTY_KEY), like.const(16, 0), like.const(INDEX_WIDTH, 0))


def fold(candidates: Iterable[T], start: T, reduction: Any = MaxIndex) -> T:
    """`start`, then each candidate in order: the definition that everything else must equal."""
    best = start
    for candidate in candidates:
        best = reduction.combine(best, candidate)
    return best


def tree(candidates: list[T], reduction: Any = MaxIndex) -> T:
    """A balanced tree over a power of two of candidates, in order: the shape of the hardware."""
    while len(candidates) > 1:
        pairs = zip(candidates[::2], candidates[1::2], strict=True)
        candidates = [reduction.combine(a, b) for a, b in pairs]
    return candidates[0]


def halve(lanes: T, reduction: Any = MaxIndex) -> T:
    """Reduce arrays of n >= 1 lanes to one lane by combining neighbours, log2 n times."""
    shape = np.broadcast_shapes(*(np.shape(x.value) for x in parts(lanes)))
    # A part that is the same in all lanes may come as a scalar.
    lanes = every(lambda x: x.like(np.broadcast_to(x.value, shape)), lanes)
    n = shape[0]
    while n > 1:
        even = n & ~1
        head = reduction.combine(_stride(lanes, 0, even), _stride(lanes, 1, even))
        # The last one, without a partner, keeps its place at the end.
        lanes = head if n == even else every(_join, head, _stride(lanes, even, n))
        n = (n + 1) // 2
    return lanes


def every(function: Callable[..., Bits], *partials: T) -> T:
    """A partial result made of `function` of the corresponding parts of others."""
    first: Any = partials[0]
    if isinstance(first, Bits):
        return cast(T, function(*partials))
    made = [every(function, *group) for group in zip(*cast(Any, partials), strict=True)]
    return cast(T, tuple(made) if type(first) is tuple else type(first)(*made))


def choose(condition: Bits, yes: T, no: T) -> T:
    """`yes` where `condition` (width 1) is 1, else `no`, in each of their parts."""
    if condition.algebra is Ints:  # one test for all parts: folds over integers live on this
        return yes if condition.value else no
    return every(lambda x, y: mux(condition, x, y), yes, no)


def parts(partial: Any) -> Iterator[Bits]:
    """All values of a partial result, in order."""
    if isinstance(partial, Bits):
        yield partial
    else:
        for part in partial:
            yield from parts(part)


def _stride(lanes: T, begin: int, end: int) -> T:
    return every(lambda x: x.like(x.value[begin:end:2]), lanes)


def _join(a: Bits, b: Bits) -> Bits:
    return a.like(np.concatenate([a.value, b.value]))
