"""`python -m unmask.tests.mutants`: every small change of the semantics must be noticed.

Exit code 0: every mutant is killed or listed as equivalent; 1: one survives that is not listed, or
one that is listed is killed or no longer exists; 2: bad input.
"""

from __future__ import annotations

import argparse
import ast
import copy
import difflib
import json
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from unmask.spec.errors import UsageError
from unmask.tests.mutants import MODULES, corpus, equivalents, loader, trial
from unmask.tests.mutants.operators import Mutant, mutants

SITUATIONS = 60  # of each row


def all_mutants(modules: Sequence[str] = MODULES) -> list[Mutant]:
    now = loader.modules()
    return [x for name in modules for x in mutants(name, loader.tree_of(name), now[name])]


def diff(mutant: Mutant) -> str:
    """The change in the module's text, as the syntax tree prints it."""
    tree = loader.tree_of(mutant.module)
    before = ast.unparse(tree).splitlines()
    parent, field, _ = mutant.place
    kept = copy.copy(getattr(parent, field))
    mutant.apply()
    after = ast.unparse(tree).splitlines()
    setattr(parent, field, kept)
    return "\n".join(difflib.unified_diff(before, after, lineterm="", n=1))


def summary(
    verdicts: Sequence[trial.Verdict], listed: dict[str, str], whole: bool
) -> dict[str, Any]:
    """Counts and what is wrong, ready for JSON.

    Args:
        whole: all mutants were run, so every listed one must be among them.
    """
    names = {verdict.mutant.name: verdict for verdict in verdicts}
    survivors = [x for x in verdicts if not x.killed]
    by_module = {}
    for module in MODULES:
        own = [x for x in verdicts if x.mutant.module == module]
        counts = Counter(x.how for x in own)
        equal = sum(not x.killed and x.mutant.name in listed for x in own)
        by_module[module] = {
            "mutants": len(own),
            **{how: counts[how] for how in (trial.WRONG, trial.RAISED, trial.TIMEOUT)},
            "equivalent": equal,
            "unresolved": counts[trial.SURVIVED] - equal,
        }
    return {
        "mutants": len(verdicts),
        "killed": sum(x.killed for x in verdicts),
        "equivalent": sum(x.mutant.name in listed for x in survivors),
        "unresolved": [_place(x.mutant) for x in survivors if x.mutant.name not in listed],
        "listed but killed": [
            f"{_place(x.mutant)} by {x.by} ({x.how})"
            for x in verdicts
            if x.killed and x.mutant.name in listed
        ],
        "listed but gone": [x for x in listed if x not in names] if whole else [],
        "modules": {name: counts for name, counts in by_module.items() if counts["mutants"]},
    }


def _place(mutant: Mutant) -> str:
    path = loader.path_of(mutant.module).relative_to(loader.SPEC.parent)
    return f"{path}:{mutant.line} {mutant.name}"


def faults(facts: dict[str, Any]) -> list[str]:
    """One line for each thing that makes the result red."""
    kinds = ("unresolved", "listed but killed", "listed but gone")
    return [f"{kind}: {line}" for kind in kinds for line in facts[kind]]


def measure(chosen: Sequence[Mutant], jobs: int, console: Console) -> list[trial.Verdict]:
    """Build the corpus and run the mutants, with progress."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as progress:
        task = progress.add_task("corpus", total=None)
        situations = corpus.build(SITUATIONS, lambda name: progress.advance(task))
        progress.update(task, description="corpus", total=1, completed=1)
        task = progress.add_task("mutants", total=len(chosen))
        survived = 0

        def told(verdict: trial.Verdict) -> None:
            nonlocal survived
            survived += not verdict.killed
            progress.update(task, advance=1, description=f"mutants, {survived} survive")

        return trial.run(chosen, situations, jobs, told)


def report(facts: dict[str, Any], console: Console) -> None:
    table = Table("module", "mutants", "wrong", "raised", "timeout", "equivalent", "unresolved")
    for name, counts in facts["modules"].items():
        table.add_row(name, *map(str, counts.values()))
    console.print(table)
    for line in faults(facts):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    console.print(
        f"{facts['mutants']} mutants: {facts['killed']} killed, {facts['equivalent']} equivalent, "
        f"{len(facts['unresolved'])} unresolved; {facts['seconds']} s"
    )


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m unmask.tests.mutants", description=__doc__)
    parser.add_argument("--module", action="append", metavar="NAME", help="only these modules")
    parser.add_argument("--sample", type=int, metavar="N", help="only N of the mutants, drawn")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument(
        "--show", metavar="TEXT", help="print mutants that have TEXT in their names"
    )
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result there")
    arguments = parser.parse_args(argv)
    console = Console(stderr=not sys.stdout.isatty())
    try:
        return _main(arguments, console)
    except UsageError as error:
        print(error, file=sys.stderr)
        return 2


def _main(arguments: argparse.Namespace, console: Console) -> int:
    start = time.monotonic()
    unknown = [name for name in arguments.module or () if name not in MODULES]
    if unknown:
        raise UsageError(f"no module {unknown[0]!r}; there are {', '.join(MODULES)}")
    if arguments.jobs < 1 or (arguments.sample is not None and arguments.sample < 1):
        raise UsageError("--jobs and --sample take numbers from 1 on")
    listed = equivalents.load()
    chosen = all_mutants(arguments.module or MODULES)
    if arguments.show is not None:
        for mutant in (x for x in chosen if arguments.show in x.name):
            print(f"{_place(mutant)}\n{listed.get(mutant.name, '')}\n{diff(mutant)}\n")
        return 0
    if arguments.sample is not None and arguments.sample < len(chosen):
        places = sorted(random.Random(arguments.seed).sample(range(len(chosen)), arguments.sample))
        chosen = [chosen[place] for place in places]
    whole = arguments.module is None and arguments.sample is None
    verdicts = measure(chosen, arguments.jobs, console)
    loader.check_unchanged()
    facts = summary(verdicts, listed, whole)
    facts["seconds"] = round(time.monotonic() - start)
    if arguments.json is not None:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    report(facts, Console())
    return 1 if faults(facts) else 0


if __name__ == "__main__":
    sys.exit(main())
