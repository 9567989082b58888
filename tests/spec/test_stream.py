"""A denoising step, by stream and by prefetch, against the contracts of the published samplers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from unmask.spec.assembler import assemble
from unmask.spec.encoding import FORMATS
from unmask.spec.errors import UsageError
from unmask.spec.formats import NAN, from_float
from unmask.spec.instructions.memory import LAYOUTS
from unmask.spec.numerics import limit
from unmask.spec.programs import prefetch, stream
from unmask.spec.programs.choice import FACTOR, QUOTA, Choice, above, factor_limits, not_below
from unmask.spec.programs.step import Step
from unmask.spec.reference.samplers import CONTRACTS
from unmask.tests.spec.program_runs import execute, scene, without_margin

TAU, EDIT_TAU, FACTOR_OF = 0.7, 0.3, 0.8
# Contract -> its choice, and which counts it takes: one for all, up to L, or any.
STEPS: dict[str, tuple[Choice, str]] = {
    "llada_low_confidence_fp64": (QUOTA, "to L"),
    "fast_dllm_v1_quota": (QUOTA, "any"),
    "fast_dllm_threshold": (not_below(TAU), "one"),
    "fast_dllm_v1_threshold": (not_below(TAU), "one"),
    "fast_dllm_factor_paper": (FACTOR, "one"),
    "llada2": (above(TAU), "any"),
    "sglang_low_confidence": (above(TAU, "exact"), "one"),
    "llada21": (above(TAU, edit_tau=EDIT_TAU), "any"),
    "sglang_joint_threshold": (above(TAU, "exact", EDIT_TAU), "one"),
}
GIVEN = {"tau": TAU, "edit_tau": EDIT_TAU, "factor": FACTOR_OF}

# Of the longest programs: by stream, by prefetch.
WORDS = {"quota": (60, 58), "rule": (64, 62), "factor": (60, 58), "edits": (101, 78)}


def draw_program(step: Step, chunks: int) -> str:
    """By stream for 0 chunks, else by prefetch."""
    return prefetch.program(step, chunks) if chunks else stream.program(step)


@settings(max_examples=60)
@given(
    name=st.sampled_from(list(STEPS)),
    form=st.sampled_from(list(FORMATS)),
    vlen=st.sampled_from([2, 4, 8]),
    chunks=st.sampled_from([0, 0, 1, 2, 3, 16]),
    share=st.sampled_from([0.5, 0.0, 0.8, 1.0]),
    seed=st.integers(0, 10_000),
)
def test_step_is_the_contract(name, form, vlen, chunks, share, seed):
    rng = np.random.default_rng(seed)  # of sizes too: hypothesis would draw mostly small ones
    batch, rows, vocabulary = (int(rng.integers(1, most)) for most in (4, 12, 48))
    vocabulary += 1
    contract, (choice, counts) = CONTRACTS[name], STEPS[name]
    if chunks * vlen % LAYOUTS[FORMATS[form]].block:
        chunks = 32 // vlen if chunks else 0
    codes = from_float(rng.normal(size=(batch, rows, vocabulary)) * 4).astype(np.uint16)
    codes[:, rows // 2] = codes[:, 0]  # a tie
    mask_id = vocabulary - 1
    found = scene(codes, mask_id, choice, form, vlen)
    ids = torch.tensor(rng.integers(0, vocabulary, (batch, rows)))
    same = torch.tensor(rng.random((batch, rows)) < 0.2)
    ids = torch.where(same, found.logits.argmax(dim=-1), ids)
    ids[torch.tensor(rng.random((batch, rows)) < share)] = mask_id
    assume(without_margin(found, (ids == mask_id).numpy(), TAU, EDIT_TAU))
    most = {"one": 1, "to L": rows, "any": rows + 3}[counts]
    quotas = rng.integers(0 if most > 1 else 1, most + 1, batch)
    prompt = rng.random((batch, rows)) < 0.4 if choice.edits else None
    parameters = GIVEN | {"k": torch.tensor(quotas), "q": torch.tensor(quotas)}
    if prompt is not None:
        parameters["prompt"] = torch.tensor(prompt)
    parameters = {key: value for key, value in parameters.items() if key in contract.parameters}
    wanted = contract.oracle(found.logits, ids, ids == mask_id, **parameters)
    got, _, records = execute(
        draw_program(found.step, chunks),
        found.step,
        found.image,
        found.step.memory(ids.numpy(), quotas, prompt),
        factor_limits(FACTOR_OF, rows),
    )
    assert np.array_equal(got, wanted.x.numpy())
    moved = sum(record.length for record in records if record.word & 63 in (0x29, 0x3B))
    assert moved == codes.size  # each logit is read from memory once


@settings(max_examples=40)
@given(
    rows=st.integers(1, 20),
    vocabulary=st.integers(1, 30),
    k=st.integers(0, 25),
    seed=st.integers(0, 10_000),
    chunks=st.sampled_from([0, 1, 2]),
)
def test_near_rows_are_chosen_by_their_keys(rows, vocabulary, k, seed, chunks):
    """Logits of few values: many deltas are equal or nearly so, and float64 may order them so or
    so; the step takes the least keys, of equal ones the lower position."""
    rng = np.random.default_rng(seed)
    codes = from_float(rng.integers(-1, 2, (1, rows, vocabulary)) / 4).astype(np.uint16)
    found = scene(codes, 40, QUOTA)
    tokens = np.where(rng.random((1, rows)) < 0.7, 40, 33)
    before = found.step.memory(tokens, np.array([k]))
    got, machine, _ = execute(draw_program(found.step, chunks), found.step, found.image, before)
    keys = machine.state.memories["key"][:rows]
    sampled = found.logits[0].argmax(dim=-1).numpy()
    order = [place for place in np.argsort(keys, kind="stable") if tokens[0, place] == 40]
    tokens[0, order[:k]] = sampled[order[:k]]
    assert np.array_equal(got, tokens)


def test_the_next_piece_is_fetched_before_one_is_reduced():
    found = scene(np.zeros((2, 3, 20), np.uint16), 1, QUOTA)
    before = found.step.memory(np.zeros((2, 3), int), np.zeros(2, int))
    _, _, records = execute(prefetch.program(found.step, 1), found.step, found.image, before)
    kinds = {0x29: "fetch", 0x3A: "reduce", 0x3D: "select"}
    seen = [(kinds[r.word & 63], r) for r in records if r.word & 63 in kinds]
    # Three pieces a row: ahead by one all the time, but for the first reduction, of nothing.
    assert [kind for kind, _ in seen] == (["fetch", "reduce"] * 9 + ["reduce", "select"]) * 2
    filled = [r.blocks[0].address for kind, r in seen if kind == "fetch"]
    assert filled == ([0, 8] * 4 + [0]) * 2
    assert [r.vl for _, r in seen[:8]] == [4, 8, 8, 4, 8, 8, 4, 8]


def chosen(logits: list[float], choice: Choice, kmin: int, chunks: int) -> list[bool]:
    """Which of some masked positions get a token; row r has logits 0 and logits[r]."""
    rows = np.zeros((1, len(logits), 5))
    rows[0, :, 3] = logits
    codes = from_float(rows.astype(np.float32)).astype(np.uint16)
    found = scene(codes, 4, choice)
    before = found.step.memory(
        np.full((1, len(logits)), 4),
        np.array([kmin]),
        np.zeros((1, len(logits)), bool) if choice.edits else None,
    )
    limits = factor_limits(FACTOR_OF, len(logits))
    got = execute(draw_program(found.step, chunks), found.step, found.image, before, limits)[0]
    return (got[0] != 4).tolist()


@pytest.mark.parametrize("chunks", [0, 1])
def test_nan_rows(chunks):
    """What the docstring of `Choice` says, and where it is PyTorch's."""
    nan, sure, unsure = float("nan"), 9.0, 0.5
    T, F = True, False
    first, last = not_below(TAU), Choice("rule", limit(TAU), nan_last=True)
    factor_last = Choice("factor", nan_last=True)
    same = [
        (QUOTA, 1, [sure, nan], [F, T], "llada_low_confidence_fp64"),
        (first, 1, [nan, sure, nan, unsure], [T, T, T, F], "fast_dllm_threshold"),
        (first, 1, [unsure, nan, unsure], [F, T, F], "fast_dllm_threshold"),
        (last, 1, [nan, sure, nan, unsure], [F, T, F, F], "sglang_low_confidence"),
        (last, 2, [nan, sure, unsure, sure], [F, T, F, T], "llada2"),
        (last, 1, [nan, nan], [T, F], "fast_dllm_v1_threshold"),
        (FACTOR, 0, [nan, sure, nan], [T, T, T], "fast_dllm_factor_paper"),
    ]
    other = [  # and what PyTorch does
        (last, 1, [nan, unsure], [F, T], "sglang_low_confidence", [T, F]),
        (last, 2, [nan, sure, unsure], [F, T, T], "llada2", [T, T, F]),
        (last, 1, [nan, sure], [F, T], "fast_dllm_v1_threshold", [T, T]),
        (FACTOR, 0, [nan, unsure, nan], [T, F, T], "fast_dllm_factor_paper", [T, F, F]),
        (factor_last, 0, [nan, sure, sure], [F, T, T], "fast_dllm_factor_paper", [T, T, T]),
        (factor_last, 0, [nan, nan], [T, F], "fast_dllm_factor_paper", [T, F]),
    ]
    for choice, kmin, logits, wanted, name, published in [*((*x, x[3]) for x in same), *other]:
        assert chosen(logits, choice, kmin, chunks) == wanted, (choice, logits)
        contract = CONTRACTS[name]
        rows = torch.zeros(1, len(logits), 5, dtype=torch.float64)
        rows[0, :, 3] = torch.tensor(logits)
        given = {"k": kmin, "q": kmin, **GIVEN}
        kept = {key: value for key, value in given.items() if key in contract.parameters}
        step = contract.oracle(rows, torch.full((1, len(logits)), 4), 4, **kept)
        assert step.transfer[0].tolist() == published, (name, logits)


@pytest.mark.parametrize("nan_last", [False, True])
def test_nan_rows_are_edited_unless_last(nan_last):
    codes = np.zeros((1, 2, 5), np.uint16)
    codes[0, :, 3] = NAN
    choice = Choice("rule", limit(TAU), edit_limit=limit(EDIT_TAU), nan_last=nan_last)
    found = scene(codes, 4, choice)
    before = found.step.memory(np.array([[1, 2]]), np.array([1]), np.array([[False, True]]))
    got = execute(stream.program(found.step), found.step, found.image, before)[0]
    assert got.tolist() == [[1 if nan_last else 3, 2]]


def widest(choice: Choice, batch: int, rows: int) -> Step:
    """Every constant of it needs as many words as it can."""
    return Step(
        batch,
        rows,
        vocabulary=1 << 18,
        mask_id=(1 << 18) - 1,
        choice=choice,
        pitch=1 << 19,
        base=(1 << 50) + (1 << 20),
        format="E4M3_B32",
        scale=1 << 27,
        vlen=64,
    )


@pytest.mark.parametrize("name", list(WORDS))
@pytest.mark.parametrize(("batch", "rows"), [(1, 1), (1, 64), (16, 32), (8, 256)])
def test_words(name, batch, rows):
    """At most 64 but for edits; the longest take what WORDS says."""
    if name == "edits":
        choice = Choice("rule", 1 << 30, edit_limit=1 << 30, nan_last=True)
    else:
        choice = Choice(name, 1 << 30, nan_last=True)
    step = widest(choice, batch, rows)
    got = tuple(len(assemble(x)) for x in (stream.program(step), prefetch.program(step, 8)))
    assert all(words <= most for words, most in zip(got, WORDS[name], strict=True))
    if batch > 1:
        assert got == WORDS[name]


def test_factor_limits():
    limits = factor_limits(0.5, 3)
    assert limits == [(1 << 32) - 1, limit(1 - 0.5 / 3, strict=True), limit(0.875, strict=True)]
    assert factor_limits(0.0, 2)[1] == 0  # no number passes


def text_of(*arguments: object, **named: object) -> Callable[[], str]:
    wrong: Any = (arguments, named)  # as a caller may
    return lambda: stream.program(Step(*wrong[0], **wrong[1]))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (text_of(1, 1, (1 << 18) + 1, 0), "vocabulary 262145: expected 1 to 262144"),
        (text_of(1, 1, 8, 0, pitch=-1), "pitch -1: expected 0 to 4294967295"),
        (
            text_of(1, 1, 8, 0, Choice("best")),  # type: ignore[arg-type]  # as a caller may
            "rule 'best': expected one of quota, rule, factor",
        ),
        (text_of(1, 1, 8, 0, Choice("rule", -1)), "limit -1: expected 0 to 4294967295"),
        (text_of(1, 1, 8, 0, Choice("quota", edit_limit=1)), "edit_limit with rule 'quota'"),
        (text_of(1, 1, 8, 0, format="FP8"), "format 'FP8': expected one of BF16"),
        (text_of(1, 2, 8, 0, format="E4M3_B32"), "pitch 8: expected a multiple of the block, 32"),
        (lambda: prefetch.program(Step(1, 1, 8, 0), 0), "chunks 0: expected 1 to 32767"),
        (
            lambda: prefetch.program(Step(1, 1, 64, 0, format="E4M3_B32"), 3),
            "chunks 3: 24 elements, expected whole blocks of 32",
        ),
        (
            lambda: prefetch.program(Step(1, 2, 8, 0, pitch=(1 << 32) - 8), 1),
            "elements of all rows 4294967296: expected 1 to 4294967295",
        ),
        (
            lambda: Step(1, 2, 8, 0).memory(np.zeros((1, 2), int), np.zeros(2, int)),
            r"quotas: shape \(2,\), expected \(1,\)",
        ),
        (
            lambda: Step(1, 2, 8, 0, above(0.5, edit_tau=0.5)).memory(
                np.zeros((1, 2), int), np.zeros(1, int)
            ),
            "prompt: None, expected a mask, for edits",
        ),
    ],
)
def test_bad_sizes(call, message):
    with pytest.raises(UsageError, match=message):
        call()
