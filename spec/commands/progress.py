"""A display of how a long run comes along, where someone watches and rich is installed."""

from __future__ import annotations

import sys
import time
from collections.abc import Generator, Iterator
from typing import Any, TypeVar

Record = TypeVar("Record")
BETWEEN = 0.2  # seconds from one display to the next, and before the first


def watched(
    records: Iterator[Record], wanted: bool, noun: str = "instructions"
) -> Generator[Record, None, None]:
    """The records; a display of their number and rate where someone watches a long run."""
    display = _display(noun) if wanted and sys.stderr.isatty() else None
    if display is None:
        yield from records
        return
    task = display.add_task("", total=None, rate=0.0)
    began = shown = time.monotonic()
    try:
        for count, record in enumerate(records, start=1):
            yield record
            now = time.monotonic()
            if now - shown > BETWEEN:
                display.start()
                display.update(task, completed=count, rate=count / (now - began))
                shown = now
    finally:
        display.stop()


def _display(noun: str) -> Any:
    """A progress display on stderr, or None without rich, which the bare package does not need."""
    try:
        from rich.console import Console
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
    except ImportError:
        return None
    return Progress(
        SpinnerColumn(),
        TextColumn(f"{{task.completed:,}} {noun}, {{task.fields[rate]:,.0f}} a second"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )
