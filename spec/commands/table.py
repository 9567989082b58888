"""Commands that write the instruction table in another form: Verilog, the manual."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from unmask.spec import isa
from unmask.spec.errors import UsageError

if TYPE_CHECKING:
    from unmask.spec.commands.options import Commands

MANUAL = Path(__file__).parents[1] / "manual"


def header(arguments: argparse.Namespace) -> int:
    print(isa.verilog_header(), end="")
    return 0


def manual(arguments: argparse.Namespace) -> int:
    try:
        from unmask.spec.manual import pages
    except ModuleNotFoundError as error:
        raise UsageError(f"the manual needs the package {error.name}") from None
    if arguments.check:
        stale = pages.stale(arguments.output)
        for name in stale:
            print(f"{arguments.output / name}: not what the table gives")
        return 1 if stale else 0
    for path in pages.write(arguments.output):
        print(path)
    return 0


def add(commands: Commands) -> None:
    command = commands.add_parser("header", help="print the Verilog constants of the table")
    command.set_defaults(call=header)
    command = commands.add_parser("manual", help="write the ISA manual, Markdown and HTML")
    command.add_argument("--output", type=Path, default=MANUAL, metavar="FOLDER")
    command.add_argument("--check", action="store_true", help="exit 1 if it would change a file")
    command.set_defaults(call=manual)
