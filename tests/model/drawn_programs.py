"""Programs that keep memory, SRAM and states busy at once, so that instructions must wait."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from unmask.model.settings import Core, Profile
from unmask.spec.assembler import assemble
from unmask.spec.encoding import FORMATS
from unmask.spec.machine import Machine
from unmask.spec.state import MEMORIES, Config

SMALL_CORE = Core(
    vlen=4,
    vector_rows=16,
    fp_words=16,
    key_words=32,
    int_words=64,
    program_words=64,
    burst=2,
    outstanding=2,
    fifo=2,
    ring_bytes=256,
)
HBM_BYTES = 4096

# Registers: gp1, gp2 vector addresses; gp3 an element offset; gp4 an address in key or int SRAM;
# gp5, gp6 states; gp7 a length; gp8 a number; gp9 to gp12 and f1 to f3 take results; gp13 counts.
SETUP = """
S_ADDI_INT gp1, gp0, {first}
S_ADDI_INT gp2, gp0, {second}
S_ADDI_INT gp3, gp0, {offset}
S_ADDI_INT gp4, gp0, {words}
S_ADDI_INT gp5, gp0, {state}
S_ADDI_INT gp6, gp0, 6
S_ADDI_INT gp7, gp0, {length}
S_ADDI_INT gp8, gp0, 1024
C_SET_ADDR_REG a1, gp0, gp8
C_SET_SCALE_REG gp8
C_SET_STRIDE_REG gp8
S_ADDI_INT gp8, gp0, 2
C_SET_CSR VL, gp0, {vl}
C_SET_CSR FMT0, gp0, {format}
"""
LINES = (
    "H_RED_SM gp{s}, gp3, a{a}, gp8, {form}, {bit}",
    "H_RED_SM gp{s}, gp3, a{a}, gp8, {form}, {bit}",
    "H_PREFETCH_V gp{v}, gp3, a{a}, {bit}, 0",
    "H_PREFETCH_V gp{v}, gp3, a{a}, {bit}, 0",
    "H_STORE_V gp{v}, gp3, a{a}, {bit}, 0",
    "H_LD_INT gp{n}, gp3, a{a}, gp7",
    "H_ST_INT gp{n}, gp3, a{a}, gp7",
    "H_LD_KEY gp{n}, gp3, a{a}, gp7",
    "H_ST_KEY gp{n}, gp3, a{a}, gp7",
    "S_SM_KEY gp9, gp{s}",
    "S_SM_CONF f1, gp{s}",
    "S_SM_IDX gp10, gp{s}",
    "S_SM_ST_KEY gp{n}, gp{s}",
    "S_SM_ST_IDX gp{n}, gp{s}",
    "S_SM_CLEAR gp{s}",
    "V_RED_SM gp{s}, gp{v}, gp8, {bit}",
    "V_ADD_VV gp{v}, gp{w}, gp{v}",
    "V_EXP_V gp{v}, gp{w}, {bit}",
    "V_RED_MAX_IDX gp11, gp{v}, gp8, f2",
    "V_RED_SUM f3, gp{v}",
    "V_CMP_MASK_IG gp{v}, gp{n}, gp10, LE, gp7",
    "V_KEY_MASK_QUOTA gp{v}, gp{n}, gp{v}, gp9, gp7",
    "V_TOPK_MASK gp{v}, gp{v}, gp{v}, gp8, gp7",
    "S_SELECT_INT gp{n}, gp0, gp{n}, gp{v}, gp7",
    "S_LD_INT gp12, gp{n}, 1",
    "S_ST_INT gp12, gp{n}, 2",
    "S_LD_KEY gp12, gp{n}",
    "S_ST_KEY gp9, gp{n}",
    "S_MAP_V_FP gp{v}, gp0, 0, gp7",
    "S_ADD_INT gp9, gp10, gp12",
    "S_ADDI_INT gp3, gp0, {offset}",
    "S_ADDI_INT gp4, gp0, {words}",
    "C_SET_CSR VL, gp0, {vl}",
    "C_SET_CSR ROWS, gp0, {rows}",
    "V_EXP_V gp8, gp1",  # MISALIGNED
)


@dataclass(frozen=True)
class Drawn:
    """A program, what fills its memories, and what it runs on."""

    text: str
    seed: int
    core: Core
    profile: Profile

    @property
    def words(self) -> list[int]:
        return assemble(self.text)

    @property
    def config(self) -> Config:
        return self.core.config(self.profile, HBM_BYTES)

    def fill(self, machine: Machine) -> None:
        rng = np.random.default_rng(self.seed)
        for name, dtype in MEMORIES.items():
            size = machine.config.elements(name)
            machine.state.load(name, rng.integers(0, 1 << 8 * np.dtype(dtype).itemsize, size))


@st.composite
def drawn_programs(draw: st.DrawFn) -> Drawn:
    """Most lines do something; addresses, states and lengths are few, so that they meet."""
    numbers = {
        "first": st.integers(0, 3).map(lambda row: 4 * row),
        "second": st.integers(0, 3).map(lambda row: 4 * row),
        "offset": st.sampled_from([0, 0, 32, 64]),
        "words": st.integers(0, 12),
        "state": st.integers(0, 3),
        "length": st.integers(0, 12),
        "vl": st.sampled_from([0, 3, 8, 32, 32, 8]),
        "format": st.sampled_from(list(FORMATS.values())),
        "form": st.sampled_from(list(FORMATS)),
        "rows": st.integers(0, 2),
        "s": st.sampled_from([5, 6]),
        "v": st.sampled_from([1, 2]),
        "w": st.sampled_from([1, 2]),
        "n": st.sampled_from([0, 4]),
        "a": st.integers(0, 1),
        "bit": st.integers(0, 1),
    }

    def line(text: str) -> str:
        return text.format(**{x: draw(numbers[x]) for x in numbers if f"{{{x}}}" in text})

    lines = [line(text) for text in SETUP.split("\n")]
    body = [line(text) for text in draw(st.lists(st.sampled_from(LINES), max_size=14))]
    if draw(st.booleans()):
        body = ["C_LOOP_START gp13, 2", *body, "C_LOOP_END gp13"]
    core = SMALL_CORE
    channels = draw(st.sampled_from([1, 2]))
    latency = draw(st.sampled_from([1, 20, 150]))
    profile = Profile("", "", channels, 64, 0, latency, stall=draw(st.sampled_from([0, 0.3])))
    return Drawn("\n".join([*lines, *body, "C_BREAK"]), draw(st.integers(0, 99)), core, profile)
