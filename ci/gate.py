"""The gate: everything that must hold before an RTL change lands.

    ci/gate                     all of it; exit code 0 passed, 1 a check failed, 2 could not run
    ci/gate --dut FILE.toml     the unit checks on your own unit, bound by FILE.toml
    ci/gate --demo BUG          plant a bug in a copy and show how red looks
    ci/gate --step NAME ...     only these steps

Results that nothing has touched since are taken from `build/gate-cache` and marked `cached`.
Writes `build/gate.html`, `build/gate.json` and `build/gate.xml` (JUnit); a foreign unit's go to
`build/dut/NAME`, a demonstration's to `build/demo/BUG`.
"""

from __future__ import annotations

import argparse
import difflib
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from unmask.ci import checks, report
from unmask.ci.steps import STEPS, Scope, Step, own_bindings, selected, without_icarus
from unmask.ci.task import ERROR, FAIL, NOT_RUN, PASS, Result, Task, run, worst
from unmask.proofs.engine import yosys
from unmask.spec import binding as bindings
from unmask.spec.errors import UsageError
from unmask.tests.cosim.paths import BUILD
from unmask.tests.quality.bugs import BUGS, plant
from unmask.tests.strategies import SMALL

MOST_JOBS = 64
COLOURS = {PASS: "green", FAIL: "bold red", ERROR: "bold red", NOT_RUN: "yellow", "": "dim"}
DEMO_STEPS = {"lint", "theorems", "unit cosimulation", "core lockstep"}


class Board:
    """Live progress: one line a step while it runs, one line a failure; plain lines without a
    terminal."""

    def __init__(self, console: Console, tasks: Sequence[Task]) -> None:
        self.console, self.tasks = console, tasks
        self.results: dict[str, Result] = {}
        self.running: dict[str, float] = {}
        self.live: Live | None = None

    def __enter__(self) -> Board:
        if self.console.is_terminal:
            self.live = Live(get_renderable=self._table, console=self.console, transient=True)
            self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.live:
            self.live.stop()

    def __call__(self, event: str, task: Task, result: Result | None) -> None:
        if event == "start":
            self.running[task.name] = time.monotonic()
            return
        assert result is not None
        self.running.pop(task.name, None)
        self.results[task.name] = result
        if result.cached:
            return
        colour = COLOURS[result.verdict]
        done = f"[{len(self.results)}/{len(self.tasks)}]"
        self.console.print(
            f"[dim]{escape(done)}[/] [{colour}]{result.verdict:7}[/] {escape(task.name)} "
            f"[dim]{result.count} {result.unit}, {result.seconds:.1f} s[/]",
            highlight=False,
        )

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 1))
        names = dict.fromkeys(task.step for task in self.tasks)
        for name in names:
            own = [task for task in self.tasks if task.step == name]
            done = sum(task.name in self.results for task in own)
            bar = "█" * round(20 * done / len(own))
            now = [task.name for task in own if task.name in self.running]
            table.add_row(name, f"[cyan]{bar:20}[/]", f"{done}/{len(own)}", ", ".join(now))
        return table


def rows(
    tasks: Sequence[Task], results: dict[str, Result], steps: Sequence[Step]
) -> list[report.Row]:
    """A report row for each step that had tasks."""
    found = []
    for step in steps:
        own = [task for task in tasks if task.step == step.name]
        if own:
            mine = {task.name: results[task.name] for task in own}
            found.append(
                report.Row(step.name, step.checks, worst(r.verdict for r in mine.values()), mine)
            )
    return found


def empty(steps: Sequence[Step], found: Sequence[report.Row]) -> list[report.Row]:
    """Failing rows for steps that have lost all their tasks, lest they vanish unseen."""
    present = {row.name for row in found}
    nothing = Result(FAIL, 0, "", "the step has nothing to check")
    return [
        report.Row(step.name, step.checks, FAIL, {f"{step.name}: no task": nothing})
        for step in steps
        if step.name not in present
    ]


def print_table(console: Console, found: Sequence[report.Row]) -> None:
    table = Table(title="gate", title_justify="left")
    for name in ("step", "what it checked", "count", "seconds", "verdict"):
        table.add_column(name, justify="right" if name in ("count", "seconds") else "left")
    for row in found:
        cached = " (cached)" if row.cached else ""
        verdict = f"[{COLOURS[row.verdict]}]{row.verdict}[/]{cached}"
        table.add_row(row.name, row.checks, row.counts, f"{row.seconds:.1f}", verdict)
    console.print(table)


def exit_code(found: Sequence[report.Row]) -> int:
    """1 if a check failed, 2 if one could not run, else 0."""
    verdicts = {row.verdict for row in found}
    return 1 if FAIL in verdicts else 2 if ERROR in verdicts or not verdicts - {NOT_RUN} else 0


def scope_of(arguments: argparse.Namespace) -> tuple[Scope, list[Step]]:
    """What to check, from the command line.

    Raises:
        UsageError: on bad options, and on Verilog that does not elaborate: said once here, not by
            every check that reads it.
    """
    steps = list(STEPS)
    if arguments.step:
        names = [step.name for step in STEPS]
        for name in arguments.step:
            if name not in names:
                close = difflib.get_close_matches(name, names, n=1)
                hint = f"; did you mean {close[0]!r}?" if close else f"; steps: {', '.join(names)}"
                raise UsageError(f"no step {name!r}{hint}")
        steps = [step for step in STEPS if step.name in arguments.step]
    if arguments.dut:
        binding = bindings.load(arguments.dut)
        lanes = binding.sizes["simulate"][0]
        yosys.check_ports(binding, lanes, yosys.Design.of(binding, lanes))
        return Scope((binding,), own=False), steps
    if arguments.demo:
        if arguments.demo not in BUGS:
            raise UsageError(f"no bug {arguments.demo!r}; there are: {', '.join(BUGS)}")
        bug = BUGS[arguments.demo]
        swap = plant(bug, report_folder(arguments) / f"verilog-{bug.name}")
        steps = [step for step in steps if step.name in DEMO_STEPS]
        yosys.ports(checks.core_design(SMALL, swap))
        return Scope(own_bindings(), own=True, swap=swap), steps
    yosys.ports(checks.core_design(SMALL, {}))
    return Scope(own_bindings(), own=True, nightly=arguments.nightly), steps


def report_folder(arguments: argparse.Namespace) -> Path:
    """Where the report goes: demonstrations and foreign units leave the gate's own alone."""
    if arguments.demo:
        return BUILD / "demo" / str(arguments.demo)
    return BUILD / "dut" / arguments.dut.stem if arguments.dut else BUILD


def demo_tasks(bug: str, tasks: list[Task]) -> list[Task]:
    """Of the gate's tasks, those that show a planted bug within a minute."""
    names = checks.demo_names(BUGS[bug])
    return [task for task in tasks if task.name in names]


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="ci/gate", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dut", type=Path, metavar="FILE.toml", help="check your own unit")
    parser.add_argument("--demo", metavar="BUG", help=f"plant one of: {', '.join(BUGS)}")
    parser.add_argument("--step", action="append", metavar="NAME", help="only this step; repeat")
    parser.add_argument("--nightly", action="store_true", help="more: all mutants, wide real rows")
    parser.add_argument("--no-cache", action="store_true", help="run all checks again")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 2, metavar="N")
    arguments = parser.parse_args(argv)
    terminal = Console().is_terminal
    console = Console(width=None if terminal else 120)  # a log has no width of its own
    begin = time.monotonic()
    try:
        if not 1 <= arguments.jobs <= MOST_JOBS:
            raise UsageError(f"--jobs {arguments.jobs}: expected 1 to {MOST_JOBS}")
        if arguments.dut and arguments.demo:
            raise UsageError("--dut and --demo exclude each other")
        scope, steps = scope_of(arguments)
        tasks = selected({step.name for step in steps}, scope)
        if arguments.demo:
            tasks = demo_tasks(arguments.demo, tasks)
        if not tasks:
            raise UsageError("these options select no check")
        if arguments.demo:
            console.print(f"planted: {BUGS[arguments.demo].doc}")
    except UsageError as error:
        print(error, file=sys.stderr)
        return 2
    absent = without_icarus(tasks)
    runnable = [task for task in tasks if task.name not in absent]
    with Board(console, runnable) as board:
        use_cache = not (arguments.no_cache or arguments.demo)
        results = run(runnable, arguments.jobs, use_cache, board)
    for name in absent:
        results[name] = Result(NOT_RUN, 0, "", "Icarus (four-state simulation) is not installed")
    found = rows(tasks, results, STEPS)
    if scope.own and not arguments.demo:
        found += empty(steps, found)
    seconds = time.monotonic() - begin
    return finish(console, found, seconds, arguments)


def finish(
    console: Console, found: list[report.Row], seconds: float, arguments: argparse.Namespace
) -> int:
    """Print the table and the failures, write the three report files, return the exit code."""
    print_table(console, found)
    for row in found:
        for name, result in row.results.items():
            if result.verdict in (FAIL, ERROR):
                console.rule(f"[bold red]{result.verdict}[/] {escape(name)}", align="left")
                console.print(escape(result.detail), highlight=False, soft_wrap=True)
            elif result.verdict == NOT_RUN:
                console.print(f"[yellow]NOT RUN[/] {escape(name)}: {escape(result.detail)}")
    code = exit_code(found)
    title = "demonstration" if arguments.demo else str(arguments.dut or "gate")
    paths = report.write(report_folder(arguments), title, found, seconds, code)
    results = [result for row in found for result in row.results.values()]
    passed = sum(result.verdict == PASS for result in results)
    skipped = sum(result.verdict == NOT_RUN for result in results)
    console.print(f"{seconds:.1f} s on {arguments.jobs} processes; report: {paths[0]}")
    print(f"gate: {passed} passed, {len(results) - passed - skipped} failed, {skipped} skipped")
    return code


if __name__ == "__main__":
    sys.exit(main())
