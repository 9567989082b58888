"""torch.argmax as the oracle of V_RED_MAX_IDX.

PyTorch (aten/native/ReduceOps, `argmax`, CPU): the first index of the greatest element; NaN is
greater than everything and the first NaN wins; -0 and +0 are equal. `tests/reference` checks these
rules against PyTorch itself.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray


def tensor(codes: NDArray[np.uint16]) -> torch.Tensor:
    """BF16 bit patterns (any shape, uint16) as a `torch.bfloat16` tensor, bit for bit."""
    signed = np.ascontiguousarray(codes, dtype=np.uint16).view(np.int16)
    return torch.from_numpy(signed.copy()).view(torch.bfloat16)


def argmax(codes: NDArray[np.uint16]) -> NDArray[np.int64]:
    """The argmax over the last axis of BF16 bit patterns, by `torch.argmax`; int64."""
    return torch.argmax(tensor(codes), dim=-1).numpy()
