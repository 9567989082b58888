"""The streaming step on the core's Verilog: lockstep, the model's cycles, PyTorch's ids."""

import pytest
import torch

from unmask.spec.formats import to_float
from unmask.tests.cosim import jobs
from unmask.tests.cosim.bench import Mismatch
from unmask.tests.cosim.block import Logits
from unmask.tests.cosim.runner import simulate

FORMATS = ["BF16", "E4M3_B32"]


def test_a_step_of_many_instructions():
    """More than a drawn program may have, after which the bench would halt it."""
    outcome = simulate(jobs.block_job(jobs.Block(8, "narrow-1x64", 16, 32, 64, ("BF16",))))
    assert outcome.failure is None, outcome.failure


def test_the_least_vocabulary():
    outcome = simulate(jobs.block_job(jobs.Block(8, "narrow-1x64", 1, 1, 2, ("BF16",))))
    assert outcome.failure is None, outcome.failure


def test_a_step():
    outcome = simulate(jobs.block_job(jobs.Block(8, "narrow-1x64", 2, 3, 1000)))
    assert outcome.failure is None, outcome.failure
    assert outcome.facts["cycles"].keys() == {*FORMATS}
    assert all(1 < ratio < 2 for ratio in outcome.facts["ratios"].values())


@pytest.mark.parametrize("form", FORMATS)
def test_other_ids_are_refused(form):
    """PyTorch's ids pass; with any one of them changed, chosen or not, they do not."""
    block = Logits.drawn(form, (2, 4, 500), 8, 8)
    logits = torch.from_numpy(to_float(block.codes).astype(float))
    mask = torch.from_numpy(block.masked)
    right = sample(logits, torch.from_numpy(block.ids), mask, block.k[0]).numpy()
    block.judge(right)
    assert ((right != block.ids).sum(1) == block.k).all()
    for place in range(8):
        other = right.copy()
        other.flat[place] = (other.flat[place] + 1) % 500
        row, position = divmod(place, 4)
        with pytest.raises(Mismatch, match=f"row {row}, position {position}: the core writes"):
            block.judge(other)


def sample(logits, x, mask, k):
    """LLaDA's rule, in its own words: float64 softmax, the k most confident masked positions."""
    confidence, token = torch.softmax(logits, -1).max(-1)
    confidence[~mask] = -1
    chosen = torch.zeros_like(mask).scatter(1, confidence.topk(k).indices, True)
    return torch.where(chosen, token, x)
