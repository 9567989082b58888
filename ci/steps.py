"""The gate's table: what is checked, step by step. A new unit joins by its binding file alone.

Each step turns the `Scope` (which bindings, whether our own core is in it, which files are
replaced by broken copies) into tasks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from unmask.ci import checks
from unmask.ci.task import Task
from unmask.spec import binding as bindings
from unmask.spec.contracts.sequenced import UNITS as SEQUENCED_UNITS
from unmask.tests.cosim import jobs, stream_jobs
from unmask.tests.cosim.jobs import SEQUENCED_NETLIST, quick_simulator, sequenced_size
from unmask.tests.cosim.paths import BUILD, ROOT
from unmask.tests.cosim.read_jobs import PARTS as READ_PARTS
from unmask.tests.cosim.runner import available
from unmask.tests.mutants import MODULES as MUTATED
from unmask.tests.quality.bugs import EXAMPLES
from unmask.tests.strategies import SMALL

# Folders that Python checks depend on; imports point one way, spec <- model <- tests.
SPEC = ("spec", "unmask.py", "pyproject.toml", "ci/requirements.lock")
COSIM = (
    *SPEC,
    "model",
    "tests/cosim",
    "tests/strategies.py",
    "tests/logit_rows.py",
    "ci/checks.py",
)
PROOFS = (*SPEC, "model", "proofs", "ci/checks.py")
EVERYTHING = ("spec", "model", "rtl", "proofs", "tests", "ci", "unmask.py", "pyproject.toml")

# Cores in lockstep: (simulator, core); with --nightly also those of LOCKSTEP_NIGHTLY.
LOCKSTEP = (
    ("verilator", SMALL),
    ("icarus", SMALL),
    ("icarus", replace(SMALL, vlen=2, vector_rows=32, loop_depth=4)),
    ("icarus", replace(SMALL, vlen=4, vector_rows=16, channels=4, beat_bytes=16)),
    ("icarus", replace(SMALL, vlen=16, vector_rows=4, int_words=32, beat_bytes=64)),
    ("icarus", replace(SMALL, vlen=64, vector_rows=2, beat_bytes=64)),  # MASK repeats from lane 32
)
LOCKSTEP_NIGHTLY = (
    ("icarus", replace(SMALL, channels=32, hbm_bytes=1 << 13)),
    ("verilator", replace(SMALL, vlen=64, vector_rows=2, beat_bytes=64)),
)
ICARUS_LANES = 16  # it interprets: wider units run on Verilator alone
UNIT_EXAMPLES = {"verilator": 250, "icarus": 60}
CORE_EXAMPLES = {"verilator": 300, "icarus": 60}
ELABORATED = (256,)
ELABORATED_NIGHTLY = (1024, 2048)  # 20 s and 3.4 GB, 68 s and 6.7 GB
VOCABULARY = 126_464  # LLaDA-8B
REAL_ROWS = (3, 8)  # rows, VLEN: the core at 64 lanes takes minutes to build
NIGHTLY_ROWS = (9, 64)  # each family of rows once
# Whole steps: the default one, and those of --nightly, the last of which a core takes 15 minutes
# of processor time to build for. All within so much of the least cycles for their bytes and lanes.
BLOCK = jobs.Block(8, "narrow-1x64", 1, 2, VOCABULARY, ("E4M3_B32",))
NIGHTLY_BLOCKS = (
    jobs.Block(64, "narrow-1x512", 1, 32, VOCABULARY),
    jobs.Block(512, "wide-8x512", 16, 32, 1 << 16, ("E4M3_B32",)),
)
MOST_OF_LEAST = 1.01
NETLIST_EXAMPLES = 150
MORE_EXAMPLES = 30  # of a further instruction on the same netlist
# Units with memory ports of their own: simulator -> VLEN, examples (whole instructions, so fewer).
SEQUENCED = {"icarus": (2, 40), "verilator": (8, 80)}
SEQUENCED_LINT = (2, 8, 64, 2048)
SEQUENCED_NETLIST_EXAMPLES = 25
# Write engine and host interface: (unit, simulator, examples); each takes tens of transfers.
STREAM_COSIM = (
    ("write 1x64", "icarus", 50),
    ("write 1x512", "icarus", 30),
    ("write 2x64", "icarus", 40),
    ("write 32x64", "icarus", 6),
    ("write 2x256", "icarus", 30),
    ("write 1x1024", "icarus", 30),
    ("write 4x128", "verilator", 100),
    ("host", "icarus", 40),
    ("read 1x64", "icarus", 80),
    ("read 1x512", "icarus", 60),
    ("read 2x64", "icarus", 40),
    ("read 2x256", "icarus", 60),
    ("read 1x1024", "icarus", 60),
    ("read 32x64", "icarus", 5),
    ("read 4x128", "verilator", 150),
)
STREAM_LINT = (
    ("write 1x64", "write 4x128", "write 32x64", "write 2x64", "write 2x256", "write 1x1024"),
    ("host",),
    (
        "read 1x64",
        "read 1x512",
        "read 2x64",
        "read 4x128",
        "read 32x64",
        "read 2x256",
        "read 1x1024",
    ),
)
READ_NETLIST = "read netlist"  # its parts are proven equal, not the whole: that takes minutes
STREAM_NETLISTS = ("write netlist", "host", READ_NETLIST)
STREAM_NETLIST_EXAMPLES = 12


@dataclass(frozen=True)
class Scope:
    """What a run of the gate looks at.

    Attributes:
        bindings: units to check.
        own: whether our own core, specification and tests are in it.
        swap: our Verilog files that are replaced by others (planted bugs).
        nightly: whether what takes long is done in full.
    """

    bindings: tuple[bindings.Binding, ...]
    own: bool
    swap: Mapping[Path, Path] = field(default_factory=dict)
    nightly: bool = False


@dataclass(frozen=True)
class Step:
    """A row of the gate: name, what it checks, the tasks of a scope."""

    name: str
    checks: str
    tasks: Callable[[Scope], list[Task]]


def own_bindings() -> tuple[bindings.Binding, ...]:
    """Every binding below `rtl`, without the examples of foreign units."""
    found = sorted((ROOT / "rtl").rglob("*.toml"))
    return tuple(bindings.load(path) for path in found if "examples" not in path.parts)


def _verilog(scope: Scope, binding: bindings.Binding) -> tuple[Path, ...]:
    """A unit's binding, sources, and all that lies in folders which those can include from."""
    swapped = [scope.swap.get(path, path) for path in binding.files]
    folders = {*binding.include, *(path.parent for path in binding.files)}
    beside = {path for x in folders if x.is_dir() for path in x.iterdir() if path.is_file()}
    return (binding.path, *swapped, *sorted(beside))


def _style(scope: Scope) -> list[Task]:
    if not scope.own:
        return []
    return [
        Task("style", "ruff", checks.ruff, (), EVERYTHING),
        Task("style", "types", checks.types, (), EVERYTHING),
    ]


def _firsts(scope: Scope) -> list[bindings.Binding]:
    """One binding of each module: instructions that share a module share builds and netlists."""
    return list({binding.top: binding for binding in reversed(scope.bindings)}.values())


def _lint(scope: Scope) -> list[Task]:
    tasks = [
        Task(
            "lint",
            f"lint {binding.name}",
            checks.lint_unit,
            (binding.path, dict(scope.swap), scope.own),
            (*PROOFS, *_verilog(scope, binding)),
        )
        for binding in _firsts(scope)
    ]
    if scope.own:
        tasks += [
            Task("lint", f"lint {name}", checks.lint_sequenced,
                 (name, SEQUENCED_LINT, dict(scope.swap)), (*PROOFS, "rtl", *scope.swap.values()))
            for name in SEQUENCED_UNITS
        ]  # fmt: skip
        core = [
            Task("lint", f"lint core VLEN {vlen}", checks.lint_core, (vlen, dict(scope.swap)),
                 (*PROOFS, "rtl", *scope.swap.values()))
            for vlen in (2, 8, 64)
        ]  # fmt: skip
        core += [
            Task("lint", f"icarus elaborates core VLEN {vlen}", checks.elaborate_core,
                 (vlen, dict(scope.swap)), (*PROOFS, "rtl", *scope.swap.values()), cost=vlen // 20)
            for vlen in (ELABORATED_NIGHTLY if scope.nightly else ELABORATED)
        ]  # fmt: skip
        tasks += [
            *core,
            *(
                Task(
                    "lint",
                    f"lint {names[0].split()[0]}",
                    checks.lint_stream,
                    (names, dict(scope.swap)),
                    (*PROOFS, "rtl", "tests/cosim/write_jobs.py", *scope.swap.values()),
                )
                for names in STREAM_LINT
            ),
            Task("lint", "Verilog header", checks.header, (), (*SPEC, "rtl")),
            Task("lint", "ISA manual", checks.manual, (), (*SPEC, "ci/checks.py")),
        ]
    return tasks


def _tests(scope: Scope) -> list[Task]:
    if not scope.own:
        return []
    shared = (*SPEC, "model", "tests/strategies.py", "tests/scenes.py", "tests/witness",
              "tests/logit_rows.py", "tests/softmax_definition.py", "tests/conftest.py",
              "ci/checks.py")  # fmt: skip
    return [
        Task("property tests", "tests of spec", checks.pytest, ("tests/spec", "tests/reference"),
             (*shared, "tests/spec", "tests/reference"), cost=45),
        Task("property tests", "tests of model", checks.pytest, ("tests/model",),
             (*shared, "model", "tests/model")),
        Task("property tests", "published numerics", checks.published_numerics, (),
             (*SPEC, "ci/checks.py"), cost=15),
        Task("property tests", "certificates", checks.certificates, (),
             (*SPEC, "tests/certificates/sweep.py", "ci/checks.py"), cost=40),
        Task("property tests", "regressions", checks.pytest, ("tests/regressions",),
             (*COSIM, "tests/conftest.py", "rtl", "tests/regressions"), cost=10),
    ]  # fmt: skip


# In groups of about the same time, so that two can run side by side; together all modules.
MUTANT_GROUPS = (
    ("formats", "reductions", "loops", "arith"),
    ("mx", "softmax"),
    ("instructions.rules", "instructions.control", "instructions.scalar", "instructions.vector"),
    ("instructions.masks",),
    ("instructions.memory", "instructions.softmax"),
)


MUTANTS_OF_A_GROUP = 80  # a tenth of all; with --nightly every one
BUGS_TRIED = 15  # a quarter

if sorted(name for group in MUTANT_GROUPS for name in group) != sorted(MUTATED):
    raise ValueError("MUTANT_GROUPS: not each of tests.mutants.MODULES once")


def _spec_mutants(scope: Scope) -> list[Task]:
    if not scope.own or scope.swap:
        return []
    needs = (*SPEC, "tests/witness", "tests/mutants", "tests/scenes.py", "tests/strategies.py",
             "tests/quality/equivalent_mutants.toml", "model", "ci/checks.py")  # fmt: skip
    return [
        Task(
            "spec mutants",
            f"mutants of {', '.join(group)}",
            checks.mutants,
            (group, None if scope.nightly else MUTANTS_OF_A_GROUP),
            needs,
            cost=60,
        )
        for group in MUTANT_GROUPS
    ]


# With --nightly alone: theorems that no change of Verilog can touch, a quarter of an hour, and of
# further instructions on a unit whose adder or multiplier another one has proven.
LONG_THEOREMS = (
    "numerics.",
    "programs.",
    *(f"unit.{x}." for x in ("v_add_vf", "v_sub_vv", "v_sub_vf", "v_sub_vf_reversed", "v_mul_vf")),
)


def _theorems(scope: Scope) -> list[Task]:
    verilog = {binding.path: _verilog(scope, binding) for binding in scope.bindings}
    return [
        Task("theorems", f"theorem {name}", checks.theorem, (name, dut, dict(scope.swap)),
             (*PROOFS, *_theorem_sources(dut, reads, verilog), *scope.swap.values()),
             cost=30 if "16" in name or name.startswith("numerics") else 8)
        for name, dut, reads in checks.theorem_names(scope.own, scope.bindings)
        if scope.nightly or scope.swap or not (scope.own and name.startswith(LONG_THEOREMS))
    ]  # fmt: skip


def _theorem_sources(
    dut: Path | None, reads: bool, verilog: Mapping[Path, tuple[Path, ...]]
) -> tuple[str | Path, ...]:
    """What a theorem depends on beside Python: nothing if it speaks of the specification alone."""
    if dut is not None:
        return verilog[dut]
    return ("rtl",) if reads else ()


def _unit_cosim(scope: Scope) -> list[Task]:
    own = _sequenced_cosim(scope) + _stream_cosim(scope) if scope.own else []
    return _bound_cosim(scope) + own


def _sequenced_cosim(scope: Scope) -> list[Task]:
    return [
        Task(
            "unit cosimulation",
            f"{simulator} {name} VLEN {vlen}",
            checks.sequenced_cosim,
            (name, sequenced_size(vlen), simulator, examples, dict(scope.swap)),
            (*COSIM, "rtl", *scope.swap.values()),
        )
        for name in SEQUENCED_UNITS
        for simulator, (vlen, examples) in SEQUENCED.items()
    ]


def _stream_cosim(scope: Scope) -> list[Task]:
    needs: tuple[str | Path, ...] = (*COSIM, "rtl", *scope.swap.values())
    tasks = [
        Task("unit cosimulation", f"{simulator} {name}", checks.stream_cosim,
             (name, simulator, examples, dict(scope.swap)), needs, cost=15)
        for name, simulator, examples in STREAM_COSIM
    ]  # fmt: skip
    tasks += [
        Task("unit cosimulation", f"icarus {name} on a foreign slave", checks.foreign_slave,
             (name, "icarus", 15, dict(scope.swap)), needs)
        for name in stream_jobs.SLAVES
    ]  # fmt: skip
    return tasks


def _bound_cosim(scope: Scope) -> list[Task]:
    """Every binding on Icarus, one of each module on Verilator too."""
    built = _firsts(scope)
    return [
        Task(
            "unit cosimulation",
            f"{simulator} {binding.name} lanes {lanes}",
            checks.unit_cosim,
            (binding.path, lanes, simulator, UNIT_EXAMPLES[simulator], dict(scope.swap)),
            (*COSIM, *_verilog(scope, binding)),
        )
        for binding in scope.bindings
        for lanes in binding.sizes["simulate"]
        for simulator in ("verilator", "icarus")
        if (lanes <= ICARUS_LANES if simulator == "icarus" else binding in built)
    ]


def _core_cosim(scope: Scope) -> list[Task]:
    if not scope.own:
        return []
    return [
        Task(
            "core lockstep",
            checks.lockstep_name(simulator, config),
            checks.core_cosim,
            (simulator, EXAMPLES if scope.swap else CORE_EXAMPLES[simulator], dict(scope.swap),
             config),
            (*COSIM, "rtl", *scope.swap.values()),
            cost=15,
        )
        for simulator, config in LOCKSTEP + (LOCKSTEP_NIGHTLY if scope.nightly else ())
    ]  # fmt: skip


def _coverage(scope: Scope) -> list[Task]:
    if not scope.own or scope.swap:
        return []
    return [
        Task("coverage", "coverage of the core", checks.coverage, (), (*COSIM, "rtl"),
             cost=60)
    ]  # fmt: skip


def _real_rows(scope: Scope) -> list[Task]:
    if not scope.own:
        return []
    rows, vlen = NIGHTLY_ROWS if scope.nightly else REAL_ROWS
    return [
        Task("real rows", f"V = {VOCABULARY:,} on RTL", checks.real_rows,
             (VOCABULARY, rows, vlen), (*COSIM, "rtl"), cost=60),
        *(
            Task("real rows", f"a step, V = {x.vocabulary:,}, VLEN {x.vlen}, {x.memory}",
                 checks.block, (x, MOST_OF_LEAST), (*COSIM, "rtl"), cost=60)
            for x in (NIGHTLY_BLOCKS if scope.nightly else (BLOCK,))
        ),
    ]  # fmt: skip


def netlist(name: str, lanes: int) -> Path:
    return BUILD / "netlist" / f"{name}_{lanes}.v"


def _netlist_cases(scope: Scope) -> list[tuple[bindings.Binding, int]]:
    return [(binding, lanes) for binding in scope.bindings for lanes in binding.sizes["netlist"]]


def _modules(scope: Scope) -> dict[str, tuple[bindings.Binding, int]]:
    """Module and lanes -> a binding of it: instructions that share a unit share its netlist."""
    return {f"{binding.top} lanes {lanes}": (binding, lanes)
            for binding, lanes in reversed(_netlist_cases(scope))}  # fmt: skip


def _synthesis(scope: Scope) -> list[Task]:
    tasks = [
        Task("synthesis", f"synthesis {module}", checks.synthesis,
             (binding.path, lanes, netlist(binding.top, lanes)),
             (*PROOFS, *_verilog(scope, binding)))
        for module, (binding, lanes) in _modules(scope).items()
    ]  # fmt: skip
    if scope.own:
        tasks += [
            Task("synthesis", f"synthesis {name}", checks.stream_synthesis,
                 (name, netlist(name.replace(" ", "_"), 2)),
                 (*PROOFS, "rtl", "tests/cosim/write_jobs.py"))
            for name in STREAM_NETLISTS
        ]  # fmt: skip
        tasks += [
            Task("synthesis", f"synthesis {name}", checks.sequenced_synthesis,
                 (name, SEQUENCED_NETLIST, netlist(name, SEQUENCED_NETLIST.config.vlen)),
                 (*PROOFS, "rtl"))
            for name in SEQUENCED_UNITS
        ]  # fmt: skip
        tasks.append(
            Task("synthesis", "synthesis core", checks.core_synthesis, (netlist("core", 4),),
                 (*PROOFS, "rtl"), cost=120)
        )  # fmt: skip
    return tasks


def _equivalence(scope: Scope) -> list[Task]:
    tasks = [
        Task("equivalence", f"equivalence {module}", checks.equivalence,
             (binding.path, lanes, netlist(binding.top, lanes)),
             (*PROOFS, *_verilog(scope, binding)),
             (f"synthesis {module}",))
        for module, (binding, lanes) in _modules(scope).items()
    ]  # fmt: skip
    macros = {name: binding for binding in scope.bindings for name in binding.macros}
    tasks += [
        Task("equivalence", f"equivalence {name}", checks.macro_equivalence,
             (binding.path, name, netlist(name, 1)), (*PROOFS, *_verilog(scope, binding)))
        for name, binding in macros.items()
    ]  # fmt: skip
    if scope.own:
        tasks += [
            Task("equivalence", f"equivalence {name}", checks.stream_equivalence,
                 (name, netlist(name.replace(" ", "_"), 2)),
                 (*PROOFS, "rtl", "tests/cosim/write_jobs.py"), (f"synthesis {name}",))
            for name in STREAM_NETLISTS if name != READ_NETLIST
        ]  # fmt: skip
        tasks += [
            Task("equivalence", f"equivalence {name}", checks.read_part, (name, netlist(name, 4)),
                 (*PROOFS, "rtl", "tests/cosim/read_jobs.py"), cost=10)
            for name in READ_PARTS
        ]  # fmt: skip
        tasks += [
            Task("equivalence", f"equivalence {name}", checks.sequenced_equivalence,
                 (name, SEQUENCED_NETLIST, netlist(name, SEQUENCED_NETLIST.config.vlen)),
                 (*PROOFS, "rtl"), (f"synthesis {name}",))
            for name in SEQUENCED_UNITS
        ]  # fmt: skip
        tasks += [
            Task("equivalence", f"equivalence {Path(name).name}", checks.core_part,
                 (name, netlist(Path(name).name, 4)), (*PROOFS, "rtl"), cost=20)
            for name in checks.CORE_PARTS
        ]  # fmt: skip
        tasks.append(
            Task("equivalence", "equivalence core", checks.core_equivalence, (netlist("core", 4),),
                 (*PROOFS, "rtl"), ("synthesis core",), cost=80)
        )  # fmt: skip
    return tasks


def _netlist_cosim(scope: Scope) -> list[Task]:
    """On one simulator; on Icarus where it is installed, whose four states a netlist needs most."""
    simulator = quick_simulator()
    first = _firsts(scope)
    tasks = [
        Task(
            "netlist cosimulation",
            f"{simulator} netlist {binding.name} lanes {lanes}",
            checks.netlist_cosim,
            (
                binding.path,
                lanes,
                simulator,
                NETLIST_EXAMPLES if binding in first else MORE_EXAMPLES,
                netlist(binding.top, lanes),
            ),
            (*COSIM, *PROOFS, *_verilog(scope, binding)),
            (f"synthesis {binding.top} lanes {lanes}",),
        )
        for binding, lanes in _netlist_cases(scope)
        if scope.nightly or binding in first
    ]
    if scope.own:
        tasks += [
            Task("netlist cosimulation", f"{simulator} netlist {name}",
                 checks.stream_netlist_cosim,
                 (name, simulator, STREAM_NETLIST_EXAMPLES, netlist(name.replace(" ", "_"), 2)),
                 (*COSIM, *PROOFS, "rtl"), (f"synthesis {name}",))
            for name in STREAM_NETLISTS
        ]  # fmt: skip
        tasks += [
            Task(
                "netlist cosimulation",
                f"{simulator} netlist {name}",
                checks.sequenced_netlist_cosim,
                (name, SEQUENCED_NETLIST, simulator, SEQUENCED_NETLIST_EXAMPLES,
                 netlist(name, SEQUENCED_NETLIST.config.vlen)),
                (*COSIM, *PROOFS, "rtl"),
                (f"synthesis {name}",),
            )
            for name in SEQUENCED_UNITS
        ]  # fmt: skip
        tasks.append(
            Task(
                "netlist cosimulation",
                f"{simulator} netlist core",
                checks.core_netlist_cosim,
                (simulator, CORE_EXAMPLES["icarus"], netlist("core", 4)),
                (*COSIM, *PROOFS, "rtl"),
                ("synthesis core",),
                cost=20,
            )
        )
    return tasks


def _planted_bugs(scope: Scope) -> list[Task]:
    """Some bugs, each by the first of its checks; with `--nightly` all by all."""
    if not scope.own or scope.swap:
        return []
    return [
        Task("planted bugs", f"bug {bug} by {check}", checks.planted_bug, (bug, check), EVERYTHING)
        for bug, check in checks.bug_checks(None if scope.nightly else BUGS_TRIED)
    ]


STEPS = (
    Step("style", "ruff and mypy on all Python", _style),
    Step("lint", "Verilator -Wall, Yosys check, the generated header and manual", _lint),
    Step("property tests", "spec against PyTorch, model against spec, interpretations", _tests),
    Step("spec mutants", "each change of an operator in spec is noticed", _spec_mutants),
    Step("theorems", "the proof ledger, with witnesses and twins", _theorems),
    Step("unit cosimulation", "each bound unit against its contract", _unit_cosim),
    Step("core lockstep", "the core against spec, and to the cycle against model", _core_cosim),
    Step("coverage", "lines, toggles and bins that programs on the core reach", _coverage),
    Step("real rows", "argmax and a whole step on LLaDA's vocabulary, against PyTorch", _real_rows),
    Step("synthesis", "generic netlists of units and core", _synthesis),
    Step("equivalence", "netlist equals RTL, formally", _equivalence),
    Step("netlist cosimulation", "the same cosimulations, on the netlists", _netlist_cosim),
    Step("planted bugs", "each bug turns its named checks red", _planted_bugs),
)


def selected(names: set[str], scope: Scope) -> list[Task]:
    """The tasks of steps, with the tasks of other steps that those need first."""
    every = {task.name: task for step in STEPS for task in step.tasks(scope)}
    wanted = [task for task in every.values() if task.step in names]
    needed = {task.name: task for task in wanted}
    for task in wanted:  # grows as it is walked: what is needed may need more
        for name in task.after:
            if name not in needed:
                needed[name] = every[name]
                wanted.append(every[name])
    return [task for task in every.values() if task.name in needed]


def without_icarus(tasks: list[Task]) -> list[str]:
    """Names of the tasks that cannot run because Icarus is not installed."""
    if available("icarus"):
        return []
    return [task.name for task in tasks if task.name.startswith("icarus ")]
