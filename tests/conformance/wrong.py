"""Samplers with one mistake each, as people make them; and right ones that are not the oracle."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from unmask.spec.reference.contract import Step, stable
from unmask.spec.reference.samplers import CONTRACTS

LLADA = CONTRACTS["llada_low_confidence"]
SGLANG = CONTRACTS["sglang_low_confidence"]


def last(confidence: torch.Tensor, k: int) -> torch.Tensor:
    """The highest position among equals."""
    return len(confidence) - 1 - stable(confidence.flip(0), k)


def last_index_on_ties(logits, x, mask, **parameters):
    return replace(LLADA, order=last).as_published(logits, x, mask, **parameters).x


def strict_for_not_strict(logits, x, mask, **parameters):
    contract = replace(CONTRACTS["fast_dllm_v1_threshold"], compare=">")
    return contract.oracle(logits, x, mask, **parameters).x


def not_strict_for_strict(logits, x, mask, **parameters):
    return replace(SGLANG, compare=">=").oracle(logits, x, mask, **parameters).x


def softmax_in_bfloat16(logits, x, mask, **parameters):
    contract = replace(CONTRACTS["llada_low_confidence_fp64"], confidence=torch.bfloat16)
    return contract.oracle(logits, x, mask, **parameters).x


def forgets_forced_one(logits, x, mask, *, tau):
    tokens, confidence = SGLANG.predict(logits)
    return torch.where(mask & (confidence > tau), tokens, x)


def selects_what_is_not_masked(logits, x, mask, *, k):
    tokens, confidence = LLADA.predict(logits)
    chosen = torch.stack([torch.isin(torch.arange(x.shape[1]), stable(c, k)) for c in confidence])
    return torch.where(chosen & mask, tokens, x)


def ignores_infinity(logits, x, mask, *, k):
    return LLADA.oracle(logits.clamp(min=-8), x, mask, k=k).x


def last_of_equal_tokens(logits, x, mask, *, k):
    step = LLADA.oracle(logits, x, mask, k=k)
    tokens = logits.shape[-1] - 1 - torch.argmax(logits.flip(-1), dim=-1)
    return torch.where(step.transfer & mask, tokens, x)


def first_nan_is_least(logits, x, mask, *, k):
    return LLADA.oracle(logits.nan_to_num(nan=-1.0), x, mask, k=k).x


def raises(logits, x, mask, *, k):
    if k > 1:
        raise RuntimeError("more than one\nline")
    return LLADA.oracle(logits, x, mask, k=k).x


def wrong_shape(logits, x, mask, *, k):
    return x[0]


def no_tensor(logits, x, mask, *, k):
    return None


def exits(logits, x, mask, *, k):
    sys.exit(0)


def complex_ids(logits, x, mask, *, k):
    return LLADA.oracle(logits, x, mask, k=k).x.to(torch.complex64)


def meta_ids(logits, x, mask, *, k):
    return x.to("meta")


def sparse_ids(logits, x, mask, *, k):
    return LLADA.oracle(logits, x, mask, k=k).x.to_sparse()


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


def raises_unspeakable(logits, x, mask, *, k):
    raise Unspeakable


# Sampler -> what is said of it.
REASONS: dict[Callable[..., Any], str] = {
    exits: r"raised SystemExit: 0 \(.*wrong.py:\d+\)",
    complex_ids: r"returned torch.complex64 of shape \(1, 1\), expected integers of shape",
    meta_ids: "returned a meta tensor, expected a dense one, of ids",
    sparse_ids: "returned a tensor of layout torch.sparse_coo, expected a dense one, of ids",
    raises_unspeakable: r"raised Unspeakable: \(its text cannot be had\) \(.*wrong.py:\d+\)",
}

# Name -> (sampler, contract, most logits of the shrunk case, fixed parameters, error).
MISTAKES: dict[str, tuple[Callable[..., Any], str, int, dict[str, Any], float]] = {
    sampler.__name__: (sampler, contract, most, given, error)
    for sampler, contract, most, given, error in (
        (last_index_on_ties, "llada_low_confidence", 4, {}, 1),
        (strict_for_not_strict, "fast_dllm_v1_threshold", 6, {}, 0),
        (not_strict_for_strict, "sglang_low_confidence", 6, {"tau": 0.5}, 1),
        # Two rows whose confidences one BF16 holds: of 3 or of 4 equal logits, by what Hypothesis
        # draws, for which it takes constants from all modules that are loaded.
        (softmax_in_bfloat16, "llada_low_confidence_fp64", 8, {}, 1),
        (forgets_forced_one, "sglang_low_confidence", 2, {"tau": 0.9}, 1),
        (selects_what_is_not_masked, "llada_low_confidence", 4, {"k": 1}, 1),
        (ignores_infinity, "llada_low_confidence", 6, {"k": 1}, 1),
        (last_of_equal_tokens, "llada_low_confidence", 2, {}, 1),
        (first_nan_is_least, "llada_low_confidence", 4, {"k": 1}, 1),
        (raises, "llada_low_confidence", 4, {}, 1),
        (wrong_shape, "llada_low_confidence", 2, {}, 1),
        (no_tensor, "llada_low_confidence", 2, {}, 1),
    )
}


def by_float64(logits, x, mask, *, k):
    """Ranks by float64 confidences where the contract ranks by BF16 ones: a finer order."""
    return CONTRACTS["llada_low_confidence_fp64"].oracle(logits, x, mask, k=k).x


def as_a_step(logits, x, mask, **parameters) -> Step:
    """Returns an object with the ids as `x`, and spoils what it was given."""
    step = LLADA.oracle(logits, x, mask, **parameters)
    kept = replace(step, x=step.x.to(torch.int32))
    logits.zero_()
    x.zero_()
    mask.logical_not_()
    return kept


not_callable = np.zeros(3)
