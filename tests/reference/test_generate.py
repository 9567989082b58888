"""Whole generations."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from unmask.spec.reference import generate
from unmask.spec.reference.samplers import CONTRACTS

MASK = 6
VOCABULARY = 7
PROMPT = torch.tensor([[1, 2, 3], [3, 2, 0]])


def fixed(seed: int, mask_places: tuple[int, ...] = (), length: int = 11) -> generate.Model:
    """A model whose logits do not depend on the ids; it predicts the mask id at some places."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(2, length, VOCABULARY, generator=generator) * 3
    logits[..., MASK] = -torch.inf
    for place in mask_places:
        logits[:, place, MASK] = 50

    def model(x: torch.Tensor) -> torch.Tensor:
        return logits[: len(x), : x.shape[1]].bfloat16()

    return model


def plain_llada(
    confidence: list[float], prompt: int, gen_length: int, block_length: int, steps: int
) -> list[list[int]]:
    """The positions that each step fills, for confidences that do not change."""
    filled: list[list[int]] = []
    share = steps * block_length // gen_length
    for begin in range(prompt, prompt + gen_length, block_length):
        left = sorted(range(begin, begin + block_length), key=lambda at: (-confidence[at], at))
        for step in range(share):
            k = block_length // share + (step < block_length % share)
            filled.append(sorted(left[:k]))
            left = left[k:]
    return filled


@settings(max_examples=30)
@given(st.integers(0, 1000), st.sampled_from([(8, 8), (8, 4), (4, 2), (2, 4), (16, 4)]))
def test_llada(seed, sizes):
    steps, block_length = sizes
    model, contract = fixed(seed), CONTRACTS["llada_low_confidence"]
    parameters: dict[str, Any] = {"gen_length": 8, "block_length": block_length}
    parameters |= {"steps": steps, "mask_id": MASK}
    done = generate.llada(model, PROMPT, contract, **parameters)
    assert done.complete and len(done.trace) == steps
    tokens, confidence = contract.predict(model(done.x))
    assert torch.equal(done.x[:, :3], PROMPT) and torch.equal(done.x[:, 3:], tokens[:, 3:])
    for row in range(2):
        expected = plain_llada(confidence[row].tolist(), 3, 8, block_length, steps)
        got = [step.transfer[row].nonzero().flatten().tolist() for step in done.trace]
        assert got == expected
    published = generate.llada(model, PROMPT, contract, published=True, **parameters)
    assert torch.equal(published.x, done.x)  # in the end, all are filled


def test_llada_spills_what_stays_masked():
    """A predicted mask id costs quota, stays, and competes again in the next block."""
    model = fixed(5, mask_places=(4,))
    parameters: dict[str, Any] = {"gen_length": 8, "block_length": 4, "steps": 8, "mask_id": MASK}
    done = generate.llada(model, PROMPT, CONTRACTS["llada_low_confidence"], **parameters)
    assert not done.complete and len(done.trace) == 8
    assert all(step.transfer[:, 4].all() for step in done.trace)  # confidence 1, every time
    assert (done.x[:, 4] == MASK).all()
    # Position 4 took every step's only transfer, so nothing else was filled.
    assert (done.x[:, 3:] == MASK).all()


def test_llada_random():
    """Random numbers come from a tape, one for each call."""
    generator = torch.Generator().manual_seed(9)
    tape = torch.rand(8, 2, 11, generator=generator)
    done = generate.llada(
        fixed(1),
        PROMPT,
        CONTRACTS["llada_random"],
        gen_length=8,
        block_length=8,
        steps=8,
        mask_id=MASK,
        tape=lambda call: {"uniform": tape[call]},
    )
    first = tape[0, :, 3:].argmax(dim=1) + 3
    assert done.complete
    assert done.trace[0].transfer.nonzero()[:, 1].tolist() == first.tolist()


FAST: dict[str, dict[str, Any]] = {
    "fast_dllm_quota": {},
    "fast_dllm_v1_quota": {},
    "fast_dllm_threshold": {"tau": 0.9},
    "fast_dllm_v1_threshold": {"tau": 0.9},
    "fast_dllm_factor": {"factor": 1.0},
    "fast_dllm_factor_paper": {"factor": 1.0},
}


@pytest.mark.parametrize("published", [False, True])
@pytest.mark.parametrize("name", sorted(FAST))
def test_fast_dllm(name, published):
    parameters = {"gen_length": 8, "block_length": 4, "steps": 8, "mask_id": MASK, **FAST[name]}
    for seed in range(5):
        model = fixed(seed)
        done = generate.fast_dllm(model, PROMPT, CONTRACTS[name], published=published, **parameters)
        tokens, _ = CONTRACTS[name].predict(model(done.x))
        assert done.complete and torch.equal(done.x[:, 3:], tokens[:, 3:])
        assert len(done.trace) == 8 if "quota" in name else 2 <= len(done.trace) <= 8
        second = next(at for at, step in enumerate(done.trace) if step.transfer[:, 7:].any())
        assert not (done.trace[second - 1].x[:, 3:7] == MASK).any()  # block by block


@pytest.mark.parametrize("name", sorted(FAST))
def test_fast_dllm_ends_where_the_published_loop_does_not(name):
    """The mask id predicted at 4: the first block never ends by itself."""
    parameters = {"gen_length": 8, "block_length": 4, "steps": 8, "mask_id": MASK, **FAST[name]}
    model = fixed(5, mask_places=(4,))
    done = generate.fast_dllm(model, PROMPT, CONTRACTS[name], **parameters)
    assert not done.complete and len(done.trace) <= 4 + 8  # masks up to each block's end
    short = generate.fast_dllm(model, PROMPT, CONTRACTS[name], most=2, **parameters)
    assert not short.complete and len(short.trace) <= 4


def test_dream():
    model, contract = fixed(4), CONTRACTS["dream_maskgit_plus"]
    done = generate.dream(model, PROMPT, contract, gen_length=8, steps=8, mask_id=MASK)
    assert done.complete and len(done.trace) == 8
    assert [int(step.transfer[0].sum()) for step in done.trace] == [0, 1, 1, 1, 1, 1, 1, 2]
    tokens, _ = contract.predict(model(done.x))
    assert torch.equal(done.x[:, 3:], tokens[:, 2:-1])


@pytest.mark.parametrize(
    ("changed", "parts"),
    [
        ({"gen_length": 0}, ("gen_length", "0", "from 1")),
        ({"gen_length": 9}, ("gen_length", "9", "multiple of 4")),
        ({"block_length": 9}, ("block_length", "9", "1 to 8")),
        ({"steps": 3}, ("steps", "3", "multiple of the 2 blocks")),
        ({"steps": 0}, ("steps", "0", "from 1")),
        ({"mask_id": VOCABULARY}, ("mask", "7", "0 to 6")),
        ({"mask_id": -1}, ("mask_id", "-1", "from 0")),
        ({"prompt": PROMPT[0]}, ("prompt", "(3,)", "(B, P)")),
        ({"prompt": PROMPT.float()}, ("prompt", "torch.float32", "torch.int64")),
        ({"k": -1}, ("k", "-1")),
    ],
)
def test_bad_input(changed, parts):
    good: dict[str, Any] = {"prompt": PROMPT, "contract": CONTRACTS["llada_low_confidence"]}
    good |= {"gen_length": 8, "block_length": 4, "steps": 8, "mask_id": MASK}
    with pytest.raises(ValueError) as caught:
        generate.llada(fixed(0), **good | changed)
    assert all(part in str(caught.value) for part in (*parts, "expected"))
