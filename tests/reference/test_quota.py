"""The schedules."""

import math
from fractions import Fraction

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from unmask.spec.reference import quota


@given(
    st.lists(st.lists(st.booleans(), min_size=8, max_size=8), min_size=1, max_size=3),
    st.integers(1, 20),
)
def test_even(rows, steps):
    found = quota.even(torch.tensor(rows), steps)
    assert found.dtype == torch.int64
    for row, got in zip(rows, found.tolist(), strict=True):
        dealt = [0] * steps
        for card in range(sum(row)):  # one by one, round and round
            dealt[card % steps] += 1
        assert got == dealt


@given(st.integers(0, 64), st.integers(1, 70))
def test_even_block(length, steps):
    whole = torch.ones(1, length, dtype=torch.bool)
    assert quota.even_block(length, steps) == quota.even(whole, steps)[0].tolist()


@pytest.mark.parametrize("steps", [1, 2, 8, 64, 512])
def test_dream_takes_all_in_the_end(steps):
    left = steps
    taken = []
    for step in range(steps):
        mask = torch.zeros(1, steps, dtype=torch.bool)
        mask[0, :left] = True
        taken.append(quota.dream(mask, step, steps))
        left -= taken[-1]
    assert left == 0
    if steps > 2:  # as many steps as positions: none, then one at a time, and two at the end
        assert taken == [0, *[1] * (steps - 2), 2]


def test_dream_truncates_a_float32_product():
    """Exactly 37, float32 gives 36 for 149 masks (step 23 of 27), and float64 for 112 (step 24)."""
    for masks, step, taken, in_float64 in [(149, 23, 36, 37), (112, 24, 37, 36)]:
        times = [1 - Fraction(999, 1000) * at / 27 for at in (step, step + 1)]
        assert masks * (1 - times[1] / times[0]) == 37
        assert quota.dream(torch.ones(1, masks, dtype=torch.bool), step, 27) == taken
        wide = torch.linspace(1, 1e-3, 28, dtype=torch.float64)
        assert int(masks * (1 - wide[step + 1] / wide[step])) == in_float64


def test_dream_takes_the_mean_of_a_batch():
    mask = torch.tensor([[True] * 5 + [False] * 3, [True] * 2 + [False] * 6])
    assert quota.dream(mask, 3, 4) == 3  # of 3.5


@pytest.mark.parametrize(
    ("call", "parts"),
    [
        (lambda: quota.even(torch.ones(2, 3), 1), ("mask", "torch.float32", "torch.bool")),
        (lambda: quota.even(torch.ones(3, dtype=torch.bool), 1), ("mask", "(3,)", "(B, L)")),
        (lambda: quota.even(torch.ones(1, 3, dtype=torch.bool), 0), ("steps", "0", "from 1")),
        (lambda: quota.even_block(-1, 1), ("block_length", "-1")),
        (lambda: quota.even_block(4, 0), ("steps", "0")),
        (lambda: quota.dream(torch.ones(1, 3), 0, 1), ("mask", "torch.float32")),
        (lambda: quota.dream(torch.ones(1, 3, dtype=torch.bool), 2, 2), ("step", "2", "0 to 1")),
        (lambda: quota.dream(torch.ones(1, 3, dtype=torch.bool), 0, 2, 1.0), ("eps", "1.0")),
        (lambda: quota.dream(torch.ones(1, 3, dtype=torch.bool), 0, 2, math.nan), ("eps", "nan")),
    ],
)
def test_bad_input(call, parts):
    with pytest.raises(ValueError) as caught:
        call()
    assert all(part in str(caught.value) for part in (*parts, "expected"))
