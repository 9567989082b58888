"""The read engine: segments of transfers, bursts of segments, slices of stripes, lanes of slices.

Each theorem is one step from any state that an invariant allows, so that together they speak of
transfers of any length. What passes is described by sets: an arbitrary beat (or byte) is in what
was left before the step exactly if it is in what the step takes or in what is left behind it, never
in both. So nothing is lost, nothing comes twice, and the order is that of the steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from inspect import getdoc

from unmask.proofs.engine.mutate import Mutation
from unmask.proofs.engine.obligation import Files, Obligation, Theorem
from unmask.proofs.units.planted import stream
from unmask.proofs.units.read_engine.bursts import WALKERS, walkers
from unmask.proofs.units.read_engine.common import FOLDER, Size
from unmask.proofs.units.read_engine.lanes import (
    LANES,
    TURNS,
    WRITERS,
    dequantisers,
    lane_choice,
    turns,
    writers,
)
from unmask.proofs.units.read_engine.segments import SEGMENTS, segment_walk
from unmask.proofs.units.read_engine.slices import JOINS, slice_joins


def _twin(
    statement: Callable[[Files], Iterator[Obligation]], mutation: Mutation, files: Files
) -> Iterator[Obligation]:
    with mutation.applied(files) as mutated:
        yield from statement(mutated)


def _theorem(
    name: str,
    statement: Callable[[Files], Iterator[Obligation]],
    bounds: str,
    *sources: str,
) -> Theorem:
    return Theorem(
        name=f"stream.{name}",
        statement=getdoc(statement) or "",
        bounds=bounds,
        engine="z3 or bitwuzla",
        obligations=statement,
        twin=partial(_twin, statement, stream.TWINS[name]),
        sources=tuple(FOLDER / f"{source}.v" for source in sources),
    )


def _all(sizes: tuple[Size, ...]) -> str:
    return ", ".join(map(str, sizes))


THEOREMS = (
    _theorem("dequantise", dequantisers, "all inputs", "unmask_dequantise"),
    _theorem(
        "segments", segment_walk, f"{_all(SEGMENTS)}; 20 and 24 address bits, any length",
        "unmask_read_queue", "unmask_read_segments",
    ),
    _theorem(
        "bursts", walkers, f"{_all(WALKERS)}; any channel, any length",
        "unmask_read_walker", "unmask_read_segments",
    ),
    _theorem(
        "slices", slice_joins, f"{_all(JOINS)} with 4 and 8 lanes; any length",
        "unmask_stripe_join", "unmask_read_segments",
    ),
    _theorem(
        "lanes", lane_choice, "VLEN x bytes of a stripe " + ", ".join(f"{v}x{s}" for v, s in LANES),
        "unmask_read_lanes", "unmask_dequantise",
    ),
    _theorem(
        "turn", turns, "bytes " + ", ".join(f"{t} of {i}" for i, t in TURNS), "unmask_turn"
    ),
    _theorem(
        "row_writer", writers, "VLEN x rows " + ", ".join(f"{v}x{r}" for v, r in WRITERS),
        "unmask_row_writer",
    ),
)  # fmt: skip
