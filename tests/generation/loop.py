"""A generation with two samplers on the same logits: the published one leads, another one follows.

The loops are those of `unmask.spec.reference.generate`, unchanged: they are given a contract that
does the published step, shows its logits to the second sampler too, and writes down both.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from unmask.spec.reference import generate
from unmask.spec.reference.contract import Contract, Order, Step
from unmask.spec.reference.samplers import CONTRACTS
from unmask.tests.generation.model import Trained

Parameters = Mapping[str, Any]


class Chosen(Protocol):
    """What a sampler did; see `unmask.spec.reference.contract.Step`."""

    @property
    def x(self) -> torch.Tensor: ...
    @property
    def transfer(self) -> torch.Tensor: ...
    @property
    def tokens(self) -> torch.Tensor: ...


# Both: logits (B, L, V) bfloat16, x (B, L) int64, mask (B, L) bool, a contract's name, parameters.
Sampler = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, str, Parameters], Chosen]
# Whether any right sampler must write the same ids at this step.
Certify = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, str, Parameters], bool]


@dataclass(frozen=True)
class Compared:
    """A step, done by both samplers.

    Attributes:
        before: (B, L) int64, the ids before it.
        published: what the published sampler did; the generation goes on with its ids.
        second: what the other one did.
        certified: whether the two must agree.
    """

    before: torch.Tensor
    published: Step
    second: Chosen
    certified: bool

    @property
    def differs(self) -> torch.Tensor:
        """(B, L) bool, where they left different ids."""
        return self.published.x != self.second.x

    @property
    def verdict(self) -> str:
        """ "equal"; "margin": they differ, and may; or "wrong": they differ, and must not."""
        if not self.differs.any():
            return "equal"
        return "wrong" if self.certified else "margin"


@dataclass(frozen=True)
class Run:
    """A contract, the loop around it, and what both are given.

    Attributes:
        contract: a key of CONTRACTS.
        loop: a function of `unmask.spec.reference.generate`.
        parameters: of the loop and of the contract, but for the model, the prompt and the mask id.
    """

    contract: str
    loop: Callable[..., generate.Generation]
    parameters: Parameters


# LLaDA as its authors run it, an id at each step; the quotas of Fast-dLLM take two.
_BLOCKS = {"gen_length": 32, "block_length": 16, "steps": 32}
RUNS = (
    Run("llada_low_confidence", generate.llada, _BLOCKS),
    Run("llada_low_confidence_fp64", generate.llada, _BLOCKS),
    Run("fast_dllm_quota", generate.fast_dllm, {**_BLOCKS, "steps": 16}),
    Run("fast_dllm_threshold", generate.fast_dllm, {**_BLOCKS, "tau": 0.5}),
    Run("fast_dllm_v1_threshold", generate.fast_dllm, {**_BLOCKS, "tau": 0.5}),
)


def compare(
    trained: Trained, prompt: torch.Tensor, run: Run, second: Sampler, certify: Certify
) -> tuple[generate.Generation, list[Compared]]:
    """The published generation, and its steps beside those of a second sampler.

    Args:
        trained: called once for each step.
        prompt: (B, P) int64.
        run: contract, loop and their parameters.
        second: the sampler to judge.
        certify: which steps it must do alike.
    """
    steps: list[Compared] = []
    generation = run.loop(
        trained,
        prompt,
        _watched(CONTRACTS[run.contract], second, certify, steps),
        mask_id=trained.vocabulary.mask_id,
        published=True,
        **run.parameters,
    )
    return generation, steps


def _watched(
    contract: Contract, second: Sampler, certify: Certify, steps: list[Compared]
) -> Contract:
    """The contract, with every published step written to `steps` beside the second sampler's."""

    @functools.wraps(contract.rule)  # the loops look at the names of its parameters
    def rule(
        contract: Contract,
        order: Order,
        logits: torch.Tensor,
        x: torch.Tensor,
        mask: torch.Tensor,
        **parameters: Any,
    ) -> Step:
        published = inner(contract, order, logits, x, mask, **parameters)
        given = (logits, x, mask, contract.name, parameters)
        steps.append(Compared(x, published, second(*given), certify(*given)))
        return published

    inner = contract.rule
    return dataclasses.replace(contract, rule=rule)
