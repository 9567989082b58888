"""`python -m unmask.model sweep`, and the design space that is in the documentation."""

from __future__ import annotations

import csv
import sys
from dataclasses import replace

import pytest

from unmask.model import design_space, settings
from unmask.model.commands import sweep
from unmask.model.commands.options import PROFILE
from unmask.model.commands.sweep import DOCS
from unmask.model.scenario import KINDS, Scenario, carried_out, enlarged, job, timed
from unmask.model.sweep import Plan, Point, memory_of, plan, points, result
from unmask.spec.errors import UsageError
from unmask.tests.model.commands import call

CORE, MEMORY = settings.core(), settings.profile(PROFILE)
SIZES = ("--rows", 3, "--vocabulary", 3000, "--vlen", "64,128")


def planned(point: Point) -> Plan:
    return plan(point, CORE, MEMORY)


def test_a_table_and_plots_are_written(capsys, tmp_path):
    out = tmp_path / "new" / "sweep"
    said = call(capsys, "sweep", *SIZES, "--latency", "20,200", "--out", out)
    assert said.code == 0
    lines = list(csv.DictReader((out / "sweep.csv").open()))
    assert len(lines) == len(KINDS) * 2 * 2
    for line in lines:
        latency = float(line["latency_ns"])
        memory = settings.profile(PROFILE, latency_ns=latency)
        chunks = int(line["chunks"])
        scenario = Scenario(line["kind"], 1, 3, 3000, chunks=chunks)
        run = timed(scenario, settings.core(vlen=int(line["vlen"])), memory)
        assert int(line["cycles"]) == run.cycles
        floor = max(float(line["floor_memory_ns"]), float(line["floor_lanes_ns"]))
        assert float(line["over_floor"]) == pytest.approx(run.cycles / floor, rel=1e-3)
        units = [int(value) for name, value in line.items() if name.startswith("cycles: ")]
        assert sum(units) == run.cycles
    for name in ("latency", "units", "sram"):
        assert (out / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert "<svg" in (out / f"{name}.svg").read_text()


def test_a_program_without_pieces_runs_once_for_all_chunks():
    found = points(list(KINDS), [64], [2, 4], [32], [1], [3], [3000], [20.0], "BF16")
    kinds = [point.scenario.kind for point in found]
    assert {kind: kinds.count(kind) for kind in KINDS} == {
        "stream": 1, "prefetch": 2, "edge": 2, "performance": 1,
    }  # fmt: skip


def test_processes_give_what_one_gives(capsys, tmp_path):
    for jobs in (1, 2):
        words = ("sweep", "--step", "stream", *SIZES, "--jobs", jobs)
        assert call(capsys, *words, "--out", tmp_path / str(jobs)).code == 0
    for name in ("sweep.csv", "latency.svg"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()


def test_channels_bring_their_rate():
    (point,) = points(["stream"], [64], [1], [8], [1], [3], [3000], [20.0], "E4M3_B32")
    memory = memory_of(point, MEMORY)
    assert memory.channels == 8 and memory.gigabytes_per_second == MEMORY.gigabytes_per_second / 4
    narrow = result(planned(point))
    (wide,) = points(["stream"], [64], [1], [32], [1], [3], [3000], [20.0], "E4M3_B32")
    assert narrow.floor_memory == 4 * result(planned(wide)).floor_memory


def test_without_matplotlib_one_line_says_so(monkeypatch, capsys, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    said = call(capsys, "sweep", *SIZES, "--out", tmp_path)
    assert said.code == 2 and "matplotlib" in said.err and said.err.count("\n") == 1


def test_a_point_that_cannot_be_is_named(capsys, tmp_path):
    words = ("sweep", "--step", "edge", "--vocabulary", "100", "--vlen", "128", "--out", tmp_path)
    said = call(capsys, *words)
    assert said.code == 2 and "vlen 128" in said.err and said.err.count("\n") == 1


def test_all_points_are_looked_at_before_any_runs(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(sweep, "result", lambda *_, **__: pytest.fail("runs"))
    sizes = ("--rows", 3, "--vocabulary", 3008, "--vlen", "64,16")  # whole blocks, but of a row
    words = ("sweep", "--step", "stream,edge", *sizes, "--out", tmp_path)
    said = call(capsys, *words)
    assert said.code == 2 and said.err.count("\n") == 1
    assert "no whole blocks of 32" in said.err and "vlen 16" in said.err


def test_a_step_that_traps_is_no_result(monkeypatch):
    """Its program may be at fault, or a core that it does not fit."""
    point = Point(Scenario("stream", 1, 3, 3000), 64, 32, 20.0)
    made = planned(point)
    short = replace(made.job, core=replace(made.job.core, int_words=2))
    with pytest.raises(UsageError, match=r"the step traps, RANGE at pc .* \(at kind stream, "):
        result(replace(made, job=short, stream=short))


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_has_the_srams_that_it_needs(kind):
    """Whatever the core has."""
    small = settings.core(vlen=32, vector_rows=2, fp_words=2, key_words=2, int_words=2)
    made = job(Scenario(kind, 1, 9, 640), small, MEMORY)
    assert carried_out(made, MEMORY).stopped
    assert f"int_words {made.core.int_words}, not 2" in enlarged(small, [made])
    assert enlarged(made.core, [made]) == ""


def test_any_field_is_an_axis(capsys, tmp_path):
    axes = ("--axis", "outstanding=1,16", "--axis", "beat_bits=128,256")
    words = ("sweep", "--step", "stream", *SIZES[:4], "--vlen", "64", *axes, "--set", "fifo=8")
    said = call(capsys, *words, "--out", tmp_path)
    assert said.code == 0 and "outstanding 16, beat_bits 256" in said.out
    lines = list(csv.DictReader((tmp_path / "sweep.csv").open()))
    assert [(line["outstanding"], line["beat_bits"]) for line in lines] == [
        ("1", "128"), ("1", "256"), ("16", "128"), ("16", "256"),
    ]  # fmt: skip
    for line in lines:
        core = settings.core(vlen=64, fifo=8, outstanding=int(line["outstanding"]))
        memory = settings.profile(PROFILE, beat_bits=int(line["beat_bits"]))
        run = timed(Scenario("stream", 1, 3, 3000, chunks=1), core, memory)
        assert int(line["cycles"]) == run.cycles
    assert len({line["cycles"] for line in lines}) == 4


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (("--axis", "vlen=64,128"), "expected --vlen"),
        (("--axis", "fifo"), "is not FIELD=VALUE,VALUE"),
        (("--axis", "fifo=8,8"), "names a value twice"),
        (("--axis", "fifo=8", "--axis", "fifo=9"), "--axis names a field twice"),
        (("--axis", "fifos=8"), "fifos is no field"),
        (("--axis", "fifo=8,0"), "fifo is 0; expected a whole number"),
        (("--set", "vlen=64"), "expected --vlen"),
    ],
)
def test_an_axis_that_cannot_be(words, wanted, capsys, tmp_path):
    said = call(capsys, "sweep", "--step", "stream", *SIZES, *words, "--out", tmp_path)
    assert said.code == 2 and wanted in said.err and said.err.count("\n") == 1


def test_the_documented_figures_are_the_model_s():
    """Those of our programs; the published ones take a minute."""
    page = (DOCS / "design_space.md").read_text()
    over_vlen, over_latency = design_space.wanted(MEMORY)
    columns = list(KINDS)
    for title, wanted, x in (
        ("Microseconds over VLEN", over_vlen, lambda point: point.vlen),
        ("Microseconds over the latency", over_latency, lambda point: point.latency_ns),
    ):
        table = page[page.index(title) :].split("\n\n")[1]
        rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()[2:]]
        for point in wanted:
            if point.scenario.kind == "stream" or (
                point.scenario.kind == "prefetch" and point.vlen >= 1024
            ):
                row = next(cells for cells in rows if cells[0] == f"{x(point):g}")
                found = result(planned(point))
                assert row[1 + columns.index(point.scenario.kind)] == f"{found.time / 1e3:,.1f}"
                assert row[5] == f"{found.floor / 1e3:,.1f}"
