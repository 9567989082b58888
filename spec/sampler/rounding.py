"""Logits of any floating dtype as BF16, and how many that changed."""

from __future__ import annotations

import torch


def to_bfloat16(values: torch.Tensor) -> torch.Tensor:
    """The nearest BF16, ties to even: one rounding from any dtype. NaN stays NaN."""
    if values.dtype == torch.float64:
        values = _round_to_odd(values)
    return values.to(torch.bfloat16)


def lowered(logits: torch.Tensor, penalty: float, dtype: torch.dtype) -> torch.Tensor:
    """BF16 logits less a penalty, as PyTorch subtracts it in the dtype that they had; in BF16."""
    return to_bfloat16(logits.to(dtype) - torch.tensor(penalty, dtype=dtype))


def inexact(values: torch.Tensor, rounded: torch.Tensor) -> torch.Tensor:
    """How many of each row's values BF16 does not hold, (...) int64; NaN is held."""
    return ((rounded.to(values.dtype) != values) & (values == values)).sum(dim=-1)


def _round_to_odd(values: torch.Tensor) -> torch.Tensor:
    """Float64 as float32 toward 0, with the last bit set if anything is lost.

    PyTorch goes from float64 to BF16 by way of float32 and so rounds twice. What was rounded to odd
    is on the same side of every tie of BF16 as before.
    """
    single = values.to(torch.float32)
    back = single.to(torch.float64)
    bits = single.view(torch.int32)
    bits = torch.where(back.abs() > values.abs(), bits - 1, bits)
    lost = (back != values) & (values == values)
    return torch.where(lost, bits | 1, bits).view(torch.float32)
