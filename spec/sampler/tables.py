"""What `softmax.lane_of` gives for each code, as tensors on a device."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
import torch

from unmask.spec.sampler.codes import SLICES, by_code
from unmask.spec.vectors import CODES


class Lanes(NamedTuple):
    """Lanes by the order keys of codes.

    Codes of one key have one lane: -0 has that of +0, and a NaN that of any other.
    """

    key: torch.Tensor  # (65536,) int32, by code: its order key
    top: torch.Tensor  # (65536,) int64, by key: the bin, 0 where it is not normal
    slices: torch.Tensor  # (65536, 3) int64, by key: what it adds to its bin and the two below


@cache
def by_key(device: torch.device) -> Lanes:
    """The same on a device, by key."""
    table = by_code()
    lanes = np.zeros((CODES, 1 + SLICES), np.int64)
    lanes[table[:, 0]] = table[:, 1:]
    key = table[:, 0].astype(np.int32)
    made = (torch.from_numpy(part.copy()).to(device) for part in (key, lanes[:, 0], lanes[:, 1:]))
    return Lanes(*made)
