"""Traps by plain integer ranges. A rule yields the names of the causes it finds, in any order."""

from __future__ import annotations

from collections.abc import Iterator

from unmask.tests.witness.world import World

Fields = dict[str, int]
# By number; traps in order of priority.
CAUSES = (
    "NONE", "ILLEGAL", "LOOP", "MISALIGNED", "LENGTH", "RANGE", "OVERLAP", "WINDOW", "FATAL",
)  # fmt: skip
PRIORITY = CAUSES[1:-1]


def misaligned(world: World, *addresses: int) -> Iterator[str]:
    """Vector addresses that are no multiples of VLEN."""
    if any(address % world.vlen for address in addresses):
        yield "MISALIGNED"


def outside(world: World, memory: str, address: int, length: int) -> Iterator[str]:
    """A range that ends behind the memory, be it empty; ends are exact, nothing wraps."""
    if address + length > world.size(memory):
        yield "RANGE"


def overlap(to: int, source: int, length: int) -> Iterator[str]:
    """Ranges that share elements but are not the same."""
    shared = min(to, source) + length - max(to, source)
    if shared > 0 and to != source:
        yield "OVERLAP"


def beyond(world: World, *touched: range) -> Iterator[str]:
    """Bytes of memory, in ascending order, that are not all inside the window."""
    first, end = world.window
    if any(part and not (first <= part[0] and part[-1] < end) for part in touched):
        yield "WINDOW"


def elementwise(world: World, length: int, to: int, *sources: int) -> Iterator[str]:
    """A vector written and vectors read, all in vector SRAM."""
    yield from misaligned(world, to, *sources)
    for address in (to, *sources):
        yield from outside(world, "vector", address, length)
    for source in sources:
        yield from overlap(to, source, length)
