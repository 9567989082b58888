"""A tiny masked diffusion language model, built and trained as LLaDA is.

A transformer that sees all positions at once: no causal mask, and no time, which the number of
masks tells. It is given ids with masks and predicts what stands at every position.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

from unmask.tests.generation.text import Vocabulary

CHECKPOINT = Path(__file__).with_name("checkpoint.pt")
LENGTH = 64  # positions
WIDTH = 96
LAYERS = 3
LOOKS = torch.tensor([[-1], [1], [-4], [4]])  # of each head, how far to the right at first
HEADS = len(LOOKS)


class Layer(nn.Module):
    """Attention, then two dense layers; each added to what comes in.

    To the attention of two positions a learned number is added, by how far apart they are. It
    starts with heads that look a little to the left or right of a position: a network so small
    would be long in finding its neighbours.
    """

    def __init__(self) -> None:
        super().__init__()
        self.before_attention = nn.LayerNorm(WIDTH)
        self.queries_keys_values = nn.Linear(WIDTH, 3 * WIDTH)
        self.near = nn.Parameter(-(torch.arange(1 - LENGTH, LENGTH) - LOOKS).abs() / LOOKS.abs())
        self.after_attention = nn.Linear(WIDTH, WIDTH)
        self.before_dense = nn.LayerNorm(WIDTH)
        self.up = nn.Linear(WIDTH, 2 * WIDTH)
        self.down = nn.Linear(2 * WIDTH, WIDTH)

    def forward(self, stream: torch.Tensor) -> torch.Tensor:
        """(B, N, WIDTH) -> the same."""
        rows, length, _ = stream.shape
        joint = self.queries_keys_values(self.before_attention(stream))
        heads = joint.view(rows, length, 3, HEADS, -1).permute(2, 0, 3, 1, 4)
        queries, keys, values = heads.unbind()
        place = torch.arange(length)
        near = self.near[:, LENGTH - 1 + place - place.unsqueeze(1)]
        seen = functional.scaled_dot_product_attention(queries, keys, values, near)
        stream = stream + self.after_attention(seen.transpose(1, 2).flatten(2))
        return stream + self.down(functional.relu(self.up(self.before_dense(stream))))


class Network(nn.Module):
    """Ids to logits."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.ids = nn.Embedding(vocabulary, WIDTH)
        self.layers = nn.Sequential(*(Layer() for _ in range(LAYERS)))
        self.norm = nn.LayerNorm(WIDTH)
        self.bias = nn.Parameter(torch.zeros(vocabulary))
        nn.init.normal_(self.ids.weight, std=WIDTH**-0.5)  # it also makes the logits

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """(B, N) int64, N at most LENGTH -> (B, N, V) float32."""
        seen = self.norm(self.layers(self.ids(ids)))
        return functional.linear(seen, self.ids.weight, self.bias)


@dataclass(frozen=True)
class Trained:
    """What a checkpoint holds.

    Attributes:
        network: with weights that are bfloat16 numbers, computing in float32.
        vocabulary: its ids.
    """

    network: Network
    vocabulary: Vocabulary

    @torch.no_grad()
    def __call__(self, ids: torch.Tensor) -> torch.Tensor:
        """(B, N) int64 -> logits (B, N, V), bfloat16 as those of the published models."""
        return self.network(ids).bfloat16()

    def save(self, path: Path = CHECKPOINT) -> None:
        weights = {name: tensor.bfloat16() for name, tensor in self.network.state_dict().items()}
        pieces = list(self.vocabulary.pieces)
        torch.save({"weights": weights, "pieces": pieces, "size": self.vocabulary.size}, path)

    @classmethod
    def load(cls, path: Path = CHECKPOINT) -> Trained:
        """Runs nothing that the file holds: it is read as tensors, lists and numbers only."""
        held = torch.load(path, weights_only=True)
        network = Network(held["size"])
        network.load_state_dict(held["weights"])
        return cls(network, Vocabulary(tuple(held["pieces"]), held["size"]))


def masked_loss(
    network: Network, ids: torch.Tensor, mask: torch.Tensor, mask_id: int
) -> torch.Tensor:
    """Cross entropy in nats of every id, 0 where it is not masked.

    Args:
        ids: (B, N) int64, without masks.
        mask: (B, N) bool, what to hide.
        mask_id: what hides it.

    Returns:
        (B, N) float32.
    """
    logits = network(torch.where(mask, mask_id, ids))
    return functional.cross_entropy(logits.transpose(1, 2), ids, reduction="none") * mask
