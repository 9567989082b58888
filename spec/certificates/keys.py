"""The keys of rows, and what they say alone: the chosen set, and whether it is proven."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import torch
from numpy.typing import NDArray

from unmask.spec import numerics
from unmask.spec.sampler.end import finish
from unmask.spec.sampler.rows import row_states


def keys_of(rows: Sequence[NDArray[np.uint16]]) -> NDArray[np.int64]:
    """The key of each row of BF16 codes, NaN first; (rows,)."""
    if len(rows) == 0:
        return np.zeros(0, np.int64)
    logits = torch.from_numpy(np.stack(rows).view(np.int16)).view(torch.bfloat16)
    states, _ = row_states(logits.unsqueeze(0))
    return np.asarray(finish(states).key[0].numpy())


def value(key: int) -> tuple[Fraction, Fraction] | None:
    """What a key encodes, as both ends of an interval; None if it has no number."""
    number = numerics.value(key)
    return None if number is None else (number, number)


def interval(key: int, n: int) -> tuple[Fraction, Fraction] | None:
    """What a key of a row of n elements proves of delta (T3)."""
    number = numerics.value(key)
    if number is None:
        return None
    bound = numerics.bound(number, n)
    return max(number - bound, Fraction(0)), number + bound
