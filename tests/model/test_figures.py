"""The figures of model/README.md are what the model gives."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import unmask.model
from unmask.model.run import Run, run_timed
from unmask.model.settings import core, profile
from unmask.spec.assembler import assemble
from unmask.spec.pack import Shape
from unmask.spec.programs import stream
from unmask.spec.programs.step import Step

PAGE = (Path(unmask.model.__path__[0]) / "README.md").read_text(encoding="utf-8")
ROWS, VOCABULARY = 32, 126_464  # LLaDA
FLOOR = 81_510  # of VLEN 1024, B = 16


def step(vlen: int, batch: int = 16, outstanding: int = 16, **memory: Any) -> Run:
    """A streaming step on the HBM2e profile, some fields of which are changed."""
    machine, behind = core(vlen=vlen, outstanding=outstanding), profile("hbm2e-819", **memory)
    shape = Shape("E4M3_B32", batch * ROWS, VOCABULARY, behind.beat_bits // 8)
    made = Step(
        batch, ROWS, VOCABULARY, 126_336,
        pitch=shape.pitch, format="E4M3_B32", scale=shape.scale, vlen=vlen,
    )  # fmt: skip
    words = assemble(stream.program(made))
    return run_timed(words, machine, behind, hbm_bytes=shape.size, data=False)


def row(begin: str) -> list[str]:
    """The cells of the one table row that begins so."""
    (line,) = [line for line in PAGE.splitlines() if line.startswith(f"| {begin} |")]
    return [cell.strip() for cell in line.strip("|").split("|")]


@pytest.mark.parametrize("vlen", [512, 1024, 2048])
def test_steps(vlen):
    found = re.findall(
        rf"^\| {vlen} \| ([\d,]+) \| ([\d.]+) \| ([\d,]+) \| ([\d.]+) \|", PAGE, re.M
    )
    many, one = step(vlen), step(vlen, batch=1)
    assert found == [
        (f"{many.cycles:,}", f"{many.ratio:.3f}", f"{one.cycles:,}", f"{one.ratio:.3f}")
    ]


REFRESH = {"refresh_every_ns": 3900.0, "refresh_ns": 260.0}


@pytest.mark.parametrize(
    ("begin", "runs"),
    [
        ("latency jitter up to 40 ns", [{"jitter_ns": 40.0}]),
        (
            "latency 250 ns; with 32 transactions instead of 16",
            [{"latency_ns": 250.0}, {"latency_ns": 250.0, "outstanding": 32}],
        ),
        ("8 transactions instead of 16", [{"outstanding": 8}]),
        ("refresh of 260 ns in 3.9 us, all channels at once (its own loss: 1.071)", [REFRESH]),
        ("the same, one channel after the other", [REFRESH | {"refresh": "staggered"}]),
    ],
)
def test_what_the_memory_does(begin, runs):
    stated = row(begin)[1].split("; ")
    for figure, changes in zip(stated, runs, strict=True):
        digits = len(figure.partition(".")[2])
        assert f"{step(1024, **changes).cycles / FLOOR:.{digits}f}" == figure


def test_random_stalls():
    """Each beat waits for a cycle with probability 0.2, and again: 0.8 beats a cycle on average."""
    run = step(1024, gigabytes_per_second="unlimited", stall=0.2)
    stated = row("a beat a cycle, held back at random in 0.2 of cycles, over the mean rate")[1]
    assert f"{run.cycles / FLOOR:.3f}" == stated
