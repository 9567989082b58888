"""Arguments that the model's commands share: a core and a memory, the sizes of a step."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, TypeVar

from unmask.model import settings
from unmask.model.scenario import KINDS, Scenario
from unmask.model.settings import Core, Profile
from unmask.spec.commands.options import Parser, number
from unmask.spec.encoding import FORMATS
from unmask.spec.errors import UsageError

PROFILE = "hbm2e-819"
LLADA_BATCH, LLADA_ROWS, LLADA_VOCABULARY = 16, 32, 126_464
T = TypeVar("T")


def add_machine(command: Parser, vlen: bool = True) -> None:
    """--profile, --core, --set and, where it is one number, --vlen."""
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
    command.add_argument(
        "--set",
        dest="changes",
        action="append",
        default=[],
        type=change,
        metavar="FIELD=VALUE",
        help="of the memory or the core, such as jitter_ns=40, stall=0.2 (model/settings.py)",
    )
    if vlen:
        command.add_argument("--vlen", type=number, metavar="N", help="lanes (the core's)")


def machine_of(arguments: argparse.Namespace) -> tuple[Core, Profile]:
    """The core and the memory that a command line names, checked together."""
    core, profile = settings.core(arguments.core), settings.profile(arguments.profile)
    changes = dict(arguments.changes)
    if len(changes) < len(arguments.changes):
        raise UsageError("--set names a field twice")
    if arguments.vlen is not None and "vlen" in changes:
        raise UsageError("--set vlen: expected --vlen")
    if isinstance(arguments.vlen, int):
        changes["vlen"] = arguments.vlen
    core, profile = settings.changed(core, profile, changes)
    core.bus(profile)
    return core, profile


def value(text: str) -> Any:
    """A field's value: a whole number, a number, or else a text."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


def change(text: str) -> tuple[str, Any]:
    """FIELD=VALUE."""
    name, sign, given = text.partition("=")
    if not name or not sign:
        raise argparse.ArgumentTypeError(f"{text!r} is not FIELD=VALUE")
    return name, value(given)


SIZES: dict[str, Any] = {"batch": LLADA_BATCH, "rows": LLADA_ROWS, "vocabulary": LLADA_VOCABULARY,
         "format": "E4M3_B32", "chunks": 4}  # fmt: skip


def add_sizes(command: Parser) -> None:
    """--batch, --rows, --vocabulary, --format, --chunks; None where not given, see `SIZES`."""
    for name, text in (
        ("batch", "batch rows, B"),
        ("rows", "positions of a batch row, L"),
        ("vocabulary", "logits of a position, V"),
        ("chunks", "of VLEN that one H_PREFETCH_V fetches, edge and prefetch"),
    ):
        command.add_argument(f"--{name}", type=number, metavar="N", help=f"{text} ({SIZES[name]})")
    command.add_argument("--format", choices=FORMATS, help=f"of the logits ({SIZES['format']})")


def scenario_of(arguments: argparse.Namespace, kind: str) -> Scenario:
    """The step of a kind with the sizes that `add_sizes` was given."""
    given: dict[str, Any] = {name: getattr(arguments, name) for name in SIZES}
    sizes = [SIZES[name] if size is None else size for name, size in given.items()]
    return Scenario(kind, *sizes)


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
