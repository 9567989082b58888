"""Logit rows for simulations and tests: some of the synthetic families, and rows of odd values."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unmask.spec.formats import NEG_INF, from_float
from unmask.spec.reference.families import FAMILIES as SYNTHETIC
from unmask.spec.reference.families import Draw


def _with_nan(rng: np.random.Generator, size: int) -> NDArray[np.floating]:
    row = rng.normal(0, 3, size)
    row[rng.integers(size // 2, size, 2)] = np.nan
    row[rng.integers(size)] = np.inf
    return row


def _last(rng: np.random.Generator, size: int) -> NDArray[np.floating]:
    row = rng.normal(0, 1, size)
    row[-1] = 50
    return row


FAMILIES: dict[str, Draw] = {
    **{name: SYNTHETIC[name] for name in ("gaussian", "peaked", "all negative", "tied", "banned")},
    "flat zeros": lambda rng, size: np.where(rng.random(size) < 0.5, -0.0, 0.0),
    "NaN and infinity": _with_nan,
    "greatest in the tail": _last,
    "all -infinity": lambda rng, size: np.full(size, -np.inf),
}


def logit_row(family: str, vocabulary: int, seed: int) -> NDArray[np.uint16]:
    """A row of BF16 codes, shape (vocabulary,).

    Args:
        family: a key of `FAMILIES`.
        vocabulary: number of logits.
        seed: the same seed gives the same row.
    """
    row = from_float(FAMILIES[family](np.random.default_rng(seed), vocabulary))
    assert family != "all -infinity" or (row == NEG_INF).all()
    return row
