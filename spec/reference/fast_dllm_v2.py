"""Fast-dLLM, second version: a threshold on bfloat16 probabilities, logits one row late.

`batch_sample` in v2/generation_functions.py of NVlabs/Fast-dLLM, with `sample_with_top_p` at
temperature 0. The token is the argmax of the probabilities as rounded to the dtype of the logits:
where two round to the same, the first wins, though its logit may be the lesser.
"""

from __future__ import annotations

import torch

from unmask.spec.reference import check
from unmask.spec.reference.contract import Contract, Order, Step, first_k, shifted


def threshold(
    contract: Contract,
    order: Order,
    logits: torch.Tensor,
    x: torch.Tensor,
    mask: torch.Tensor,
    *,
    tau: float,
) -> Step:
    """The masked positions above tau, and always the first greatest.

    L is a block. Of its sub-blocks, which are filled in turn, the source masks one at a time: set
    `mask` there alone.

    Args:
        tau: the threshold, any number but NaN.
    """
    tau = check.number("tau", tau)
    tokens, confidence = contract.predict(shifted(logits))
    confidence = contract.filled(mask, confidence)
    greatest = first_k(order, confidence, [1] * x.shape[0])
    transfer = (contract.passes(confidence, tau) | greatest) & mask
    return Step.of(x, transfer, tokens, confidence)


THRESHOLD = Contract(
    "fast_dllm_v2",
    "NVlabs/Fast-dLLM, v2/generation_functions.py, batch_sample at temperature 0",
    threshold,
    tokens="probabilities",
    compare=">",
    forced="the first greatest",
)
