"""One text, several interpretations: integers, arrays and Z3 terms give the same for every row."""

from typing import Any

import numpy as np
import pytest
import z3
from hypothesis import given, settings
from hypothesis import strategies as st

from unmask.spec import isa
from unmask.spec.bits import BitsError
from unmask.spec.encoding import Trap
from unmask.spec.loops import Entry
from unmask.spec.machine import WIDTH
from unmask.spec.reductions import every, parts
from unmask.spec.state import MEMORIES, softmax_of
from unmask.spec.symbolic import Memory, SymbolicState, cause, execute, run, value_of
from unmask.spec.terms import Terms, const
from unmask.spec.vectors import EACH, WHOLE
from unmask.tests.scenes import CONFIG, Scene, scenes

LOOPS = ("C_LOOP_START", "C_LOOP_END")  # what they do is not the semantics' alone


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
        loops=[Entry(*loop) for loop in scene.loops],
        window=scene.window,
    )


def content_of(memory: Memory, pattern: tuple[int, ...], name: str) -> bytes:
    """All elements: the pattern, where no term was put in the place of one."""
    array = np.resize(np.array(pattern, MEMORIES[name]), memory.size)
    for place, term in memory.cells.items():
        array[place] = value_of(term)
    return array.tobytes()


def snapshot(state: SymbolicState, scene: Scene) -> dict[str, Any]:
    """As `State.snapshot` gives it, without what is the machine's own."""
    return {
        "gp": tuple(map(value_of, state.gp)),
        "f": tuple(map(value_of, state.f)),
        "a": tuple(map(value_of, state.a)),
        "csrs": {name: value_of(value) for name, value in state.csrs.items()},
        "softmax": tuple(tuple(map(value_of, parts(terms))) for terms in state.softmax),
        "memories": {
            name: content_of(memory, scene.memories[name], name)
            for name, memory in state.memories.items()
        },
    }


def differing(found: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    return [name for name in found if found[name] != wanted[name]]


@pytest.mark.parametrize("row", isa.TABLE.rows, ids=lambda row: row.mnemonic)
@settings(max_examples=15)
@given(data=st.data())
def test_integers_arrays_and_terms_agree(row, data):
    scene = data.draw(scenes(row))
    before = scene.machine().state.snapshot()
    record, after = scene.run(EACH)
    assert (record, after) == scene.run(WHOLE)
    if record.cause != Trap.NONE:
        assert after == before
    state = symbolic(scene)
    if row.mnemonic in LOOPS:
        check_to_the_end(scene, state)
        return
    assert z3.simplify(cause(state, row, scene.word)).as_long() == record.cause
    if record.cause == Trap.NONE:
        execute(state, row, scene.word)
    assert differing(snapshot(state, scene), after) == []


def check_to_the_end(scene: Scene, state: SymbolicState) -> None:
    """Loops: the rest of the program, which does nothing else."""
    machine = scene.machine()
    *_, last = machine.run()
    if last.cause != Trap.NONE:
        with pytest.raises(BitsError, match=f"traps: {last.cause.name}"):
            run(state, scene.program())
        return
    run(state, scene.program())
    after = machine.state.snapshot()
    loops = tuple((x.start, x.count, x.register) for x in state.loops)
    assert (state.pc, loops) == (after["pc"], after["loops"])
    assert differing(snapshot(state, scene), after) == []


def test_what_depends_on_data_is_refused():
    state = SymbolicState(CONFIG)
    state.gp[1] = const(32, 0).const(32, 4)
    state.gp[2] = type(state.gp[1])(Terms, 32, z3.BitVec("address", 32))
    row = isa.BY_MNEMONIC["V_EXP_V"]
    with pytest.raises(TypeError, match="depends on data: address"):
        execute(state, row, row.match | 1 << 6 | 2 << 10)
