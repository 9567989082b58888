"""Directed cases of the core: corners that drawn programs meet too rarely.

They run in this order, most without a reset between them, since what an earlier run leaves behind
must not matter to the next.
"""

from __future__ import annotations

import numpy as np

from unmask.spec.assembler import assemble
from unmask.spec.state import MEMORIES, Config
from unmask.tests.strategies import Case

# Text of a program for a configuration's VLEN and int SRAM size.
PROGRAMS = {
    "a program ends behind its transfers": """
        H_PREFETCH_V gp0, gp0, a0, 0, 0
        C_BREAK""",
    "what a store reads is overwritten behind it": """
        H_STORE_V gp0, gp0, a0, 0, 0
        V_ADD_VV gp0, gp0, gp0
        C_BREAK""",
    "a state is read behind its stream": """
        H_RED_SM gp0, gp0, a0, gp0, BF16, 1
        S_SM_IDX gp1, gp0
        C_BREAK""",
    "trap inside two loops, counts over 2**20 shown at the first end": """
        C_LOOP_START gp5, 0x3FFFFF
        C_LOOP_START gp1, 0x300000
        S_LD_INT gp2, gp3, {last_int}
        S_ADDI_INT gp3, gp3, 1
        C_LOOP_END gp1
        C_LOOP_END gp5
        C_BREAK""",
    "a loop end after such a trap finds no loop": "C_LOOP_END gp1",
    "VL and registers set": """
        C_SET_CSR VL, gp0, 3
        S_ADDI_INT gp1, gp0, 77
        S_LD_FP f1, gp0, 0
        C_BREAK""",
    "VL and registers are back to their start values": """
        V_RED_MAX_IDX gp2, gp1, gp1, f1
        S_ST_INT gp1, gp0, 0
        S_ST_FP f1, gp0, 1
        C_BREAK""",
    "a vector that ends beyond 2**32": """
        S_LUI_INT gp1, 0xFFFFF
        S_ADDI_INT gp1, gp1, {top_row}
        C_SET_CSR VL, gp0, {vlen}
        V_RED_MAX_IDX gp2, gp1, gp0, f1
        C_BREAK""",
    "VL of 2**32 - 1": """
        S_LUI_INT gp1, 0xFFFFF
        C_SET_CSR VL, gp1, 0xFFF
        V_RED_MAX_IDX gp2, gp0, gp0, f1
        C_BREAK""",
    "misaligned and out of range: MISALIGNED comes first": """
        S_LUI_INT gp1, 0xFFFFF
        S_ADDI_INT gp1, gp1, 1
        V_RED_MAX_IDX gp2, gp1, gp0, f1
        C_BREAK""",
    "one register for everything": """
        C_SET_CSR VL, gp0, {vlen}
        S_LD_FP f1, gp0, 1
        V_RED_MAX_IDX gp1, gp1, gp1, f1
        V_RED_MAX_IDX gp0, gp0, gp0, f0
        S_ADDI_INT gp0, gp0, 5
        S_ADD_INT gp2, gp0, gp1
        C_BREAK""",
    "zero iterations around nested loops": """
        C_LOOP_START gp1, 0
        C_LOOP_START gp2, 3
        C_LOOP_START gp3, 0
        C_LOOP_END gp9
        C_LOOP_END gp2
        C_LOOP_END gp4
        C_BREAK""",
    "the deepest nesting, then one more": "C_LOOP_START gp1, 2\n" * 9,
}


def cases(config: Config) -> list[Case]:
    """The corners for a configuration, quiet and disturbed."""
    values = {
        "vlen": config.vlen,
        "last_int": config.int_words - 1,
        "top_row": 0x1000 - config.vlen,
    }
    found: list[Case] = []
    for noise in (False, True):
        for text in PROGRAMS.values():
            words = tuple(assemble(text.format(**values)))
            found.append(Case(words, _memories(config), reset=not found, noise=noise))
        # A program that fills its memory and has no end: the length is limited to the memory.
        full = tuple(assemble("S_ADDI_INT gp1, gp1, 1")) * config.program_words
        for excess in (0, 1, 1000):
            found.append(Case(full, _memories(config), reset=False, noise=noise, excess=excess))
    return found


def _memories(config: Config) -> dict[str, tuple[int, ...]]:
    """Every element different, so that a wrong address shows."""
    return {
        name: tuple(
            (place % 0x7F00 + 1) % (1 << 8 * np.dtype(dtype).itemsize)
            for place in range(config.elements(name))
        )
        for name, dtype in MEMORIES.items()
    }
