"""The second sampler and its certificate: those of the product."""

from __future__ import annotations

import torch

from unmask.spec.certificates.certificate import certify as certificate
from unmask.spec.sampler.step import Sampled, sample_step
from unmask.tests.generation.loop import Parameters


def sample(
    logits: torch.Tensor, x: torch.Tensor, mask: torch.Tensor, name: str, parameters: Parameters
) -> Sampled:
    """The step by keys of softmax states."""
    return sample_step(logits, x, mask, name, **parameters)


def certify(
    logits: torch.Tensor, x: torch.Tensor, mask: torch.Tensor, name: str, parameters: Parameters
) -> bool:
    """Whether PyTorch, in the dtype of the contract, provably writes the same ids.

    Raises:
        AssertionError: if our own set is not admissible, which no margin excuses.
    """
    found = certificate(logits, x, mask, name, exact="open", **parameters)
    for row in found.rows:
        assert row.refused is None, row.refused
    return all(
        row.as_published[found.dtype] and bool(row.tokens[found.dtype][row.transfer].all())
        for row in found.rows
    )
