"""`python -m unmask.model lint`: it is silent about our programs, and names each mistake's line."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from unmask.model import settings
from unmask.model.commands.lines import word_lines
from unmask.model.lint import ERROR, NOTE, WARNING, lint
from unmask.model.walk import walk
from unmask.spec.assembler import assemble
from unmask.spec.programs import argmax, denoise, prefetch, published, stream
from unmask.spec.programs.choice import FACTOR, QUOTA, above, not_below
from unmask.spec.programs.published import Sampling
from unmask.spec.programs.step import Step
from unmask.tests.model.commands import call

CORE, MEMORY = settings.core(vlen=8, vector_rows=1024), settings.profile("hbm2e-819")
CHOICES = (QUOTA, FACTOR, not_below(0.9), above(0.5, edit_tau=0.8))


def findings(text, given=None, **more):
    return lint(assemble(text), CORE, MEMORY, given, **more)


def serious(text, given=None):
    return [
        (one.severity, one.pc, one.text) for one in findings(text, given) if one.severity != NOTE
    ]


# -- our own programs --


@pytest.mark.parametrize("choice", CHOICES, ids=lambda choice: f"{choice.rule}-{choice.edits}")
@pytest.mark.parametrize(("batch", "rows", "vocabulary"), [(2, 5, 100), (1, 32, 96), (3, 2, 64)])
@pytest.mark.parametrize("form", ["BF16", "E4M3_B32"])
def test_denoising_programs_are_clean(batch, rows, vocabulary, choice, form):
    step = Step(batch, rows, vocabulary, 3, choice, 128, 0, form, 1 << 20, 8)
    for text in (
        stream.program(step),
        prefetch.program(step, 4),
        denoise.program(step, 3, 1 << 16),
    ):
        assert serious(text) == []


IN_VAIN = r"reads vector\[32:\d+\], which nothing has written, each time"


@pytest.mark.parametrize(("batch", "vocabulary"), [(1, 100), (1, 8), (3, 64)])
def test_of_a_single_row_there_is_nothing_to_overlap(batch, vocabulary):
    """A stream's state is read at once; the one reduction before the first row is in vain."""
    step = Step(batch, 1, vocabulary, 3, QUOTA, 128, 0, "BF16", 1 << 20, 8)
    for text, allowed in (
        (stream.program(step), "reads state 0 right behind" if batch > 1 else ""),
        (denoise.program(step, 3, 1 << 16), "reads state 0 right behind"),
        (prefetch.program(step, 4), IN_VAIN if batch == 1 else ""),
    ):
        found = serious(text)
        assert len(found) == bool(allowed)
        assert all(s == WARNING and re.match(allowed, why) for s, _, why in found)


@pytest.mark.parametrize("chunks", [4, None])
@pytest.mark.parametrize("rows", [1, 2, 5])
def test_published_programs_are_clean_but_for_their_start_from_zero(chunks, rows):
    """The host gives the mask; without it, nobody does."""
    sampling = Sampling(rows, 8 * 13, 8, chunks, 1)
    mask = {"vector": [(sampling.mask, sampling.mask + rows)]}
    assert serious(published.program(sampling), mask) == []
    found = serious(published.program(sampling))
    assert {severity for severity, _, _ in found} == {ERROR}
    assert all(f"reads vector[{sampling.mask}:" in why for _, _, why in found)
    text = published.program(replace(sampling, from_zero=True))
    found = serious(text, mask)
    assert found and all(severity == ERROR and "+0.0 in f1" in why for severity, _, why in found)
    words = [line.split()[0] for line in text.splitlines() if not line.startswith(";")]
    assert {words[pc] for _, pc, _ in found} == {"V_RED_MAX_IDX"}


@pytest.mark.parametrize("strip", [None, 16])
def test_the_argmax_is_clean_where_the_host_gives_the_logits(strip):
    text = argmax.argmax_rows(3, 100, 8, strip)
    assert serious(text, {"vector": [(0, 3 * 104)]}) == []
    assert any("which nothing has written" in why for _, _, why in serious(text))


# -- mistakes --

HEAD = "C_SET_ADDR_REG a0, gp0, gp0\nC_SET_CSR VL, gp0, 64\n"
FETCH, STREAM = "H_PREFETCH_V gp0, gp0, a0, 0, 0\n", "H_RED_SM gp2, gp0, a0, gp0, BF16, 1\n"
REDUCE = "V_RED_SM gp0, gp0, gp0, 1\nS_SM_ST_KEY gp0, gp0\n"
NEXT = "S_ADDI_INT gp2, gp2, 1\n"
EIGHT = "S_ADDI_INT gp1, gp0, 8\nS_ADDI_INT gp2, gp0, 5\nS_ADDI_INT gp7, gp0, 16\n"
TURNS = "C_LOOP_START gp4, 3\nV_RED_SUM f1, gp5, 0\nS_ST_FP f1, gp0, 1\n{}\nC_LOOP_END gp4\nC_BREAK"
MISTAKES = {
    "maximum-from-zero": (
        "S_LD_FP f2, gp0, 0\nS_MAX_FP f1, f1, f2\nS_ST_FP f1, gp0, 1\nC_BREAK", ERROR, 1, "+0.0",
    ),
    "fetched-over": (HEAD + FETCH + FETCH + REDUCE + "C_BREAK", ERROR, 3, "word 2 fetched"),
    "fetched-in-vain": (HEAD + FETCH + REDUCE + FETCH + "C_BREAK", ERROR, 5, "nobody reads"),
    "never-written": (
        HEAD + "S_LD_FP f1, gp0, 0\nV_RED_SUM f1, gp0, 0\nS_ST_FP f1, gp0, 1\nC_BREAK",
        ERROR, 3, "vector[0:64], which nothing has written, each time",
    ),
    "state-lost": (
        HEAD + STREAM + STREAM + "S_SM_ST_KEY gp0, gp2\nC_BREAK", ERROR, 3, "word 2 filled",
    ),
    "state-unread": (HEAD + STREAM + "C_BREAK", ERROR, 2, "fills state 0, and nobody reads"),
    "wrong-state": (
        HEAD + STREAM + "S_ADDI_INT gp3, gp0, 1\nS_SM_ST_KEY gp0, gp3\nC_BREAK",
        ERROR, 2, "fills state 0",
    ),
    "no-state": ("S_SM_ST_KEY gp0, gp0\nC_BREAK", ERROR, 0, "nothing has filled"),
    "no-lag": (
        HEAD + "C_LOOP_START gp4, 5\n" + STREAM + "S_SM_ST_KEY gp0, gp2\n" + NEXT
        + "C_LOOP_END gp4\nC_BREAK", WARNING, 4, "right behind its stream",
    ),
    "no-turns": (
        "C_LOOP_START gp4, 0\n" + NEXT + "C_LOOP_END gp4\nC_BREAK", WARNING, 0, "no iterations",
    ),
    "unreachable": ("C_BREAK\n" + NEXT, WARNING, 1, "never runs"),
    "register-unread": ("S_ADDI_INT gp5, gp0, 7\nC_BREAK", WARNING, 0, "never read"),
    "vector-unread": (
        "S_LD_FP f1, gp0, 0\nS_MAP_V_FP gp0, gp0, 0\nC_BREAK", WARNING, 1, "never read",
    ),
    "loop-mismatch": ("C_LOOP_START gp4, 2\nC_LOOP_END gp5\nC_BREAK", ERROR, 1, "counts in gp5"),
    "no-break": ("S_ST_INT gp0, gp0, 0", ERROR, 0, "without C_BREAK"),
    "maximum-from-zero-of-a-row": (
        HEAD + FETCH + "V_RED_MAX f1, gp0, 0\nS_ST_FP f1, gp0, 1\nC_BREAK", ERROR, 3, "0.0 in f1",
    ),
    "maximum-from-zero-on-the-right": (
        "S_LD_FP f2, gp0, 0\nS_MAX_FP f1, f2, f1\nS_ST_FP f1, gp0, 1\nC_BREAK", ERROR, 1, "+0.0",
    ),
    "fetch-written-over": (
        HEAD + FETCH + "S_MAP_V_FP gp0, gp0, 0\n" + REDUCE + "C_BREAK", ERROR, 3,
        "writes over vector[0:8], which word 2 fetched",
    ),
    "state-emptied": (
        HEAD + STREAM + "S_SM_CLEAR gp2\n" + STREAM + "S_SM_ST_KEY gp0, gp2\nC_BREAK",
        ERROR, 3, "empties state 0, which word 2 filled",
    ),
    "unwritten-in-the-last-turn": (
        HEAD + FETCH + "S_ADDI_INT gp6, gp0, 64\nH_PREFETCH_V gp6, gp0, a0, 0, 0\n"
        + TURNS.format("S_ADDI_INT gp5, gp5, 64"),
        ERROR, 6, "vector[128:192], which nothing has written, 1 of 3 times",
    ),
    "unwritten-in-most-turns": (
        HEAD + FETCH + "S_ADDI_INT gp5, gp0, 128\nS_ADDI_INT gp6, gp0, 64\n"
        + TURNS.format("S_SUB_INT gp5, gp5, gp6"),
        ERROR, 6, "vector[128:192], which nothing has written, 2 of 3 times",
    ),
    "unwritten-operand": (
        HEAD + FETCH + "S_ADDI_INT gp1, gp0, 64\nV_ADD_VV gp0, gp1, gp0\n" + REDUCE + "C_BREAK",
        ERROR, 4, "vector[64:128], which nothing has written, each time",
    ),
    "gap-between-rows": (
        HEAD + "C_SET_CSR VL, gp0, 4\nC_SET_CSR ROWS, gp0, 2\n" + FETCH
        + "C_SET_CSR VL, gp0, 12\n" + REDUCE + "C_BREAK",
        WARNING, 6, "vector[0:12], which nothing has written, each time",
    ),
    "reduced-in-vain": (
        HEAD + REDUCE + "C_BREAK", WARNING, 2, "vector[0:64], which nothing has written",
    ),
    "buffers-overlap": (
        "C_SET_CSR VL, gp0, 16\n" + EIGHT + "S_MAP_V_FP gp0, gp0, 0, gp7\n"
        + "S_MAP_V_FP gp1, gp0, 0, gp7\nV_RED_SUM f1, gp0, 0\nV_RED_SUM f1, gp1, 0\n"
        + "S_ST_FP f1, gp0, 1\nC_BREAK", ERROR, 5, "the buffers overlap",
    ),
    "int-buffers-overlap": (
        EIGHT + "H_LD_INT gp2, gp0, a0, gp1\n" + "H_LD_INT gp0, gp0, a0, gp1\nC_BREAK",
        ERROR, 4, "int[0:8], a part of int[5:13], which word 3 wrote",
    ),
    "key-buffers-overlap": (
        EIGHT + "H_LD_KEY gp0, gp0, a0, gp1\n" + "H_LD_KEY gp2, gp0, a0, gp1\nC_BREAK",
        ERROR, 4, "the buffers overlap",
    ),
    "scales-among-elements": (
        "S_ADDI_INT gp1, gp0, 32\nC_SET_SCALE_REG gp1\n" + HEAD
        + "H_RED_SM gp2, gp0, a0, gp0, E4M3_B32, 1\nS_SM_ST_KEY gp0, gp2\nC_BREAK",
        ERROR, 4, "its scales, hbm[32:34], lie among its elements, hbm[0:64]",
    ),
    "no-lag-unrolled": (
        HEAD + "C_LOOP_START gp4, 3\n" + (STREAM + "S_SM_ST_KEY gp0, gp2\n" + NEXT) * 2
        + "C_LOOP_END gp4\nC_BREAK", WARNING, 7, "right behind its stream",
    ),
    "no-lag-in-two-loops": (
        HEAD + ("C_LOOP_START gp4, 4\n" + STREAM + "S_SM_ST_KEY gp0, gp2\n" + NEXT
        + "C_LOOP_END gp4\n") * 2 + "C_BREAK", WARNING, 4, "right behind its stream",
    ),
    "trap": ("S_ADDI_INT gp1, gp0, 9\nV_EXP_V gp1, gp1, 0\nC_BREAK", ERROR, 1, "MISALIGNED"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_found_at_its_word(name):
    text, severity, pc, why = MISTAKES[name]
    assert any((s, p) == (severity, pc) and why in t for s, p, t in serious(text)), findings(text)


def test_without_the_mistake_nothing_is_found():
    lagging = (
        STREAM + NEXT + "C_LOOP_START gp4, 5\n" + STREAM + "S_SM_ST_KEY gp3, gp3\n" + NEXT
        + "S_ADDI_INT gp3, gp3, 1\nC_LOOP_END gp4\nS_SM_ST_KEY gp3, gp3\nC_BREAK"
    )  # fmt: skip
    assert serious(HEAD + lagging) == []
    assert serious(HEAD + FETCH + REDUCE + FETCH + REDUCE + "C_BREAK") == []


NO_MISTAKES = {
    "clip": "S_LD_FP f2, gp0, 0\nS_MAX_FP f1, f2, f0\nS_ST_FP f1, gp0, 1\nC_BREAK",
    "clip-in-place": "S_LD_FP f1, gp0, 0\nS_MAX_FP f1, f1, f0\nS_ST_FP f1, gp0, 1\nC_BREAK",
    "clip-at-a-register": (
        "S_LD_FP f2, gp0, 0\nS_ADD_FP f3, f0, f0\nS_MAX_FP f1, f2, f3\nS_ST_FP f1, gp0, 1\nC_BREAK"
    ),
    "into-nothing": "S_LD_FP f2, gp0, 0\nS_MAX_FP f0, f0, f2\nC_BREAK",
    "first-turn": (
        HEAD + "C_LOOP_START gp4, 2\nV_RED_SUM f1, gp0, 0\n" + FETCH + "C_LOOP_END gp4\n"
        + REDUCE + "S_ST_FP f1, gp0, 1\nC_BREAK"
    ),
    "beginning-filled": (
        "C_SET_CSR VL, gp0, 16\nS_ADDI_INT gp7, gp0, 16\nS_MAP_V_FP gp0, gp0, 0, gp7\n"
        "S_MAP_V_FP gp0, gp0, 0\nV_RED_SUM f1, gp0, 0\nS_ST_FP f1, gp0, 1\nC_BREAK"
    ),
    "read-before": (
        "S_ADDI_INT gp1, gp0, 8\nS_ADDI_INT gp2, gp0, 5\nH_LD_INT gp0, gp0, a0, gp1\n"
        "S_LD_INT gp3, gp0, 2\nS_ST_INT gp3, gp0, 20\nH_LD_INT gp2, gp0, a0, gp1\nC_BREAK"
    ),
}  # fmt: skip


@pytest.mark.parametrize("text", NO_MISTAKES.values(), ids=NO_MISTAKES)
def test_what_looks_like_a_mistake_and_is_none(text):
    assert [one for one in serious(text) if "never read" not in one[2]] == []


def test_an_absurd_loop_is_reported_without_running_it():
    many = (1 << 22) - 1
    text = f"C_LOOP_START gp4, {many}\nC_LOOP_START gp5, {many}\nC_LOOP_END gp5\nC_LOOP_END gp4\n"
    words = assemble(text + "C_BREAK")
    assert walk(words).instructions == 2 + 2 * many + many * many
    found = lint(words, CORE, MEMORY, most=100)
    assert [one.severity for one in found] == [WARNING, NOTE]
    assert "as good as no end" in found[0].text and "beyond 100" in found[1].text


def test_what_depends_on_data_is_said_not_guessed():
    (found,) = findings("S_LD_INT gp1, gp0, 0\nS_LD_INT gp2, gp1, 0\nC_BREAK")
    assert found.severity == NOTE and found.pc == 1 and "depends on data" in found.text


# -- the command --

SOURCE = """; a program
.equ SIZE, 64
start: C_SET_CSR VL, gp0, SIZE   // one

  .include "part.inc"
end:
  V_RED_MAX_IDX gp2, gp0, gp0, f1
  S_ST_INT gp2, gp0, 0
  stop: C_BREAK
"""
PART = "\n.equ BASE, 0\nC_SET_ADDR_REG a0, gp0, gp0\nH_PREFETCH_V gp0, gp0, a0, 0, 0\n"


@pytest.fixture
def program(tmp_path):
    (tmp_path / "part.inc").write_text(PART)
    path = tmp_path / "program.asm"
    path.write_text(SOURCE)
    return path


def test_each_word_has_its_line(program):
    lines = [(line.file.rsplit("/", 1)[1], line.number) for line in word_lines(program)]
    assert lines == [
        ("program.asm", 3), ("part.inc", 3), ("part.inc", 4),
        ("program.asm", 7), ("program.asm", 8), ("program.asm", 9),
    ]  # fmt: skip
    assert len(lines) == len(assemble(SOURCE, str(program)))


def test_a_finding_names_file_line_and_instruction(program, capsys):
    said = call(capsys, "lint", program)
    assert said.code == 1
    assert f"{program}:7: error: the running maximum begins" in said.out
    assert "pc 3: V_RED_MAX_IDX gp2, gp0, gp0, f1" in said.out
    assert "1 error, 0 warnings" in said.out and "note:" not in said.out
    assert "note: reads gp2" in call(capsys, "lint", program, "--notes").out
    facts = json.loads(call(capsys, "lint", program, "--json").out)
    assert {"pc": 3, "severity": "error"}.items() <= next(
        one for one in facts if one["severity"] == "error"
    ).items()


def test_warnings_alone_are_no_failure(program, capsys):
    program.write_text("C_BREAK\nC_BREAK\n")
    said = call(capsys, "lint", program)
    assert said.code == 0 and "0 errors, 1 warning" in said.out


def test_the_host_s_ranges_count(program, capsys):
    program.write_text("S_LD_INT gp1, gp0, 9\nS_ST_INT gp1, gp0, 0\nC_BREAK\n")
    assert call(capsys, "lint", program).code == 0
    assert call(capsys, "lint", program, "--given", "int=0:10").code == 0
    said = call(capsys, "lint", program, "--given", "int=0:9")
    assert said.code == 1 and "int[9:10]" in said.out
    said = call(capsys, "lint", program, "--given", "int=0:99999")
    assert said.code == 2 and said.err.count("\n") == 1 and "4096" in said.err
