"""How a long run comes along: share done, rate and time left, on a terminal's stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Generator, Iterable
from typing import Any, TypeVar

Record = TypeVar("Record")
BETWEEN = 0.3  # seconds from one display to the next


def tracked(
    records: Iterable[Record], total: int, noun: str = "instructions"
) -> Generator[Record, None, None]:
    """The records; a display of them where someone watches.

    Args:
        total: how many there will be, if all goes well.
        noun: what they are.
    """
    with Tracker(total, noun) as tracker:
        yield from tracker.watch(records)


class Tracker:
    """A display of work that several runs do; arguments as of `tracked`."""

    def __init__(self, total: int, noun: str = "instructions") -> None:
        self._total, self._noun, self._count = total, noun, 0
        self._display: _Plain | _Rich | None = None

    def __enter__(self) -> Tracker:
        if sys.stderr.isatty():
            self._display = _display()
            self._began = self._shown = time.monotonic()
            self._show()
        return self

    def __exit__(self, *_: object) -> None:
        if self._display is not None:
            self._display.close()

    def watch(self, records: Iterable[Record]) -> Iterable[Record]:
        """The records, each of which counts when it has been dealt with."""
        return records if self._display is None else self._counted(records)

    def _counted(self, records: Iterable[Record]) -> Generator[Record, None, None]:
        for record in records:
            yield record
            self.add(1)

    def add(self, count: int) -> None:
        """So many more are done."""
        self._count += count
        if self._display is not None and time.monotonic() - self._shown > BETWEEN:
            self._show()

    def _show(self) -> None:
        assert self._display is not None
        self._shown = time.monotonic()
        share = min(self._count / self._total, 1.0) if self._total else 1.0
        text = f"{share:4.0%}  {self._count:,} {self._noun}"
        if self._count:
            rate = self._count / max(self._shown - self._began, 1e-9)
            left = max(self._total - self._count, 0) / rate
            speed = f"{rate:,.0f}" if rate >= 10 else f"{rate:.2g}"
            text += f", {speed} a second, {left:,.0f} s left"
        self._display.show(share, text)


class _Plain:
    """One line, written over again."""

    def show(self, share: float, text: str) -> None:
        print(f"\r{text:<78}", end="", file=sys.stderr, flush=True)

    def close(self) -> None:
        print(f"\r{'':78}\r", end="", file=sys.stderr, flush=True)


class _Rich:
    """The same with a bar."""

    def __init__(self, progress: Any) -> None:
        self.progress = progress
        self.task = progress.add_task("", total=1.0, text="")
        progress.start()

    def show(self, share: float, text: str) -> None:
        self.progress.update(self.task, completed=share, text=text)

    def close(self) -> None:
        self.progress.stop()


def _display() -> _Plain | _Rich:
    try:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn
    except ImportError:  # the bare package does not need it
        return _Plain()
    return _Rich(
        Progress(
            BarColumn(),
            TextColumn("{task.fields[text]}"),
            console=Console(stderr=True),
            transient=True,
        )
    )
