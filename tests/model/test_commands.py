"""`python -m unmask.model run`, `compare` and `trace`: numbers that agree, errors of one line."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from unmask.model import published_time, settings
from unmask.model.commands import progress
from unmask.model.measure import measure
from unmask.model.picture import svg, text
from unmask.model.run import prepared, run_timed
from unmask.model.scenario import KINDS, Scenario, job, timed
from unmask.model.walk import walk
from unmask.model.window import look
from unmask.spec.assembler import assemble
from unmask.tests.model.commands import call

CORE, MEMORY = settings.core(vlen=64), settings.profile("hbm2e-819")
SMALL = ("--batch", 2, "--rows", 5, "--vocabulary", 4096, "--vlen", 64)
LOADS = "S_LD_INT gp1, gp0, 3\nS_ST_INT gp1, gp0, 4\nC_BREAK\n"


@pytest.fixture
def program(tmp_path):
    def write(text, name="program.asm"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def machine_of(kind, **sizes):
    made = job(Scenario(kind, **{"batch": 2, "rows": 5, "vocabulary": 4096, **sizes}), CORE, MEMORY)
    words = assemble(made.text)
    return words, prepared(words, made.core, MEMORY, hbm_bytes=made.hbm_bytes, data=False), made


# -- run --


@pytest.mark.parametrize("kind", KINDS)
def test_numbers_of_a_step_agree_with_its_run(kind, capsys):
    said = call(capsys, "run", "--step", kind, *SMALL, "--json")
    facts = json.loads(said.out)
    words, _, made = machine_of(kind)
    run = run_timed(words, made.core, MEMORY, hbm_bytes=made.hbm_bytes, data=False)
    assert said.code == 0 and facts["trap"] == "NONE"
    assert facts["cycles"] == made.runs * run.cycles == sum(facts["cycles_by_unit"].values())
    assert facts["ratio"] == pytest.approx(run.ratio)
    assert facts["instructions"] == made.runs * len(run.timed)
    assert facts["runs"] == (2 if kind in ("edge", "performance") else 1)
    logits = 2 * 5 * (4096 + 4096 // 32)
    assert facts["bytes_read"] == (2 if kind == "edge" else 1) * logits


@pytest.mark.parametrize("kind", KINDS)
def test_a_walk_knows_how_many_instructions_retire(kind):
    words, machine, _ = machine_of(kind)
    assert walk(words).problem is None
    assert walk(words).instructions == sum(1 for _ in machine.run())


def test_sram_is_what_is_touched():
    found = {kind: timed(Scenario(kind, 1, 4, 4096), CORE, MEMORY).sram for kind in KINDS}
    assert found["performance"]["vector"] >= 4 * 4096 > 4 * 64 + 3 * 64 >= found["edge"]["vector"]
    assert found["prefetch"]["vector"] == 2 * 4 * 64
    assert found["stream"]["vector"] == 2 * 64


def test_the_clock_makes_the_time(capsys, tmp_path):
    slow = tmp_path / "slow.toml"
    slow.write_text("vlen = 64\nclock_ghz = 0.5\n")
    facts = json.loads(
        call(capsys, "run", "--step", "stream", *SMALL, "--core", slow, "--json").out
    )
    assert facts["nanoseconds"] == 2 * facts["cycles"]


def test_a_program_runs_with_what_is_loaded(capsys, program, tmp_path):
    np.save(tmp_path / "ids.npy", np.arange(9, dtype=np.uint32))
    said = call(capsys, "run", program(LOADS), "--load", f"int={tmp_path / 'ids.npy'}")
    assert said.code == 0 and "stopped after 3 words" in said.out and "of the floor" not in said.out
    jump = "S_LD_INT gp1, gp0, 3\nS_LD_INT gp2, gp1, 0\nC_BREAK\n"
    np.save(tmp_path / "far.npy", np.full(9, 1 << 20, np.uint32))
    said = call(capsys, "run", program(jump), "--load", f"int={tmp_path / 'far.npy'}")
    assert said.code == 1 and "trap RANGE at pc 1" in said.out
    said = call(capsys, "run", program(jump), "--timing-only")
    assert said.code == 2 and "depends on data" in said.err and "program.asm" in said.err


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (("run",), "a program or --step is expected"),
        (("run", "nowhere.asm"), "nowhere.asm: cannot read"),
        (("run", "--step", "stream", "--vlen", 48), "vlen is 48; expected a power of two"),
        (("run", "--step", "stream", "--profile", "hbm9"), "no profile 'hbm9'"),
        (("run", "--step", "stream", "--core", "x.toml"), "x.toml: cannot be read"),
        (("run", "--step", "stream", "--batch", 0), "batch 0: expected at least 1"),
        (("run", "--step", "stream", "--rows", "-3"), "--rows"),
        (("run", "--step", "wide"), "'wide'"),
        (("run", "--step", "edge", "--vlen", 64, "--vocabulary", 60), "vocabulary 60"),
        (("trace", "--step", "stream", "--from", 9, "--to", 9), "--from 9 --to 9"),
        (("trace", "--step", "stream", "--out", "x.jpg"), "x.jpg: the name of a picture"),
        (("trace", "--step", "stream", *SMALL, "--from", 999_999), "the run ends before it"),
        (("compare", "--vlen", "256"), "--vlen 256: nothing is published"),
        (("run", "--step", "edge", "--vlen", 16), "no whole blocks of 32"),
        (("run", "--step", "stream", "--hbm-bytes", 4096), "--hbm-bytes is for a program"),
        (("run", "x.asm", "--batch", 2), "--batch is for a --step"),
        (("run", "x.asm", "--format", "BF16"), "--format is for a --step"),
        (("run", "x.asm", "--chunks", 4), "--chunks is for a --step"),
        (("run", "x.asm", "--emit", "y.asm"), "x.asm: cannot read"),
        (("run", "--step", "stream", "--set", "stall"), "'stall' is not FIELD=VALUE"),
        (("run", "--step", "stream", "--set", "stall=2"), "stall is 2; expected a number, 0 to"),
        (("run", "--step", "stream", "--set", "seed=1", "--set", "seed=2"), "a field twice"),
        (("run", "--step", "stream", "--set", "refresh_ns=9"), "refresh_ns is 9; expected at most"),
        (("sweep", "--vlen", "64,64"), "names a value twice"),
        (("sweep", "--step", "wide"), "'wide' is not one of"),
        (("sweep", "--jobs", 0), "--jobs 0"),
        (("lint", "nowhere.asm"), "nowhere.asm: cannot read"),
        (("lint", "x.asm", "--given", "hbm=0:4"), "is not MEMORY=FIRST:END"),
        (("lint", "x.asm", "--max-instructions", 0), "--max-instructions 0: expected at least 1"),
    ],
)
def test_bad_input_is_one_line_and_code_2(words, wanted, capsys):
    said = call(capsys, *words)
    assert said.code == 2 and wanted in said.err and said.err.count("\n") == 1


def test_a_size_that_is_too_large_is_named_as_typed(capsys, program):
    said = call(capsys, "run", program(LOADS), "--hbm-bytes", 99999999999)
    assert said.code == 2 and "99999999999 bytes of HBM: expected at most" in said.err


def test_a_step_s_program_is_a_program(capsys, tmp_path):
    """Written out it takes the same cycles, on the core that it needs."""
    out = tmp_path / "step.asm"
    assert call(capsys, "run", "--step", "stream", *SMALL, "--emit", out).code == 0
    facts = [
        json.loads(call(capsys, "run", *words, "--vlen", 64, "--json").out)
        for words in (
            ("--step", "stream", *SMALL[:-2]),
            (out, "--hbm-bytes", 1 << 16, "--timing-only"),
        )
    ]
    assert facts[0]["cycles"] == facts[1]["cycles"]
    assert facts[0]["logits_dropped_per_row"] == 0
    said = call(capsys, "run", out, "--emit", tmp_path / "again.asm")
    assert said.code == 2 and "--emit writes the program of a --step" in said.err


def test_a_run_says_what_its_core_has_more(capsys):
    said = call(capsys, "run", "--step", "performance", *SMALL)
    assert "SRAMs as large as the step needs: vector_rows 512, not 64\n" in said.out
    assert "as large as" not in call(capsys, "run", "--step", "stream", *SMALL).out


def test_a_disturbed_memory_costs_something(capsys):
    def cycles(*words):
        said = call(capsys, "run", "--step", "stream", *SMALL, *words, "--json")
        return json.loads(said.out)["cycles"]

    for change in ("jitter_ns=40", "stall=0.2", "latency_ns=130.5"):
        assert cycles("--set", change) > cycles()
    refresh = ("--set", "refresh_every_ns=200", "--set", "refresh_ns=50")
    late = (*refresh, "--set", "refresh=staggered")
    assert cycles() < cycles(*refresh) < cycles(*late)


# -- compare --


def test_the_formula_gives_the_published_numbers():
    for vlen, published in published_time.PUBLISHED_MS.items():
        assert published_time.published_ns(vlen) / 1e6 == pytest.approx(published, rel=0.01)


def test_both_programs_are_compared_on_one_memory(capsys):
    words = ("compare", "--batch", 2, "--rows", 4, "--vocabulary", 5000, "--vlen", "512")
    said = call(capsys, *words, "--json")
    (found,) = json.loads(said.out)
    core = settings.core(vlen=512)
    for kind in KINDS:
        cycles = timed(Scenario(kind, 2, 4, 5000), core, MEMORY).cycles
        assert found["milliseconds"][kind] == pytest.approx(cycles / 1e6)
    assert found["dropped"] == 5000 % 512
    shown = call(capsys, *words).out
    ratio = found["milliseconds"]["edge"] / found["milliseconds"]["stream"]
    assert f"{ratio:.1f}x" in shown and "leave out the last 392 logits" in shown


# -- trace --


def test_every_beat_and_slice_is_in_the_picture_once():
    for kind in ("stream", "prefetch"):
        _, machine, _ = machine_of(kind)
        window = look(machine, 0, 20_000)
        side = machine.memory.reads
        assert window.ended and (window.reads[:-1].sum(axis=1) == side.beats).all()
        slices = sum(-(-(p.end - p.first) // 64) for t, _ in machine.moved for p in t.pieces)
        assert window.reads[-1].sum() == slices and not window.writes.any()
        assert np.flatnonzero(window.reads[-1])[-1] == side.lane[0]


def test_stores_are_in_the_picture():
    words = assemble("C_SET_CSR VL, gp0, 640\nH_STORE_V gp0, gp0, a0, 0, 0\nC_BREAK\n")
    machine = prepared(words, CORE, MEMORY, hbm_bytes=4096)
    window = look(machine, 0, 1000)
    assert (window.writes[:-1].sum(axis=1) == machine.memory.writes.beats).all()
    assert window.writes[-1].sum() == 10 and "write" in svg(window, "x")
    # Issue 2, the first slice 6 later; two behind the stripe of 8 its beats, one behind addresses.
    assert list(np.flatnonzero(window.writes[-1])) == list(range(8, 18))
    assert np.flatnonzero(window.writes[0])[0] == 17


def test_a_window_is_a_part_of_the_whole():
    whole = look(machine_of("stream")[1], 0, 900)
    part = look(machine_of("stream")[1], 300, 500)
    assert (part.reads == whole.reads[:, 300:500]).all() and part.reads.any()
    there = [e for e in whole.entries if e.timed.complete >= 300 and e.ready < 500]
    assert list(part.entries) == there and part.more == 0 and not part.ended


def test_a_picture_is_by_itself_and_inside_its_frame(capsys, tmp_path):
    out = tmp_path / "trace.svg"
    words = ("trace", "--step", "stream", *SMALL, "--from", 100, "--to", 400, "--out")
    said = call(capsys, *words, out)
    assert said.code == 0 and str(out) in said.out
    picture = out.read_text()
    root = ET.fromstring(picture)
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    bars = [bar for bar in root.iter() if bar.tag.endswith("rect")]
    for bar in bars:
        x, y = float(bar.get("x", 0)), float(bar.get("y", 0))
        assert x >= 0 and x + float(bar.attrib["width"]) <= width
        assert y >= 0 and y + float(bar.attrib["height"]) <= height
    titles = [bar[0].text or "" for bar in bars if len(bar)]
    assert any("H_RED_SM" in title for title in titles)
    assert any("channel 31" in title for title in titles)
    assert "script" not in picture and picture.count("http") == 1  # the namespace
    assert call(capsys, *words, tmp_path / "trace.html").code == 0
    assert picture in (tmp_path / "trace.html").read_text()


def test_a_terminal_picture_fits_its_width():
    window = look(machine_of("stream")[1], 0, 700)
    for width in (80, 133):
        lines = text(window, width).splitlines()
        rows = lines[1:]
        assert max(map(len, rows)) <= width and len({row.rindex("|") for row in rows}) == 1
    first = next(row for row in rows if "H_RED_SM" in row)
    assert first.count("#") == 1 and "-" in first.split("|")[1]
    assert "lanes busy (read)" in rows[-1]


def test_a_trap_within_the_picture_is_code_1(capsys, program):
    path = program("S_ADDI_INT gp1, gp0, 1\nV_EXP_V gp1, gp1, 0\nC_BREAK\n")
    said = call(capsys, "trace", path)
    assert said.code == 1 and "trap MISALIGNED at pc 1 after" in said.out
    assert call(capsys, "trace", path, "--to", 2).code == 0


# -- progress --


def test_progress_says_share_rate_and_time_left(monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setattr(progress, "BETWEEN", -1)
    monkeypatch.setattr(progress, "_display", progress._Plain)
    assert list(progress.tracked(range(4), 8, "runs")) == [0, 1, 2, 3]
    lines = [line.strip() for line in capsys.readouterr().err.split("\r") if line.strip()]
    assert lines[0] == "0%  0 runs" and len(lines) == 5
    for count, line in enumerate(lines[1:], start=1):
        share = f"{count / 8:.0%}"
        assert re.fullmatch(rf"{share}  {count} runs, [\d,.e+]+ a second, 0 s left", line)


def test_a_comparison_counts_instructions_over_all_its_runs(monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setattr(progress, "BETWEEN", -1)
    monkeypatch.setattr(progress, "_display", progress._Plain)
    sizes = ("--batch", 1, "--rows", 2, "--vocabulary", 1024)
    words = ("compare", *sizes, "--vlen", "512,1024")
    shown = call(capsys, *words).err.split("\r")
    counts = [int(found[1].replace(",", "")) for line in shown
              if (found := re.search(r"([\d,]+) instructions", line))]  # fmt: skip
    total = sum(
        walk(job(Scenario(kind, 1, 2, 1024), settings.core(vlen=vlen), MEMORY).words).instructions
        for kind in KINDS
        for vlen in (512, 1024)
    )
    assert counts == list(range(total + 1))
    assert any(line.startswith("100%") for line in shown)


def test_units_are_measured_for_a_trap_too():
    words = assemble("S_ADDI_INT gp1, gp0, 1\nV_EXP_V gp1, gp1, 0\nC_BREAK\n")
    found = measure(prepared(words, CORE, MEMORY), CORE, MEMORY)
    assert not found.stopped and found.cycles == sum(found.units.values()) == 3
    assert found.ratio is None
