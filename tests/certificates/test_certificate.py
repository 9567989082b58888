"""`certify`: its verdicts hold for every contract, on small hard rows; what it refuses, and why."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import unmask
from unmask.spec import numerics
from unmask.spec.certificates import keys
from unmask.spec.certificates.admissible import admissible
from unmask.spec.certificates.certificate import certify
from unmask.spec.formats import NEG_INF, from_float, to_float
from unmask.spec.reference import families
from unmask.spec.reference.rules import Rule, Shape, Threshold, rule_of
from unmask.spec.reference.samplers import CONTRACTS
from unmask.tests import strategies
from unmask.tests.certificates import sweep

LENGTH, VOCABULARY, MASK_ID = 4, 5, 2


@st.composite
def rows(draw: st.DrawFn) -> list[int]:
    """A row: anything, or finite and plain, or one of a few, so that rows tie and nearly tie."""
    plain = st.lists(st.sampled_from([0x3F80, 0x3F81, 0x4000, 0xC000, 0x0000, 0xFF80]),
                     min_size=VOCABULARY, max_size=VOCABULARY)  # fmt: skip
    peaked = st.permutations([0x4190, 0x3F80, 0x3F80, 0, 0x8000])
    flat = st.permutations([0xC1A0, 0xC1A1, 0xC1A0, 0xC1A0, 0xC19F])
    return draw(strategies.logits(VOCABULARY, VOCABULARY) | plain | peaked | flat)


@st.composite
def steps(draw: st.DrawFn) -> dict[str, Any]:
    """A contract, its parameters, and a step (1, LENGTH, VOCABULARY)."""
    name = draw(st.sampled_from(sorted(CONTRACTS)))
    mask = draw(st.lists(st.booleans(), min_size=LENGTH, max_size=LENGTH))
    numbers = st.sampled_from([0.0, 0.3, 0.5, 0.9, 1.0])
    prompt = draw(st.lists(st.booleans(), min_size=LENGTH, max_size=LENGTH))
    uniform = draw(st.lists(st.sampled_from([0.0, 0.25, 0.5]), min_size=LENGTH, max_size=LENGTH))
    given_ = {
        "k": draw(st.integers(0, LENGTH)),
        "q": draw(st.integers(0, 3)),
        "tau": draw(numbers),
        "edit_tau": draw(numbers),
        "factor": draw(st.sampled_from([0.5, 1.0, 1.5, 2.5])),
        "mask_id": MASK_ID,
        "prompt": torch.tensor([prompt]),
        "uniform": torch.tensor([uniform]),
        "penalty": draw(st.sampled_from([0.0, 1.5])),
        "block_end": draw(st.none() | st.integers(0, LENGTH)),
        "logits_eos_inf": draw(st.booleans()),
        "confidence_eos_eot_inf": draw(st.booleans()),
        "eos_id": 1,
        "eot_id": 3,
    }
    contract = CONTRACTS[name]
    wanted = {x: given_[x] for x in contract.parameters if x in given_}
    if name != "llada_random":
        wanted.pop("uniform", None)
    return {
        "contract": name,
        "codes": np.array([[draw(rows()) for _ in range(LENGTH)]], np.uint16),
        "x": torch.tensor([[draw(st.integers(0, VOCABULARY - 1)) for _ in range(LENGTH)]]),
        "mask": torch.tensor([mask]),
        "parameters": wanted,
    }


@settings(max_examples=100, deadline=None)
@given(steps())
def test_verdicts_hold(step):
    mask, parameters = step["mask"], step["parameters"]
    found = certify(step["codes"], step["x"], mask, step["contract"], **parameters)
    (row,) = found.rows
    assert row.refused is None
    assert row.admissible is not None
    if row.certified or row.admissible.unique:
        assert row.equal
    rule = rule_of(step["contract"], Shape(1, LENGTH, VOCABULARY), **parameters)
    zero = admissible(rule, step["codes"][0], step["x"][0].numpy(), mask[0].numpy(), scale=0)
    assert zero.unique and (zero.must == row.exact).all()
    assert (zero.must <= row.admissible.may).all() and (zero.must >= row.admissible.must).all()
    # What PyTorch does, where it is said to be known.
    logits = torch.from_numpy(to_float(step["codes"])).bfloat16()
    contract = CONTRACTS[step["contract"]]
    oracle = contract.oracle(logits, step["x"], mask, **parameters)
    tokens = row.tokens[found.dtype]
    for x in row.positions:
        if x.chosen and tokens[x.position]:
            assert oracle.tokens[0, x.position] == x.token
    known = all(tokens[x.position] for x in row.positions)
    changes = row.admissible.changes
    if known and row.pytorch[found.dtype]:
        assert (oracle.transfer[0].numpy() & changes == row.transfer).all()
    if known and row.as_published[found.dtype]:
        published = contract.as_published(logits, step["x"], mask, **parameters)
        assert (published.transfer[0].numpy() & changes == row.transfer).all()
    opened = certify(step["codes"], step["x"], mask, step["contract"], exact="open", **parameters)
    assert opened.certified == found.certified
    assert (opened.rows[0].transfer == row.transfer).all()


@settings(max_examples=40, deadline=None)
@given(st.lists(rows(), min_size=2, max_size=5), st.data())
def test_keys_certify_what_the_theorems_say(rows_, data):
    codes = np.array([rows_], np.uint16)
    length = len(rows_)
    k = data.draw(st.integers(1, length - 1))
    of = sorted(keys.keys_of(codes[0]).tolist())
    row = certify(codes, None, None, "fast_dllm_quota", k=k).rows[0]
    if numerics.certified(of[k - 1], of[k], VOCABULARY):
        assert row.certified
    elif of[k - 1] != of[k]:
        low, high = (numerics.value(key) for key in of[k - 1 : k + 1])
        assert low is not None and high is not None
        both = numerics.bound(low, VOCABULARY) + numerics.bound(high, VOCABULARY)
        assert row.certified == (high - low == both)


def test_near_pairs_are_certified_as_the_theorem_says():
    rng = np.random.default_rng(2)
    seen = set()
    for _ in range(16):
        pair = sweep.near_pair(rng)
        low, high = sorted(keys.keys_of(list(pair)).tolist())
        row = certify(pair[None], None, None, "fast_dllm_quota", k=1).rows[0]
        assert row.certified == numerics.certified(low, high, pair.shape[1])
        seen.add(row.certified)
    assert seen == {True, False}


def test_thresholds_are_decided_as_the_theorem_says():
    codes = families.rows("peaked", 500, 6)[None]
    for tau in (0.2, 0.5, 0.75, 0.999):
        row = certify(codes, None, None, "fast_dllm_v1_threshold", tau=tau).rows[0]
        x = 1 / Fraction(tau) - 1
        decided = [numerics.decided(at.key or 0, x, 500) for at in row.positions]
        assert row.certified == all(decided)
        assert all((x.margin > 1) == sure for x, sure in zip(row.positions, decided, strict=True))


# -- what is refused ---------------------------------------------------------------------------
NEAR = from_float([[0, -2.375], [0, -2.125], [0, -2.0], [0, -2.0]])  # deltas .093, .119, .135, .135
MASKED, IDS = np.ones(4, bool), np.zeros(4, np.int64)


def refusal(rule: Rule, chosen: list[int], codes: Any = NEAR, masked: Any = MASKED) -> str | None:
    transfer = np.zeros(len(codes), bool)
    transfer[chosen] = True
    return admissible(rule, codes, IDS, masked).refuses(transfer)


def test_refusals_say_why():
    two = Rule("float64", (2,))
    assert refusal(two, [0, 1]) is None
    assert refusal(two, [0, 2]) == (
        "position 2 (delta 0.135333 to 0.135337) chosen before "
        "position 1 (delta 0.119431 to 0.119435)"
    )
    assert refusal(two, [0]) == (
        "position 1 (delta 0.119431 to 0.119435) is not chosen, but each admissible set has it"
    )
    assert "position 2" in str(refusal(two, [0, 1, 2]))
    three = Rule("float64", (3,))
    assert refusal(three, [0, 1, 2]) is None
    assert "position 3" in str(refusal(three, [0, 1, 3]))  # a permutation of 2, which is before
    tau = Threshold(0.89, "float64", strict=False)  # delta at most 0.1236
    passing = Rule("float64", (0,), threshold=tau)
    assert refusal(passing, [0, 1]) is None
    assert "no admissible set has it" in str(refusal(passing, [0, 1, 2]))
    masked = np.array([False, True, True, True])
    assert refusal(two, [0, 1], masked=masked) == "position 0 chosen, but it is known"
    assert "window" in str(refusal(Rule("float64", (2,), window=2), [0, 3]))
    assert "expected (4,)" in str(admissible(two, NEAR, IDS, MASKED).refuses(np.ones(3, bool)))


def test_nan_is_first():
    codes = np.array([[0, 0xFF80], [0, 0x7FC0], [NEG_INF, NEG_INF], [0x4000, 0]], np.uint16)
    assert refusal(Rule("float64", (1,)), [1], codes) is None
    assert refusal(Rule("float64", (2,)), [1, 2], codes) is None
    assert "position 1 (NaN)" in str(refusal(Rule("float64", (1,)), [2], codes))


def test_twice_the_error_admits_more():
    pair = sweep.near_pair(np.random.default_rng(5), least=2.4)
    one = Rule("float64", (1,))
    two_ids, two_masked = IDS[:2], MASKED[:2]
    for scale, unique in ((0, True), (1, True), (2, False)):
        assert admissible(one, pair, two_ids, two_masked, scale=scale).unique == unique


# -- input -------------------------------------------------------------------------------------
def test_inputs_of_all_kinds_say_the_same():
    codes = families.rows("gaussian", 300, 4)[None]
    floats = to_float(codes)
    tensor = torch.from_numpy(floats)
    found = [
        unmask.certify(logits, None, None, "fast_dllm_quota", k=2)
        for logits in (codes, floats, floats.astype(np.float64), tensor, tensor.bfloat16())
    ]
    assert len({tuple(x.rows[0].transfer.tolist()) for x in found}) == 1
    assert {x.rounded for x in found} == {0}
    off = floats + np.float32(1e-6)
    assert unmask.certify(off, None, None, "fast_dllm_quota", k=2).rounded > 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"logits": np.zeros((4, 8))}, r"logits has shape \(4, 8\), expected \(B, L, V\)"),
        ({"logits": np.zeros((1, 4, 8), int)}, "elements of type int64"),
        ({"contract": "beam"}, "contract is 'beam'"),
        ({"k": 5}, "k is 5, expected an integer from 0 to 4"),
        ({"exact": "no"}, "exact is 'no'"),
        ({"chain": 0}, "chain is 0"),
        ({"mask": 3}, "mask is 3 and x is None"),
        ({"x": np.full((1, 4), 9), "mask": 9}, "mask is 9, expected an integer from 0 to 7"),
        ({"x": np.full((1, 4), 9), "mask": 7}, r"x\[0, 0\] is 9"),
        ({"mask": np.ones((1, 3), bool)}, r"mask has shape \(1, 3\), expected \(1, 4\)"),
    ],
)
def test_bad_input_is_named(changes, message):
    given_ = {"logits": np.zeros((1, 4, 8)), "x": None, "mask": None,
              "contract": "fast_dllm_quota", "k": 2}  # fmt: skip
    with pytest.raises(ValueError, match=message):
        certify(**{**given_, **changes})
