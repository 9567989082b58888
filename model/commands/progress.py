"""How a long run comes along: share done, rate and time left, on a terminal's stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Generator, Iterable
from typing import Any, TypeVar

Record = TypeVar("Record")
BETWEEN = 0.3  # seconds from one display to the next, and before the first


def tracked(
    records: Iterable[Record], total: int, noun: str = "instructions"
) -> Generator[Record, None, None]:
    """The records; a display of them where someone watches for long enough.

    Args:
        total: how many there will be, if all goes well.
        noun: what they are.
    """
    if not sys.stderr.isatty():
        yield from records
        return
    began = shown = time.monotonic()
    display = _display(noun, total)
    try:
        for count, record in enumerate(records, start=1):
            yield record
            now = time.monotonic()
            if now - shown > BETWEEN:
                display.show(count, count / (now - began))
                shown = now
    finally:
        display.close()


class _Plain:
    """One line, written over again."""

    def __init__(self, noun: str, total: int) -> None:
        self.noun, self.total, self.drawn = noun, total, False

    def show(self, count: int, rate: float) -> None:
        left = max(self.total - count, 0) / rate
        share = count / self.total
        text = f"{share:4.0%}  {count:,} {self.noun}, {rate:,.0f} a second, {left:,.0f} s left"
        print(f"\r{text:<78}", end="", file=sys.stderr, flush=True)
        self.drawn = True

    def close(self) -> None:
        if self.drawn:
            print(f"\r{'':78}\r", end="", file=sys.stderr, flush=True)


class _Rich:
    """The same with a bar."""

    def __init__(self, progress: Any, total: int) -> None:
        self.progress = progress
        self.task = progress.add_task("", total=total, rate=0.0)

    def show(self, count: int, rate: float) -> None:
        self.progress.start()
        self.progress.update(self.task, completed=count, rate=rate)

    def close(self) -> None:
        self.progress.stop()


def _display(noun: str, total: int) -> _Plain | _Rich:
    try:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
    except ImportError:  # the bare package does not need it
        return _Plain(noun, total)
    progress = Progress(
        BarColumn(),
        TextColumn(f"{{task.completed:,}} {noun}, {{task.fields[rate]:,.0f}} a second, left"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    return _Rich(progress, total)
