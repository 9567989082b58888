"""Cases that aim at bins: for every row of the table, short programs that end in it each way.

Drawn programs rarely trap and rarely wait. Here a program sets registers up to border values,
fills all SRAMs from HBM where the instruction is to wait, and carries the one instruction out; the
model says which bin that was, and the first program of each bin is kept.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Any

import cocotb
import numpy as np

from unmask.model.machine import Model
from unmask.model.memory import Memory
from unmask.spec import isa
from unmask.spec.assembler import assemble
from unmask.spec.encoding import Instruction, Kind
from unmask.spec.formats import NEG_INF
from unmask.spec.softmax import MOST_ELEMENTS
from unmask.spec.state import MEMORIES, Config
from unmask.tests.cosim.bench import options
from unmask.tests.cosim.bins import RUN, Bin, every, observed, of_run
from unmask.tests.cosim.core import in_turn
from unmask.tests.cosim.jobs import bus_side
from unmask.tests.strategies import Bits as Choices
from unmask.tests.strategies import Case, bus_of, load_case, refused

TRIES = 8000  # programs of a row at most; of runs twice as many
FLOATS = (0x0000, 0x0001, 0x3F80, NEG_INF, 0x7FC1, 0xC040)
SLOW = (25, 0, 2, 1, 1, 0, 0, 0, 64)  # the memory where an instruction is to wait
FILL = """
    C_SET_CSR VL, gp0, {elements}
    H_PREFETCH_V gp0, gp0, a0, 0, 0
    H_LD_INT gp0, gp0, a0, gp15
    H_LD_KEY gp0, gp0, a0, gp14
"""


def cases(config: Config, wanted: Collection[Bin], seed: int = 0) -> list[Case]:
    """For each wanted bin a case that shows it, if one is found.

    Args:
        config: of the core.
        wanted: bins.
        seed: the same one draws the same cases.
    """
    rng = np.random.default_rng(seed)
    missing, found = set(wanted), []
    for case in _full_states(config):
        shown = _shown(case, config) & missing
        if shown:
            missing -= shown
            found.append(case)
    for row in isa.TABLE:
        for _ in range(TRIES):
            if not any(x.what == row.mnemonic for x in missing):
                break
            case = _case(row, rng, config)
            shown = _shown(case, config) & missing
            if shown:
                missing -= shown
                found.append(case)
    rows = tuple(isa.TABLE)
    for _ in range(2 * TRIES):
        if not any(x.what == RUN for x in missing):
            break
        case = _case(rows[rng.integers(len(rows))], rng, config)
        if rng.random() < 0.3:
            case = replace(case, halt=int(rng.integers(1, 12)))
        shown = _shown(case, config) & missing
        if shown:
            missing -= shown
            found.append(case)
    return found


def _full_states(config: Config) -> list[Case]:
    """A state that holds as many elements as it can, and one more that is to be taken in."""
    elements = config.hbm_bytes // 2
    fill = f"""
        C_SET_CSR VL, gp0, {elements}
        C_LOOP_START gp1, {MOST_ELEMENTS // elements}
        H_RED_SM gp0, gp0, a0, gp0, BF16, 0
        C_LOOP_END gp1
        C_SET_CSR VL, gp0, 1
    """
    found = []
    for wait in ("", "S_SM_IDX gp2, gp0\n"):
        for last in ("V_RED_SM gp0, gp0, gp0, 0", "H_RED_SM gp0, gp0, a0, gp0, BF16, 0"):
            words = tuple(assemble(f"{fill}{wait}{last}\nC_BREAK"))
            found.append(Case(words, _memories(config)))
    return found


def _shown(case: Case, config: Config) -> set[Bin]:
    """The bins of a case, by the model alone."""
    if case.halt is not None:  # how far it comes is the core's affair
        return {*of_run(case, None)}
    bus = bus_of(config, bus_side(config), case)
    model = Model(case.words, config, memory=Memory(bus, case.stall), faulty=case.faulty)
    load_case(model, case)
    seen = list(observed(model))
    cause = seen[-1][0].record.cause
    return {kind for _, kind in seen} | {*of_run(case, cause)}


def _case(row: Instruction, rng: np.random.Generator, config: Config) -> Case:
    waits = bool(rng.integers(2))
    words = [*_words(row, rng, config, waits), *assemble("C_BREAK")]
    bits = Choices(int.from_bytes(rng.bytes(40), "big"))
    beats, beat = config.hbm_bytes // config.beat_bytes, config.beat_bytes
    fails = row.transfers is not None and bits.below(3) == 2
    odd = bits.below(4) == 3  # circumstances that bins of runs ask for
    return Case(
        tuple(words[: config.program_words]),
        _memories(config),
        reset=bool(bits.below(2)),
        noise=bool(bits.below(2)),
        abandoned=bits.below(40) if odd and bits.below(2) else None,
        window=(0, config.hbm_bytes // 2) if bits.below(4) == 3 else None,
        memory=SLOW if waits and not odd else (
            1 + bits.below(20), bits.of((0, 4)), 1 + bits.below(2), 1,
            *((40, 10, 1) if bits.below(3) == 2 else (1, 0, 0)),
            bits.below(1 << 16), bits.of((64, 1))),
        stall=(0.0, 0.3)[bits.below(2)] if odd else 0.0,
        faulty=((0, config.hbm_bytes),) if fails else
            (refused(bits, beats, beat),) if odd and bits.below(2) else (),
    )  # fmt: skip


def _words(
    row: Instruction, rng: np.random.Generator, config: Config, waits: bool
) -> Iterator[int]:
    """Registers at border values, transfers into all SRAMs if it is to wait, the instruction."""
    vlen, rows = config.vlen, config.vector_rows
    all_words = min(config.key_words, config.int_words)
    vectors = [vlen * x for x in (0, 0, 1, 2, rows // 2, rows - 1, rows)]
    odd = [1, vlen + 1, 8, 16, all_words - 1, all_words, 2 * all_words, 1 << 20, 0xFFFFF000]
    lengths = [0, 1, vlen - 1, vlen, vlen + 3, 2 * vlen, 32, all_words + 1, rows // 2 * vlen,
               rows // 2 * vlen + 3, rows * vlen, rows * vlen + 1]  # fmt: skip
    values = {14: config.key_words, 15: config.int_words}
    share = rng.choice([0.0, 0.3])  # of odd values
    if rng.random() < 0.3:
        vectors = [0, 0, vlen]
    for register in range(1, 9):
        pool = odd if rng.random() < share else (vectors, lengths)[int(rng.random() < 0.3)]
        values[register] = int(rng.choice(pool))
    if row.mnemonic.startswith("C_LOOP"):
        values = dict(list(values.items())[:2])
    for register, value in values.items():
        yield from assemble(f"S_LUI_INT gp{register}, {value >> 12}") if value >> 12 else ()
        low = f"S_ADDI_INT gp{register}, gp{register if value >> 12 else 0}, {value & 0xFFF}"
        yield from assemble(low)
    yield from assemble("C_SET_ADDR_REG a1, gp0, gp8")
    for register in (1, 2, 3):
        yield from assemble(f"S_LD_FP f{register}, gp0, {rng.integers(len(FLOATS))}")
    if waits:
        yield from assemble(FILL.format(elements=vlen * rows))
        if "_SM" in row.mnemonic:
            yield from assemble(f"H_RED_SM gp{rng.integers(1, 9)}, gp0, a0, gp0, BF16, 1")
    if rng.random() < 0.5:
        formats = "".join(f"C_SET_CSR FMT{x}, gp0, {rng.integers(1, 5)}\n" for x in range(2))
        yield from assemble(f"{formats}C_SET_CSR SCALE, gp0, 512")
    yield from assemble(f"C_SET_CSR VL, gp0, {rng.choice(lengths)}")
    if row.mnemonic == "C_LOOP_START" and rng.random() < 0.5:
        yield from assemble("C_LOOP_START gp1, 2\n" * config.loop_depth)
    word = row.match
    for operand in row.operands:
        if operand.kind is Kind.GP:
            value = int(rng.integers(0, 9))
        elif operand.kind in (Kind.F, Kind.A):
            value = int(rng.integers(0, 4))
        elif operand.choices is not None:
            value = int(rng.choice(list(operand.choices.values())))
        else:
            value = int(rng.choice([0, 1, all_words - 1, all_words, 1 << operand.field.width - 1]))
            value &= (1 << operand.field.width) - 1
        word |= value << operand.field.low
    yield word


@cocotb.test()
async def every_bin(dut: Any) -> None:
    """Cases for the bins that are not in the option `seen`; with `cases`, those."""
    seen = set(options().get("seen", ()))
    wanted = [x for x in every() if str(x) not in seen]
    await in_turn(dut, lambda bench: iter(cases(bench.config, wanted)))


def _memories(config: Config) -> dict[str, Any]:
    """Every element different but in FP SRAM, which begins with a number of each class."""
    found = {
        name: tuple((np.arange(config.elements(name)) % 0x7F00 + 1).astype(dtype).tolist())
        for name, dtype in MEMORIES.items()
    }
    found["fp"] = (*FLOATS, *found["fp"][len(FLOATS) :])
    return found
