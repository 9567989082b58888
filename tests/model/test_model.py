"""The model against the specification: the same records, and cycles as the table says."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from unmask.model.machine import FAST, Model
from unmask.spec.assembler import assemble
from unmask.spec.bits import ints
from unmask.spec.machine import Machine
from unmask.spec.reductions import MaxIndex
from unmask.spec.vectors import EACH, WHOLE
from unmask.tests.strategies import SMALL, codes, load_case, logits, programs


@given(case=programs())
def test_model_equals_spec(case):
    spec, model = Machine(case.words, SMALL), Model(case.words, SMALL)
    load_case(spec, case)
    load_case(model, case)
    assert list(spec.run()) == [timed.record for timed in model.trace()]
    assert spec.state.gp == model.state.gp and spec.state.f == model.state.f
    for name, array in spec.state.memories.items():
        assert np.array_equal(array, model.state.memories[name])


@given(row=logits(0, 70), start=codes, base=st.integers(0, 0xFFFFFFFF), index=st.integers(0, 99))
def test_three_folds_are_one(row, start, base, index):
    begin = MaxIndex.lane(ints(16, start), ints(32, index))
    indices = [(base + lane) % 2**32 for lane in range(len(row))]
    results = {
        tuple(
            x.as_int()
            for x in way.reduce(
                MaxIndex, begin, way.of(16, np.array(row, int)), way.of(32, np.array(indices, int))
            )
        )
        for way in (EACH, WHOLE, FAST)
    }
    assert len(results) == 1


def retire_cycles(text: str) -> list[tuple[int, int]]:
    return [(timed.issue, timed.retire) for timed in Model(assemble(text), SMALL).trace()]


def test_cycles():
    assert retire_cycles("S_ADDI_INT gp1, gp0, 1\nS_LD_INT gp1, gp0, 0\nC_BREAK") == [
        (1, 1), (2, 3), (4, 4)]  # fmt: skip
    # VLEN 8, 20 elements: 3 chunks, SRAM read, keys, 3 levels, fold
    text = "C_SET_CSR VL, gp0, 20\nV_RED_MAX_IDX gp1, gp0, gp0, f1\nC_BREAK"
    assert retire_cycles(text) == [(1, 1), (2, 10), (11, 11)]
    # loops cost nothing but their two words
    text = "C_LOOP_START gp1, 2\nS_ADDI_INT gp2, gp2, 1\nC_LOOP_END gp1\nC_BREAK"
    assert [retire for _, retire in retire_cycles(text)] == [1, 2, 3, 4, 5, 6]
    # a loop of zero iterations looks at one word a cycle
    text = "C_LOOP_START gp1, 0\nS_ADDI_INT gp2, gp2, 1\nC_LOOP_END gp1\nC_BREAK"
    assert retire_cycles(text) == [(1, 3), (4, 4)]
    assert retire_cycles("C_LOOP_START gp1, 0\nC_BREAK") == [(1, 3)]  # no end: trap
