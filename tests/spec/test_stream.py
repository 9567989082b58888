"""The streaming step against the exact choice, and in at most 64 words for any shape."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from unmask.spec.assembler import assemble
from unmask.spec.encoding import Trap
from unmask.spec.errors import UsageError
from unmask.spec.formats import from_float, to_float
from unmask.spec.machine import Machine
from unmask.spec.numerics import limit
from unmask.spec.programs.stream import Step, program
from unmask.spec.reference.samplers import CONTRACTS
from unmask.spec.state import Config
from unmask.spec.vectors import WHOLE


def run(step: Step, codes: np.ndarray, tokens: np.ndarray, quotas: np.ndarray) -> np.ndarray:
    """The ids after the step, shape (B, L)."""
    config = Config(vlen=step.vlen, vector_rows=16, key_words=64, int_words=1024, hbm_bytes=1 << 16)
    machine = Machine(assemble(program(step)), config, WHOLE)
    machine.state.load("hbm", codes.astype("<u2").reshape(-1).view(np.uint8))
    before = step.memory(tokens, quotas)
    machine.state.load("int", before)
    *_, last = machine.run()
    assert last.stop and last.cause is Trap.NONE
    after = machine.state.memories["int"][: before.size]
    first, end = step.tokens, step.quotas
    # Nothing but the sampled ids and the tokens has changed.
    assert np.array_equal(after[step.rows : first], before[step.rows : first])
    assert np.array_equal(after[end:], before[end:])
    return after[first:end].reshape(tokens.shape).astype(np.int64)


@settings(max_examples=40)
@given(
    batch=st.integers(1, 3),
    rows=st.integers(1, 9),
    vocabulary=st.integers(2, 40),
    seed=st.integers(0, 10_000),
    rule=st.sampled_from(["quota", "threshold"]),
)
def test_step_is_the_contract(batch, rows, vocabulary, seed, rule):
    rng = np.random.default_rng(seed)
    codes = from_float(rng.normal(size=(batch, rows, vocabulary)) * 4).astype(np.uint16)
    mask_id = vocabulary - 1
    tokens = rng.integers(0, vocabulary, (batch, rows))
    tokens[rng.random((batch, rows)) < 0.6] = mask_id
    logits, ids = torch.tensor(to_float(codes)).double(), torch.tensor(tokens)
    quotas = rng.integers(0, rows + 1, batch)
    if rule == "quota":
        step = Step(batch, rows, vocabulary, mask_id)
        wanted = CONTRACTS["llada_low_confidence_fp64"].oracle(
            logits, ids, ids == mask_id, k=torch.tensor(quotas)
        )
    else:
        tau, quotas = 0.6, np.ones(batch, np.int64)
        step = Step(batch, rows, vocabulary, mask_id, rule="rule", limit=limit(tau), most=rows)
        wanted = CONTRACTS["fast_dllm_threshold"].oracle(logits, ids, ids == mask_id, tau=tau)
    assert np.array_equal(run(step, codes, tokens, quotas), wanted.x.numpy())


@pytest.mark.parametrize("rule", ["quota", "rule", "factor"])
@pytest.mark.parametrize(("batch", "rows"), [(1, 1), (1, 64), (16, 32), (64, 512)])
def test_at_most_64_words(rule, batch, rows):
    step = Step(
        batch,
        rows,
        vocabulary=126_464,
        mask_id=126_336,
        rule=rule,
        base=(1 << 34) + (1 << 20),
        format="E4M3_B32",
        scale=1 << 27,
        limit=1 << 30,
        most=rows,
        vlen=64,
    )
    assert len(assemble(program(step))) <= 64


def test_bad_sizes():
    with pytest.raises(UsageError, match="vocabulary 262145: expected 1 to 262144"):
        program(Step(1, 1, (1 << 18) + 1, 0))
    with pytest.raises(UsageError, match="pitch -1: expected 0 to 4294967295"):
        program(Step(1, 1, 8, 0, pitch=-1))
    with pytest.raises(UsageError, match="rule 'best': expected one of quota, rule, factor"):
        program(Step(1, 1, 8, 0, rule="best"))  # type: ignore[arg-type]  # as a caller may
    with pytest.raises(UsageError, match="format 'FP8': expected one of BF16"):
        program(Step(1, 1, 8, 0, format="FP8"))
    with pytest.raises(UsageError, match=r"quotas: shape \(2,\), expected \(1,\)"):
        Step(1, 2, 8, 0).memory(np.zeros((1, 2), int), np.zeros(2, int))
