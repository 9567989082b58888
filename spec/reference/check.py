"""Bad input to the sampling contracts: a ValueError with argument, value, and what was expected.

Every function returns what it checked, in the form that the contracts compute with.
"""

from __future__ import annotations

import math
import reprlib
from collections.abc import Sequence

import torch

FLOATS = (torch.bfloat16, torch.float16, torch.float32, torch.float64)
INTEGERS = (torch.int8, torch.int16, torch.int32, torch.int64, torch.uint8)


def number(name: str, value: float) -> float:
    """A threshold, factor or the like: any number but NaN."""
    if isinstance(value, int) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:  # and it may have too many digits to be shown
            raise ValueError(f"{name} is an integer beyond the range of float64") from None
    if not isinstance(value, float) or math.isnan(value):
        raise ValueError(f"{name} is {value!r}, expected a number that is not NaN")
    return float(value)


def name(argument: str, value: str) -> str:
    """A name, of whatever."""
    if not isinstance(value, str):
        raise ValueError(f"{argument} is {value!r}, expected a name")
    return value


def natural(name: str, value: int, least: int = 0, most: int | None = None) -> int:
    """An integer from `least`, to `most` if that is given."""
    limit = "" if most is None else f" to {most}"
    wrong = isinstance(value, bool) or not isinstance(value, int) or value < least
    if wrong or (most is not None and value > most):
        raise ValueError(f"{name} is {value!r}, expected an integer from {least}{limit}")
    return value


def counts(
    name: str, value: int | Sequence[int] | torch.Tensor, rows: int, most: int | None
) -> list[int]:
    """A count for each row: one for all, a sequence, or a tensor (rows,) of integers."""
    if isinstance(value, torch.Tensor):
        if value.dtype not in INTEGERS or tuple(value.shape) != (rows,):
            got = f"{value.dtype} of shape {tuple(value.shape)}"
            raise ValueError(f"{name} is {got}, expected integers of shape ({rows},)")
        value = value.tolist()
    if not isinstance(value, Sequence):
        return [natural(name, value, 0, most)] * rows
    if len(value) != rows:
        raise ValueError(f"{name} has {len(value)} counts, expected one for each of {rows} rows")
    return [natural(f"{name}[{row}]", count, 0, most) for row, count in enumerate(value)]


def token_id(name: str, value: int, vocabulary: int) -> int:
    """A token id of the vocabulary."""
    return natural(name, value, 0, vocabulary - 1)


def dense(name: str, value: torch.Tensor, wanted: str = "a tensor") -> torch.Tensor:
    """A tensor with an element at each place, in memory."""
    if not isinstance(value, torch.Tensor):
        kind = type(value).__name__
        raise ValueError(f"{name} is {kind} {reprlib.repr(value)}, expected {wanted}")
    kind = "meta" if value.is_meta else "nested" if value.is_nested else str(value.layout)
    if kind != str(torch.strided):
        raise ValueError(f"{name} is a tensor of kind {kind}, expected a dense one with its values")
    return value


def scores(name: str, value: torch.Tensor) -> torch.Tensor:
    """Logits (B, L, V), a floating dtype, no size 0."""
    kinds = ", ".join(map(str, FLOATS))
    dtype = dense(name, value, f"a tensor of one of {kinds}").dtype
    if dtype not in FLOATS:
        raise ValueError(f"{name} is {dtype}, expected one of {kinds}")
    if value.dim() != 3 or 0 in value.shape:
        raise ValueError(f"{name} has shape {tuple(value.shape)}, expected (B, L, V), none 0")
    return value


def like(
    name: str, value: torch.Tensor, shape: tuple[int, ...], *dtypes: torch.dtype
) -> torch.Tensor:
    """A tensor of a shape and one of some dtypes."""
    if not isinstance(value, torch.Tensor):
        raise ValueError(f"{name} is {value!r}, expected a tensor of shape {shape}")
    if tuple(dense(name, value).shape) != shape:
        raise ValueError(f"{name} has shape {tuple(value.shape)}, expected {shape}")
    if value.dtype not in dtypes:
        wanted = " or ".join(str(dtype) for dtype in dtypes)
        raise ValueError(f"{name} is {value.dtype}, expected {wanted}")
    return value


def uniform(
    name: str, value: torch.Tensor, shape: tuple[int, ...], dtype: torch.dtype
) -> torch.Tensor:
    """What `torch.rand` of a shape and dtype may return: numbers from 0 to below 1."""
    wrong = ~((like(name, value, shape, dtype) >= 0) & (value < 1))  # NaN is wrong, too
    if wrong.any():
        raise ValueError(f"{name} holds {value[wrong][0].item()}, expected 0 <= number < 1")
    return value


def ids(name: str, value: torch.Tensor, vocabulary: int) -> torch.Tensor:
    """Token ids (B, L), each of them in the vocabulary."""
    wrong = ((value < 0) | (value >= vocabulary)).nonzero()
    if len(wrong):
        place = tuple(wrong[0].tolist())
        raise ValueError(
            f"{name}{list(place)} is {int(value[place])}, expected an id from 0 to V - 1 = "
            f"{vocabulary - 1}, V being the last size of logits"
        )
    return value


def step(logits: torch.Tensor, x: torch.Tensor, mask: torch.Tensor | int) -> torch.Tensor:
    """What every contract is given.

    Args:
        logits: (B, L, V), a floating dtype, no size 0.
        x: (B, L) int64, ids below V.
        mask: (B, L) bool, or the mask id.

    Returns:
        The mask, (B, L) bool.
    """
    rows, length, vocabulary = scores("logits", logits).shape
    like("x", x, (rows, length), torch.int64)
    if not isinstance(mask, torch.Tensor):  # first: x holds it, and it is what is wrong
        mask = x == token_id("mask", mask, vocabulary)
    ids("x", x, vocabulary)
    return like("mask", mask, (rows, length), torch.bool)
