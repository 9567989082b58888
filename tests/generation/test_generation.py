"""Whole generations of a real model, by the published samplers and by right and wrong others."""

import dataclasses
from collections.abc import Callable

import pytest
import torch

from unmask.spec.reference.contract import Contract, Step, stable
from unmask.spec.reference.samplers import CONTRACTS
from unmask.tests.generation import ours
from unmask.tests.generation.__main__ import main
from unmask.tests.generation.loop import RUNS, Compared, Parameters, Run, Sampler, compare
from unmask.tests.generation.measure import losses
from unmask.tests.generation.model import CHECKPOINT, LENGTH, Trained
from unmask.tests.generation.text import END, UNKNOWN, paragraphs
from unmask.tests.reference.conftest import one_thread  # noqa: F401  # a fixture here, too

# Four ids at a step where there are quotas: fewer steps, and more that might be taken instead.
BY_NAME = {
    run.contract: dataclasses.replace(run, parameters={**run.parameters, "steps": 8})
    for run in RUNS
}


@pytest.fixture(scope="module")
def trained() -> Trained:
    return Trained.load()


@pytest.fixture(scope="module")
def prompts(trained) -> list[torch.Tensor]:
    """Begins of held-out paragraphs, (1, 12) each."""
    texts = [text for text in paragraphs(held_out=True) if len(text) > 100]
    return [trained.vocabulary.encode(text)[:12].unsqueeze(0) for text in texts[:16]]


def all_steps(
    trained: Trained, prompts: list[torch.Tensor], run: Run, second: Sampler
) -> list[Compared]:
    """Of a generation for each prompt."""
    return [
        step
        for prompt in prompts
        for step in compare(trained, prompt, run, second, ours.certify)[1]
    ]


# -- the model ---------------------------------------------------------------------------------
def test_vocabulary_spells_the_text(trained):
    vocabulary = trained.vocabulary
    assert vocabulary.mask_id < vocabulary.size - 1 and vocabulary.size % 64
    for held_out in (False, True):
        text = END.join(paragraphs(held_out))  # another release may have other characters
        known = "".join(c if c in vocabulary.pieces else UNKNOWN for c in text)
        assert "".join(vocabulary.words(vocabulary.encode(text))) == known
        assert known.count(UNKNOWN) < len(text) / 1000
    assert vocabulary.encode("\N{SNOWMAN}").tolist() == [len(vocabulary.pieces)]


def test_nothing_held_out_is_trained_on():
    kept, held_out = paragraphs(False), paragraphs(True)
    assert not set(kept) & set(held_out)
    assert 0.05 < len(held_out) / len(kept) < 0.2


def test_checkpoint_is_small_and_its_weights_are_bfloat16(trained):
    assert CHECKPOINT.stat().st_size <= 600_000
    assert all(torch.equal(w, w.bfloat16().float()) for w in trained.network.parameters())
    logits = trained(torch.zeros(2, LENGTH, dtype=torch.int64))
    assert logits.dtype == torch.bfloat16 and logits.shape == (2, LENGTH, trained.vocabulary.size)


def test_model_has_learned(trained):
    """With half of the ids masked, on text it has not seen: 3.07 nats an id, and 5.62 by the ids'
    frequencies. Other releases of Python have somewhat other text."""
    model, counted = losses(trained, held_out=True)
    assert model < counted - 2


# -- generations -------------------------------------------------------------------------------
@pytest.mark.parametrize("name", sorted(BY_NAME))
def test_generation_is_complete_repeatable_and_watching_changes_nothing(name, trained, prompts):
    run, calls = BY_NAME[name], []

    def counting(ids: torch.Tensor) -> torch.Tensor:
        calls.append(ids)
        return trained(ids)

    for prompt in prompts[:4]:
        done, steps = compare(trained, prompt, run, ours.sample, ours.certify)
        calls.clear()
        again = run.loop(
            counting,
            prompt,
            CONTRACTS[name],
            mask_id=trained.vocabulary.mask_id,
            published=True,
            **run.parameters,
        )
        assert done.complete and torch.equal(done.x, again.x)
        assert len(calls) == len(steps) == len(done.trace)  # one slab of logits each
        for ids, step, published in zip(calls, steps, again.trace, strict=True):
            assert torch.equal(ids, step.before)
            assert torch.equal(published.x, step.published.x)


@pytest.mark.parametrize("name", sorted(BY_NAME))
def test_right_sampler_is_never_wrong(name, trained, prompts):
    steps = all_steps(trained, prompts[:5], BY_NAME[name], ours.sample)
    assert not [step for step in steps if step.verdict == "wrong"]
    assert sum(step.certified for step in steps) > 0.8 * len(steps)  # it says something


def test_steps_inside_the_margin_are_real(trained, prompts):
    """LLaDA's confidences are bfloat16: some of a real model's are equal, and topk picks one."""
    steps = all_steps(trained, prompts, BY_NAME["llada_low_confidence"], ours.sample)
    assert not all(step.certified for step in steps)


def test_threshold_lets_several_pass(trained, prompts):
    steps = all_steps(trained, prompts[:4], BY_NAME["fast_dllm_threshold"], ours.sample)
    assert max(int(step.published.transfer.sum()) for step in steps) > 2


# -- wrong samplers ----------------------------------------------------------------------------
def by(change: Callable[[Contract], Contract]) -> Sampler:
    """The oracle of a changed contract."""

    def second(
        logits: torch.Tensor, x: torch.Tensor, mask: torch.Tensor, name: str, given: Parameters
    ) -> Step:
        return change(CONTRACTS[name]).oracle(logits, x, mask, **given)

    return second


def last_token(
    logits: torch.Tensor, x: torch.Tensor, mask: torch.Tensor, name: str, given: Parameters
) -> Step:
    """Of equal logits the last one wins: each is raised by less than a bfloat16 can tell."""
    rising = logits.double() + 1e-9 * torch.arange(logits.shape[-1])
    return CONTRACTS[name].oracle(rising, x, mask, **given)


def last_place(confidence: torch.Tensor, k: int) -> torch.Tensor:
    """The highest position among equals."""
    return len(confidence) - 1 - stable(confidence.flip(0), k)


def of_last_place(
    logits: torch.Tensor, x: torch.Tensor, mask: torch.Tensor, name: str, given: Parameters
) -> Step:
    contract = CONTRACTS[name]
    return contract.rule(contract, last_place, logits, x, mask, **given)


ROUNDED = by(lambda contract: dataclasses.replace(contract, confidence=torch.bfloat16))
STRICT = by(lambda contract: dataclasses.replace(contract, compare=">"))
RIGHT = by(lambda contract: contract)


@pytest.mark.parametrize("name", sorted(BY_NAME))
def test_last_index_among_equal_logits_is_caught(name, trained, prompts):
    steps = all_steps(trained, prompts[:5], BY_NAME[name], last_token)
    assert [step for step in steps if step.verdict == "wrong"]


@pytest.mark.parametrize("name", ["llada_low_confidence_fp64", "fast_dllm_quota"])
def test_confidences_rounded_to_bfloat16_are_caught(name, trained, prompts):
    steps = all_steps(trained, prompts, BY_NAME[name], ROUNDED)
    assert [step for step in steps if step.verdict == "wrong"]


def test_last_position_among_equal_confidences_is_caught(trained, prompts):
    """Where the published sampler does what the oracle does, the other one does not. (PyTorch does
    not say which of equals topk takes, so no such step is certified.)"""
    run = BY_NAME["llada_low_confidence"]
    right = all_steps(trained, prompts, run, RIGHT)
    wrong = all_steps(trained, prompts, run, of_last_place)
    caught = [
        other
        for same, other in zip(right, wrong, strict=True)
        if same.verdict == "equal" and other.verdict != "equal"
    ]
    assert caught and not any(step.certified for step in caught)


@pytest.mark.parametrize("name", ["fast_dllm_threshold", "fast_dllm_v1_threshold"])
def test_strict_threshold_is_caught_on_the_border(name, trained, prompts):
    """With a threshold that is one of the confidences: of the last of several that pass."""
    run = BY_NAME[name]
    for step in all_steps(trained, prompts[:1], run, RIGHT):
        passed = step.published.confidence[step.published.transfer].sort().values
        if len(passed) > 1 and passed[0] >= run.parameters["tau"]:
            break
    else:
        pytest.fail("no step lets several pass")
    tau = float(passed[0])
    border = dataclasses.replace(run, parameters={**run.parameters, "tau": tau})
    assert all(s.verdict == "equal" for s in all_steps(trained, prompts[:1], border, RIGHT))
    wrong = [s for s in all_steps(trained, prompts[:1], border, STRICT) if s.differs.any()]
    assert wrong and all((s.published.confidence[s.differs] == tau).all() for s in wrong)


def test_report(capsys):
    assert main(["--quiet", "The statement"]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in BY_NAME)
