"""Speed and memory as ratios measured in one run: `ci/bench`.

One row of logits at LLaDA's vocabulary, argmax and its index, on this machine: the model, the
specification's array fold, PyTorch and numpy on the same BF16 codes. Medians, with the spread.
Clock cycles of the same row are the model's, which cosimulation holds to the RTL.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from unmask.model.machine import Model, fold_keys
from unmask.spec.assembler import assemble
from unmask.spec.bits import ints
from unmask.spec.formats import to_float
from unmask.spec.machine import fold_arrays
from unmask.spec.programs.argmax import START_CODE, argmax_rows
from unmask.spec.reductions import MaxIndex
from unmask.spec.reference.argmax import tensor
from unmask.spec.state import Config
from unmask.tests.cosim.paths import BUILD
from unmask.tests.logit_rows import logit_row

VOCABULARY = 126_464
VLEN = 64


def cases() -> dict[str, Callable[[], Any]]:
    """Name -> what is timed; all give the same index."""
    codes = logit_row("gaussian", VOCABULARY, seed=0)
    start, base = MaxIndex.lane(ints(16, START_CODE), ints(32, 0)), ints(32, 0)
    row, floats = tensor(codes), to_float(codes)
    words = assemble(argmax_rows(1, VOCABULARY, VLEN))

    def program() -> int:
        model = Model(words, Config(vlen=VLEN, vector_rows=2048))
        model.state.load("vector", codes)
        model.state.load("fp", np.array([START_CODE], np.uint16))
        *_, last = model.trace()
        return last.retire

    return {
        "model, the reduction": lambda: fold_keys(MaxIndex, codes, base, start),
        "model, the whole program": program,
        "spec on arrays": lambda: fold_arrays(MaxIndex, codes, base, start),
        "torch.argmax, BF16": lambda: torch.argmax(row),
        "numpy argmax, float32": lambda: floats.argmax(),
    }


def measure(call: Callable[[], Any], runs: int) -> dict[str, float]:
    """Median, least and greatest milliseconds, and peak KiB that Python and numpy allocate."""
    call()
    times = []
    for _ in range(runs):
        begin = time.perf_counter()
        call()
        times.append(1e3 * (time.perf_counter() - begin))
    tracemalloc.start()
    call()
    peak = tracemalloc.get_traced_memory()[1] / 1024
    tracemalloc.stop()
    median = statistics.median(times)
    return {"median": median, "least": min(times), "most": max(times), "KiB": peak}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="ci/bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=50, metavar="N")
    runs = parser.parse_args(argv).runs
    if runs < 1:
        print(f"--runs {runs}: expected at least 1", file=sys.stderr)
        return 2
    timed = cases()
    found = {name: measure(call, runs) for name, call in timed.items()}
    whole = found["torch.argmax, BF16"]["median"]
    table = Table(title=f"one row, V = {VOCABULARY:,}, {runs} runs, machine time")
    for name in ("what", "median ms", "least .. most", "peak KiB", "torch / this"):
        table.add_column(name, justify="left" if name == "what" else "right")
    for name, row in found.items():
        spread = f"{row['least']:.2f} .. {row['most']:.2f}"
        ratio = f"{whole / row['median']:.2f}"
        table.add_row(name, f"{row['median']:.2f}", spread, f"{row['KiB']:.0f}", ratio)
    console = Console()
    console.print(table)
    cycles = timed["model, the whole program"]()
    console.print(f"clock cycles of that program at VLEN {VLEN}: {cycles} (model)")
    BUILD.mkdir(exist_ok=True)
    (BUILD / "bench.json").write_text(json.dumps({"cycles": cycles, "ms": found}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
