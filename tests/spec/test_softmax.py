"""The softmax state against the definition of softmax: error, order, special rows."""

from fractions import Fraction

import mpmath
import numpy as np
import pytest
import torch
import z3
from hypothesis import assume, given, settings, target
from hypothesis import strategies as st

from unmask.spec import numerics, softmax
from unmask.spec.bits import arrays, ints
from unmask.spec.formats import from_float, to_float
from unmask.spec.numerics import c, code
from unmask.spec.reductions import every, fold, parts, tree
from unmask.spec.softmax import (
    EMPTY,
    MOST_ELEMENTS,
    NAN_FIRST,
    NAN_LAST,
    ZERO,
    SoftmaxState,
    confidence,
    exponential,
    key32,
    maximum,
    status,
)
from unmask.spec.terms import const
from unmask.spec.vectors import WHOLE
from unmask.tests.logit_rows import FAMILIES, logit_row
from unmask.tests.softmax_definition import (
    NONE,
    NORMAL,
    error,
    first_argmax,
    key_of,
    lane,
    lanes_of,
    near,
    normal,
    number,
    on_arrays,
    on_integers,
    plain,
    real,
)
from unmask.tests.strategies import logits

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
