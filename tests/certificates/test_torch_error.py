"""PyTorch's confidences lie where the stated errors let them, and its sets are those certified."""

from __future__ import annotations

from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from unmask.spec.certificates import exact, torch_error
from unmask.spec.formats import from_float, to_float
from unmask.spec.reference import families

TORCH = {
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
    "float32": torch.float32,
    "float64": torch.float64,
}
LANES = 4  # the fewest float64 lanes of a vector unit in use, with several vectors or none


def interval(row: np.ndarray) -> tuple[Fraction, Fraction]:
    delta = exact.delta(row)
    assert delta is not None
    return delta.interval


def returned(row: np.ndarray, dtype: str) -> float:
    """PyTorch's confidence of the row's token, on this CPU."""
    logits = torch.from_numpy(to_float(row)).to(TORCH[dtype])
    return float(torch.softmax(logits, -1)[exact.token(row)])


@pytest.mark.parametrize("dtype", torch_error.DTYPES)
@pytest.mark.parametrize("vocabulary", [2, 17, 1_000, 126_464])
def test_intervals_hold_what_torch_returns(dtype, vocabulary):
    chain = vocabulary // LANES + LANES
    for family in families.FAMILIES:
        if dtype == "float16" and family in ("wide", "heavy tails"):
            continue  # its logits are not in FP16
        for row in families.rows(family, vocabulary, 1, seed=3):
            if dtype == "float16":
                row = from_float(np.clip(to_float(row), -60_000, None))
                half = to_float(row).astype(np.float16).astype(np.float32)
                row = from_float(np.where(half == to_float(row), to_float(row), 0))
            low, high = interval(row)
            got = Fraction(returned(row, dtype))
            for additions in (None, chain):
                least, most = torch_error.confidence(low, high, vocabulary, dtype, additions)
                assert least <= got <= most, (family, float(least), float(got), float(most))


@settings(max_examples=200, deadline=None)
@given(
    st.fractions(0, 1, max_denominator=1 << 40).filter(lambda x: x > 0),
    st.sampled_from(torch_error.DTYPES),
)
def test_rounding_is_that_of_the_dtype(x, dtype):
    numpy = {"bfloat16": ml_dtypes.bfloat16, "float16": np.float16, "float32": np.float32}
    expected = float(x)  # correctly rounded
    if dtype != "float64":
        assert torch_error.nearest(Fraction(expected), dtype) == float(numpy[dtype](expected))
    else:
        assert torch_error.nearest(x, dtype) == expected


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.integers(-40, 0) | st.integers(-3, 0), min_size=2, max_size=6),
    st.sampled_from([2.0**-9, 2.0**-6, 0.25, 1.0]),
    st.sampled_from(torch_error.DTYPES),
)
def test_certified_tokens_are_those_of_torch(steps, unit, dtype):
    row = from_float(np.array(steps) * unit)
    logits = torch.from_numpy(to_float(row)).to(TORCH[dtype])
    if dtype == "float16":
        row = from_float(logits.float().numpy())
    low, high = interval(row)
    least, _ = torch_error.confidence(low, high, len(row), dtype)
    if torch_error.same_token(row, least, dtype):
        assert int(torch.argmax(torch.softmax(logits, -1))) == exact.token(row)


def test_tokens_that_round_to_the_same_are_not_certified():
    row = from_float([0, 2.0**-10])  # probabilities 0.49976 and 0.50024: both 0.5 in BF16
    assert int(torch.argmax(torch.softmax(torch.from_numpy(to_float(row)).bfloat16(), -1))) == 0
    assert not torch_error.same_token(row, Fraction(1, 2), "bfloat16")
    assert torch_error.same_token(row, Fraction(1, 2), "float32")
    assert not torch_error.same_token(from_float([0, np.nan]), Fraction(0), "float32")


def test_bounds_are_the_documented_ones():
    """Of two elements in float64: 2 ulps of exp are 4 u, and each difference is off by 750 u."""
    u, delta = Fraction(1, 1 << 53), Fraction(1)
    least = 1 / ((1 + delta * (1 + 754 * u)) / (1 - u))  # 1 + gamma = 1 / (1 - u)
    most = 1 / ((1 + delta * (1 - 754 * u)) * (1 - u / (1 - u)))
    expected = torch_error.nearest(least, "float64"), torch_error.nearest(most, "float64")
    assert torch_error.confidence(delta, delta, 2, "float64") == expected


def test_flushed_weights_decide_a_tie():
    """Each element may weigh less, or more, by the least normal number: off the middle it is."""
    u = Fraction(1, 1 << 53)
    word = Fraction(1, 2) + u  # an odd number of float64, just above 1/2: the even one is above
    middle = word + u / 2
    delta = ((1 - u) / middle - 1) / (1 + 754 * u)
    assert torch_error.confidence(delta, delta, 2, "float64")[0] == word
    word = Fraction(1, 2) + 2 * u  # an even one, which a tie would go to
    delta = (1 / ((word + u / 2) * (1 - u / (1 - u))) - 1) / (1 - 754 * u)
    assert torch_error.confidence(delta, delta, 2, "float64")[1] == word + u


def test_one_element_is_certain():
    assert set(torch_error.confidence(Fraction(0), Fraction(0), 1, "float32")) == {Fraction(1)}
