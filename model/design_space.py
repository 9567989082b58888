"""The design space in the documentation: `design_space.svg` and `design_space.md`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from unmask.model import plots
from unmask.model.scenario import KINDS
from unmask.model.settings import Profile
from unmask.model.sweep import Point, Result, points

VLENS = (128, 256, 512, 1024, 2048)
LATENCIES = (20.0, 60.0, 120.0, 200.0, 300.0, 400.0)
VLEN = 1024  # where the latency is varied
BATCH, ROWS, VOCABULARY, FORM, CHUNKS = 1, 32, 126_464, "E4M3_B32", 4


def wanted(profile: Profile) -> tuple[list[Point], list[Point]]:
    """Points over VLEN at the profile's latency, and over the latency at one VLEN."""

    def made(vlens: Sequence[int], latencies: Sequence[float]) -> list[Point]:
        return points(list(KINDS), vlens, [CHUNKS], [profile.channels], [BATCH], [ROWS],
                      [VOCABULARY], latencies, FORM)  # fmt: skip

    return made(VLENS, [profile.latency_ns]), made([VLEN], LATENCIES)


def picture(over_vlen: Sequence[Result], over_latency: Sequence[Result], profile: Profile) -> bytes:
    """SVG: time over VLEN, time over the latency, SRAM over VLEN."""
    figure, axes = plots.library().subplots(1, 3, figsize=(13, 4.4), layout="constrained")
    plots.latency(over_vlen, axes[0], "vlen")
    axes[0].set_xlabel(f"VLEN (latency {profile.latency_ns:g} ns)")
    plots.latency(over_latency, axes[1], "latency_ns")
    axes[1].set_xlabel(f"memory latency, ns (VLEN {VLEN})")
    axes[1].sharey(axes[0])
    _footprint(over_vlen, axes[2])
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    figure.suptitle(
        f"One sampling step, B = {BATCH}, L = {ROWS}, V = {VOCABULARY:,}, MXFP8, {profile.title}, "
        "1 GHz (model, timing only)"
    )
    return plots.saved(figure, "svg")


def _footprint(found: Sequence[Result], axis: Any) -> None:
    for kind in KINDS:
        line = [one for one in found if one.point.scenario.kind == kind]
        axis.plot([one.point.vlen for one in line], [one.sram_bytes / 1024 for one in line],
                  marker="o", markersize=3.5, color=plots.KIND_COLOURS[kind])  # fmt: skip
    axis.set_xscale("log", base=2)
    axis.set_yscale("log")
    axis.set_xticks(VLENS, [str(vlen) for vlen in VLENS])
    axis.minorticks_off()
    axis.set_xlabel("VLEN")
    axis.set_ylabel("SRAM touched, with 32 KiB of FIFOs, KiB")
    axis.grid(True, alpha=0.3)


def page(over_vlen: Sequence[Result], over_latency: Sequence[Result], profile: Profile) -> str:
    """The tables, in Markdown."""
    kinds = "\n".join(f"- **{kind}**: {text}" for kind, text in KINDS.items())
    dropped = {one.point.vlen: one.dropped for one in over_vlen if one.dropped}
    tails = ", ".join(f"{count} at VLEN {vlen}" for vlen, count in dropped.items())
    return f"""# Four programs, many cores

One sampling step, B = {BATCH}, L = {ROWS}, V = {VOCABULARY:,}, MXFP8 in blocks of 32, on
{profile.title}, 1 GHz; all by this model, without data. Written by
`python -m unmask.model sweep --docs`.

![Time and SRAM over VLEN and latency](design_space.svg)

{kinds}

Pieces are of {CHUNKS} chunks. B is {BATCH}: the published programs take one batch row at a time,
so a step of B takes B times theirs; a longer stream comes nearer to the floor. The floor is the
greater of bytes over rate and elements over lanes, each logit once. SRAM is up to the last element
touched, with 32 KiB of FIFOs and scale ring. Published programs leave out the logits of each row
behind the last whole chunk: {tails}.

Microseconds over VLEN, latency {profile.latency_ns:g} ns:

{_table("VLEN", over_vlen, lambda one: one.point.vlen)}

From 200 ns on stream leaves the floor: its 16 transactions on a channel, some of them short bursts
of scales, carry less than rate times latency. With 32 (`--set outstanding=32`) it is within 11 % of
it at 250 ns.

Microseconds over the latency, VLEN {VLEN}:

{_table("ns", over_latency, lambda one: one.point.latency_ns)}

SRAM, KiB:

{_table("VLEN", over_vlen, lambda one: one.point.vlen, lambda one: one.sram_bytes / 1024, False)}
"""


def _table(
    name: str,
    found: Sequence[Result],
    x: Any,
    value: Any = lambda one: one.time / 1e3,
    floor: bool = True,
) -> str:
    head = [name, *KINDS, *(["floor", "edge / stream"] if floor else [])]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for place in dict.fromkeys(map(x, found)):
        row = {one.point.scenario.kind: one for one in found if x(one) == place}
        cells = [f"{place:g}", *(f"{value(row[kind]):,.1f}" for kind in KINDS)]
        if floor:
            ratio = row["edge"].time / row["stream"].time
            cells += [f"{row['stream'].floor / 1e3:,.1f}", f"{ratio:.1f}"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)
