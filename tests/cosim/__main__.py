"""Simulations of the core by hand: a counterexample again, random words, a block of logits."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import islice
from math import prod

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from unmask.model import settings
from unmask.spec.commands.files import read_bytes
from unmask.spec.commands.options import Parser, file_path
from unmask.spec.commands.run import add_machine, machine_of
from unmask.spec.commands.shell import command as run_command
from unmask.spec.encoding import FORMATS, Trap
from unmask.spec.errors import UsageError
from unmask.tests.cosim import coverage as counts
from unmask.tests.cosim import jobs
from unmask.tests.cosim.bench import Mismatch
from unmask.tests.cosim.paths import BUILD, shown
from unmask.tests.cosim.retire import Checker, Log, untimed
from unmask.tests.cosim.runner import explain, load_counterexample, simulate

AT_ONCE = 2000  # words of one simulation, between two steps of the display
MOST_WORDS = 10_000_000
MOST_LOGITS = 1 << 27  # of a block; they are held several times over


def replay(arguments: argparse.Namespace) -> int:
    outcome = simulate(load_counterexample(arguments.file))
    print(outcome.failure or "hardware and specification agree on this case")
    print(f"waveform: {outcome.waveform}")
    return 1 if outcome.failure else 0


def fuzz(arguments: argparse.Namespace) -> int:
    _within("--words", arguments.words, 1, MOST_WORDS)
    _within("--seed", arguments.seed, 0, (1 << 32) - 1)
    ends: Counter[str] = Counter()
    words = programs = cycles = part = 0
    seconds = 0.0
    columns = (TextColumn("words"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=arguments.words)
        while words < arguments.words:
            count = min(AT_ONCE, arguments.words - words)
            seed = arguments.seed << 20 | part  # each simulation has its own
            outcome = simulate(jobs.fuzz_job("verilator", count, seed))
            if outcome.failure is not None:
                progress.stop()
                print(explain(outcome))
                return 1
            words, part = words + outcome.examples, part + 1
            programs += outcome.facts["programs"]
            cycles += outcome.facts["cycles"]
            seconds += outcome.seconds
            ends.update(outcome.facts["ends"])
            progress.update(task, completed=words)
    table = Table(title=f"{words:,} words retired or trapped, all as specification and model say")
    table.add_column("programs that ended with")
    table.add_column("", justify="right")
    for cause, count in ends.most_common():
        table.add_row(cause, f"{count:,}")
    table.add_row("all", f"{programs:,}", style="bold")
    Console().print(table)
    print(f"seed {arguments.seed}, {cycles:,} cycles, {words / seconds:,.0f} words a second")
    return 0


def block(arguments: argparse.Namespace) -> int:
    _within("--rows", arguments.rows, 1, 1 << 10)
    _within("--vocabulary", arguments.vocabulary, 2, 1 << 18)
    _within("--batch", arguments.batch, 1, 1 << 10)
    formats = tuple(arguments.format or ("BF16", "E4M3_B32"))
    for name in formats:
        if name not in FORMATS:
            raise UsageError(f"--format {name}: expected one of {', '.join(FORMATS)}")
    sizes = (arguments.batch, arguments.rows, arguments.vocabulary)
    _within("--batch x --rows x --vocabulary", prod(sizes), 2, MOST_LOGITS)
    job = jobs.block_job(jobs.Block(arguments.vlen, arguments.memory, *sizes, formats))
    with Console(stderr=True).status(f"building and running the core with {arguments.vlen} lanes"):
        outcome = simulate(job)
    if outcome.failure is not None:
        print(explain(outcome))
        return 1
    table = Table(title=f"B, L, V = {sizes} on the core's Verilog")
    for name in ("format", "cycles, as the model's", "of the least for its bytes and lanes"):
        table.add_column(name, justify="right")
    for name, cycles in outcome.facts["cycles"].items():
        table.add_row(name, f"{cycles:,}", f"{outcome.facts['ratios'][name]:.4f}")
    Console().print(table)
    print("tokens and choice equal PyTorch's, which a certificate proves")
    print(f"build {outcome.build_seconds:.0f} s, run {outcome.seconds:.0f} s")
    return 0


def retire(arguments: argparse.Namespace) -> int:
    machine = machine_of(arguments)
    vlen = machine.state.config.vlen
    checker = Checker(vlen, cycles=False)
    text = read_bytes(arguments.log).decode("utf-8", errors="replace")
    try:
        log = Log(text, vlen)
        most = len(log.completions) + 1  # what follows is missing, however much it is
        expected = list(islice(checker.expect(untimed(machine), machine.state), most))
        checker.compare(expected, log)
    except UsageError as error:
        raise UsageError(str(error), str(arguments.log)) from None
    except Mismatch as error:
        print(f"{arguments.log}: {error}")
        return 1
    cause = expected[-1].timed.record.cause
    end = "stops" if cause is Trap.NONE else f"ends in {cause.name}"
    print(f"{len(log.completions)} instructions as specified; the program {end}")
    return 0


def coverage(arguments: argparse.Namespace) -> int:
    _within("--programs", arguments.programs, 1, 100_000)
    _within("--words", arguments.words, 1, MOST_WORDS)
    aims = counts.goals()
    with Console(stderr=True).status("counting lines, toggles and bins on the core"):
        covered, failed = counts.run(arguments.programs, arguments.words)
    if failed is not None:
        print(explain(failed))
        return 1
    page = counts.write(covered, aims, BUILD / "coverage")
    table = Table(title=f"{covered.programs:,} programs in lockstep")
    for name in ("", "reached", "floor"):
        table.add_column(name)
    for name, floor in aims.floor.items():
        table.add_row(name, str(covered.share(name)), f"{100 * floor:.1f} %")
    Console().print(table)
    for name, why in covered.missed(aims):
        print(f"not seen: {name} ({why})")
    print(f"page: {shown(page)}")
    missed = counts.below(covered, aims)
    print("\n".join(missed), end="\n" if missed else "")
    return 1 if missed else 0


def _within(name: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise UsageError(f"{name} {value}: expected {least} to {most}")


def main(argv: Sequence[str] | None = None) -> int:
    parser = Parser(prog="python -m unmask.tests.cosim", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(call: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        made: argparse.ArgumentParser = commands.add_parser(call.__name__, help=text)
        made.set_defaults(call=call)
        return made

    command(replay, "run a saved counterexample, write a waveform").add_argument(
        "file", type=file_path
    )
    words = command(fuzz, "random words on the core, in lockstep with specification and model")
    words.add_argument("--words", type=int, default=10_000)
    words.add_argument("--seed", type=int, default=0)
    step = command(block, "a sampling step on a block of logits, in lockstep and against PyTorch")
    step.add_argument("--vlen", type=int, default=64, help="lanes (default 64)")
    memories = ", ".join(settings.names("profiles"))
    step.add_argument("--memory", default="narrow-1x512", help=f"one of {memories}, or a file")
    step.add_argument("--batch", type=int, default=1, help="batch rows B (default 1)")
    step.add_argument("--rows", type=int, default=32, help="positions L (default 32)")
    step.add_argument("--vocabulary", type=int, default=126_464, help="V (default 126,464)")
    step.add_argument("--format", action="append", help="of the logits; default BF16, E4M3_B32")
    checks = command(retire, "a log of the retire port, from any core, against the specification")
    checks.add_argument("log", type=file_path, help="what verilog/retire_log.v wrote")
    add_machine(checks)
    covers = command(coverage, "lines, toggles and functional bins of the core, against floors")
    covers.add_argument("--programs", type=int, default=counts.PROGRAMS, help="that are drawn")
    covers.add_argument("--words", type=int, default=counts.WORDS, help="random ones")
    return run_command(parser, argv)


if __name__ == "__main__":
    sys.exit(main())
