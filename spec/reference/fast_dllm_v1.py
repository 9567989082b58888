"""Fast-dLLM, first version, later code: vectorised quota and threshold rules.

`get_transfer_index` in v1/llada/generate.py of NVlabs/Fast-dLLM. Unmasked positions are filled with
the least finite float64 instead of -infinity; as probabilities are 0 or more, nothing depends on
it. The factor rule is that of `fast_dllm`, but for rows without masks, which it skips.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from unmask.spec.reference import check
from unmask.spec.reference.contract import Contract, Order, Step, first_k, sort, window


def quota(
    contract: Contract,
    order: Order,
    logits: torch.Tensor,
    x: torch.Tensor,
    mask: torch.Tensor,
    *,
    k: int | Sequence[int] | torch.Tensor,
    block_end: int | None = None,
) -> Step:
    """The k masked positions of greatest probability; all of them if k exceeds their number.

    Args:
        k: of every row, 0 or more. (The source takes what is below 0 for 0; an error here.)
        block_end: end of the block; None: L.
    """
    mask = window(mask, block_end)
    tokens, confidence = contract.predict(logits)
    confidence = contract.filled(mask, confidence)
    transfer = first_k(order, confidence, check.counts("k", k, x.shape[0], None)) & mask
    return Step.of(x, transfer, torch.where(mask, tokens, x), confidence)


def threshold(
    contract: Contract,
    order: Order,
    logits: torch.Tensor,
    x: torch.Tensor,
    mask: torch.Tensor,
    *,
    tau: float,
    block_end: int | None = None,
) -> Step:
    """The masked positions of at least tau, and always the first greatest.

    NaN is below tau here, unlike in `fast_dllm.threshold`, but the first NaN is the greatest.

    Args:
        tau: the threshold, any number but NaN.
        block_end: end of the block; None: L.
    """
    tau = check.number("tau", tau)
    mask = window(mask, block_end)
    tokens, confidence = contract.predict(logits)
    confidence = contract.filled(mask, confidence)
    greatest = first_k(order, confidence, [1] * x.shape[0])
    transfer = (contract.passes(confidence, tau) | greatest) & mask
    return Step.of(x, transfer, torch.where(mask, tokens, x), confidence)


_SOURCE = "NVlabs/Fast-dLLM, v1/llada/generate.py, get_transfer_index"

QUOTA = Contract(
    "fast_dllm_v1_quota",
    f"{_SOURCE} without threshold",
    quota,
    confidence=torch.float64,
    fill="finfo.min",
    order=sort,
)
THRESHOLD = Contract(
    "fast_dllm_v1_threshold",
    f"{_SOURCE} with threshold",
    threshold,
    confidence=torch.float64,
    compare=">=",
    forced="the first greatest",
    fill="finfo.min",
)
