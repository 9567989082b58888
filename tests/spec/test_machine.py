"""The interpreter: argmax against PyTorch, traps that change nothing, loops, every border."""

import copy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmask.spec.assembler import assemble
from unmask.spec.encoding import Trap
from unmask.spec.errors import UsageError
from unmask.spec.formats import NEG_INF
from unmask.spec.machine import Machine, Retired
from unmask.spec.programs.argmax import START_ADDRESS, START_CODE, argmax_rows, pitch
from unmask.spec.reference.argmax import argmax
from unmask.spec.state import Config
from unmask.spec.vectors import EACH, WHOLE
from unmask.tests.strategies import SMALL, load_case, logits, programs


def run(text: str, config: Config = SMALL, **memories: list[int]) -> tuple[Machine, Retired]:
    """Run a program to its end: the machine and the last record."""
    machine = Machine(assemble(text), config)
    for name, values in memories.items():
        machine.state.load(name, np.array(values))
    return machine, list(machine.run())[-1]


@pytest.mark.parametrize("way", [EACH, WHOLE])
@given(
    vlen=st.sampled_from([2, 4, 8, 16]),
    rows=st.lists(logits(37, 37), min_size=1, max_size=3),
    vocabulary=st.integers(1, 37),
    strips=st.none() | st.integers(1, 3),
)
@settings(max_examples=60)
def test_argmax_program_equals_pytorch(way, vlen, rows, vocabulary, strips):
    config = Config(vlen=vlen, vector_rows=64)
    step = pitch(vocabulary, vlen)
    machine = Machine(
        assemble(argmax_rows(len(rows), vocabulary, vlen, strips and strips * vlen)), config, way
    )
    machine.state.load("fp", np.array([START_CODE]), START_ADDRESS)
    logit = np.array(rows, np.uint16)[:, :vocabulary]
    for number, row in enumerate(logit):
        machine.state.load("vector", row, number * step)
    # what lies behind the vocabulary must not matter
    last = list(machine.run())[-1]
    assert last.stop and last.cause is Trap.NONE
    expected = argmax(logit)
    assert machine.state.memories["int"][: len(rows)].tolist() == expected.tolist()
    values = machine.state.memories["fp"][1 : 1 + len(rows)]
    assert values.tolist() == [int(row[place]) for row, place in zip(logit, expected, strict=True)]


def test_true_vocabulary():
    vocabulary, vlen = 126_464, 64
    rng = np.random.default_rng(3)
    row = rng.integers(0x8001, 0xFF7F, vocabulary).astype(np.uint16)
    row[[100_000, 126_463]] = 0x8000
    machine = Machine(
        assemble(argmax_rows(1, vocabulary, vlen)),
        Config(vlen=vlen, vector_rows=2048),
        WHOLE,
    )
    machine.state.load("fp", np.array([NEG_INF]))
    machine.state.load("vector", row)
    list(machine.run())
    assert machine.state.memories["int"][0] == argmax(row) == 100_000


@given(case=programs())
def test_any_program_ends_and_a_trap_changes_nothing(case):
    machine = Machine(case.words, SMALL)
    load_case(machine, case)
    while not machine.stopped:
        before, whole = copy.deepcopy(machine.state), machine.state.snapshot()
        record = machine.step()
        after = machine.state
        if record.cause is not Trap.NONE:
            assert machine.stopped and record.next_pc == record.pc
            assert after.snapshot() == whole
        stored = {record.store[:2]} if record.store else set()
        stored |= {(x.memory, place) for x in record.blocks for place, _ in x.written()}
        for name, array in after.memories.items():
            changed = np.flatnonzero(before.memories[name] != array)
            assert all((name, int(place)) in stored for place in changed)
        assert after.gp[0] == after.f[0] == 0


@pytest.mark.parametrize(
    ("text", "cause", "pc"),
    [
        ("", Trap.ILLEGAL, 0),  # the program ends without C_BREAK
        ("S_ADDI_INT gp1, gp0, 1", Trap.ILLEGAL, 1),
        ("C_LOOP_END gp1", Trap.LOOP, 0),
        ("C_LOOP_START gp1, 2\nC_LOOP_END gp2", Trap.LOOP, 1),
        ("C_LOOP_START gp1, 0\nS_ADDI_INT gp1, gp0, 1", Trap.LOOP, 0),
        ("C_LOOP_START gp1, 2\n" * 3, Trap.LOOP, 2),  # depth 2
        ("C_LOOP_START gp1, 2\n" * 2 + "C_LOOP_START gp1, 0\nC_LOOP_END gp1", Trap.LOOP, 2),
        ("S_ADDI_INT gp1, gp0, 4\nV_RED_MAX_IDX gp2, gp1, gp0, f1", Trap.MISALIGNED, 1),
        ("S_ADDI_INT gp1, gp0, 68\nV_RED_MAX_IDX gp2, gp1, gp0, f1", Trap.MISALIGNED, 1),
        ("S_ADDI_INT gp1, gp0, 64\nV_RED_MAX_IDX gp2, gp1, gp0, f1", Trap.RANGE, 1),
        ("C_SET_CSR VL, gp0, 65\nV_RED_MAX_IDX gp2, gp0, gp0, f1", Trap.RANGE, 1),
        ("S_LUI_INT gp1, 0xFFFFF\nC_SET_CSR VL, gp1, 0\nV_RED_MAX_IDX gp2, gp1, gp0, f1",
         Trap.RANGE, 2),
        ("S_LD_FP f1, gp0, 16", Trap.RANGE, 0),
        ("S_ST_FP f1, gp0, 16", Trap.RANGE, 0),
        ("S_LD_INT gp1, gp0, 16", Trap.RANGE, 0),
        ("S_ST_INT gp1, gp0, 262143", Trap.RANGE, 0),
    ],
)  # fmt: skip
def test_traps(text, cause, pc):
    record = run(text)[1]
    assert (record.cause, record.pc) == (cause, pc)


def test_borders_that_do_not_trap():
    assert run("C_SET_CSR VL, gp0, 64\nV_RED_MAX_IDX gp1, gp0, gp0, f1\nC_BREAK")[1].stop
    text = "S_ADDI_INT gp1, gp0, 64\nC_SET_CSR VL, gp0, 0\nV_RED_MAX_IDX gp1, gp1, gp0, f1\nC_BREAK"
    assert run(text)[1].stop
    # an address wraps modulo 2**32 before it is checked
    text = "S_LUI_INT gp1, 0xFFFFF\nS_ADDI_INT gp1, gp1, 0xFFF\nS_LD_INT gp2, gp1, 4\nC_BREAK"
    assert run(text, int=[0, 0, 0, 77])[0].state.gp[2] == 77


def test_length_zero_changes_nothing():
    text = """C_SET_CSR VL, gp0, 0
    S_ADDI_INT gp2, gp0, 9
    V_RED_MAX_IDX gp2, gp0, gp0, f1
    C_BREAK"""
    state = run(text, vector=[0x3F80] * 64)[0].state
    assert (state.gp[2], state.f[1]) == (9, 0)


def test_running_maximum_continues_and_index_wraps():
    text = """S_LUI_INT gp3, 0xFFFFF
    S_ADDI_INT gp3, gp3, 0xFFE ; index 2**32 - 2
    S_LD_FP f1, gp0, 0
    V_RED_MAX_IDX gp2, gp0, gp3, f1
    C_BREAK"""
    state = run(text, fp=[NEG_INF], vector=[0, 0, 0, 0x3F80, 0, 0, 0, 0])[0].state
    assert (state.gp[2], state.f[1]) == (1, 0x3F80)
    equal = run(text, fp=[0x3F80], vector=[0x3F80] * 8)[0].state
    assert (equal.gp[2], equal.f[1]) == (0, 0x3F80)  # not strictly greater: kept


def test_start_from_zero_is_the_bug_it_looks_like():
    """A running maximum that starts at 0.0 returns index 0 for a row of negative logits."""
    text = "V_RED_MAX_IDX gp2, gp0, gp0, f1\nC_BREAK"
    assert run(text, vector=[0xC000, 0xBF80] + [0xC000] * 6)[0].state.gp[2] == 0


def test_registers_zero_ignore_writes():
    text = "S_ADDI_INT gp0, gp0, 5\nS_LD_FP f0, gp0, 0\nV_RED_MAX_IDX gp0, gp0, gp0, f0\nC_BREAK"
    state = run(text, fp=[0x3F80], vector=[0x4000] * 8)[0].state
    assert (state.gp[0], state.f[0]) == (0, 0)


def test_loops():
    text = """C_LOOP_START gp1, 3
      S_ADDI_INT gp1, gp0, 100 ; gp1 only shows the count
      C_LOOP_START gp2, 2
        S_ADDI_INT gp3, gp3, 1
      C_LOOP_END gp2
    C_LOOP_END gp1
    C_LOOP_START gp4, 0
      C_LOOP_START gp5, 9
      C_LOOP_END gp5
      S_ADDI_INT gp3, gp3, 100
    C_LOOP_END gp6
    C_BREAK"""
    machine, last = run(text)
    assert machine.state.gp[1:6] == [0, 0, 6, 0, 0] and last.stop


def test_bad_programs_are_refused():
    with pytest.raises(UsageError, match="65 words, instruction memory 64"):
        Machine([0x38] * 65, SMALL)
    with pytest.raises(UsageError, match="word 0 is 0x100000000"):
        Machine([1 << 32], SMALL)
    with pytest.raises(UsageError, match="vlen is 3"):
        Config(vlen=3)
    with pytest.raises(UsageError, match="vector_rows is 16777216"):
        Config(vlen=2048, vector_rows=1 << 24)
    with pytest.raises(UsageError, match="65 elements at 0 do not fit the vector memory of 64"):
        Machine([0x38], SMALL).state.load("vector", np.zeros(65, np.uint16))
    with pytest.raises(UsageError, match="bit patterns"):
        Machine([0x38], SMALL).state.load("vector", np.zeros(4))
    with pytest.raises(UsageError, match="vocabulary 262144"):
        argmax_rows(1, 1 << 18, 8)
    with pytest.raises(UsageError, match="strip 12"):
        argmax_rows(1, 100, 8, 12)
