"""The rows of one batch row as a rule sees them: which logits decide each position, and its delta.

A rule may have positions decided by the row before, tokens banned from the start or hidden from the
confidence, and a penalty for the token one position before. Here that becomes one `Row` each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from unmask.spec.certificates import exact
from unmask.spec.certificates.exact import Delta
from unmask.spec.formats import NEG_INF
from unmask.spec.reference.rules import Rule
from unmask.spec.sampler.rounding import lowered


@dataclass(frozen=True)
class Row:
    """What decides one position.

    Attributes:
        codes: (V,) BF16 codes that its confidence is made of.
        token: the first of the greatest logits, before any were hidden.
        lost: whether the token is among the hidden, and other logits are not: its confidence is 0.
    """

    codes: NDArray[np.uint16]
    token: int
    lost: bool

    @cached_property
    def delta(self) -> Delta | None:
        """The real number; None where the confidence is NaN. Of no meaning if `lost`."""
        return exact.delta(self.codes)

    @property
    def group(self) -> object:
        """Equal for rows that are permutations of each other (T5), up to the sign of zeros."""
        if self.lost or self.delta is None:
            return (self.lost,)
        return exact.number(int(self.codes[exact.token(self.codes)])), self.delta.terms


def rows_of(
    rule: Rule,
    logits: NDArray[np.uint16],
    x: Sequence[int],
    dtype: torch.dtype = torch.bfloat16,
) -> list[Row]:
    """The row of each position.

    Args:
        rule: what asks.
        logits: (L, V) BF16 codes of one batch row.
        x: (L,) the ids before the step.
        dtype: that the logits had: PyTorch subtracts a penalty in it.
    """
    return [_row(rule, logits, x, dtype, position) for position in range(len(logits))]


def _row(
    rule: Rule, logits: NDArray[np.uint16], x: Sequence[int], dtype: torch.dtype, position: int
) -> Row:
    codes = logits[max(position - 1, 0) if rule.shift else position]
    if rule.banned or rule.hidden or rule.penalty:
        codes = codes.copy()
    if rule.penalty and position:
        word = codes[x[position - 1] :][:1].view(np.int16)
        logit = torch.from_numpy(word).view(torch.bfloat16)  # the same memory
        logit.copy_(lowered(logit, rule.penalty, dtype))
    codes[list(rule.banned)] = NEG_INF
    token = exact.token(codes)
    codes[list(rule.hidden)] = NEG_INF
    lost = token in rule.hidden and _is_number(codes)
    return Row(codes, token, lost)


def _is_number(codes: NDArray[np.uint16]) -> bool:
    """Whether a row has a softmax: no NaN, no +infinity, not all -infinity."""
    greatest = int(codes[exact.token(codes)])
    return not exact.is_nan(greatest) and greatest not in (0x7F80, NEG_INF)
