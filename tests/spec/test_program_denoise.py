"""Several steps in one program, against the loop of single steps and of the contract."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from unmask.spec.assembler import assemble
from unmask.spec.errors import UsageError
from unmask.spec.formats import from_float
from unmask.spec.programs import denoise, stream
from unmask.spec.programs.choice import FACTOR, QUOTA, Choice, above, factor_limits, not_below
from unmask.spec.programs.step import Step
from unmask.spec.reference import quota
from unmask.spec.reference.samplers import CONTRACTS
from unmask.tests.spec.program_runs import execute, scene

CHOICES = [QUOTA, not_below(0.5), FACTOR, above(0.7, edit_tau=0.4)]


@settings(max_examples=40)
@given(
    choice=st.sampled_from(CHOICES),
    steps=st.integers(1, 5),
    batch=st.integers(1, 3),
    rows=st.integers(1, 9),
    vocabulary=st.integers(2, 40),
    form=st.sampled_from(["BF16", "E4M3_B8", "E5M2_B32"]),
    seed=st.integers(0, 10_000),
)
def test_steps_are_single_steps(choice, steps, batch, rows, vocabulary, form, seed):
    rng = np.random.default_rng(seed)
    slabs = from_float(rng.normal(size=(steps, batch, rows, vocabulary)) * 3).astype(np.uint16)
    mask_id = vocabulary - 1
    scenes = [scene(codes, mask_id, choice, form) for codes in slabs]
    step = scenes[0].step
    tokens = rng.integers(0, vocabulary, (batch, rows))
    tokens[rng.random((batch, rows)) < 0.8] = mask_id
    quotas = rng.integers(0, 3, (steps, batch))
    prompt = tokens != mask_id if choice.edits else None
    factors = factor_limits(0.9, rows)
    images = [x.image for x in scenes]
    stride = images[0].size + 16
    whole = np.concatenate([np.pad(image, (0, 16)) for image in images])
    memory = denoise.memory(step, tokens, quotas, prompt)
    got = execute(denoise.program(step, steps, stride), step, whole, memory, factors)[0]
    for image, count in zip(images, quotas, strict=True):
        before = step.memory(tokens, count, prompt)
        tokens = execute(stream.program(step), step, image, before, factors)[0]
    assert np.array_equal(got, tokens)


def test_a_block_is_denoised():
    """LLaDA's schedule over 4 steps, of a block of 10 masked and of 7, as its contract does it."""
    rng = np.random.default_rng(5)
    slabs = rng.normal(size=(4, 2, 10, 50)) * 3
    slabs[..., 49] = -20  # the mask id is not predicted
    codes = from_float(slabs).astype(np.uint16)
    scenes = [scene(slab, 49, QUOTA) for slab in codes]
    ids = torch.full((2, 10), 49)
    ids[1, 2:5] = 7
    quotas = quota.even(ids == 49, 4).T
    step = scenes[0].step
    whole = np.concatenate([x.image for x in scenes])
    memory = denoise.memory(step, ids.numpy(), quotas.numpy())
    got = execute(denoise.program(step, 4, scenes[0].image.size), step, whole, memory)[0]
    for one, k in zip(scenes, quotas, strict=True):
        ids = CONTRACTS["llada_low_confidence_fp64"].oracle(one.logits, ids, 49, k=k).x
    assert np.array_equal(got, ids.numpy())
    assert not (got == 49).any()


def test_words():
    """The longest programs; all sizes but the rule's leave them as they are."""
    words = {}
    for name, choice in (
        ("quota", Choice("quota", nan_last=True)),
        ("rule", Choice("rule", 1 << 30, nan_last=True)),
        ("factor", Choice("factor", nan_last=True)),
        ("edits", Choice("rule", 1 << 30, edit_limit=1 << 30, nan_last=True)),
    ):
        step = Step(
            16,
            512,
            vocabulary=1 << 18,
            mask_id=0,
            choice=choice,
            pitch=(1 << 18) + 32,
            base=(1 << 50) + (1 << 20),
            format="E4M3_B32",
            scale=1 << 27,
            vlen=64,
        )
        words[name] = len(assemble(denoise.program(step, 64, 1 << 25)))
    assert words == {"quota": 66, "rule": 70, "factor": 66, "edits": 107}


def test_bad_sizes():
    step = Step(1, 2, 8, 0, base=1 << 33)
    with pytest.raises(UsageError, match="steps 0: expected 1 to 4194303"):
        denoise.program(step, 0, 64)
    with pytest.raises(UsageError, match="lower half of the last address 4294967296: expected"):
        denoise.program(step, 3, 1 << 31)
    with pytest.raises(UsageError, match=r"quotas: shape \(1,\), expected \(steps, 1\)"):
        denoise.memory(step, np.zeros((1, 2), int), np.zeros(1, int))
