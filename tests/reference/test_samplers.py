"""The sampling contracts against plain Python, and the published ranking against the oracle's."""

import inspect
import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, note, settings
from hypothesis import strategies as st

from unmask.spec.reference.argmax import tensor
from unmask.spec.reference.contract import Contract, Step, shifted, sort, stable
from unmask.spec.reference.samplers import CONTRACTS
from unmask.tests.reference import plain
from unmask.tests.strategies import logits as logit_codes

DTYPES = (torch.bfloat16, torch.float32, torch.float64)
NAMES = sorted(CONTRACTS)
LATE = {"fast_dllm_v2", "dream_maskgit_plus"}  # logits one row late
EXAMPLES = settings(max_examples=120)  # each for all contracts


@dataclass(frozen=True)
class Case:
    """One step: a batch with ids, masks, and the parameters of all contracts."""

    logits: torch.Tensor
    x: torch.Tensor
    mask: torch.Tensor
    everything: dict[str, Any]

    def parameters(self, name: str) -> dict[str, Any]:
        """What a contract takes of them, at temperature 0."""
        wanted = CONTRACTS[name].parameters
        found = {key: value for key, value in self.everything.items() if key in wanted}
        if name.startswith("llada_low"):
            del found["uniform"]
        if name == "dream_maskgit_plus":  # one for all rows
            found["k"] = int(found["k"][0])
        return found

    def of_row(self, name: str, row: int) -> dict[str, Any]:
        """The parameters of one row, as plain Python."""
        values = {}
        for key, value in self.parameters(name).items():
            values[key] = value[row].tolist() if isinstance(value, torch.Tensor) else value
        values.pop("uniform", None)
        return values

    def oracle(self, name: str) -> Step:
        return CONTRACTS[name].oracle(self.logits, self.x, self.mask, **self.parameters(name))

    def published(self, contract: Contract) -> Step:
        parameters = self.parameters(contract.name)
        return contract.as_published(self.logits, self.x, self.mask, **parameters)

    def predictions(self, name: str) -> tuple[torch.Tensor, torch.Tensor]:
        """What the contract predicts for every position, masked or not."""
        if name == "sglang_joint_threshold":  # a penalty comes between
            step = self.oracle(name)
            return step.tokens, step.confidence
        logits = shifted(self.logits) if name in LATE else self.logits
        tokens, confidence = CONTRACTS[name].predict(
            logits.float() if name.startswith("llada2") else logits
        )
        return tokens, self.everything["uniform"] if name == "llada_random" else confidence


def peaked(size: int) -> st.SearchStrategy[list[int]]:
    """One logit far, or just, above the others: confidences near 1, and at thresholds."""
    tops = st.sampled_from([0x3F80, 0x4000, 0x4008, 0x400C, 0x4040, 0x40C0, 0x40D0, 0x41C0])
    place = st.integers(0, size - 1)
    return st.builds(lambda top, at: [top if x == at else 0 for x in range(size)], tops, place)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Rows from a few, so that confidences tie, and parameters at and around borders."""
    rows, length = draw(st.integers(1, 2)), draw(st.integers(1, 9))
    vocabulary = draw(st.integers(2, 6))
    pool = [
        draw(logit_codes(vocabulary, vocabulary) | peaked(vocabulary))
        for _ in range(draw(st.integers(1, 4)))
    ]
    size = rows * length

    def grid(values: list[Any], kind: torch.dtype) -> torch.Tensor:
        flat = draw(st.lists(st.sampled_from(values), min_size=size, max_size=size))
        return torch.tensor(flat, dtype=kind).reshape(rows, length)

    def counts(most: int) -> torch.Tensor:
        return torch.tensor([draw(st.integers(0, most)) for _ in range(rows)])

    picked = grid(list(range(len(pool))), torch.int64)
    ids = list(range(vocabulary))
    near = st.sampled_from([-1.0, 0.0, 0.25, 1 / 3, 0.5, 0.9, 0.95, 1.0, 2.0, math.inf])
    return Case(
        tensor(np.array(pool, np.uint16))[picked].to(draw(st.sampled_from(DTYPES))),
        grid(ids, torch.int64),
        grid([True, True, False], torch.bool),
        {
            "k": counts(length),
            "q": counts(length + 2),
            "tau": draw(near | st.floats(0, 1)),
            "edit_tau": draw(near),
            "factor": draw(st.sampled_from([-1.0, 0.0, 0.5, 1.0, 1.5, 3.0])),
            "penalty": draw(st.sampled_from([0.0, 1.0])),
            "block_end": draw(st.none() | st.integers(0, length)),
            "mask_id": draw(st.sampled_from(ids)),
            "prompt": grid([False, False, True], torch.bool),
            "uniform": grid([0.0, 0.25, 0.5, 0.75], torch.float32),
        },
    )


def same(left: Step, right: Step) -> bool:
    return torch.equal(left.x, right.x) and torch.equal(left.transfer, right.transfer)


def dtype_name(values: torch.Tensor) -> str:
    return str(values.dtype).removeprefix("torch.")


@EXAMPLES
@given(case=cases())
def test_rules(case):
    for name in NAMES:
        note(name)
        step = case.oracle(name)
        tokens, confidence = case.predictions(name)
        for row in range(len(case.x)):
            given_row = plain.Row(
                confidence[row].tolist(),
                tokens[row].tolist(),
                case.x[row].tolist(),
                case.mask[row].tolist(),
                dtype_name(confidence),
            )
            written = plain.RULES[name](given_row, **case.of_row(name, row))
            expected = [written.get(place, old) for place, old in enumerate(given_row.x)]
            assert step.transfer[row].nonzero().flatten().tolist() == sorted(written)
            assert step.x[row].tolist() == expected


def check_prediction(contract: Contract, values: list[float], token: int, confidence: float, dtype):
    """A token and its confidence are those of a row of logits."""
    probabilities = plain.softmax(values)
    within = {"bfloat16": 2**-8, "float32": 1e-6, "float64": 1e-14}[dtype]
    wanted = pytest.approx(probabilities[token], rel=within, abs=1e-30, nan_ok=True)
    assert confidence == wanted
    if contract.tokens == "logits":
        assert token == plain.first_greatest(values)
    if dtype == "bfloat16":
        possible = [plain.rounding(value, dtype) for value in probabilities]
        assert math.isnan(confidence) or confidence in possible[token]
        if contract.tokens == "probabilities" and all(len(x) == 1 for x in possible):
            assert token == plain.first_greatest([x.pop() for x in possible])


@EXAMPLES
@given(case=cases())
def test_predictions(case):
    for name in sorted(set(NAMES) - {"llada_random", "sglang_joint_threshold"}):
        note(name)
        tokens, confidence = case.predictions(name)
        logits = (shifted(case.logits) if name in LATE else case.logits).tolist()
        for row, place in np.ndindex(*case.x.shape):
            check_prediction(
                CONTRACTS[name],
                logits[row][place],
                int(tokens[row, place]),
                float(confidence[row, place]),
                dtype_name(confidence),
            )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("far", [-math.inf, -1e4])
def test_exact_confidences(dtype, far):
    """Of m equal maxima, with nothing near them, each has 1 / m rounded, the first is taken."""
    vocabulary = 7
    rows = [[far] * x + [-3.0] * (vocabulary - x) for x in range(vocabulary)]
    logits = torch.tensor([rows], dtype=dtype)
    for name in NAMES:
        contract = CONTRACTS[name]
        tokens, confidence = contract.predict(logits)
        assert tokens[0].tolist() == list(range(vocabulary))
        kind = plain.NUMPY[str(contract.confidence or dtype).removeprefix("torch.")]
        expected = [float(kind(1 / (vocabulary - x))) for x in range(vocabulary)]
        assert confidence[0].tolist() == expected


def last(confidence: torch.Tensor, k: int) -> torch.Tensor:
    """The highest position among equals."""
    return len(confidence) - 1 - stable(confidence.flip(0), k)


@EXAMPLES
@given(case=cases())
def test_published_is_the_oracle_where_ties_do_not_matter(case):
    """Where the lowest first and the highest first among equals give the same, all orders do."""
    for name in NAMES:
        note(name)
        contract = CONTRACTS[name]
        lowest, published = case.oracle(name), case.published(contract)
        if contract.order is stable or same(lowest, case.published(replace(contract, order=last))):
            assert same(published, lowest)


@EXAMPLES
@given(case=cases())
def test_inputs_stay_and_rows_are_independent(case):
    before = case.logits.nan_to_num(), case.x.clone(), case.mask.clone()
    for name in NAMES:
        note(name)
        whole = case.oracle(name)
        for row in range(len(case.x)):
            part = slice(row, row + 1)
            parameters = {
                key: value[part] if isinstance(value, torch.Tensor) else value
                for key, value in case.parameters(name).items()
            }
            alone = CONTRACTS[name].oracle(
                case.logits[part], case.x[part], case.mask[part], **parameters
            )
            assert torch.equal(alone.x, whole.x[part])
            assert torch.equal(alone.transfer, whole.transfer[part])
    after = case.logits.nan_to_num(), case.x, case.mask
    assert all(torch.equal(old, new) for old, new in zip(before, after, strict=True))


def test_mask_id_for_a_mask():
    logits = torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(1)).bfloat16()
    x = torch.tensor([[7, 1, 7, 7, 2], [7, 7, 0, 3, 7]])
    contract = CONTRACTS["llada_low_confidence"]
    assert same(contract.oracle(logits, x, 7, k=2), contract.oracle(logits, x, x == 7, k=2))


def test_rows_sort_as_a_batch_does():
    """The source of fast_dllm_v1 sorts the whole batch; so its ties fall as row by row."""
    confidence = torch.randint(0, 4, (5, 32), generator=torch.Generator().manual_seed(2)).double()
    whole = torch.sort(confidence, dim=1, descending=True).indices
    assert all(torch.equal(whole[row], sort(confidence[row], 32)) for row in range(5))


def test_table():
    for name, contract in CONTRACTS.items():
        assert contract.name == name
        assert "," in contract.source and inspect.getdoc(contract.rule)
        assert bool(contract.compare) == bool({"tau", "factor"} & set(contract.parameters))
        assert bool(contract.forced) == bool(contract.compare)
        for parameter in contract.parameters:
            assert f"{parameter}:" in (contract.rule.__doc__ or "")
    assert set(plain.RULES) == set(CONTRACTS)
