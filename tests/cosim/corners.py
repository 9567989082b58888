"""Directed cases of the core: corners that drawn programs meet too rarely.

They run in this order, most without a reset between them, since what an earlier run leaves behind
must not matter to the next.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from unmask.spec.assembler import assemble
from unmask.spec.state import MEMORIES, Config
from unmask.tests.strategies import Case

# Reductions of no elements: a NaN becomes the quiet one, all else stays. NOTHING is in FP SRAM.
OF_NOTHING = """
    S_LD_FP f1, gp0, 0
    S_LD_FP f2, gp0, 1
    S_LD_FP f3, gp0, 2
    S_LD_FP f4, gp0, 3
    C_SET_CSR VL, gp0, 0
    V_RED_SUM f1, gp0
    V_RED_MAX f2, gp0
    V_RED_SUM f3, gp0
    V_RED_MAX f4, gp0
    C_BREAK"""
NOTHING = (0x7FFF, 0xFF81, 0x8000, 0xFF80)

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
    "a stream bans what was banned when it was issued": """
        C_SET_CSR BAN0, gp0, 3
        H_RED_SM gp0, gp0, a0, gp0, BF16, 1
        C_SET_CSR BAN0, gp0, 5
        C_SET_CSR BAN1, gp0, 3
        H_RED_SM gp1, gp0, a0, gp0, BF16, 1
        C_SET_CSR BAN1, gp0, 4
        S_SM_IDX gp1, gp0
        C_BREAK""",
    "MASK enables lanes, from lane 32 on the same ones again": """
        S_LUI_INT gp1, 0x2C6A1
        S_ADDI_INT gp1, gp1, 0x35B
        C_SET_CSR MASK, gp1, 0
        S_ADDI_INT gp2, gp0, {vlen}
        V_ADD_VV gp2, gp0, gp0, 1
        V_RED_SUM f1, gp0, 1
        V_RED_MAX f2, gp2, 1
        C_BREAK""",
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
    "greater elements behind the end of a row do not compete": """
        C_SET_CSR VL, gp0, 3
        V_RED_MAX_IDX gp2, gp0, gp0, f1
        V_RED_MAX f2, gp0
        V_RED_SUM f3, gp0
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
    "numbers to choose whose low halves are 0 or 1": """
        S_ADDI_INT gp1, gp0, {vlen}
        S_ADDI_INT gp2, gp0, {two_rows}
        S_LUI_INT gp3, 0x10
        S_ADDI_INT gp4, gp3, 1
        S_LUI_INT gp5, 0xFFFF0
        S_ADDI_INT gp5, gp5, 1
        V_TOPK_MASK gp2, gp0, gp1, gp3
        V_TOPK_MASK gp2, gp0, gp1, gp4
        V_KEY_MASK_QUOTA gp2, gp0, gp1, gp5
        V_TOPK_MASK gp2, gp0, gp1, gp5
        C_BREAK""",
    "rows 16 elements apart, blocks of 32": """
        C_SET_CSR FMT0, gp0, 1
        C_SET_CSR SCALE, gp0, 1024
        C_SET_CSR ROWS, gp0, 2
        C_SET_CSR STRIDE, gp0, 16
        H_PREFETCH_V gp0, gp0, a0, 1, 0
        C_BREAK""",
    "rows 48 elements apart, one of blocks of 8": """
        C_SET_CSR FMT0, gp0, 2
        C_SET_CSR SCALE, gp0, 1024
        C_SET_CSR ROWS, gp0, 2
        C_SET_CSR STRIDE, gp0, 48
        H_PREFETCH_V gp0, gp0, a0, 1, 0
        C_SET_CSR FMT0, gp0, 1
        H_PREFETCH_V gp0, gp0, a0, 1, 0
        C_BREAK""",
}

SLOW = (40, 0, 1, 1, 1, 0, 0, 0, 64)  # a memory that keeps a program waiting
READS = """
    S_ADDI_INT gp1, gp0, {two_rows}
    S_ADDI_INT gp2, gp0, {vlen}
    S_ADDI_INT gp3, gp0, {four_rows}
    C_SET_CSR VL, gp0, {two_rows}
    H_PREFETCH_V gp0, gp0, a0, 0, 0
    H_PREFETCH_V gp1, gp0, a0, 0, 0
    H_PREFETCH_V gp3, gp2, a0, 0, 0
"""

# Text of a program, and whether the memory is slow, when the host halts it, whether reads fail.
ENDS: dict[str, tuple[str, bool, int | None, bool]] = {
    "three reads fail, beat behind beat": (f"{READS} C_BREAK", False, None, True),
    "nothing of that is left in the next program": (f"{READS} C_BREAK", False, None, False),
    "a halt while a trap waits": (f"{READS} C_LOOP_END gp1", True, 12, False),
    "a halt hides no failed transfer": (f"{READS} C_BREAK", True, 12, True),
    "a halt while a trap waits for a failed transfer": (
        f"{READS} C_LOOP_END gp1",
        True,
        12,
        True,
    ),
    "a halt in a loop that has no end": (
        f"H_PREFETCH_V gp0, gp0, a0, 0, 0\n C_LOOP_START gp1, 0\n{READS}",
        True,
        1,
        True,
    ),
    "a halt in the middle of a unit's work": ("V_RED_SUM f1, gp0\n" * 9, False, 9, False),
}


def cases(config: Config) -> list[Case]:
    """The corners for a configuration, quiet and disturbed."""
    values = {
        "vlen": config.vlen,
        "last_int": config.int_words - 1,
        "top_row": 0x1000 - config.vlen,
        "two_rows": 2 * config.vlen,
        "four_rows": 4 * config.vlen,
    }
    found: list[Case] = []
    for noise in (False, True):
        for text in PROGRAMS.values():
            words = tuple(assemble(text.format(**values)))
            found.append(Case(words, _memories(config), reset=not found, noise=noise))
        found += _ends(config, noise, values)
        memories = _memories(config)
        memories["fp"] = (*NOTHING, *memories["fp"][len(NOTHING) :])
        found.append(Case(tuple(assemble(OF_NOTHING)), memories, reset=False, noise=noise))
        # A program that fills its memory and has no end: the length is limited to the memory.
        full = tuple(assemble("S_ADDI_INT gp1, gp1, 1")) * config.program_words
        wraps = [(1 << bits) - config.program_words + 4 for bits in (16, 31)]  # low bits: 4 words
        for excess in (0, 1, 1000, *wraps):
            found.append(Case(full, _memories(config), reset=False, noise=noise, excess=excess))
    return found


def _ends(config: Config, noise: bool, values: dict[str, int]) -> Iterator[Case]:
    """The runs of `ENDS`, without a reset between them."""
    for text, slow, halt, fails in ENDS.values():
        circumstances: dict[str, Any] = {"memory": SLOW} if slow else {}
        if fails:
            circumstances["faulty"] = ((0, config.hbm_bytes),)
        words = tuple(assemble(text.format(**values)))
        yield Case(words, _memories(config), reset=False, noise=noise, halt=halt, **circumstances)


def _memories(config: Config) -> dict[str, tuple[int, ...]]:
    """Every element different, so that a wrong address shows."""
    return {
        name: tuple(
            (place % 0x7F00 + 1) % (1 << 8 * np.dtype(dtype).itemsize)
            for place in range(config.elements(name))
        )
        for name, dtype in MEMORIES.items()
    }
