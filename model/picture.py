"""A `window.Window` as a picture: lines of text for a terminal, or SVG for a browser."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

import numpy as np
from numpy.typing import NDArray

from unmask.model.measure import ILLEGAL, WAITING, unit_of
from unmask.model.window import Entry, Window
from unmask.spec.assembler import disassemble
from unmask.spec.encoding import Trap
from unmask.spec.machine import Retired

UNDER_WAY = "transfer under way"
COLOURS = {
    "control": "#8c8c8c",
    "scalar integer": "#4e79a7",
    "scalar BF16": "#76b7b2",
    "vector": "#59a14f",
    "softmax state": "#b07aa1",
    "masks and ranks": "#edc948",
    "memory issue": "#e15759",
    UNDER_WAY: "#f5c2c1",
    WAITING: "#dddddd",
    ILLEGAL: "#000000",
}
READ, WRITE, LANES = "#a32a2b", "#f28e2b", "#9c755f"  # beats of both directions, slices
LEVELS = " ▁▂▃▄▅▆▇█"  # shares of busy cycles in a character
LABEL, PLOT, ROW, CHANNEL, TOP = 330, 860, 15, 5, 84  # pixels
NAMESPACE = "http://www.w3.org/2000/svg"
FONT = 'font-family="sans-serif" font-size="11"'
LEGEND_WIDTH = (160, 7)  # of an entry; entries in a line


def text(window: Window, width: int) -> str:
    """Lines of at most `width` characters.

    A character is one cycle or several: `#` at work, `.` waiting, `-` a transfer under way.
    """
    label = 30
    cycles = window.end - window.first
    step = -(-cycles // max(width - label - 9, 10))
    columns = -(-cycles // step)
    scale = f"cycle {window.first} to {window.end}, {step} in a character"
    lines = [f"{'':{label}} {scale}; # at work, . waits, - under way"]
    for entry in window.entries:
        name = f"{entry.timed.record.pc:4} {_what(entry.timed.record)}"[:label]
        lines.append(f"{name:{label}} |{_cells(window, entry, step, columns)}|")
    if window.more:
        lines.append(f"... and {window.more} more instructions")
    for name, busy in _rows(window):
        share = [busy[place : place + step].mean() for place in range(0, cycles, step)]
        cells = "".join(LEVELS[int(np.ceil(s * (len(LEVELS) - 1)))] for s in share)
        lines.append(f"{name:{label}} |{cells}| {busy.mean():4.0%}")
    return "\n".join(lines)


def _rows(window: Window) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Name -> share of channels, or of the lanes, that is busy in each cycle."""
    for name, busy in (("read", window.reads), ("write", window.writes)):
        if busy.any():
            yield f"{name} channels busy", busy[:-1].mean(axis=0)
            yield f"lanes busy ({name})", busy[-1].astype(np.float64)


def _what(record: Retired) -> str:
    """The instruction, or why it did nothing."""
    text = disassemble(record.word)
    return text if record.cause is Trap.NONE else f"{record.cause.name} {text}"


def _cells(window: Window, entry: Entry, step: int, columns: int) -> str:
    cells = [" "] * columns
    timed = entry.timed
    spans = (
        ("-", timed.retire + 1, timed.complete),
        (".", entry.ready, timed.issue - 1),
        ("#", timed.issue, timed.retire),
    )
    for mark, begin, last in spans:
        for cycle in range(max(begin, window.first), min(last + 1, window.end)):
            cells[(cycle - window.first) // step] = mark
    return "".join(cells)


def svg(window: Window, title: str) -> str:
    """A picture by itself: bars with what they are on hovering, a legend, an axis in cycles."""
    plot = _Plot(window)
    body = [*plot.legend(), *plot.bus(), *plot.instructions(), *plot.axis()]
    width, height = LABEL + PLOT + 30, plot.bottom + 34
    subtitle = f"cycles {window.first:,} to {window.end:,}"
    if window.more:
        subtitle += f"; {window.more:,} more instructions are left out"
    return "\n".join(
        [
            f'<svg xmlns="{NAMESPACE}" width="{width}" height="{height}" {FONT}>',
            f'<rect width="{width}" height="{height}" fill="white"/>',
            f'<text x="12" y="22" font-size="15" font-weight="bold">{escape(title)}</text>',
            f'<text x="12" y="38" fill="#555">{subtitle}</text>',
            *body,
            "</svg>\n",
        ]
    )


def page(picture: str, title: str) -> str:
    """An HTML page with nothing but a picture."""
    head = f'<meta charset="utf-8"><title>{escape(title)}</title>'
    return f"<!doctype html>\n<html><head>{head}</head><body>\n{picture}</body></html>\n"


class _Plot:
    """Coordinates of a window's parts, from top to bottom."""

    def __init__(self, window: Window) -> None:
        self.window = window
        self.scale = PLOT / (window.end - window.first)
        self.bottom = TOP + 14

    def _bar(self, begin: int, end: int, y: float, height: float, fill: str, hover: str) -> str:
        """A bar over cycles [begin, end), what of it is in the window; or nothing."""
        begin, end = max(begin, self.window.first), min(end, self.window.end)
        if begin >= end:
            return ""
        x = LABEL + (begin - self.window.first) * self.scale
        width = max((end - begin) * self.scale, 0.6)
        return (
            f'<rect x="{x:.2f}" y="{y:.1f}" width="{width:.2f}" height="{height}" '
            f'fill="{fill}"><title>{escape(hover)}</title></rect>'
        )

    def legend(self) -> Iterator[str]:
        units = [unit_of(entry.timed.record.word) for entry in self.window.entries]
        shown = [name for name in COLOURS if name in units or name in (UNDER_WAY, WAITING)]
        marks = [(COLOURS[name], name) for name in shown]
        if self.window.reads.any():
            marks.append((READ, "beat read"))
        if self.window.writes.any():
            marks.append((WRITE, "beat written"))
        marks.append((LANES, "slice at the lanes"))
        width, across = LEGEND_WIDTH
        for place, (colour, name) in enumerate(marks):
            x, y = 12 + place % across * width, 50 + place // across * 16
            yield f'<rect x="{x}" y="{y}" width="10" height="10" fill="{colour}"/>'
            yield f'<text x="{x + 14}" y="{y + 9}">{name}</text>'

    def instructions(self) -> Iterator[str]:
        for place, entry in enumerate(self.window.entries):
            y = self.bottom
            timed, record = entry.timed, entry.timed.record
            name = f"{record.pc}  {disassemble(record.word)}"
            trap = "" if record.cause is Trap.NONE else f", trap {record.cause.name}"
            hover = (
                f"{name}: issues in cycle {timed.issue}, retires in {timed.retire}, "
                f"complete in {timed.complete}{trap}"
            )
            if place % 2:
                yield f'<rect y="{y}" width="{LABEL + PLOT}" height="{ROW}" fill="#f6f6f6"/>'
            yield (f'<text x="12" y="{y + 11}" font-family="monospace">{escape(name[:46])}'
                   f"<title>{escape(hover)}</title></text>")  # fmt: skip
            waits = f"{name}: waits {timed.issue - entry.ready} cycles, from {entry.ready} on"
            yield self._bar(entry.ready, timed.issue, y + 5, 5, COLOURS[WAITING], waits)
            way = COLOURS[UNDER_WAY]
            yield self._bar(timed.retire + 1, timed.complete + 1, y + 4, 7, way, hover)
            fill = COLOURS[unit_of(record.word)]
            yield self._bar(timed.issue, timed.retire + 1, y + 2, 11, fill, hover)
            self.bottom += ROW

    def bus(self) -> Iterator[str]:
        for name, busy, colour in (
            ("read", self.window.reads, READ),
            ("write", self.window.writes, WRITE),
        ):
            if not busy.any():
                continue
            self.bottom += 10
            rows = [(f"lanes ({name})", busy[-1], LANES, 12)]
            for number, row in enumerate(busy[:-1]):
                rows.append((f"{name} channel {number}", row, colour, CHANNEL))
            channels_top = self.bottom + 12
            for label, row, fill, height in rows:
                if height > CHANNEL:
                    yield self._label(f"{label}: {row.mean():.0%} busy", self.bottom + 10)
                for begin, end in _runs(row):
                    at, behind = begin + self.window.first, end + self.window.first
                    hover = f"{label}: cycles {at} to {behind - 1}"
                    yield self._bar(at, behind, self.bottom, height - 1, fill, hover)
                self.bottom += height
            share = busy[:-1].mean()
            yield self._label(
                f"{name} channels 0 to {len(busy) - 2}: {share:.0%} busy", channels_top + 12
            )
            self.bottom = max(self.bottom, channels_top + 18) + 8

    def _label(self, words: str, y: float) -> str:
        return f'<text x="12" y="{y}">{escape(words)}</text>'

    def axis(self) -> Iterator[str]:
        y = self.bottom + 6
        first, end = self.window.first, self.window.end
        yield f'<line x1="{LABEL}" y1="{y}" x2="{LABEL + PLOT}" y2="{y}" stroke="#333"/>'
        step = _tick(end - first)
        for cycle in range(-(-first // step) * step, end + 1, step):
            x = LABEL + (cycle - first) * self.scale
            yield (f'<line x1="{x:.1f}" y1="{TOP + 10}" x2="{x:.1f}" y2="{y + 4}" stroke="#333" '
                   'stroke-opacity="0.15"/>')  # fmt: skip
            for height in (TOP + 8, y + 16):
                yield f'<text x="{x:.1f}" y="{height}" text-anchor="middle">{cycle:,}</text>'
        yield f'<text x="{LABEL - 8}" y="{y + 16}" text-anchor="end">cycle</text>'


def _runs(busy: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """[begin, end) of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], busy.astype(np.int8), [0]])))
    yield from ((int(a), int(b)) for a, b in edges.reshape(-1, 2))


def _tick(cycles: int) -> int:
    """Cycles between ticks: 1, 2 or 5 times a power of ten, at most about ten ticks."""
    size = 1
    while True:
        for step in (size, 2 * size, 5 * size):
            if cycles <= 10 * step:
                return step
        size *= 10
