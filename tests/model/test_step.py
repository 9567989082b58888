"""The streaming step at full size: how near it comes to the floor, and what it moves."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from unmask.model.run import Run, run_timed
from unmask.model.settings import Core, Profile, core, profile
from unmask.spec.assembler import assemble
from unmask.spec.formats import from_float
from unmask.spec.machine import Machine
from unmask.spec.pack import Shape, pack
from unmask.spec.programs import stream
from unmask.spec.programs.step import Step
from unmask.spec.vectors import WHOLE

ROWS, VOCABULARY, MASK_ID = 32, 126_464, 126_336  # LLaDA


def step_of(batch: int, machine: Core, memory: Profile, form: str) -> tuple[Step, Shape]:
    shape = Shape(form, batch * ROWS, VOCABULARY, memory.beat_bits // 8)
    step = Step(
        batch, ROWS, VOCABULARY, MASK_ID,
        pitch=shape.pitch, format=form, scale=shape.scale, vlen=machine.vlen,
    )  # fmt: skip
    return step, shape


@cache
def outlined(name: str, vlen: int, batch: int, form: str = "E4M3_B32") -> Run:
    """The cycles of a step, without data."""
    machine, memory = core(vlen=vlen), profile(name)
    step, shape = step_of(batch, machine, memory, form)
    words = assemble(stream.program(step))
    return run_timed(words, machine, memory, hbm_bytes=shape.size, data=False)


@pytest.mark.parametrize("vlen", [512, 1024, 2048])
@pytest.mark.parametrize(("batch", "most"), [(16, 1.01), (1, 1.1)])
def test_a_step_takes_what_its_memory_or_its_lanes_take(batch, most, vlen):
    run = outlined("hbm2e-819", vlen, batch)
    rows = batch * ROWS
    stream_bytes = VOCABULARY + VOCABULARY // 32
    assert run.floor.memory * 8192 == rows * stream_bytes * 10  # 819.2 bytes a cycle
    assert run.floor.lanes == rows * -(-VOCABULARY // vlen)
    assert 1 <= run.ratio <= most


def test_so_it_does_on_one_port():
    run = outlined("narrow-1x512", 64, 16)
    assert run.floor.memory == 16 * ROWS * (VOCABULARY + VOCABULARY // 32) / 64
    assert 1 <= run.ratio <= 1.01


@pytest.mark.parametrize("form", ["E4M3_B32", "BF16"])
def test_each_logit_is_read_once_and_none_is_kept(form):
    run = outlined("hbm2e-819", 1024, 1, form)
    assert all(len(x.pieces) == 1 for x in run.transfers)
    pieces = sorted((p.first, p.end) for x in run.transfers for p in x.pieces)
    size = run.transfers[0].layout.size
    assert [(b - a) for a, b in pieces] == [VOCABULARY * size] * ROWS
    assert all(b <= a for (_, b), (a, _) in pairwise(pieces))
    names = {x.record.word & 63 for x in run.timed}
    assert 0x3B in names and 0x29 not in names  # streamed; nothing is fetched into SRAM


def test_what_the_stream_path_holds():
    """16 KiB of element FIFOs, 16 KiB of scales; 128 KiB and more may be in flight."""
    machine, memory = core(), profile("hbm2e-819")
    assert machine.fifo_bytes(memory) == 32 * 1024
    assert machine.bus(memory).outstanding * machine.burst * memory.channels * 32 >= 128 * 1024


@pytest.mark.parametrize("form", ["E4M3_B32", "BF16"])
def test_with_data_it_takes_the_same_cycles_and_finds_the_tokens(form):
    machine, memory = core(vlen=64), profile("hbm2e-819")
    rng = np.random.default_rng(3)
    logits = (rng.normal(size=(ROWS, VOCABULARY)) * 3).astype(np.float32)
    codes = from_float(logits).astype(np.uint16)
    packed = pack(codes, form, 32)
    step, shape = step_of(1, machine, memory, form)
    assert shape == packed.shape
    ids = np.where(np.arange(ROWS) % 3, MASK_ID, 7)[None]
    memories: dict[str, NDArray[Any]] = {
        "hbm": packed.image,
        "int": step.memory(ids, np.array([9])),
    }
    words = assemble(stream.program(step))
    run = run_timed(words, machine, memory, memories)
    without = outlined("hbm2e-819", 64, 1, form)
    assert [(x.issue, x.retire, x.complete) for x in run.timed] == [
        (x.issue, x.retire, x.complete) for x in without.timed
    ]
    spec = Machine(words, machine.config(memory, shape.size), WHOLE)
    for name, values in memories.items():
        spec.state.load(name, values)
    wanted = list(spec.run())
    assert [x.record for x in run.timed] == wanted
    assert run.state.snapshot() == spec.state.snapshot()
    found = run.state.memories["int"][step.tokens : step.tokens + ROWS]
    assert (found != ids[0]).sum() == 9
