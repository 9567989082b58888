"""Samplers against contracts: mistakes are found and shrunk, what contracts leave open is not."""

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from unmask.spec.conformance import case as cases
from unmask.spec.conformance import constructions
from unmask.spec.conformance.judge import Judge, expected
from unmask.spec.conformance.trial import Trial
from unmask.spec.errors import UsageError
from unmask.spec.reference.samplers import CONTRACTS
from unmask.tests.conformance import wrong


@pytest.mark.parametrize("name", wrong.MISTAKES)
def test_mistakes_are_found_and_shrunk(name, tmp_path):
    sampler, contract, most, given, error = wrong.MISTAKES[name]
    trial = Trial(sampler, contract, given, judge=Judge(error=error))
    failure = trial.search(400)
    assert failure is not None
    assert failure.case.codes.size <= most
    text = str(failure)
    assert contract in text.splitlines()[0] and "B = 1" in text
    assert len(text.splitlines()) == 3 + 2 * failure.case.codes.shape[1]
    failure.case.save(tmp_path / "case.npz")
    again = trial.failure(cases.load(tmp_path / "case.npz"))
    assert again is not None and again.reason == failure.reason
    right = Trial(CONTRACTS[contract].oracle, contract, given)
    assert right.failure(failure.case) is None


@pytest.mark.parametrize("sampler", wrong.REASONS)
def test_reasons_of_what_is_no_ids(sampler):
    failure = Trial(sampler, "llada_low_confidence").search(5)
    assert failure is not None and re.match(wrong.REASONS[sampler], failure.reason)


def test_interrupt_is_no_failure():
    def interrupted(logits, x, mask, *, k):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Trial(interrupted, "llada_low_confidence").search(5)


@pytest.mark.parametrize("name", CONTRACTS)
def test_published_conforms(name):
    """To its own contract, whichever of equals it takes; and the oracle where that is asked."""
    contract = CONTRACTS[name]
    extra = sorted({"block_end"} & set(contract.parameters))
    published = Trial(contract.as_published, name, drawn=extra, judge=Judge("any", 0))
    assert published.search(40, seed=1) is None
    assert Trial(contract.oracle, name, drawn=extra).search(10, seed=2) is None


@pytest.mark.parametrize("sampler", [wrong.by_float64, wrong.as_a_step])
def test_right_samplers_conform(sampler):
    assert Trial(sampler, "llada_low_confidence").search(100) is None


def test_any_ties_are_those_of_equals_alone():
    """Another choice among equals is right if ties are open, one past a lesser never is."""
    sampler, contract, *_ = wrong.MISTAKES["last_index_on_ties"]
    assert Trial(sampler, contract, judge=Judge("any")).search(100) is None
    worse, contract, _, given, _ = wrong.MISTAKES["not_strict_for_strict"]
    assert Trial(worse, contract, given, judge=Judge("any")).search(100) is not None


def test_nothing_is_open_where_the_source_takes_the_first_by_argmax():
    tied = step([[0x0000, 0x3F80], [0x0000, 0x3F80]], [True, True], 1)
    first = replace(tied, contract="sglang_low_confidence", parameters={"tau": 0.9})
    second = np.array([[0, 1]])
    assert Judge("any").verdict(tied, second).status == "admissible"
    assert Judge("any").verdict(first, second).status == "wrong"
    assert Judge().verdict(tied, second).status == "wrong"


def step(codes, mask, k, contract="llada_low_confidence_fp64"):
    """One batch row, ids all 0."""
    shape = (1, len(codes))
    mask = np.array([mask])
    return cases.Case(
        contract, np.array([codes], np.uint16), np.zeros(shape, np.int64), mask, {"k": k}
    )


# Confidences of rows (l, 0): in the first pair they are 1e-5 apart in delta, in the other 1e-2.
NEAR = step([[0x0000, 0x37A0], [0x0000, 0x37B0]], [True, True], 1)
FAR = step([[0x0000, 0x3F80], [0x0000, 0x3F81]], [True, True], 1)


@pytest.mark.parametrize(
    ("case", "ids", "error", "status"),
    [
        (NEAR, [0, 1], 1, "equal"),
        (NEAR, [1, 0], 1, "admissible"),
        (NEAR, [1, 0], 0, "wrong"),
        (NEAR, [1, 1], 1, "wrong"),
        (NEAR, [0, 0], 1, "wrong"),
        (FAR, [0, 1], 1, "equal"),
        (FAR, [1, 0], 1, "wrong"),
        (FAR, [1, 0], 1000, "admissible"),
        (FAR, [0, 7], 1, "wrong"),
    ],
)
def test_margin(case, ids, error, status):
    verdict = Judge(error=error).verdict(case, np.array([ids]))
    assert verdict.status == status
    assert bool(verdict.reason) == (status != "equal")
    assert "\n" not in verdict.reason


FARTHER = step([[0x0000, 0x37A0], [0x0000, 0x38A0]], [True, True], 1)


def test_margin_is_as_wide_as_is_asked():
    """Outside T1's bounds, inside four times those."""
    ids = np.array([[1, 0]])
    assert Judge(error=1).verdict(FARTHER, ids).status == "wrong"
    assert Judge(error=4).verdict(FARTHER, ids).status == "admissible"


@pytest.mark.parametrize("name", CONTRACTS)
def test_known_positions_keep_their_ids(name):
    """Not even the token of the greatest logit may be written there."""
    case = constructions.step("last column", name, (1, 6, 11), {}, 3)
    mask = np.array([[True, True, True, False, False, False]])
    case = replace(case, x=np.full((1, 6), 3), mask=mask)
    if "prompt" in case.parameters:
        case = replace(case, parameters={**case.parameters, "prompt": ~mask})
    wanted = expected(case).x.numpy()
    assert Judge().verdict(case, wanted).status == "equal"
    for place in (3, 5):
        if case.rule.parameters and wanted[0, place] == 3:
            ids = wanted.copy()
            ids[0, place] = 10
            assert Judge("any").verdict(case, ids).status == "wrong"


def test_nothing_is_written_behind_the_window():
    case = replace(FAR, parameters={"k": 1, "block_end": 1})
    assert Judge().verdict(case, np.array([[1, 0]])).status == "equal"
    assert Judge().verdict(case, np.array([[1, 1]])).status == "wrong"


def test_reasons_name_position_tokens_and_order():
    reason = Judge().verdict(FAR, np.array([[1, 0]])).reason
    assert "position 0 is 1, expected 0" in reason
    assert "position 0 (delta 0.367" in reason and "chosen before position 1 (delta 0.36" in reason
    reason = Judge().verdict(FAR, np.array([[0, 7]])).reason
    assert reason == "batch row 0: position 1 is 7, expected 1, or 0 as before"


def test_token_that_is_the_old_id_hides_a_transfer():
    """Position 0 predicts the id that it has: whether it was one of the two cannot be seen."""
    near = step([[0x3F82, 0x0000], [0x0000, 0x3F80], [0x0000, 0x3F81]], [True] * 3, 2)
    assert Judge().verdict(near, np.array([[0, 0, 1]])).status == "equal"
    assert Judge().verdict(near, np.array([[0, 1, 1]])).status == "wrong"
    tied = step([[0x37B8, 0x0000], [0x0000, 0x37B0], [0x0000, 0x37A8]], [True] * 3, 2)
    assert Judge().verdict(tied, np.array([[0, 1, 0]])).status == "equal"
    assert Judge().verdict(tied, np.array([[0, 1, 1]])).status == "admissible"
    assert Judge().verdict(tied, np.array([[0, 0, 1]])).status == "admissible"
    assert Judge().verdict(tied, np.array([[0, 0, 0]])).status == "wrong"


def test_pytorch_may_round_otherwise():
    """Sure rows: deltas e**-16 and e**-17, whose float32 confidences are roundings apart."""
    case = step([[0x0000, 0x4180], [0x0000, 0x4188]], [True, True], 1)
    case = replace(case, contract="llada2", parameters={"tau": 2.0, "q": 1})
    assert Judge().verdict(case, np.array([[0, 1]])).status == "equal"
    assert Judge().verdict(case, np.array([[1, 0]])).status == "admissible"
    assert Judge(error=0).verdict(case, np.array([[1, 0]])).status == "wrong"
    case = replace(case, contract="llada_low_confidence_fp64", parameters={"k": 1})
    assert Judge().verdict(case, np.array([[1, 0]])).status == "wrong"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("nothing",), "contract 'nothing'; there are llada_low_confidence,"),
        (("llada_low_confidence", {"tau": 1}), "tau cannot be set for llada_low_confidence"),
        (("llada_random", {"uniform": 1}), "uniform cannot be set"),
        (("llada_low_confidence", {"k": -1}), "k is -1, expected an integer"),
        (("llada_low_confidence", {"temperature": 1.0, "k": 1}), "temperature is 1.0, expected 0"),
        (("llada_low_confidence", {}, ["taus"]), "taus cannot be set"),
        (("llada_low_confidence", {"k": 257}), "k is 257; expected 256 or less, as steps are"),
        (("llada_low_confidence", {"k": [1, 10**23]}), "k is 1000.*; expected 256 or less"),
        (("dream_maskgit_plus", {"mask_id": 1 << 18}), "mask_id is 262144; expected 262143 or"),
    ],
)
def test_bad_parameters(arguments, text):
    with pytest.raises(UsageError, match=text):
        Trial(wrong.as_a_step, *arguments).search(5)


def test_greatest_count_can_be_drawn():
    assert Trial(wrong.as_a_step, "llada_low_confidence", {"k": 256}).search(2) is None


def test_bad_samplers_and_counts_of_examples():
    sampler: Any = "sampler"
    bad: list[Any] = [0, -1, "5"]
    with pytest.raises(UsageError, match="the sampler is str, which cannot be called"):
        Trial(sampler, "llada_low_confidence")
    for examples in bad:
        with pytest.raises(UsageError, match=r"--examples is .*; expected an integer, 1 or more"):
            Trial(wrong.as_a_step, "llada_low_confidence").search(examples)


@pytest.mark.parametrize(
    ("ties", "error"), [("first", 1), ("any", -1), ("any", float("nan")), ("any", "1")]
)
def test_bad_judges(ties, error):
    with pytest.raises(UsageError, match=r"ties is|error is"):
        Judge(ties, error)


def test_what_a_sampler_gets():
    """Its own tensors, of the promised kinds, and no parameter that nobody asked for."""
    seen = []

    def sampler(logits, x, mask, **parameters):
        seen.append((logits.dtype, x.dtype, mask.dtype, *parameters))
        return CONTRACTS["llada_low_confidence"].oracle(logits, x, mask, **parameters)

    assert Trial(sampler, "llada_low_confidence", {"k": 3}).search(5) is None
    kinds = (torch.bfloat16, torch.int64, torch.bool)
    assert set(seen) == {(*kinds, "k")}
    seen.clear()
    assert Trial(sampler, "llada_low_confidence", {}, ["block_end"]).search(5) is None
    assert set(seen) == {(*kinds, "k", "block_end")}
