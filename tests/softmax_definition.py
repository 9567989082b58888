"""The softmax state by its definition, in exact or 50-digit arithmetic; and rows to try it on.

The witness knows nothing of slots: `delta` sums exponentials, `first_argmax` compares floats.
"""

from fractions import Fraction

import mpmath
import numpy as np
from hypothesis import strategies as st

from unmask.spec import numerics
from unmask.spec.bits import ints
from unmask.spec.formats import to_float
from unmask.spec.numerics import LARGEST, c, value
from unmask.spec.reductions import every, fold, halve, parts
from unmask.spec.softmax import (
    KEY_MANTISSA,
    SoftmaxState,
    key32,
)
from unmask.spec.vectors import EACH, WHOLE

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
