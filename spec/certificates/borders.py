"""The numbers that a rule compares with, in exact arithmetic: borders of delta, or of confidences.

A `Ruler` says, for a rule's thresholds, factors and nearness, up to which point a position passes.
Points ascend from the most confident: deltas here; in `torch_error` confidences, negated.

Nothing of `numerics.limit` is used, though both find the same borders: a certificate judges what
chooses by limits, and the tests hold one to the other.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any, NamedTuple, Protocol

import numpy as np

from unmask.spec.formats import from_float, to_float
from unmask.spec.reference.rules import DType, Threshold

# A delta with Fractions and itself; a point of a ruler.
Point = Any
BEYOND = Fraction(1 << 40)  # above each delta, and what a confidence of 0 has


class Border(NamedTuple):
    """What passes: points below `x`, and `x` itself if `inclusive`."""

    x: Point
    inclusive: bool


ALL, NONE = Border(BEYOND, True), Border(Fraction(0), False)


class Ruler(Protocol):
    """Borders on one kind of points."""

    def threshold(self, threshold: Threshold) -> Border:
        """What passes a threshold."""

    def step(self, rank: int, factor: float, whole: bool) -> Border:
        """What holds at a rank, from 0, of a factor rule."""

    def near(self, point: Point, near: float) -> Point:
        """The last point that is within `near` of a greatest confidence."""

    def near_back(self, point: Point, near: float) -> Point:
        """The least greatest confidence's point that a point is still near to."""


class Exact:
    """Borders of delta = 1 / confidence - 1."""

    def threshold(self, threshold: Threshold) -> Border:
        return border(threshold.tau, threshold.dtype, threshold.strict)

    def step(self, rank: int, factor: float, whole: bool) -> Border:
        """The source compares with the float64 number 1 - factor / (rank + 2), rank 0 exempt."""
        if whole:
            return ALL if rank == 0 else border(1 - factor / (rank + 2), "float64", False)
        if factor <= 0 or factor == math.inf:
            return NONE if factor <= 0 else ALL
        room = rank + 2 - Fraction(factor)  # (n + 1) * (1 - c) < factor for n = rank + 1
        return Border(Fraction(factor) / room, False) if room > 0 else ALL

    def near(self, point: Point, near: float) -> Point:
        least = 1 / (1 + _middle(point)) - Fraction(near)
        return 1 / least - 1 if least > 0 else BEYOND

    def near_back(self, point: Point, near: float) -> Point:
        return 1 / (1 / (1 + _middle(point)) + Fraction(near)) - 1


def _middle(point: Point) -> Fraction:
    """A number for what is only known as an interval of width 1e-30: no border is rational."""
    return point if isinstance(point, Fraction) else point.middle


def border(tau: float, dtype: DType, strict: bool) -> Border:
    """The border of delta for confidence >= tau, or > tau if `strict`.

    Args:
        tau: cast to the dtype as PyTorch does, to FP32 first.
        dtype: that confidences are correctly rounded to; float64 is taken for exact.
        strict: whether equality is not enough.
    """
    if tau <= 0:  # a confidence is above 0
        return ALL
    if tau > 2:
        return NONE
    if dtype == "float64":
        return _of(1 / Fraction(tau) - 1, not strict)
    word = cast(tau, dtype) + strict
    if word == 0:
        return ALL
    # From the middle between the least that passes and the one below; a tie goes to the even one.
    middle = (grid(word, dtype) + grid(word - 1, dtype)) / 2
    return _of(1 / middle - 1, word % 2 == 0)


def _of(x: Fraction, inclusive: bool) -> Border:
    return Border(x, inclusive) if x >= 0 else NONE


def cast(tau: float, dtype: DType) -> int:
    """The word of a positive number in a dtype, by way of FP32."""
    single = np.float32(tau)
    if dtype == "float32":
        return int(single.view(np.uint32))
    if dtype == "float16":
        return int(np.float16(single).view(np.uint16))
    return int(from_float(single))


def grid(word: int, dtype: DType) -> Fraction:
    """The finite number of a word."""
    if dtype == "float32":
        return Fraction(float(np.uint32(word).view(np.float32)))
    if dtype == "float16":
        return Fraction(float(np.uint16(word).view(np.float16)))
    return Fraction(float(to_float([word])[0]))


EXACT = Exact()
