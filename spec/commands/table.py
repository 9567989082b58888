"""Commands that write the instruction table in another form: Verilog, the manual."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from unmask.spec import isa
from unmask.spec.commands.files import check_writable, write_whole
from unmask.spec.commands.options import file_path
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
    folder = arguments.output
    if arguments.check:
        try:
            stale = pages.stale(folder)
        except UnicodeDecodeError:
            raise UsageError("holds a page that is not UTF-8 text", str(folder)) from None
        for name in stale:
            print(f"{folder / name}: not what the table gives")
        return 1 if stale else 0
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot write: {error.strerror}", str(folder)) from None
    for name in pages.PAGES:
        check_writable(folder / name)
    for name, text in pages.pages().items():
        write_whole(folder / name, text.encode())
        print(folder / name)
    return 0


def add(commands: Commands) -> None:
    command = commands.add_parser("header", help="print the Verilog constants of the table")
    command.set_defaults(call=header)
    command = commands.add_parser("manual", help="write the ISA manual, Markdown and HTML")
    command.add_argument("--output", type=file_path, default=MANUAL, metavar="FOLDER")
    command.add_argument("--check", action="store_true", help="exit 1 if it would change a file")
    command.set_defaults(call=manual)
