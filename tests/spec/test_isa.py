"""The table: encodings and decoding. The assembler has its own tests."""

from dataclasses import replace

import numpy as np
import pytest

from unmask.spec import isa
from unmask.spec.encoding import FN, IMM18, RS3, Kind, Operand


@pytest.mark.parametrize("row", isa.TABLE.rows, ids=lambda row: row.mnemonic)
def test_unused_bits_must_be_zero(row):
    unused = ~row.used & 0xFFFFFFFF
    bits = [1 << bit for bit in range(32) if unused >> bit & 1]
    assert all(isa.decode(row.match | bit) is None for bit in bits)
    fields = [x.field for x in row.operands if x.kind in (Kind.F, Kind.A)]
    assert all(isa.decode(row.match | 8 << field.low) is None for field in fields)
    for operand in row.operands:  # a choice that does not exist
        if operand.choices is not None and operand.field.width > 1:
            assert isa.decode(row.match | operand.field.mask) is not row


def test_a_broken_table_is_refused():
    row = isa.BY_MNEMONIC["S_ADD_INT"]
    with pytest.raises(ValueError, match="S_ADD_INT and OTHER share words"):
        isa.check_table((row, replace(row, mnemonic="OTHER")))
    with pytest.raises(ValueError, match="two rows have the mnemonic S_ADD_INT"):
        isa.check_table((row, replace(row, opcode=0x3F)))
    with pytest.raises(ValueError, match="field rs3 overlaps another"):
        fields = (Operand(IMM18, Kind.IMM), Operand(RS3, Kind.GP))
        isa.check_table((replace(row, operands=fields),))
    with pytest.raises(ValueError, match="opcode 0x40 has over 6 bits"):
        isa.check_table((replace(row, opcode=0x40),))
    # rows of one opcode: a fixed field tells them apart, an operand in its place does not
    first = isa.BY_MNEMONIC["S_SM_CLEAR"]
    with pytest.raises(ValueError, match="share words"):
        wide = replace(first, mnemonic="WIDE", fixed=(), operands=(Operand(FN, Kind.IMM),))
        isa.check_table((first, wide))


def test_opcodes_are_the_published_ones():
    """Written out from the published ISA, in the order of its opcodes from 0x0D on."""
    names = [
        "V_ADD_VV",
        "V_ADD_VF",
        "V_SUB_VV",
        "V_SUB_VF",
        "V_MUL_VV",
        "V_MUL_VF",
        "V_EXP_V",
        "V_RECI_V",
        "V_RED_SUM",
        "V_RED_MAX",
        "S_ADD_FP",
        "S_SUB_FP",
        "S_MAX_FP",
        "S_MUL_FP",
        "S_EXP_FP",
        "S_RECI_FP",
        "S_SQRT_FP",
        "S_LD_FP",
        "S_ST_FP",
        "S_MAP_V_FP",
        "S_ADD_INT",
        "S_ADDI_INT",
        "S_SUB_INT",
        "S_MUL_INT",
        "S_LUI_INT",
        "S_LD_INT",
        "S_ST_INT",
        "-",
        "H_PREFETCH_V",
        "H_STORE_V",
        "C_SET_ADDR_REG",
        "C_SET_SCALE_REG",
        "C_SET_STRIDE_REG",
        "C_SET_V_MASK_REG",
        "C_LOOP_START",
        "C_LOOP_END",
        "-",
        "-",
        "-",
        "V_RED_MAX_IDX",
        "V_SELECT_VVM",
        "V_TOPK_MASK",
        "S_SELECT_INT",
        "C_BREAK",
    ]
    published = {name: 0x0D + place for place, name in enumerate(names) if name != "-"}
    assert {name: isa.BY_MNEMONIC[name].opcode for name in published} == published
    ours = {row.opcode for row in isa.TABLE} - set(published.values())
    assert ours == set(range(0x39, 0x40))


def test_matrix_instructions_are_illegal():
    assert all(isa.decode(opcode) is None for opcode in (*range(0x0D), 0x28))


def test_all_opcodes_of_random_words_decode_by_mask_and_match():
    words = np.random.default_rng(0).integers(0, 1 << 32, 20_000).tolist()
    for word in words:
        rows = [row for row in isa.TABLE if word & 0x3F == row.opcode and row.legal(word)]
        assert isa.decode(word) is (rows[0] if rows else None)
