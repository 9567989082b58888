"""Sizes, transfers and terms that the theorems of the read engine share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import z3

from unmask.proofs.engine import smt, yosys
from unmask.proofs.engine.obligation import Files
from unmask.proofs.units import rtl

FOLDER = rtl.RTL / "stream"
SEGMENT = 32
# Parameters of the modules that depend on the bus.
_BUS = ("CHANNELS", "BEAT_BITS", "ADDRESS_BITS", "POSITION_BITS", "PLAN")
PARAMETERS = {
    "unmask_read_queue": ("VLEN", "CHANNELS", "BEAT_BITS", "ADDRESS_BITS", "PLAN"),
    "unmask_read_segments": _BUS,
    "unmask_read_walker": (*_BUS, "BURST", "RING"),
    "unmask_stripe_join": (*_BUS, "VLEN", "RING"),
}


@dataclass(frozen=True)
class Size:
    """Sizes that a theorem is proven at."""

    channels: int
    beat: int  # bytes
    address: int  # bits
    vlen: int = 4
    burst: int = 16
    ring: int = 32

    @property
    def beat_bits(self) -> int:
        return log2_of(self.beat)

    @property
    def stripe(self) -> int:
        return self.channels * self.beat

    @property
    def stripe_bits(self) -> int:
        return log2_of(self.stripe)

    @property
    def position(self) -> int:
        return log2_of(self.ring) + 2

    @property
    def fields(self) -> dict[str, int]:
        """Of a plan: name -> width, the first highest."""
        a, beat, stripe = self.address, self.beat_bits, self.stripe_bits
        return {
            "mx": 1, "by_8": 1, "head": max(stripe, 5), "stripe": a - stripe, "last": a,
            "scale": beat, "asked": a - beat, "scale_last": a, "scale_end": stripe + 6,
            "pitch": a, "gap": a, "scale_pitch": a, "scale_gap": a, "rows": 32,
        }  # fmt: skip

    @property
    def plan(self) -> int:
        return sum(self.fields.values())

    def __str__(self) -> str:
        return f"{self.channels} x {8 * self.beat} bits"

    def parameters(self, *names: str) -> dict[str, int]:
        known = {
            "CHANNELS": self.channels, "BEAT_BITS": 8 * self.beat, "VLEN": self.vlen,
            "ADDRESS_BITS": self.address, "BURST": self.burst, "RING": self.ring,
            "POSITION_BITS": self.position, "PLAN": self.plan,
        }  # fmt: skip
        return {name: known[name] for name in names}


def log2_of(number: int) -> int:
    return number.bit_length() - 1


def load_module(files: Files, parameters: dict[str, int], *names: str) -> smt.Transition:
    """The module named first, with those below it."""
    sources = yosys.replaced(tuple(FOLDER / f"{name}.v" for name in names), files)
    return smt.load(yosys.export(yosys.Design(sources, names[0], parameters, (FOLDER,))))


def one_bit(value: int) -> Any:
    return z3.BitVecVal(value, 1)


def is_one(term: Any) -> Any:
    return term == 1


def to_width(term: Any, width: int) -> Any:
    """Zero-extended or cut to a width."""
    size = term.size()
    if size == width:
        return term
    return z3.ZeroExt(width - size, term) if size < width else z3.Extract(width - 1, 0, term)


@dataclass(frozen=True)
class Piece:
    """Contiguous bytes, by their distance from the first, and their scales; in the proof only.

    Attributes:
        first, scale: its first byte, and that one's scale.
        span: distance of its last byte.
        by: bytes that share a scale, log2; None: no scales.
    """

    size: Size
    first: Any
    span: Any
    scale: Any
    by: int | None

    @property
    def shift(self) -> int:
        return 5 if self.by is None else self.by

    @property
    def ones(self) -> int:
        """Bytes of a whole segment, less one."""
        return (SEGMENT << self.size.stripe_bits) - 1

    def scale_of(self, distance: Any) -> Any:
        return self.scale + z3.LShR(distance, self.shift)

    def beat_of(self, distance: Any) -> Any:
        """The beat of a byte's scale."""
        return z3.LShR(self.scale_of(distance), self.size.beat_bits)

    def stripe_of(self, distance: Any) -> Any:
        return z3.LShR(self.first + distance, self.size.stripe_bits)

    def end_of(self, start: Any) -> Any:
        """Where the segment ends that begins at a distance, if the piece goes so far."""
        return start + (~(self.first + start) & self.ones)

    @property
    def sane(self) -> Any:
        """It and its scales end before the address space does."""
        most = (1 << self.size.address) - 1
        ends = (self.first, self.span, self.first + self.span, self.scale, self.scale_of(self.span))
        return z3.And(*(z3.ULE(end, most) for end in ends))

    def begins(self, of: Callable[[str], Any]) -> Any:
        """The fields say that its first segment is in front."""
        start = z3.BitVecVal(0, self.first.size())
        return z3.And(
            self._same(of, "stripe", self.stripe_of(start)),
            *self._always(of),
            self._same(of, "scale", self.scale),
            self._same(of, "asked", self.beat_of(start)),
            self._same(of, "scale_end", self.scale_of(self.end_of(start))),
        )

    def goes_on(self, of: Callable[[str], Any], start: Any) -> Any:
        """The fields say that a later segment is in front, which begins at a distance."""
        return z3.And(
            (self.first + start) & self.ones == 0,
            start != 0,
            z3.ULE(start, self.span),
            self._same(of, "stripe", self.stripe_of(start)),
            *self._always(of),
            self._same(of, "asked", self.beat_of(start - 1) + 1),
            self._same(of, "scale_end", self.scale_of(start + self.ones)),
        )

    def _always(self, of: Callable[[str], Any]) -> tuple[Any, ...]:
        return (
            self._same(of, "head", self.first),
            self._same(of, "last", self.first + self.span),
            self._same(of, "scale_last", self.scale_of(self.span)),
        )

    def _same(self, of: Callable[[str], Any], name: str, value: Any) -> Any:
        scales = ("scale", "asked", "scale_last", "scale_end")
        if self.by is None and name in scales:
            return z3.BoolVal(True)
        found = of(name)
        return found == to_width(value, found.size())


def plan_terms(size: Size, tag: str) -> dict[str, Any]:
    return {name: z3.BitVec(f"{tag}.{name}", width) for name, width in size.fields.items()}


def packed(plan: dict[str, Any]) -> Any:
    return z3.Concat(*plan.values())


def unpacked(size: Size, plan: Any) -> dict[str, Any]:
    found, top = {}, plan.size()
    for name, width in size.fields.items():
        found[name] = z3.Extract(top - 1, top - width, plan)
        top -= width
    return found


def any_piece(size: Size, by: int | None, tag: str) -> Piece:
    width = size.address + 4
    first, span, scale = (z3.BitVec(f"{tag}.{name}", width) for name in ("first", "span", "scale"))
    return Piece(size, first, span, scale, by)


def widened(term: Any) -> Any:
    return z3.ZeroExt(8, term)


def item_of(term: Any, number: Any, width: int) -> Any:
    """Item `number` of a vector."""
    size = max(term.size(), number.size() + 8)
    by = to_width(number, size) << log2_of(width)
    return z3.Extract(width - 1, 0, z3.LShR(to_width(term, size), by))


def holding(module: smt.Transition, name: str, value: Any) -> smt.State:
    """A register's part of a state; it may be kept in several pieces."""
    term = module.signals[name]
    slots = {x.get_id(): slot for slot, x in module.registers.items()}
    found, top = {}, term.size()
    for part in term.children() if z3.is_app_of(term, z3.Z3_OP_CONCAT) else [term]:
        found[slots[part.get_id()]] = z3.Extract(top - 1, top - part.size(), value)
        top -= part.size()
    return found
