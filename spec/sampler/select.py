"""Which positions a rule chooses, given a key and a token for each: vectorised over a batch."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import cast

import numpy as np
import torch

from unmask.spec import numerics
from unmask.spec.reference.rules import Rule, Threshold
from unmask.spec.softmax import NAN_FIRST


def choose(
    rule: Rule, key: torch.Tensor, token: torch.Tensor, x: torch.Tensor, mask: torch.Tensor
) -> torch.Tensor:
    """The positions that get a token, (B, L) bool.

    Args:
        rule: of the step; its `shift`, `banned`, `hidden` and `penalty` are in the keys already.
        key: (B, L) int64, as `softmax.key32` gives it with NaN first.
        token: (B, L) int64, predicted.
        x: (B, L) int64, ids before.
        mask: (B, L) bool.
    """
    candidates = mask
    if rule.window is not None:
        candidates = candidates & (torch.arange(x.shape[1], device=x.device) < rule.window)
    if rule.excluded is not None:
        candidates = candidates & (token != rule.excluded)
    rank = _rank(rule, key, candidates)
    if rule.factor is not None:
        chosen = rank < _allowed(rule, key, candidates, rank)
    elif rule.near is not None:
        chosen = candidates & _near(rule, key, candidates)
    else:
        chosen = _first_or_passing(rule, key, mask, candidates, rank)
    if rule.edit is not None and rule.prompt is not None:
        chosen |= ~mask & ~rule.prompt & (token != x) & _passes(rule.edit, key)
    return chosen


def _rank(rule: Rule, key: torch.Tensor, candidates: torch.Tensor) -> torch.Tensor:
    """Each position's place in the ranking, (B, L) int64: the candidates, then all others."""
    by = key if rule.scores is None else -rule.scores
    by = torch.where(candidates, by.double(), torch.inf)  # holds 32-bit keys exactly
    order = by.argsort(dim=1, stable=True)
    places = torch.arange(order.shape[1], device=order.device).expand_as(order)
    return torch.empty_like(order).scatter_(1, order, places)


def _passes(threshold: Threshold, key: torch.Tensor) -> torch.Tensor:
    passed = key <= threshold.limit
    return passed if threshold.nan else passed & (key != NAN_FIRST)


def _first_or_passing(
    rule: Rule,
    key: torch.Tensor,
    mask: torch.Tensor,
    candidates: torch.Tensor,
    rank: torch.Tensor,
) -> torch.Tensor:
    # All positions is the most that can be; an int64 does not hold each count that is more.
    counts = [min(count, key.shape[1]) for count in rule.least]
    least = torch.tensor(counts, device=key.device).unsqueeze(1)
    first = rank < least
    if rule.overflow != "all":
        first &= candidates if rule.overflow == "nothing" else mask
    if rule.threshold is None:
        return first
    passing = candidates & _passes(rule.threshold, key)
    if not rule.fallback:
        return first | passing
    return torch.where(passing.sum(dim=1, keepdim=True) >= least, passing, first)


def _allowed(
    rule: Rule, key: torch.Tensor, candidates: torch.Tensor, rank: torch.Tensor
) -> torch.Tensor:
    """How many of the first Fast-dLLM's factor rule takes, (B, 1) int64.

    The n-th passes with a confidence of at least 1 - factor / (n + 1), or above it in the paper,
    where NaN does not pass. Taken are those before the first that fails, in the paper up to the
    last that passes, and always one. The source cannot tell whether the last one failed (`whole`).
    """
    total = candidates.sum(dim=1, keepdim=True)
    limits = torch.tensor(_limits(rule, key.shape[1]), device=key.device)
    passed = candidates & (key <= limits[rank])
    if not rule.whole:
        passed &= key != NAN_FIRST
        last = torch.where(passed, rank + 1, 0).amax(dim=1, keepdim=True)
        return torch.minimum(last.clamp(min=1), total)
    failed = candidates & ~passed & (rank > 0)
    before = torch.where(failed, rank, total).amin(dim=1, keepdim=True)
    return torch.where(before >= total - 1, total, before)


def _limits(rule: Rule, length: int) -> list[int]:
    """The greatest key that passes in each rank; the source computes borders in float64."""
    factor = cast(float, rule.factor)
    exact = not rule.whole and math.isfinite(factor)
    return [
        numerics.limit(
            1 - (Fraction(factor) if exact else factor) / (rank + 2), strict=not rule.whole
        )
        for rank in range(length)
    ]


def _near(rule: Rule, key: torch.Tensor, candidates: torch.Tensor) -> torch.Tensor:
    """What passes dInfer's threshold, or is near the greatest confidence; waits for the keys.

    Nothing does where a candidate's confidence is NaN: then so is the source's threshold.
    """
    threshold = cast(Threshold, rule.threshold)
    least = torch.where(candidates, key, numerics.LARGEST).amin(dim=1).tolist()
    limits = [max(threshold.limit, _near_limit(rule, first)) for first in least]
    some = torch.tensor([first != NAN_FIRST for first in least], device=key.device)
    return some.unsqueeze(1) & (key <= torch.tensor(limits, device=key.device).unsqueeze(1))


def _near_limit(rule: Rule, first: int) -> int:
    """The limit for confidences of at least the greatest, whose key is given, - `near`.

    Both are of the rule's dtype, as PyTorch computes them.
    """
    delta = numerics.value(first)
    if delta is None:
        return NAN_FIRST
    dtype = np.float64 if rule.dtype == "float64" else np.float32
    greatest = dtype(float(1 / (1 + delta)))
    border = float(greatest - dtype(cast(float, rule.near)))
    return numerics.limit(border, "exact" if rule.dtype == "float64" else "float32")
