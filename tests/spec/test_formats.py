"""BF16: the order key against IEEE comparison, conversions against PyTorch."""

import numpy as np
import torch
import z3
from hypothesis import given

from unmask.spec.bits import arrays, ints
from unmask.spec.formats import EMPTY_KEY, from_float, order_key, to_float
from unmask.spec.reference.argmax import tensor
from unmask.spec.terms import const
from unmask.tests.strategies import codes

ALL = np.arange(1 << 16, dtype=np.uint16)


def test_order_key_orders_all_codes_as_ieee_does():
    keys = order_key(arrays(16, ALL)).value
    values = to_float(ALL)
    nan = np.isnan(values)
    assert (keys[nan] == 0xFFFF).all() and (keys[~nan] < 0xFFFF).all()
    assert (keys > EMPTY_KEY).all()
    order = np.argsort(values[~nan], kind="stable")
    sorted_values, sorted_keys = values[~nan][order], keys[~nan][order]
    # neighbours in value order: equal values have equal keys, smaller ones smaller keys
    same = sorted_values[1:] == sorted_values[:-1]
    assert np.array_equal(sorted_keys[1:] == sorted_keys[:-1], same)
    assert (sorted_keys[1:] >= sorted_keys[:-1]).all()


@given(code=codes)
def test_order_key_is_the_same_on_every_interpretation(code):
    key = order_key(ints(16, code)).as_int()
    assert order_key(arrays(16, [code])).value.tolist() == [key]
    assert z3.simplify(order_key(const(16, code)).value).as_long() == key


def test_conversions_are_those_of_pytorch():
    assert np.array_equal(to_float(ALL), tensor(ALL).to(torch.float32).numpy(), equal_nan=True)
    rng = np.random.default_rng(1)
    words = rng.integers(0, 1 << 32, 200_000, dtype=np.uint32)
    ties = (ALL.astype(np.uint32) << 16) | 0x8000
    floats = np.concatenate([words, ties, ties + 1, ties - 1]).view(np.float32)
    expected = torch.from_numpy(floats).to(torch.bfloat16).view(torch.int16).numpy()
    nan = np.isnan(floats)
    assert np.array_equal(from_float(floats)[~nan], expected.view(np.uint16)[~nan])
    assert (from_float(floats)[nan] == 0x7FC0).all()
