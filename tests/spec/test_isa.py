"""The table: encodings, decoding, assembler and disassembler, the Verilog header."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmask.spec import isa
from unmask.spec.assembler import assemble, disassemble
from unmask.spec.encoding import IMM18, RS3, Kind, Operand
from unmask.spec.errors import UsageError
from unmask.tests.strategies import SMALL, instruction_words

# Words of the published assembler for the same text: the layout is frozen by these.
PUBLISHED = {
    "S_ADDI_INT gp1, gp0, 64": 0x22 | 1 << 6 | 64 << 14,
    "V_RED_MAX_IDX gp2, gp1, gp3, f1": 0x34 | 2 << 6 | 1 << 10 | 3 << 14 | 1 << 18,
    "S_LUI_INT gpA, 31": 0x25 | 10 << 6 | 31 << 10,
    "S_ST_INT gp2, gp0, 5": 0x27 | 2 << 6 | 5 << 14,
    "C_LOOP_START gp8, 3": 0x2F | 8 << 6 | 3 << 10,
}


@pytest.mark.parametrize(("text", "word"), PUBLISHED.items())
def test_published_words(text, word):
    assert assemble(text) == [word]


@given(data=st.data())
@pytest.mark.parametrize("row", isa.TABLE, ids=lambda row: row.mnemonic)
def test_round_trip(row, data):
    word = data.draw(instruction_words(row, SMALL))
    assert isa.decode(word) is row
    assert assemble(disassemble(word)) == [word]


@given(word=st.integers(0, 0xFFFFFFFF))
def test_any_word_is_one_instruction_or_illegal(word):
    row = isa.decode(word)
    if row is None:
        assert disassemble(word) == f".illegal 0x{word:08x}"
    else:
        assert assemble(disassemble(word)) == [word]


@pytest.mark.parametrize("row", isa.TABLE, ids=lambda row: row.mnemonic)
def test_unused_bits_must_be_zero(row):
    unused = ~row.used & 0xFFFFFFFF
    bits = [1 << bit for bit in range(32) if unused >> bit & 1]
    assert all(isa.decode(row.opcode | bit) is None for bit in bits)
    f_fields = [x.field for x in row.operands if x.kind is Kind.F]
    assert all(isa.decode(row.opcode | 8 << field.low) is None for field in f_fields)


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("C_BREAK\n V_RED_MAXIDX gp1", "a.asm:2:2", "did you mean V_RED_MAX_IDX"),
        ("FOO", "a.asm:1:1", "unknown mnemonic 'FOO'"),
        ("S_ADD_INT gp1, gp16, gp2", "a.asm:1:16", "gp16 does not exist"),
        ("S_ADD_INT gp1, gpG, gp2", "a.asm:1:16", "'gpG' is not a gp register"),
        ("V_RED_MAX_IDX gp1, gp1, gp1, f8", "a.asm:1:30", "f8 does not exist"),
        ("S_ADD_INT gp1, f1, gp2", "a.asm:1:16", "'f1' is not a gp register"),
        ("S_ADDI_INT gp1, gp0, 262144", "a.asm:1:22", "262144 does not fit in 18 bits"),
        ("S_ADDI_INT gp1, gp0, -1", "a.asm:1:22", "-1 does not fit"),
        ("S_LUI_INT gp1, 0x400000", "a.asm:1:16", "does not fit in 22 bits"),
        ("S_ADDI_INT gp1, gp0, 1.5", "a.asm:1:22", "'1.5' is not an unsigned number"),
        ("S_ADD_INT gp1, gp0", "a.asm:1:1", "takes 3 operands (rd, rs1, rs2), got 2"),
        ("C_BREAK gp1", "a.asm:1:1", "takes 0 operands"),
        ("C_SET_CSR VX, gp0, 1", "a.asm:1:11", "'VX' is not one of VL"),
        ("C_SET_CSR 3, gp0, 1", "a.asm:1:11", "CSR 3 does not exist"),
        (",", "a.asm:1:1", "an instruction is expected"),
    ],
)
def test_errors_name_file_line_and_column(text, place, words):
    with pytest.raises(UsageError) as caught:
        assemble(text, "a.asm")
    assert str(caught.value).startswith(f"{place}: ")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_comments_and_blank_lines():
    assert assemble("; nothing\n\n  C_BREAK ; stop\n") == [0x38]


def test_a_broken_table_is_refused():
    row = isa.TABLE[0]
    with pytest.raises(ValueError, match="same opcode"):
        isa.check_table((row, replace(row, mnemonic="OTHER")))
    with pytest.raises(ValueError, match="same mnemonic"):
        isa.check_table((row, replace(row, opcode=0x3F)))
    with pytest.raises(ValueError, match="overlaps"):
        fields = (Operand(IMM18, Kind.IMM), Operand(RS3, Kind.GP))
        isa.check_table((replace(row, operands=fields),))


def test_opcodes_are_the_published_ones():
    published = {"S_ADD_INT": 0x21, "S_LD_FP": 0x1E, "V_RED_MAX_IDX": 0x34, "C_BREAK": 0x38}
    assert {name: isa.BY_MNEMONIC[name].opcode for name in published} == published


def test_all_opcodes_of_random_words_decode_by_mask_and_match():
    words = np.random.default_rng(0).integers(0, 1 << 32, 20_000).tolist()
    for word in words:
        rows = [row for row in isa.TABLE if word & 0x3F == row.opcode and row.legal(word)]
        assert isa.decode(word) is (rows[0] if rows else None)
