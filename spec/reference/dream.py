"""Dream, maskgit_plus: a quota of the most confident positions, logits one row late.

`_sample` and `sample_tokens` in generation_utils.py of Dream (HKUNLP/Dream, checkpoint code),
mirrored in dream/model/ of NVlabs/Fast-dLLM and pipelines/dream/ of ZHZisZZ/dllm; temperature 0,
alg_temp 0, no top-k, no top-p. Quotas are `quota.dream`.
"""

from __future__ import annotations

import torch

from unmask.spec.reference import check
from unmask.spec.reference.contract import Contract, Order, Step, first_k, shifted, topk


def maskgit_plus(
    contract: Contract,
    order: Order,
    logits: torch.Tensor,
    x: torch.Tensor,
    mask: torch.Tensor,
    *,
    k: int,
    mask_id: int,
) -> Step:
    """The k positions of greatest probability.

    The source writes the mask id to positions that are not masked. So k greater than a row's
    masked positions, which the mean over a batch makes possible, masks known tokens again.

    Args:
        k: of every row the same, 0 to L.
        mask_id: below V.
    """
    mask_id = check.token_id("mask_id", mask_id, logits.shape[-1])
    quota = check.natural("k", k, 0, x.shape[1])
    tokens, confidence = contract.predict(shifted(logits))
    confidence = contract.filled(mask, confidence)
    transfer = first_k(order, confidence, [quota] * x.shape[0])
    return Step.of(x, transfer, torch.where(mask, tokens, mask_id), confidence)


MASKGIT_PLUS = Contract(
    "dream_maskgit_plus",
    "HKUNLP/Dream, generation_utils.py, _sample with alg='maskgit_plus'",
    maskgit_plus,
    tokens="probabilities",
    order=topk,
)
