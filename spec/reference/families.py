"""Synthetic logits: one family for each way in which rows are hard to rank.

A draw gives one row, (V,) floats before they are rounded to BF16; the rows of a step are drawn from
one family, so that they lie as close together as those of one model do. No row holds NaN or
+infinity, and each has a finite logit.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from unmask.spec.formats import from_float

Draw = Callable[[np.random.Generator, int], NDArray[np.floating]]


def _peaked(rng: np.random.Generator, size: int) -> NDArray[np.floating]:
    """One logit far above the others: confidences from about a half to almost 1."""
    row = rng.normal(0, 2, size)
    row[rng.integers(size)] = 2 + np.log(size) + rng.uniform(0, 8)
    return row


def _zipf(rng: np.random.Generator, size: int) -> NDArray[np.floating]:
    """Logits that fall with the logarithm of their rank, as those of a language model do."""
    ranks = rng.permutation(size) + 1
    return rng.uniform(8, 12) - rng.uniform(1.2, 2) * np.log(ranks) + rng.normal(0, 0.5, size)


def _zipf_peak(rng: np.random.Generator, size: int) -> NDArray[np.floating]:
    """The same with a token that the model is more or less sure of."""
    row = _zipf(rng, size)
    row[rng.integers(size)] = row.max() + rng.uniform(0, 12)
    return row


def _close(rng: np.random.Generator, size: int) -> NDArray[np.floating]:
    """Two good tokens: confidences around a third, all alike."""
    row = rng.normal(0, 2, size)
    first, second = rng.choice(size, 2, replace=False)
    row[[first, second]] = 2.5 + np.log(size) + rng.uniform(0, 0.25, 2)
    return row


def _sure(rng: np.random.Generator, size: int) -> NDArray[np.floating]:
    """The end-of-sequence tail: margins of 20 to 40, so that 1 - confidence is 1e-4 to 1e-13."""
    row = rng.normal(0, 1.5, size)
    row[rng.integers(size)] = row.max() + rng.uniform(20, 40)
    return row


def _heavy(rng: np.random.Generator, size: int) -> NDArray[np.floating]:
    """Heavy tails: a few logits far out on both sides."""
    return np.clip(2 * rng.standard_t(4, size), -300, 300)


def _tied(rng: np.random.Generator, size: int) -> NDArray[np.floating]:
    """Multiples of 1/4, so that the greatest logit and many sums occur more than once."""
    return np.round(rng.normal(0, 3, size) * 4) / 4


def _banned(rng: np.random.Generator, size: int) -> NDArray[np.floating]:
    """Nine of ten tokens suppressed."""
    row = rng.normal(-4, 3, size)
    row[rng.random(size) < 0.9] = -np.inf
    row[rng.integers(size)] = 0
    return row


FAMILIES: dict[str, Draw] = {
    "gaussian": lambda rng, size: rng.normal(0, 3, size),
    "wide": lambda rng, size: rng.normal(0, 30, size),
    "peaked": _peaked,
    "Zipf": _zipf,
    "Zipf with a peak": _zipf_peak,
    "two close": _close,
    "sure": _sure,
    "heavy tails": _heavy,
    "tied": _tied,
    "banned": _banned,
    "flat": lambda rng, size: rng.normal(0, 0.05, size),
    "equal": lambda rng, size: np.full(size, rng.integers(-4, 5) / 2),
    "all negative": lambda rng, size: -8 - np.abs(rng.normal(0, 3, size)),
    "narrow negative": lambda rng, size: rng.normal(-20, 0.5, size),
}


def rows(family: str, vocabulary: int, count: int, seed: int = 0) -> NDArray[np.uint16]:
    """BF16 codes, shape (count, vocabulary); the same arguments give the same rows.

    Args:
        family: a key of `FAMILIES`.
        vocabulary: logits in a row.
        count: rows.
        seed: of the draws.
    """
    draw = FAMILIES[family]
    rng = np.random.default_rng([zlib.crc32(f"{family} {vocabulary}".encode()), seed])
    return np.array([from_float(draw(rng, vocabulary)) for _ in range(count)])
