"""Reductions: four functions each, and one fold for each machine.

A reduction is `lane` (an element and its index to a partial result), `combine` (two neighbours,
the earlier one first), `empty` (the identity) and `finalise`. Since `combine` is associative (a
theorem in `proofs/spec`), any tree that keeps the order gives the same result: a loop over
Python integers or terms, pairwise halving over arrays, the pipelined tree in hardware.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from unmask.spec.bits import Bits, mux
from unmask.spec.formats import EMPTY_KEY, order_key

INDEX_WIDTH = 32


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


def fold(candidates: Iterable[Candidate], start: Candidate) -> Candidate:
    """`start`, then each candidate in order: the definition that everything else must equal."""
    best = start
    for candidate in candidates:
        best = MaxIndex.combine(best, candidate)
    return best


def tree(candidates: list[Candidate]) -> Candidate:
    """A balanced tree over a power of two of candidates, in order: the shape of the hardware."""
    while len(candidates) > 1:
        pairs = zip(candidates[::2], candidates[1::2], strict=True)
        candidates = [MaxIndex.combine(a, b) for a, b in pairs]
    return candidates[0]


def halve(lanes: Candidate) -> Candidate:
    """Reduce arrays of n >= 1 lanes to one lane by combining neighbours, log2 n times."""
    while (n := np.size(lanes.key.value)) > 1:
        even = n & ~1
        head = MaxIndex.combine(_stride(lanes, 0, even), _stride(lanes, 1, even))
        if n == even:
            lanes = head
        else:  # the last one, without a partner, keeps its place at the end
            tail = _stride(lanes, even, n)
            lanes = Candidate(*(_join(a, b) for a, b in zip(head, tail, strict=True)))
    return lanes


def _stride(lanes: Candidate, begin: int, end: int) -> Candidate:
    return Candidate(*(x.like(x.value[begin:end:2]) for x in lanes))


def _join(a: Bits, b: Bits) -> Bits:
    return a.like(np.concatenate([a.value, b.value]))
