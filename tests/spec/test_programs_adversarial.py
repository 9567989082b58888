"""Every sampling program on logits that are made to be hard: see `hard_steps`."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from unmask.spec.conformance import constructions, drawn
from unmask.spec.conformance.case import Case
from unmask.spec.conformance.trial import Trial
from unmask.spec.formats import NEG_INF
from unmask.spec.reference.samplers import CONTRACTS
from unmask.tests.reference.conftest import one_thread  # noqa: F401  # a fixture here, too
from unmask.tests.spec.hard_steps import (
    AS_PYTORCH,
    MX,
    chunks_of,
    constructed,
    run_and_check,
    vlens,
    with_its_own_mask_id,
)
from unmask.tests.spec.steps_on_machine import CHOICES, Image, Sampler

# Construction -> what it is there for; of the others, that they are sometimes certified.
SHOWN = {
    "exact ties": "tie at the border",
    "near ties": "near tie at the border",
    "near ties of sure rows": "near tie at the border",
    "confidences 1, 1/2, 1/3": "on a threshold",
    "columns of -infinity": "-infinity beside numbers",
    "rows of -infinity": "NaN",
    "rows with NaN": "NaN",
    "rows with a negative NaN": "NaN",
    "rows with +infinity": "NaN",
    "last column": "mask id chosen",
    "nothing masked": "nothing masked",
    "one masked": "count above masked",
    "count 0": "count 0",
    "count L": "count above masked",
    "sure": "sure",
    "flat": "flat",
    "equal": "tie at the border",
    "both zeros": "tie at the border",
    "all negative": "all negative",
    "narrow negative": "all negative",
}


@pytest.mark.parametrize("name", constructions.NAMES)
def test_constructions(name):
    seen: Counter[str] = Counter()

    @settings(max_examples=6)
    @given(
        contract=st.sampled_from(list(CHOICES)),
        seed=st.integers(0, 10_000),
        chunks=chunks_of,
        vlen=vlens,
    )
    def run(contract, seed, chunks, vlen):
        seen.update(run_and_check(constructed(name, contract, seed), chunks, vlen))

    run()
    for wanted in (SHOWN.get(name, "certified"), "stream", "prefetch", "L over VLEN", "V in parts"):
        assert seen[wanted], (wanted, seen)


@pytest.mark.parametrize("contract", CHOICES)
def test_drawn(contract):
    """Steps as `unmask conform` draws them, in any format."""
    seen: Counter[str] = Counter()

    @settings(max_examples=11)
    @given(
        case=drawn.cases(contract, {}).map(with_its_own_mask_id),
        form=st.sampled_from(["BF16", "BF16", *MX]),
        chunks=chunks_of,
        vlen=vlens,
    )
    def run(case, form, chunks, vlen):
        image = None
        if form != "BF16":
            image = Image.of(case.codes, form)
            case = replace(case, codes=image.codes(case.shape))
        seen.update(run_and_check(case, chunks, vlen, image))

    run()
    assert seen["certified"] and seen["oracle"], seen


HARDEST = ["rows with NaN", "rows of -infinity", "exact ties", "near ties"]
HARDEST += ["confidences 1, 1/2, 1/3"]


@pytest.mark.parametrize("contract", CHOICES)
def test_each_contract_at_its_hardest(contract):
    """Fixed seeds, as Hypothesis repeats itself where it draws few examples."""
    seen: Counter[str] = Counter()
    for seed in range(3, 6):
        for number, name in enumerate(HARDEST):
            case = constructed(name, contract, 5 * seed + number)
            if "tau" in case.parameters:  # all on the border, or nothing passes
                case.parameters["tau"] = 1.0 if seed % 2 else 0.5
            if "factor" in case.parameters:  # none but the first passes; a border at 1/2
                case.parameters["factor"] = (0.0, 1.5, 1.0)[seed % 3]
            if "q" in case.parameters:
                case.parameters["q"] = 1 + seed % 2
            seen += run_and_check(case, (seed + number) % 3, (2, 4, 8)[seed % 3])
    wanted = {"stream", "prefetch", "certified", "oracle", "NaN", "tie at the border"}
    if contract not in AS_PYTORCH:
        wanted |= {"NaN judged", "differs"}
    if "tau" in CONTRACTS[contract].required:
        wanted.add("on a threshold")
    if contract in ("llada21", "sglang_joint_threshold"):
        wanted.add("edited")
    assert not [name for name in wanted if not seen[name]], seen


def test_a_confidence_that_rounds_to_the_threshold():
    """Above 1/2, but not in BF16, where SGLang compares: one row is forced, no other passes."""
    codes = np.array([[[0x3F80, 0x3F7F, NEG_INF]] * 3], np.uint16)
    mask = np.ones((1, 3), bool)
    case = Case("sglang_low_confidence", codes, np.full((1, 3), 2), mask, {"tau": 0.5})
    assert run_and_check(case, 0, 2)["tie at the border"]


@pytest.mark.parametrize("chunks", [0, 2])
@pytest.mark.parametrize("contract", ["llada_low_confidence", "fast_dllm_threshold"])
def test_conform(contract, chunks):
    """By the search of `unmask conform` itself, NaN rows included."""

    def sampler(logits, x, mask, **parameters):
        last = logits.shape[-1] - 1
        own = torch.where(mask, last, x % last)
        ids = Sampler(contract, chunks)(logits, own, mask, **parameters)
        return torch.where(mask, ids, x)

    assert Trial(sampler, contract).search(4) is None
