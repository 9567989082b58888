"""The model against the specification: the same records, and cycles as the table says."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from unmask.model.machine import COUNTED, FAST, Model, counting
from unmask.spec.assembler import assemble
from unmask.spec.bits import arrays, ints
from unmask.spec.machine import Machine
from unmask.spec.reductions import MaxIndex
from unmask.spec.softmax import Placed, SoftmaxState, lane_of
from unmask.spec.state import plain
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


@settings(max_examples=30)
@given(
    few=st.lists(codes, min_size=1, max_size=6),
    size=st.integers(COUNTED - 2, COUNTED + 200),
    base=st.sampled_from([0, 5, 2**32 - 1500, 2**32 - 700, 2**32 - 1]),
    seed=st.integers(0, 99),
    flagged=st.booleans(),
    begun=st.booleans(),
)
def test_counted_states_are_folded_states(few, size, base, seed, flagged, begun):
    """Also where indices wrap, and going on from a state."""
    assert counting() is not None
    rng = np.random.default_rng(seed)
    row = arrays(16, rng.choice(np.array(few), size))
    operands = [arrays(32, (base + np.arange(size)) % 2**32)]
    if flagged:
        operands.append(arrays(2, rng.integers(0, 2, size)))
    start = SoftmaxState.empty(ints(1, 0))
    if begun:
        start = SoftmaxState.lane(ints(16, few[0]), ints(32, 700), flags=ints(2, 2))
    found = [way.reduce(Placed, start, way.table(lane_of, row), *operands) for way in (WHOLE, FAST)]
    assert plain(found[0]) == plain(found[1])


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
