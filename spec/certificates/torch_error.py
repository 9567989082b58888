"""What PyTorch's softmax may return for a row: a second verdict, apart from that of T1.

A confidence is 1 / S for S = 1 + delta, as the greatest element's exponential is that of 0 and so
1. PyTorch computes in float64 for float64, else in float32, and rounds the result to the dtype of
the logits. Its errors, u being half a unit in the last place (2**-53, 2**-24):

    l - max     one rounding, u * |l - max| relative to the weight; weights of |l - max| above
                750 (104) are below the least normal number
    exp         `EXP_ULPS` units in the last place. Sleef's functions of PyTorch's CPU kernels are
                specified to 1.0, CUDA's exp and expf to 1 and 2. Below the least normal number
                results may be flushed to 0
    sum         of n terms in any order: gamma = h * u / (1 - h * u), h = n - 1. A vectorised sum of
                w lanes has a chain of h = n / w + w additions instead; see `chain`
    1 / S       one rounding, whether the kernel divides or multiplies by the reciprocal
    to dtype    one more, to BF16 or FP16

All of these are monotone or bounded relatively, so a confidence lies between two numbers of the
dtype. It is at most 1, as no rounded sum of positive terms is below one of them. What is left out:
a kernel that is built with less precise exponentials than these.

Points are confidences, negated.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from unmask.spec.certificates import exact
from unmask.spec.certificates.borders import Border, Point, cast, grid
from unmask.spec.reference.rules import DType, Rule, Threshold

EXP_ULPS = 2
DTYPES: tuple[DType, ...] = get_args(DType)


class Arithmetic(NamedTuple):
    """What a softmax is computed in."""

    unit: Fraction  # u
    tiny: Fraction  # the least normal number
    reach: int  # differences below -reach weigh less than that


SINGLE = Arithmetic(Fraction(1, 1 << 24), Fraction(1, 1 << 126), 104)
DOUBLE = Arithmetic(Fraction(1, 1 << 53), Fraction(1, 1 << 1022), 750)
PRECISION: dict[DType, int] = {"bfloat16": 8, "float16": 11, "float32": 24, "float64": 53}
LEAST: dict[DType, int] = {"bfloat16": -126, "float16": -14, "float32": -126, "float64": -1022}


def arithmetic(dtype: DType) -> Arithmetic:
    return DOUBLE if dtype == "float64" else SINGLE


def nearest(x: Fraction, dtype: DType) -> Fraction:
    """The number of a dtype nearest to x >= 0, ties to even."""
    if x == 0:
        return x
    exponent = x.numerator.bit_length() - x.denominator.bit_length()
    if Fraction(2) ** exponent > x:
        exponent -= 1
    last = Fraction(2) ** (max(exponent, LEAST[dtype]) - PRECISION[dtype] + 1)
    return round(x / last) * last


def rounded(x: Fraction, dtype: DType) -> Fraction:
    """x as PyTorch's softmax returns it: by way of FP32, but for float64."""
    return nearest(x if dtype == "float64" else nearest(x, "float32"), dtype)


def confidence(
    low: Fraction, high: Fraction, n: int, dtype: DType, chain: int | None = None
) -> tuple[Fraction, Fraction]:
    """The least and the greatest confidence that PyTorch may return.

    Args:
        low, high: what delta lies between.
        n: elements of the row.
        dtype: of the result.
        chain: additions that a term goes through at most; None: n - 1, which any order keeps.
    """
    unit, tiny, reach = arithmetic(dtype)
    weight = 2 * EXP_ULPS * unit + reach * unit
    length = (n - 1 if chain is None else chain) * unit
    if length >= 1 or n == 1:
        return (Fraction(1), Fraction(1)) if n == 1 else (Fraction(0), Fraction(1))
    gamma = length / (1 - length)
    least = (1 + max(low * (1 - weight) - n * tiny, Fraction(0))) * (1 - gamma)
    most = (1 + high * (1 + weight) + n * tiny) * (1 + gamma)
    return rounded(1 / most, dtype), rounded(min(1 / least, Fraction(1)), dtype)


def same_token(codes: NDArray[np.uint16], least: Fraction, dtype: DType) -> bool:
    """Whether the argmax of PyTorch's rounded probabilities is the first greatest logit.

    Proven where the second greatest value's probability differs by more than two neighbours of the
    dtype do. In rows without a confidence all probabilities are NaN, and PyTorch gives token 0.

    Args:
        codes: (V,) BF16 codes.
        least: of the confidence.
        dtype: of the probabilities.
    """
    token = exact.token(codes)
    ranks = exact.RANKS[codes]
    below = ranks[ranks < ranks[token]]
    top = int(codes[token])
    if exact.is_nan(top) or top in (0x7F80, 0xFF80):
        return token == 0
    second = int(codes[np.flatnonzero(ranks == below.max())[0]]) if below.size else 0xFF80
    if second == 0xFF80:
        return True
    unit, _, reach = arithmetic(dtype)
    difference = float(Fraction(exact.number(second) - exact.number(top), 1 << exact.SCALE))
    ratio = Fraction(math.exp(difference) * (1 + 1e-12)) * (1 + (2 * EXP_ULPS + reach) * unit)
    apart = Fraction(2) ** (1 - PRECISION[dtype])
    if least:
        apart = max(apart, Fraction(2) ** (LEAST[dtype] - PRECISION[dtype] + 1) / least)
    return 1 - ratio > apart + 4 * unit


@dataclass(frozen=True)
class Rounded:
    """Borders of confidences of a dtype, as the published comparisons are made."""

    dtype: DType

    def threshold(self, threshold: Threshold) -> Border:
        tau = threshold.tau
        if tau <= 0:  # confidences are above 0
            return Border(Fraction(0), True)
        if tau > 2:
            return Border(Fraction(-2), True)
        word = Fraction(tau) if self.dtype == "float64" else grid(cast(tau, self.dtype), self.dtype)
        return Border(-word, not threshold.strict)

    def step(self, rank: int, factor: float, whole: bool) -> Border:
        """The source's comparison, on Python's numbers."""
        if whole:
            return Border(-_least(lambda c: rank == 0 or c >= 1 - factor / (rank + 2)), True)
        return Border(-_least(lambda c: (rank + 2) * (1 - c) < factor), True)

    def near(self, point: Point, near: float) -> Point:
        """One subtraction, rounded; a number below 0 is 0 here, which nothing is below."""
        if self.dtype == "float64":
            return -max(Fraction(float(-point) - near), Fraction(0))
        single = np.float32(float(-point)) - np.float32(near)
        return -nearest(max(Fraction(float(single)), Fraction(0)), self.dtype)

    def near_back(self, point: Point, near: float) -> Point:
        """Not exact: `Choice.only` does without."""
        return point - Fraction(near)


def _least(holds: Callable[[float], bool]) -> Fraction:
    """The least float64 from 0 to 1 that a comparison holds for, which then holds above; else 2."""
    low, high = 0, int(np.float64(1).view(np.uint64)) + 1
    while low < high:
        middle = (low + high) // 2
        if holds(float(np.uint64(middle).view(np.float64))):
            high = middle
        else:
            low = middle + 1
    found = np.uint64(low).view(np.float64)
    return Fraction(float(found)) if found <= 1 else Fraction(2)


def in_dtype(rule: Rule, dtype: DType) -> Rule:
    """The rule, had its source confidences of another dtype."""
    old = (rule.threshold, rule.edit)
    threshold, edit = (None if x is None else replace(x, dtype=dtype) for x in old)
    return replace(rule, dtype=dtype, threshold=threshold, edit=edit)
