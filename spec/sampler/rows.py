"""Rows of logits to softmax states, packed in one int64 tensor.

A state depends on nothing but how often each code occurs and where a maximum is first. So a row is
counted instead of folded: what each code adds, times its count, lands at its absolute bins, and
slot j is what lies j bins below the maximum's.

A packed state is int64 (..., 10): the parts of `softmax.State` in order.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from unmask.spec.reductions import every, parts
from unmask.spec.sampler.codes import SLICES
from unmask.spec.sampler.rounding import inexact, to_bfloat16
from unmask.spec.sampler.tables import by_key
from unmask.spec.softmax import BIN_WIDTH, SLOTS, SoftmaxState, State
from unmask.spec.tensors import tensors
from unmask.spec.vectors import CODES

EMPTY = SoftmaxState.empty(tensors(1, 0))
PARTS = len(list(parts(EMPTY)))
COUNTING = find_spec("numba") is not None
# Extra memory is at most a sixth of the logits, or what one row needs. On tensors a row needs two
# int32 for each logit, and for each code a count (int32) and what it adds to a bin (int64).
SHARE, PER_LOGIT, PER_CODE = 6, 8, 12


class Patch(NamedTuple):
    """Logits that count as others, by row."""

    places: torch.Tensor  # (B, L, P) int64: their token ids
    values: torch.Tensor  # (B, L, P) BF16: what stands there instead


def banned(logits: torch.Tensor, ids: Sequence[int]) -> Patch:
    """The patch of logits (B, L, V) after which these ids are -infinity in each row."""
    places = torch.tensor(ids, device=logits.device).expand(*logits.shape[:2], len(ids))
    return Patch(places, torch.full_like(places, -torch.inf, dtype=torch.bfloat16))


def pack(state: State) -> torch.Tensor:
    """A state of tensors as one tensor (..., 10)."""
    return torch.stack([part.value for part in parts(state)], dim=-1)


def unpack(packed: torch.Tensor) -> State:
    """The state in a packed one, of tensors (...)."""
    columns = iter(packed.unbind(-1))
    return every(lambda part: part.like(next(columns)), EMPTY)


def row_states(
    logits: torch.Tensor, patch: Patch | None = None, compiled: bool = COUNTING
) -> tuple[torch.Tensor, torch.Tensor]:
    """The state of every row, on its device; nothing waits for a GPU.

    Args:
        logits: (B, L, V) of a floating dtype, V from 1 to 2**18; rounded to BF16.
        patch: applied to what was rounded.
        compiled: whether rows on a CPU are counted by `counting`.

    Returns:
        Packed states (B, L, 10), and how many logits of each row BF16 does not hold, (B, L) int64.
    """
    logits = logits.detach()
    count = torch.zeros(logits.shape[:2], dtype=torch.int64, device=logits.device)
    packed = torch.empty((*count.shape, PARTS), dtype=torch.int64, device=logits.device)
    room = logits.numel() * logits.element_size() // SHARE
    if compiled and logits.device.type == "cpu":
        _on_cpu(logits, patch, room, packed, count)
        return packed, count
    size = max(1, room // (PER_LOGIT * logits.shape[2] + PER_CODE * CODES))
    for batch in range(logits.shape[0]):
        for begin in range(0, logits.shape[1], size):
            at = (batch, slice(begin, begin + size))
            packed[at] = _states(_rounded(logits, patch, at, count))
    return packed, count


def _rounded(
    logits: torch.Tensor,
    patch: Patch | None,
    at: tuple[int, int | slice],
    count: torch.Tensor,
) -> torch.Tensor:
    """One row or some of them in BF16, patched; counts what was not exact."""
    rows = logits[at]
    values = rows.contiguous()
    if rows.dtype != torch.bfloat16:
        values = to_bfloat16(rows)
        count[at] = inexact(rows, values)
    if patch is None:
        return values
    return values.scatter(-1, patch.places[at], patch.values[at])


def _on_cpu(
    logits: torch.Tensor, patch: Patch | None, room: int, packed: torch.Tensor, count: torch.Tensor
) -> None:
    from unmask.spec.sampler import counting

    length = logits.shape[1]
    plain = None
    if logits.dtype == torch.bfloat16 and patch is None and logits.stride(2) == 1:
        plain = logits.view(torch.uint16).numpy()

    def row(place: int) -> NDArray[np.uint16]:
        at = divmod(place, length)
        if plain is not None:
            return plain[at]
        return _rounded(logits, patch, at, count).view(torch.uint16).numpy()

    threads = min(torch.get_num_threads(), count.numel(), max(1, room // counting.SCRATCH))
    counting.count_rows(row, packed.view(-1, PARTS).numpy(), threads)


def _states(values: torch.Tensor) -> torch.Tensor:
    """Packed states (n, 10) of BF16 rows (n, V), by operations of PyTorch alone."""
    lanes, (rows, vocabulary) = by_key(values.device), values.shape
    keys = lanes.key[values.view(torch.int16).to(torch.int32).bitwise_and_(CODES - 1)]
    index = keys.argmax(dim=1, keepdim=True)  # of equals the first
    key = keys.gather(1, index).to(torch.int64)
    keys += torch.arange(0, rows * CODES, CODES, dtype=torch.int32, device=keys.device)[:, None]
    counts = torch.zeros(rows * CODES, dtype=torch.int32, device=keys.device)
    counts.index_add_(0, keys.flatten(), counts.new_ones(1).expand(keys.numel()))
    counts = counts.view(rows, CODES)
    bins = torch.zeros((rows, 1 << BIN_WIDTH), dtype=torch.int64, device=keys.device)
    for below in range(SLICES):  # what is not normal ends in bin 0 to 2, which no normal one is
        bin_of = (lanes.top - below).clamp(min=0)
        bins.index_add_(1, bin_of, counts * lanes.slices[:, below])
    top = lanes.top[key]
    slots = bins.gather(1, (top - torch.arange(SLOTS, device=keys.device)).clamp(min=0))
    # Beside a maximum that is not normal (bin 0) only its equals count.
    alone = torch.zeros_like(slots)
    alone[:, :1] = counts.gather(1, key) * lanes.slices[:, 0][key]
    slots = torch.where(top != 0, slots, alone)
    return torch.cat(
        [key, index, top, slots, torch.full_like(key, vocabulary), torch.zeros_like(key)], dim=1
    )
