"""The softmax state against the definition of softmax, in exact or 50-digit arithmetic.

The witness knows nothing of slots: `delta` sums exponentials, `first_argmax` compares floats.
"""

from fractions import Fraction
from itertools import pairwise

import mpmath
import numpy as np
import pytest
import torch
import z3
from hypothesis import assume, example, given, settings, target
from hypothesis import strategies as st

from unmask.spec import numerics, softmax
from unmask.spec.bits import arrays, ints
from unmask.spec.formats import from_float, to_float
from unmask.spec.numerics import LARGEST, bound, c, certified, code, decided, limit, value
from unmask.spec.reductions import every, fold, halve, parts, tree
from unmask.spec.softmax import (
    EMPTY,
    KEY_MANTISSA,
    MOST_ELEMENTS,
    NAN_FIRST,
    NAN_LAST,
    ZERO,
    SoftmaxState,
    confidence,
    divide,
    exponential,
    key32,
    maximum,
    status,
)
from unmask.spec.terms import const
from unmask.spec.vectors import EACH, WHOLE
from unmask.tests.logit_rows import FAMILIES, logit_row
from unmask.tests.strategies import logits

mpmath.mp.dps = 50
NONE = SoftmaxState.empty(ints(1, 0))
NORMAL = np.r_[np.arange(0x4680), np.arange(0x8000, 0xC680)]
normal = st.integers(0, 0x467F) | st.integers(0x8000, 0xC67F)
# Within a few units of each other, so that many elements weigh something.
near = st.integers(0x4000, 0x4180) | st.integers(0xBE00, 0xBF80) | st.integers(0x3F00, 0x40FF)
numbers = st.integers(1 << KEY_MANTISSA, LARGEST) | st.builds(
    lambda exponent, fraction: (exponent << KEY_MANTISSA) + fraction,
    st.integers(1, 98),
    st.sampled_from([0, 1, (1 << KEY_MANTISSA) - 1]),
)


def delta(row):
    """Sum of exp(l - max) over all but one maximum, by definition; mpf."""
    found, counts = np.unique(np.asarray(row, np.uint16), return_counts=True)
    numbers = [mpmath.mpf(float(x)) for x in to_float(found)]
    top = max(numbers)
    weights = (int(n) * mpmath.exp(x - top) for x, n in zip(numbers, counts, strict=True))
    return mpmath.fsum(weights) - 1


def first_argmax(row):
    values = to_float(row)
    if np.isnan(values).any():
        return int(np.isnan(values).argmax())
    return int(values.argmax())


def lane(code):
    """The state of one element, index 0."""
    return SoftmaxState.lane(code, code.const(32, 0))


def lanes_of(row):
    lanes = EACH.table(lane, EACH.of(16, row))
    return [x._replace(index=ints(32, at)) for at, x in enumerate(lanes)]


def on_integers(row):
    return fold(lanes_of(row), NONE, SoftmaxState)


def on_arrays(row):
    """The state by halving, as integers."""
    lanes = WHOLE.table(lane, WHOLE.of(16, row))._replace(index=WHOLE.places(len(row)))
    return every(lambda x: ints(x.width, int(x.value[0])), halve(lanes, SoftmaxState))


def plain(state):
    return [x.as_int() for x in parts(state)]


def key_of(state, nan_last=0):
    return key32(state, ints(1, nan_last)).as_int()


def real(x):
    return mpmath.mpf(x.numerator) / x.denominator


def number(key: int) -> Fraction:
    """The value of a key that has one."""
    found = value(key)
    assert found is not None
    return found


def error(row, key):
    """Of the key's number, as a share of what T1 allows."""
    exact = delta(row)
    allowed = real(numerics.R) * exact + real(c(len(row)))
    return float(abs(real(number(key)) - exact) / allowed)


# -- the error theorem --


def copies(element, n):
    """A state of n times the same element, by doubling."""
    total, power = SoftmaxState.empty(element.key), element
    while n:
        if n & 1:
            total = SoftmaxState.combine(total, power)
        power, n = SoftmaxState.combine(power, power), n >> 1
    return total


histograms = st.lists(st.tuples(normal | near, st.integers(1, 99999)), min_size=1, max_size=2)


@settings(max_examples=200)
@given(row=st.lists(near, min_size=2, max_size=40) | st.lists(normal, min_size=1, max_size=20))
def test_error_of_short_rows_is_within_the_bound(row):
    share = error(row, key_of(on_integers(row)))
    target(share)
    assert share <= 1


@settings(max_examples=200)
@given(top=normal | near, others=histograms)
def test_error_of_long_rows_of_few_values_is_within_the_bound(top, others):
    state, exact = lane(ints(16, top)), 0
    values = [mpmath.mpf(float(to_float(x))) for x, _ in others]
    greatest = mpmath.mpf(float(to_float(top)))
    assume(all(x <= greatest for x in values))
    for (element, n), x in zip(others, values, strict=True):
        state = SoftmaxState.combine(state, copies(lane(ints(16, element)), n))
        exact += n * mpmath.exp(x - greatest)
    n = state.count.as_int()
    allowed = real(numerics.R) * exact + real(c(n))
    share = float(abs(real(number(key_of(state))) - exact) / allowed)
    target(share)
    assert share <= 1


@pytest.mark.parametrize(
    ("top", "least"),  # a maximum, and what share of the bound must be met for the test to be good
    [
        (0x3FC9, 0.99),
        (0x0000, 0.9),
        (0x3D21, 0.9),
        (0x4049, 0.6),
        (0x4390, 0.6),
        (0xC2F7, 0.5),
        (0xC180, 0.4),
        (0x465F, 0.0),  # neighbours so far apart that none weighs anything
        (0xC67F, 0.0),
    ],
)
def test_error_of_vertex_rows_is_within_the_bound(top, least):
    """One maximum and V - 1 copies of one other logit: where the greatest errors are."""
    most = copies(WHOLE.table(lane, WHOLE.places(1 << 16)), MOST_ELEMENTS - 1)
    states = SoftmaxState.combine(most, lane(arrays(16, top)))
    values = to_float(np.arange(1 << 16))
    values = np.where(np.isnan(values), -np.inf, values).astype(np.longdouble)
    ours = (values <= values[top]) & (values > values[top] - 80)
    keys = key32(states, arrays(1, 0)).value[ours]
    exact = np.exp(values[ours] - values[top]) * (MOST_ELEMENTS - 1)
    got = np.ldexp((1 << 25) + (keys & 0x1FFFFFF).astype(np.longdouble), (keys >> 25) - 106)
    got[keys == ZERO] = 0
    shares = np.abs(got - exact) / (float(numerics.R) * exact + float(c(MOST_ELEMENTS)))
    worst = shares.argmax()  # 64-bit mantissas found it, 50 digits judge it
    x = mpmath.mpf(float(values[ours][worst])) - mpmath.mpf(float(values[top]))
    true = (MOST_ELEMENTS - 1) * mpmath.exp(x)
    allowed = real(numerics.R) * true + real(c(MOST_ELEMENTS))
    assert abs(real(number(int(keys[worst]))) - true) / allowed <= 1
    assert least <= shares.max() <= 1


@pytest.mark.parametrize("family", ["gaussian", "peaked", "all negative", "tied", "banned"])
def test_whole_rows(family):
    for vocabulary in (126_464, MOST_ELEMENTS):
        row = logit_row(family, vocabulary, seed=7)
        state = on_arrays(row)
        assert state.index.as_int() == first_argmax(row)
        assert state.count.as_int() == vocabulary
        assert error(row, key_of(state)) <= 1


# -- a function of the multiset --


@settings(max_examples=60)
@given(row=logits(1, 30), data=st.data())
def test_order_chunks_and_shards_change_nothing(row, data):
    expected = plain(on_integers(row))
    order = data.draw(st.permutations(range(len(row))))
    lanes = lanes_of(row)
    shuffled = [lanes[at] for at in order]
    assert plain(fold(shuffled, NONE, SoftmaxState)) == expected
    cut = data.draw(st.integers(0, len(row)))
    shards = [fold(part, NONE, SoftmaxState) for part in (shuffled[:cut], shuffled[cut:])]
    assert plain(SoftmaxState.combine(*shards)) == expected
    width = data.draw(st.sampled_from([1, 2, 4, 8]))  # chunks of a tree with an inactive tail
    state = NONE
    for begin in range(0, len(row), width):
        chunk = shuffled[begin : begin + width]
        off = SoftmaxState.lane(ints(16, 0x4000), ints(32, 0), ints(1, 0), ints(2, 3))
        chunk += [off] * (width - len(chunk))
        state = SoftmaxState.combine(state, tree(chunk, SoftmaxState))
    assert plain(state) == expected
    assert plain(on_arrays(row)) == expected
    permuted = [row[at] for at in order]
    assert key_of(on_integers(permuted)) == key_of(on_integers(row))  # T5


@settings(max_examples=10)
@given(row=logits(1, 4), nan_last=st.integers(0, 1))
def test_terms_agree_with_integers(row, nan_last):
    def constant(x):
        return z3.simplify(x.value).as_long()

    lanes = (SoftmaxState.lane(const(16, x), const(32, at)) for at, x in enumerate(row))
    state = fold(lanes, SoftmaxState.empty(const(1, 0)), SoftmaxState)
    state = every(lambda x: x.like(z3.simplify(x.value)), state)
    expected = on_integers(row)
    assert [constant(x) for x in parts(state)] == plain(expected)
    key = key_of(expected, nan_last)
    assert constant(key32(state, const(1, nan_last))) == key
    assert constant(confidence(const(32, key))) == confidence(ints(32, key)).as_int()
    assert constant(status(state)) == status(expected).as_int()


def test_lanes_on_arrays_are_those_on_integers():
    some = np.r_[np.arange(0, 1 << 16, 97), 0x467F, 0x4680, 0xC67F, 0xC680, 0x7F80, 0xFF80, 0xFFFF]
    table = WHOLE.table(lane, WHOLE.of(16, some))
    for at, x in enumerate(some.tolist()):
        assert [int(part.value[at]) for part in parts(table)] == plain(lane(ints(16, x)))


def test_keys_on_arrays_are_those_on_integers():
    rng = np.random.default_rng(3)
    rows = [logit_row(name, 300, seed) for name in FAMILIES for seed in range(3)]
    rows += [rng.integers(0, 1 << 16, 5).astype(np.uint16) for _ in range(30)]
    states = [on_integers(row) for row in rows]
    together = every(lambda *x: arrays(x[0].width, [y.as_int() for y in x]), *states)
    for function in (maximum, status, lambda s: key32(s, arrays(1, 0))):
        got = function(together).value.tolist()
        plainly = function if function in (maximum, status) else lambda s: key32(s, ints(1, 0))
        assert got == [plainly(state).as_int() for state in states]
    keys = key32(together, arrays(1, 0))
    assert confidence(keys).value.tolist() == [
        confidence(ints(32, key)).as_int() for key in keys.value.tolist()
    ]


@given(row=st.lists(near, min_size=2, max_size=12), at=st.integers(0, 11), other=near)
def test_raising_an_element_never_lowers_the_key(row, at, other):
    values = to_float(row)
    top = int(values.argmax())
    assume(at < len(row) and at != top)
    assume(values[at] <= to_float(other) <= values[top])
    raised = [*row[:at], other, *row[at + 1 :]]
    assert key_of(on_integers(row)) <= key_of(on_integers(raised))


# -- special rows --

BIG, NAN, POS, ALL_NEG = (
    softmax.STATUS_BIG,
    softmax.STATUS_NAN,
    softmax.STATUS_POS_INF,
    softmax.STATUS_ALL_NEG_INF,
)
INF = float("inf")


@pytest.mark.parametrize(
    ("row", "argmax", "key", "top", "flags"),
    [
        ([1.0], 0, ZERO, 1.0, 0),
        ([-0.0], 0, ZERO, 0.0, 0),
        ([-0.0, 0.0], 0, code(Fraction(1)), 0.0, 0),
        ([0.0, -0.0, -0.0], 0, code(Fraction(2)), 0.0, 0),
        ([3.0, 7.0, 7.0, 7.0, -INF], 1, None, 7.0, 0),  # 2 and exp(-4)
        ([2.0, -INF, -INF], 0, ZERO, 2.0, 0),
        ([2.0, -1e30, -16384.0], 0, ZERO, 2.0, 0),
        ([-16320.0, -16384.0], 0, ZERO, -16320.0, 0),
        ([1e30, 2e30, 2e30], 1, code(Fraction(1)), 2e30, BIG),
        ([5.0, 16384.0], 1, ZERO, 16384.0, BIG),
        ([16384.0, 5.0, 16384.0, 16320.0, 16384.0], 0, code(Fraction(2)), 16384.0, BIG),
        ([-1e30, -2e30, -1e30], 0, code(Fraction(1)), -1e30, BIG),
        ([1.0, float("nan"), 3.0, float("nan")], 1, NAN_FIRST, float("nan"), NAN),
        ([INF, float("nan")], 1, NAN_FIRST, float("nan"), NAN),
        ([1.0, INF, INF], 1, NAN_FIRST, INF, POS),
        ([-INF, -INF], 0, NAN_FIRST, -INF, ALL_NEG),
        ([-INF, -3e38], 1, ZERO, -3e38, BIG),
    ],
)
def test_special_rows(row, argmax, key, top, flags):
    elements = from_float(row)
    state = on_integers(elements)
    assert state.index.as_int() == argmax == torch.tensor(row).argmax().item()
    assert maximum(state).as_int() == int(from_float(top))
    assert status(state).as_int() == flags
    got = key_of(state)
    assert got == key if key is not None else error(elements, got) <= 1
    assert key_of(state, 1) == (NAN_LAST if key == NAN_FIRST else got)
    assert got == key_of(on_arrays(elements))


def test_no_element():
    assert key_of(NONE) == key_of(NONE, 1) == EMPTY
    assert maximum(NONE).as_int() == 0xFF80 and status(NONE).as_int() == softmax.STATUS_EMPTY
    assert confidence(ints(32, EMPTY)).as_int() == 0


def test_flags_of_lanes_stick():
    state = NONE
    for flags in (0, softmax.MX_SATURATED, 0):
        lane = SoftmaxState.lane(ints(16, 0x3F80), ints(32, 0), flags=ints(2, flags))
        state = SoftmaxState.combine(lane, state)
    assert status(state).as_int() == softmax.STATUS_MX_SATURATED
    inexact = state._replace(flags=ints(2, softmax.MX_INEXACT))
    assert status(inexact).as_int() == softmax.STATUS_MX_INEXACT


@given(row=logits(1, 40))
def test_argmax_is_that_of_pytorch(row):
    assert on_integers(row).index.as_int() == first_argmax(row)


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
    digits = {"bfloat16": 8, "float32": 24}[dtype]
    unit = Fraction(1)
    while x < unit:
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
    dtype=st.sampled_from(["exact", "bfloat16", "float32"]),
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


def test_lanes_are_near_exp_and_in_order():
    order = NORMAL[np.argsort(to_float(NORMAL), kind="stable")]
    own = exponential(arrays(16, order))
    whole = own.bin.value.astype(object) * 16 + own.place.value
    ranks = [(int(q) << 20) + int(m) for q, m in zip(whole, own.mantissa.value, strict=True)]
    assert ranks == sorted(ranks)
    assert int(mpmath.nint(2**23 / mpmath.log(2))) == softmax.LOG2E


@given(row=st.lists(near | normal, min_size=1, max_size=10))
def test_the_key_is_the_code_of_the_exact_quotient(row):
    """From the terms as integers of any length: window, exact D, one truncation."""
    terms = []
    for element in row:
        own = exponential(ints(16, element))
        terms.append((16 * own.bin.as_int() + own.place.as_int(), own.mantissa.as_int()))
    whole, mantissa = max(terms)
    unit = whole // 16 * 16 - 64 + 19  # exponent of the window's last bit, 19 fraction bits apart
    greatest = mantissa << (whole - unit)
    total = sum(m << (q - unit) if q >= unit else m >> (unit - q) for q, m in terms)
    assert key_of(on_integers(row)) == code(Fraction(total - greatest, greatest))
