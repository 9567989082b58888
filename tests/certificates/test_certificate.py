"""`certify`: its verdicts hold for every contract, on small hard rows; what it refuses, and why."""

from __future__ import annotations

import math
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


# -- as the sampler has it -----------------------------------------------------------------------
def alike(logits: torch.Tensor, x: torch.Tensor, contract: str, **parameters: Any) -> Any:
    """The certificate's row, once its tokens, keys and set are those of `sample_step`."""
    mask = torch.ones_like(x, dtype=torch.bool)
    done = unmask.sample_step(logits, x, mask, contract, **parameters)
    (row,) = certify(logits, x, mask, contract, **parameters).rows
    assert row.transfer.tolist() == done.transfer[0].tolist()
    for at in row.positions:
        assert at.token == done.tokens[0, at.position]
        assert at.key is None or at.key == done.key[0, at.position]
    return row


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("penalty", [1.003, 0.3, 1e30])
def test_a_penalty_is_subtracted_in_the_dtype_of_the_logits(dtype, penalty):
    random = torch.Generator().manual_seed(3)
    logits = torch.randn(1, 64, 6, generator=random).mul(4).to(dtype)
    x = torch.randint(0, 6, (1, 64), generator=random)
    if penalty > 60_000 and dtype == torch.float16:
        penalty = 60_000
    alike(logits, x, "sglang_joint_threshold", tau=0.9, edit_tau=0.9, prompt=x < 0, penalty=penalty)


def test_no_penalty_in_row_0():
    """Its best token stands last, and in its own place."""
    logits, x = torch.tensor([[[0.0, 3.0], [2.0, 0.0]]]), torch.tensor([[1, 1]])
    parameters = {"tau": 0.5, "edit_tau": 0.5, "prompt": x < 0, "penalty": 9.0}
    row = alike(logits, x, "sglang_joint_threshold", **parameters)
    assert [at.token for at in row.positions] == [1, 0]


@pytest.mark.parametrize("factor", [math.inf, -math.inf, 1e300])
@pytest.mark.parametrize("contract", ["fast_dllm_factor", "fast_dllm_factor_paper"])
def test_any_factor_is_certified(contract, factor):
    logits = torch.tensor([[[0.0, 3.0], [0.0, 0.0], [0.0, 5.0]]])
    x = torch.zeros(1, 3, dtype=torch.int64)
    row = alike(logits, x, contract, factor=factor)
    assert row.transfer.tolist() == ([True] * 3 if factor > 0 else [False, False, True])


@pytest.mark.parametrize("window", [0, 1, 2, 3])
def test_the_window_ends_where_the_samplers_does(window):
    logits, x = torch.tensor([[[0.0, a] for a in (1.0, 2.0, 3.0)]]), torch.zeros(1, 3).long()
    row = alike(logits, x, "fast_dllm_quota", k=3, block_end=window)
    assert row.transfer.tolist() == [place < window for place in range(3)]


def test_a_hidden_token_stays_the_token_and_may_leave_no_number():
    hide = {"k": 1, "confidence_eos_eot_inf": True, "eos_id": 0, "eot_id": 0}
    x = torch.zeros(1, 2, dtype=torch.int64)
    lost = torch.tensor([[[3.0, 0.0, 1.0], [0.0, 0.1, 0.0]]])
    row = alike(lost, x, "llada_low_confidence", **hide)
    assert [at.token for at in row.positions] == [0, 1] and row.transfer.tolist() == [False, True]
    nothing = torch.tensor([[[0.0, 0.1, 0.0], [3.0, -math.inf, -math.inf]]])
    row = alike(nothing, x, "llada_low_confidence", **hide)  # NaN is first, confidence 0 were last
    assert row.transfer.tolist() == [False, True] and row.positions[1].confidence is None
    nan = torch.tensor([[[0.0, 0.1, 0.0], [math.nan, 1.0, math.nan]]])
    assert alike(nan, x, "llada_low_confidence", **hide).transfer.tolist() == [False, True]


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
        ({"contract": []}, r"contract is \[\], expected a name"),
        ({"logits": [[[1.0], [1.0, 2.0]]]}, "logits is ragged"),
        ({"logits": np.zeros((1, 4, 8), object)}, "logits has elements of type object"),
        ({"logits": torch.zeros(1, 4, 8).to_sparse()}, "logits is a tensor of kind torch.sparse"),
        ({"logits": torch.zeros(1, 4, 8, device="meta")}, "logits is a tensor of kind meta"),
        ({"x": "ab", "mask": 7}, "x is str, expected what makes a dense tensor"),
        ({"x": [[1, 2], [3]], "mask": 7}, "x is list, expected what makes"),
        ({"x": np.zeros((1, 4), object), "mask": 7}, "x is object, expected what makes"),
        ({"x": torch.zeros(1, 4).long().to_sparse(), "mask": 7}, "x is torch.int64, expected what"),
        ({"mask": np.zeros((1, 4), object)}, "mask is object, expected what makes"),
        ({"k": 1 << 70}, "k is 1180591620717411303424, expected an integer from 0 to 4"),
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
