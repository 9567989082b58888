"""The streaming step on the core's Verilog: lockstep, the model's cycles, PyTorch's ids."""

import pytest
import torch

from unmask.spec.formats import to_float
from unmask.tests.cosim import jobs
from unmask.tests.cosim.bench import Mismatch
from unmask.tests.cosim.real_block import Block
from unmask.tests.cosim.runner import simulate

FORMATS = ["BF16", "E4M3_B32"]


def test_a_step():
    outcome = simulate(jobs.real_block_job(8, "narrow-1x64", 4, 1000, FORMATS))
    assert outcome.failure is None, outcome.failure
    assert outcome.facts["cycles"].keys() == {*FORMATS}
    assert all(1 < ratio < 1.5 for ratio in outcome.facts["ratios"].values())


@pytest.mark.parametrize("form", FORMATS)
def test_other_ids_are_refused(form):
    """PyTorch's ids pass; with any one of them changed, chosen or not, they do not."""
    block = Block.drawn(form, 8, 500, 8, 8)
    logits = torch.from_numpy(to_float(block.codes).astype(float))
    mask = torch.from_numpy(block.masked)
    ids = sample(logits, torch.from_numpy(block.ids), mask, block.k)
    right = ids[0].numpy()
    block.judge(right)
    assert (right != block.ids[0]).sum() == block.k
    for place in range(8):
        other = right.copy()
        other[place] = (other[place] + 1) % 500
        with pytest.raises(Mismatch, match=f"position {place}: the core writes {other[place]}"):
            block.judge(other)


def sample(logits, x, mask, k):
    """LLaDA's rule, in its own words: float64 softmax, the k most confident masked positions."""
    confidence, token = torch.softmax(logits, -1).max(-1)
    confidence[~mask] = -1
    chosen = torch.zeros_like(mask).scatter(1, confidence.topk(k).indices, True)
    return torch.where(chosen, token, x)
