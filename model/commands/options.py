"""Arguments that the model's commands share: a core and a memory, the sizes of a step."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TypeVar

from unmask.model import settings
from unmask.model.scenario import KINDS, Scenario
from unmask.model.settings import Core, Profile
from unmask.spec.commands.options import Parser, number
from unmask.spec.encoding import FORMATS

PROFILE = "hbm2e-819"
LLADA_BATCH, LLADA_ROWS, LLADA_VOCABULARY = 16, 32, 126_464
T = TypeVar("T")


def add_machine(command: Parser, vlen: bool = True) -> None:
    """--profile, --core and, where it is one number, --vlen."""
    profiles, cores = ", ".join(settings.names("profiles")), ", ".join(settings.names("cores"))
    command.add_argument(
        "--profile",
        default=PROFILE,
        metavar="NAME|FILE.toml",
        help=f"the memory (default %(default)s); there are {profiles}",
    )
    command.add_argument(
        "--core",
        default="default",
        metavar="NAME|FILE.toml",
        help=f"the core (default %(default)s); there are {cores}",
    )
    if vlen:
        command.add_argument("--vlen", type=number, metavar="N", help="lanes (the core's)")


def machine_of(arguments: argparse.Namespace) -> tuple[Core, Profile]:
    """The core and the memory that a command line names, checked together."""
    core, profile = settings.core(arguments.core), settings.profile(arguments.profile)
    if arguments.vlen is not None:
        core = settings.core(arguments.core, vlen=arguments.vlen)
    core.check(profile)
    return core, profile


def add_sizes(command: Parser) -> None:
    """--batch, --rows, --vocabulary, --format, --chunks."""
    for name, default, text in (
        ("batch", LLADA_BATCH, "batch rows, B"),
        ("rows", LLADA_ROWS, "positions of a batch row, L"),
        ("vocabulary", LLADA_VOCABULARY, "logits of a position, V"),
    ):
        command.add_argument(
            f"--{name}", type=number, default=default, metavar="N", help=f"{text} (%(default)s)"
        )
    command.add_argument(
        "--format", default="E4M3_B32", choices=FORMATS, help="of the logits (%(default)s)"
    )
    command.add_argument(
        "--chunks",
        type=number,
        default=4,
        metavar="N",
        help="chunks of VLEN that one H_PREFETCH_V fetches, edge and prefetch (%(default)s)",
    )


def scenario_of(arguments: argparse.Namespace, kind: str) -> Scenario:
    return Scenario(
        kind,
        arguments.batch,
        arguments.rows,
        arguments.vocabulary,
        arguments.format,
        arguments.chunks,
    )


def add_step(command: Parser) -> None:
    kinds = "; ".join(f"{name}: {text}" for name, text in KINDS.items())
    command.add_argument(
        "--step", choices=KINDS, help=f"a step's program instead of a file; {kinds}"
    )
    add_sizes(command)


def several(one: Callable[[str], T]) -> Callable[[str], list[T]]:
    """VALUE,VALUE,... of a kind, each once."""

    def parse(text: str) -> list[T]:
        found = [one(part) for part in text.split(",")]
        if len(set(found)) < len(found):
            raise argparse.ArgumentTypeError(f"{text!r} names a value twice")
        return found

    return parse
