"""`run`: cycles of a program, the least that they could be, and where they go."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from unmask.model.commands.options import add_machine, add_step
from unmask.model.commands.progress import tracked
from unmask.model.commands.source import Source, add_program, source_of
from unmask.model.measure import Measured, measure, nanoseconds
from unmask.model.walk import walk
from unmask.spec.commands.files import check_writable, write_whole
from unmask.spec.commands.options import file_path
from unmask.spec.commands.run import ending
from unmask.spec.errors import UsageError

if TYPE_CHECKING:
    from unmask.spec.commands.options import Commands


def run(arguments: argparse.Namespace) -> int:
    source = source_of(arguments)
    if arguments.emit is not None:
        if not source.text:
            raise UsageError("--emit writes the program of a --step")
        check_writable(arguments.emit)
        write_whole(arguments.emit, source.text.encode())
        print(f"{arguments.emit}: {len(source.words)} words")
        return 0
    machine = source.machine()
    total = walk(source.words).instructions
    try:
        once = measure(machine, source.core, source.profile, lambda x: tracked(x, total))
    except UsageError as error:  # of a program that cannot run without data
        raise UsageError(str(error), source.name) from None
    end = ending(once.last, once.instructions, machine.config)
    measured = once.times(source.runs)
    if arguments.json:
        print(json.dumps(facts(source, measured, end), indent=1))
    else:
        show(source, measured, end)
    return 0 if measured.stopped else 1


def facts(source: Source, measured: Measured, end: str) -> dict[str, Any]:
    """What `run` says, for programs."""
    least = measured.floor
    return {
        "program": source.name,
        "profile": source.profile.title,
        "vlen": source.core.vlen,
        "clock_ghz": source.core.clock_ghz,
        "data": source.data,
        "runs": source.runs,
        "logits_dropped_per_row": source.dropped,
        "cycles": measured.cycles,
        "nanoseconds": nanoseconds(measured.cycles, source.core),
        "floor_cycles": {"memory": float(least.memory), "lanes": float(least.lanes)},
        "ratio": measured.ratio,
        "bytes_read": measured.bytes_read,
        "bytes_written": measured.bytes_written,
        "instructions": measured.instructions,
        "cycles_by_unit": measured.units,
        "sram_elements": measured.sram,
        "sram_bytes": measured.sram_bytes,
        "fifo_bytes": source.core.fifo_bytes(source.profile),
        "outcome": end,
        "trap": measured.last.cause.name,
    }


def show(source: Source, measured: Measured, end: str) -> None:
    core, least = source.core, measured.floor

    def line(name: str, cycles: Any, more: str = "") -> None:
        time = nanoseconds(cycles, core)
        print(f"  {name:<20} {float(cycles):>14,.0f} cycles  {_time(time):>10}{more}")

    print(f"{source.name} on {source.profile.title}, VLEN {core.vlen}, {core.clock_ghz:g} GHz")
    if source.runs > 1:
        print(f"  {source.runs} runs, one after the other, one for each batch row")
    if source.note:
        print(f"  {source.note}")
    if source.dropped:
        print(f"  leaves out the last {source.dropped} logits of each row, no whole chunk")
    ratio = "" if measured.ratio is None else f"  {measured.ratio:.3f} of the floor"
    line("run", measured.cycles, ratio)
    line("floor: memory", least.memory)
    line("floor: lanes", least.lanes)
    print("where they go")
    for unit, cycles in measured.units.items():
        line(unit, cycles, f"  {cycles / measured.cycles:6.1%}")
    print(f"  {'read from memory':<20} {measured.bytes_read:>14,} bytes")
    if measured.bytes_written:
        print(f"  {'written to memory':<20} {measured.bytes_written:>14,} bytes")
    fifos = core.fifo_bytes(source.profile)
    print(f"  {'SRAM touched':<20} {measured.sram_bytes:>14,} bytes, and {fifos:,} of FIFOs")
    print(f"  {'instructions':<20} {measured.instructions:>14,}")
    print(end)


def _time(nanoseconds: float) -> str:
    for unit, size in (("ms", 1e6), ("us", 1e3)):
        if nanoseconds >= size:
            return f"{nanoseconds / size:.3f} {unit}"
    return f"{nanoseconds:.0f} ns"


def add(commands: Commands) -> None:
    command = commands.add_parser(
        "run",
        help="cycles of a program, and where they go",
        description="Run a program with cycles. Exit code 0 if it stopped, 1 after a trap.",
    )
    add_program(command)
    add_step(command)
    add_machine(command)
    command.add_argument(
        "--emit", type=file_path, metavar="FILE", help="write a --step's assembly, and run nothing"
    )
    command.add_argument("--json", action="store_true", help="print it for programs")
    command.set_defaults(call=run)
