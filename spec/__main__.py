"""`python -m unmask.spec`: assemble, disassemble and run programs; print the Verilog header.

Exit code 0; 1 if `run` ends in a trap; 2 with one line on bad input. Arrays of any shape are taken
in C order. Output files are written whole or not at all.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np

from unmask.spec import assembler, isa
from unmask.spec.encoding import TRAP_TEXT, Trap
from unmask.spec.errors import UsageError
from unmask.spec.machine import Machine, Retired, fold_arrays
from unmask.spec.state import MEMORIES, Config


def read_program(path: Path) -> list[int]:
    """The words of a program: `.bin` holds little-endian 32-bit words, else assembly text."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read: {error.strerror}", str(path)) from None
    if path.suffix == ".bin":
        if len(content) % 4:
            raise UsageError(f"{len(content)} bytes are no whole number of words", str(path))
        return np.frombuffer(content, "<u4").tolist()
    try:
        return assembler.assemble(content.decode("utf-8"), str(path))
    except UnicodeDecodeError:
        raise UsageError("neither UTF-8 text nor named .bin", str(path)) from None


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees all of it or the old one."""
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(name, 0o644)
        os.replace(name, path)
    except OSError as error:
        raise UsageError(f"cannot write: {error.strerror}", str(path)) from None


def asm(arguments: argparse.Namespace) -> int:
    words = read_program(arguments.program)
    if len(words) > arguments.program_words:
        raise UsageError(
            f"the program has {len(words)} words, instruction memory {arguments.program_words}",
            str(arguments.program),
        )
    output = arguments.output or arguments.program.with_suffix(".bin")
    write_whole(output, np.array(words, "<u4").tobytes())
    print(f"{output}: {len(words)} words")
    return 0


def disasm(arguments: argparse.Namespace) -> int:
    for place, word in enumerate(read_program(arguments.program)):
        print(f"{place:5}  {word:08x}  {assembler.disassemble(word)}")
    return 0


def run(arguments: argparse.Namespace) -> int:
    sizes = {item.name: getattr(arguments, item.name) for item in fields(Config)}
    machine = Machine(read_program(arguments.program), Config(**sizes), fold_arrays)
    for memory, path in _memory_files(arguments.load):
        try:
            machine.state.load(memory, _read_array(path))
        except UsageError as error:
            raise UsageError(str(error), str(path)) from None
    saves = _memory_files(arguments.save)
    record = None
    for record in machine.run():
        if machine.order > arguments.max_instructions:
            raise UsageError(
                f"not done after {arguments.max_instructions} instructions, at pc {record.pc} "
                "(--max-instructions)",
                str(arguments.program),
            )
        if arguments.trace:
            print(describe(record))
    for memory, path in saves:
        _write_array(path, machine.state.memories[memory])
    if record is not None and record.cause is not Trap.NONE:
        text = TRAP_TEXT[record.cause]
        print(f"trap {record.cause.name} at pc {record.pc} after {record.order} words: {text}")
        return 1
    print(f"stopped after {machine.order} words")
    return 0


def header(arguments: argparse.Namespace) -> int:
    print(isa.verilog_header(), end="")
    return 0


def describe(record: Retired) -> str:
    """One line of a trace: pc, instruction, what it wrote."""
    text = f"{record.pc:5}  {assembler.disassemble(record.word):42}"
    if record.cause is not Trap.NONE:
        return f"{text} trap {record.cause.name}"
    writes = []
    if record.gp:
        writes.append(f"gp{record.gp[0]:X} = {record.gp[1]:#x}")
    if record.f:
        writes.append(f"f{record.f[0]} = {record.f[1]:#06x}")
    if record.csr:
        writes.append(f"{record.csr[0]} = {record.csr[1]}")
    if record.store:
        writes.append(f"{record.store[0]}[{record.store[1]}] = {record.store[2]:#x}")
    return f"{text} {', '.join(writes)}".rstrip()


def _memory_files(pairs: Sequence[str]) -> list[tuple[str, Path]]:
    files = []
    for pair in pairs:
        memory, sign, name = pair.partition("=")
        if memory not in MEMORIES or not sign or not name:
            raise UsageError(f"{pair!r}: expected MEMORY=FILE.npy, {' or '.join(MEMORIES)}")
        files.append((memory, Path(name)))
    return files


def _read_array(path: Path) -> np.ndarray:
    try:
        return np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UsageError(f"no .npy array: {error}", str(path)) from None


def _write_array(path: Path, array: np.ndarray) -> None:
    with tempfile.TemporaryFile() as file:
        np.save(file, array)
        file.seek(0)
        write_whole(path, file.read())


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m unmask.spec", description=__doc__)
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser("asm", help="assemble a program into 32-bit words")
    command.add_argument("program", type=Path)
    command.add_argument("-o", "--output", type=Path, help="default: the program's name, .bin")
    command.add_argument(
        "--program-words",
        type=int,
        default=Config.program_words,
        metavar="N",
        help="words of instruction memory (default %(default)s)",
    )
    command.set_defaults(call=asm)
    command = commands.add_parser("disasm", help="print the instructions of a program")
    command.add_argument("program", type=Path)
    command.set_defaults(call=disasm)
    command = commands.add_parser("run", help="run a program (assembly or .bin)")
    command.add_argument("program", type=Path)
    command.add_argument("--load", action="append", default=[], metavar="MEMORY=FILE.npy")
    command.add_argument("--save", action="append", default=[], metavar="MEMORY=FILE.npy")
    command.add_argument("--trace", action="store_true", help="print each instruction")
    command.add_argument("--max-instructions", type=int, default=10_000_000, metavar="N")
    for item in fields(Config):
        flag = f"--{item.name.replace('_', '-')}"
        command.add_argument(flag, type=int, default=item.default, metavar="N")
    command.set_defaults(call=run)
    command = commands.add_parser("header", help="print the Verilog constants of the table")
    command.set_defaults(call=header)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    arguments = parser().parse_args(argv)
    try:
        code = int(arguments.call(arguments))
    except UsageError as error:
        print(error, file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader of our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code


if __name__ == "__main__":
    sys.exit(main())
