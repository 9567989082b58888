"""Speed and memory as ratios measured in one run: `ci/bench`.

One row of logits at LLaDA's vocabulary, on this machine, machine time: its argmax by the model, the
specification on arrays, PyTorch and numpy on the same BF16 codes; its softmax state by the
specification on arrays and on integers, and PyTorch's float64 softmax. Then a whole step of 32
rows: the sampler beside PyTorch (`bench_sampler`), and how much memory each needs besides the
logits, in processes of their own. Medians, with the spread; peak KiB is what Python and numpy
allocate. Then how many scalar instructions a second the readable interpreter executes, and how long
the model takes for the streaming step, start-up and compilation aside. Clock cycles of the argmax
program are the model's, which cosimulation holds to the RTL.
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

from unmask.ci import bench_sampler
from unmask.model import settings
from unmask.model.machine import FAST, Model
from unmask.model.run import prepared
from unmask.model.scenario import Scenario, job
from unmask.spec.assembler import assemble
from unmask.spec.bits import arrays, ints
from unmask.spec.formats import to_float
from unmask.spec.machine import Machine
from unmask.spec.programs.argmax import START_CODE, argmax_rows
from unmask.spec.reductions import MaxIndex
from unmask.spec.reference.argmax import tensor
from unmask.spec.state import Config
from unmask.spec.vectors import EACH, WHOLE, Each, Whole
from unmask.tests.cosim.paths import BUILD
from unmask.tests.logit_rows import logit_row

VOCABULARY = 126_464
VLEN = 64
MODEL_PROGRAM = "model, the whole program"
SLOW_RUNS = 3  # of what takes seconds
SCALAR_LOOP = 20_000

STREAM = """
    S_LUI_INT gp1, {high}
    S_ADDI_INT gp1, gp1, {low}
    C_SET_VL gp1
    H_RED_SM gp0, gp0, a0, gp0, BF16, 1
    S_SM_KEY gp2, gp0
    C_BREAK
"""
SCALAR = """
    S_ADDI_INT gp1, gp0, 5
    C_LOOP_START gp2, {count}
    S_ADD_INT gp3, gp3, gp1
    S_ADDI_INT gp4, gp3, 7
    S_SUB_INT gp5, gp4, gp3
    S_ADD_INT gp6, gp5, gp4
    C_LOOP_END gp2
    C_BREAK
"""


def argmax_cases(codes: Any) -> dict[str, Callable[[], Any]]:
    """Name -> what is timed; all give the same index."""
    start = MaxIndex.lane(ints(16, START_CODE), ints(32, 0))
    elements, indices = arrays(16, codes), arrays(32, np.arange(codes.size))
    row, floats = tensor(codes), to_float(codes)
    words = assemble(argmax_rows(1, VOCABULARY, VLEN))

    def program() -> int:
        model = Model(words, Config(vlen=VLEN, vector_rows=2048))
        model.state.load("vector", codes)
        model.state.load("fp", np.array([START_CODE], np.uint16))
        *_, last = model.trace()
        return last.retire

    return {
        "torch.argmax, BF16": lambda: torch.argmax(row),
        "model, the reduction": lambda: FAST.reduce(MaxIndex, start, elements, indices),
        MODEL_PROGRAM: program,
        "spec on arrays": lambda: WHOLE.reduce(MaxIndex, start, elements, indices),
        "numpy argmax, float32": lambda: floats.argmax(),
    }


def softmax_cases(codes: Any) -> dict[str, Callable[[], Any]]:
    """The whole program with H_RED_SM, and what PyTorch does for the same confidence."""
    words = assemble(STREAM.format(high=VOCABULARY >> 12, low=VOCABULARY & 0xFFF))
    row, image = tensor(codes), codes.astype("<u2").view(np.uint8)

    def stream(way: Each | Whole) -> int:
        machine = Machine(words, Config(vlen=VLEN, hbm_bytes=1 << 18), way)
        machine.state.load("hbm", image)
        list(machine.run())
        return machine.state.gp[2]

    return {
        "torch softmax, float64, max": lambda: torch.softmax(row.double(), 0).max(),
        "spec on arrays": lambda: stream(WHOLE),
        "spec on integers": lambda: stream(EACH),
    }


def scalar_rate() -> float:
    """Scalar instructions that the interpreter executes in a second, hardware loop included."""
    machine = Machine(assemble(SCALAR.format(count=SCALAR_LOOP)))
    begin = time.perf_counter()
    count = sum(1 for _ in machine.run())
    return count / (time.perf_counter() - begin)


def step_cases() -> dict[str, Callable[[], Any]]:
    """The streaming step of LLaDA in the model: with its data, and cycles alone."""
    memory = settings.profile("hbm2e-819")

    def case(batch: int, vlen: int, data: bool) -> Callable[[], Any]:
        made = job(Scenario("stream", batch, 32, VOCABULARY), settings.core(vlen=vlen), memory)
        rng = np.random.default_rng(0)
        image = rng.integers(0, 120, made.hbm_bytes if data else 0).astype(np.uint8)  # no NaN

        def run() -> int:
            machine = prepared(made.words, made.core, memory, {"hbm": image}, made.hbm_bytes, data)
            *_, last = machine.trace()
            return last.retire

        return run

    return {
        "with data, B = 1, VLEN 64": case(1, VLEN, True),
        "cycles alone, B = 16, VLEN 64": case(16, VLEN, False),
        "cycles alone, B = 16, VLEN 1024": case(16, 1024, False),
    }


def measure(call: Callable[[], Any], runs: int) -> dict[str, float]:
    """Median, least and greatest milliseconds, and peak KiB that Python and numpy allocate."""
    begin = time.perf_counter()
    call()
    if time.perf_counter() - begin > 1:
        runs = min(runs, SLOW_RUNS)
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


def table_of(title: str, found: dict[str, dict[str, float]]) -> Table:
    """Ratios to the first row, which is PyTorch's."""
    whole = next(iter(found.values()))["median"]
    table = Table(title=title)
    for name in ("what", "median ms", "least .. most", "peak KiB", "torch / this"):
        table.add_column(name, justify="left" if name == "what" else "right")
    for name, row in found.items():
        spread = f"{row['least']:.2f} .. {row['most']:.2f}"
        ratio = f"{whole / row['median']:.4g}"
        table.add_row(name, f"{row['median']:.2f}", spread, f"{row['KiB']:.0f}", ratio)
    return table


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="ci/bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=50, metavar="N")
    runs = parser.parse_args(argv).runs
    if runs < 1:
        print(f"--runs {runs}: expected at least 1", file=sys.stderr)
        return 2
    codes = logit_row("gaussian", VOCABULARY, seed=0)
    groups = {"argmax": argmax_cases(codes), "softmax state": softmax_cases(codes)}
    groups["sampler"] = bench_sampler.cases(bench_sampler.block(VOCABULARY))
    console, measured = Console(), {}
    for group, timed in groups.items():
        measured[group] = {name: measure(call, runs) for name, call in timed.items()}
        what = f"one step, {bench_sampler.ROWS} rows" if group == "sampler" else "one row"
        title = f"{group}: {what}, V = {VOCABULARY:,}, machine time"
        console.print(table_of(title, measured[group]))
    memory = {name: bench_sampler.extra_memory(name) for name in groups["sampler"]}
    shares = ", ".join(f"{name} {share:.2f} x" for name, share in memory.items())
    console.print(f"memory of a step besides the logits, as a share of them: {shares}")
    rates = sorted(scalar_rate() for _ in range(SLOW_RUNS))
    console.print(
        f"interpreter: {rates[1]:,.0f} scalar instructions/s ({rates[0]:,.0f} .. {rates[-1]:,.0f})"
    )
    steps = {name: measure(call, SLOW_RUNS) for name, call in step_cases().items()}
    for name, found in steps.items():
        console.print(f"model, streaming step {name}: {found['median'] / 1e3:.2f} s")
    cycles = groups["argmax"][MODEL_PROGRAM]()
    console.print(f"clock cycles of the argmax program at VLEN {VLEN}: {cycles} (model)")
    BUILD.mkdir(exist_ok=True)
    facts = {"cycles": cycles, "ms": measured, "memory": memory, "scalar instructions/s": rates,
             "model step": steps}  # fmt: skip
    (BUILD / "bench.json").write_text(json.dumps(facts, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
