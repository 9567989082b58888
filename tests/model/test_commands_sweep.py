"""`python -m unmask.model sweep`, and the design space that is in the documentation."""

from __future__ import annotations

import csv
import sys

import pytest

from unmask.model import design_space, settings
from unmask.model.commands.options import PROFILE
from unmask.model.commands.sweep import DOCS
from unmask.model.scenario import KINDS, Scenario, timed
from unmask.model.sweep import memory_of, points, result
from unmask.tests.model.commands import call

CORE, MEMORY = settings.core(), settings.profile(PROFILE)
SIZES = ("--rows", 3, "--vocabulary", 3000, "--vlen", "64,128")


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
    narrow = result(point, CORE, MEMORY)
    (wide,) = points(["stream"], [64], [1], [32], [1], [3], [3000], [20.0], "E4M3_B32")
    assert narrow.floor_memory == 4 * result(wide, CORE, MEMORY).floor_memory


def test_without_matplotlib_one_line_says_so(monkeypatch, capsys, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    said = call(capsys, "sweep", *SIZES, "--out", tmp_path)
    assert said.code == 2 and "matplotlib" in said.err and said.err.count("\n") == 1


def test_a_point_that_cannot_be_is_named(capsys, tmp_path):
    words = ("sweep", "--step", "edge", "--vocabulary", "100", "--vlen", "128", "--out", tmp_path)
    said = call(capsys, *words)
    assert said.code == 2 and "vlen 128" in said.err and said.err.count("\n") == 1


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
                found = result(point, CORE, MEMORY)
                assert row[1 + columns.index(point.scenario.kind)] == f"{found.time / 1e3:,.1f}"
                assert row[5] == f"{found.floor / 1e3:,.1f}"
