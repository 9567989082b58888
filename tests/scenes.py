"""One instruction in the middle of a run: a word, and a whole state for it to act on.

Most scenes are tame: addresses are multiples of VLEN, lengths small, bases lie in HBM, so that the
word does something. The others are wild: registers at the ends of memories, or anything at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

from unmask.spec.bits import ints
from unmask.spec.encoding import (
    A_COUNT,
    CSRS,
    F_COUNT,
    FORMATS,
    GP_COUNT,
    NO_TOKEN,
    STATE_COUNT,
    Instruction,
    Kind,
)
from unmask.spec.machine import Machine, Retired
from unmask.spec.softmax import SoftmaxState
from unmask.spec.state import MEMORIES, Config, plain, softmax_of
from unmask.spec.vectors import EACH, Each, Whole
from unmask.tests.strategies import codes

CONFIG = Config(
    vlen=4,
    vector_rows=16,
    fp_words=16,
    key_words=16,
    int_words=32,
    program_words=4,
    loop_depth=2,
    hbm_bytes=1024,
)


@dataclass(frozen=True)
class Scene:
    """A word and everything around it.

    Attributes:
        word: the instruction.
        gp, f, a, csrs: registers; softmax: `state.plain` of each state.
        memories: name -> the pattern that fills it, over and over.
        window: of HBM, for transfers.
    """

    word: int
    gp: tuple[int, ...]
    f: tuple[int, ...]
    a: tuple[int, ...]
    csrs: dict[str, int]
    softmax: tuple[tuple[int, ...], ...]
    memories: dict[str, tuple[int, ...]]
    window: tuple[int, int]

    def machine(
        self, vectors: Each | Whole = EACH, faulty: Sequence[tuple[int, int]] = (), late: int = 0
    ) -> Machine:
        """A machine that is about to execute the word, and after it C_BREAK words."""
        words = [self.word, *[0x38] * (CONFIG.program_words - 1)]
        machine = Machine(words, CONFIG, vectors, faulty=faulty, late=late)
        state = machine.state
        state.gp[:], state.f[:], state.a[:] = self.gp, self.f, self.a
        state.csrs.update(self.csrs)
        state.softmax[:] = [softmax_of(values) for values in self.softmax]
        state.window = self.window
        for name, pattern in self.memories.items():
            state.memories[name][:] = np.resize(
                np.array(pattern, MEMORIES[name]), CONFIG.elements(name)
            )
        return machine

    def run(self, vectors: Each | Whole = EACH) -> tuple[Retired, dict[str, Any]]:
        """Execute the word: its record, and everything as it is after."""
        machine = self.machine(vectors)
        return machine.step(), machine.state.snapshot()


addresses = st.integers(0, CONFIG.vector_rows - 1).map(lambda row: row * CONFIG.vlen)
small = st.integers(0, 20)
borders = st.sampled_from(
    [
        *(CONFIG.elements(name) + step for name in MEMORIES for step in (-4, -1, 0)),
        0x7FFFFFFF,
        0xFFFFFFFF,
        0xFFFFFFFC,
        0x80000000,
    ]
)
tame_registers = st.sampled_from([0, 0, 1, 2, 4, 4, 8, 8, 12, 16, 32])
wild_registers = tame_registers | addresses | small | borders | st.integers(0, 0xFFFFFFFF)
keys = (
    st.sampled_from([0, 1, 2, 0xFFFFFFFE, 0xFFFFFFFF])
    | st.integers(0, 40)
    | st.integers(0, 0xFFFFFFFF)
)


@st.composite
def softmax_states(draw: st.DrawFn) -> tuple[int, ...]:
    """A state that a few elements gave."""
    state = SoftmaxState.empty(ints(1, 0))
    for code in draw(st.lists(codes, max_size=3)):
        lane = SoftmaxState.lane(ints(16, code), ints(32, draw(small)))
        state = SoftmaxState.combine(state, lane)
    return plain(state)


@st.composite
def csr_values(draw: st.DrawFn, tame: bool) -> dict[str, int]:
    """What makes a difference; wild: VL and ROWS of any size."""
    lengths = st.sampled_from([8, 0, 1, 2, 3, 4, 5, 9, 12])
    values = {
        "VL": draw(lengths if tame else lengths | borders),
        "STRIDE": draw(st.sampled_from([32, 0, 8, 64]) if tame else small),
        "SCALE": draw(st.sampled_from([256, 0, 512]) | small),
        "MASK": draw(st.integers(0, 15)),
        "ROWS": draw(st.sampled_from([1, 0, 2, 3]) if tame else small | borders),
        "NAN": draw(st.integers(0, 1)),
        "LIMIT": draw(keys),
        "KMAX": draw(small),
        "FMT0": draw(st.sampled_from(sorted(FORMATS.values()))),
        "FMT1": draw(st.sampled_from(sorted(FORMATS.values()))),
        **{f"BAN{i}": draw(small | st.just(NO_TOKEN)) for i in range(4)},
    }
    assert set(values) == set(CSRS)
    return values


@st.composite
def patterns(draw: st.DrawFn, memory: str) -> tuple[int, ...]:
    """A short pattern of interesting values."""
    element: st.SearchStrategy[int] = {
        "vector": codes | st.sampled_from([0, 0x3F80, 0x8000]),
        "fp": codes,
        "key": keys,
        "int": st.integers(0, 5) | st.integers(0, 0xFFFFFFFF),
        "hbm": st.integers(0, 255) | st.sampled_from([0x7F, 0x7E, 0xFF, 0x80, 0x38]),
    }[memory]
    return tuple(draw(st.lists(element, min_size=1, max_size=24)))


@st.composite
def words(draw: st.DrawFn, row: Instruction, tame: bool) -> int:
    """A legal word of the row: any registers, immediates small or any."""
    word = row.match
    for operand in row.operands:
        most = (1 << operand.field.width) - 1
        if operand.choices is not None:
            values = st.sampled_from(sorted(operand.choices.values()))
        elif operand.kind is Kind.IMM:
            values = st.integers(0, 8) if tame else small | st.integers(0, most)
        else:
            values = st.integers(0, 7 if operand.kind is not Kind.GP else 15)
        word |= draw(values) << operand.field.low
    return word


@st.composite
def scenes(draw: st.DrawFn, row: Instruction) -> Scene:
    """A word of the row in any state."""
    tame = draw(st.sampled_from([True, True, True, False]))
    registers = tame_registers if tame else wild_registers
    bases = st.sampled_from([0, 128, 512])
    first, end = 0, CONFIG.hbm_bytes
    if not tame:
        bases = bases | st.integers(0, 1023) | st.integers(0, 2**64 - 1)
        first = draw(st.sampled_from([0, 64]))
        end = draw(st.sampled_from([512, 1024, first]))
    return Scene(
        draw(words(row, tame)),
        (0, *(draw(registers) for _ in range(GP_COUNT - 1))),
        (0, *(draw(codes) for _ in range(F_COUNT - 1))),
        tuple(draw(bases) for _ in range(A_COUNT)),
        draw(csr_values(tame)),
        tuple(draw(softmax_states()) for _ in range(STATE_COUNT)),
        {name: draw(patterns(name)) for name in MEMORIES},
        (first, end),
    )
