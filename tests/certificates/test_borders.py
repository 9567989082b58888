"""Borders of delta are those of the limits on keys, and of the compares that samplers make."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from unmask.spec import numerics, softmax
from unmask.spec.certificates import torch_error
from unmask.spec.certificates.borders import EXACT, Border, border
from unmask.spec.reference.fast_dllm import paper_count, published_count
from unmask.spec.reference.rules import Threshold

taus = st.floats(-0.5, 2.5) | st.sampled_from([0.0, 0.5, 0.9, 1.0, 2.0]) | st.floats(0, 1e-4)
dtypes = st.sampled_from(torch_error.DTYPES)
TORCH = {name: getattr(torch, name) for name in torch_error.DTYPES}


def passes(x: Fraction | None, of: Border) -> bool:
    assert x is not None
    return bool(x < of.x) or (of.inclusive and x == of.x)


@settings(max_examples=300, deadline=None)
@given(taus, dtypes, st.booleans())
def test_borders_are_those_of_the_key_limits(tau, dtype, strict):
    key = numerics.limit(tau, "exact" if dtype == "float64" else dtype, strict)
    found = border(tau, dtype, strict)
    if key == softmax.NAN_FIRST:
        assert not passes(Fraction(0), found)
        return
    assert passes(numerics.value(key), found)
    if key < numerics.LARGEST:
        above = 1 << softmax.KEY_MANTISSA if key == softmax.ZERO else key + 1
        assert not passes(numerics.value(above), found)


@settings(max_examples=300, deadline=None)
@given(st.floats(0, 1), taus, dtypes, st.booleans())
def test_rounded_thresholds_are_torchs(confidence, tau, dtype, strict):
    value = torch.tensor(confidence, dtype=torch.float64).to(TORCH[dtype])
    if value == 0:
        return
    expected = bool(value > tau if strict else value >= tau)
    ruler = torch_error.Rounded(dtype)
    found = ruler.threshold(Threshold(tau, dtype, strict))
    assert passes(-Fraction(float(value)), found) == expected


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(1e-6, 1), min_size=1, max_size=5), st.floats(-1, 4))
def test_factors_on_confidences_are_the_sources(confidences, factor):
    ranked = sorted(confidences, reverse=True)
    ruler = torch_error.Rounded("float64")
    points = [-Fraction(x) for x in ranked]
    size = len(ranked)
    held = [passes(x, ruler.step(rank, factor, whole=False)) for rank, x in enumerate(points)]
    assert max([1, *(rank + 1 for rank in range(size) if held[rank])]) == paper_count(
        ranked, factor
    )
    held = [passes(x, ruler.step(rank, factor, whole=True)) for rank, x in enumerate(points)]
    fails = [rank for rank in range(size) if not held[rank]]
    rank = fails[0] if fails else size - 1
    assert (rank + 1 if rank in (0, size - 1) else rank) == published_count(ranked, factor)


@settings(max_examples=100, deadline=None)
@given(st.floats(1e-3, 1), st.sampled_from(["float32", "float64"]))
def test_near_is_torchs(confidence, dtype):
    greatest = torch.tensor(confidence, dtype=TORCH[dtype])
    expected = Fraction(float(greatest - 1e-5))
    found = torch_error.Rounded(dtype).near(-Fraction(float(greatest)), 1e-5)
    assert -found == expected


@given(st.floats(0, 10))
def test_exact_nearness_goes_both_ways(number):
    delta = Fraction(number)
    assert EXACT.near_back(EXACT.near(delta, 1e-5), 1e-5) == delta
    confidence = 1 / (1 + EXACT.near(delta, 1e-5))
    assert confidence == 1 / (1 + delta) - Fraction(1e-5)
    assert np.isfinite(float(confidence))
