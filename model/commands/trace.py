"""`trace`: instructions over cycles, and when channels and lanes are busy, as a picture."""

from __future__ import annotations

import argparse
import shutil
from typing import TYPE_CHECKING

from unmask.model.commands.options import add_machine, add_step
from unmask.model.commands.progress import tracked
from unmask.model.commands.source import add_program, source_of
from unmask.model.picture import page, svg, text
from unmask.model.walk import walk
from unmask.model.window import MOST_CYCLES, look
from unmask.spec.commands.files import check_files, write_whole
from unmask.spec.commands.options import file_path, number
from unmask.spec.commands.run import ending
from unmask.spec.encoding import Trap
from unmask.spec.errors import UsageError

if TYPE_CHECKING:
    from unmask.spec.commands.options import Commands

CYCLES = 400  # of a window whose end is not given


def trace(arguments: argparse.Namespace) -> int:
    first = arguments.first
    end = first + CYCLES if arguments.end is None else arguments.end
    if not first < end <= first + MOST_CYCLES:
        raise UsageError(f"--from {first} --to {end}: expected 1 to {MOST_CYCLES} cycles between")
    out = arguments.out
    if out is not None:
        if out.suffix not in (".svg", ".html"):
            raise UsageError("the name of a picture must end in .svg or .html", str(out))
        check_files([arguments.program] if arguments.program else [], [out])
    source = source_of(arguments)
    total = walk(source.words).instructions
    machine = source.machine()
    try:
        window = look(machine, first, end, lambda records: tracked(records, total))
    except UsageError as error:
        raise UsageError(str(error), source.name) from None
    if not window.entries:
        raise UsageError(f"--from {first}: the run ends before it", source.name)
    if out is None:
        print(text(window, shutil.get_terminal_size((120, 24)).columns))
    else:
        title = f"{source.name}, {source.profile.title}, VLEN {source.core.vlen}"
        picture = svg(window, title)
        write_whole(out, (picture if out.suffix == ".svg" else page(picture, title)).encode())
        print(f"{out}: {len(window.entries)} instructions, cycles {first} to {end}")
    if window.last.cause is Trap.NONE:
        return 0
    print(ending(window.last, machine.order, machine.config))
    return 1


def add(commands: Commands) -> None:
    command = commands.add_parser(
        "trace",
        help="instructions, channels and lanes over cycles, as a picture",
        description="Instructions, channels and lanes over cycles: on the terminal, or a picture. "
        "Exit code 1 if the run ends in a trap within them.",
    )
    add_program(command)
    add_step(command)
    add_machine(command)
    command.add_argument(
        "--from", dest="first", type=number, default=0, metavar="CYCLE", help="first cycle (0)"
    )
    command.add_argument(
        "--to", dest="end", type=number, metavar="CYCLE", help=f"behind the last (from + {CYCLES})"
    )
    command.add_argument("--out", type=file_path, metavar="FILE", help=".svg or .html")
    command.set_defaults(call=trace)
