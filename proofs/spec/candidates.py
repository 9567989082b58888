"""Free candidates and their equality: the vocabulary of theorems about max-with-index."""

from __future__ import annotations

from typing import Any

import z3

from unmask.spec.reductions import INDEX_WIDTH, Candidate
from unmask.spec.terms import var


def free(name: str) -> Candidate:
    """Any key, code and index at all, related or not."""
    return Candidate(
        var(f"{name}.key", 16), var(f"{name}.code", 16), var(f"{name}.index", INDEX_WIDTH)
    )


def same(a: Candidate, b: Candidate) -> Any:
    """All three parts equal."""
    return z3.And(*(x.value == y.value for x, y in zip(a, b, strict=True)))
