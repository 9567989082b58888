"""Hypothesis strategies, one set for every kind of check: logits, programs, memory images.

Generic random 16-bit patterns miss corners of 1/256, so floats are drawn by family with their
special values, and addresses near the borders of the memories.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from unmask.model.machine import FAST
from unmask.model.settings import Bus
from unmask.spec import isa
from unmask.spec.encoding import (
    A_COUNT,
    CSRS,
    F_COUNT,
    GP_COUNT,
    IMM18,
    IMM22,
    OPCODE,
    RD,
    RS1,
    RS2,
    Instruction,
    Kind,
    Operand,
    Trap,
)
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


# (latency, jitter, cycles, beats, period, length, shift, seed, outstanding) of the memory.
QUICK = (1, 0, 1, 1, 1, 0, 0, 0, 64)


@dataclass(frozen=True)
class Case:
    """A program, the memories it starts with, and how a host treats the core that runs it.

    Attributes:
        words: the program.
        memories: name -> its elements from 0 on; a large one as an array, which is smaller.
        reset: whether the core is reset before; without, it comes from an earlier run.
        noise: whether the host disturbs the running core, which must not notice.
        excess: by how much the program length that is claimed exceeds the program; only where
            the program fills its memory, which the length is then limited to.
        abandoned: cycles of a first run that a reset ends, or None.
        window: bytes of HBM that transfers may touch; None: all.
        memory: the memory's numbers, as `QUICK`.
        stall: share of cycles in which it holds a beat back.
        faulty: ranges of HBM that answer with an error.
        halt: cycle from which on the host asks for a halt, or None.
    """

    words: tuple[int, ...]
    memories: Mapping[str, tuple[int, ...] | NDArray[Any]]
    reset: bool = True
    noise: bool = False
    excess: int = 0
    abandoned: int | None = None
    window: tuple[int, int] | None = None
    memory: tuple[int, ...] = QUICK
    stall: float = 0.0
    faulty: tuple[tuple[int, int], ...] = ()
    halt: int | None = None


def bus_of(config: Config, core: Mapping[str, int], case: Case) -> Bus:
    """The numbers of a case's bus: the core's side and the memory's."""
    latency, jitter, cycles, beats, period, length, shift, seed, outstanding = case.memory
    return Bus(
        channels=config.channels,
        beat=config.beat_bytes,
        burst=core["burst"],
        outstanding=min(core["outstanding"], outstanding),
        fifo=core["fifo"],
        ring=core["ring"],
        latency=latency,
        jitter=jitter,
        cycles=cycles,
        beats=beats,
        refresh_period=period,
        refresh_cycles=length,
        refresh_shift=shift,
        seed=seed,
    )


# The core that programs are drawn for: small, so that borders are near.
SMALL = Config(
    vlen=8,
    vector_rows=8,
    fp_words=16,
    key_words=16,
    int_words=16,
    program_words=64,
    loop_depth=2,
    hbm_bytes=2048,
)


class Bits:
    """A number as a source of small choices: 0 makes the first choice everywhere."""

    def __init__(self, number: int) -> None:
        self.number = number

    def below(self, count: int) -> int:
        self.number, found = divmod(self.number, count)
        return found

    def of(self, choices: Sequence[int]) -> int:
        return choices[self.below(len(choices))]


# Registers of drawn programs: gp1, gp2 vector addresses; gp3 an element offset; gp4 an address in
# FP, key or int SRAM; gp5, gp6 states; gp7 a length; gp8 a number; gp9 to gp12 and f1 to f3 take
# results; a1 a base. In one of eight places stands any register.
RESULTS = (9, 10, 11, 12)
SCALAR_MOVES = ("S_LD_FP", "S_ST_FP", "S_LD_INT", "S_ST_INT")
MARKS = {
    "state": (5, 6),
    "vector": (1, 2, 1, 2, 0),
    "length": (0, 7),
    "offset": (3, 0),
    "key": (4, 0),
    "int address": (4, 0),
    "fp address": (4, 0),
    "in words": (3, 0),
}


def choices_of(operand: Operand) -> tuple[int, ...]:
    """Field values that mostly mean something: few registers, by what the operand is for."""
    if operand.choices is not None:
        return tuple(sorted(operand.choices.values()))
    if operand.kind is Kind.F:
        return (1, 2, 3, 0)
    if operand.kind is Kind.A:
        return (1, 0)
    if operand.written:
        return RESULTS
    for mark, registers in MARKS.items():
        if mark in operand.doc:
            return registers
    return (*RESULTS, 8, 0, 3)


def word_of(row: Instruction, bits: Bits, config: Config) -> int:
    """A legal word of one row of the table, as the bits choose."""
    word = row.match
    for operand in row.operands:
        width = operand.field.width
        if operand.kind is Kind.IMM:
            borders = [config.elements(x) + step for x in ("fp", "int") for step in (-1, 0)]
            small, odd = bits.below(8), bits.of([*borders, bits.below(1 << 22)])
            value = odd if bits.below(12) == 11 else small
            value &= (1 << width) - 1
        elif operand.kind is Kind.GP and operand.name == "rs1" and row.mnemonic in SCALAR_MOVES:
            value = bits.of((0, 4))
        elif operand.choices is None and bits.below(24) == 23:
            most = {Kind.GP: GP_COUNT, Kind.F: F_COUNT, Kind.A: A_COUNT}[operand.kind]
            value = bits.below(most)
        else:
            value = bits.of(choices_of(operand))
        word |= value << operand.field.low
    if row.mnemonic == "C_SET_CSR":
        word = _csr(bits, config)
    return word


def _csr(bits: Bits, config: Config) -> int:
    """C_SET_CSR with a value that the register can mostly take, and that leads to something."""
    name = list(CSRS)[bits.below(len(CSRS))]
    elements = config.elements("vector")
    values = {
        "VL": (bits.below(elements // 2 + 1), 8, config.vlen + 3, 0, 32, bits.below(elements + 1)),
        "STRIDE": (8, 32, 40, 0, 3, 16, 48),
        "SCALE": (64, 1024, 5, 0),
        "MASK": (bits.below(1 << 18), 0, 1),
        "ROWS": (1, 1, 2, 0, 1, 3),
        "FMT0": (0, 1, 2, 3, 4, 5),
        "FMT1": (0, 1, 2, 3, 4),
        "NAN": (0, 1, 2),
    }.get(name, (bits.below(16), 0x3FFFF, 3))
    opcode = isa.BY_MNEMONIC["C_SET_CSR"].opcode
    register = bits.of((0, 0, 0, 0, 9))
    return opcode | CSRS[name].number << RD.low | register << RS1.low | bits.of(values) << IMM18.low


def faults(config: Config, bits: Bits) -> int:
    """A word that may trap: any word, lone loop words, accesses at the border of a memory."""
    sizes = {"FP": config.fp_words, "INT": config.int_words}
    borders = [
        isa.BY_MNEMONIC[f"S_{way}_{memory}"].opcode | (size + step) << IMM18.low
        for memory, size in sizes.items()
        for way in ("LD", "ST")
        for step in (-1, 0, 1)
    ]
    loops = [isa.BY_MNEMONIC[f"C_LOOP_{end}"].opcode for end in ("START", "END")]
    return bits.of([*borders, *loops, 0, bits.below(1 << 32)])


MOST_LINES = 9
# Rows by how often they are drawn.
ROWS = tuple(row for row in isa.TABLE if not row.mnemonic.startswith(("C_LOOP", "C_BREAK")))
VECTOR_ROWS = tuple(row for row in ROWS if row.mnemonic.startswith(("V_", "S_SELECT", "S_MAP")))
MEMORY_ROWS = tuple(row for row in ROWS if row.mnemonic.startswith("H_"))
STATE_ROWS = tuple(row for row in ROWS if row.mnemonic.startswith(("S_SM", "V_RED_SM")))
GROUPS = tuple(group for group in (VECTOR_ROWS, MEMORY_ROWS, STATE_ROWS, ROWS) if group)


def setup_words(config: Config, bits: Bits) -> list[int]:
    """Registers get values near what matters."""
    names = ("S_ADDI_INT", "S_LD_FP", "C_SET_ADDR_REG")
    addi, load, base = (isa.BY_MNEMONIC[name].opcode for name in names)
    rows, vlen = config.vector_rows, config.vlen
    half, words = rows // 2, min(config.key_words, config.int_words, config.fp_words) // 2
    values = [
        vlen * bits.of((0, 0, 1, 0, bits.below(rows + 1))),
        vlen * bits.of((half, half, half, half + 1, bits.below(rows + 1))),
        bits.of((0, 32, 64, 0, 32, bits.below(80))),
        bits.of((0, bits.below(words), words, config.int_words - 4)),
        bits.below(4),
        bits.below(4),
        bits.of((bits.below(words + 1), words, bits.below(words), 2 * words)),
        bits.of((512, 1024, 64, 4 * bits.below(256), 768, bits.below(2048))),
    ]
    found = [addi | place << RD.low | x << IMM18.low for place, x in enumerate(values, start=1)]
    found += [load | f << RD.low | bits.below(config.fp_words) << IMM18.low for f in (1, 2)]
    found.append(base | 1 << RD.low | 8 << RS2.low)
    whole = half * vlen
    lengths = (whole, bits.below(whole + 1), 8, 8 * bits.below(half + 1), 32, 2 * whole, whole + 1)
    csr = isa.BY_MNEMONIC["C_SET_CSR"].opcode
    found.append(csr | bits.of(lengths) << IMM18.low)
    scale = CSRS["SCALE"].number << RD.low
    found.append(csr | scale | bits.of((1024, 64, 0, bits.below(512))) << IMM18.low)
    found.append(csr | CSRS["FMT0"].number << RD.low | bits.below(5) << IMM18.low)
    found.append(csr | CSRS["ROWS"].number << RD.low | bits.of((1, 1, 2, 0, 3)) << IMM18.low)
    # A number whose low half is small: a k, say, that is more than any length.
    found.append(addi | 9 << RD.low | bits.of((0, 1, 2, 1 << 16, 1 << 16 | 1)) << IMM18.low)
    return found


def body_words(lines: Sequence[int], config: Config) -> list[int]:
    """A few words a line, some of them a loop's start or end; open loops end at the end."""
    start, end = (isa.BY_MNEMONIC[f"C_LOOP_{x}"].opcode << OPCODE.low for x in ("START", "END"))
    words: list[int] = []
    open_loops: list[int] = []
    for bits in map(Bits, lines):
        while bits.number:
            kind = bits.below(12)
            if kind == 10 and len(open_loops) < config.loop_depth + bits.of((0, 0, 0, 1)):
                open_loops.append(bits.below(GP_COUNT))
                count = bits.of((2, 1, 3, 0))
                words.append(start | open_loops[-1] << RD.low | count << IMM22.low)
            elif kind == 11 and open_loops:
                words.append(end | open_loops.pop() << RD.low)
            else:
                group = GROUPS[kind % len(GROUPS)]
                words.append(word_of(group[bits.below(len(group))], bits, config))
    return words + [end | register << RD.low for register in reversed(open_loops)]


def image(bits: Bits, name: str, size: int) -> tuple[int, ...]:
    """A memory: one value everywhere (so, ties) but at some places, few of which differ."""
    rng = np.random.default_rng(bits.below(1 << 16))
    top = (1 << 8 * np.dtype(MEMORIES[name]).itemsize) - 1
    few = SPECIAL_CODES if top == 0xFFFF else (0, 1, 2, 3, top, top - 1)
    values = rng.choice(np.array([*few, 0x3F80, 0xC000, 0x40A0, 5, 7]) & top, size)
    anything = rng.integers(0, top, size, endpoint=True)
    fill = np.full(size, bits.of((0, 0x3F80 & top, NEG_INF & top, 0xC000 & top)))
    kind = bits.below(4)
    chosen = rng.random(size)
    mixed = np.where(chosen < 0.3, values, np.where(chosen < 0.6, anything, fill))
    found = (fill, values, anything, mixed)[kind if name != "hbm" else max(kind, 2)]
    return tuple(found.tolist())


def _wide(size: int) -> st.SearchStrategy[int]:
    """Numbers of so many bytes; `integers` would give small ones mostly."""
    return st.binary(min_size=size, max_size=size).map(lambda x: int.from_bytes(x, "big"))


@st.composite
def programs(draw: st.DrawFn, config: Config = SMALL) -> Case:
    """A program for the core that mostly does something: registers set up, loops, often a fault.

    A fault is one of `faults`, or a loop end that does not match its start. Few draws of large
    numbers, each of which makes many choices: a draw costs more than the choice.
    """
    number, line = _wide(16), _wide(20)
    setup, other = Bits(draw(number)), Bits(draw(number))
    lines = draw(st.lists(line, max_size=MOST_LINES))
    starts = setup_words(config, setup)
    body = body_words(lines, config)
    stop = isa.BY_MNEMONIC["C_BREAK"].opcode
    kind = other.of((0, 0, 0, 0, 0, 0, 1, 2))
    if kind == 2:  # a loop end that counts in another register than its start
        register, count = other.below(GP_COUNT), 1 + other.below(2)
        start, end = (isa.BY_MNEMONIC[f"C_LOOP_{x}"].opcode for x in ("START", "END"))
        body[:0] = [start | register << RD.low | count << IMM22.low, end | (register ^ 1) << RD.low]
    words = [*starts, *body, stop]
    if kind == 1:
        words[len(starts) + other.below(len(words) - len(starts))] = faults(config, other)
    memories = {name: image(other, name, config.elements(name)) for name in MEMORIES}
    flags = Bits(draw(number))
    beat, hbm = config.beat_bytes, config.hbm_bytes
    window = flags.of((0, 0, 0, 0, 0, 1))
    edges = (flags.below(hbm // beat // 4) * beat, hbm - flags.below(hbm // beat // 4) * beat)
    period = flags.of((0, 0, 0, 40))
    memory = (
        flags.of((1, 5, 20, 1 + flags.below(30))),
        flags.of((0, 0, 3, 9)),
        flags.of((1, 1, 3, 5)),
        1,
        max(period, 1),
        period // 4,
        flags.below(3) if period else 0,
        flags.below(1 << 16),
        flags.of((64, 64, 1, 4)),
    )
    case = Case(
        tuple(words[: config.program_words]),
        memories,
        reset=bool(flags.below(2)),
        noise=bool(flags.below(2)),
        abandoned=flags.below(60) if flags.below(4) == 3 else None,
        window=(edges[0], edges[1]) if window else None,
        memory=memory,
        stall=(0.0, 0.0, 0.1, 0.4)[flags.below(4)],
        faulty=tuple(
            refused(flags, hbm // beat, beat) for _ in range(flags.of((0, 0, 0, 0, 1, 2)))
        ),
    )
    if flags.below(8) == 7:
        case = replace(case, halt=1 + flags.below(150))
    return tamed(case, config, flags.of((9, 9, 9, 2, 1, 0)))


def tamed(case: Case, config: Config, most: int) -> Case:
    """The case with up to so many words that would trap replaced, so that it goes on behind them.

    A trap changes nothing, so the machine can go on at once. Loops stay as they are.
    """
    machine = Machine(case.words, config, FAST)
    load_case(machine, case)
    nothing = isa.BY_MNEMONIC["S_ADDI_INT"].opcode
    for _ in range(most):
        *_, last = machine.run()
        if last.cause in (Trap.NONE, Trap.LOOP) or last.pc >= len(machine.program):
            break
        machine.program[last.pc] = nothing
        machine._decoded[last.pc] = machine._take_apart(nothing)
        machine.stopped = False
    return replace(case, words=tuple(machine.program))


def refused(bits: Bits, beats: int, beat: int) -> tuple[int, int]:
    """A few beats that the memory refuses."""
    first = bits.below(beats)
    return first * beat, min(beats, first + 1 + bits.below(8)) * beat


def load_case(machine: Machine, case: Case) -> None:
    """Place a case's memories in a machine."""
    for name, values in case.memories.items():
        machine.state.load(name, np.array(values, MEMORIES[name]))
    if case.window is not None:
        machine.state.window = case.window
