"""`python -m unmask.spec`: assemble, disassemble and run programs; pack logits; print the table.

Exit code 0; 1 if `run` ends in a trap; 2 with one line on bad input. Arrays of any shape are taken
in C order. Output files are written whole or not at all, and never in the place of an input.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from unmask.spec.commands import certify, conformance, logits, programs, run, table
from unmask.spec.commands.options import Parser
from unmask.spec.commands.shell import command


def parser() -> Parser:
    top = Parser(prog="python -m unmask.spec", description=__doc__)
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    for module in (programs, run, logits, certify, conformance, table):
        module.add(commands)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    return command(parser(), argv)


if __name__ == "__main__":
    sys.exit(main())
