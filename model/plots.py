"""Plots of sweeps, by matplotlib, which is imported when the first one is made."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from unmask.model.picture import COLOURS
from unmask.model.sweep import Result
from unmask.spec.errors import UsageError

KIND_COLOURS = {
    "edge": "#e15759",
    "performance": "#f28e2b",
    "prefetch": "#4e79a7",
    "stream": "#59a14f",
}
FLOOR = {"color": "#333333", "linestyle": "--", "linewidth": 1.2}
FIGURES = ("latency", "units", "sram")
MOST_BARS = 60
LOG_FROM = 4  # values that lie this many times apart are drawn on a logarithmic axis


def library() -> Any:
    """matplotlib.pyplot, drawing to files alone.

    Raises:
        UsageError: if it is not installed.
    """
    try:
        import matplotlib
    except ModuleNotFoundError:
        raise UsageError(
            "plots need the package matplotlib: pip install 'unmask[report]'"
        ) from None
    matplotlib.use("Agg")
    # The same picture has the same bytes, and text stays text.
    matplotlib.rcParams.update({"svg.hashsalt": "unmask", "svg.fonttype": "none", "font.size": 9})
    import matplotlib.pyplot

    return matplotlib.pyplot


def saved(figure: Any, form: str) -> bytes:
    """A figure as a file, "png" or "svg"."""
    file = io.BytesIO()
    metadata = {"Date": None} if form == "svg" else {}
    figure.savefig(file, format=form, dpi=140, metadata=metadata)
    return file.getvalue()


def varied(found: Sequence[Result]) -> list[str]:
    """Parameters, but for the program, that have several values."""
    lines = [one.point.parameters() for one in found]
    return [name for name in lines[0] if name != "kind" and len({line[name] for line in lines}) > 1]


def latency(found: Sequence[Result], axis: Any, x: str, others: Sequence[str] = ()) -> None:
    """Time over one parameter, a line for each program and value of the others, and the floors."""
    lines: dict[tuple[Any, ...], list[Result]] = {}
    for one in found:
        values = one.point.parameters()
        lines.setdefault((values["kind"], *(values[name] for name in others)), []).append(one)
    styles = ("-", ":", "-.")
    seen: dict[str, int] = {}
    for key, line in lines.items():
        line.sort(key=lambda one: one.point.parameters()[x])
        number = seen[key[0]] = seen.get(key[0], -1) + 1
        label = ", ".join([key[0], *(f"{n} {v}" for n, v in zip(others, key[1:], strict=True))])
        style = {"color": KIND_COLOURS[key[0]], "linestyle": styles[number % len(styles)]}
        times = [one.time / 1e6 for one in line]
        axis.plot(_xs(line, x), times, marker="o", markersize=3.5, label=label, **style)
    _floors(found, axis, x, [name for name in others if name != "chunks"])
    axis.set_yscale("log")
    axis.set_ylabel("time of a step, ms")
    _scale_x(axis, sorted(set(_xs(found, x))))
    axis.set_xlabel(x.replace("_", " "))
    axis.grid(True, alpha=0.3)


def _floors(found: Sequence[Result], axis: Any, x: str, others: Sequence[str]) -> None:
    """Both floors over one parameter, once for each value of the others."""
    lines: dict[tuple[Any, ...], dict[Any, Result]] = {}
    for one in found:
        values = one.point.parameters()
        lines.setdefault(tuple(values[name] for name in others), {})[values[x]] = one
    for number, once in enumerate(lines.values()):
        line = [once[value] for value in sorted(once)]
        hidden = "_" if number else ""  # how matplotlib leaves a label out of the legend
        memory = [one.floor_memory / 1e6 for one in line]
        axis.plot(_xs(line, x), memory, label=f"{hidden}floor: memory", **FLOOR)
        lanes = [one.floor_lanes / 1e6 for one in line]
        style = {**FLOOR, "linestyle": ":"}
        axis.plot(_xs(line, x), lanes, label=f"{hidden}floor: lanes", **style)


def _xs(line: Sequence[Result], x: str) -> list[Any]:
    return [one.point.parameters()[x] for one in line]


def _scale_x(axis: Any, values: Sequence[Any]) -> None:
    if values[0] > 0 and values[-1] >= LOG_FROM * values[0]:
        axis.set_xscale("log", base=2)
    axis.set_xticks(values, [f"{value:g}" for value in values])
    axis.minorticks_off()


def overview(found: Sequence[Result]) -> dict[str, Any]:
    """Name -> figure: time and floors, cycles by unit, SRAM."""
    plots = library()
    names = varied(found) or ["vlen"]
    figures = {}
    figure, axis = plots.subplots(figsize=(8, 5), layout="constrained")
    latency(found, axis, names[0], names[1:])
    axis.legend(fontsize=7, loc="center left", bbox_to_anchor=(1.01, 0.5))
    figures["latency"] = figure
    bars = list(found[:MOST_BARS])
    labels = [_label(one, names) for one in bars]
    height = 1.6 + 0.26 * len(bars)
    figure, axis = plots.subplots(figsize=(9, height), layout="constrained")
    units = [unit for unit in COLOURS if any(unit in one.measured.units for one in bars)]
    left = [0.0] * len(bars)
    for unit in units:
        shares = [one.measured.units.get(unit, 0) / one.measured.cycles for one in bars]
        axis.barh(labels, shares, left=left, color=COLOURS[unit], label=unit)
        left = [a + b for a, b in zip(left, shares, strict=True)]
    axis.set_xlabel("share of the cycles")
    axis.set_xlim(0, 1)
    axis.invert_yaxis()
    axis.legend(fontsize=7, loc="center left", bbox_to_anchor=(1.01, 0.5))
    figures["units"] = figure
    figure, axis = plots.subplots(figsize=(8, height), layout="constrained")
    colours = [KIND_COLOURS[one.point.scenario.kind] for one in bars]
    axis.barh(labels, [one.sram_bytes / 1024 for one in bars], color=colours)
    axis.set_xscale("log")
    axis.set_xlim(left=1)  # bars on a logarithmic axis need a common beginning
    axis.set_xlabel("SRAM touched, with FIFOs, KiB")
    axis.invert_yaxis()
    figures["sram"] = figure
    return figures


def _label(one: Result, names: Sequence[str]) -> str:
    values = one.point.parameters()
    return ", ".join([str(values["kind"]), *(f"{name} {values[name]}" for name in names)])
