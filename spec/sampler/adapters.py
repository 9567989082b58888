"""The sampler inside two published programs.

LLaDA's `generate` chooses from `x0 = ...` to `x[transfer_index] = x0[transfer_index]`; that part
becomes `x = llada_update(logits, x, num_transfer_tokens[:, i], mask_id, block_end)`. SGLang's dLLM
algorithms have a method `step`; `LowConfidence` here is one.
"""

from __future__ import annotations

from typing import Any

import torch

from unmask.spec.sampler.step import sample_step


def llada_update(
    logits: torch.Tensor,
    x: torch.Tensor,
    num_transfer_tokens: torch.Tensor,
    mask_id: int,
    block_end: int,
) -> torch.Tensor:
    """The ids after one step of `generate` in generate.py of ML-GSAI/LLaDA, temperature 0.

    Args:
        logits: (B, N, V), as the loop has them: after guidance, if there is any.
        x: (B, N) int64.
        num_transfer_tokens: (B,) integers, of this step.
        mask_id: below V.
        block_end: prompt.shape[1] + (num_block + 1) * block_length.

    Returns:
        (B, N) int64, a new tensor.
    """
    k = num_transfer_tokens
    contract = "llada_low_confidence"
    return sample_step(logits, x, mask_id, contract, k=k, block_end=block_end).x


class LowConfidence:
    """`step` of SGLang's LowConfidence; mix it in before its base class.

        class Algorithm(adapters.LowConfidence, DllmAlgorithm): ...

    The base (sglang.srt.dllm.algorithm.base) owns the loops in `run`, which call `step`. Expected
    of it: `mask_id` and `block_size`, and in `config.algorithm_config` perhaps a "threshold".
    """

    mask_id: int
    block_size: int

    def __init__(self, config: Any) -> None:
        super().__init__(config)  # type: ignore[call-arg]  # that of DllmAlgorithm
        self.threshold = config.algorithm_config.get("threshold", 0.95)

    def step(self, forward_batch: Any, output: Any, states: list[Any]) -> list[bool]:
        """Fill `forward_batch.input_ids` in place; which blocks had no masks before.

        Args:
            forward_batch: `batch_size` B, and `input_ids` (B * block_size,) integers.
            output: the logits (B * block_size, V), or what has them as `full_logits`.
            states: of no use here.
        """
        logits = getattr(output, "full_logits", output)
        ids = forward_batch.input_ids.view(forward_batch.batch_size, self.block_size)
        done = (ids != self.mask_id).all(dim=1).tolist()
        rows, contract = logits.view(*ids.shape, -1), "sglang_low_confidence"
        step = sample_step(rows, ids.long(), self.mask_id, contract, tau=self.threshold)
        ids.copy_(step.x)
        return done
