"""Every instruction against the witness: cause, complete state after, record, on both ways.

`-k MNEMONIC` selects one row.
"""

import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from unmask.spec import (
    arith,
    bits,
    formats,
    isa,
    machine,
    mx,
    reductions,
    softmax,
    state,
    vectors,
)
from unmask.spec.machine import Machine
from unmask.spec.state import MEMORIES, plain
from unmask.tests.scenes import Scene, scenes
from unmask.tests.strategies import SMALL, load_case, programs
from unmask.tests.witness import dense, expected
from unmask.tests.witness.draw import situations
from unmask.tests.witness.masks import RELATION_NAMES
from unmask.tests.witness.memory import FORMAT_NAMES
from unmask.tests.witness.run import difference, execute
from unmask.tests.witness.scalar import CSR_NAMES
from unmask.tests.witness.words import LAYOUTS, decode, encode
from unmask.tests.witness.world import Situation, World

MODULES = {
    "arith": arith,
    "bits": bits,
    "formats": formats,
    "machine": machine,
    "mx": mx,
    "reductions": reductions,
    "softmax": softmax,
    "state": state,
    "vectors": vectors,
}
DRAWN = 80
rows = pytest.mark.parametrize("mnemonic", LAYOUTS)


def check(situation: Situation, whole: bool = False) -> None:
    outcome = expected(situation)
    record, after = execute(situation, whole)
    assert difference(record, after, outcome) is None, situation
    assert told(situation, record) == outcome.after, "the record does not tell what happened"


def told(situation, record):
    """The state after as the record tells it: its writes on the state before."""
    world = World.of(situation)
    world.loops = list(expected(situation).after["loops"])  # no record tells them
    if record.cause.name != "NONE":
        assert record.next_pc == situation.pc
        return world.snapshot()
    world.pc = record.next_pc
    for bank in ("gp", "f", "a"):
        if getattr(record, bank) is not None:
            number, value = getattr(record, bank)
            getattr(world, bank)[number] = value
    if record.csr is not None:
        world.csrs[record.csr[0]] = record.csr[1]
    if record.store is not None:
        memory, address, value = record.store
        world.memories[memory][address] = value
    if record.softmax is not None:
        world.softmax[record.softmax[0]] = record.softmax[1]
    for block in record.blocks:
        for address, value in block.written():
            world.memories[block.memory][address] = value
    return world.snapshot()


def test_the_witness_knows_every_row():
    assert set(LAYOUTS) == set(isa.BY_MNEMONIC)


def test_the_witness_names_values_alike():
    """What an operand's names stand for: by number, so that no two of them are swapped."""
    names = {"C_SET_CSR": CSR_NAMES, "H_RED_SM": FORMAT_NAMES}
    names |= dict.fromkeys((x for x in LAYOUTS if x.startswith("V_CMP")), RELATION_NAMES)
    for mnemonic, wanted in names.items():
        found = [x.choices for x in isa.BY_MNEMONIC[mnemonic].operands if x.choices]
        assert found[0] == {name: number for number, name in enumerate(wanted)}


@rows
def test_row_in_drawn_situations(mnemonic):
    for number, situation in enumerate(situations(mnemonic, DRAWN)):
        check(situation, whole=number % 3 == 0)


@rows
@settings(max_examples=12)
@given(data=st.data())
def test_row_in_any_scene(mnemonic, data):
    check(Situation(data.draw(scenes(isa.BY_MNEMONIC[mnemonic]))))


PLAIN = situations("S_ADD_INT", 1)[0].scene
HALF = encode("V_CMP_MASK_VF", relation=6)  # a relation that there is not


@settings(max_examples=300)
@given(word=st.integers(0, 0xFFFFFFFF))
@example(word=0)
@example(word=HALF)
@example(word=encode("V_ADD_VF", rs2=8))
@example(word=encode("C_SET_CSR", rd=14))
@example(word=encode("H_RED_SM", format=5))
@example(word=encode("H_LD_INT") | 4 << 26)
def test_any_word_is_decoded_alike(word):
    row = isa.decode(word)
    found = decode(word)
    assert (None if row is None else row.mnemonic) == (None if found is None else found[0])
    if row is None:
        check(Situation(replace(PLAIN, word=word)))


def test_words_one_bit_away_are_decoded_alike():
    rng = random.Random(1)
    for layout in LAYOUTS.values():
        fields = {x: rng.randrange(count) for x, count in layout.operands.items()}
        word = encode(layout.mnemonic, **fields)
        for other in (word, *(word ^ 1 << bit for bit in range(32))):
            row, found = isa.decode(other), decode(other)
            assert (row and row.mnemonic) == (found and found[0]), hex(other)


@settings(max_examples=40)
@given(case=programs())
def test_programs_step_by_step(case):
    """Whole programs: loops, traps, the end behind the last word."""
    machine = Machine(case.words, SMALL)
    load_case(machine, case)
    for _ in range(60):
        if machine.stopped:
            break
        now = machine.state
        scene = Scene(
            0,
            tuple(now.gp),
            tuple(now.f),
            tuple(now.a),
            dict(now.csrs),
            tuple(plain(x) for x in now.softmax),
            {x: tuple(now.memories[x].tolist()) for x in MEMORIES},
            now.window,
            tuple((x.start, x.count, x.register) for x in now.loops),
        )
        outcome = expected(Situation(scene, SMALL, case.words, now.pc))
        record = machine.step()
        assert difference(record, machine.state.snapshot(), outcome) is None


@pytest.mark.parametrize("group", dense.GROUPS)
def test_dense(group):
    """All codes, or many pairs, through each function."""
    checks = dense.GROUPS[group]()
    assert checks and [x.name for x in checks if not x.agrees(MODULES)] == []


def test_a_difference_is_told():
    """The comparison is not blind: each part of a state, changed, is reported."""
    situation = next(
        x for x in situations("V_ADD_VV", 20) if expected(x).cause == "NONE" and expected(x).length
    )
    outcome = expected(situation)
    record, after = execute(situation)
    for name in ("pc", "gp", "f", "a", "softmax", "csrs", "loops"):
        assert name in (difference(record, {**after, name: None}, outcome) or "")
    for memory in MEMORIES:
        array = np.frombuffer(after["memories"][memory], MEMORIES[memory]).copy()
        array[-1] ^= 1
        changed = {**after, "memories": {**after["memories"], memory: array.tobytes()}}
        assert memory in (difference(record, changed, outcome) or "")
    assert "trap" in (difference(record, after, outcome._replace(cause="RANGE")) or "")
    assert "length" in (difference(record, after, outcome._replace(length=99)) or "")
