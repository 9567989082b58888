"""`lint`: mistakes that a program runs to its end with, by file and line."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from unmask.model.commands.lines import word_lines
from unmask.model.commands.options import add_machine, machine_of
from unmask.model.commands.progress import tracked
from unmask.model.lint import ERROR, MOST_INSTRUCTIONS, NOTE, SEVERITIES, Finding, lint
from unmask.model.walk import walk
from unmask.spec.assembler import disassemble
from unmask.spec.commands.files import read_program
from unmask.spec.commands.options import extent, file_path, number
from unmask.spec.errors import UsageError
from unmask.spec.state import MEMORIES

if TYPE_CHECKING:
    from unmask.spec.commands.options import Commands

SRAMS = tuple(name for name in MEMORIES if name != "hbm")


def given(text: str) -> tuple[str, tuple[int, int]]:
    """MEMORY=FIRST:END."""
    memory, sign, place = text.partition("=")
    if memory not in SRAMS or not sign:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not MEMORY=FIRST:END, MEMORY one of {', '.join(SRAMS)}"
        )
    first, end = extent(place)
    if first > end:
        raise argparse.ArgumentTypeError(f"{text!r}: {first} is behind {end}")
    return memory, (first, end)


def check(arguments: argparse.Namespace) -> int:
    path = arguments.program
    if arguments.max_instructions < 1:
        raise UsageError("--max-instructions 0: expected at least 1")
    core, profile = machine_of(arguments)
    words = read_program(path, core.program_words)
    if not words:
        raise UsageError("the program has no words", str(path))
    ranges: dict[str, list[tuple[int, int]]] = {}
    sizes = core.config(profile, 0)
    for memory, (first, end) in arguments.given:
        if end > sizes.elements(memory):
            size = sizes.elements(memory)
            raise UsageError(f"--given {memory}={first}:{end}: the core's {memory} has {size}")
        ranges.setdefault(memory, []).append((first, end))
    total = min(walk(words).instructions, arguments.max_instructions)
    found = lint(
        words,
        core,
        profile,
        ranges,
        arguments.max_instructions,
        lambda records: tracked(records, total),
    )
    places = _places(path, words)
    if arguments.json:
        print(json.dumps([_facts(one, words, places) for one in found], indent=1))
    else:
        _show(found, words, places, arguments.notes)
    return 1 if any(one.severity == ERROR for one in found) else 0


def _places(path: Path, words: Sequence[int]) -> list[str]:
    """Where each word comes from: file:line; of a .bin file:word."""
    if path.suffix == ".bin":
        return [f"{path}:word {place}" for place in range(len(words))]
    return [f"{line.file}:{line.number}" for line in word_lines(path)]


def _facts(one: Finding, words: Sequence[int], places: Sequence[str]) -> dict[str, str | int]:
    return {
        "place": places[one.pc],
        "pc": one.pc,
        "instruction": disassemble(words[one.pc]),
        "severity": one.severity,
        "text": one.text,
    }


def _show(
    found: Sequence[Finding], words: Sequence[int], places: Sequence[str], notes: bool
) -> None:
    for one in found:
        if one.severity != NOTE or notes:
            print(f"{places[one.pc]}: {one.severity}: {one.text}")
            print(f"    pc {one.pc}: {disassemble(words[one.pc])}")
    count = Counter(one.severity for one in found)
    print(", ".join(f"{count[name]} {name}{'' if count[name] == 1 else 's'}" for name in SEVERITIES)
          + ("" if notes or not count[NOTE] else " (--notes shows them)"))  # fmt: skip


def add(commands: Commands) -> None:
    command = commands.add_parser(
        "lint",
        help="mistakes that a program runs to its end with",
        description="Mistakes that a program runs to its end with. Hardware loops always end, so "
        "only loops of absurd length are reported. Exit code 1 if there is an error.",
    )
    command.add_argument("program", type=file_path, help="assembly text, or .bin")
    command.add_argument(
        "--given",
        action="append",
        default=[],
        type=given,
        metavar="MEMORY=FIRST:END",
        help="what the host fills before the run (fp, int and key: all; vector: nothing)",
    )
    command.add_argument("--notes", action="store_true", help="show what is allowed, too")
    command.add_argument("--json", action="store_true", help="print all of it for programs")
    command.add_argument(
        "--max-instructions", type=number, default=MOST_INSTRUCTIONS, metavar="N",
        help="that are looked at (%(default)s: some ten seconds)",
    )  # fmt: skip
    add_machine(command)
    command.set_defaults(call=check)
