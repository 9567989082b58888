"""`python -m unmask.spec`: assemble, disassemble and run programs; pack logits; print the table.

Exit code 0; 1 if `run` ends in a trap; 2 with one line on bad input. Arrays of any shape are taken
in C order. Output files are written whole or not at all.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from unmask.spec.commands import logits, programs, run, table
from unmask.spec.commands.options import Parser
from unmask.spec.errors import UsageError

INTERRUPTED = 130  # as shells say it: 128 and the signal's number


def parser() -> Parser:
    top = Parser(prog="python -m unmask.spec", description=__doc__)
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    for module in (programs, run, logits, table):
        module.add(commands)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    try:
        arguments = parser().parse_args(argv)
        return int(arguments.call(arguments))
    except UsageError as error:
        print(str(error).replace("\n", " "), file=sys.stderr)
        return 2
    except MemoryError as error:
        print(f"out of memory: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


if __name__ == "__main__":
    sys.exit(main())
