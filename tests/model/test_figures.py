"""The figures of model/README.md are what the model gives.

`python -m unmask.tests.model.test_figures` writes the rows of both tables anew.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import unmask.model
from unmask.model.run import Run, run_timed
from unmask.model.settings import changed, core, profile
from unmask.spec.assembler import assemble
from unmask.spec.pack import Shape
from unmask.spec.programs import stream
from unmask.spec.programs.step import Step

PAGE = Path(unmask.model.__path__[0]) / "README.md"
ROWS, VOCABULARY = 32, 126_464  # LLaDA
FLOOR = 81_510  # of VLEN 1024, B = 16
HBM2E, PORT = "hbm2e-819", "narrow-1x512"
REFRESH = {"refresh_every_ns": 3900.0, "refresh_ns": 260.0}
DISTURBED: tuple[dict[str, Any], ...] = (REFRESH, {"jitter_ns": 40.0}, {"stall": 0.2})


def step(vlen: int, batch: int = 16, memory: str = HBM2E, **changes: Any) -> Run:
    """A streaming step; some fields of the core or the memory are changed."""
    machine, behind = changed(core(vlen=vlen), profile(memory), changes)
    shape = Shape("E4M3_B32", batch * ROWS, VOCABULARY, behind.beat_bits // 8)
    made = Step(
        batch, ROWS, VOCABULARY, 126_336,
        pitch=shape.pitch, format="E4M3_B32", scale=shape.scale, vlen=vlen,
    )  # fmt: skip
    words = assemble(stream.program(made))
    return run_timed(words, machine, behind, hbm_bytes=shape.size, data=False)


def headline(vlen: int, batch: int, memory: str = HBM2E) -> list[str]:
    """Cycles; over the floor, and what refresh, jitter and random stalls make of that."""
    plain = step(vlen, batch, memory)
    least = plain.floor.cycles
    runs = [step(vlen, batch, memory, **changes) for changes in DISTURBED]
    return [f"{plain.cycles:,}", *(f"{float(run.cycles / least):.3f}" for run in (plain, *runs))]


def over(*runs: dict[str, Any], vlen: int = 1024, memory: str = HBM2E) -> list[str]:
    """Over the floor of the undisturbed step."""
    made = [step(vlen, memory=memory, **changes) for changes in runs]
    least = FLOOR if memory == HBM2E else made[0].floor.cycles
    ratios = [float(run.cycles / least) for run in made]
    return ["; ".join(f"{x:.3f}" if x < 1.2 else f"{x:.2f}" for x in ratios)]


SLOW = {"latency_ns": 250.0}
TABLE: dict[str, Callable[[], list[str]]] = {
    **{
        f"{vlen}, {batch}": partial(headline, vlen, batch)
        for batch in (16, 1)
        for vlen in (512, 1024, 2048)
    },
    "64, 16, one port of 512 bits": partial(headline, 64, 16, PORT),
    "latency 250 ns; with 32 transactions instead of 16": partial(
        over, SLOW, SLOW | {"outstanding": 32}
    ),
    "8 transactions instead of 16; 12": partial(over, {"outstanding": 8}, {"outstanding": 12}),
    "12 transactions on one port of 512 bits, VLEN 64; 14": partial(
        over, {"outstanding": 12}, {"outstanding": 14}, vlen=64, memory=PORT
    ),
    "refresh as above, but one channel after the other": partial(
        over, REFRESH | {"refresh": "staggered"}
    ),
    # 0.8 beats a cycle on average, as many as the profile's rate.
    "a beat a cycle, held back at random in 0.2 of cycles": partial(
        over, {"gigabytes_per_second": "unlimited", "stall": 0.2}
    ),
}


def line(begin: str, cells: list[str]) -> str:
    return "| " + " | ".join([begin, *cells]) + " |"


@pytest.mark.parametrize("begin", TABLE)
def test_a_row_of_the_tables(begin):
    lines = [
        x for x in PAGE.read_text(encoding="utf-8").splitlines() if x.startswith(f"| {begin} |")
    ]
    assert lines == [line(begin, TABLE[begin]())]


def write() -> None:
    """Put what the model gives into the page."""
    lines = PAGE.read_text(encoding="utf-8").splitlines(keepends=True)
    for begin, cells in TABLE.items():
        (place,) = [n for n, old in enumerate(lines) if old.startswith(f"| {begin} |")]
        lines[place] = line(begin, cells()) + "\n"
    PAGE.write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    write()
