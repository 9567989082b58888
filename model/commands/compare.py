"""`compare`: the published step beside ours, both in this model and on one memory."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from unmask.model.commands.options import add_machine, machine_of, several
from unmask.model.commands.progress import Tracker
from unmask.model.measure import nanoseconds
from unmask.model.published_time import (
    BATCH,
    PREFETCH_NS,
    PUBLISHED_MS,
    ROWS,
    VOCABULARY,
    published_ns,
)
from unmask.model.scenario import KINDS, Scenario, carried_out, enlarged, job
from unmask.model.settings import Core, Profile
from unmask.model.walk import walk
from unmask.spec.commands.options import number
from unmask.spec.encoding import FORMATS
from unmask.spec.errors import UsageError

if TYPE_CHECKING:
    from unmask.spec.commands.options import Commands


@dataclass(frozen=True)
class Compared:
    """The step at one VLEN.

    Attributes:
        vlen: lanes.
        published_ms, formula_ms: of the published simulator, and of its formula here.
        milliseconds: program, of `KINDS` -> in this model.
        bytes_read: program -> of HBM.
        floor_ms: the least for reading each logit once.
        dropped: logits of each row that the published programs leave out.
    """

    vlen: int
    published_ms: float
    formula_ms: float
    milliseconds: dict[str, float]
    bytes_read: dict[str, int]
    floor_ms: float
    dropped: int

    def over_stream(self, kind: str) -> float:
        """Time of a program over that of the streaming one."""
        return self.milliseconds[kind] / self.milliseconds["stream"]


def compare(arguments: argparse.Namespace) -> int:
    for vlen in arguments.vlen:
        if vlen not in PREFETCH_NS:
            known = ", ".join(map(str, PREFETCH_NS))
            raise UsageError(f"--vlen {vlen}: nothing is published for it, only for {known}")
    core, profile = machine_of(arguments)
    found, note = _compared(arguments, core, profile)
    if arguments.json:
        print(json.dumps([asdict(one) for one in found], indent=1))
    else:
        _show(arguments, profile, found)
        if note:
            print(f"  {note}")
    return 0


def _compared(
    arguments: argparse.Namespace, core: Core, profile: Profile
) -> tuple[list[Compared], str]:
    """All that is compared, and what of the core is not as given."""
    sizes = arguments.batch, arguments.rows, arguments.vocabulary
    jobs = {
        (vlen, kind): job(
            Scenario(kind, *sizes, arguments.format), replace(core, vlen=vlen), profile
        )
        for vlen in arguments.vlen
        for kind in KINDS
    }
    total = sum(walk(made.words).instructions for made in jobs.values())
    with Tracker(total) as tracker:
        runs = {
            place: carried_out(made, profile, watch=tracker.watch) for place, made in jobs.items()
        }
    found = [
        Compared(
            vlen,
            PUBLISHED_MS[vlen],
            published_ns(vlen, *sizes) / 1e6,
            {kind: nanoseconds(runs[vlen, kind].cycles, core) / 1e6 for kind in KINDS},
            {kind: runs[vlen, kind].bytes_read for kind in KINDS},
            nanoseconds(runs[vlen, "stream"].floor.cycles, core) / 1e6,
            jobs[vlen, "edge"].dropped,
        )
        for vlen in arguments.vlen
    ]
    return found, enlarged(core, list(jobs.values()))


def _show(arguments: argparse.Namespace, profile: Profile, found: list[Compared]) -> None:
    changes = "".join(f", {name} = {value}" for name, value in arguments.changes)
    sizes = f"B = {arguments.batch}, L = {arguments.rows}, V = {arguments.vocabulary:,}"
    print(f"one step, {sizes}, {arguments.format}; milliseconds\n")
    print("published simulator, and its formula (model/published_time.py)")
    print(f"  {'VLEN':>5} {'published':>10} {'formula':>9}")
    for one in found:
        print(f"  {one.vlen:>5} {one.published_ms:>10.2f} {one.formula_ms:>9.3f}")
    print(f"  published for B = {BATCH}, L = {ROWS}, V = {VOCABULARY:,} at 1 GHz\n")
    print(f"this model, all programs on {profile.title}{changes}")
    print(f"  {'VLEN':>5} {'edge':>9} {'perform.':>9} {'prefetch':>9} {'stream':>9} {'floor':>9}"
          f" {'edge/stream':>12} {'perform./stream':>16}")  # fmt: skip
    for one in found:
        columns = [one.milliseconds[kind] for kind in ("edge", "performance", "prefetch", "stream")]
        times = " ".join(f"{value:9.3f}" for value in (*columns, one.floor_ms))
        ratios = f"{one.over_stream('edge'):11.1f}x {one.over_stream('performance'):15.1f}x"
        print(f"  {one.vlen:>5} {times} {ratios}")
    reads = found[0].bytes_read
    print(f"  edge reads {reads['edge'] / reads['stream']:.2f} times the bytes of stream")
    for one in found:
        if one.dropped:
            print(
                f"  VLEN {one.vlen}: published programs leave out the last {one.dropped} logits of "
                "each row, no whole chunk; ours take them in"
            )


def add(commands: Commands) -> None:
    command = commands.add_parser(
        "compare",
        help="the published step's time beside ours on one memory",
        description="The published step's time, by its formula and in this model, beside ours.",
    )
    lanes = ",".join(map(str, PREFETCH_NS))
    command.add_argument(
        "--vlen", type=several(number), default=list(PREFETCH_NS), metavar="N,N", help=lanes
    )
    for name, default in (("batch", BATCH), ("rows", ROWS), ("vocabulary", VOCABULARY)):
        command.add_argument(f"--{name}", type=number, default=default, metavar="N")
    command.add_argument("--format", default="E4M3_B32", choices=FORMATS)
    add_machine(command, vlen=False)
    command.add_argument("--json", action="store_true", help="print it for programs")
    command.set_defaults(call=compare)
