"""delta in exact arithmetic, against mpmath, fractions and PyTorch."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings

from unmask.spec.certificates import exact
from unmask.spec.formats import from_float, to_float
from unmask.spec.reference import families
from unmask.tests import strategies

mpmath.mp.prec = 400
rows = strategies.logits(1, 6).map(lambda row: np.array(row, np.uint16))


def delta_of(row: np.ndarray) -> Any:
    """A `Delta`, or None."""
    return exact.delta(row)


def by_mpmath(row: np.ndarray) -> mpmath.mpf:
    """The definition, with 120 digits."""
    logits = [mpmath.mpf(float(x)) for x in to_float(row)]
    greatest = max(logits)
    logits.remove(greatest)
    return mpmath.fsum(mpmath.exp(x - greatest) for x in logits)


def as_mpf(x: Fraction) -> mpmath.mpf:
    return mpmath.mpf(x.numerator) / x.denominator


def has_number(row: np.ndarray) -> bool:
    values = to_float(row)
    return not (np.isnan(values).any() or (values == np.inf).any() or (values == -np.inf).all())


@settings(max_examples=300, deadline=None)
@given(rows)
def test_delta_is_the_definition(row):
    delta = delta_of(row)
    assert (delta is not None) == has_number(row)
    if delta is None:
        return
    expected = by_mpmath(row)
    low, high = map(as_mpf, delta.interval)
    slack = expected * mpmath.mpf(2) ** -390
    assert low - slack <= expected <= high + slack
    if expected > mpmath.mpf(10) ** -800:
        assert (high - low) / expected < as_mpf(exact.WIDTH)


@given(rows)
def test_token_is_the_first_argmax(row):
    logits = torch.from_numpy(to_float(row))
    assert exact.token(row) == int(torch.argmax(logits))


@settings(max_examples=300, deadline=None)
@given(rows, rows)
def test_deltas_are_compared_as_real_numbers(one, other):
    assume(has_number(one) and has_number(other))
    left, right = delta_of(one), delta_of(other)
    difference = by_mpmath(one) - by_mpmath(other)
    # Where 120 digits do not tell, the deltas are equal, or both (nearly) 0.
    if abs(difference) > mpmath.mpf(10) ** -110:
        assert (left < right) == (difference < 0)
        assert (left > right) == (difference > 0)
    assert (left == right) + (left < right) + (left > right) == 1


@pytest.mark.parametrize(
    ("one", "other", "sign"),
    [
        ([0, -1, -100], [0, -1, -200], 1),  # differ in the 44th digit
        ([0, -1, -1000], [0, -1, -1904], 1),
        ([0, -1, -1e30], [0, -1, -2e30], 1),  # in digits that nobody can write
        ([5, 4], [-3, -4], 0),  # other logits, equal differences
        ([0.0, -0.0, 1], [0, 0, 1], 0),
        ([0, -2, -2], [0, -1.3125], 1),
    ],
)
def test_deltas_that_nearly_are_equal(one, other, sign):
    left, right = (delta_of(from_float(row)) for row in (one, other))
    assert (left > right) - (left < right) == sign
    assert (left == right) == (sign == 0)


def test_deltas_are_compared_with_rationals():
    ties = delta_of(from_float([2, 2, 2, -np.inf]))
    assert ties == Fraction(2) and not ties < Fraction(2) and Fraction(2) == ties
    almost = delta_of(from_float([2, 2, 2, -300]))
    assert almost > Fraction(2) and Fraction(2) < almost
    assert almost != Fraction(2)
    assert almost < Fraction(2) + Fraction(1, 10**100)


@pytest.mark.parametrize("family", ["gaussian", "sure", "narrow negative"])
def test_llada_vocabulary(family):
    row = families.rows(family, 126_464, 1)[0]
    low, high = delta_of(row).interval
    logits = to_float(row).astype(np.float64)
    weights = np.exp(logits - logits.max())
    weights[np.argmax(logits)] = 0
    assert abs(float(low) / weights.sum() - 1) < 1e-12
    assert (high - low) / low < exact.WIDTH
