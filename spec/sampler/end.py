"""The end of rows: what is read from their packed states."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from unmask.spec.bits import Bits, arrays
from unmask.spec.reductions import every
from unmask.spec.sampler.rows import unpack
from unmask.spec.softmax import SoftmaxState, confidence, key32, status
from unmask.spec.tensors import tensors


class End(NamedTuple):
    """Of rows, all of one shape.

    Attributes:
        token: int64, the first greatest logit; 2**32 - 1 where there is none.
        key: int64, `softmax.key32`.
        confidence: bfloat16, `softmax.confidence` of the key.
        status: int64, STATUS_ bits of `softmax`.
    """

    token: torch.Tensor
    key: torch.Tensor
    confidence: torch.Tensor
    status: torch.Tensor


def finish(packed: torch.Tensor, nan_last: bool = False) -> End:
    """What packed states (..., 10) of whole rows say.

    Hundreds of small operations: on a CPU numpy's are faster than PyTorch's.
    """
    state, last = unpack(packed), tensors(1, int(nan_last))
    if packed.device.type == "cpu":
        columns = iter(np.moveaxis(packed.detach().numpy(), -1, 0).copy())
        last = arrays(1, int(nan_last))
        state = every(lambda part: part.like(next(columns)), SoftmaxState.empty(last))
    key = key32(state, last)
    words = [_tensor(part) for part in (state.index, key, confidence(key), status(state))]
    words[2] = words[2].to(torch.int16).view(torch.bfloat16)
    return End(*words)


def _tensor(value: Bits) -> torch.Tensor:
    return torch.as_tensor(value.value)
