"""The encoding, written out: programs and cores in use must not notice a change of it.

Nothing here is taken from the specification but what it is compared with. A number that changes
is a new version of the instruction set, not an edit of this file.
"""

import pytest

from unmask.spec import formats, isa, softmax
from unmask.spec.assembler import assemble, disassemble
from unmask.spec.encoding import (
    A_COUNT,
    CSRS,
    F_COUNT,
    FORMATS,
    GP_COUNT,
    NO_TOKEN,
    STATE_COUNT,
    Trap,
)
from unmask.spec.instructions.masks import RELATIONS
from unmask.spec.instructions.memory import LAYOUTS

# A text, and its word: opcode, rd at bit 6, rs1 at 10, rs2 at 14, rs3 at 18, rs4 at 22, and so on.
WORDS = {
    "V_ADD_VV gp9, gp2, gp3, 1": 0x0D | 9 << 6 | 2 << 10 | 3 << 14 | 1 << 18,
    "V_ADD_VF gp9, gp2, f3, 1": 0x0E | 9 << 6 | 2 << 10 | 3 << 14 | 1 << 18,
    "V_SUB_VV gp9, gp2, gp3, 1": 0x0F | 9 << 6 | 2 << 10 | 3 << 14 | 1 << 18,
    "V_SUB_VF gp9, gp2, f3, 0, 1": 0x10 | 9 << 6 | 2 << 10 | 3 << 14 | 1 << 22,
    "V_MUL_VV gp9, gp2, gp3, 1": 0x11 | 9 << 6 | 2 << 10 | 3 << 14 | 1 << 18,
    "V_MUL_VF gp9, gp2, f3, 1": 0x12 | 9 << 6 | 2 << 10 | 3 << 14 | 1 << 18,
    "V_EXP_V gp9, gp2, 1": 0x13 | 9 << 6 | 2 << 10 | 1 << 18,
    "V_RECI_V gp9, gp2, 1": 0x14 | 9 << 6 | 2 << 10 | 1 << 18,
    "V_RED_SUM f5, gp2, 1": 0x15 | 5 << 6 | 2 << 10 | 1 << 18,
    "V_RED_MAX f5, gp2, 1": 0x16 | 5 << 6 | 2 << 10 | 1 << 18,
    "S_ADD_FP f5, f2, f3": 0x17 | 5 << 6 | 2 << 10 | 3 << 14,
    "S_SUB_FP f5, f2, f3": 0x18 | 5 << 6 | 2 << 10 | 3 << 14,
    "S_MAX_FP f5, f2, f3": 0x19 | 5 << 6 | 2 << 10 | 3 << 14,
    "S_MUL_FP f5, f2, f3": 0x1A | 5 << 6 | 2 << 10 | 3 << 14,
    "S_EXP_FP f5, f2": 0x1B | 5 << 6 | 2 << 10,
    "S_RECI_FP f5, f2": 0x1C | 5 << 6 | 2 << 10,
    "S_SQRT_FP f5, f2": 0x1D | 5 << 6 | 2 << 10,
    "S_LD_FP f5, gp2, 200001": 0x1E | 5 << 6 | 2 << 10 | 200001 << 14,
    "S_ST_FP f5, gp2, 200001": 0x1F | 5 << 6 | 2 << 10 | 200001 << 14,
    "S_MAP_V_FP gp9, gp2, 9001, gp3": 0x20 | 9 << 6 | 2 << 10 | 3 << 14 | 9001 << 18,
    "S_ADD_INT gp9, gp2, gp3": 0x21 | 9 << 6 | 2 << 10 | 3 << 14,
    "S_ADDI_INT gp9, gp2, 200001": 0x22 | 9 << 6 | 2 << 10 | 200001 << 14,
    "S_SUB_INT gp9, gp2, gp3": 0x23 | 9 << 6 | 2 << 10 | 3 << 14,
    "S_MUL_INT gp9, gp2, gp3": 0x24 | 9 << 6 | 2 << 10 | 3 << 14,
    "S_LUI_INT gp9, 3000001": 0x25 | 9 << 6 | 3000001 << 10,
    "S_LD_INT gp9, gp2, 200001": 0x26 | 9 << 6 | 2 << 10 | 200001 << 14,
    "S_ST_INT gp9, gp2, 200001": 0x27 | 9 << 6 | 2 << 10 | 200001 << 14,
    "H_PREFETCH_V gp9, gp2, a3, 1, 0": 0x29 | 9 << 6 | 2 << 10 | 3 << 14 | 1 << 18,
    "H_STORE_V gp9, gp2, a3, 0, 1": 0x2A | 9 << 6 | 2 << 10 | 3 << 14 | 1 << 22,
    "C_SET_ADDR_REG a5, gp2, gp3": 0x2B | 5 << 6 | 2 << 10 | 3 << 14,
    "C_SET_SCALE_REG gp9": 0x2C | 9 << 6,
    "C_SET_STRIDE_REG gp9": 0x2D | 9 << 6,
    "C_SET_V_MASK_REG gp9": 0x2E | 9 << 6,
    "C_LOOP_START gp9, 3000001": 0x2F | 9 << 6 | 3000001 << 10,
    "C_LOOP_END gp9": 0x30 | 9 << 6,
    "V_RED_MAX_IDX gp9, gp2, gp3, f4": 0x34 | 9 << 6 | 2 << 10 | 3 << 14 | 4 << 18,
    "V_SELECT_VVM gp9, gp2, gp3, gpC": 0x35 | 9 << 6 | 2 << 10 | 3 << 14 | 12 << 18,
    "V_TOPK_MASK gp9, gp2, gp3, gpC, gp5": (0x36 | 9 << 6 | 2 << 10 | 3 << 14 | 12 << 18 | 5 << 22),
    "S_SELECT_INT gp9, gp2, gp3, gpC, gp5": (
        0x37 | 9 << 6 | 2 << 10 | 3 << 14 | 12 << 18 | 5 << 22
    ),
    "C_BREAK": 0x38,
    "C_SET_CSR KMAX, gp2, 200001": 0x39 | 9 << 6 | 2 << 10 | 200001 << 14,
    "V_RED_SM gp9, gp2, gpC, 1": 0x3A | 9 << 6 | 2 << 10 | 12 << 18 | 1 << 26,
    "H_RED_SM gp9, gp2, a3, gpC, E5M2_B32, 1": (
        0x3B | 9 << 6 | 2 << 10 | 3 << 14 | 12 << 18 | 3 << 22 | 1 << 26
    ),
    "S_SM_CLEAR gp2": 0x3C | 2 << 10,
    "S_SM_MAX f5, gp2": 0x3C | 5 << 6 | 2 << 10 | 1 << 26,
    "S_SM_CONF f5, gp2": 0x3C | 5 << 6 | 2 << 10 | 2 << 26,
    "S_SM_IDX gp9, gp2": 0x3C | 9 << 6 | 2 << 10 | 3 << 26,
    "S_SM_KEY gp9, gp2": 0x3C | 9 << 6 | 2 << 10 | 4 << 26,
    "S_SM_FLAGS gp9, gp2": 0x3C | 9 << 6 | 2 << 10 | 5 << 26,
    "S_SM_ST_KEY gp9, gp2": 0x3C | 9 << 6 | 2 << 10 | 6 << 26,
    "S_SM_ST_IDX gp9, gp2": 0x3C | 9 << 6 | 2 << 10 | 7 << 26,
    "S_LD_KEY gp9, gp2": 0x3C | 9 << 6 | 2 << 10 | 8 << 26,
    "S_ST_KEY gp9, gp2": 0x3C | 9 << 6 | 2 << 10 | 9 << 26,
    "V_KEY_MASK_QUOTA gp9, gp2, gp3, gpC, gp5": (
        0x3D | 9 << 6 | 2 << 10 | 3 << 14 | 12 << 18 | 5 << 22 | 0 << 26
    ),
    "V_KEY_MASK_RULE gp9, gp2, gp3, gpC, gp5": (
        0x3D | 9 << 6 | 2 << 10 | 3 << 14 | 12 << 18 | 5 << 22 | 1 << 26
    ),
    "V_KEY_MASK_FACTOR gp9, gp2, gp3, gpC, gp5": (
        0x3D | 9 << 6 | 2 << 10 | 3 << 14 | 12 << 18 | 5 << 22 | 2 << 26
    ),
    "V_CMP_MASK_VV gp9, gp2, gp3, LT, gp5": (
        0x3E | 9 << 6 | 2 << 10 | 3 << 14 | 5 << 22 | 5 << 26 | 0 << 29
    ),
    "V_CMP_MASK_VF gp9, gp2, f3, NE, gp5": (
        0x3E | 9 << 6 | 2 << 10 | 3 << 14 | 5 << 22 | 3 << 26 | 1 << 29
    ),
    "V_CMP_MASK_IG gp9, gp2, gp3, GT, gp5": (
        0x3E | 9 << 6 | 2 << 10 | 3 << 14 | 5 << 22 | 1 << 26 | 2 << 29
    ),
    "V_CMP_MASK_II gp9, gp2, gp3, LE, gp5": (
        0x3E | 9 << 6 | 2 << 10 | 3 << 14 | 5 << 22 | 4 << 26 | 3 << 29
    ),
    "H_LD_INT gp9, gp2, a3, gpC": 0x3F | 9 << 6 | 2 << 10 | 3 << 14 | 12 << 18 | 0 << 26,
    "H_ST_INT gp9, gp2, a3, gpC": 0x3F | 9 << 6 | 2 << 10 | 3 << 14 | 12 << 18 | 1 << 26,
    "H_LD_KEY gp9, gp2, a3, gpC": 0x3F | 9 << 6 | 2 << 10 | 3 << 14 | 12 << 18 | 2 << 26,
    "H_ST_KEY gp9, gp2, a3, gpC": 0x3F | 9 << 6 | 2 << 10 | 3 << 14 | 12 << 18 | 3 << 26,
}

# Name -> (number, greatest value, value at reset); VL starts as VLEN.
ANY = 0xFFFFFFFF
REGISTERS = {
    "VL": (0, ANY, None),
    "STRIDE": (1, ANY, 0),
    "SCALE": (2, ANY, 0),
    "MASK": (3, ANY, 0),
    "ROWS": (4, ANY, 1),
    "FMT0": (5, 4, 0),
    "FMT1": (6, 4, 0),
    "NAN": (7, 1, 0),
    "LIMIT": (8, ANY, 0),
    "KMAX": (9, ANY, 0),
    "BAN0": (10, ANY, ANY),
    "BAN1": (11, ANY, ANY),
    "BAN2": (12, ANY, ANY),
    "BAN3": (13, ANY, ANY),
}
# Name -> (number, bytes of an element, elements of a block, its element format).
ELEMENT_FORMATS = {
    "BF16": (0, 2, 1, None),
    "E4M3_B32": (1, 1, 32, "E4M3"),
    "E4M3_B8": (2, 1, 8, "E4M3"),
    "E5M2_B32": (3, 1, 32, "E5M2"),
    "E5M2_B8": (4, 1, 8, "E5M2"),
}
COMPARISONS = {"GE": 0, "GT": 1, "EQ": 2, "NE": 3, "LE": 4, "LT": 5}
CAUSES = {
    "NONE": 0,
    "ILLEGAL": 1,
    "LOOP": 2,
    "MISALIGNED": 3,
    "LENGTH": 4,
    "RANGE": 5,
    "OVERLAP": 6,
    "WINDOW": 7,
    "FATAL": 8,
}
# Bits of what S_SM_FLAGS reads, and keys that stand for no delta.
STATUS = {
    "STATUS_EMPTY": 1,
    "STATUS_NAN": 2,
    "STATUS_POS_INF": 4,
    "STATUS_ALL_NEG_INF": 8,
    "STATUS_BIG": 16,
    "STATUS_MX_SATURATED": 32,
    "STATUS_MX_INEXACT": 64,
}
KEYS = {"NAN_FIRST": 0, "ZERO": 1, "NAN_LAST": 0xFFFFFFFE, "EMPTY": 0xFFFFFFFF}


def test_every_row_is_here_once():
    assert sorted(text.split()[0] for text in WORDS) == sorted(isa.BY_MNEMONIC)


@pytest.mark.parametrize(("text", "word"), WORDS.items(), ids=[x.split()[0] for x in WORDS])
def test_word(text, word):
    assert assemble(text) == [word]
    assert disassemble(word) == text


def test_control_and_status_registers():
    assert {name: (x.number, x.limit, x.reset) for name, x in CSRS.items()} == REGISTERS
    for name, (number, _, _) in REGISTERS.items():
        assert assemble(f"C_SET_CSR {name}, gp0, 0") == [0x39 | number << 6]
    for opcode, name in ((0x2C, "SCALE"), (0x2D, "STRIDE"), (0x2E, "MASK")):
        row = isa.decode(opcode)
        assert row is not None and f"CSR {name} " in row.doc


def test_formats():
    assert {name: numbers[0] for name, numbers in ELEMENT_FORMATS.items()} == FORMATS
    for name, (number, size, block, element) in ELEMENT_FORMATS.items():
        layout = LAYOUTS[number]
        found = layout.element and layout.element.name
        assert (layout.size, layout.block, found) == (size, block, element)
        assert assemble(f"H_RED_SM gp0, gp0, a0, gp0, {name}") == [0x3B | number << 22]


def test_relations():
    assert RELATIONS == COMPARISONS
    for name, number in COMPARISONS.items():
        assert assemble(f"V_CMP_MASK_VV gp0, gp0, gp0, {name}") == [0x3E | number << 26]


def test_trap_causes():
    assert {trap.name: int(trap) for trap in Trap} == CAUSES


def test_status_bits_and_reserved_keys():
    named = {x: value for x, value in vars(softmax).items() if x.startswith("STATUS_")}
    assert named == STATUS
    assert {name: getattr(softmax, name) for name in KEYS} == KEYS
    assert (softmax.MX_SATURATED, softmax.MX_INEXACT) == (1, 2)


def test_counts_and_special_values():
    assert (GP_COUNT, F_COUNT, A_COUNT, STATE_COUNT) == (16, 8, 8, 4)
    assert NO_TOKEN == 0xFFFFFFFF and softmax.MOST_ELEMENTS == 1 << 18
    assert (formats.POS_INF, formats.NEG_INF, formats.NAN) == (0x7F80, 0xFF80, 0x7FC0)
