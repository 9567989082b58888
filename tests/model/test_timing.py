"""Programs on a core and a memory: the specification's results, and who waits for whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from unmask.model.machine import Model, Timed, at_once
from unmask.model.memory import Memory, Piece
from unmask.model.outline import Outline
from unmask.model.run import Floor, prepared, run_timed
from unmask.model.settings import Core, Profile
from unmask.spec import isa
from unmask.spec.assembler import assemble
from unmask.spec.encoding import Trap
from unmask.spec.errors import UsageError
from unmask.spec.machine import Access, Block, Machine, Retired
from unmask.spec.softmax import MOST_ELEMENTS
from unmask.spec.vectors import EACH, WHOLE
from unmask.tests.model.drawn_programs import Drawn, drawn_programs
from unmask.tests.scenes import CONFIG, Scene, scenes

SLOW = Profile("", "", 1, 64, 0, 100)  # a beat of 8 bytes a cycle, after 100 cycles


def cycles(timed: list[Timed]) -> list[tuple[int, int, int]]:
    return [(x.issue, x.retire, x.complete) for x in timed]


def memory_of(case: Drawn, **changes) -> Memory:
    changed = replace(case.profile, **changes)
    return Memory(case.core.bus(changed), changed.stall)


def placed(scene: Scene) -> Model:
    """A model that is about to execute a scene's word."""
    model, source = Model(scene.program(), CONFIG), scene.machine().state
    state = model.state
    state.gp[:], state.f[:], state.a[:] = source.gp, source.f, source.a
    state.softmax[:], state.loops[:], state.window = source.softmax, source.loops, source.window
    state.csrs.update(source.csrs)
    for name, values in source.memories.items():
        state.memories[name][:] = values
    return model


@pytest.mark.parametrize("row", isa.TABLE.rows, ids=lambda row: row.mnemonic)
@settings(max_examples=10)
@given(data=st.data())
def test_every_instruction_does_what_the_specification_says(row, data):
    """From any state, traps too, and what follows."""
    scene = data.draw(scenes(row))
    spec, model = scene.machine(EACH), placed(scene)
    assert [timed.record for timed in model.trace()] == list(spec.run())
    assert model.state.snapshot() == spec.state.snapshot()


# A program that ends with it, on `CONFIG`'s core with the last beat of HBM refused.
CAUSES = {
    Trap.ILLEGAL: "S_ADDI_INT gp1, gp0, 1",  # past its end
    Trap.LOOP: "C_LOOP_START gp1, 2\nC_LOOP_END gp2",
    Trap.MISALIGNED: "S_ADDI_INT gp1, gp0, 1\nV_EXP_V gp0, gp1, 0",
    Trap.LENGTH: "S_LUI_INT gp1, 4000\nC_SET_CSR VL, gp1\nV_RED_SM gp0, gp0, gp0, 0",
    Trap.RANGE: "S_LUI_INT gp1, 4000\nS_LD_INT gp2, gp1, 0",
    Trap.OVERLAP: "C_SET_CSR VL, gp0, 20\nS_ADDI_INT gp1, gp0, 8\nV_EXP_V gp0, gp1, 0",
    Trap.WINDOW: "S_LUI_INT gp1, 4000\nS_ADDI_INT gp2, gp0, 1\nH_LD_INT gp0, gp1, a0, gp2",
    Trap.FATAL: "S_ADDI_INT gp2, gp0, 1\nH_LD_INT gp0, gp0, a0, gp2\nC_BREAK",
}


def test_every_cause_is_the_specification_s():
    assert set(CAUSES) == set(Trap) - {Trap.NONE}
    for cause, text in CAUSES.items():
        faulty = [(0, CONFIG.beat_bytes)]
        spec = Machine(assemble(text), CONFIG, EACH, faulty=faulty)
        model = Model(assemble(text), CONFIG, faulty=faulty)
        outline = Outline(assemble(text), CONFIG, Memory(at_once(CONFIG)), faulty)
        wanted = list(spec.run())
        assert wanted[-1].cause is cause
        for made in (model, outline):
            timed = list(made.trace())
            assert [x.record for x in timed] == wanted
            assert made.state.snapshot() == spec.state.snapshot()
            assert len(timed) < 2 or timed[-1].issue > timed[-2].complete


@settings(max_examples=60)
@given(case=drawn_programs())
def test_programs_do_what_the_specification_says_on_any_memory(case):
    spec = Machine(case.words, case.config, WHOLE)
    model = Model(case.words, case.config, memory=memory_of(case))
    case.fill(spec)
    case.fill(model)
    timed = list(model.trace())
    assert [x.record for x in timed] == list(spec.run())
    assert model.state.snapshot() == spec.state.snapshot()
    outline = Outline(case.words, case.config, memory_of(case))
    assert cycles(list(outline.trace())) == cycles(timed)


def written(record: Retired) -> list[Access]:
    """What a record says was written, enabled or not."""
    found = [Access(x.memory, place, place + 1) for x in record.blocks for place in places(x)]
    if record.store is not None:
        found.append(Access(record.store[0], record.store[1], record.store[1] + 1))
    if record.softmax is not None:
        found.append(Access("softmax", record.softmax[0], record.softmax[0] + 1))
    return found


def places(block: Block) -> range:
    return range(block.address, block.address + len(block.values) * block.step, block.step)


def cells(accesses: list[Access]) -> set[tuple[str, int]]:
    return {(x.memory, place) for x in accesses for place in range(x.first, x.end)}


def bytes_of(piece: Piece) -> list[int]:
    return [*range(piece.first, piece.end), *range(piece.scale, piece.scale_end)]


@settings(max_examples=100)
@given(case=drawn_programs())
def test_nobody_sees_anything_but_program_order(case):
    model = Model(case.words, case.config, memory=memory_of(case))
    case.fill(model)
    before: list[tuple[Timed, set, set]] = []
    last = 0
    for timed in model.trace():
        record, row = timed.record, isa.decode(timed.record.word)
        assert last < timed.issue <= timed.retire <= timed.complete
        last = timed.retire
        ends = record.stop or record.cause is not Trap.NONE
        if ends or row is None or row.transfers is None:
            assert timed.complete == timed.retire
        else:
            assert timed.retire == timed.issue
        reads = set() if record.cause is not Trap.NONE else cells(model._operands.reads)
        writes = cells(written(record))
        if model.touched is not None and model.touched.transfer is not None:
            moved = {("hbm", place) for x in model.touched.transfer.pieces for place in bytes_of(x)}
            assert moved == {cell for cell in reads | writes if cell[0] == "hbm"}
        for old, old_reads, old_writes in before:
            if ends or old_writes & (reads | writes) or old_reads & writes:
                assert timed.issue > old.complete
        before.append((timed, reads, writes))


@settings(max_examples=60)
@given(case=drawn_programs())
def test_a_slower_memory_makes_no_instruction_earlier(case):
    found = []
    for changes in ({}, {"latency_ns": case.profile.latency_ns + 7}, {"stall": 0.6}):
        outline = Outline(case.words, case.config, memory_of(case, **changes))
        found.append(np.array(cycles(list(outline.trace()))))
    assert (found[0] <= found[1]).all()
    assert (found[0] <= found[2]).all()


# -- cycles by hand --


def traced(text: str, core: Core | None = None) -> list[tuple[int, int, int]]:
    """Issue, retire and complete of a program's words, on a bus of 8 bytes, latency 100."""
    core = core or Core(vlen=8)
    run = run_timed(assemble(text), core, SLOW, hbm_bytes=4096)
    return cycles(list(run.timed))


# Issue 1; address 3; 16 bytes are two beats, there in 103 and 104, in the lanes in 104 and 105;
# codes in 108; then the state 7 + 2 * 3 later.
STREAM = "H_RED_SM gp0, gp0, a0, gp0, BF16, 1"


def test_a_stream_returns_at_once_and_its_state_waits():
    assert traced(f"{STREAM}\nC_BREAK") == [(1, 1, 121), (122, 122, 122)]
    text = f"{STREAM}\nS_ADDI_INT gp1, gp0, 1\nS_SM_IDX gp2, gp1\nS_SM_IDX gp2, gp0\nC_BREAK"
    assert traced(text) == [(1, 1, 121), (2, 2, 2), (3, 4, 4), (122, 123, 123), (124, 124, 124)]
    text = f"{STREAM}\nV_EXP_V gp1\nC_BREAK"
    with pytest.raises(UsageError):
        traced(text)
    # A second stream into the state waits for the first; with clear too.
    assert traced(f"{STREAM}\n{STREAM}\nC_BREAK")[1][0] == 122


def test_vector_work_goes_on_beside_a_stream_but_not_in_its_lanes():
    """Every other vector instruction; V_RED_SM's first chunk is at the lanes in 109,
    a cycle behind the last slice of the stream."""
    text = f"{STREAM}\nV_ADD_VV gp0, gp0, gp0\nS_ADDI_INT gp1, gp0, 1\nV_RED_SM gp1, gp0, gp0\n"
    found = traced(text + "C_BREAK")
    assert found[1] == (2, 6, 6)
    assert found[3][0] == 108


def test_a_fourth_stream_waits_for_the_first():
    text = "S_ADDI_INT gp1, gp0, 1\nS_ADDI_INT gp2, gp0, 2\nS_ADDI_INT gp3, gp0, 3\n"
    text += "\n".join(f"H_RED_SM gp{s}, gp0, a0, gp0, BF16, 1" for s in range(4))
    found = traced(text + "\nC_BREAK")[3:]
    assert [issue for issue, _, _ in found[:3]] == [4, 5, 6]
    assert found[3][0] == found[0][2] + 1


def test_loads_and_stores_keep_their_ranges():
    """A load of a word: address 3, data 103, slice 104, there in 109. A store: slice 7, address 8,
    data 9, answer 109, done 110."""
    text = "S_ADDI_INT gp1, gp0, 1\n{}\n{}\nC_BREAK"
    load, store = "H_LD_INT gp1, gp0, a0, gp1", "H_ST_INT gp1, gp0, a0, gp1"
    assert traced(text.format(load, "S_LD_INT gp2, gp0, 1"))[1:3] == [(2, 2, 110), (111, 112, 112)]
    assert traced(text.format(load, "S_LD_INT gp2, gp0, 2"))[2] == (3, 4, 4)
    assert traced(text.format(store, "S_LD_INT gp2, gp0, 1"))[1:3] == [(2, 2, 111), (3, 4, 4)]
    assert traced(text.format(store, "S_ST_INT gp2, gp0, 1"))[2] == (112, 112, 112)
    assert traced(text.format(store, STREAM))[2][0] == 112  # the same bytes
    other = "H_LD_INT gp0, gp1, a0, gp1"
    assert traced(text.format(store, other))[2][0] == 3
    again = "H_ST_INT gp0, gp1, a0, gp1"
    assert traced(text.format(store, again))[2][0] == 112  # one store at a time


@pytest.mark.parametrize(("place", "waits"), [(3, False), (4, True), (7, True), (8, False)])
def test_ranges_are_compared_to_their_ends(place, waits):
    """int[4 .. 7] is loaded; or stored, from there or to there."""
    setup = "S_ADDI_INT gp1, gp0, 4\n"
    text = setup + "H_LD_INT gp1, gp0, a0, gp1\n{}C_BREAK"
    for line in (f"S_LD_INT gp2, gp0, {place}\n", f"S_ST_INT gp2, gp0, {place}\n"):
        (_, _, complete), (issue, *_) = traced(text.format(line))[1:3]
        assert issue == (complete + 1 if waits else 3)
    setup += f"S_ADDI_INT gp2, gp0, {place}\nS_ADDI_INT gp3, gp0, 1\nS_ADDI_INT gp4, gp0, 20\n"
    stored = "H_ST_INT gp1, gp0, a0, gp1\nS_ST_INT gp2, gp2, 0\n"
    there = "H_ST_INT gp0, gp1, a0, gp1\nH_LD_INT gp4, gp2, a0, gp3\n"  # words 4 to 7 of HBM
    for lines in (stored, there):
        (_, _, complete), (issue, *_) = traced(f"{setup}{lines}C_BREAK")[4:6]
        assert issue == (complete + 1 if waits else 6)


def test_rows_are_one_range_from_the_first_to_the_last():
    """Two rows, 256 bytes apart; a word between them waits too, one behind them does not."""
    text = """
    C_SET_CSR ROWS, gp0, 2
    S_ADDI_INT gp1, gp0, 128
    C_SET_STRIDE_REG gp1
    S_ADDI_INT gp2, gp0, {word}
    S_ADDI_INT gp3, gp0, 1
    H_PREFETCH_V gp0, gp0, a0, 1, 0
    H_ST_INT gp0, gp2, a0, gp3
    C_BREAK"""
    for word, waits in ((40, True), (67, True), (68, False)):
        (issue, _, complete), (second, *_) = traced(text.format(word=word))[5:7]
        assert second == (complete + 1 if waits else issue + 1)


def test_a_transfer_of_nothing_is_over_at_once():
    text = f"C_SET_CSR VL, gp0, 0\n{STREAM}\nH_ST_INT gp0, gp0, a0, gp0\nC_BREAK"
    assert traced(text) == [(n, n, n) for n in (1, 2, 3, 4)]


def test_words_go_through_the_lanes_one_by_one():
    """Four of them: address 4, two beats of two in 104 and 105, slices 105 to 108, there in 113."""
    text = "S_ADDI_INT gp1, gp0, 4\nH_LD_INT gp0, gp0, a0, gp1\nC_BREAK"
    assert traced(text)[1] == (2, 2, 113)


@pytest.mark.parametrize(
    ("loaded", "stored", "memory", "lanes"), [(4, 20, 10, 4), (20, 4, 10, 20), (4, 4, 2, 4)]
)
def test_the_floor_is_the_greater_of_what_each_part_takes(loaded, stored, memory, lanes):
    """Bytes of words over 8 bytes a cycle, reads or writes; lanes take a word a cycle, in."""
    text = f"S_ADDI_INT gp1, gp0, {loaded}\nH_LD_INT gp0, gp0, a0, gp1\n"
    text += f"S_ADDI_INT gp1, gp0, {stored}\nH_ST_INT gp0, gp0, a0, gp1\nC_BREAK"
    run = run_timed(assemble(text), Core(vlen=8), SLOW, hbm_bytes=4096)
    assert run.floor == Floor(Fraction(memory), Fraction(lanes))
    assert run.floor.cycles == max(memory, lanes)
    assert run.ratio == run.cycles / max(memory, lanes)


def test_the_floor_counts_scales_and_the_rate():
    """64 elements in blocks of 32: 66 bytes each way, at 4 bytes a cycle, 8 lanes."""
    text = "C_SET_CSR VL, gp0, 64\nC_SET_CSR FMT0, gp0, 1\nS_ADDI_INT gp2, gp0, 256\n"
    text += "C_SET_SCALE_REG gp2\nH_PREFETCH_V gp0, gp0, a0, 0, 0\nC_BREAK"
    half = replace(SLOW, gigabytes_per_second=4)
    run = run_timed(assemble(text), Core(vlen=8), half, hbm_bytes=4096)
    assert run.floor == Floor(Fraction(66, 4), Fraction(8))
    text = text.replace("H_PREFETCH_V", "H_STORE_V")
    run = run_timed(assemble(text), Core(vlen=8), half, hbm_bytes=4096)
    assert run.floor == Floor(Fraction(66, 4), Fraction(0))


@pytest.mark.parametrize(("size", "behind"), [(100, 8192), (20_000, 32_768)])
def test_memory_holds_the_image_and_what_is_asked_for(size, behind):
    image = {"hbm": np.zeros(8192, np.uint8)}
    made = prepared(assemble("C_BREAK"), Core(vlen=8), SLOW, image, hbm_bytes=size)
    assert made.config.hbm_bytes == behind


# -- without data --


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("V_EXP_V gp1, gp0", "gp1"),
        ("S_LD_INT gp2, gp1, 0", "gp1"),
        ("C_SET_CSR VL, gp1", "gp1"),
        ("C_SET_SCALE_REG gp1", "gp1"),
        ("S_SM_MAX f1, gp1", "gp1"),
        ("S_ADD_INT gp2, gp1, gp1\nH_RED_SM gp2, gp0, a0, gp0, BF16, 1", "gp2"),
        ("C_SET_ADDR_REG a1, gp1, gp0\nH_RED_SM gp0, gp0, a1, gp0, BF16, 1", "a1"),
        ("C_SET_ADDR_REG a0, gp1, gp0\nH_RED_SM gp0, gp0, a0, gp0, BF16, 1", "a0"),
    ],
)
@pytest.mark.parametrize("source", ["S_LD_INT gp1, gp0, 3", "S_SM_KEY gp1, gp0"])
def test_cycles_that_depend_on_data_are_refused(source, line, named):
    words = assemble(f"{source}\n{line}\nC_BREAK")
    with pytest.raises(UsageError, match=rf"word {line.count(chr(10)) + 1}: {named} depends"):
        run_timed(words, Core(vlen=8), SLOW, data=False)


def test_values_may_depend_on_data():
    text = """
    S_LD_INT gp1, gp0, 3
    S_ADD_INT gp2, gp1, gp1
    V_CMP_MASK_IG gp0, gp0, gp2, EQ
    H_RED_SM gp0, gp0, a0, gp1, BF16, 1
    S_ADDI_INT gp1, gp0, 8
    V_EXP_V gp1, gp0
    C_BREAK"""
    run = run_timed(assemble(text), Core(vlen=8), SLOW, data=False)
    assert cycles(list(run.timed)) == traced(text)


def test_a_state_still_counts_its_elements():
    """LENGTH depends on it."""
    text = f"""
    S_ADDI_INT gp1, gp0, 256
    C_SET_CSR VL, gp1
    C_LOOP_START gp2, {MOST_ELEMENTS // 256 + 1}
    V_RED_SM gp0, gp0, gp0
    C_LOOP_END gp2
    C_BREAK"""
    run = run_timed(assemble(text), Core(vlen=8), SLOW, data=False)
    assert run.timed[-1].record.cause is Trap.LENGTH
    assert len(run.timed) == 3 + 2 * (MOST_ELEMENTS // 256) + 1


def slower(timed: Timed, channels: int) -> Timed:
    """A store that fails: its lowest refused address is looked for, a channel a cycle."""
    row = isa.decode(timed.record.word)
    stores = row is not None and row.mnemonic.startswith("H_ST")
    return replace(timed, complete=timed.complete + channels + 1) if stores else timed


def filled(case: Drawn, faulty: Sequence[tuple[int, int]] = ()) -> Model:
    model = Model(case.words, case.config, memory=memory_of(case), faulty=faulty)
    case.fill(model)
    return model


def beats_of(model: Model, size: int) -> set[int]:
    """The beats of HBM that the last instruction moved."""
    if model.touched is None or model.touched.transfer is None:
        return set()
    return {place // size for piece in model.touched.transfer.pieces for place in bytes_of(piece)}


@settings(max_examples=100)
@given(case=drawn_programs(), data=st.data())
def test_a_bus_error_stops_issue_when_the_transfer_would_have_completed(case, data):
    beat, model = case.config.beat_bytes, filled(case)
    whole = [(timed, beats_of(model, beat)) for timed in model.trace()]
    beats = sorted(set().union(*(moved for _, moved in whole)))
    assume(beats)
    bad = data.draw(st.sampled_from(beats))
    good = [timed for timed, _ in whole]
    known = min(timed.complete for timed, moved in whole if bad in moved)
    whole = [(slower(t, case.config.channels) if bad in moved else t, moved) for t, moved in whole]
    failed = [timed for timed, moved in whole if bad in moved]
    until = min(timed.complete for timed in failed)
    *before, last = filled(case, [(bad * beat, bad * beat + beat)]).trace()
    kept = [timed for timed, _ in whole[: len(before)]]
    assert [(t.record.order, t.issue, t.retire, t.complete) for t in before] == [
        (t.record.order, t.issue, t.retire, t.complete) for t in kept
    ]
    # The next one comes after, or waits for what failed.
    assert all(t.issue <= until for t in kept) and good[len(before)].issue > known
    assert last.record.cause is Trap.FATAL
    assert last.record.order == min(t.record.order for t in failed)
    assert last.issue == last.retire == max(max(t.retire, t.complete) for t in kept) + 1
