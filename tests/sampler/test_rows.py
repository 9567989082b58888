"""States of rows, counted, against the specification's fold; both ways of counting."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from unmask.spec.bits import arrays, ints
from unmask.spec.reductions import parts
from unmask.spec.sampler.codes import by_code
from unmask.spec.sampler.end import finish
from unmask.spec.sampler.rounding import inexact, to_bfloat16
from unmask.spec.sampler.rows import COUNTING, PARTS, Patch, row_states, unpack
from unmask.spec.softmax import MOST_ELEMENTS, confidence, key32, lane_of, status
from unmask.spec.tensors import tensors
from unmask.tests.logit_rows import FAMILIES, logit_row
from unmask.tests.softmax_definition import lane, normal, on_arrays, on_integers, plain
from unmask.tests.strategies import SPECIAL_CODES
from unmask.tests.strategies import logits as logit_codes

big = st.sampled_from([0x4680, 0x46FF, 0xC680, 0xC67F, 0x467F, 0x7F7F, 0xFF7F])
rows = logit_codes(1, 40) | st.lists(big | normal, min_size=1, max_size=40)
WAYS = pytest.mark.parametrize("compiled", [True, False])


def of(row, dtype=torch.bfloat16):
    """A row of codes as logits (1, 1, V)."""
    codes = torch.tensor(np.asarray(row, np.uint16).astype(np.int16))
    return codes.view(torch.bfloat16).to(dtype).reshape(1, 1, -1)


def test_numba_is_installed_here():
    assert COUNTING


@WAYS
@settings(max_examples=150)
@given(row=rows)
def test_counted_state_is_the_folded_one(compiled, row):
    packed, changed = row_states(of(row), compiled=compiled)
    assert packed.shape == (1, 1, PARTS) and packed.dtype == torch.int64
    assert packed[0, 0].tolist() == plain(on_integers(row))
    assert changed.tolist() == [[0]]


@WAYS
def test_special_codes_in_every_order(compiled):
    """Two special codes in both orders, after one: ties of zeros and of NaNs among them."""
    for first in SPECIAL_CODES:
        for second in SPECIAL_CODES:
            row = [0xC000, first, second, first]
            got = row_states(of(row), compiled=compiled)[0][0, 0].tolist()
            assert got == plain(on_integers(row)), [hex(x) for x in row]


@WAYS
@pytest.mark.parametrize("family", FAMILIES)
def test_whole_rows(compiled, family):
    for vocabulary in (1000, 126_464, MOST_ELEMENTS):
        row = logit_row(family, vocabulary, seed=5)
        got = row_states(of(row), compiled=compiled)[0][0, 0].tolist()
        assert got == plain(on_arrays(row))


@WAYS
def test_rows_of_a_batch_do_not_mix_however_they_lie_in_memory(compiled):
    drawn = np.random.default_rng(1).integers(0, 1 << 16, (3, 4, 50)).astype(np.int16)
    logits = torch.from_numpy(drawn).view(torch.bfloat16)
    for some in (logits, logits[:, 1:, 3:40], logits.transpose(0, 1), logits.flip(2)[..., ::2]):
        packed = row_states(some, compiled=compiled)[0]
        for at in np.ndindex(*some.shape[:2]):
            row = some[at].view(torch.int16).numpy().view(np.uint16)
            assert packed[at].tolist() == plain(on_integers(row.tolist()))


@WAYS
@given(row=rows, data=st.data())
def test_a_patch_stands_for_other_logits(compiled, row, data):
    places = data.draw(st.lists(st.integers(0, len(row) - 1), min_size=1, max_size=3, unique=True))
    codes = data.draw(st.lists(st.sampled_from(SPECIAL_CODES), min_size=3, max_size=3))
    values = of(codes[: len(places)])
    logits = of(row)
    packed = row_states(logits, Patch(torch.tensor([[places]]), values), compiled)[0]
    patched = list(row)
    for place, code in zip(places, codes, strict=False):
        patched[place] = code
    assert packed[0, 0].tolist() == plain(on_integers(patched))
    assert torch.equal(logits.view(torch.int16), of(row).view(torch.int16))


def test_threads_share_the_rows_and_report_what_failed():
    logits = torch.from_numpy(np.stack([logit_row("gaussian", 9000, s) for s in range(40)]))
    logits = logits.view(torch.bfloat16).unsqueeze(0)
    alone = row_states(logits)[0]
    torch.set_num_threads(4)
    assert torch.equal(row_states(logits.expand(9, -1, -1))[0], alone.expand(9, -1, -1))
    wrong = Patch(torch.full((1, 40, 1), 9000), torch.zeros(1, 40, 1, dtype=torch.bfloat16))
    with pytest.raises(RuntimeError, match="out of bounds"):
        row_states(logits, wrong)
    torch.set_num_threads(1)


def test_the_table_holds_the_lane_of_every_code():
    lanes = list(parts(lane_of(arrays(16, np.arange(1 << 16)))))
    for code in (*SPECIAL_CODES, 0x4680, 0x3FC9):
        key, _, top, *slots = plain(lane(ints(16, code)))[:8]
        assert by_code()[code].tolist() == [key, top, *slots[:3]]
    assert all((np.asarray(lane.value) == 0).all() for lane in lanes[6:8])  # slots 3 and 4


@given(batch=st.lists(rows, min_size=1, max_size=4), nan_last=st.booleans())
def test_the_end_is_the_specifications_on_arrays_and_on_tensors(batch, nan_last):
    states = [on_integers(row) for row in batch]
    packed = torch.cat([row_states(of(row))[0][0] for row in batch])
    end = finish(packed, nan_last)
    keys = [key32(state, ints(1, int(nan_last))) for state in states]
    assert end.key.tolist() == [key.as_int() for key in keys]
    assert end.token.tolist() == [state.index.as_int() for state in states]
    assert end.status.tolist() == [status(state).as_int() for state in states]
    words = (end.confidence.view(torch.int16).to(torch.int32) & 0xFFFF).tolist()
    assert words == [confidence(key).as_int() for key in keys]
    state, last = unpack(packed), tensors(1, int(nan_last))  # as on any other device
    key = key32(state, last)
    on_tensors = [part.value.tolist() for part in (key, confidence(key), status(state))]
    assert on_tensors == [end.key.tolist(), words, end.status.tolist()]


floats = st.floats(allow_nan=True, allow_infinity=True) | st.sampled_from(
    [1 + 2**-8, 1 + 2**-8 + 2**-40, 1 + 2**-8 - 2**-40, 1 + 3 * 2**-8, 3.4e38, 3.3961e38, -0.0]
)


@given(values=st.lists(floats, min_size=1, max_size=10))
def test_float64_is_rounded_once(values):
    got = to_bfloat16(torch.tensor(values, dtype=torch.float64))
    for value, rounded in zip(values, got.tolist(), strict=True):
        if value != value:
            assert rounded != rounded
        else:
            assert rounded == nearest(value)


def nearest(value):
    """The nearest BF16 by exact arithmetic, ties to the even code."""
    if value in (np.inf, -np.inf):
        return value
    codes = np.r_[np.arange(0x7F80), 0x7F80].astype(np.uint32) << 16
    numbers = codes.astype(np.uint32).view(np.float32).astype(float)
    numbers[-1] = 2.0**128  # where infinity would be
    at = int(np.searchsorted(numbers, abs(value)).clip(1, len(numbers) - 1))
    low, high = Fraction(numbers[at - 1]), Fraction(numbers[at])
    exact = Fraction(abs(value))
    up = exact - low > high - exact or (exact - low == high - exact and at % 2 == 0)
    found = numbers[at] if up else numbers[at - 1]
    found = np.inf if found >= 2.0**128 else found
    return float(np.copysign(found, value))


@WAYS
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_other_dtypes_are_rounded_and_counted(compiled, dtype):
    values = torch.tensor(
        [[1.0, 1 + 2**-9, torch.nan, -torch.inf, 3.0, 2**-9 + 2], [0, 1, 2, 3, 4, 5]]
    )
    logits = values.to(dtype).unsqueeze(0)
    packed, count = row_states(logits, compiled=compiled)
    rounded = values.to(dtype).to(torch.bfloat16).unsqueeze(0)
    assert torch.equal(packed, row_states(rounded)[0])
    assert count.tolist() == [[2, 0]]
    assert inexact(rounded, rounded).tolist() == [[0, 0]]
