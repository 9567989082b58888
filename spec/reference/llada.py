"""LLaDA: a quota of the most confident, or of random, masked positions.

`generate` in generate.py of ML-GSAI/LLaDA. Since June 2025 (commit f51cb17) the softmax has the
dtype of the logits, in practice bfloat16; before, it was float64. In bfloat16 all confidences above
1 - 2**-9 are 1: ties are the rule.

The window cuts confidences, not the mask. So k greater than the number of masked positions before
`block_end` reaches positions of confidence -infinity: there a position that is not masked keeps its
token, but a masked one behind the block gets one. In the published loop k never is that great.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from unmask.spec.reference import check
from unmask.spec.reference.contract import Contract, Order, Step, first_k, gather, topk, window

EOS, EOT = 126081, 126348


def low_confidence(
    contract: Contract,
    order: Order,
    logits: torch.Tensor,
    x: torch.Tensor,
    mask: torch.Tensor,
    *,
    k: int | Sequence[int] | torch.Tensor,
    block_end: int | None = None,
    temperature: float = 0.0,
    uniform: torch.Tensor | None = None,
    logits_eos_inf: bool = False,
    confidence_eos_eot_inf: bool = False,
    eos_id: int = EOS,
    eot_id: int = EOT,
) -> Step:
    """The k positions of greatest probability.

    Args:
        k: positions to transfer, of every row, 0 to L.
        block_end: end of the block; None: L.
        temperature: 0, or above: then the token is drawn, by float64 Gumbel noise, and its
            confidence is its probability without noise and temperature.
        uniform: (B, L, V) float64 in [0, 1), what the source draws; only with temperature.
        logits_eos_inf: whether the logit of `eos_id` is -infinity from the start.
        confidence_eos_eot_inf: whether it is, and that of `eot_id`, after the argmax. The source
            writes the first into the noisy logits, which at temperature 0 are the logits and above
            are a copy that nobody reads: there only `eot_id` is suppressed. At temperature 0 a
            position that predicts one of the two has confidence 0, the others' confidences rise;
            if no other logit is finite, it is NaN, the greatest.
        eos_id: below V if it is used.
        eot_id: below V if it is used.
    """
    tokens, confidence = _predict(
        contract,
        logits,
        check.number("temperature", temperature),
        uniform,
        [check.token_id("eos_id", eos_id, logits.shape[-1])] if logits_eos_inf else [],
        _suppressed(logits, temperature, eos_id, eot_id) if confidence_eos_eot_inf else [],
    )
    return _choose(contract, order, x, mask, tokens, confidence, k, block_end)


def random(
    contract: Contract,
    order: Order,
    logits: torch.Tensor,
    x: torch.Tensor,
    mask: torch.Tensor,
    *,
    k: int | Sequence[int] | torch.Tensor,
    uniform: torch.Tensor,
    block_end: int | None = None,
) -> Step:
    """The k positions of greatest random number; tokens are the greatest logits'.

    Args:
        k: positions to transfer, of every row, 0 to L.
        uniform: (B, L) float32 in [0, 1), what the source draws.
        block_end: end of the block; None: L.
    """
    confidence = check.uniform("uniform", uniform, tuple(x.shape), torch.float32)
    tokens = torch.argmax(logits, dim=-1)
    return _choose(contract, order, x, mask, tokens, confidence, k, block_end)


def _suppressed(logits: torch.Tensor, temperature: float, eos_id: int, eot_id: int) -> list[int]:
    eos = check.token_id("eos_id", eos_id, logits.shape[-1])
    eot = check.token_id("eot_id", eot_id, logits.shape[-1])
    return [eot] if temperature > 0 else [eos, eot]


def _predict(
    contract: Contract,
    logits: torch.Tensor,
    temperature: float,
    uniform: torch.Tensor | None,
    before: list[int],
    after: list[int],
) -> tuple[torch.Tensor, torch.Tensor]:
    """Tokens and confidences, with columns suppressed before and after the argmax."""
    if not 0 <= temperature < torch.inf:
        raise ValueError(f"temperature is {temperature}, expected a finite number, 0 or more")
    if (uniform is None) != (temperature == 0):
        wanted = "a tensor" if temperature else "None at temperature 0"
        raise ValueError(f"uniform is {'None' if uniform is None else 'given'}, expected {wanted}")
    logits = logits.clone()
    logits[..., before] = -torch.inf
    noisy = logits
    if uniform is not None:
        drawn = check.uniform("uniform", uniform, tuple(logits.shape), torch.float64)
        noisy = logits.double().exp() / (-torch.log(drawn)) ** temperature
    tokens = torch.argmax(noisy, dim=-1)
    logits[..., after] = -torch.inf
    return tokens, gather(contract.softmax(logits), tokens)


def _choose(
    contract: Contract,
    order: Order,
    x: torch.Tensor,
    mask: torch.Tensor,
    tokens: torch.Tensor,
    confidence: torch.Tensor,
    k: int | Sequence[int] | torch.Tensor,
    block_end: int | None,
) -> Step:
    confidence = contract.filled(window(mask, block_end), confidence)
    transfer = first_k(order, confidence, check.counts("k", k, *x.shape))
    return Step.of(x, transfer, torch.where(mask, tokens, x), confidence)


_SOURCE = "ML-GSAI/LLaDA, generate.py, generate"

LOW_CONFIDENCE = Contract(
    "llada_low_confidence",
    f"{_SOURCE}, remasking='low_confidence', since f51cb17 (2025-06-02)",
    low_confidence,
    order=topk,
)
LOW_CONFIDENCE_FP64 = Contract(
    "llada_low_confidence_fp64",
    f"{_SOURCE}, remasking='low_confidence', before f51cb17 (2025-06-02)",
    low_confidence,
    confidence=torch.float64,
    order=topk,
)
RANDOM = Contract(
    "llada_random",
    f"{_SOURCE}, remasking='random'",
    random,
    confidence=torch.float32,
    order=topk,
)
