"""The manual: committed pages are the table's, examples run, pseudocode follows the source."""

import copy
import re

import pytest

from unmask.spec import isa
from unmask.spec.errors import UsageError
from unmask.spec.manual import examples
from unmask.spec.manual import pages as manual
from unmask.spec.manual.pseudocode import Reader
from unmask.spec.vectors import EACH, WHOLE


@pytest.fixture(scope="module")
def pages():
    return manual.pages()


def test_committed_pages_are_what_the_table_gives(tmp_path, pages):
    assert manual.stale() == [], "run python -m unmask.spec manual"
    for name, text in pages.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert manual.stale(tmp_path) == []
    (tmp_path / "isa.md").write_text("old", encoding="utf-8")
    (tmp_path / "isa.html").unlink()
    assert manual.stale(tmp_path) == ["isa.md", "isa.html"]


@pytest.mark.parametrize("vectors", [EACH, WHOLE], ids=["each", "whole"])
@pytest.mark.parametrize("row", list(isa.TABLE), ids=lambda row: row.mnemonic)
def test_every_instruction_has_an_example_that_holds(row, vectors):
    example = examples.read(examples.path(row.mnemonic))
    assert examples.contains(example, row.mnemonic)
    examples.check(example, vectors)


def test_no_example_without_an_instruction():
    assert {path.stem for path in examples.FOLDER.iterdir()} == set(isa.BY_MNEMONIC)


def test_every_expectation_can_fail():
    """A value that is off by one is noticed, wherever an example expects one."""
    for row in isa.TABLE:
        example = examples.read(examples.path(row.mnemonic))
        for place, register in enumerate(example.registers):
            wrong = copy.deepcopy(example)
            wrong.registers[place] = examples.Register(
                register.name, register.value ^ 1, register.line
            )
            with pytest.raises(UsageError, match=register.name):
                examples.check(wrong, WHOLE)
        for place, elements in enumerate(example.elements):
            wrong = copy.deepcopy(example)
            values = (elements.values[0] ^ 1, *elements.values[1:])
            wrong.elements[place] = examples.Elements(
                elements.memory, elements.address, values, elements.line
            )
            with pytest.raises(UsageError, match=f":{elements.line}: {elements.memory}"):
                examples.check(wrong, WHOLE)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (";! vlen x", "e.asm:1: invalid literal"),
        ("\n;! load vectr 0: 1.0", "e.asm:2: 'vectr' is no memory; there are: vector"),
        (";! load vector 0: 0.1", "e.asm:1: 0.1 is no BF16 value; the nearest is 0.1000"),
        (";! load int 0: 4294967296", "e.asm:1: 4294967296 does not fit in 32 bits"),
        (";! load hbm 0: 256", "e.asm:1: 256 does not fit in 8 bits"),
        (";! expect gp16 = 1", "e.asm:1: 'gp16' is no register and no CSR"),
        (";! trap NOPE", "e.asm:1: 'NOPE' is no trap; there are: NONE, ILLEGAL"),
        (";! expects gp1 = 1", "e.asm:1: 'expects gp1 = 1': expected a size, load, expect or trap"),
        ("C_BREAK", "e.asm: nothing is expected"),
    ],
)
def test_errors_in_directives_name_the_line(text, message):
    with pytest.raises(UsageError) as caught:
        examples.parse(text, "e.asm")
    assert str(caught.value).startswith(message)


def test_an_example_may_end_in_a_trap():
    text = "S_LD_FP f1, gp0, 1024\nC_BREAK\n;! expect f1 = 0.0\n"
    with pytest.raises(UsageError, match="ended with RANGE at pc 0, expected NONE"):
        examples.check(examples.parse(text))
    examples.check(examples.parse(f"{text};! trap RANGE"))


# Pseudocode as it must come out, one for each kind of rule.
OPERATIONS = {
    "S_ADD_INT": ["gp[rd] <- gp[rs1] + gp[rs2]"],
    "S_LD_FP": ["f[rd] <- fp[gp[rs1] + imm18]"],
    "S_ST_INT": ["int[gp[rs1] + imm18] <- gp[rd]"],
    "C_SET_ADDR_REG": ["a[rd] <- {gp[rs1], gp[rs2]}"],
    "C_SET_STRIDE_REG": ["csr.STRIDE <- gp[rd]"],
    "C_BREAK": ["stop"],
    "S_SM_CLEAR": ["state[gp[rs1] mod 4] <- SoftmaxState.empty(state[gp[rs1] mod 4].key)"],
    "V_ADD_VF": [  # `scalar` and the missing rorder are settled
        "length <- VL",
        "first <- vector[gp[rs1] .. + length]",
        "second <- f[rs2]",
        "values <- for each element: arith.add(first, second)",
        "vector[gp[rd] ..] <- values where rules.enabled(length)",
    ],
    "V_SELECT_VVM": [  # a comprehension over names, a helper, a lambda
        "length <- VL",
        "yes <- vector[gp[rs1] .. + length]",
        "no <- vector[gp[rs2] .. + length]",
        "mask <- vector[gp[rs3] .. + length]",
        "values <- for each element: yes if rules.is_set(mask) else no",
        "vector[gp[rd] ..] <- values",
    ],
}


@pytest.mark.parametrize(("mnemonic", "lines"), OPERATIONS.items())
def test_operations(mnemonic, lines):
    row = isa.BY_MNEMONIC[mnemonic]
    assert Reader(row).operation(row.semantics) == lines


def test_an_operation_follows_its_source():
    """Two rows of one function with other free variables differ just there."""
    add, sub = (isa.BY_MNEMONIC[name] for name in ("V_ADD_VV", "V_SUB_VV"))
    texts = ["\n".join(Reader(row).operation(row.semantics)) for row in (add, sub)]
    assert texts[0].replace("arith.add", "arith.sub") == texts[1] != texts[0]


def test_conditions():
    row = isa.BY_MNEMONIC["V_RED_MAX_IDX"]
    found = [(x.cause, x.lines) for x in manual.conditions(row, Reader(row))]
    assert found == [
        ("MISALIGNED", ("(gp[rs1] & (VLEN - 1)) != 0",)),
        ("RANGE", ("u34(gp[rs1]) + u34(VL) > size(vector)",)),
    ]


def test_fields_fill_the_word():
    for row in isa.TABLE:
        drawn = manual.boxes(row)
        assert [box.low for box in drawn[:-1]] == [box.high + 1 for box in drawn[1:]]
        assert (drawn[0].high, drawn[-1].low) == (31, 0)
        unused = sum(((1 << x.high - x.low + 1) - 1) << x.low for x in drawn if x.unused)
        assert unused == ~row.used & 0xFFFFFFFF


def test_links_lead_somewhere(pages):
    page = pages["isa.html"]
    places = re.findall(r'id="([^"]+)"', page)
    assert len(places) == len(set(places))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(places)
    text = pages["isa.md"]
    headings = {manual.anchor(x) for x in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= headings


def test_pages_are_whole(pages):
    for row in isa.TABLE:
        assert f"\n### {row.mnemonic}\n" in pages["isa.md"]
        assert f'id="{manual.anchor(row.mnemonic)}"' in pages["isa.html"]
    for page in pages.values():
        assert " at 0x" not in page and "operand(" not in page  # objects, unresolved names
    assert "<script" not in pages["isa.html"] and "http" not in pages["isa.html"]
