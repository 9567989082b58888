"""Whole generations: the loops around the contracts that have a schedule of their own.

A model is any function from ids (B, N) to logits (B, N, V). The published loops with a cache of
keys and values call it with fewer positions and other activations, but choose by the same rules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from unmask.spec.reference import check, quota
from unmask.spec.reference.contract import Contract, Step, window

Model = Callable[[torch.Tensor], torch.Tensor]
# Parameters of a single step, by the number of the call from 0: random numbers, say.
Tape = Callable[[int], Mapping[str, Any]]


@dataclass(frozen=True)
class Generation:
    """A finished generation.

    Attributes:
        x: (B, prompt + generated) int64.
        trace: every step; there was one call of the model for each.
        complete: whether no masks are left.
    """

    x: torch.Tensor
    trace: tuple[Step, ...]
    complete: bool


@dataclass
class _Run:
    """A generation under way."""

    model: Model
    contract: Contract
    published: bool
    mask_id: int
    x: torch.Tensor
    trace: list[Step]

    @classmethod
    def start(
        cls,
        model: Model,
        prompt: torch.Tensor,
        contract: Contract,
        published: bool,
        mask_id: int,
        length: int,
    ) -> _Run:
        if not isinstance(prompt, torch.Tensor) or prompt.dim() != 2 or not len(prompt):
            got = tuple(prompt.shape) if isinstance(prompt, torch.Tensor) else repr(prompt)
            raise ValueError(f"prompt is {got}, expected a tensor of shape (B, P), B at least 1")
        check.like("prompt", prompt, tuple(prompt.shape), torch.int64)
        check.natural("mask_id", mask_id)
        masks = torch.full((len(prompt), length), mask_id, device=prompt.device)
        return cls(model, contract, published, mask_id, torch.cat([prompt, masks], dim=1), [])

    def masked(self) -> torch.Tensor:
        return self.x == self.mask_id

    def step(self, parameters: Mapping[str, Any]) -> None:
        select = self.contract.as_published if self.published else self.contract.oracle
        done = select(self.model(self.x), self.x, self.mask_id, **parameters)
        self.x = done.x
        self.trace.append(done)

    def end(self) -> Generation:
        return Generation(self.x, tuple(self.trace), not self.masked().any())


def _blocks(
    prompt: int, gen_length: int, block_length: int, steps: int
) -> tuple[list[tuple[int, int]], int]:
    """Begin and end of every block, and the steps of each."""
    check.natural("gen_length", gen_length, 1)
    check.natural("block_length", block_length, 1, gen_length)
    if gen_length % block_length:
        raise ValueError(f"gen_length is {gen_length}, expected a multiple of {block_length}")
    count = gen_length // block_length
    if check.natural("steps", steps, 1) % count:
        raise ValueError(f"steps is {steps}, expected a multiple of the {count} blocks")
    begins = range(prompt, prompt + gen_length, block_length)
    return [(begin, begin + block_length) for begin in begins], steps // count


def _quotas(run: _Run, begin: int, end: int, steps: int) -> Iterator[torch.Tensor]:
    """A block's quotas (B,), of its steps in turn."""
    return iter(quota.even(run.masked()[:, begin:end], steps).unbind(dim=1))


def llada(
    model: Model,
    prompt: torch.Tensor,
    contract: Contract,
    *,
    gen_length: int,
    block_length: int,
    steps: int,
    mask_id: int,
    published: bool = False,
    tape: Tape | None = None,
    **parameters: Any,
) -> Generation:
    """LLaDA's loop, of `generate` in generate.py of ML-GSAI/LLaDA, without guidance.

    Exactly `steps` calls of the model. A position for which the mask id is predicted stays masked
    and is ranked again at every later step, in later blocks, too: what it takes of their quotas is
    missing in the end.

    Args:
        model: (B, N) int64 -> (B, N, V).
        prompt: (B, P) int64.
        contract: one of `llada`.
        gen_length: ids to generate, a multiple of `block_length`.
        block_length: ids in a block.
        steps: of all blocks together, a multiple of their number.
        mask_id: below V.
        published: rank as published; else by the oracle.
        tape: parameters of single steps (`uniform`).
        parameters: of all steps.
    """
    blocks, share = _blocks(prompt.shape[-1], gen_length, block_length, steps)
    run = _Run.start(model, prompt, contract, published, mask_id, gen_length)
    for begin, end in blocks:
        for k in _quotas(run, begin, end, share):
            drawn = tape(len(run.trace)) if tape else {}
            run.step({"k": k, "block_end": end, **parameters, **drawn})
    return run.end()


def fast_dllm(
    model: Model,
    prompt: torch.Tensor,
    contract: Contract,
    *,
    gen_length: int,
    block_length: int,
    steps: int,
    mask_id: int,
    published: bool = False,
    most: int | None = None,
    **parameters: Any,
) -> Generation:
    """Fast-dLLM's loop, of `generate` in llada/generate.py of NVlabs/Fast-dLLM.

    A block ends when none of its positions is masked. The published loop has no other end: where
    the mask id is predicted again and again it goes on for ever, or, with quotas, fails with an
    IndexError after the steps of the block. This one goes on to the next block instead, after
    `most` calls of the model. (So does the published loop with two caches in v1/, after the steps
    of the block.)

    Args:
        model: (B, N) int64 -> (B, N, V).
        prompt: (B, P) int64.
        contract: one of `fast_dllm` or `fast_dllm_v1`.
        gen_length: ids to generate, a multiple of `block_length`.
        block_length: ids in a block.
        steps: of all blocks together, a multiple of their number; counts with quotas alone.
        mask_id: below V.
        published: rank as published; else by the oracle.
        most: calls in a block; None: the steps of the block with quotas, else as many as a row has
            masks up to the block's end, which is enough for a model that never predicts the mask.
        parameters: of all steps: `tau` or `factor`.
    """
    blocks, share = _blocks(prompt.shape[-1], gen_length, block_length, steps)
    run = _Run.start(model, prompt, contract, published, mask_id, gen_length)
    if most is not None:
        check.natural("most", most, 1)
    by_quota = "k" in contract.parameters
    for begin, end in blocks:
        quotas = _quotas(run, begin, end, share)
        needed = int(window(run.masked(), end).sum(dim=1).max())
        limit = share if by_quota else needed if most is None else most
        for _ in range(limit if most is None else min(limit, most)):
            counted = {"k": next(quotas)} if by_quota else {}
            run.step({"block_end": end, **counted, **parameters})
            if not run.masked()[:, begin:end].any():
                break
    return run.end()


def dream(
    model: Model,
    prompt: torch.Tensor,
    contract: Contract,
    *,
    gen_length: int,
    steps: int,
    mask_id: int,
    eps: float = 1e-3,
    published: bool = False,
) -> Generation:
    """Dream's loop, of `_sample` in generation_utils.py of HKUNLP/Dream, without blocks.

    Exactly `steps` calls of the model.

    Args:
        model: (B, N) int64 -> (B, N, V), row r being the logits of position r + 1.
        prompt: (B, P) int64.
        contract: one of `dream`.
        gen_length: ids to generate.
        steps: at least 1.
        mask_id: below V.
        eps: see `quota.dream`.
        published: rank as published; else by the oracle.
    """
    check.natural("gen_length", gen_length, 1)
    run = _Run.start(model, prompt, contract, published, mask_id, gen_length)
    for step in range(check.natural("steps", steps, 1)):
        k = quota.dream(run.masked(), step, steps, eps)
        run.step({"k": k, "mask_id": mask_id})
    return run.end()
