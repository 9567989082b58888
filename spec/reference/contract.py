"""A sampling contract: what one step of a published sampler does with its logits.

All take logits (B, L, V), ids x (B, L) int64 and which positions are masked, (B, L) bool; they
predict a token and a confidence for each position, and choose the positions that get their token.
The published programs differ in everything that decides ties and borders, so each is a `Contract`
of its own. Temperature is 0 except where a contract says otherwise.

Two versions of each. `as_published` ranks by the operation that the source calls; what torch.topk
and torch.sort do with equal values is not specified by PyTorch and differs between CPU and CUDA.
`oracle` takes the lowest positions among equals: what hardware must equal in a step whose ranking
is certified (`unmask.spec.numerics`). Both compute confidences with this PyTorch, on the device of
the logits: their last bit is PyTorch's own.

What PyTorch makes of odd rows, here without exception:

    a NaN among the logits, or +infinity    every probability, and so the confidence, is NaN; the
                                            token is the first NaN (or +infinity) if the argmax is
                                            of the logits, and 0 if it is of the probabilities
    all -infinity                           token 0, confidence NaN
    a confidence that is NaN                ranks above all others, the first NaN first; every
                                            comparison with it is false

The mask id is a token like others, unless a contract says otherwise: a position for which it is
predicted is transferred and stays masked.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from unmask.spec.reference import check

# Positions (k,) of the k greatest of confidences (L,), greatest first.
Order = Callable[[torch.Tensor, int], torch.Tensor]


def topk(confidence: torch.Tensor, k: int) -> torch.Tensor:
    """`torch.topk`: which of equals, and in which order, is not specified.

    PyTorch's code for NVIDIA GPUs (aten/native/cuda/TensorTopK.cu) happens to take the lowest
    positions; that for CPUs (aten/native/TopKImpl.h) does not.
    """
    return torch.topk(confidence, k).indices


def sort(confidence: torch.Tensor, k: int) -> torch.Tensor:
    """`torch.sort`, which is not stable unless asked."""
    return torch.sort(confidence, descending=True).indices[:k]


def stable(confidence: torch.Tensor, k: int) -> torch.Tensor:
    """The lowest position among equals; all NaN are equal, and greatest."""
    return torch.sort(confidence, descending=True, stable=True).indices[:k]


@dataclass(frozen=True)
class Step:
    """What a step did.

    Attributes:
        x: (B, L) int64, the ids after it.
        transfer: (B, L) bool, which positions the source writes to; some of these writes change
            nothing.
        tokens: (B, L) int64, what is written where `transfer` is set.
        confidence: (B, L), what was ranked or compared, fill included.
    """

    x: torch.Tensor
    transfer: torch.Tensor
    tokens: torch.Tensor
    confidence: torch.Tensor

    @classmethod
    def of(
        cls,
        x: torch.Tensor,
        transfer: torch.Tensor,
        tokens: torch.Tensor,
        confidence: torch.Tensor,
    ) -> Step:
        """The step that writes `tokens` where `transfer` says."""
        return cls(torch.where(transfer, tokens, x), transfer, tokens, confidence)


# (contract, order, logits, x, mask, named parameters) -> Step
Rule = Callable[..., Step]


@dataclass(frozen=True)
class Contract:
    """One published sampler's step.

    Attributes:
        name: key in `samplers.CONTRACTS`.
        source: public repository, file and function, and the version if it matters.
        rule: what chooses; its keyword arguments are the contract's parameters.
        tokens: what the argmax is of, "logits" or "probabilities" (rounded to `confidence`).
        confidence: dtype of the softmax; None: that of the logits.
        compare: how a confidence passes a threshold: ">", ">=", or "not <", which NaN passes;
            empty if there is none. A threshold is rounded to the dtype of the confidences first.
        forced: what is transferred although it does not pass.
        fill: confidence of positions that are not masked: "-inf" or "finfo.min".
        order: how the source ranks; `stable` where it has no ranking, or only argmax or max, whose
            first maximum is specified: then `as_published` and `oracle` are the same.
    """

    name: str
    source: str
    rule: Rule
    tokens: str = "logits"
    confidence: torch.dtype | None = None
    compare: str = ""
    forced: str = ""
    fill: str = "-inf"
    order: Order = stable

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names that `as_published` and `oracle` take after logits, x and mask."""
        found = inspect.signature(self.rule).parameters.values()
        return tuple(x.name for x in found if x.kind is inspect.Parameter.KEYWORD_ONLY)

    @property
    def required(self) -> tuple[str, ...]:
        """Those of them that have no default."""
        found = inspect.signature(self.rule).parameters
        return tuple(x for x in self.parameters if found[x].default is inspect.Parameter.empty)

    def as_published(
        self, logits: torch.Tensor, x: torch.Tensor, mask: torch.Tensor | int, **parameters: Any
    ) -> Step:
        """The step as its source does it on this device.

        Args:
            logits: (B, L, V), any floating dtype; not changed.
            x: (B, L) int64, ids from 0 to V - 1.
            mask: (B, L) bool, or the mask id.
            parameters: see the contract's rule.

        Raises:
            ValueError: names the argument, its value, and what was expected.
        """
        return self.rule(self, self.order, logits, x, check.step(logits, x, mask), **parameters)

    def oracle(
        self, logits: torch.Tensor, x: torch.Tensor, mask: torch.Tensor | int, **parameters: Any
    ) -> Step:
        """The same with the lowest position first among equals."""
        return self.rule(self, stable, logits, x, check.step(logits, x, mask), **parameters)

    # -- for the rules -------------------------------------------------------------------------
    def predict(self, logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Tokens (B, L) int64 and their confidences (B, L), of every position."""
        probabilities = self.softmax(logits)
        of = logits if self.tokens == "logits" else probabilities
        tokens = torch.argmax(of, dim=-1)
        return tokens, gather(probabilities, tokens)

    def softmax(self, logits: torch.Tensor) -> torch.Tensor:
        """Probabilities in the dtype of the contract."""
        return torch.softmax(logits.to(self.confidence or logits.dtype), dim=-1)

    def filled(self, mask: torch.Tensor, confidence: torch.Tensor) -> torch.Tensor:
        """Confidences with the fill where nothing is masked."""
        lowest = torch.finfo(confidence.dtype).min if self.fill == "finfo.min" else -torch.inf
        return torch.where(mask, confidence, lowest)

    def passes(self, confidence: torch.Tensor, tau: float) -> torch.Tensor:
        """Which confidences pass a threshold."""
        if self.compare == ">":
            return confidence > tau
        return confidence >= tau if self.compare == ">=" else ~(confidence < tau)


def gather(rows: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    """rows[b, l, tokens[b, l]], (B, L)."""
    return torch.gather(rows, -1, tokens.unsqueeze(-1)).squeeze(-1)


def shifted(logits: torch.Tensor) -> torch.Tensor:
    """Row r for position r + 1, as models trained to predict the next token give them; row 0 is
    used twice."""
    return torch.cat([logits[:, :1], logits[:, :-1]], dim=1)


def window(mask: torch.Tensor, block_end: int | None) -> torch.Tensor:
    """The masked positions before the end of the block; None: all."""
    if block_end is None:
        return mask
    end = check.natural("block_end", block_end, 0, mask.shape[1])
    return mask & (torch.arange(mask.shape[1], device=mask.device) < end)


def first_k(order: Order, confidence: torch.Tensor, quota: list[int]) -> torch.Tensor:
    """Transfer (B, L): the first quota[b] of every row b."""
    transfer = torch.zeros_like(confidence, dtype=torch.bool)
    for row, k in enumerate(quota):
        transfer[row, order(confidence[row], k)] = True
    return transfer
