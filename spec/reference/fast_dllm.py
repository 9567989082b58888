"""Fast-dLLM, first version: quota, threshold and factor rules on float64 confidences.

`get_transfer_index` and `get_transfer_index_dynamic` in llada/generate.py of NVlabs/Fast-dLLM, of
June 2025 and at f6b35ec, which agree. The window cuts the mask.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from unmask.spec.reference import check
from unmask.spec.reference.contract import Contract, Order, Step, first_k, topk, window


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
    """The k positions of greatest probability.

    Args:
        k: of every row, 0 to L; what exceeds the masked positions falls on others, which keep
            their tokens.
        block_end: end of the block; None: L.
    """
    mask, tokens, confidence = _predict(contract, logits, x, mask, block_end)
    transfer = first_k(order, confidence, check.counts("k", k, *x.shape))
    return Step.of(x, transfer, tokens, confidence)


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
    """All masked positions but those below tau; the first in rank whatever it has.

    The source drops what is less than tau, so a NaN confidence is transferred.

    Args:
        tau: the threshold, any number but NaN.
        block_end: end of the block; None: L.
    """
    tau = check.number("tau", tau)
    mask, tokens, confidence = _predict(contract, logits, x, mask, block_end)
    transfer = mask & contract.passes(confidence, tau)
    for row, masked in enumerate(mask.sum(dim=1).tolist()):
        # All are ranked, though one is needed: torch.topk's choice among equals depends on k.
        transfer[row, order(confidence[row], masked)[:1]] = True
    return Step.of(x, transfer, tokens, confidence)


def published_count(ranked: Sequence[float], factor: float) -> int:
    """How many of the ranked confidences the source's factor rule takes.

    It looks for the first rank r, from 0, whose confidence is below 1 - factor / (r + 2), 0 being
    exempt, and takes the r before it. But it cannot tell "the last one fails" from "none fails",
    and takes all n in both cases; so of two positions it always takes both.
    """
    last = len(ranked) - 1
    for rank, confidence in enumerate(ranked):
        if confidence < (1 - factor / (rank + 2) if rank else -1):
            break
    return rank + 1 if rank in (0, last) else rank


def paper_count(ranked: Sequence[float], factor: float) -> int:
    """How many the paper takes: the greatest n with (n + 1) * (1 - c_n) < factor, at least 1.

    c_n is the n-th in rank; evaluated in float64. What lies on the border is out here, and passes
    in the source. As confidences fall with n, those that hold are the first ones, but for NaN,
    which ranks first and never holds: it comes along if a later one holds.
    """
    holds = [n for n, c in enumerate(ranked, start=1) if (n + 1) * (1 - c) < factor]
    return max(holds, default=1)


def _factor(count: Callable[[Sequence[float], float], int]) -> Callable[..., Step]:
    def rule(
        contract: Contract,
        order: Order,
        logits: torch.Tensor,
        x: torch.Tensor,
        mask: torch.Tensor,
        *,
        factor: float,
        block_end: int | None = None,
    ) -> Step:
        """The first in rank, as many as their confidences allow.

        A row without masked positions gets none; the source at f6b35ec fails there with an
        IndexError, and later skips it.

        Args:
            factor: any number but NaN.
            block_end: end of the block; None: L.
        """
        factor = check.number("factor", factor)
        mask, tokens, confidence = _predict(contract, logits, x, mask, block_end)
        taken = []
        for row, masked in zip(confidence, mask, strict=True):
            ranked = torch.sort(row[masked], descending=True).values.tolist()
            taken.append(count(ranked, factor) if ranked else 0)
        return Step.of(x, first_k(order, confidence, taken), tokens, confidence)

    return rule


def _predict(
    contract: Contract,
    logits: torch.Tensor,
    x: torch.Tensor,
    mask: torch.Tensor,
    block_end: int | None,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The mask within the window, tokens to write, filled confidences."""
    mask = window(mask, block_end)
    tokens, confidence = contract.predict(logits)
    return mask, torch.where(mask, tokens, x), contract.filled(mask, confidence)


_SOURCE = "NVlabs/Fast-dLLM, llada/generate.py"

QUOTA = Contract(
    "fast_dllm_quota",
    f"{_SOURCE}, get_transfer_index without threshold, 2025-06 and f6b35ec",
    quota,
    confidence=torch.float64,
    order=topk,
)
THRESHOLD = Contract(
    "fast_dllm_threshold",
    f"{_SOURCE}, get_transfer_index with threshold, 2025-06 and f6b35ec",
    threshold,
    confidence=torch.float64,
    compare="not <",
    forced="the first in rank",
    order=topk,
)
FACTOR = Contract(
    "fast_dllm_factor",
    f"{_SOURCE}, get_transfer_index_dynamic, 2025-06 and f6b35ec",
    _factor(published_count),
    confidence=torch.float64,
    compare="not <",
    forced="the first in rank, and the last if all others pass",
    order=topk,
)
FACTOR_PAPER = Contract(
    "fast_dllm_factor_paper",
    "Fast-dLLM, arXiv 2505.22618, factor-based parallel decoding",
    _factor(paper_count),
    confidence=torch.float64,
    compare=">",
    forced="the first in rank",
)
