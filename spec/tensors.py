"""The interpretation of the bit algebra on torch tensors, of any device. Needs `unmask[torch]`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import torch

from unmask.spec.bits import Bits, BitsError, Ints


class Tensors(Ints):
    """Values are non-negative int64 tensors (any shape, broadcast together), width <= 63.

    A constant stays a Python integer, so that it has no device; what is made of constants alone is
    one, too. Sums and products wrap modulo 2**64 and are then trimmed, which is exact.
    """

    max_width = 63

    @staticmethod
    def check(width: int, value: Any) -> Any:
        tensor = torch.as_tensor(value)
        if tensor.is_floating_point() or tensor.is_complex() or tensor.dtype == torch.bool:
            raise BitsError(f"an integer tensor is needed, got dtype {tensor.dtype}")
        tensor = tensor.to(torch.int64)
        if tensor.numel() and (int(tensor.min()) < 0 or int(tensor.max()) >= 1 << width):
            raise BitsError(f"an element does not fit in {width} bits")
        return tensor

    @staticmethod
    def shl(width: int, value: Any, amount: Any) -> Any:
        if isinstance(amount, int):
            return Ints.shl(width, value, amount)
        kept = amount.clamp(max=width - 1)  # PyTorch leaves greater amounts undefined
        return torch.where(amount < width, (value << kept) & ((1 << width) - 1), 0)

    @staticmethod
    def shr(width: int, value: Any, amount: Any) -> Any:
        if isinstance(amount, int):
            return Ints.shr(width, value, amount)
        return torch.where(amount < width, value >> amount.clamp(max=width - 1), 0)

    @staticmethod
    def flag(condition: Any) -> Any:
        return int(condition) if isinstance(condition, bool) else condition.to(torch.int64)

    @staticmethod
    def mux(condition: Any, yes: Any, no: Any) -> Any:
        if isinstance(condition, int):
            return yes if condition else no
        return torch.where(condition != 0, yes, no)

    @staticmethod
    def lut(table: Sequence[int], width: int, index: Any, index_width: int) -> Any:
        if isinstance(index, int):
            return table[index]
        return _on_device(tuple(table), index.device)[index]


@cache
def _on_device(table: tuple[int, ...], device: torch.device) -> torch.Tensor:
    return torch.tensor(table, dtype=torch.int64, device=device)


def tensors(width: int, values: Any) -> Bits:
    """An integer tensor, or what makes one, as `Bits`; checked to fit, which waits for a GPU."""
    return Bits(Tensors, width, values)
