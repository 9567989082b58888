"""One step of a published sampler, computed as the core does it: by keys of softmax states."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from unmask.spec.reference import check
from unmask.spec.reference.contract import shifted
from unmask.spec.reference.rules import Rule, Shape, rule_of
from unmask.spec.reference.samplers import CONTRACTS
from unmask.spec.sampler.end import End, finish
from unmask.spec.sampler.rounding import lowered, to_bfloat16
from unmask.spec.sampler.rows import Patch, banned, row_states
from unmask.spec.sampler.select import choose
from unmask.spec.softmax import EMPTY, MOST_ELEMENTS, NAN_FIRST


@dataclass(frozen=True)
class Sampled:
    """What a step did; all (B, L), on the device of the logits.

    Attributes:
        x: int64, the ids after it.
        transfer: bool, the positions that got a token.
        tokens: int64, what is written where `transfer` is set; elsewhere what is predicted.
        key: int64, the 32-bit rank, ascending from the most confident (`softmax.key32`).
        confidence: bfloat16, of the predicted token, correctly rounded from the key.
        inexact: int64, how many logits of the row were rounded.
        status: int64, STATUS_ bits of `unmask.spec.softmax`.
    """

    x: torch.Tensor
    transfer: torch.Tensor
    tokens: torch.Tensor
    key: torch.Tensor
    confidence: torch.Tensor
    inexact: torch.Tensor
    status: torch.Tensor


def sample_step(
    logits: torch.Tensor,
    x: torch.Tensor,
    mask: torch.Tensor | int,
    contract: str,
    **parameters: Any,
) -> Sampled:
    """The step of a contract, with confidences exact to `numerics.R` in any dtype.

    Equal to the contract's `oracle` on the same logits wherever the keys decide the order
    (`numerics.certified`, `numerics.decided`) and PyTorch's rounding does not reverse it. Logits
    are read as BF16: those of a wider dtype are rounded to nearest even first (with `penalty`,
    after it again), and the step is that of the rounded logits in their own dtype.

    Args:
        logits: (B, L, V) bfloat16, float16, float32 or float64, V at most 2**18; not changed.
        x: (B, L) int64, ids from 0 to V - 1.
        mask: (B, L) bool, which positions are masked; or the mask id.
        contract: a name of `unmask.spec.reference.samplers.CONTRACTS`.
        parameters: what the contract's rule takes; temperature 0.

    Raises:
        ValueError: names the argument, its value, and what was expected. (To check the ids waits
            for a GPU; nothing else does but counts given as tensors and dInfer's rule.)
    """
    if torch.compiler.is_compiling():
        from unmask.spec.sampler.operators import traced_step

        return traced_step(logits, x, mask, contract, parameters)
    return step(logits, x, mask, contract, parameters)


def step(
    logits: torch.Tensor,
    x: torch.Tensor,
    mask: torch.Tensor | int,
    contract: str,
    parameters: dict[str, Any],
) -> Sampled:
    """`sample_step` as it runs."""
    check.scores("logits", logits)
    check.name("contract", contract)
    _check_place(logits, {"x": x, "mask": mask, **parameters})
    masked = check.step(logits, x, mask)
    batch, length, vocabulary = logits.shape
    if vocabulary > MOST_ELEMENTS:
        raise ValueError(f"logits has V = {vocabulary}, expected at most {MOST_ELEMENTS}")
    rule = rule_of(contract, Shape(batch, length, vocabulary, logits.dtype), **parameters)
    end, inexact = _predict(rule, logits, x)
    token = end.token
    if CONTRACTS[contract].tokens == "probabilities":  # all of them NaN: the first is the greatest
        token = torch.where(end.key == NAN_FIRST, 0, token)
    transfer = choose(rule, end.key, token, x, masked)
    if rule.refill is not None:
        token = torch.where(masked, token, rule.refill)
    written = torch.where(transfer, token, x)
    return Sampled(written, transfer, token, end.key, end.confidence, inexact, end.status)


def _check_place(logits: torch.Tensor, arguments: dict[str, Any]) -> None:
    place = logits.device
    for name in arguments.keys() - {"k", "q"}:  # counts are read on the CPU anyway
        value = arguments[name]
        if isinstance(value, torch.Tensor) and value.device != place:
            raise ValueError(f"{name} is on {value.device}, expected {place} like logits")


def _predict(rule: Rule, logits: torch.Tensor, x: torch.Tensor) -> tuple[End, torch.Tensor]:
    """The end of the row that decides each position, and how many of its logits were rounded."""
    patch = banned(logits, rule.banned) if rule.banned else None
    if rule.penalty:
        patch = _penalised(rule.penalty, logits, x)
    packed, inexact = row_states(logits, patch)
    if rule.shift:
        packed, inexact = shifted(packed), shifted(inexact)
    end = finish(packed)
    if rule.hidden:
        end = _hide(rule, logits, end)
    return end, inexact


def _penalised(penalty: float, logits: torch.Tensor, x: torch.Tensor) -> Patch:
    """In each row but the first the logit of the token one position before, lowered."""
    places = shifted(x).unsqueeze(-1)
    before = to_bfloat16(logits.detach().gather(-1, places))
    values = lowered(before, penalty, logits.dtype)
    values[:, 0] = before[:, 0]
    return Patch(places, values)


def _hide(rule: Rule, logits: torch.Tensor, end: End) -> End:
    """The same tokens with their confidences once `hidden` ids have none.

    Ids that are banned from the start stay so: this is another pass over the logits as they came.
    """
    other = finish(row_states(logits, banned(logits, rule.banned + rule.hidden))[0])
    hidden = torch.tensor(rule.hidden, device=logits.device)
    lost = torch.isin(end.token, hidden) & (other.key != NAN_FIRST)
    return end._replace(
        key=torch.where(lost, EMPTY, other.key),
        confidence=torch.where(lost, 0, other.confidence),
    )
