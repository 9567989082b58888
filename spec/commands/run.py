"""`run`: a program on the executable specification, with memories from and to files."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from unmask.spec.commands.files import (
    check_files,
    power_of_two,
    read_elements,
    read_program,
    write_array,
    written_whole,
)
from unmask.spec.commands.options import extent, file_path, number
from unmask.spec.commands.progress import watched
from unmask.spec.commands.trace import describe, refused
from unmask.spec.encoding import TRAP_TEXT, Trap
from unmask.spec.errors import UsageError
from unmask.spec.machine import Machine, Retired
from unmask.spec.state import MEMORIES, Config, State
from unmask.spec.vectors import EACH, WHOLE

if TYPE_CHECKING:
    from unmask.spec.commands.options import Commands

TERMINAL = Path("-")  # the trace goes to standard output
# What follows the last @ is a place only if it cannot belong to the name of a file.
_PLACE = re.compile(r"(.+)@([^@./]*)")
_SIZES = {
    "vlen": "lanes",
    "vector_rows": "rows of VLEN elements in vector SRAM",
    "fp_words": "elements of FP SRAM",
    "key_words": "elements of key SRAM",
    "int_words": "elements of int SRAM",
    "program_words": "words of instruction memory",
    "loop_depth": "loops that may be nested",
    "hbm_bytes": "bytes of memory behind the core",
    "channels": "channels that HBM is striped over",
    "beat_bytes": "bytes of a beat of HBM",
}
# The size of each memory; vector SRAM's counts rows.
_SIZE_OF = {
    "vector": "vector_rows",
    "fp": "fp_words",
    "key": "key_words",
    "int": "int_words",
    "hbm": "hbm_bytes",
}

File = tuple[str, Path, str]  # memory, file, place in the memory or ""


def load_file(text: str) -> File:
    """MEMORY=FILE[@ADDRESS]."""
    memory, path, place = _memory_file(text, "MEMORY=FILE[@ADDRESS]")
    number(place or "0")
    return memory, path, place


def save_file(text: str) -> File:
    """MEMORY=FILE[@FIRST:END]."""
    memory, path, place = _memory_file(text, "MEMORY=FILE[@FIRST:END]")
    extent(place or "0:0")
    return memory, path, place


def _memory_file(text: str, form: str) -> File:
    memory, _, file = text.partition("=")
    if memory not in MEMORIES or not file:
        names = ", ".join(MEMORIES)
        raise argparse.ArgumentTypeError(f"{text!r} is not {form}, MEMORY one of {names}")
    placed = _PLACE.fullmatch(file)
    path, place = file_path(placed[1] if placed else file), placed[2] if placed else ""
    if path.suffix not in (".npy", ".bin"):
        raise argparse.ArgumentTypeError(f"{path}: the name must end in .npy or .bin")
    if placed and not place:
        raise argparse.ArgumentTypeError(f"{text!r}: a number is expected after @")
    return memory, path, place


def machine_of(arguments: argparse.Namespace) -> Machine:
    """The machine that the options of `add_machine` describe, about to run.

    Raises:
        UsageError: on files, sizes or places that do not go together.
    """
    sizes = {item.name: getattr(arguments, item.name) for item in fields(Config)}
    config = Config(**{name: size for name, size in sizes.items() if size is not None})
    words = read_program(arguments.program, config.program_words)
    loads = [
        (memory, path, number(place or "0"), read_elements(memory, path))
        for memory, path, place in arguments.load
    ]
    if arguments.hbm_bytes is None:
        for memory, _, address, array in loads:
            if memory == "hbm":
                config = _sized(config, "hbm", address + array.size) or config
    machine = Machine(
        words,
        config,
        EACH if arguments.integers else WHOLE,
        faulty=arguments.faulty,
        late=arguments.late,
    )
    state = machine.state
    if arguments.window is not None:
        # A state of this window checks it, but takes 0:0 for all of the memory.
        State(config, memories=state.memories, window=arguments.window)
        state.window = arguments.window
    for memory, path, address, array in loads:
        end = address + array.size
        if end > config.elements(memory):
            raise UsageError(
                f"{array.size} elements at {address} do not fit the {memory} memory of "
                f"{config.elements(memory)}; {_remedy(config, memory, end)}",
                str(path),
            )
        try:
            state.load(memory, array, address)
        except UsageError as error:
            raise UsageError(str(error), str(path)) from None
    return machine


def run(arguments: argparse.Namespace) -> int:
    saved = [path for _, path, _ in arguments.save]
    traced = [] if arguments.trace in (None, TERMINAL) else [arguments.trace]
    check_files([arguments.program, *(path for _, path, _ in arguments.load)], [*saved, *traced])
    machine = machine_of(arguments)
    state, config = machine.state, machine.state.config
    parts = [_part(config, memory, place) for memory, _, place in arguments.save]
    last, finished = _retire(machine, arguments)
    for (memory, path, _), part in zip(arguments.save, parts, strict=True):
        write_array(path, state.memories[memory][part])
    if not finished:
        raise UsageError(
            f"not done after {arguments.max_instructions} instructions, at pc {state.pc} "
            "(--max-instructions)",
            str(arguments.program),
        )
    print(ending(last, machine.order, config))
    return 0 if last.cause is Trap.NONE else 1


def ending(last: Retired, words: int, config: Config) -> str:
    """How a run ended."""
    if last.cause is Trap.NONE:
        return f"stopped after {words} words"
    where = f"at pc {last.pc} after {last.order} words"
    if last.cause is Trap.FATAL:
        return f"FATAL {where}: {refused(last, config)}"
    return f"trap {last.cause.name} {where}: {TRAP_TEXT[last.cause]}"


def _sized(config: Config, memory: str, end: int) -> Config | None:
    """The configuration with a memory that holds `end` elements; None if none can."""
    size = _SIZE_OF[memory]
    least = -(-end // config.vlen) if memory == "vector" else end
    try:
        return replace(config, **{size: max(power_of_two(least), getattr(config, size))})
    except UsageError:
        return None


def _remedy(config: Config, memory: str, end: int) -> str:
    """What to say to get a memory that holds `end` elements."""
    option = f"--{_SIZE_OF[memory].replace('_', '-')}"
    larger = _sized(config, memory, end)
    if larger is None:
        return f"{option} cannot be as large as that takes"
    return f"{option} {getattr(larger, _SIZE_OF[memory])} would do"


def _part(config: Config, memory: str, place: str) -> slice:
    """The elements to save; looked at before the run, so that no run is in vain."""
    size = config.elements(memory)
    first, end = extent(place) if place else (0, size)
    if not first <= end <= size:
        remedy = f"; {_remedy(config, memory, end)}" if first <= end else ""
        raise UsageError(f"--save {memory}: {first}:{end} is not within 0:{size}{remedy}")
    return slice(first, end)


def _retire(machine: Machine, arguments: argparse.Namespace) -> tuple[Retired, bool]:
    """The last record, and whether it ends the program."""
    with ExitStack() as stack:
        show = _shown(arguments.trace, machine.state.config, stack)
        records = watched(machine.run(), arguments.trace != TERMINAL)
        for record in stack.enter_context(closing(records)):
            show(record)
            if machine.order >= arguments.max_instructions and not machine.stopped:
                return record, False
    return record, True


def _shown(trace: Path | None, config: Config, stack: ExitStack) -> Callable[[Retired], object]:
    """What is done with each record; `stack` closes the file."""
    if trace is None:
        return lambda record: None
    if trace == TERMINAL:
        return lambda record: print(describe(record, config))
    file = stack.enter_context(written_whole(trace))
    return lambda record: file.write(f"{describe(record, config, None)}\n".encode())


def add(commands: Commands) -> None:
    command = commands.add_parser(
        "run",
        help="run a program (assembly or .bin)",
        description="Run a program. Exit code 0 if it stopped, 1 after a trap or a FATAL error.",
    )
    add_machine(command)
    command.add_argument(
        "--save",
        action="append",
        default=[],
        type=save_file,
        metavar="MEMORY=FILE[@FIRST:END]",
        help="also after a trap",
    )
    command.add_argument(
        "--trace",
        nargs="?",
        type=file_path,
        const=TERMINAL,
        metavar="FILE",
        help="what each instruction wrote, on the terminal or, in full, to a file",
    )
    command.add_argument("--max-instructions", type=number, default=10_000_000, metavar="N")
    command.set_defaults(call=run)


def add_machine(command: argparse.ArgumentParser) -> None:
    """The options of `machine_of`: a program, sizes, what the memories hold, which bytes fail."""
    command.add_argument("program", type=file_path)
    command.add_argument(
        "--load",
        action="append",
        default=[],
        type=load_file,
        metavar="MEMORY=FILE[@ADDRESS]",
        help=f".npy, or little-endian elements in .bin; memories: {', '.join(MEMORIES)}",
    )
    command.add_argument(
        "--window", type=extent, metavar="FIRST:END", help="bytes of HBM that transfers may touch"
    )
    command.add_argument(
        "--faulty",
        action="append",
        default=[],
        type=extent,
        metavar="FIRST:END",
        help="bytes of HBM that answer with an error",
    )
    command.add_argument(
        "--late",
        type=number,
        default=0,
        metavar="N",
        help="instructions that may retire before a failed transfer is reported",
    )
    command.add_argument(
        "--integers",
        action="store_true",
        help="element by element on integers, as the definition reads; slow",
    )
    for item in fields(Config):
        grows = item.name == "hbm_bytes"
        more = ", or what the loaded files take" if grows else ""
        command.add_argument(
            f"--{item.name.replace('_', '-')}",
            type=number,
            default=None if grows else item.default,
            metavar="N",
            help=f"{_SIZES[item.name]} (default {item.default}{more})",
        )
