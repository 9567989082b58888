"""`sample_step` against the contracts' oracles, and bad input to it."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import unmask
from unmask.spec import numerics
from unmask.spec.reference.argmax import tensor
from unmask.spec.reference.samplers import CONTRACTS
from unmask.spec.sampler.step import Sampled
from unmask.spec.softmax import EMPTY, NAN_FIRST
from unmask.tests.strategies import logits as logit_codes

NAMES = sorted(CONTRACTS)
V = 8
INF, NAN = float("inf"), float("nan")
# Rows of confidence exactly 1/2, 1/4 and 1 in any dtype: on borders, not near them.
EXACT = [[0x4000] * n + [0xFF80] * (V - n) for n in (2, 4, 1)]
GAP = 7e-6  # more than two confidences can err together: 2 * R / 4


@dataclass(frozen=True)
class Case:
    """One step: logits that BF16 holds, in float64, and the parameters of all contracts."""

    logits: torch.Tensor
    x: torch.Tensor
    mask: torch.Tensor
    everything: dict[str, Any]

    def parameters(self, name: str) -> dict[str, Any]:
        """What a contract takes of them, at temperature 0."""
        found = {
            key: self.everything[key]
            for key in CONTRACTS[name].parameters
            if key in self.everything
        }
        if name.startswith("llada_low"):
            del found["uniform"]
        if name == "dream_maskgit_plus":  # one for all rows
            found["k"] = int(found["k"][0])
        return found


@st.composite
def cases(draw: st.DrawFn) -> Case:
    batch, length = draw(st.integers(1, 3)), draw(st.integers(1, 7))
    size = batch * length
    some = st.sampled_from(EXACT) | st.permutations(EXACT[0]) | logit_codes(V, V)
    pool = draw(st.lists(some, min_size=1, max_size=5))

    def grid(values: list[Any], kind: torch.dtype) -> torch.Tensor:
        flat = draw(st.lists(st.sampled_from(values), min_size=size, max_size=size))
        return torch.tensor(flat, dtype=kind).reshape(batch, length)

    def counts(most: int) -> torch.Tensor:
        return torch.tensor(draw(st.lists(st.integers(0, most), min_size=batch, max_size=batch)))

    picked = grid(list(range(len(pool))), torch.int64)
    tau = st.sampled_from([-1.0, 0.0, 0.25, 0.3, 0.5, 0.9, 1.0, 1.5, INF, -INF])
    return Case(
        tensor(np.array(pool, np.uint16))[picked].double(),
        grid(list(range(V)), torch.int64),
        grid([True, True, False], torch.bool),
        {
            "k": counts(length),
            "q": counts(length + 2),
            "tau": draw(tau),
            "edit_tau": draw(tau),
            "factor": draw(st.sampled_from([-1.0, 0.0, 0.5, 1.0, 1.5, 2.25, 3.0, INF])),
            "penalty": draw(st.sampled_from([-1.0, 0.0, 1.0, 0.3])),
            "block_end": draw(st.none() | st.integers(0, length)),
            "mask_id": draw(st.integers(0, V - 1)),
            "prompt": grid([False, False, True], torch.bool),
            "uniform": grid([0.0, 0.25, 0.5, 0.75], torch.float32),
            "logits_eos_inf": draw(st.booleans()),
            "confidence_eos_eot_inf": draw(st.booleans()),
            "eos_id": draw(st.integers(0, V - 1)),
            "eot_id": draw(st.integers(0, V - 1)),
        },
    )


def decided(case: Case, name: str, confidence: torch.Tensor) -> bool:
    """Whether the true confidences leave no doubt about any comparison that the contract makes."""
    contract, flat = CONTRACTS[name], confidence.double()
    if contract.tokens == "probabilities":  # where two round to the same the first wins, see `Rule`
        probabilities = contract.softmax(case.logits)
        same = probabilities.argmax(-1) == case.logits.argmax(-1)
        if not (same | probabilities.isnan().any(-1)).all():
            return False
    borders = [case.everything[x] for x in ("tau", "edit_tau") if x in CONTRACTS[name].parameters]
    if "factor" in CONTRACTS[name].parameters:
        borders += [1 - case.everything["factor"] / rank for rank in range(2, 10)]
    for row, logits in zip(flat, case.logits, strict=True):
        finite = row[row >= 0]  # fills are below
        if name.startswith("dinfer") and len(finite):
            borders = [case.everything["tau"], float(finite.max()) - 1e-5]
        for border in borders:
            far = (finite - border).abs()
            if (
                (far < GAP) & ~((far == 0) & torch.isin(finite, torch.tensor([0.25, 0.5, 1])))
            ).any():
                return False
        for a in range(len(row)):
            for b in range(a):
                one, other = float(row[a]), float(row[b])
                if min(one, other) >= 0 and abs(one - other) < GAP:
                    if not torch.equal(sorted_row(logits[a]), sorted_row(logits[b])):
                        return False
                    if one != other:
                        return False
    return True


def sorted_row(row: torch.Tensor) -> torch.Tensor:
    """Equal for rows of equal keys: -infinity, but for NaN, which ties with all NaN."""
    return row.nan_to_num(nan=1e300).sort().values + 0.0


def check(case: Case, name: str) -> bool:
    """Whether the step is decided; then it must be the oracle's."""
    parameters = case.parameters(name)
    oracle = CONTRACTS[name].oracle(case.logits, case.x, case.mask, **parameters)
    special = parameters.get("logits_eos_inf") or parameters.get("confidence_eos_eot_inf")
    changed = special or parameters.get("penalty", 0) > 0
    shifted = name in ("fast_dllm_v2", "dream_maskgit_plus")
    judged = case
    if shifted:
        logits = torch.cat([case.logits[:, :1], case.logits[:, :-1]], dim=1)
        judged = Case(logits, case.x, case.mask, case.everything)
    if changed:  # rows that were equal need not be so any more
        distinct = torch.arange(case.logits.numel()).reshape(case.logits.shape).double()
        judged = Case(distinct, case.x, case.mask, case.everything)
    if name != "llada_random" and not decided(judged, name, oracle.confidence):
        return False
    step = unmask.sample_step(case.logits, case.x, case.mask, name, **parameters)
    assert torch.equal(step.x, oracle.x)
    assert not (step.transfer & ~oracle.transfer).any()
    silent = oracle.transfer & ~step.transfer  # writes that change nothing
    assert (~silent | (oracle.tokens == case.x)).all()
    assert torch.equal(torch.where(step.transfer, step.tokens, case.x), oracle.x)
    assert (step.inexact == 0).all()
    return True


@pytest.mark.parametrize("name", NAMES)
def test_a_decided_step_is_the_oracles(name):
    count = {True: 0, False: 0}

    @settings(max_examples=60)
    @given(case=cases())
    def run(case):
        count[check(case, name)] += 1

    run()
    assert count[True] > 15, count


def rows(*values: list[float]) -> torch.Tensor:
    """One batch row of logits, each as long as the longest, -infinity behind its end."""
    size = max(map(len, values))
    return torch.tensor([[row + [-INF] * (size - len(row)) for row in values]])


def step(logits: torch.Tensor, contract: str, mask: Any = None, **parameters: Any) -> Sampled:
    x = torch.zeros(logits.shape[:2], dtype=torch.int64)
    mask = torch.ones_like(x, dtype=torch.bool) if mask is None else mask
    return unmask.sample_step(logits, x, mask, contract, **parameters)


def transferred(done: Sampled) -> list[int]:
    return done.transfer[0].nonzero().flatten().tolist()


def test_order_finer_than_confidences():
    """Where PyTorch's float64 sees only ones, the keys still know."""
    logits = rows([40.0, 0.0], [40.0, 1.0], [40.0, -1.0], [40.0, 0.0])
    assert (torch.softmax(logits.double(), -1).amax(-1) == 1).all()
    assert transferred(step(logits, "llada_low_confidence", k=1)) == [2]
    assert transferred(step(logits, "llada_low_confidence", k=2)) == [0, 2]
    done = step(logits, "llada_low_confidence", k=3)
    assert transferred(done) == [0, 2, 3]
    keys = sorted(done.key[0].tolist())
    assert [numerics.certified(*pair, 2) for pair in pairwise(keys)] == [
        True,
        False,
        True,
    ]
    assert (done.confidence == 1).all() and done.confidence.dtype == torch.bfloat16


@pytest.mark.parametrize("name", NAMES)
def test_rows_without_a_confidence(name):
    logits = rows([1.0, NAN, 3.0], [0.0, 1.0], [-INF] * 3, [1.0, INF, INF], [2.0, 2.0])
    assert logits.shape == (1, 5, 3)
    for masks in range(32):
        mask = torch.tensor([[bool(masks >> at & 1) for at in range(5)]])
        values = {
            "k": torch.tensor([2]),
            "q": 2,
            "tau": 0.4,
            "edit_tau": 0.5,
            "factor": 1.3,
            "mask_id": 2,
            "prompt": torch.zeros(1, 5, dtype=torch.bool),
            "uniform": torch.tensor([[0.5, 0.0, 0.5, 0.75, 0.25]]),
        }
        case = Case(logits.double(), torch.full((1, 5), 2), mask, values)
        assert check(case, name)


@pytest.mark.parametrize("name", ["dinfer_threshold", "dinfer_threshold_fp64"])
def test_what_is_near_the_greatest_confidence_passes(name):
    tops = [-12.5, -11.0, -9.0, -10.0]  # below 1/2 by 9e-7, 4.2e-6, 3.1e-5, 1.1e-5
    logits = rows(*([0.0, 0.0, low] for low in tops), [-INF, 0.0, 0.0])
    parameters = {"tau": 0.9, "mask_id": 2}
    expected = CONTRACTS[name].oracle(
        logits.double(), torch.zeros(1, 5, dtype=torch.int64), logits[..., 0] < 1, **parameters
    )
    assert transferred(step(logits.double(), name, **parameters)) == [0, 1, 4]
    assert expected.transfer[0].nonzero().flatten().tolist() == [0, 1, 4]
    flat = torch.zeros(1, 2, 1 << 18)  # confidences of 2**-18, less than 1e-5: all pass
    assert transferred(step(flat, name, tau=0.9, mask_id=1)) == [0, 1]


@pytest.mark.parametrize(
    ("first", "second", "single", "double"),
    [
        ([0.0, -2.703125, -1.578125], [0.0, -1.59375, -2.65625], True, True),
        ([0.0, -1.5859375, -2.34375], [0.0, -1.6875, -2.15625], True, False),
    ],
)
def test_near_is_of_the_dtype_that_pytorch_subtracts_in(first, second, single, double):
    """Confidences 1e-5 apart but for about 1e-8: each dtype rounds that in its own way."""
    logits, x = rows(first, second).double(), torch.zeros(1, 2, dtype=torch.int64)
    for name, near in (("dinfer_threshold", single), ("dinfer_threshold_fp64", double)):
        done = step(logits, name, tau=0.9, mask_id=2)
        oracle = CONTRACTS[name].oracle(logits, x, x == 0, tau=0.9, mask_id=2)
        assert torch.equal(done.transfer, oracle.transfer)
        assert transferred(done) == ([0, 1] if near else [0])


@pytest.mark.parametrize(
    ("name", "parameters", "expected"),
    [
        ("sglang_low_confidence", {"tau": 0.5}, [0]),
        ("llada2_diffusers", {"tau": 0.5, "q": 0}, [0]),
        ("fast_dllm_threshold", {"tau": 0.5}, [0, 1, 2]),
        ("fast_dllm_v1_threshold", {"tau": 0.5}, [0, 1, 2]),
        ("dinfer_threshold", {"tau": 0.5, "mask_id": 2}, [0, 1, 2]),
        ("fast_dllm_factor", {"factor": 1.5}, [0, 1]),  # borders 1/2 and 5/8 of the next two
        ("fast_dllm_factor_paper", {"factor": 1.5}, [0]),
    ],
)
def test_a_confidence_on_the_border(name, parameters, expected):
    logits = rows([0.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0, 0.0])  # 1, 1/2, 1/2, 1/3
    assert transferred(step(logits, name, **parameters)) == expected


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
def test_thresholds_are_of_the_dtype_that_pytorch_compares_in(dtype):
    """0.9003 is above 0.9, but both are 0.8984375 in BF16."""
    logits = rows([2.203125, 0.0, -6.0], [3.0, 0.0]).to(dtype)
    done = step(logits, "sglang_low_confidence", tau=0.9)
    assert transferred(done) == ([1] if dtype == torch.bfloat16 else [0, 1])
    oracle = CONTRACTS["sglang_low_confidence"].oracle
    x = torch.zeros(1, 2, dtype=torch.int64)
    assert torch.equal(done.transfer, oracle(logits, x, x == 0, tau=0.9).transfer)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_wider_logits_are_rounded_and_the_step_is_theirs(dtype):
    logits = torch.randn(2, 6, 33, generator=torch.Generator().manual_seed(4)).to(dtype)
    rounded = logits.to(torch.bfloat16)
    x, parameters = torch.full((2, 6), 32), {"k": 3}
    done = unmask.sample_step(logits, x, 32, "llada_low_confidence", **parameters)
    again = unmask.sample_step(rounded.to(dtype), x, 32, "llada_low_confidence", **parameters)
    for name in ("x", "transfer", "tokens", "key", "status"):
        assert torch.equal(getattr(done, name), getattr(again, name))
    assert (
        torch.equal(done.inexact, (rounded.to(dtype) != logits).sum(-1)) and done.inexact.min() > 9
    )
    assert not again.inexact.any()


def test_nothing_to_do():
    logits = rows([1.0, 0.0], [0.0, 1.0], [3.0, 0.0])
    none = torch.zeros(1, 3, dtype=torch.bool)
    for name in NAMES:
        values: dict[str, Any] = {
            "k": 0,
            "q": 0,
            "tau": 0.5,
            "edit_tau": 2.0,
            "factor": 1.0,
            "mask_id": 1,
        }
        values |= {"prompt": ~none, "uniform": torch.zeros(1, 3)}
        given = {key: values[key] for key in CONTRACTS[name].required}
        assert not step(logits, name, none, **given).transfer.any()
    assert transferred(step(logits, "llada_low_confidence", k=0)) == []
    assert transferred(step(logits, "fast_dllm_v1_quota", k=9)) == [0, 1, 2]


@pytest.mark.parametrize(
    ("name", "parameters", "expected"),
    [
        ("fast_dllm_v1_quota", {"k": 1 << 70}, [0, 1, 2]),
        ("llada2", {"q": 1 << 70, "tau": 0.99}, [0, 1, 2]),
    ],
)
def test_a_count_of_any_size_is_all_positions(name, parameters, expected):
    logits = rows([1.0, 0.0], [0.0, 1.0], [3.0, 0.0])
    assert transferred(step(logits, name, **parameters)) == expected


def test_a_penalty_spares_the_first_row():
    """Its token is best in its own place, and last."""
    logits, x = rows([0.0, 3.0], [2.0, 0.0]), torch.tensor([[1, 1]])
    parameters = {"tau": 0.5, "edit_tau": 0.5, "prompt": x < 0, "penalty": 9.0}
    done = unmask.sample_step(logits, x, x == 1, "sglang_joint_threshold", **parameters)
    oracle = CONTRACTS["sglang_joint_threshold"].oracle(logits, x, x == 1, **parameters)
    assert done.tokens.tolist() == oracle.tokens.tolist() == [[1, 0]]


def test_a_hidden_token_has_confidence_0_and_ranks_last():
    logits = rows([3.0, 0.0, 0.0], [0.0, 0.1, 0.0])
    done = step(
        logits, "llada_low_confidence", k=1, confidence_eos_eot_inf=True, eos_id=0, eot_id=0
    )
    assert transferred(done) == [1] and done.tokens[0].tolist() == [0, 1]
    assert done.key[0, 0] == EMPTY and done.confidence[0, 0] == 0
    hidden = rows([3.0], [NAN])
    done = step(
        hidden, "llada_low_confidence", k=1, confidence_eos_eot_inf=True, eos_id=0, eot_id=0
    )
    assert done.key[0].tolist() == [NAN_FIRST] * 2  # no other logit: NaN, not 0


def test_the_arguments_stay_as_they_are_and_gradients_do_not_disturb():
    logits = torch.randn(1, 3, 5, requires_grad=True)
    before = logits.detach().clone()
    x = torch.full((1, 3), 4)
    done = unmask.sample_step(
        logits * 1,
        x,
        4,
        "sglang_joint_threshold",
        tau=0.1,
        edit_tau=0.2,
        prompt=x == 0,
        penalty=0.5,
    )
    assert torch.equal(logits, before) and (x == 4).all()
    assert not any(part.requires_grad for part in vars(done).values())


GOOD = torch.zeros(1, 2, 4)
IDS = torch.zeros(1, 2, dtype=torch.int64)
MASK = IDS == 0


@pytest.mark.parametrize(
    ("arguments", "parameters", "message"),
    [
        ((GOOD[0], IDS, MASK), {}, r"logits has shape \(2, 4\), expected \(B, L, V\)"),
        ((GOOD.long(), IDS, MASK), {}, "logits is torch.int64, expected one of"),
        ((GOOD.numpy(), IDS, MASK), {}, "logits is ndarray array"),
        ((GOOD.to_sparse(), IDS, MASK), {}, "logits is a tensor of kind torch.sparse_coo, exp"),
        ((GOOD.to("meta"), IDS, MASK), {}, "logits is a tensor of kind meta, expected a dense"),
        ((GOOD.to("meta"), IDS.to("meta"), MASK.to("meta")), {}, "logits is a tensor of kind meta"),
        ((GOOD, IDS.to_sparse(), MASK), {}, "x is a tensor of kind torch.sparse_coo"),
        (([1.0], IDS, MASK), {}, r"logits is list \[1.0\], expected a tensor of one"),
        ((torch.zeros(1, 2, 2**18 + 1), IDS, MASK), {}, "V = 262145, expected at most 262144"),
        ((GOOD, IDS.int(), MASK), {}, "x is torch.int32, expected torch.int64"),
        ((GOOD, IDS[:, :1], MASK), {}, r"x has shape \(1, 1\), expected \(1, 2\)"),
        ((GOOD, IDS + 4, MASK), {}, r"x\[0, 0\] is 4, expected an id from 0 to V - 1 = 3"),
        ((GOOD, IDS - 1, MASK), {}, r"x\[0, 0\] is -1, expected an id"),
        ((GOOD, IDS, 4), {}, "mask is 4, expected an integer from 0 to 3"),
        ((GOOD, IDS, MASK.int()), {}, "mask is torch.int32, expected torch.bool"),
        ((GOOD, IDS.to("meta"), MASK), {}, "x is on meta, expected cpu"),
        ((GOOD, IDS, MASK), {"k": -1}, "k is -1, expected an integer from 0 to 2"),
        ((GOOD, IDS, MASK), {"k": 1.5}, "k is 1.5, expected an integer from 0 to 2"),
        ((GOOD, IDS, MASK), {"k": 3}, "k is 3, expected an integer from 0 to 2"),
        ((GOOD, IDS, MASK), {"k": [1, 1]}, "k has 2 counts, expected one for each of 1 rows"),
        ((GOOD, IDS, MASK), {"q": 1}, "q is no parameter of llada_low_confidence"),
        ((GOOD, IDS, MASK), {}, "k is not given"),
        ((GOOD, IDS, MASK), {"k": 1, "temperature": 1.0}, "temperature is 1.0, expected 0"),
        ((GOOD, IDS, MASK), {"contract": "fast_dllm_threshold", "tau": NAN}, "tau is nan"),
        ((GOOD, IDS, MASK), {"k": 1 << 70}, "k is 1180591620717411303424, expected an integer"),
        ((GOOD, IDS, MASK), {"contract": "fast_dllm_threshold", "tau": 10**400}, "tau is an int"),
        ((GOOD, IDS, MASK), {"contract": "fast_dllm_factor", "factor": 10**5000}, "factor is an"),
        ((GOOD, IDS, MASK), {"contract": []}, r"contract is \[\], expected a name"),
        ((GOOD, IDS, MASK), {"contract": "greedy"}, "contract is 'greedy', expected one of"),
    ],
)  # fmt: skip
def test_bad_input(arguments, parameters, message):
    given = {"contract": "llada_low_confidence", **parameters}
    with pytest.raises(ValueError, match=message):
        unmask.sample_step(*arguments, **given)


def test_unknown_public_names():
    with pytest.raises(AttributeError, match="module 'unmask' has no attribute 'sample'"):
        unmask.sample()
