"""SGLang's LowConfidence and JointThreshold, in the dtype of the logits; L is a block.

low_confidence.py (at 0564b52) and joint_threshold.py (at 17d5721) in python/sglang/srt/dllm/
algorithm of sgl-project/sglang, method `step`.
"""

from __future__ import annotations

import torch

from unmask.spec.reference import check
from unmask.spec.reference.contract import Contract, Order, Step, first_k, topk


def low_confidence(
    contract: Contract,
    order: Order,
    logits: torch.Tensor,
    x: torch.Tensor,
    mask: torch.Tensor,
    *,
    tau: float,
) -> Step:
    """The masked positions above tau; if there is none, the first greatest.

    In a row without masks that is position 0, which keeps its token.

    Args:
        tau: the threshold, any number but NaN.
    """
    tokens, confidence = contract.predict(logits)
    confidence = contract.filled(mask, confidence)
    high = contract.passes(confidence, check.number("tau", tau))
    transfer = _or_first(order, confidence, high)
    return Step.of(x, transfer, torch.where(mask, tokens, x), confidence)


def joint_threshold(
    contract: Contract,
    order: Order,
    logits: torch.Tensor,
    x: torch.Tensor,
    mask: torch.Tensor,
    *,
    tau: float,
    edit_tau: float,
    prompt: torch.Tensor,
    penalty: float = 0.0,
) -> Step:
    """Masked positions as above, and known tokens are replaced by others that the model is sure of.

    `confidence` of the step is that of the predicted token at every position. A block is finished
    when nothing is transferred; how often it may be edited once it has no masks is the caller's.

    Args:
        tau: threshold for masked positions, any number but NaN.
        edit_tau: threshold for edits.
        prompt: (B, L) bool, the positions that are never edited: not masked when the block began.
        penalty: taken from the logit of the token that stands one position before, in the dtype
            of the logits; 0 or less: none.
    """
    if check.number("penalty", penalty) > 0:
        before = torch.zeros_like(logits)
        before[:, 1:].scatter_(-1, x[:, :-1].unsqueeze(-1), -penalty)
        logits = logits + before
    tokens, confidence = contract.predict(logits)
    prompt = check.like("prompt", prompt, tuple(x.shape), torch.bool)
    filled = contract.filled(mask, confidence)
    high = contract.passes(filled, check.number("tau", tau))
    unmasked = _or_first(order, filled, high) & mask
    edited = contract.passes(confidence, check.number("edit_tau", edit_tau))
    edited &= ~mask & ~prompt & (tokens != x)
    return Step.of(x, unmasked | edited, tokens, confidence)


def _or_first(order: Order, confidence: torch.Tensor, high: torch.Tensor) -> torch.Tensor:
    """What passed, in rows where something did; else the first in rank."""
    first = first_k(order, confidence, [1] * len(high))
    return torch.where(high.any(dim=1, keepdim=True), high, first)


_SOURCE = "sgl-project/sglang, python/sglang/srt/dllm/algorithm"

LOW_CONFIDENCE = Contract(
    "sglang_low_confidence",
    f"{_SOURCE}/low_confidence.py, LowConfidence.step, 0564b52",
    low_confidence,
    compare=">",
    forced="the first greatest, if none passes",
)
JOINT_THRESHOLD = Contract(
    "sglang_joint_threshold",
    f"{_SOURCE}/joint_threshold.py, JointThreshold.step, 17d5721",
    joint_threshold,
    compare=">",
    forced="the first in rank, if no masked one passes",
    order=topk,
)
