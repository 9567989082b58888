"""Shows whole generations of the tiny model, by five contracts, beside a second sampler's steps.

`python -m unmask.tests.generation [PROMPT]`. Exit code 1 if the second sampler is wrong anywhere.
"""

from __future__ import annotations

import argparse
import sys

import torch
from rich.console import Console
from rich.table import Table
from rich.text import Text

from unmask.spec.reference.generate import Generation
from unmask.tests.generation import ours
from unmask.tests.generation.loop import RUNS, Compared, Run, compare
from unmask.tests.generation.model import LENGTH, Trained
from unmask.tests.generation.text import Vocabulary

PROMPT = "If the file is not found, an exception"
MARKS = {"equal": "[green]=[/]", "margin": "[yellow]~[/]", "wrong": "[bold red]X[/]"}
COLOURS = {"prompt": "dim", "new": "bold green", "differs": "bold red", "mask": "bright_black"}


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m unmask.tests.generation")
    parser.add_argument("prompt", nargs="?", default=PROMPT, help=f"default: {PROMPT}")
    parser.add_argument("--quiet", action="store_true", help="the last ids and the table alone")
    options = parser.parse_args(words)
    torch.set_num_threads(1)
    console = Console(highlight=False)
    trained = Trained.load()
    prompt = trained.vocabulary.encode(options.prompt).unsqueeze(0)
    longest = LENGTH - RUNS[0].parameters["gen_length"]
    if not 1 <= prompt.shape[1] <= longest:
        parser.error(f"the prompt is {prompt.shape[1]} ids, expected 1 to {longest}")
    table = Table("contract")
    for title in ("steps", "ids", "equal", "certified", "margin", "wrong"):
        table.add_column(title, justify="right")
    failed = False
    for run in RUNS:
        generation, steps = compare(trained, prompt, run, ours.sample, ours.certify)
        console.print(f"\n[bold]{run.contract}[/], {run.loop.__name__}'s loop {_given(run)}")
        listing = Table.grid(padding=(0, 1))
        for count, step in enumerate(steps, start=1):
            if not options.quiet or count == len(steps):
                line = shown(trained.vocabulary, step, prompt.shape[1])
                listing.add_row(f"{count:3}", MARKS[step.verdict], line)
        console.print(listing)
        table.add_row(*_row(run, generation, steps, prompt.shape[1]))
        failed |= any(step.verdict == "wrong" for step in steps)
    console.print()
    console.print(table)
    console.print(
        f"{MARKS['equal']} both samplers left the same ids   "
        f"{MARKS['margin']} they differ, inside the margin   "
        f"{MARKS['wrong']} they differ, and must not"
    )
    return int(failed)


def shown(vocabulary: Vocabulary, step: Compared, prompt: int) -> Text:
    """The first row of ids after a step; what it wrote, and what the other sampler did not."""
    line = Text()
    after = step.published.x[0]
    for place, word in enumerate(vocabulary.words(after)):
        if step.differs[0, place]:
            style = "differs"
        elif place < prompt:
            style = "prompt"
        elif after[place] == vocabulary.mask_id:
            style = "mask"
        else:
            style = "new" if after[place] != step.before[0, place] else ""
        line.append(word.replace("\n", "\N{PILCROW SIGN}"), COLOURS.get(style, ""))
    return line


def _given(run: Run) -> str:
    return ", ".join(f"{name} {value}" for name, value in run.parameters.items())


def _row(run: Run, generation: Generation, steps: list[Compared], prompt: int) -> list[str]:
    verdicts = [step.verdict for step in steps]
    counts = [len(steps), generation.x.shape[1] - prompt, verdicts.count("equal")]
    counts += [sum(step.certified for step in steps)]
    counts += [verdicts.count("margin"), verdicts.count("wrong")]
    return [run.contract, *map(str, counts)]


if __name__ == "__main__":
    sys.exit(main())
