"""The proof engine's own corners: what it leaves out of a question, and what it may ask."""

import z3

from unmask.proofs.engine import second
from unmask.proofs.engine.alike import Proven, touching

A, B, C, D, E = (z3.BitVec(name, 8) for name in "abcde")


def test_premises_are_kept_along_any_chain():
    """Two premises that meet the goal at once must not cut off a third that only they reach."""
    premises = (A == B, B == C, A == D, D == E, C == E)
    assert set(touching(premises, A == 1)) == set(premises)
    assert touching((B == C, D == E), A == 1) == ()
    assert touching((B == C, D == E), C == 1) == (B == C,)


def test_formulas_alike_are_asked_once():
    proven = Proven()
    assert proven.is_new([A == B, B == 1])
    assert not proven.is_new([C == D, D == 1])
    assert proven.is_new([C == D, C == 2])


def test_what_the_second_solver_cannot_read_is_unknown():
    assert second.check([A == 1, A == 2], 5) == "unsat"
    assert second.check([z3.Or(A == 1)], 5) in ("sat", "unknown")
