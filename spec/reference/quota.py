"""How many positions a step transfers: the schedules of the published samplers."""

from __future__ import annotations

import torch

from unmask.spec.reference import check


def even(mask: torch.Tensor, steps: int) -> torch.Tensor:
    """A block's masked positions, spread over its steps; the first steps take the remainder.

    From `get_num_transfer_tokens` in generate.py of ML-GSAI/LLaDA; Fast-dLLM has the same. Computed
    once, before the block's first step.

    Args:
        mask: (B, block length) bool.
        steps: of the block, at least 1; more than positions gives steps that transfer none.

    Returns:
        (B, steps) int64; row b sums to the number of masked positions in it.
    """
    if not isinstance(mask, torch.Tensor) or mask.dim() != 2:
        got = tuple(mask.shape) if isinstance(mask, torch.Tensor) else repr(mask)
        raise ValueError(f"mask is {got}, expected a tensor of shape (B, L)")
    check.like("mask", mask, tuple(mask.shape), torch.bool)
    masked = mask.sum(dim=1, keepdim=True)
    place = torch.arange(check.natural("steps", steps, 1), device=mask.device)
    return masked // steps + (place < masked % steps)


def even_block(block_length: int, steps: int) -> list[int]:
    """The same over all positions of a block, whether masked or not.

    From `generate` in modeling_llada2_moe.py of LLaDA2.0, mirrored by `even_transfer_schedule` in
    pipelines/llada2/sampler.py of ZHZisZZ/dllm. So masks that a prompt has taken from a block are
    still counted, and the quota of a late step may exceed what is left.
    """
    length = check.natural("block_length", block_length)
    share, rest = divmod(length, check.natural("steps", steps, 1))
    return [share + (place < rest) for place in range(steps)]


def dream(mask: torch.Tensor, step: int, steps: int, eps: float = 1e-3) -> int:
    """Positions that step `step` of `steps` transfers, in every row of the batch.

    From `_sample` in generation_utils.py of Dream (HKUNLP): of n masked positions, n * (1 - s / t)
    with times t and s at the step's begin and end, in float32 and truncated; the last step takes
    n. n is the mean over the batch, so rows with fewer masks get a quota that exceeds them.

    Args:
        mask: (B, L) bool, before the step.
        step: from 0 to steps - 1.
        steps: at least 1.
        eps: the last time; above 0, below 1.
    """
    check.like("mask", mask, tuple(mask.shape), torch.bool)
    check.natural("step", step, 0, check.natural("steps", steps, 1) - 1)
    if not 0 < check.number("eps", eps) < 1:
        raise ValueError(f"eps is {eps!r}, expected a number above 0 and below 1")
    masked = mask.sum() / mask.shape[0]
    if step == steps - 1:
        return int(masked)
    times = torch.linspace(1, eps, steps + 1, device=mask.device)
    return int(masked * (1 - times[step + 1] / times[step]))
