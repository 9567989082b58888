"""What a key says: its value, certificates, confidences, thresholds."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from unmask.spec.bits import arrays, ints
from unmask.spec.formats import from_float, to_float
from unmask.spec.numerics import LARGEST, bound, certified, code, decided, limit, value
from unmask.spec.softmax import (
    EMPTY,
    KEY_MANTISSA,
    MOST_ELEMENTS,
    NAN_FIRST,
    NAN_LAST,
    ZERO,
    confidence,
    divide,
)
from unmask.tests.softmax_definition import (
    delta,
    key_of,
    near,
    number,
    numbers,
    on_integers,
    real,
)

# -- keys --


@given(key=numbers)
def test_code_of_value_is_the_key(key):
    assert code(number(key)) == key
    if key < LARGEST:
        assert number(key) < number(key + 1)
        middle = (number(key) + number(key + 1)) / 2
        assert code(middle) == key


@given(dividend=st.integers(1 << 45, (1 << 46) - 1), divisor=st.integers(1 << 19, (1 << 20) - 1))
def test_division(dividend, divisor):
    assert divide(ints(46, dividend), ints(20, divisor)).as_int() == dividend // divisor


# -- what a key proves --

# The theorem's two errors, r and c, once more: of these alone the following tests are made.
SHARE = Fraction(13301, 1_000_000_000) + Fraction(1, 16_777_216)
LOSS = Fraction(1, 18_446_744_073_709_551_616)
sizes = st.sampled_from([1, 2, 100, 126_464, MOST_ELEMENTS])
deltas = st.builds(
    lambda digits, exponent: digits * Fraction(2) ** exponent,
    st.integers(0, 1 << 30),
    st.integers(-110, -13),
)


def reach(h, n):
    """The least and the greatest delta >= 0 whose error theorem a number h is within."""
    return max((h - n * LOSS) / (1 + SHARE), Fraction(0)), (h + n * LOSS) / (1 - SHARE)


@pytest.mark.parametrize(
    ("h", "n", "expected"),  # as (r * h + c) / (1 - r), by hand
    [
        (Fraction(0), 1, Fraction(1, 1 << 64) / (1 - SHARE)),
        (Fraction(0), 1 << 18, Fraction(1, 1 << 46) / (1 - SHARE)),
        (Fraction(1), 1 << 18, (SHARE + Fraction(1, 1 << 46)) / (1 - SHARE)),
        (Fraction(1 << 18), 1 << 18, ((1 << 18) * SHARE + Fraction(1, 1 << 46)) / (1 - SHARE)),
    ],
)
def test_bound_is_the_formula(h, n, expected):
    assert bound(h, n) == expected


@given(exact=deltas, n=sizes)
def test_bound_is_met_by_the_farthest_deltas(exact, n):
    """With errors as great as T1 allows: reached where the value is too low, never passed."""
    allowed = SHARE * exact + n * LOSS
    if exact >= allowed:
        assert bound(exact - allowed, n) == allowed
    assert allowed < bound(exact + allowed, n)
    least, most = reach(exact, n)
    assert bound(exact, n) == most - exact >= exact - least


@given(low=numbers | st.just(ZERO), n=sizes)
@example(ZERO, 1)
@example(ZERO, MOST_ELEMENTS)
@example(1 << KEY_MANTISSA, 1)
@example(code(Fraction(1)), MOST_ELEMENTS)
def test_certified_from_the_bound_on_and_no_earlier(low, n):
    h = number(low)
    # high - low > B(low) + B(high), solved for high: from this number on, itself left out.
    border = (h + 2 * n * LOSS) / (1 - 2 * SHARE)
    assert border - h == bound(h, n) + bound(border, n)
    last = code(border)  # the last key that is not certified
    assume(last < LARGEST - 1)
    assert not certified(low, low, n)
    assert not certified(low, max(low + 1, 1 << KEY_MANTISSA), n)
    assert not certified(low, last, n)
    assert certified(low, last + 1, n)
    assert certified(low, LARGEST, n)
    assert not certified(last + 1, low, n)


@given(low=deltas, n=sizes, up=st.booleans(), gap=st.integers(0, 8))
def test_certified_holds_for_the_worst_rows_and_sees_wide_gaps(low, n, up, gap):
    """Rows given by their exact delta alone, whose delta_hw errs as far as the theorem lets it.

    `up`: the lesser delta is shown too great and the greater one too small; or the other way.
    """
    high = low + gap * (SHARE * low + n * LOSS)
    rho, lost = SHARE - Fraction(1, 1 << 24), (n - 1) * LOSS
    sign = 1 if up else -1
    shown = [
        code(min(max(exact + way * sign * (rho * exact + lost), Fraction(0)), Fraction(1 << 18)))
        for exact, way in ((low, 1), (high, -1))
    ]
    first, second = shown
    if certified(first, second, n):
        assert low < high
    if certified(second, first, n):
        assert high < low
    if gap > 4:  # the errors take 2 of these, the bounds 2 more
        assert certified(first, second, n)


def test_rows_of_equal_delta_are_never_certified():
    """(m, m - 1) has delta exp(-1) whatever m is; the keys differ, one might say in an order."""
    keys = sorted({key_of(on_integers(from_float([m, m - 1]))) for m in range(-127, 128, 3)})
    assert len(keys) > 50
    assert not any(certified(keys[at], key, 2) for at in range(len(keys)) for key in keys[at + 1 :])
    assert number(keys[-1]) - number(keys[0]) > bound(number(keys[0]), 2) / 2  # not so near at all


def test_rows_whose_keys_are_in_the_wrong_order_are_not_certified():
    """A third element of exp(-13) for exp(-30) raises delta by less than what keys err."""
    tops = range(14, 128, 2)
    less, more = ([from_float([m, m - 1, m - far]) for m in tops] for far in (30, 13))
    assert delta(less[0]) < delta(more[0])  # and so of all: delta knows differences only
    low, high = ([key_of(on_integers(row)) for row in rows] for rows in (less, more))
    wrong = [(b, a) for a in low for b in high if b < a]
    assert len(wrong) > 10
    assert not any(certified(*pair, 3) for pair in wrong)


@pytest.mark.parametrize(
    ("keys", "proven"),
    [
        ((NAN_FIRST, ZERO), True),
        ((NAN_FIRST, LARGEST), True),
        ((ZERO, NAN_LAST), True),
        ((LARGEST, NAN_LAST), True),
        ((LARGEST, EMPTY), True),
        ((NAN_FIRST, EMPTY), True),
        ((NAN_FIRST, NAN_FIRST), False),
        ((NAN_LAST, NAN_LAST), False),
        ((EMPTY, EMPTY), False),
        ((NAN_LAST, ZERO), False),
    ],
)
def test_rows_without_a_confidence_are_certified_by_their_keys(keys, proven):
    first, second = keys
    assert certified(first, second, MOST_ELEMENTS) is proven


@given(key=numbers | st.just(ZERO), n=sizes)
@example(ZERO, 1)
@example(code(Fraction(1, 9)), MOST_ELEMENTS)
def test_decided_from_the_bound_on_and_no_nearer(key, n):
    h = number(key)
    _, most = reach(h, n)
    tiny = Fraction(1, 1 << 200)
    assert not decided(key, h, n)
    assert not decided(key, most, n)
    assert decided(key, most + tiny, n)
    assert decided(key, h + 1 + h, n)
    other = h - (most - h)
    if other >= 0:
        assert not decided(key, other, n)
    if other - tiny >= 0:
        assert decided(key, other - tiny, n)


def test_decided_of_rows():
    """Rows with exact deltas 0, 1 and 2 and thresholds beside these."""
    far = Fraction(1, 50_000)
    for size in (1, 2, 3):
        key, exact = key_of(on_integers(from_float([5.0] * size))), Fraction(size - 1)
        assert number(key) == exact
        assert not decided(key, exact, size)
        assert decided(key, exact + (exact + 1) * far, size)
        if exact:
            assert decided(key, exact - exact * far, size)
            assert not decided(key, exact * (1 + far / 2), size)
            assert not decided(key, exact * (1 - far / 2), size)
    assert all(decided(key, Fraction(1, 9), 3) for key in (NAN_FIRST, NAN_LAST, EMPTY))


@given(rows=st.lists(st.lists(near, min_size=1, max_size=8), min_size=2, max_size=6))
def test_certified_orders_are_the_exact_ones(rows):
    n = max(map(len, rows))
    ranked = sorted((key_of(on_integers(row)), delta(row)) for row in rows)
    for (low, exact_low), (high, exact_high) in pairwise(ranked):
        gap = real(bound(number(low), n)) + real(bound(number(high), n))
        if certified(low, high, n):
            assert exact_low < exact_high
        assert exact_low < exact_high + gap


def rounded(x, dtype):
    """A positive rational rounded to nearest even, from the definition."""
    digits = {"bfloat16": 8, "float16": 11, "float32": 24}[dtype]
    least = Fraction(1, 1 << 14) if dtype == "float16" else 0  # below it numbers lie no closer
    unit = Fraction(1)
    while x < unit > least:
        unit /= 2
    unit /= 1 << (digits - 1)
    below = x // unit
    rest = x / unit - below
    return (below + (rest > Fraction(1, 2) or (rest == Fraction(1, 2) and below % 2))) * unit


@settings(max_examples=300)
@given(key=numbers)
@example(1 << KEY_MANTISSA)
@example(ZERO)
@example(LARGEST)
@example(code(Fraction(1)))
@example(code(Fraction(1, 511)))  # 1 - 2**-9, midway between two BF16 numbers
@example(code(Fraction(1, 511)) + 1)
@example(code(Fraction(1, 1024)))
def test_confidence_is_correctly_rounded(key):
    got = float(to_float(confidence(ints(32, key)).as_int()))
    assert Fraction(got) == rounded(1 / (1 + number(key)), "bfloat16")


def test_confidence_at_every_rounding_boundary():
    words = np.arange(int(from_float(2.0**-18)), 0x3F80)
    middles = (to_float(words).astype(float) + to_float(words + 1)) / 2  # exact in float64
    at = [code(1 / Fraction(x) - 1) for x in middles.tolist()]
    keys = np.clip(np.add.outer(at, [-1, 0, 1]).ravel(), 1 << KEY_MANTISSA, LARGEST)
    got = to_float(confidence(arrays(32, keys)).value).tolist()
    for key, ours in zip(keys.tolist(), got, strict=True):
        assert Fraction(ours) == rounded(1 / (1 + number(key)), "bfloat16"), hex(key)


def test_confidence_of_no_number():
    assert [confidence(ints(32, key)).as_int() for key in (NAN_FIRST, NAN_LAST)] == [0x7FC0] * 2


taus = st.sampled_from([0.9, 0.5, 0.95, 1.0, 0.99, 1 / 3, 1e-3, 0.8984375, 0.0, -1.0, 1.5, 1e-40])


@given(
    tau=taus | st.floats(2**-18, 1),
    dtype=st.sampled_from(["exact", "bfloat16", "float16", "float32"]),
    strict=st.booleans(),
    key=numbers,
    step=st.none() | st.integers(-3, 3),
)
def test_a_threshold_is_one_comparison_of_keys(tau, dtype, strict, key, step):
    most = limit(tau, dtype, strict)
    if step is not None:
        key = min(max(most + step, 1 << KEY_MANTISSA), LARGEST)
    confidence = 1 / (1 + number(key))
    if dtype == "exact":
        accepted = confidence > Fraction(tau) if strict else confidence >= Fraction(tau)
    else:
        kind = getattr(torch, dtype)
        ours = torch.tensor(float(rounded(confidence, dtype)), dtype=kind)
        accepted = bool(ours > tau if strict else ours >= tau)
    if key != most:
        assert accepted == (key <= most)
    else:  # of the bucket that holds the boundary some number is to be accepted: its least
        assert accepted


@given(key=numbers, x=st.fractions(0, 300_000), near_it=st.booleans())
def test_threshold_lemma(key, x, near_it):
    if near_it:
        x = number(key) + (x - 1000) / (1 << 60)
        assume(x >= 0)
    low = number(key)
    high = number(key + 1) if key < LARGEST else Fraction(1 << 18)
    if key < code(x):
        assert high <= x  # so any delta_hw of this key is below x
    if key > code(x):
        assert low > x
    if decided(key, x, 100):
        assert abs(low - x) > bound(low, 100)


def test_a_threshold_that_is_python_s_is_cast_first():
    assert limit(0.9, "bfloat16") == limit(0.8984375, "bfloat16")
    assert limit(0.9, "float32") != limit(0.9, "exact")
    with pytest.raises(ValueError, match="NaN"):
        limit(float("nan"))
    with pytest.raises(ValueError, match="negative"):
        code(Fraction(-1))
    with pytest.raises(ValueError, match="no key"):
        value(2)
    assert limit(1.0, "exact", strict=True) == NAN_FIRST
