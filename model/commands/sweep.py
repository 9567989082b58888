"""`sweep`: steps over many cores and memories, as a table and as plots."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unmask.model import design_space, plots, settings
from unmask.model.commands.options import (
    LLADA_ROWS,
    LLADA_VOCABULARY,
    PROFILE,
    add_machine,
    machine_of,
    several,
    value,
)
from unmask.model.commands.progress import Tracker
from unmask.model.scenario import KINDS, enlarged
from unmask.model.sweep import OWN, Plan, Result, plan, points, result, results, table, waiting
from unmask.spec.commands.certify import real
from unmask.spec.commands.files import check_writable, write_whole
from unmask.spec.commands.options import file_path, number
from unmask.spec.encoding import FORMATS
from unmask.spec.errors import UsageError

if TYPE_CHECKING:
    from unmask.spec.commands.options import Commands

DOCS = Path(__file__).parents[1]
FORMS = ("png", "svg")


def kind(text: str) -> str:
    if text not in KINDS:
        raise argparse.ArgumentTypeError(f"{text!r} is not one of {', '.join(KINDS)}")
    return text


def axis(text: str) -> tuple[str, list[Any]]:
    """FIELD=VALUE,VALUE,..."""
    name, sign, given = text.partition("=")
    if not name or not sign:
        raise argparse.ArgumentTypeError(f"{text!r} is not FIELD=VALUE,VALUE")
    if name in OWN:
        raise argparse.ArgumentTypeError(f"{text!r}: expected --{OWN[name]}")
    return name, several(value)(given)


def sweep(arguments: argparse.Namespace) -> int:
    if arguments.jobs < 1:
        raise UsageError(f"--jobs {arguments.jobs}: expected at least 1")
    plots.library()
    if arguments.docs:
        return _docs(arguments)
    core, profile = machine_of(arguments)
    axes = dict(arguments.axis)
    if len(axes) < len(arguments.axis):
        raise UsageError("--axis names a field twice")
    wanted = points(
        arguments.step,
        arguments.vlen,
        arguments.chunks,
        arguments.channels or [profile.channels],
        arguments.batch,
        arguments.rows,
        arguments.vocabulary,
        arguments.latency or [profile.latency_ns],
        arguments.format,
        axes,
    )
    plans = [plan(point, core, profile) for point in wanted]
    names = ["sweep.csv", *(f"{name}.{form}" for name in plots.FIGURES for form in FORMS)]
    _folder(arguments.out, names)
    found = _run(plans, arguments.jobs)
    write_whole(arguments.out / "sweep.csv", table(found).encode())
    for name, figure in plots.overview(found).items():
        for form in FORMS:
            write_whole(arguments.out / f"{name}.{form}", plots.saved(figure, form))
    _show(found)
    note = enlarged(core, [one.job for one in plans])
    if note:
        print(note)
    print(f"{arguments.out}: {', '.join(names)}")
    return 0


def _run(plans: list[Plan], jobs: int) -> list[Result]:
    with Tracker(sum(one.instructions for one in plans)) as tracker:
        if jobs == 1:
            return [result(one, watch=tracker.watch) for one in plans]
        found = []
        for one, planned in zip(results(plans, jobs), plans, strict=True):
            found.append(one)
            tracker.add(planned.instructions)
        return found


def _folder(folder: Path, names: list[str]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot write: {error.strerror}", str(folder)) from None
    for name in names:
        check_writable(folder / name)


def _show(found: list[Result]) -> None:
    names = plots.varied(found)
    for one in found:
        values = one.point.parameters()
        place = ", ".join(f"{name} {values[name]}" for name in names)
        print(
            f"{values['kind']:12} {place:30} {one.time / 1e3:12,.1f} us  "
            f"{one.time / one.floor:8.3f} of the floor  {waiting(one):4.0%} waiting  "
            f"{one.sram_bytes / 1024:9,.1f} KiB"
        )


def _docs(arguments: argparse.Namespace) -> int:
    """The documentation's own sweep, on the default core and memory."""
    core, profile = settings.core(), settings.profile(PROFILE)
    over_vlen, over_latency = design_space.wanted(profile)
    wanted = [*over_vlen, *over_latency]
    _folder(DOCS, ["design_space.svg", "design_space.md"])
    found = _run([plan(point, core, profile) for point in wanted], arguments.jobs)
    parts = found[: len(over_vlen)], found[len(over_vlen) :]
    write_whole(DOCS / "design_space.svg", design_space.picture(*parts, profile))
    write_whole(DOCS / "design_space.md", design_space.page(*parts, profile).encode())
    print(f"{DOCS}: design_space.svg, design_space.md")
    return 0


def add(commands: Commands) -> None:
    command = commands.add_parser(
        "sweep",
        help="steps over many cores and memories, as a table and plots",
        description="Steps over all combinations of what is given, each a list: N,N,...",
    )
    command.add_argument(
        "--step", type=several(kind), default=list(KINDS), metavar="NAME,NAME",
        help=", ".join(KINDS),
    )  # fmt: skip
    for name, default, text in (
        ("vlen", [512, 1024, 2048], "lanes"),
        ("chunks", [4], "of a piece in SRAM"),
        ("channels", None, "of the memory, each at its rate"),
        ("batch", [1], "B"),
        ("rows", [LLADA_ROWS], "L"),
        ("vocabulary", [LLADA_VOCABULARY], "V"),
    ):
        command.add_argument(
            f"--{name}", type=several(number), default=default, metavar="N,N", help=text
        )
    command.add_argument("--latency", type=several(real), metavar="NS,NS", help="of the memory")
    command.add_argument("--format", default="E4M3_B32", choices=FORMATS)
    add_machine(command, vlen=False)
    command.add_argument(
        "--axis", action="append", default=[], type=axis, metavar="FIELD=VALUE,VALUE",
        help="any other field of the memory or the core, such as outstanding=8,16,32",
    )  # fmt: skip
    command.add_argument("--jobs", type=number, default=1, metavar="N", help="processes (1)")
    command.add_argument(
        "--out", type=file_path, default=Path("build/sweep"), metavar="FOLDER",
        help="for sweep.csv and the plots (%(default)s)",
    )  # fmt: skip
    command.add_argument(
        "--docs", action="store_true", help="write model/design_space.svg and .md instead"
    )
    command.set_defaults(call=sweep)
