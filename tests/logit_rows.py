"""Synthetic logit rows of a dLLM's vocabulary, one family for each way that rows are hard."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from unmask.spec.formats import NEG_INF, from_float

Draw = Callable[[np.random.Generator, int], NDArray[np.floating]]


def _peaked(rng: np.random.Generator, size: int) -> NDArray[np.floating]:
    row = rng.normal(0, 2, size) - np.log(np.arange(1, size + 1))
    row[rng.integers(size)] += 25
    return row


def _banned(rng: np.random.Generator, size: int) -> NDArray[np.floating]:
    row = rng.normal(-4, 3, size)
    row[rng.random(size) < 0.9] = -np.inf
    return row


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
    "gaussian": lambda rng, size: rng.normal(0, 3, size),
    "peaked": _peaked,
    "all negative": lambda rng, size: -np.abs(rng.normal(8, 3, size)),
    "tied": lambda rng, size: rng.integers(-3, 4, size).astype(float),
    "flat zeros": lambda rng, size: np.where(rng.random(size) < 0.5, -0.0, 0.0),
    "banned": _banned,
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
