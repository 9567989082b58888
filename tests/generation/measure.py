"""What the tiny model has learned: its loss on text that it never saw, beside that of counting."""

from __future__ import annotations

import torch

from unmask.tests.generation.model import LENGTH, Trained, masked_loss
from unmask.tests.generation.text import END, Vocabulary, paragraphs

SHARE = 0.5  # of masks
SEED = 1


def losses(trained: Trained, held_out: bool) -> tuple[float, float]:
    """Mean loss in nats of a masked id: of the model, and of the ids' frequencies in training."""
    vocabulary = trained.vocabulary
    ids = vocabulary.encode(END.join(paragraphs(held_out)))
    rows = ids[: len(ids) // LENGTH * LENGTH].view(-1, LENGTH)
    mask = torch.rand(rows.shape, generator=torch.Generator().manual_seed(SEED)) < SHARE
    with torch.no_grad():
        model = masked_loss(trained.network, rows, mask, vocabulary.mask_id).sum() / mask.sum()
    return model.item(), -_frequencies(vocabulary)[rows[mask]].mean().item()


def _frequencies(vocabulary: Vocabulary) -> torch.Tensor:
    """Logarithms (V,) of how often an id occurs in training; every id is counted once more."""
    ids = vocabulary.encode(END.join(paragraphs(held_out=False)))
    counts = torch.bincount(ids, minlength=vocabulary.size) + 1
    return (counts / counts.sum()).log()
