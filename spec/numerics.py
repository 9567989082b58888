"""The error budget of the softmax state, its theorems, and what follows for keys and thresholds.

Three numbers are told apart throughout, for a row of n <= 2**18 elements with first argmax x0:

    delta      the real number: sum over j != x0 of exp(l_j - max l); confidence = 1 / (1 + delta)
    delta_hw   D / (the maximum's term): what the state holds, a rational number, never rounded
    value(key) delta_hw as the 32-bit key holds it: 26 significant bits, truncated

Rows whose maximum is NaN or infinite have no delta and are not spoken of. The proofs are in
`proofs/numerics` and `proofs/spec/softmax_merge.py` (lane, pairs, D, division, key, certificate,
threshold; merge laws); the steps between them are done on paper, and stand here.

Budget
------
Asked for: r < 2**-16 for the relative error of delta, keys included. The confidence then errs by
confidence * (1 - confidence) * r <= 2**-18, while BF16 confidences above 1/4 lie 2**-9 or more
apart. Errors of a weight exp(l - m), for each pair of an element l and a maximum m no more than 45
apart (farther ones are below the window), and what one bit less (or half the table) makes of the
greatest error of all pairs, which is 1.33004e-5 = 2**-16.198:

    source                          error of a pair              width               one less
    t rounded to nearest            2 * ln 2 * 2**-18 = 5.29e-6  17 fraction bits    2**-15.756
    constant log2(e)                (m - l) * 1.34e-8 <= 6.1e-7  24 bits             2**-16.005
    mantissa 2**f: interpolation    2 * 4.90e-6                  128 entries         2**-14.906
        first values and result                                  19 fraction bits    2**-15.973
        slope                                                    10 bits             2**-15.915
        slope's factor                                           10 bits             2**-15.677
    key truncated                   2**-25                       25 mantissa bits    (below)

`python -m unmask.proofs.numerics.widths` makes the last column, from bounds rounded outward, for
tables made by the same rule; the theorems numerics.widths prove on which side of 2**-16 it is.

The sum of the greatest errors, 1.57e-5, would not do; they do not meet in one pair, which is why
the bound is proven pair by pair. Five of the widths are needed: with one less the error is above
2**-16. With a slope of 9 bits, or 64 entries, the mantissa would not even rise with f. The constant
has bits to spare: with 23 of them the error is above 2**-16 with the key's share (r - rho), but
only of pairs over 44.375 apart, which weigh less than 2**-64. Without those it is 2**-16.011 and
with the share below 2**-16, and so it is with 22 bits, the same number; not with 21. Not bound by
the error of a pair:

    limit of normal elements, 2**14: t needs 15 bits before the point. At 2**13 the elements just
        below a big maximum would be 32 apart and weigh 2**-46, more than c allows; here it is 64.
    5 slots: the unit of the last is at most 2**-64 of the maximum's term, and each element loses
        less than one unit: c = n * 2**-64. It stays below r * delta for delta above 2**-30 (n =
        2**18); with 4 slots that would be 2**-14, and confidences nearer to 1 could not be told.
    34 bits a slot: 2**18 elements of at most 2**16 - 1; one bit less is 2**17 elements.
    7 exponent bits: delta_hw is 0 or from 2**-80 to 2**18, 98 binades. The mantissa has what is
        left of 32 bits; with 24 of them r would be 1.3420e-5: the last bit is a gift.

T1 (error)       |delta_hw - delta| <= rho * delta + (n - 1) * 2**-64, and
                 |value(key) - delta| <= r * delta + c(n); both delta_hw and value(key) are >= 0.

    Each element but x0 errs by at most rho of its weight w, or w and what stands for it are both
    below 2**-64 (`proofs/numerics/pair_bound.py`: pairs up to 45 apart, then all the others); then
    it is cut at the window's end, which takes less than 2**-64 of the maximum's term. Sums are
    exact, and the maximum's own term is inside the window whole and is taken out exactly. The key
    takes at most 2**-25 * delta_hw more, which is at most 2**-25 * (1 + rho) * delta + 2**-64:
    inside r = rho + 2**-24 and c(n) = n * 2**-64, as n <= 2**18. A big element beside a normal
    maximum, or unequal to a big one, weighs at most exp(-64) < 2**-64 and counts 0.

T2 (sum)         with S = 1 + delta: |S_hw - S| <= r * S, and so the confidence has a relative error
                 of at most r / (1 - r). From T1, as c(n) <= r: r * delta + c <= r * (1 + delta).

T3 (selection)   with B = `bound`, |value(key) - delta| <= B(value(key)). So if the values of the
                 k-th and the (k+1)-th key are farther apart than the sum of their bounds, the k
                 rows of least key are the k rows of least delta: the selected set is the one of
                 exact arithmetic. Keys ascend, and B(x) + x and x - B(x) are increasing in x, so
                 all pairs across the border are decided by the two rows at it. See `certified`;
                 the proof runs it, `decided`, `bound` and `c` themselves, on real numbers.

T4 (order-free)  A state is a function of the multiset of (code, flags) of the active elements and
                 of the least index of a maximum: `combine` is associative and commutative with an
                 identity. So order, chunking, VLEN, tree shape and sharding cannot be seen in it,
                 nor in the key. Whether an operand comes from memory or SRAM shows in two bits
                 and nowhere else: H_RED_SM records in `flags` what dequantising MX elements did
                 to them (MX_SATURATED, MX_INEXACT); H_PREFETCH_V keeps no flags, and so V_RED_SM
                 of what it fetched adds none. Of BF16 there are none. S_SM_FLAGS alone reads
                 them; the key and all else that is read from a state do not depend on them.

T5 (ties)        The key is a function of the multiset of codes: rows that are permutations of each
                 other have equal keys, and the rank's next criterion, the position, decides.

T6 (monotone)    Raising an element that is not the maximum, to at most the maximum, never lowers
                 delta_hw, nor the key: g is nondecreasing, cutting at the window's end is, and the
                 window does not move.

Order and thresholds on rounded confidences
-------------------------------------------
Rounding to nearest is monotone, so delta <= delta' implies rounded confidence >= rounded
confidence'. Rows in the order of delta therefore are in a descending order of the correctly
rounded confidence (BF16 or FP32) too: it is one of the orders that such a contract leaves open
among equals. Likewise rounded confidence >= tau holds exactly if delta is at most (or below) the
delta of one rounding boundary: one comparison of the key with one code, see `limit`.

Threshold lemma, for any real X >= 0 and any row with a delta:

    key < code(X)  implies delta_hw < X
    key > code(X)  implies delta_hw > X
    key = code(X)  leaves both open: one bucket, of relative width 2**-25 where X is in range

It speaks of delta_hw, exactly. About the real delta it says no more than T1 allows; `decided` says
for one row and one X whether it does.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

import numpy as np

from unmask.spec.softmax import EMPTY, KEY_BIAS, KEY_MANTISSA, NAN_FIRST, NAN_LAST, ZERO

RHO = Fraction(13301, 10**9)  # greatest relative error of a weight; it is above 1.33004e-5
R = RHO + Fraction(1, 1 << 24)  # ... with what the key truncates
UNIT = Fraction(1, 1 << 64)  # of the maximum's term: an element's loss at the window's end is less
LARGEST = 99 * (1 << KEY_MANTISSA) - 1  # the last key of a number: exponent 17, all ones

DType = Literal["exact", "bfloat16", "float16", "float32"]


def c(n: int) -> Fraction:
    """The absolute part of the error of delta, for a row of n elements: each is cut once."""
    return n * UNIT


def value(key: int) -> Fraction | None:
    """The exact number that a key encodes; None for NAN_FIRST, NAN_LAST and EMPTY.

    Raises:
        ValueError: if no state has this key.
    """
    if key in (NAN_FIRST, NAN_LAST, EMPTY):
        return None
    if key == ZERO:
        return Fraction(0)
    if not 1 << KEY_MANTISSA <= key <= LARGEST:
        raise ValueError(f"{key:#x} is no key")
    exponent, fraction = key >> KEY_MANTISSA, key & ((1 << KEY_MANTISSA) - 1)
    return ((1 << KEY_MANTISSA) + fraction) * Fraction(2) ** (exponent - KEY_BIAS - KEY_MANTISSA)


def code(x: Fraction) -> int:
    """The key whose bucket holds x: the greatest one with value(key) <= x.

    ZERO below the least number a key can be, and LARGEST from 2**18 on: no row has a delta_hw
    strictly between 0 and 2**-80, nor one of 2**18 or more, so the threshold lemma holds there too.

    Raises:
        ValueError: if x is negative.
    """
    if x < 0:
        raise ValueError("a delta is not negative")
    if x < Fraction(1, 1 << (KEY_BIAS - 1)):
        return ZERO
    if x >= 1 << 18:
        return LARGEST
    exponent = x.numerator.bit_length() - x.denominator.bit_length()  # or one too great
    if Fraction(2) ** exponent > x:
        exponent -= 1
    scaled = x / Fraction(2) ** (exponent - KEY_MANTISSA)
    return (exponent + KEY_BIAS - 1 << KEY_MANTISSA) + scaled.numerator // scaled.denominator


def bound(delta_hw: Fraction, n: int) -> Fraction:
    """B: how far the real delta of a row of n elements can be from the value of its key.

    From T1 with h the value: delta <= (h + c) / (1 - r) and delta >= (h - c) / (1 + r), and the
    first is the farther one. Also of Z3's reals, like `c`: the proof of T3 runs it on them.
    """
    return (R * delta_hw + c(n)) / (1 - R)


def certified(key_k: int, key_k1: int, n: int) -> bool:
    """Whether two keys, the lower one first, prove the order of their rows' real deltas (T3).

    Args:
        key_k: the k-th least key.
        key_k1: the next one.
        n: elements of the rows, at most 2**18.
    """
    low, high = value(key_k), value(key_k1)
    if low is None or high is None:  # which rows have no confidence is decided without error
        return key_k < key_k1
    return high - low > bound(low, n) + bound(high, n)


def decided(key: int, x: Fraction, n: int) -> bool:
    """Whether a row's key proves on which side of x its real delta is."""
    number = value(key)
    return number is None or abs(number - x) > bound(number, n)


def limit(tau: float | Fraction, dtype: DType = "exact", strict: bool = False) -> int:
    """The greatest key to accept where confidence >= tau, or > tau if `strict`, is asked for.

    Exact on delta_hw but for the bucket that holds the boundary, which is accepted whole, unless no
    delta_hw of it may be. Confidences are the exact ones, or correctly rounded to `dtype`. Rows
    of key NAN_FIRST are below every limit and so accepted; those of NAN_LAST and EMPTY never.

    Args:
        tau: for a dtype it is first cast to it, as PyTorch does with a Python number: to FP32,
            then to BF16 or FP16, nearest even both times; 0.9 becomes 0.8984375 in BF16.
        dtype: of the confidence compared with tau.
        strict: whether equality is not enough.

    Returns:
        The limit; NAN_FIRST where no number may pass.

    Raises:
        ValueError: if tau is NaN.
    """
    if tau != tau:
        raise ValueError("a threshold that is NaN")
    if tau <= 0:
        return LARGEST
    if tau > 2:
        return NAN_FIRST
    if dtype == "exact":
        return _at_most(1 / Fraction(tau) - 1, inclusive=not strict)
    word = _word(float(tau), dtype) + strict  # of the least number to be accepted
    if word == 0:  # a tau so small that it became 0
        return LARGEST
    # Rounded to it or above: from the midpoint below it on, a tie included if it is even.
    boundary = (_number(word, dtype) + _number(word - 1, dtype)) / 2
    return _at_most(1 / boundary - 1, inclusive=word % 2 == 0)


def _at_most(x: Fraction, inclusive: bool) -> int:
    """The greatest key of which some delta_hw may be <= x, or < x if not inclusive."""
    if x < 0:
        return NAN_FIRST
    key = code(x)
    return key if inclusive or value(key) != x else key - 1


def _word(tau: float, dtype: DType) -> int:
    """The bits of the positive number that a dtype makes of tau, by way of FP32."""
    single = np.float32(tau)
    if dtype == "float16":
        return int(np.float16(single).view(np.uint16))
    word = int(single.view(np.uint32))
    return word if dtype == "float32" else word + 0x7FFF + (word >> 16 & 1) >> 16


def _number(word: int, dtype: DType) -> Fraction:
    """The finite number of a word."""
    if dtype == "float16":
        return Fraction(float(np.uint16(word).view(np.float16)))
    wide = word if dtype == "float32" else word << 16
    return Fraction(float(np.uint32(wide).view(np.float32)))
