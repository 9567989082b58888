"""dInfer's threshold: what is near the greatest confidence passes, whatever the threshold.

`get_transfer_index_threshold` in python/dinfer/decoding/parallel_strategy.py of inclusionAI/dInfer;
float32, or float64 if asked.
"""

from __future__ import annotations

import torch

from unmask.spec.reference import check
from unmask.spec.reference.contract import Contract, Order, Step

NEAR = 1e-5
LEAST = -1000


def threshold(
    contract: Contract,
    order: Order,
    logits: torch.Tensor,
    x: torch.Tensor,
    mask: torch.Tensor,
    *,
    tau: float,
    mask_id: int,
) -> Step:
    """The masked positions of at least tau, or of at least the greatest confidence - 1e-5.

    Positions that predict the mask id do not take part; if none is left, nothing is transferred,
    and the published loop goes on for ever unless the logits change. The same if one confidence of
    the row is NaN: then so is the threshold. There is no ranking, and all tied maxima pass.

    Args:
        tau: the threshold, any number but NaN.
        mask_id: below V.
    """
    tau = check.number("tau", tau)
    tokens, confidence = contract.predict(logits)
    mask = mask & (tokens != check.token_id("mask_id", mask_id, logits.shape[-1]))
    confidence = contract.filled(mask, confidence)
    actual = (confidence.max(dim=1, keepdim=True).values - NEAR).clamp(LEAST, tau)
    return Step.of(x, confidence >= actual, torch.where(mask, tokens, x), confidence)


_SOURCE = "inclusionAI/dInfer, python/dinfer/decoding/parallel_strategy.py"

THRESHOLD = Contract(
    "dinfer_threshold",
    f"{_SOURCE}, get_transfer_index_threshold",
    threshold,
    confidence=torch.float32,
    compare=">=",
    forced="all within 1e-5 of the greatest",
)
THRESHOLD_FP64 = Contract(
    "dinfer_threshold_fp64",
    f"{_SOURCE}, get_transfer_index_threshold with use_float64",
    threshold,
    confidence=torch.float64,
    compare=">=",
    forced="all within 1e-5 of the greatest",
)
