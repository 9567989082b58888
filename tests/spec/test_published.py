"""The published sampling program on the machine, against an emulation in numpy, and its error."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from unmask.spec import isa
from unmask.spec.assembler import assemble
from unmask.spec.encoding import Trap
from unmask.spec.errors import UsageError
from unmask.spec.formats import from_float, to_float
from unmask.spec.machine import Machine
from unmask.spec.manual import published_error
from unmask.spec.programs.published import START_CODE, Sampling, program
from unmask.spec.state import Config
from unmask.spec.vectors import EACH, WHOLE
from unmask.tests.logit_rows import logit_row
from unmask.tests.strategies import logits

MASK_TOKEN, DONE_TOKEN = 7, 500
H_PREFETCH_V = isa.TABLE.by_mnemonic["H_PREFETCH_V"].opcode


def run(sampling, rows, masked, vectors=WHOLE):
    """Tokens, samples, confidences and the transfer mask after a run."""
    config = Config(vlen=sampling.vlen, vector_rows=256, hbm_bytes=1 << 16)
    machine = Machine(assemble(program(sampling)), config, vectors)
    state = machine.state
    state.load("hbm", np.ascontiguousarray(rows).view(np.uint8), sampling.hbm)
    state.load("fp", np.array([START_CODE]), sampling.start)
    state.load("int", np.where(masked, MASK_TOKEN, DONE_TOKEN), sampling.tokens)
    state.load("vector", np.where(masked, 0x3F80, 0), sampling.mask)
    last = list(machine.run())[-1]
    assert last.stop and last.cause is Trap.NONE
    n, memories = sampling.rows, state.memories
    return (
        memories["int"][sampling.tokens :][:n].tolist(),
        memories["int"][sampling.sampled :][:n].tolist(),
        memories["fp"][:n].tolist(),
        memories["vector"][sampling.transfer :][:n].tolist(),
    )


def emulated(row, vlen, start):
    """Index and confidence of one row, each step in float32 or float64 and rounded to BF16."""
    values = to_float(row)
    index, best = 0, np.float32(start)
    for place, value in enumerate(values):  # NaN is greatest, the first of equals wins
        if (value > best and not np.isnan(best)) or (np.isnan(value) and not np.isnan(best)):
            index, best = place, value
    with np.errstate(all="ignore"):
        shifted = to_float(from_float(values - best))
        weights = to_float(from_float(np.exp(shifted.astype(np.float64)))).reshape(-1, vlen)
        while weights.shape[1] > 1:
            weights = weights[:, ::2] + weights[:, 1::2]
        total = to_float(0)
        for chunk in weights[:, 0]:
            total = to_float(from_float(total + chunk))
        return index, int(from_float(np.float32(1) / total))


def check(sampling, rows, masked, vectors=WHOLE):
    start = 0.0 if sampling.from_zero else -np.inf
    tokens, sampled, confidence, transfer = run(sampling, rows, masked, vectors)
    expected = [emulated(row, sampling.vlen, start) for row in rows]
    assert confidence == [code for _, code in expected]
    current = np.where(masked, MASK_TOKEN, DONE_TOKEN)
    choice = np.where(masked, [index for index, _ in expected], current)
    assert sampled == choice.tolist()
    # torch.topk among the masked positions; of equal ones the lower index, NaN first
    shown = torch.from_numpy(to_float(np.array(confidence, np.uint16)))
    order = torch.argsort(shown, descending=True, stable=True).tolist()
    chosen = [place for place in order if masked[place]][: sampling.k]
    assert [place for place in range(len(rows)) if transfer[place]] == sorted(chosen)
    taken = np.isin(np.arange(len(rows)), chosen)
    assert tokens == np.where(taken, choice, current).tolist()


@given(
    rows=st.lists(logits(24, 24), min_size=1, max_size=5),
    vlen=st.sampled_from([2, 4, 8]),
    chunks=st.none() | st.integers(1, 13),
    k=st.integers(0, 5),
    from_zero=st.booleans(),
    each=st.booleans(),
    data=st.data(),
)
@settings(max_examples=60)
def test_program_equals_emulation(rows, vlen, chunks, k, from_zero, each, data):
    masked = np.array(data.draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows))))
    sampling = Sampling(len(rows), 24, vlen, chunks, k, hbm=64, tokens=3, from_zero=from_zero)
    check(sampling, np.array(rows, np.uint16), masked, EACH if each else WHOLE)


@pytest.mark.parametrize("chunks", [5, None])
@pytest.mark.parametrize("family", ["gaussian", "peaked", "all negative", "tied", "banned"])
def test_families(family, chunks):
    rows = np.array([logit_row(family, 512, seed) for seed in range(6)])
    masked = np.arange(6) % 4 != 1
    check(Sampling(6, 512, 64, chunks, k=3), rows, masked)


@pytest.mark.parametrize(("chunks", "times"), [(3, 2), (5, 2), (None, 1)])
def test_how_often_a_logit_is_fetched(chunks, times):
    machine = Machine(assemble(program(Sampling(3, 32, 8, chunks, 1))), Config(vlen=8), WHOLE)
    fetched = [
        address
        for record in machine.run()
        for block in record.blocks
        if record.word & 63 == H_PREFETCH_V
        for address, _ in block.written()
    ]
    assert len(fetched) == times * 3 * 32


def test_start_from_zero_gives_token_0_for_negative_rows():
    rows = np.array([logit_row("all negative", 64, seed) for seed in range(4)])
    sampled = run(Sampling(4, 64, 8, 4, 4, from_zero=True), rows, np.full(4, True))[1]
    assert sampled == [0, 0, 0, 0]
    better = run(Sampling(4, 64, 8, 4, 4), rows, np.full(4, True))[1]
    assert better == np.argmax(to_float(rows), axis=1).tolist()


@given(
    rows=st.lists(logits(32, 32), min_size=1, max_size=3),
    vlen=st.sampled_from([2, 8]),
    from_zero=st.booleans(),
)
@settings(max_examples=40)
def test_arrays_equal_the_machine(rows, vlen, from_zero):
    """What the error is measured on is what the machine does, bit for bit."""
    codes = np.array(rows, np.uint16)
    sampling = Sampling(len(rows), 32, vlen, 3, 0, from_zero=from_zero)
    _, sampled, confidence, _ = run(sampling, codes, np.full(len(rows), True))
    got = published_error.published(codes, vlen, from_zero)
    assert (sampled, confidence) == (got.tokens.tolist(), got.confidence.tolist())


def test_mx_logits():
    """Rows of E4M3 elements in blocks of 8 under their scales: 1, 2, 4 times the element."""
    sampling = Sampling(2, 16, 8, 1, 2, format="E4M3_B8", scale=64)
    machine = Machine(assemble(program(sampling)), Config(vlen=8))
    elements = [0x38] * 16 + [0x30] * 8 + [0x38] * 8  # 1.0 and 0.5
    machine.state.load("hbm", np.array(elements, np.uint8))
    machine.state.load("hbm", np.array([127, 128, 129, 127], np.uint8), 64)
    machine.state.load("fp", np.array([START_CODE]), sampling.start)
    assert list(machine.run())[-1].stop
    # row 0: 8 of 1.0, then 8 of 2.0; row 1: 8 of 0.5 * 4, then 8 of 1.0
    assert machine.state.memories["int"][2:4].tolist() == [0, 0]  # nothing is masked: unchanged
    fp = to_float(machine.state.memories["fp"][:2])
    assert np.allclose(fp, 1 / (8 + 8 * np.exp(-1)), rtol=2**-7)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vocabulary": 20}, "vocabulary 20: expected a multiple of vlen = 8"),
        ({"chunks": 0}, "chunks 0: expected 1 to 32767"),
        ({"rows": 0}, "rows 0, k 1, tokens 0"),
        ({"format": "FP8"}, "format 'FP8': expected one of BF16"),
        (
            {"rows": 1 << 14, "vocabulary": 1 << 17, "chunks": None},
            "rows 16384 of vocabulary 131072: expected at most 1073741824 elements",
        ),
    ],
)
def test_bad_sizes_are_refused(change, message):
    sizes = {"rows": 1, "vocabulary": 16, "vlen": 8, "chunks": 2, "k": 1} | change
    with pytest.raises(UsageError, match=message):
        program(Sampling(**sizes))


def test_a_line_of_the_table_is_as_measured():
    """The whole table takes minutes: python -m unmask.spec.manual.published_error --check."""
    case = next(x for x in published_error.CASES if x.family == "all negative")
    table = published_error.FILE.read_text(encoding="utf-8")
    assert table.startswith(published_error.HEAD)
    assert published_error.line(case) in table.splitlines()
    for case in published_error.CASES:
        assert f"| {case.vocabulary:,} | {case.family} |" in table
