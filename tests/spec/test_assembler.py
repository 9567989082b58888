"""The assembler: published words, round trips, expressions, names, includes, errors."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from unmask.spec import isa
from unmask.spec.assembler import assemble, disassemble
from unmask.spec.assembly import source
from unmask.spec.assembly.expressions import ExpressionError, evaluate
from unmask.spec.encoding import CSRS
from unmask.spec.errors import UsageError

# Lines as published sampling programs have them, and their words by the published layout:
# op[5:0] rd[9:6] rs1[13:10] rs2[17:14] rs3[21:18] rs4[25:22]; imm22 [31:10], imm18 [31:14],
# imm14 [31:18]. The numbers are written out here, and shared with nothing.
PUBLISHED = (
    ("S_ADDI_INT gp1, gp0, 4096 ", 0x22 | 1 << 6 | 0 << 10 | 4096 << 14),
    ("S_ADDI_INT gp1, gp0, 64", 0x22 | 1 << 6 | 64 << 14),
    ("S_LUI_INT gp1, 30 ", 0x25 | 1 << 6 | 30 << 10),
    ("S_LUI_INT gpA, 31", 0x25 | 10 << 6 | 31 << 10),
    ("C_SET_SCALE_REG gp1 ", 0x2C | 1 << 6),
    ("C_SET_STRIDE_REG gp2 ", 0x2D | 2 << 6),
    ("C_SET_V_MASK_REG gp2", 0x2E | 2 << 6),
    ("C_SET_ADDR_REG a1, gp0, gp1 ", 0x2B | 1 << 6 | 0 << 10 | 1 << 14),
    ("H_PREFETCH_V gp3, gp2, a0, 1, 0 ", 0x29 | 3 << 6 | 2 << 10 | 0 << 14 | 1 << 18 | 0 << 22),
    ("H_PREFETCH_V gp3, gp2, a1, 0, 1", 0x29 | 3 << 6 | 2 << 10 | 1 << 14 | 0 << 18 | 1 << 22),
    ("H_STORE_V gp3, gp2, a2, 1, 0", 0x2A | 3 << 6 | 2 << 10 | 2 << 14 | 1 << 18),
    ("S_ADD_FP f1, f0, f0 ", 0x17 | 1 << 6),
    ("S_ADD_INT gp7, gp0, gp0 ", 0x21 | 7 << 6),
    ("S_ADD_INT gp8,  gp0, gp0 ", 0x21 | 8 << 6),
    ("V_RED_MAX_IDX gp7, gp1, gp8, f1", 0x34 | 7 << 6 | 1 << 10 | 8 << 14 | 1 << 18),
    ("V_RED_MAX f1, gp2, 0", 0x16 | 1 << 6 | 2 << 10),
    ("V_RED_MAX f1, gp2,0", 0x16 | 1 << 6 | 2 << 10),
    ("V_RED_MAX f1, gp2, 0, 0", 0x16 | 1 << 6 | 2 << 10),
    ("V_SUB_VF gp1, gp1, f1, 0", 0x10 | 1 << 6 | 1 << 10 | 1 << 14),
    ("V_SUB_VF gp1, gp1, f1, 0, 1", 0x10 | 1 << 6 | 1 << 10 | 1 << 14 | 0 << 18 | 1 << 22),
    ("V_SUB_VF gp1, gp1, f1, 1, 0", 0x10 | 1 << 6 | 1 << 10 | 1 << 14 | 1 << 18),
    ("V_EXP_V gp1, gp1, 0 ", 0x13 | 1 << 6 | 1 << 10),
    ("V_EXP_V gp1, gp2, 1", 0x13 | 1 << 6 | 2 << 10 | 1 << 18),
    ("V_RED_SUM f2, gp1", 0x15 | 2 << 6 | 1 << 10),
    ("S_RECI_FP f2, f2 ", 0x1C | 2 << 6 | 2 << 10),
    ("S_LD_FP f1, gp0, 2", 0x1E | 1 << 6 | 2 << 14),
    ("S_ST_FP f2, gp0, 3 ", 0x1F | 2 << 6 | 0 << 10 | 3 << 14),
    ("S_ST_INT gp7, gp0, 5 ", 0x27 | 7 << 6 | 0 << 10 | 5 << 14),
    ("S_LD_INT gp7, gp1, 5", 0x26 | 7 << 6 | 1 << 10 | 5 << 14),
    ("S_MAP_V_FP gpA, gp0, 0, gpB ", 0x20 | 10 << 6 | 0 << 10 | 11 << 14),
    ("S_MAP_V_FP gpA, gp0, 7", 0x20 | 10 << 6 | 0 << 10 | 7 << 18),
    (
        "V_TOPK_MASK gp4, gpA, gp2, gp5, gpB",
        0x36 | 4 << 6 | 10 << 10 | 2 << 14 | 5 << 18 | 11 << 22,
    ),
    ("V_TOPK_MASK gp4, gp10, gp2, gp5", 0x36 | 4 << 6 | 10 << 10 | 2 << 14 | 5 << 18),
    (
        "S_SELECT_INT gp9, gp9, gp8, gp2, gpB",
        0x37 | 9 << 6 | 9 << 10 | 8 << 14 | 2 << 18 | 11 << 22,
    ),
    ("S_SELECT_INT gp9, gp9, gp8, gp2", 0x37 | 9 << 6 | 9 << 10 | 8 << 14 | 2 << 18),
    ("C_LOOP_START gp5, 8", 0x2F | 5 << 6 | 8 << 10),
    ("C_LOOP_END gp4, 0", 0x30 | 4 << 6),
    ("C_BREAK 0, 0, 0", 0x38),
    ("C_BREAK", 0x38),
)

# Ours, by the same layout: fn is [31:26], clear bit 26, a relation [28:26], its sources [31:29].
OWN = (
    ("C_SET_CSR VL, gp0, 8", 0x39 | 0 << 6 | 0 << 10 | 8 << 14),
    ("C_SET_CSR FMT1, gp3", 0x39 | 6 << 6 | 3 << 10),
    ("C_SET_CSR 6, gp3, 0, 0", 0x39 | 6 << 6 | 3 << 10),
    ("C_SET_VL gp1", 0x39 | 1 << 10),
    ("C_SET_VL gp1, 5 * 4", 0x39 | 1 << 10 | 20 << 14),
    ("V_RED_SM gp1, gp2, gp3", 0x3A | 1 << 6 | 2 << 10 | 3 << 18),
    ("H_RED_SM gp1, gp2, a3, gp4, E4M3_B32, 1",
     0x3B | 1 << 6 | 2 << 10 | 3 << 14 | 4 << 18 | 1 << 22 | 1 << 26),
    ("H_RED_SM gp1, gp2, a3, gp4, 2 + 1", 0x3B | 1 << 6 | 2 << 10 | 3 << 14 | 4 << 18 | 3 << 22),
    ("V_CMP_MASK_VF gp1, gp2, f3, LE, gp4",
     0x3E | 1 << 6 | 2 << 10 | 3 << 14 | 4 << 22 | 4 << 26 | 1 << 29),
    ("V_CMP_MASK_II gp1, gp2, gp3, 5, gp0", 0x3E | 1 << 6 | 2 << 10 | 3 << 14 | 5 << 26 | 3 << 29),
    ("S_SM_ST_IDX gp1, gp2", 0x3C | 1 << 6 | 2 << 10 | 7 << 26),
)  # fmt: skip


@pytest.mark.parametrize(("text", "word"), (*PUBLISHED, *OWN))
def test_frozen_words(text, word):
    assert assemble(text) == [word]


# -- round trips --


@st.composite
def legal_words(draw, row):
    word = row.match
    for operand in row.operands:
        values = st.integers(0, (1 << operand.field.width) - 1)
        if operand.choices is not None:
            values = st.sampled_from(sorted(operand.choices.values()))
        word |= draw(values.filter(operand.legal)) << operand.field.low
    return word


@given(data=st.data())
@settings(max_examples=25)
@pytest.mark.parametrize("row", list(isa.TABLE), ids=lambda row: row.mnemonic)
def test_every_row_round_trips(row, data):
    word = data.draw(legal_words(row))
    text = disassemble(word)
    assert text.count(",") == max(len(row.operands) - 1, 0)  # defaults too
    assert assemble(text) == [word]
    assert isa.decode(word) is row


@given(word=st.integers(0, 0xFFFFFFFF))
@example(0)
@example(0xFFFFFFFF)
def test_any_word_round_trips(word):
    text = disassemble(word)
    assert assemble(text) == [word]
    assert text.startswith(f".word 0x{word:08x}") == (isa.decode(word) is None)


def test_disassembly_names_choices():
    assert disassemble(assemble("H_RED_SM gp1, gp2, a3, gp4, 1")[0]) == (
        "H_RED_SM gp1, gp2, a3, gp4, E4M3_B32, 0"
    )
    assert disassemble(assemble("C_SET_CSR 4, gpC")[0]) == "C_SET_CSR ROWS, gpC, 0"


# -- expressions --


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 + 2 * 3", 7),
        ("(1+2)*3", 9),
        ("10 - 3 - 2", 5),
        ("7 / 2 * 2", 6),
        ("-7 / 2", -4),
        ("-7 % 4", 1),
        ("1 << 4 + 1", 32),
        ("0x1F & ~0b11 | 1", 0x1D),
        ("1 | 2 & 3 << 1", 3),
        ("256 >> 2 >> 1", 32),
        ("- -3", 3),
        ("0XfF", 255),
        ("010", 10),
        ("a + b_1 % 5", 12),
        ("1<<63", 1 << 63),
        ("\t( ( 5 ) ) ", 5),
    ],
)
def test_expressions(text, value):
    assert evaluate(text, {"a": 10, "b_1": 7}.__getitem__) == value


@pytest.mark.parametrize(
    ("text", "offset", "message"),
    [
        ("1 +", 3, "is expected"),
        ("", 0, "is expected"),
        ("* 2", 0, "not '*'"),
        ("(1", 0, "no ')'"),
        ("1)", 1, "not ')'"),
        ("2 3", 2, "an operator is expected"),
        ("1 / (2-2)", 2, "division by zero"),
        ("5 % 0", 2, "division by zero"),
        ("1 << 65", 2, "a shift by 65"),
        ("1 >> -1", 2, "a shift by -1"),
        ("1 << 64", 2, "over 64 bits"),
        ("99999999999999999999", 0, "over 64 bits"),
        ("1" * 5000, 0, "is not a number"),
        ("0xG", 0, "'0xG' is not a number"),
        ("0b12", 0, "is not a number"),
        ("1.5", 1, "unexpected '.5'"),
        ("a = 1", 2, "unexpected '= 1'"),
        ("1 ++ b", 5, "no b"),
        ("(" * 2000, 32, "nested"),
        ("-" * 2000 + "1", 32, "nested"),
        ("²", 0, "unexpected"),
    ],
)
def test_wrong_expressions_name_their_place(text, offset, message):
    def lookup(name):
        if name == "a":
            return 1
        raise KeyError(f"no {name}")

    with pytest.raises(ExpressionError) as caught:
        evaluate(text, lookup)
    assert message in str(caught.value)
    assert caught.value.offset == offset


_numbers = st.integers(0, 1000).map(str)
_expressions = st.recursive(
    _numbers,
    lambda inner: (
        st.tuples(inner, st.sampled_from(["+", "-", "*", "&", "|"]), inner).map(
            lambda parts: f"({parts[0]} {parts[1]} {parts[2]})"
        )
        | inner.map(lambda text: f"~{text}")
    ),
    max_leaves=8,
)


@given(left=_expressions, sign=st.sampled_from(["+", "*", "<<", "|", "&", "-"]), right=_numbers)
def test_expressions_equal_pythons(left, sign, right):
    text = f"{left} {sign} {int(right) % 60} {sign} 3"
    expected = eval(text)  # the operators bind alike in Python
    try:
        assert evaluate(text, lambda name: 0) == expected
    except ExpressionError as error:
        assert "over 64 bits" in str(error)


@given(text=st.text(alphabet='01 9xab+-*/%<>&|~(),;:.gpf_"', max_size=30))
def test_any_text_assembles_or_is_a_usage_error(text):
    for line in (text, f"S_ADDI_INT gp1, gp0, {text}", f".equ a, {text}"):
        try:
            words = assemble(line, "a.asm")
        except UsageError as error:
            assert str(error).startswith("a.asm:1:") and "\n" not in str(error)
        else:
            assert all(0 <= word < 1 << 32 for word in words)


# -- names --


def test_labels_and_equates_in_any_order():
    words = assemble(
        """
        ; labels count words, not lines
        start: S_ADDI_INT gp1, gp0, end - start  // forward
        .equ TWICE, HALF * 2 ; so do names
        .word TWICE
        .equ HALF, end + 1
        here: there:
        end: S_LUI_INT gp1, there
        """
    )
    assert words == [0x22 | 1 << 6 | 2 << 14, 6, 0x25 | 1 << 6 | 2 << 10]


def test_comments_blank_lines_and_line_ends():
    assert assemble("; nothing\r\n\r\n  C_BREAK ; stop; // twice\r// C_BREAK\n") == [0x38]
    assert assemble(".word 8 / 2 // 3") == [4]


def test_a_negative_part_of_an_expression_that_ends_in_range():
    assert assemble("S_ADDI_INT gp0, gp0, -1 + 3") == [0x22 | 2 << 14]


@pytest.mark.parametrize("name", [*CSRS, "GE", "E4M3_B32", "C_SET_VL", "gpA", "f1"])
def test_names_with_a_meaning_are_reserved(name):
    """Else `C_SET_CSR VL, gp0, VL` would mean two things by one name."""
    for text, column in ((f".equ {name}, 2", 6), (f"  {name}: C_BREAK", 3)):
        with pytest.raises(UsageError) as caught:
            assemble(text, "a.asm")
        assert str(caught.value) == f"a.asm:1:{column}: {name!r} is reserved; take another name"


def test_names_that_wait_for_many_others():
    count = 3000
    chain = "".join(f".equ N{n}, N{n + 1} + 1\n" for n in range(count))
    assert assemble(f"{chain}.equ N{count}, 0\n.word N0") == [count]


# -- include --


def test_include_beside_the_including_file(tmp_path):
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "a;b.inc").write_text('.include "c.inc"\n.equ B, C + 1\n')
    (tmp_path / "parts" / "c.inc").write_text("\ufeff.equ C, 4\nC_BREAK\n", encoding="utf-8")
    text = '.include "parts//a;b.inc" ; comment\n.word B\nend: .word end'
    assert assemble(text, str(tmp_path / "main.asm")) == [0x38, 5, 2]


def test_errors_in_included_files_name_them(tmp_path):
    (tmp_path / "a.inc").write_text('C_BREAK\n  .include "b.inc"\n')
    (tmp_path / "b.inc").write_text("C_BREAK\n.equ X, Y\n")
    with pytest.raises(UsageError) as caught:
        assemble('.include "a.inc"', str(tmp_path / "main.asm"))
    assert str(caught.value) == f"{tmp_path}/b.inc:2:9: unknown name 'Y'"


def test_include_errors_name_the_line(tmp_path):
    main = tmp_path / "main.asm"
    main.write_text('.include "a.inc"\n')
    (tmp_path / "a.inc").write_text('\n .include "../' + tmp_path.name + '/main.asm"')
    (tmp_path / "latin").write_bytes(b"\xff")
    for number in range(20):
        (tmp_path / f"deep{number}").write_text(f'.include "deep{number + 1}"')
    for text, place, message in (
        (main.read_text(), f"{tmp_path}/a.inc:2:2", "includes itself"),
        ('C_BREAK\n.include "none"', f"{main}:2:1", "none: cannot read: No such file"),
        ('.include "."', f"{main}:1:1", "cannot read: Is a directory"),
        ('.include "latin"', f"{main}:1:1", "latin: not UTF-8 text"),
        ('.include "a\0b"', f"{main}:1:1", "is no file name"),
        (".include none", f"{main}:1:1", "takes a file name"),
        (".include", f"{main}:1:1", "takes a file name"),
        ('x: .include "a.inc"', f"{main}:1:4", "must stand alone"),
        ('.include "deep0"', f"{tmp_path}/deep15:1:1", "over 16 deep"),
    ):
        with pytest.raises(UsageError) as caught:
            assemble(text, str(main))
        assert str(caught.value).startswith(f"{place}: "), text
        assert message in str(caught.value)


def test_included_files_and_lines_are_bounded_in_total(tmp_path, monkeypatch):
    for depth in range(10):
        (tmp_path / f"d{depth}").write_text(f'.include "d{depth + 1}"\n' * 10)
    (tmp_path / "d10").write_text("")
    with pytest.raises(UsageError, match=r"d9:4:1: the program includes over 1000 files$"):
        assemble('.include "d0"', str(tmp_path / "main.asm"))
    (tmp_path / "one").write_text("C_BREAK")
    main = str(tmp_path / "main.asm")
    assert len(assemble('.include "one"\n' * 1000, main)) == 1000
    monkeypatch.setattr(source, "MOST_LINES", 6)
    assert len(assemble('.include "one"\n' * 2 + "C_BREAK\n", main)) == 3
    with pytest.raises(UsageError) as caught:
        assemble('.include "one"\n' * 3, main)
    assert str(caught.value).startswith(f"{main}:4: the program has over 6 lines")
    monkeypatch.setattr(source, "MOST_BYTES", 6)
    with pytest.raises(UsageError, match=r"main.asm:1:1: .include: .*one: over 6 bytes of text"):
        assemble('.include "one"', main)


# -- errors --


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("C_BREAK\n V_RED_MAXIDX gp1", "2:2", "did you mean V_RED_MAX_IDX"),
        ("c_break", "1:1", "did you mean C_BREAK"),
        ("C_SET_VLL gp1", "1:1", "did you mean C_SET_VL"),
        ("FOO", "1:1", "unknown mnemonic 'FOO'"),
        ("S_ADD_INT gp1, gp16, gp2", "1:16", "gp16 does not exist"),
        ("S_ADD_INT gp1, gpG, gp2", "1:16", "'gpG' is not a gp register"),
        ("S_ADD_INT gp1, gp01, gp2", "1:16", "'gp01' is not a gp register"),
        ("V_RED_MAX_IDX gp1, gp1, gp1, f8", "1:30", "f8 does not exist"),
        ("H_PREFETCH_V gp1, gp1, a8", "1:24", "a8 does not exist (a0 to a7)"),
        ("H_PREFETCH_V gp1, gp1, gp1", "1:24", "'gp1' is not an a register"),
        ("S_ADD_INT gp1, f1, gp2", "1:16", "'f1' is not a gp register"),
        ("S_ADD_INT gp1, 1, gp2", "1:16", "'1' is not a gp register"),
        ("S_ADDI_INT gp1, gp0, 262144", "1:22", "262144 does not fit in 18 bits (0 to 262143)"),
        ("S_ADDI_INT gp1, gp0, -1", "1:22", "-1 does not fit"),
        ("S_ADDI_INT gp1, gp0, gp2", "1:22", "unknown name 'gp2'"),
        ("S_ADDI_INT gp1, gp0, 2 * NONE", "1:26", "imm18: unknown name 'NONE'"),
        ("S_ADDI_INT gp1, gp0,", "1:21", "a name or '(' is expected"),
        ("S_ADDI_INT gp1,, 3", "1:16", "'' is not a gp register"),
        ("S_LUI_INT gp1, 0x400000", "1:16", "does not fit in 22 bits"),
        ("S_MAP_V_FP gp1, gp1, 1 << 14", "1:22", "16384 does not fit in 14 bits"),
        ("S_ADD_INT gp1, gp0", "1:1", "takes 3 operands (rd, rs1, rs2), got 2"),
        ("V_CMP_MASK_VV gp1, gp2, gp3", "1:1", "takes 4 to 5 operands"),
        ("V_SUB_VF gp1, gp2", "1:1", "takes 3 to 5 operands"),
        ("C_BREAK gp1", "1:1", "takes 0 operands (none), got 1"),
        ("C_BREAK 0, 1", "1:1", "takes 0 operands"),
        ("C_LOOP_END gp1, 0x0", "1:1", "takes 1 operands"),
        ("C_SET_CSR VX, gp0, 1", "1:11", "'VX' is not one of VL, STRIDE"),
        ("C_SET_CSR 99, gp0, 1", "1:11", "CSR 99 does not exist"),
        ("C_SET_CSR -1, gp0, 1", "1:11", "CSR -1 does not exist"),
        ("C_SET_VL 8", "1:10", "'8' is not a gp register"),
        ("V_EXP_V gp1, gp2, 2", "1:19", "value 2 does not exist; there are: 0, 1"),
        ("H_RED_SM gp1, gp2, a0, gp0, E4M3", "1:29", "'E4M3' is not one of BF16, E4M3_B32"),
        (",", "1:1", "an instruction is expected"),
        ("x: , C_BREAK", "1:4", "an instruction is expected"),
        ("x: C_BREAK\nx: C_BREAK", "2:1", "'x' is defined already, at a.asm:1"),
        ("x:\n.equ x, 1", "2:6", "'x' is defined already, at a.asm:1"),
        ("gp3: C_BREAK", "1:1", "'gp3' is reserved"),
        (".equ GE, 1", "1:6", "'GE' is reserved"),
        ("C_BREAK: C_BREAK", "1:1", "'C_BREAK' is reserved"),
        ("1x: C_BREAK", "1:1", "'1x' cannot be a label"),
        (".equ 1x, 1", "1:6", "'1x' is no name"),
        (".equ A", "1:1", ".equ takes a name and an expression, got 1"),
        (".equ A, B\n.equ B, A", "2:9", "'A' is defined by itself"),
        (".equ A, A", "1:9", "'A' is defined by itself"),
        (".equ A, 1/0", "1:10", "division by zero"),
        ("count: .word counts", "1:14", "unknown name 'counts'; did you mean count?"),
        (".word", "1:1", ".word takes one expression, got 0"),
        (".word 1, 2", "1:1", ".word takes one expression, got 2"),
        (".word 1 << 32", "1:7", "4294967296 does not fit in 32 bits"),
        (".word -1", "1:7", "-1 does not fit"),
        (".words 1", "1:1", "unknown directive '.words'; there are .equ, .include, .word"),
    ],
)
def test_errors_name_file_line_and_column(text, place, words):
    with pytest.raises(UsageError) as caught:
        assemble(text, "a.asm")
    assert str(caught.value).startswith(f"a.asm:{place}: ")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
