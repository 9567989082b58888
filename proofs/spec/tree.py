"""A tree of `combine` is the fold, at concrete sizes; associativity lifts it to every size."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from inspect import getdoc

from unmask.proofs.engine.obligation import Files, Obligation, Theorem
from unmask.proofs.spec.candidates import free, same
from unmask.spec.reductions import Candidate, MaxIndex, fold, tree

Shape = Callable[[list[Candidate]], Candidate]


def tree_is_fold(shape: Shape, sizes: tuple[int, ...], files: Files) -> Iterator[Obligation]:
    """combine(start, tree of n candidates) = fold of the n candidates from start.

    For all keys, codes and indices of the candidates, and any start. No assumptions.
    """
    start = free("start")
    for size in sizes:
        lanes = [free(f"lane{lane}") for lane in range(size)]
        goal = same(MaxIndex.combine(start, shape(lanes)), fold(lanes, start))
        yield Obligation(f"{size} lanes", goal)


def swapped_tree(lanes: list[Candidate]) -> Candidate:
    """Broken: the two halves meet in the wrong order at the root, so a late tie wins."""
    half = len(lanes) // 2
    return MaxIndex.combine(tree(lanes[half:]), tree(lanes[:half]))


THEOREMS = (
    Theorem(
        name="spec.max_index.tree",
        statement=getdoc(tree_is_fold) or "",
        bounds="2, 4, 8 lanes",
        engine="z3, bitwuzla",
        obligations=partial(tree_is_fold, tree, (2, 4, 8)),
        twin=partial(tree_is_fold, swapped_tree, (2, 4, 8)),
        confirm=True,
    ),
    Theorem(
        name="spec.max_index.tree_16",
        statement=getdoc(tree_is_fold) or "",
        bounds="16 lanes",
        engine="z3 or bitwuzla",
        obligations=partial(tree_is_fold, tree, (16,)),
        twin=partial(tree_is_fold, swapped_tree, (16,)),
    ),
)
