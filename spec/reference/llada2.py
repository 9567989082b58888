"""LLaDA2.0 and 2.1: all above a threshold, if these are at least q, else the q most confident.

`generate` in modeling_llada2_moe.py of inclusionAI/LLaDA2.0 (mirrored in pipelines/llada2/ of
ZHZisZZ/dllm) and in modeling_llada21_moe.py of LLaDA2.1; `BlockRefinementScheduler.step` in
src/diffusers/schedulers/scheduling_block_refinement.py of huggingface/diffusers (at 125342c), which
takes the argmax of the logits where the others take it of the float32 probabilities. L is a block,
the logits are float32 (others are converted); quotas q are `quota.even_block`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from unmask.spec.reference import check
from unmask.spec.reference.contract import Contract, Order, Step, first_k, topk


def at_least(
    contract: Contract,
    order: Order,
    logits: torch.Tensor,
    x: torch.Tensor,
    mask: torch.Tensor,
    *,
    tau: float,
    q: int | Sequence[int] | torch.Tensor,
) -> Step:
    """The masked positions above tau; if they are fewer than q, the q of greatest probability.

    Args:
        tau: the threshold, any number but NaN.
        q: of every row, 0 or more; cut to the number of masked positions.
    """
    tokens, confidence = contract.predict(logits.float())
    confidence = contract.filled(mask, confidence)
    transfer = _fill_masks(contract, order, mask, confidence, tau, q)
    return Step.of(x, transfer, tokens, confidence)


def with_edits(
    contract: Contract,
    order: Order,
    logits: torch.Tensor,
    x: torch.Tensor,
    mask: torch.Tensor,
    *,
    tau: float,
    edit_tau: float,
    prompt: torch.Tensor,
    q: int | Sequence[int] | torch.Tensor = 1,
) -> Step:
    """The same, and known tokens are replaced by others that the model is sure of.

    `confidence` of the step is that of the predicted token at every position.

    Args:
        tau: threshold for masked positions, any number but NaN.
        edit_tau: threshold for edits.
        prompt: (B, L) bool, the positions that are never edited.
        q: of every row, 0 or more.
    """
    tokens, confidence = contract.predict(logits.float())
    prompt = check.like("prompt", prompt, tuple(x.shape), torch.bool)
    edited = contract.passes(confidence, check.number("edit_tau", edit_tau))
    edited &= ~mask & ~prompt & (tokens != x)
    filled = contract.filled(mask, confidence)
    transfer = _fill_masks(contract, order, mask, filled, tau, q) | edited
    return Step.of(x, transfer, tokens, confidence)


def _fill_masks(
    contract: Contract,
    order: Order,
    mask: torch.Tensor,
    confidence: torch.Tensor,
    tau: float,
    q: int | Sequence[int] | torch.Tensor,
) -> torch.Tensor:
    high = contract.passes(confidence, check.number("tau", tau))
    asked = torch.tensor(check.counts("q", q, mask.shape[0], None), device=mask.device)
    ranked = first_k(order, confidence, torch.minimum(asked, mask.sum(dim=1)).tolist())
    return torch.where((high.sum(dim=1) >= asked).unsqueeze(1), high, ranked)


LLADA2 = Contract(
    "llada2",
    "inclusionAI/LLaDA2.0, modeling_llada2_moe.py, generate",
    at_least,
    tokens="probabilities",
    confidence=torch.float32,
    compare=">",
    forced="the first q in rank, if fewer pass",
    order=topk,
)
LLADA2_DIFFUSERS = Contract(
    "llada2_diffusers",
    "huggingface/diffusers, scheduling_block_refinement.py, BlockRefinementScheduler.step, 125342c",
    at_least,
    confidence=torch.float32,
    compare=">",
    forced="the first q in rank, if fewer pass",
    order=topk,
)
LLADA21 = Contract(
    "llada21",
    "inclusionAI/LLaDA2.1, modeling_llada21_moe.py, generate",
    with_edits,
    tokens="probabilities",
    confidence=torch.float32,
    compare=">",
    forced="the first q in rank, if fewer pass",
    order=topk,
)
