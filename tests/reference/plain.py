"""The sampling contracts a second time: one row in plain Python, from a sentence each.

Confidences and predicted tokens are given; this is about which positions are written, and with
what. Nothing is ranked by PyTorch.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np

NUMPY = {"bfloat16": ml_dtypes.bfloat16, "float32": np.float32, "float64": np.float64}


@dataclass(frozen=True)
class Row:
    """One row of a batch.

    Attributes:
        confidence: of the predicted token, at every position; exact.
        tokens: predicted.
        x: the ids before the step.
        mask: which positions are masked.
        dtype: of the confidences, a key of `NUMPY`.
    """

    confidence: list[float]
    tokens: list[int]
    x: list[int]
    mask: list[bool]
    dtype: str

    def rounded(self, value: float) -> float:
        """A threshold as the confidences' dtype holds it."""
        return float(NUMPY[self.dtype](np.float32(value) if self.dtype == "bfloat16" else value))

    def masked(self, end: int | None = None) -> list[int]:
        """Masked positions before `end`."""
        stop = len(self.x) if end is None else end
        return [place for place in range(stop) if self.mask[place]]

    def ranked(self, places: list[int]) -> list[int]:
        """Places by confidence, NaN first, then the greatest; the lowest place among equals."""

        def key(place: int) -> tuple[int, float, int]:
            value = self.confidence[place]
            return (0, 0.0, place) if math.isnan(value) else (1, -value, place)

        return sorted(places, key=key)


Written = dict[int, int]  # position -> id


def _filled_up(row: Row, places: list[int], k: int) -> list[int]:
    """The first k of the ranked places, then of all others from the lowest."""
    others = [place for place in range(len(row.x)) if place not in places]
    return [*row.ranked(places), *others][:k]


def llada(row: Row, k: int, block_end: int | None = None) -> Written:
    chosen = _filled_up(row, row.masked(block_end), k)
    return {place: row.tokens[place] if row.mask[place] else row.x[place] for place in chosen}


def fast_quota(row: Row, k: int, block_end: int | None = None) -> Written:
    masked = row.masked(block_end)
    chosen = _filled_up(row, masked, k)
    return {place: row.tokens[place] if place in masked else row.x[place] for place in chosen}


def fast_threshold(row: Row, tau: float, block_end: int | None = None) -> Written:
    ranked = row.ranked(row.masked(block_end))
    low = [place for place in ranked[1:] if row.confidence[place] < row.rounded(tau)]
    return {place: row.tokens[place] for place in ranked if place not in low}


def factor_published(row: Row, factor: float, block_end: int | None = None) -> Written:
    ranked = row.ranked(row.masked(block_end))
    count = min(1, len(ranked))
    while count < len(ranked):
        if row.confidence[ranked[count]] < 1 - factor / (count + 2):
            break
        count += 1
    if count == len(ranked) - 1:  # the last one alone fails, and is taken
        count += 1
    return {place: row.tokens[place] for place in ranked[:count]}


def factor_paper(row: Row, factor: float, block_end: int | None = None) -> Written:
    ranked = row.ranked(row.masked(block_end))
    count = len(ranked)
    while count > 1 and not (count + 1) * (1 - row.confidence[ranked[count - 1]]) < factor:
        count -= 1
    return {place: row.tokens[place] for place in ranked[:count]}


def v1_quota(row: Row, k: int, block_end: int | None = None) -> Written:
    return {place: row.tokens[place] for place in row.ranked(row.masked(block_end))[:k]}


def v1_threshold(row: Row, tau: float, block_end: int | None = None) -> Written:
    ranked = row.ranked(row.masked(block_end))
    high = [place for place in ranked if row.confidence[place] >= row.rounded(tau)]
    return {place: row.tokens[place] for place in [*high, *ranked[:1]]}


def _above(row: Row, tau: float) -> list[int]:
    return [place for place in row.masked() if row.confidence[place] > row.rounded(tau)]


def v2_threshold(row: Row, tau: float) -> Written:
    chosen = [*_above(row, tau), *row.ranked(row.masked())[:1]]
    return {place: row.tokens[place] for place in chosen}


def dream(row: Row, k: int, mask_id: int) -> Written:
    chosen = _filled_up(row, row.masked(), k)
    return {place: row.tokens[place] if row.mask[place] else mask_id for place in chosen}


def dinfer(row: Row, tau: float, mask_id: int) -> Written:
    left = [place for place in row.masked() if row.tokens[place] != mask_id]
    values = [row.confidence[place] for place in left]
    if not values or any(math.isnan(value) for value in values):
        return {}
    kind = NUMPY[row.dtype]
    limit = min(float(kind(max(values)) - kind(1e-5)), row.rounded(tau))
    return {place: row.tokens[place] for place in left if row.confidence[place] >= limit}


def llada2(row: Row, tau: float, q: int) -> Written:
    high = _above(row, tau)
    chosen = high if len(high) >= q else row.ranked(row.masked())[:q]
    return {place: row.tokens[place] for place in chosen}


def _edits(row: Row, edit_tau: float, prompt: list[bool]) -> Written:
    return {
        place: token
        for place, token in enumerate(row.tokens)
        if not row.mask[place]
        and not prompt[place]
        and token != row.x[place]
        and row.confidence[place] > row.rounded(edit_tau)
    }


def llada21(row: Row, tau: float, q: int, edit_tau: float, prompt: list[bool]) -> Written:
    return llada2(row, tau, q) | _edits(row, edit_tau, prompt)


def sglang(row: Row, tau: float) -> Written:
    if not row.masked():
        return {0: row.x[0]}
    chosen = _above(row, tau) or row.ranked(row.masked())[:1]
    return {place: row.tokens[place] for place in chosen}


def joint(row: Row, tau: float, edit_tau: float, prompt: list[bool], penalty: float) -> Written:
    del penalty  # it changes what is predicted
    unmasked = sglang(row, tau) if row.masked() else {}
    return unmasked | _edits(row, edit_tau, prompt)


RULES: dict[str, Callable[..., Written]] = {
    "llada_low_confidence": llada,
    "llada_low_confidence_fp64": llada,
    "llada_random": llada,
    "fast_dllm_quota": fast_quota,
    "fast_dllm_threshold": fast_threshold,
    "fast_dllm_factor": factor_published,
    "fast_dllm_factor_paper": factor_paper,
    "fast_dllm_v1_quota": v1_quota,
    "fast_dllm_v1_threshold": v1_threshold,
    "fast_dllm_v2": v2_threshold,
    "dream_maskgit_plus": dream,
    "dinfer_threshold": dinfer,
    "dinfer_threshold_fp64": dinfer,
    "llada2": llada2,
    "llada2_diffusers": llada2,
    "llada21": llada21,
    "sglang_low_confidence": sglang,
    "sglang_joint_threshold": joint,
}


# -- predictions -------------------------------------------------------------------------------
def softmax(logits: list[float]) -> list[float]:
    """Probabilities to within 1e-15; NaN all if a logit is NaN or +infinity, or none is finite."""
    greatest = max(logits)
    if any(math.isnan(z) for z in logits) or math.isinf(greatest):
        return [math.nan] * len(logits)
    weights = [math.exp(z - greatest) for z in logits]
    return [weight / math.fsum(weights) for weight in weights]


def rounding(value: float, dtype: str) -> set[float]:
    """What a value with an error of 1e-6 of it may round to (bfloat16), or NaN."""
    kind: Any = NUMPY[dtype]
    return {float(kind(np.float32(value * scale))) for scale in (1 - 1e-6, 1, 1 + 1e-6)}


def first_greatest(values: list[float]) -> int:
    """NaN is the greatest."""
    for place, value in enumerate(values):
        if math.isnan(value):
            return place
    return values.index(max(values))
