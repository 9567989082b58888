"""The program that a command is about, from a file or made for a step, with what it starts from."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from unmask.model import scenario
from unmask.model.commands.options import SIZES, machine_of, scenario_of
from unmask.model.machine import Model
from unmask.model.run import prepared
from unmask.model.settings import Core, Profile
from unmask.spec.commands import run as spec_run
from unmask.spec.commands.files import read_elements, read_program
from unmask.spec.commands.options import Parser, extent, file_path, number
from unmask.spec.errors import UsageError
from unmask.spec.state import MEMORIES


@dataclass(frozen=True)
class Source:
    """A program and its machine.

    Attributes:
        name: of the file, or of the step.
        words: of the program.
        core, profile: what it runs on.
        hbm_bytes: size of HBM.
        loads: memory, file, address, elements.
        data: whether it runs with data.
        runs: how often it runs for the whole of a step.
        dropped: logits of each row that it leaves out.
        faulty: bytes of HBM [first, end) that answer with an error.
        text: a step's assembly.
        note: what of its core is not as given.
    """

    name: str
    words: list[int]
    core: Core
    profile: Profile
    hbm_bytes: int
    loads: tuple[tuple[str, Path, int, NDArray[Any]], ...] = ()
    data: bool = True
    runs: int = 1
    dropped: int = 0
    faulty: tuple[tuple[int, int], ...] = ()
    text: str = ""
    note: str = ""

    def machine(self) -> Model:
        """A machine that is about to run it."""
        try:
            made = prepared(
                self.words,
                self.core,
                self.profile,
                hbm_bytes=self.hbm_bytes,
                data=self.data,
                faulty=self.faulty,
            )
        except UsageError as error:
            raise UsageError(str(error), self.name) from None
        for memory, path, address, array in self.loads if self.data else ():
            size = made.config.elements(memory)
            if address + array.size > size:
                raise UsageError(
                    f"{array.size} elements at {address} do not fit the {memory} memory of {size}",
                    str(path),
                )
            try:
                made.state.load(memory, array, address)
            except UsageError as error:
                raise UsageError(str(error), str(path)) from None
        return made


def add_program(command: Parser) -> None:
    """The program, and --load, --hbm-bytes, --faulty and --timing-only."""
    command.add_argument("program", nargs="?", type=file_path, help="assembly text, or .bin")
    command.add_argument(
        "--load",
        action="append",
        default=[],
        type=spec_run.load_file,
        metavar="MEMORY=FILE[@ADDRESS]",
        help=f".npy, or little-endian elements in .bin; memories: {', '.join(MEMORIES)}",
    )
    command.add_argument(
        "--hbm-bytes", type=number, default=0, metavar="N", help="size of HBM, if not the files'"
    )
    command.add_argument(
        "--faulty",
        action="append",
        default=[],
        type=extent,
        metavar="FIRST:END",
        help="bytes of HBM, whole beats, that answer with an error",
    )
    command.add_argument(
        "--timing-only",
        action="store_true",
        help="no data: fast, and refused where cycles depend on them; a --step always runs so",
    )


def source_of(arguments: argparse.Namespace) -> Source:
    """What `add_program`, `options.add_step` and `options.add_machine` were given."""
    core, profile = machine_of(arguments)
    if (arguments.program is None) == (arguments.step is None):
        raise UsageError("a program or --step is expected, and not both")
    if arguments.step is not None:
        for name in ("load", "hbm_bytes"):
            if getattr(arguments, name):
                option = name.replace("_", "-")
                raise UsageError(f"--{option} is for a program, a --step runs without data")
        made = scenario.job(scenario_of(arguments, arguments.step), core, profile)
        return Source(
            f"step {arguments.step}",
            made.words,
            made.core,
            profile,
            made.hbm_bytes,
            data=False,
            runs=made.runs,
            dropped=made.dropped,
            faulty=tuple(arguments.faulty),
            text=made.text,
            note=scenario.enlarged(core, [made]),
        )
    for name in SIZES:
        if getattr(arguments, name) is not None:
            raise UsageError(f"--{name} is for a --step, a program has its own sizes")
    words = read_program(arguments.program, core.program_words)
    loads = tuple(
        (memory, path, number(place or "0"), read_elements(memory, path))
        for memory, path, place in arguments.load
    )
    ends = [address + array.size for memory, _, address, array in loads if memory == "hbm"]
    return Source(
        str(arguments.program),
        words,
        core,
        profile,
        max([arguments.hbm_bytes, *ends]),
        loads,
        not arguments.timing_only,
        faulty=tuple(arguments.faulty),
    )
