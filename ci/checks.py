"""The checks that the gate's tasks run: each returns a `Result` with a count of what it checked."""

from __future__ import annotations

import hashlib
import os
import random
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from unmask.ci.task import FAIL, PASS, Result
from unmask.proofs import registry
from unmask.proofs.engine import gates, ledger, yosys
from unmask.proofs.engine.record import PROVEN
from unmask.proofs.units import wiring
from unmask.spec import binding as bindings
from unmask.spec import command, isa
from unmask.spec.contracts import sequenced
from unmask.spec.contracts.sequenced import Size
from unmask.spec.manual import pages, published_error
from unmask.spec.state import Config
from unmask.tests.certificates import sweep
from unmask.tests.cosim import coverage as counts
from unmask.tests.cosim import jobs, read_jobs, stream_jobs
from unmask.tests.cosim.paths import BUILD, ROOT, RTL, shown
from unmask.tests.cosim.runner import CORE_FILES, Job, explain, simulate
from unmask.tests.mutants import loader
from unmask.tests.quality import bugs
from unmask.tests.quality.bugs import BUGS
from unmask.tests.strategies import SMALL

Swap = Mapping[Path, Path]
INDUCTION_MARGIN = 4  # cycles of induction beyond the pipeline's depth


# -- Python ------------------------------------------------------------------------------------
def _command(*words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    return subprocess.run(
        words, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


def _python_files() -> int:
    folders = ("spec", "model", "proofs", "tests", "ci")
    return sum(1 for folder in folders for _ in (ROOT / folder).rglob("*.py"))


def ruff() -> Result:
    """Lint and format of all Python."""
    for words in (("ruff", "check", "--quiet", "."), ("ruff", "format", "--check", "--quiet", ".")):
        done = _command(*words)
        if done.returncode:
            return Result(FAIL, 0, "files", f"{' '.join(words)}:\n{done.stdout}{done.stderr}")
    return Result(PASS, _python_files(), "files")


def types() -> Result:
    """mypy on all packages."""
    done = _command("bash", "ci/typecheck")
    if done.returncode:
        return Result(FAIL, 0, "files", done.stdout + done.stderr)
    found = re.search(r"no issues found in (\d+) source files", done.stdout)
    return Result(PASS, int(found[1]) if found else 0, "files")


def pytest(*folders: str) -> Result:
    """pytest on folders; the count is of tests that passed."""
    done = _command(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n0", *folders)
    found = re.search(r"(\d+) passed", done.stdout)
    count = int(found[1]) if found else 0
    if done.returncode or re.search(r"\d+ (skipped|xfailed|xpassed)", done.stdout):
        return Result(FAIL, count, "tests", done.stdout[-6000:] + done.stderr[-2000:])
    return Result(PASS, count, "tests")


def mutants(modules: Sequence[str], sample: int | None = None) -> Result:
    """Mutants of the specification's modules are noticed by a witness, or listed.

    Args:
        modules: of which.
        sample: how many; another choice whenever the specification changes. None: all.
    """
    words = [word for name in modules for word in ("--module", name)]
    if sample is not None:
        text = b"".join(loader.path_of(name).read_bytes() for name in modules)
        seed = int(hashlib.sha256(text).hexdigest()[:6], 16)
        words += ["--sample", str(sample), "--seed", str(seed)]
    done = _command(sys.executable, "-m", "unmask.tests.mutants", "--jobs", "1", *words)
    found = re.search(r"([\d,]+) mutants", done.stdout)
    count = int(found[1].replace(",", "")) if found else 0
    if done.returncode or not count:
        return Result(FAIL, count, "mutants", done.stdout[-6000:] + done.stderr[-2000:])
    return Result(PASS, count, "mutants")


def published_numerics() -> Result:
    """The manual's table of errors is what measuring gives."""
    done = _command(sys.executable, "-m", "unmask.spec.manual.published_error", "--check")
    if done.returncode:
        return Result(FAIL, 0, "rows", done.stdout[-2000:] + done.stderr[-2000:])
    return Result(PASS, len(published_error.CASES), "rows")


def certificates() -> Result:
    """Certificates on seeded rows are right and not vacuous, and tell a core of twice the error."""
    found = sweep.sweep()
    ours = found["ours"]
    wrong = [f"{core}: {x}" for core in ("ours", "edge") for x in found[core].faults]
    wrong += sweep.loose(ours)
    if not found["twice"].faults:
        wrong.append("a core with twice the error of T1 was not found out")
    if wrong:
        return Result(FAIL, ours.sets, "sets", "\n".join(wrong[:20]))
    rates = {family: f"{ours.rate(family):.1%}" for family in ours.certified if ours.rate(family)}
    facts = {"uncertified": rates, "faults of twice the error": len(found["twice"].faults)}
    return Result(PASS, ours.sets, "sets", facts=facts)


# -- Verilog as text ---------------------------------------------------------------------------
def _verilator_lint(
    files: Sequence[Path],
    include: Sequence[Path],
    top: str,
    parameters: Mapping[str, int],
    strict: bool = True,
) -> str:
    """What Verilator objects to: with `strict` any warning, else errors alone."""
    words = ["verilator", "--lint-only", "-Wall" if strict else "-Wno-fatal"]
    words += ["--default-language", "1364-2005"] if strict else []
    words += ["--top-module", top, *(f"-I{path}" for path in include)]
    words += [f"-G{name}={value}" for name, value in parameters.items()]
    done = _command(*words, *map(str, files))
    return done.stderr.strip() if done.returncode or strict else ""


def _yosys_check(design: yosys.Design) -> None:
    """Elaborate and look for multiple drivers, loops, undriven wires, latches."""
    commands = [
        *design.read(),
        "proc",
        "check -assert",
        "select -assert-none t:$dlatch t:$_DLATCH*",
    ]
    yosys.run(commands)


def lint_unit(path: Path, swap: Swap, strict: bool) -> Result:
    """A bound unit: ports as the binding says, nothing undriven, no latch.

    `strict`: no Verilator warning either. A foreign unit's style is its owner's business.
    """
    binding = bindings.load(path)
    sizes = sorted({size for group in binding.sizes.values() for size in group})
    files = jobs.swapped(binding.files, swap)
    for lanes in sizes:
        design = yosys.Design.of(binding, lanes, swap)
        yosys.check_ports(binding, lanes, design)
        _yosys_check(design)
        parameters = binding.parameters(lanes)
        if found := _verilator_lint(files, design.include, binding.top, parameters, strict):
            return Result(FAIL, 0, "modules", f"{binding.name} at {lanes} lanes:\n{found}")
    return Result(PASS, len(sizes), "modules")


def sequenced_design(name: str, size: Size, swap: Swap) -> yosys.Design:
    """A unit with memory ports of its own."""
    unit = sequenced.UNITS[name]
    files = jobs.swapped(tuple(RTL / file for file in unit.files), swap)
    return yosys.Design(files, unit.top, unit.parameters(size), (RTL,))


def lint_sequenced(name: str, sizes: Sequence[int], swap: Swap) -> Result:
    """A unit with memory ports of its own, at several numbers of lanes."""
    for vlen in sizes:
        design = sequenced_design(name, jobs.sequenced_size(vlen), swap)
        _yosys_check(design)
        if found := _verilator_lint(design.files, (RTL,), design.top, design.parameters):
            return Result(FAIL, 0, "modules", f"{name} at {vlen} lanes:\n{found}")
    return Result(PASS, len(sizes), "modules")


def core_design(config: Config, swap: Swap) -> yosys.Design:
    """Our core with the sizes of a configuration."""
    return yosys.Design(
        jobs.swapped(CORE_FILES, swap),
        "unmask_core",
        jobs.core_parameters(config),
        (RTL,),
        macros=("unmask_sram",),
    )


def lint_core(vlen: int, swap: Swap) -> Result:
    """The whole core at a number of lanes."""
    design = core_design(replace(SMALL, vlen=vlen), swap)
    _yosys_check(design)
    found = _verilator_lint(design.files, (RTL,), "unmask_core", design.parameters)
    if found:
        return Result(FAIL, 0, "modules", f"core at VLEN {vlen}:\n{found}")
    return Result(PASS, len(design.files), "modules")


def elaborate_core(vlen: int, swap: Swap) -> Result:
    """The whole core elaborates in Icarus, of the three tools the fastest at it."""
    files = jobs.swapped(CORE_FILES, swap)
    sizes = jobs.core_parameters(replace(SMALL, vlen=vlen))
    options = [f"-Punmask_core.{name}={value}" for name, value in sizes.items()]
    done = subprocess.run(
        ["iverilog", "-g2005", "-t", "null", "-s", "unmask_core", "-I", RTL, *options, *files],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        return Result(FAIL, 0, "modules", f"core at VLEN {vlen}:\n{done.stderr}")
    return Result(PASS, len(files), "modules")


def _stream_design(name: str, swap: Swap) -> yosys.Design:
    """The write engine at one of its sizes, or the host interface."""
    unit = stream_jobs.UNITS[name]
    files = jobs.swapped(unit.files, swap)
    return yosys.Design(files, unit.top, unit.parameters, (RTL,), unit.macros)


def lint_stream(names: Sequence[str], swap: Swap) -> Result:
    """The write engine at several sizes, or the host interface."""
    for name in names:
        design = _stream_design(name, swap)
        _yosys_check(design)
        if found := _verilator_lint(design.files, (RTL,), design.top, design.parameters):
            return Result(FAIL, 0, "modules", f"{name}:\n{found}")
    return Result(PASS, len(names), "modules")


def header() -> Result:
    """The Verilog header in the repository is what the table gives."""
    path = RTL / "unmask_isa.vh"
    if path.read_text(encoding="utf-8") != isa.verilog_header():
        mend = command.python("unmask.spec", "header", "> rtl/unmask_isa.vh")
        return Result(FAIL, 0, "rows", f"{path} is not what the table gives; mend: {mend}")
    return Result(PASS, len(isa.TABLE), "rows")


def manual() -> Result:
    """The ISA manual in the repository is what the table gives."""
    stale = pages.stale()
    if stale:
        mend = command.python("unmask.spec", "manual")
        files = ", ".join(str(pages.FOLDER / name) for name in stale)
        return Result(FAIL, 0, "rows", f"{files}: not what the table gives; mend: {mend}")
    return Result(PASS, len(isa.TABLE), "rows")


# -- proofs ------------------------------------------------------------------------------------
def theorem_names(
    own: bool, bound: Sequence[bindings.Binding]
) -> list[tuple[str, Path | None, bool]]:
    """(theorem, foreign binding it comes with or None for ours, whether it reads Verilog)."""
    if own:
        return [(name, None, bool(row.sources)) for name, row in registry.theorems().items()]
    return [(name, unit.path, True) for unit in bound for name in registry.theorems(unit.path)]


def theorem(name: str, dut: Path | None, swap: Swap) -> Result:
    """One theorem with its witness and its twin; the gate's cache stands in for the ledger's."""
    (record,) = ledger.run([name], dut=dut, files=swap, jobs=1, use_cache=False)
    facts = {
        "bounds": record.bounds,
        "engine": record.engine,
        "peak MB": record.peak_mb,
        "twin": record.twin,
        "witness": record.witness,
    }
    verdict = PASS if record.verdict == PROVEN else FAIL
    detail = "" if verdict == PASS else f"{record.verdict}: {record.detail}"
    return Result(verdict, record.obligations, "obligations", detail, facts)


# -- cosimulation ------------------------------------------------------------------------------
def _simulated(job: Job, unit: str = "examples") -> Result:
    outcome = simulate(job)
    facts = {name: value for name, value in outcome.facts.items() if name != "bins"}
    if outcome.seconds:
        facts[f"{unit}_per_second"] = round(outcome.examples / outcome.seconds, 1)
    if outcome.failure is None:
        return Result(PASS, outcome.examples, unit, facts=facts)
    return Result(FAIL, outcome.examples, unit, explain(outcome), facts)


def unit_cosim(path: Path, lanes: int, simulator: str, examples: int, swap: Swap) -> Result:
    """A unit's RTL against its contract."""
    return _simulated(jobs.unit_job(bindings.load(path), lanes, simulator, examples, swap))


def sequenced_cosim(name: str, size: Size, simulator: str, examples: int, swap: Swap) -> Result:
    """A unit with memory ports of its own, instruction by instruction, against the machine."""
    return _simulated(jobs.sequenced_job(sequenced.UNITS[name], size, simulator, examples, swap))


def stream_cosim(name: str, simulator: str, examples: int, swap: Swap) -> Result:
    """The write engine at one of its sizes, or the host interface, on drawn cases."""
    return _simulated(stream_jobs.UNITS[name].job(name, simulator, examples, swap))


def foreign_slave(name: str, simulator: str, examples: int, swap: Swap) -> Result:
    """A memory engine at one of its sizes on a slave of cocotbext-axi."""
    return _simulated(stream_jobs.slave_job(name, simulator, examples, swap))


def lockstep_name(simulator: str, config: Config) -> str:
    """What the gate calls the core's lockstep."""
    return f"{simulator} core VLEN {config.vlen}, {jobs.bus_name(config)}"


def core_cosim(simulator: str, examples: int, swap: Swap, config: Config) -> Result:
    """The core on drawn programs, in lockstep."""
    return _simulated(jobs.core_job(simulator, examples, config, swap))


def coverage() -> Result:
    """What drawn and directed programs reach of the core's lines, toggles and bins."""
    aims = counts.goals()
    covered, failed = counts.run()
    if failed is not None:
        return Result(FAIL, covered.programs, "programs", explain(failed))
    page = counts.write(covered, aims, BUILD / "coverage")
    facts = {name: str(covered.share(name)) for name in aims.floor} | {"page": shown(page)}
    missed = counts.below(covered, aims)
    verdict = FAIL if missed else PASS
    return Result(verdict, covered.programs, "programs", "; ".join(missed), facts)


def real_rows(vocabulary: int, rows: int, vlen: int) -> Result:
    """Whole logit rows through the core's RTL under Verilator."""
    return _simulated(jobs.real_rows_job(vocabulary, rows, vlen), "rows")


def block(sizes: jobs.Block, most: float) -> Result:
    """Streaming steps over a block of logits, within `most` of the least cycles for its bytes."""
    found = _simulated(jobs.block_job(sizes), "steps")
    slow = [f"{x} takes {ratio:.4f} of its least cycles, expected at most {most}"
            for x, ratio in found.facts.get("ratios", {}).items() if ratio > most]  # fmt: skip
    return replace(found, verdict=FAIL, detail="; ".join(slow)) if slow else found


# -- netlists ----------------------------------------------------------------------------------
def _digest(path: Path) -> dict[str, str]:
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest()}


def _synthesise(design: yosys.Design, out: Path) -> Result:
    out.parent.mkdir(parents=True, exist_ok=True)
    facts = yosys.synthesise(design, out)
    return Result(PASS, facts["total"], "cells", facts=facts, files=_digest(out))


def _with_macros(binding: bindings.Binding, lanes: int) -> yosys.Design:
    return replace(yosys.Design.of(binding, lanes), macros=binding.macros)


def synthesis(path: Path, lanes: int, out: Path) -> Result:
    """A unit to generic gates."""
    return _synthesise(_with_macros(bindings.load(path), lanes), out)


def sequenced_synthesis(name: str, size: Size, out: Path) -> Result:
    """A unit with memory ports of its own to generic gates."""
    return _synthesise(sequenced_design(name, size, {}), out)


def stream_synthesis(name: str, out: Path) -> Result:
    """The write engine at one of its sizes, or the host interface, to generic gates."""
    return _synthesise(_stream_design(name, {}), out)


# Parts of the core that have no binding and no bench of their own, at the netlist core's sizes.
CORE_PARTS: Mapping[str, Mapping[str, int]] = {
    "frontend/unmask_control": {"PROGRAM_WORDS": 64},
    "frontend/unmask_csrs": {"VLEN": 4},
    "frontend/unmask_decode": {},
    "frontend/unmask_footprint": {},
    "frontend/unmask_loop_stack": {"DEPTH": 2, "PC_BITS": 7},
    "frontend/unmask_retire": {"VLEN": 4, "VECTOR_ROWS": 8, "PC_BITS": 7},
    "frontend/unmask_trap_check": {
        "VLEN": 4, "VECTOR_ROWS": 8, "FP_WORDS": 16, "KEY_WORDS": 16, "INT_WORDS": 16,
    },
    "frontend/unmask_transfers": {"PC_BITS": 7},
    "memory/unmask_vector_sram": {"VLEN": 4, "ROWS": 8},
    "scalar/unmask_registers": {},
    "softmax/unmask_states": {},
    "vector/unmask_strip": {"VLEN": 4, "ROWS": 8},
}  # fmt: skip


def core_wiring() -> yosys.Design:
    """The core at its smallest, all modules that it is made of left as macros."""
    return replace(core_design(jobs.NETLIST_CORE, {}), macros=wiring.modules())


def core_synthesis(out: Path) -> Result:
    """What is in the core between its modules, to gates."""
    return _synthesise(core_wiring(), out)


def core_part(name: str, out: Path) -> Result:
    """A part of the core to gates, which equal its RTL."""
    files = (RTL / f"{name}.v", RTL / "memory" / "unmask_sram.v")
    design = yosys.Design(files, files[0].stem, CORE_PARTS[name], (RTL,), ("unmask_sram",))
    _synthesise(design, out)
    return _equivalence(design, out, INDUCTION_MARGIN)


def _equivalence(gold: yosys.Design, out: Path, depth: int) -> Result:
    gate = yosys.Design((out,), gold.top)
    found = yosys.equivalent(gold, gate, depth)
    verdict = PASS if found.equal else FAIL
    return Result(verdict, found.pairs, "signal pairs", "" if found.equal else found.detail)


def equivalence(path: Path, lanes: int, out: Path) -> Result:
    """A unit's netlist equals its RTL."""
    binding = bindings.load(path)
    depth = binding.cycles(lanes) + INDUCTION_MARGIN
    return _equivalence(_with_macros(binding, lanes), out, depth)


def macro_equivalence(path: Path, name: str, out: Path) -> Result:
    """A part of a bound unit to gates, which equal its RTL.

    A combinational one, which has few inputs, on all their values; one with a clock formally.
    """
    rtl = replace(yosys.Design.of(bindings.load(path), 2), top=name, parameters={})
    made = _synthesise(rtl, out)
    if "clk" in yosys.ports(rtl):
        return _equivalence(rtl, out, INDUCTION_MARGIN)
    modules = [gates.Gates.of(design, {}) for design in (rtl, yosys.Design((out,), name))]
    widths = {name: len(bits) for name, bits in modules[0].inputs.items()}
    cases = 1 << sum(widths.values())
    values, inputs = np.arange(cases), {}
    for name, width in widths.items():
        inputs[name] = gates.bits_of(values & ((1 << width) - 1), width)
        values = values >> width
    gold, gate = (module.step((), inputs)[0] for module in modules)
    wrong = [name for name in gold if not np.array_equal(gold[name], gate[name])]
    if wrong or gold.keys() != gate.keys() or any(module.flip_flops for module in modules):
        return Result(FAIL, cases, "cases", f"{name}: outputs that differ: {wrong}")
    return Result(PASS, cases, "cases", facts=made.facts)


def sequenced_equivalence(name: str, size: Size, out: Path) -> Result:
    """The netlist of a unit with memory ports of its own equals its RTL."""
    return _equivalence(sequenced_design(name, size, {}), out, 2 * INDUCTION_MARGIN)


def stream_equivalence(name: str, out: Path) -> Result:
    """The netlist of the write engine, or of the host interface, equals its RTL."""
    return _equivalence(_stream_design(name, {}), out, stream_jobs.UNITS[name].depth)


def read_part(name: str, out: Path) -> Result:
    """A part of the read engine to gates, which equal its RTL."""
    design = read_jobs.part(name)
    _synthesise(design, out)
    return _equivalence(design, out, 2)


def core_equivalence(out: Path) -> Result:
    """The netlist of what is between the core's modules equals its RTL."""
    return _equivalence(core_wiring(), out, 2 * INDUCTION_MARGIN)


def netlist_cosim(path: Path, lanes: int, simulator: str, examples: int, out: Path) -> Result:
    """The unit's cosimulation, unchanged, on its netlist."""
    job = jobs.unit_job(bindings.load(path), lanes, simulator, examples)
    return _simulated(jobs.on_netlist(job, out))


def sequenced_netlist_cosim(
    name: str, size: Size, simulator: str, examples: int, out: Path
) -> Result:
    """The cosimulation of a unit with memory ports of its own, unchanged, on its netlist."""
    job = jobs.sequenced_job(sequenced.UNITS[name], size, simulator, examples)
    return _simulated(jobs.on_netlist(job, out))


def stream_netlist_cosim(name: str, simulator: str, examples: int, out: Path) -> Result:
    """The cosimulation of the write engine, or of the host interface, on its netlist."""
    unit = stream_jobs.UNITS[name]
    return _simulated(unit.on_netlist(unit.job(name, simulator, examples), out))


def core_netlist_cosim(simulator: str, examples: int, out: Path) -> Result:
    """The core's cosimulation, unchanged, on its netlist."""
    job = jobs.core_job(simulator, examples, jobs.NETLIST_CORE)
    return _simulated(jobs.on_netlist(job, out))


# -- planted bugs ------------------------------------------------------------------------------
def bug_checks(count: int | None) -> list[tuple[str, str]]:
    """(bug, check that must catch it).

    Args:
        count: so many bugs, others whenever the Verilog changes, each with the first of its
            checks; None: all with all.
    """
    if count is None:
        return [(bug.name, check) for bug in BUGS.values() for check in bug.caught_by]
    text = b"".join(path.read_bytes() for path in CORE_FILES)
    chosen = random.Random(hashlib.sha256(text).digest()).sample(list(BUGS.values()), count)
    return [(bug.name, bug.caught_by[0]) for bug in chosen]


def demo_names(bug: bugs.Bug) -> set[str]:
    """The gate's tasks that correspond to the checks which catch a bug, at their smallest."""
    names = set()
    for check in bug.caught_by:
        kind, _, argument = check.partition(" ")
        if kind == "proof":
            names |= {
                f"theorem {row.name}" for row in registry.select(registry.theorems(), [argument])
            }
        elif kind == "unit":
            lanes = bugs.LANES if bugs.binding_named(argument).lanes_parameter else 1
            names.add(f"{jobs.quick_simulator()} {argument} lanes {lanes}")
        elif check in stream_jobs.UNITS:
            names.add(f"icarus {check}")
        elif kind == "slave":
            names.add(f"icarus {argument} on a foreign slave")
        elif kind == "sequenced":
            names.add(f"{jobs.quick_simulator()} {argument} VLEN {bugs.SEQUENCED_LANES}")
        else:
            names.add(lockstep_name(jobs.quick_simulator(), SMALL))
    return names


def planted_bug(name: str, check: str) -> Result:
    """A bug must turn a check red, with a decoded counterexample; green is the failure here."""
    caught = bugs.catch(BUGS[name], check)
    if caught is None:
        return Result(FAIL, 1, "bugs", f"{name}: the {check} check stayed green on a broken copy")
    return Result(PASS, 1, "bugs", facts={"counterexample": caught})
