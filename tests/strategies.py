"""Hypothesis strategies, one set for every kind of check: logits, programs, memory images.

Generic random 16-bit patterns miss corners of 1/256, so floats are drawn by family with their
special values, and addresses near the borders of the memories.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from unmask.model.machine import CORE
from unmask.spec import isa
from unmask.spec.encoding import A_COUNT, F_COUNT, Instruction, Kind, Operand
from unmask.spec.formats import NEG_INF
from unmask.spec.machine import Machine
from unmask.spec.state import MEMORIES, Config

# zeros, smallest and greatest subnormals, normals, infinities, NaNs of both signs, ones
SPECIAL_CODES = (
    0x0000, 0x8000, 0x0001, 0x8001, 0x007F, 0x807F, 0x0080, 0x8080, 0x7F7F, 0xFF7F,
    0x7F80, 0xFF80, 0x7F81, 0xFF81, 0x7FC0, 0xFFC0, 0x7FFF, 0xFFFF, 0x3F80, 0xBF80,
)  # fmt: skip

specials = st.sampled_from(SPECIAL_CODES)
codes = specials | st.integers(0, 0xFFFF)
finite = st.integers(0, 0x7F7F) | st.integers(0x8000, 0xFF7F)


def logits(least: int, most: int) -> st.SearchStrategy[list[int]]:
    """A row of BF16 codes, one family a row: anything, tied, all negative, peaked, banned, NaN."""

    def row(element: st.SearchStrategy[int]) -> st.SearchStrategy[list[int]]:
        return st.lists(element, min_size=least, max_size=most)

    tied = st.lists(codes, min_size=1, max_size=3).flatmap(lambda few: row(st.sampled_from(few)))
    zeros = row(st.sampled_from([0x0000, 0x8000, 0x8001]))
    negative = row(st.integers(0x8001, 0xFF7F))
    banned = row(st.sampled_from([0xFF80, 0xFF80, 0xFF80, 0xC000]))
    with_nan = row(finite | st.sampled_from([0x7FC0, 0xFF81, 0x7F80]))
    return row(codes) | tied | zeros | negative | banned | with_nan


@dataclass(frozen=True)
class Case:
    """A program, the memories it starts with, and how a host treats the core that runs it.

    Attributes:
        words: the program.
        memories: name -> all elements.
        reset: whether the core is reset before; without, it comes from an earlier run.
        noise: whether the host disturbs the running core, which must not notice.
        excess: by how much the program length that is claimed exceeds the program; only where
            the program fills its memory, which the length is then limited to.
        abandoned: cycles of a first run that a reset ends, or None.
    """

    words: tuple[int, ...]
    memories: dict[str, tuple[int, ...]]
    reset: bool = True
    noise: bool = False
    excess: int = 0
    abandoned: int | None = None


def images(
    size: int, element: st.SearchStrategy[int], most: int
) -> st.SearchStrategy[tuple[int, ...]]:
    """A memory: one value everywhere (so, ties) but at up to `most` places; shrinks to few."""

    def image(fill: int, places: dict[int, int]) -> tuple[int, ...]:
        return tuple(places.get(place, fill) for place in range(size))

    places = st.dictionaries(st.integers(0, size - 1), element, max_size=most)
    return st.builds(image, st.sampled_from([0, 0x3F80, NEG_INF, 0xC000]), places)


# What the core in `rtl/` has of the memories.
CORE_MEMORIES = ("vector", "fp", "int")

# The core that programs are drawn for: small, so that borders are near.
SMALL = Config(vlen=8, vector_rows=8, fp_words=16, int_words=16, program_words=64, loop_depth=2)


def operand_values(operand: Operand, config: Config) -> st.SearchStrategy[int]:
    """Legal field values, near what matters: few registers, small and border immediates."""
    most = (1 << operand.field.width) - 1
    if operand.kind is Kind.GP:
        return st.sampled_from([1, 2, 3, 4]) | st.integers(0, most)
    if operand.kind is Kind.F:
        return st.sampled_from([1, 2]) | st.integers(0, F_COUNT - 1)
    if operand.kind is Kind.A:
        return st.integers(0, A_COUNT - 1)
    if operand.choices is not None:
        return st.sampled_from(sorted(operand.choices.values()))
    borders = [config.elements(name) + step for name in CORE_MEMORIES for step in (-1, 0)]
    chunks = st.integers(0, config.vector_rows).map(lambda row: row * config.vlen)
    return st.integers(0, 20) | chunks | st.sampled_from(borders) | st.integers(0, most)


@st.composite
def instruction_words(draw: st.DrawFn, row: Instruction, config: Config) -> int:
    """A legal word of one row of the table; most vector addresses are multiples of VLEN."""
    word = row.match
    for operand in row.operands:
        values = operand_values(operand, config)
        if row.mnemonic.startswith("V_") and operand.name == "rs1":
            values = st.sampled_from([0, 1, 2]) | values  # which `programs` sets to such
        word |= draw(values) << operand.field.low
    return word


@st.composite
def bodies(draw: st.DrawFn, config: Config, depth: int) -> list[int]:
    """Straight-line words and loops, nested up to `depth`."""
    words: list[int] = []
    rows = [row for row in CORE if not row.mnemonic.startswith(("C_LOOP", "C_BREAK"))]
    vector = [row for row in rows if row.mnemonic.startswith("V_")]
    for _ in range(draw(st.integers(0, 5))):
        if depth and draw(st.integers(0, 3)) == 0:
            register = draw(st.integers(0, 15))
            count = draw(st.integers(0, 3))
            start, end = (isa.BY_MNEMONIC[f"C_LOOP_{x}"].opcode for x in ("START", "END"))
            body = draw(bodies(config, depth - 1))
            words += [start | register << 6 | count << 10, *body, end | register << 6]
        else:
            row = draw(st.sampled_from(vector) | st.sampled_from(rows))
            words.append(draw(instruction_words(row, config)))
    return words


def faults(config: Config) -> st.SearchStrategy[int]:
    """Words that may trap: any word, lone loop words, accesses at the border of a memory."""
    sizes = {"FP": config.fp_words, "INT": config.int_words}
    borders = [
        isa.BY_MNEMONIC[f"S_{way}_{memory}"].opcode | (size + step) << 14
        for memory, size in sizes.items()
        for way in ("LD", "ST")
        for step in (-1, 0, 1)
    ]
    loops = [isa.BY_MNEMONIC[f"C_LOOP_{end}"].opcode for end in ("START", "END")]
    return st.sampled_from([*borders, *loops, 0]) | st.integers(0, 0xFFFFFFFF)


@st.composite
def programs(draw: st.DrawFn, config: Config = SMALL) -> Case:
    """A program for the core that mostly does something: registers set up, loops, often a fault.

    A fault is one of `faults`, or a loop end that does not match its start.
    """
    names = ("S_ADDI_INT", "S_LD_FP", "C_SET_CSR", "C_BREAK", "C_LOOP_START", "C_LOOP_END")
    addi, load, csr, stop, start, end = (isa.BY_MNEMONIC[name].opcode for name in names)
    rows = st.integers(0, 2) | st.integers(0, config.vector_rows)
    values = [rows.map(lambda row: row * config.vlen)] * 2 + [st.integers(0, 20)] * 2
    drawn = [draw(value) for value in values]
    setup = [addi | place << 6 | value << 14 for place, value in enumerate(drawn, start=1)]
    for register in (1, 2):  # running maxima that do not start from zero
        setup.append(load | register << 6 | draw(st.integers(0, config.fp_words - 1)) << 14)
    # Most programs begin with a reduction that fits; the others find the border by chance.
    fitting = config.elements("vector") - drawn[0]
    length = draw(st.integers(0, fitting) | st.integers(fitting - 1, fitting + 1))
    setup.append(csr | max(length, 0) << 14)
    if draw(st.integers(0, 3)):
        max_idx = isa.BY_MNEMONIC["V_RED_MAX_IDX"].opcode
        setup.append(max_idx | 3 << 6 | 1 << 10 | 4 << 14 | 1 << 18)
    body = draw(bodies(config, config.loop_depth + 1))
    kind = draw(st.sampled_from(["none", "none", "word", "loop"]))
    if kind == "loop":  # a loop end that counts in another register than its start
        register, count = draw(st.integers(0, 15)), draw(st.integers(1, 2))
        body[:0] = [start | register << 6 | count << 10, end | (register ^ 1) << 6]
    words = [*setup, *body, stop]
    if kind == "word":
        words[draw(st.integers(len(setup), len(words) - 1))] = draw(faults(config))
    memories = {
        "vector": draw(images(config.elements("vector"), codes, 24)),
        "fp": draw(images(config.fp_words, codes, 4)),
        "int": draw(images(config.int_words, st.integers(0, 0xFFFFFFFF), 4)),
    }
    return Case(
        tuple(words[: config.program_words]),
        memories,
        reset=draw(st.booleans()),
        noise=draw(st.booleans()),
        abandoned=draw(st.none() | st.none() | st.integers(0, 20)),
    )


def load_case(machine: Machine, case: Case) -> None:
    """Place a case's memories in a machine."""
    for name, values in case.memories.items():
        machine.state.load(name, np.array(values, MEMORIES[name]))
