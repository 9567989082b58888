"""Obligations that are one and the same but for the names of their variables are proven once.

Many scenarios of a pipelined unit end in the same formula over other variables. Renaming is
injective, so it keeps satisfiability; premises over other variables than the goal's are left out,
which only makes the goal harder to prove.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import z3


def variables(term: Any) -> list[Any]:
    """The free variables of a term, in the order of a fixed walk over its structure."""
    seen, found, stack = set(), [], [term]
    while stack:
        node = stack.pop()
        if node.get_id() in seen:
            continue
        seen.add(node.get_id())
        if z3.is_const(node) and node.decl().kind() == z3.Z3_OP_UNINTERPRETED:
            found.append(node)
        stack.extend(node.children())
    return found


def touching(premises: Iterable[Any], goal: Any) -> tuple[Any, ...]:
    """The premises that share a variable with the goal, directly or through other premises."""
    left = [(premise, {x.get_id() for x in variables(premise)}) for premise in premises]
    reached = {x.get_id() for x in variables(goal)}
    kept: list[Any] = []
    while True:
        near = [(premise, ids) for premise, ids in left if ids & reached]
        if not near:
            return tuple(kept)
        left = [(premise, ids) for premise, ids in left if not ids & reached]
        kept += (premise for premise, _ in near)
        reached = reached.union(*(ids for _, ids in near))


class Proven:
    """Which formulas were asked already, up to renaming."""

    def __init__(self) -> None:
        self._asked: dict[int, Any] = {}  # keeps the terms alive, so their identities stay

    def is_new(self, facts: Iterable[Any]) -> bool:
        """Whether the conjunction of `facts` was not asked before; remembers it."""
        whole = z3.And(*facts)
        names = [(x, z3.Const(f"v{place}", x.sort())) for place, x in enumerate(variables(whole))]
        canonical = z3.simplify(z3.substitute(whole, *names)) if names else whole
        if canonical.get_id() in self._asked:
            return False
        self._asked[canonical.get_id()] = canonical
        return True
