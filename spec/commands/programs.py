"""`asm` and `disasm`: programs as text and as words."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import numpy as np

from unmask.spec import assembler
from unmask.spec.commands.files import beside, check_files, read_program, write_whole
from unmask.spec.commands.options import file_path, number
from unmask.spec.state import Config

if TYPE_CHECKING:
    from unmask.spec.commands.options import Commands


def asm(arguments: argparse.Namespace) -> int:
    output = arguments.output or beside(arguments.program, ".bin")
    check_files([arguments.program], [output])
    words = read_program(arguments.program, arguments.program_words)
    write_whole(output, np.array(words, "<u4").tobytes())
    print(f"{output}: {len(words)} words")
    return 0


def disasm(arguments: argparse.Namespace) -> int:
    for place, word in enumerate(read_program(arguments.program)):
        print(f"{place:5}  {word:08x}  {assembler.disassemble(word)}")
    return 0


def add(commands: Commands) -> None:
    command = commands.add_parser("asm", help="assemble a program into 32-bit words")
    command.add_argument("program", type=file_path)
    command.add_argument("-o", "--output", type=file_path, help="default: the program's name, .bin")
    command.add_argument(
        "--program-words",
        type=number,
        default=Config.program_words,
        metavar="N",
        help="words of instruction memory (default %(default)s)",
    )
    command.set_defaults(call=asm)
    command = commands.add_parser("disasm", help="print the instructions of a program")
    command.add_argument("program", type=file_path)
    command.set_defaults(call=disasm)
