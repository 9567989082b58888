"""What `softmax.lane_of` gives for each of the 65,536 codes, as tables."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from unmask.spec.bits import arrays
from unmask.spec.softmax import lane_of
from unmask.spec.vectors import CODES, WHOLE

SLICES = 3  # of a lane: its other slots are 0


class Lanes(NamedTuple):
    """Lanes by the order keys of codes.

    Codes of one key have one lane: -0 has that of +0, and a NaN that of any other.
    """

    key: torch.Tensor  # (65536,) int32, by code: its order key
    top: torch.Tensor  # (65536,) int64, by key: the bin, 0 where it is not normal
    slices: torch.Tensor  # (65536, 3) int64, by key: what it adds to its bin and the two below


@cache
def by_code() -> NDArray[np.int64]:
    """Key, bin and slices of each code, (65536, 5)."""
    lane = WHOLE.table(lane_of, arrays(16, np.arange(CODES)))
    parts = (lane.key, lane.top, *lane.slots[:SLICES])
    return np.ascontiguousarray(np.stack([part.value for part in parts], axis=1))


@cache
def by_key(device: torch.device) -> Lanes:
    """The same on a device, by key."""
    table = by_code()
    lanes = np.zeros((CODES, 1 + SLICES), np.int64)
    lanes[table[:, 0]] = table[:, 1:]
    key = table[:, 0].astype(np.int32)
    made = (torch.from_numpy(part.copy()).to(device) for part in (key, lanes[:, 0], lanes[:, 1:]))
    return Lanes(*made)
