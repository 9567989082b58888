"""`python -m unmask.model`: cycles of programs: run, look at, compare, find mistakes.

Exit code 0; 1 if a run ends in a trap or `lint` finds an error; 2 with one line on bad input.
Output files are written whole or not at all.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from unmask.model.commands import compare, lint, run, sweep, trace
from unmask.spec.commands.options import Parser
from unmask.spec.commands.shell import command


def parser() -> Parser:
    top = Parser(prog="python -m unmask.model", description=__doc__)
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    for module in (run, trace, lint, compare, sweep):
        module.add(commands)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    return command(parser(), argv)


if __name__ == "__main__":
    sys.exit(main())
