"""One text, several interpretations: integers, arrays and Z3 terms give the same for every row."""

from typing import Any

import pytest
import z3
from hypothesis import given, settings
from hypothesis import strategies as st

from unmask.spec import isa
from unmask.spec.encoding import Trap
from unmask.spec.machine import WIDTH
from unmask.spec.reductions import every, parts
from unmask.spec.state import MEMORIES, softmax_of
from unmask.spec.symbolic import Memory, SymbolicState, cause, execute, value_of
from unmask.spec.terms import Terms, const
from unmask.spec.vectors import EACH, WHOLE
from unmask.tests.scenes import CONFIG, Scene, scenes

LOOPS = ("C_LOOP_START", "C_LOOP_END")  # what they do is the machine's, not the semantics'


def symbolic(scene: Scene) -> SymbolicState:
    """The scene as terms."""

    def content(name: str) -> Any:
        pattern = scene.memories[name]
        return lambda place: const(WIDTH[name], pattern[place % len(pattern)])

    return SymbolicState(
        CONFIG,
        gp=[const(32, value) for value in scene.gp],
        f=[const(16, value) for value in scene.f],
        a=[const(64, value) for value in scene.a],
        csrs={name: const(32, value) for name, value in scene.csrs.items()},
        softmax=[
            every(lambda part: const(part.width, part.value), softmax_of(values))
            for values in scene.softmax
        ],
        memories={name: Memory(CONFIG.elements(name), content(name)) for name in MEMORIES},
        window=scene.window,
    )


@pytest.mark.parametrize("row", isa.TABLE.rows, ids=lambda row: row.mnemonic)
@settings(max_examples=15)
@given(data=st.data())
def test_integers_arrays_and_terms_agree(row, data):
    scene = data.draw(scenes(row))
    record, after = scene.run(EACH)
    assert (record, after) == scene.run(WHOLE)
    if row.mnemonic in LOOPS:
        return
    state = symbolic(scene)
    trap = z3.simplify(cause(state, row, scene.word)).as_long()
    assert trap == record.cause
    if trap != Trap.NONE:
        return
    execute(state, row, scene.word)
    assert tuple(map(value_of, state.gp)) == after["gp"]
    assert tuple(map(value_of, state.f)) == after["f"]
    assert tuple(map(value_of, state.a)) == after["a"]
    assert {name: value_of(value) for name, value in state.csrs.items()} == after["csrs"]
    for terms, numbers in zip(state.softmax, after["softmax"], strict=True):
        assert tuple(map(value_of, parts(terms))) == numbers
    for block in record.blocks:
        for place, value in block.written():
            assert value_of(state.memories[block.memory][place]) == value
    if record.store:
        memory, place, value = record.store
        assert value_of(state.memories[memory][place]) == value


def test_what_depends_on_data_is_refused():
    state = SymbolicState(CONFIG)
    state.gp[1] = const(32, 0).const(32, 4)
    state.gp[2] = type(state.gp[1])(Terms, 32, z3.BitVec("address", 32))
    row = isa.BY_MNEMONIC["V_EXP_V"]
    with pytest.raises(TypeError, match="depends on data: address"):
        execute(state, row, row.match | 1 << 6 | 2 << 10)
