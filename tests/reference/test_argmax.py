"""The oracle: what torch.argmax does is what we say it does."""

import numpy as np
import pytest
from hypothesis import given

from unmask.spec.reference.argmax import argmax
from unmask.tests.strategies import logits


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ([0x3F80, 0x4000, 0x4000], 1),  # ties: the first
        ([0xC000, 0xBF80, 0xBF80], 1),  # all negative
        ([0x8000, 0x0000], 0),  # -0 == +0, the first
        ([0x0000, 0x8000], 0),
        ([0x7F80, 0x7FC0, 0x7FC1], 1),  # NaN above +infinity, the first NaN
        ([0x7F80, 0xFFC0, 0x7FC0], 1),  # of either sign
        ([0xFF80, 0xFF80], 0),  # all -infinity
    ],
)
def test_rules(row, expected):
    for length in (len(row), 64, 1000):  # short and vectorised paths of PyTorch
        padded = row + [row[0]] * (length - len(row))
        assert argmax(np.array(padded, np.uint16)) == expected


def plain_argmax(row: list[int]) -> int:
    """First greatest, NaN greatest, in plain Python floats."""
    values = [float(np.array([code << 16], np.uint32).view(np.float32)[0]) for code in row]
    for place, value in enumerate(values):
        if value != value:
            return place
    return values.index(max(values))


@given(row=logits(1, 40))
def test_any_row(row):
    assert argmax(np.array(row, np.uint16)) == plain_argmax(row)
