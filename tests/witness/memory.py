"""Transfers with HBM: byte addresses as exact integers, MX by ml_dtypes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from unmask.tests.witness import floats, traps
from unmask.tests.witness.traps import Fields
from unmask.tests.witness.world import World

NAMES = {
    "H_PREFETCH_V", "H_STORE_V", "H_LD_INT", "H_ST_INT", "H_LD_KEY", "H_ST_KEY",
}  # fmt: skip
SATURATED, INEXACT = 1, 2
Faulty = tuple[tuple[int, int], ...]
LARGEST = float(floats.value(0x7F7F))


class Element(NamedTuple):
    """An 8-bit float: fraction bits, exponent of the least normal number and of the largest."""

    dtype: Any
    fraction: int
    least: int
    top: int
    nan: int
    infinite: bool


E4M3 = Element(ml_dtypes.float8_e4m3fn, 3, -6, 8, 0x7F, False)
E5M2 = Element(ml_dtypes.float8_e5m2, 2, -14, 15, 0x7E, True)
# Number of a format -> (bytes of an element, elements of a block, MX element).
FORMATS: tuple[tuple[int, int, Element | None], ...] = (
    (2, 1, None), (1, 32, E4M3), (1, 8, E4M3), (1, 32, E5M2), (1, 8, E5M2),
)  # fmt: skip
FORMAT_NAMES = ("BF16", "E4M3_B32", "E4M3_B8", "E5M2_B32", "E5M2_B8")


def scale_value(scales: Any) -> NDArray[np.float64]:
    codes = np.asarray(scales, np.uint8)
    return codes.view(ml_dtypes.float8_e8m0fnu).astype(np.float64)


def dequantise(codes: Any, scales: Any, form: Element) -> tuple[Any, Any]:
    """BF16 codes and flags; finite values saturate."""
    elements = np.asarray(codes, np.uint8).view(form.dtype).astype(np.float64)
    exact = elements * scale_value(scales)
    found = floats.code(exact)
    rounded = floats.value(found)
    finite = np.isfinite(exact)
    over = finite & np.isinf(rounded)
    largest = np.where(exact < 0, 0xFF7F, 0x7F7F)
    flags = np.where(over, SATURATED, np.where(finite & (rounded != exact), INEXACT, 0))
    return np.where(over, largest, found).astype(np.int64), flags


def block_scale(codes: Any, form: Element) -> int:
    """E8M0 of a block: floor(log2) of the greatest finite element less emax, clamped at 0."""
    x = np.abs(floats.value(codes))
    greatest = float(x[np.isfinite(x)].max(initial=0.0))
    if greatest == 0.0:
        return 0
    return max(0, math.frexp(greatest)[1] - 1 - form.top + 127)


def quantise(codes: Any, scales: Any, form: Element) -> NDArray[np.int64]:
    """Elements to nearest even. Infinities stay where there are some, else become NaN."""
    x = floats.value(codes) / scale_value(scales)
    most = float(ml_dtypes.finfo(form.dtype).max)
    with np.errstate(all="ignore"):
        unit = np.ldexp(1.0, np.maximum(np.frexp(x)[1] - 1, form.least) - form.fraction)
        rounded = np.clip(np.rint(x / unit) * unit, -most, most)  # the cast below is exact
        kept = np.where(np.isfinite(x), rounded, x if form.infinite else np.nan)
        elements = kept.astype(form.dtype)
    return np.where(np.isnan(kept), form.nan, elements.view(np.uint8)).astype(np.int64)


# -- where things lie --


def touched(world: World, base: int, offset: int, length: int, kind: int) -> tuple[range, range]:
    """Bytes of a row's elements and of its blocks' scales."""
    size, block, element = FORMATS[kind]
    begin = base + offset * size
    elements = range(begin, begin + length * size)
    if element is None or length == 0:
        return elements, range(0)
    scales = base + world.csrs["SCALE"]
    return elements, range(scales + offset // block, scales + (offset + length - 1) // block + 1)


def fetch(world: World, base: int, offset: int, length: int, kind: int) -> tuple[Any, Any]:
    """A row of BF16 codes and flags."""
    elements, scales = touched(world, base, offset, length, kind)
    raw = world.read("hbm", elements.start, len(elements))
    _, block, element = FORMATS[kind]
    if element is None:
        return raw.view("<u2").astype(np.int64), np.zeros(length, np.int64)
    factors = world.read("hbm", scales.start, len(scales))
    return dequantise(raw, factors[np.arange(length) // block], element)


def _rows(world: World, o: Fields) -> list[int]:
    """Element offset of each row; none where there is nothing to move."""
    pitch = world.csrs["STRIDE"] if o["rstride"] else world.vl
    count = world.csrs["ROWS"] if world.vl else 0
    return [world.gp[o["rs1"]] + row * pitch for row in range(count)]


def transfers(world: World, name: str, o: Fields) -> list[range]:
    """Bytes of HBM that an instruction without a trap reads or writes."""
    if name == "H_RED_SM":
        return list(touched(world, world.a[o["rs2"]], world.gp[o["rs1"]], world.vl, o["format"]))
    base = world.a[o["rs2"]]
    if name in ("H_PREFETCH_V", "H_STORE_V"):
        kind = world.csrs[f"FMT{o['precision']}"]
        rows = _rows(world, o)
        return [part for row in rows for part in touched(world, base, row, world.vl, kind)]
    begin = base + 4 * world.gp[o["rs1"]]
    return [range(begin, begin + 4 * world.gp[o["rs3"]])]


def refused(world: World, name: str, o: Fields, faulty: Faulty, beat: int) -> int | None:
    """The first faulty beat that is touched; beats move whole."""
    found = []
    for part in transfers(world, name, o) if name.startswith("H_") else ():
        for first, end in faulty:
            begin, behind = part.start // beat * beat, -(-part.stop // beat) * beat
            if part and begin < end and first < behind:
                found.append(max(begin, first))
    return min(found, default=None)


def off_block(world: World, base: int, offset: int, kind: int) -> Iterator[str]:
    size, block, _ = FORMATS[kind]
    if offset % block or base % size:
        yield "MISALIGNED"


def causes(world: World, name: str, o: Fields) -> Iterator[str]:
    to, base = world.gp[o["rd"]], world.a[o["rs2"]]
    offset = world.gp[o["rs1"]]
    if name not in ("H_PREFETCH_V", "H_STORE_V"):
        length = world.gp[o["rs3"]]
        if base % 4:
            yield "MISALIGNED"
        yield from traps.outside(world, name[5:].lower(), to, length)
        yield from traps.beyond(world, *transfers(world, name, o))
        return
    kind = world.csrs[f"FMT{o['precision']}"]
    block = FORMATS[kind][1]
    pitch = world.csrs["STRIDE"] if o["rstride"] else world.vl
    yield from traps.misaligned(world, to)
    yield from off_block(world, base, offset, kind)
    if world.csrs["ROWS"] > 1 and pitch % block:
        yield "MISALIGNED"
    if name == "H_STORE_V" and world.vl % block:
        yield "LENGTH"
    filled = -(-world.vl // world.vlen) * world.vlen
    if to + filled * world.csrs["ROWS"] > world.size("vector"):
        yield "RANGE"
        return  # so many rows need no look at their bytes
    yield from traps.beyond(world, *transfers(world, name, o))


def act(world: World, name: str, o: Fields) -> None:
    to, offset, base = world.gp[o["rd"]], world.gp[o["rs1"]], world.a[o["rs2"]]
    hbm = world.memories["hbm"]
    if name not in ("H_PREFETCH_V", "H_STORE_V"):
        world.length = length = world.gp[o["rs3"]]
        here = world.memories[name[5:].lower()][to : to + length]
        there = hbm[base + 4 * offset : base + 4 * (offset + length)] if length else hbm[:0]
        if "_LD_" in name:
            here[:] = there.copy().view("<u4")
        else:
            there[:] = here.astype("<u4").view(np.uint8)
        return
    world.length = n = world.vl
    kind = world.csrs[f"FMT{o['precision']}"]
    for number, row in enumerate(_rows(world, o)):
        begin = to + number * (-(-n // world.vlen) * world.vlen)
        if name == "H_PREFETCH_V":
            world.memories["vector"][begin : begin + n] = fetch(world, base, row, n, kind)[0]
            continue
        codes = world.read("vector", begin, n)
        elements, scales = touched(world, base, row, n, kind)
        _, block, element = FORMATS[kind]
        if element is None:
            hbm[elements.start : elements.stop] = codes.astype("<u2").view(np.uint8)
            continue
        factors = [block_scale(codes[i : i + block], element) for i in range(0, n, block)]
        spread = np.array(factors)[np.arange(n) // block]
        hbm[elements.start : elements.stop] = quantise(codes, spread, element)
        hbm[scales.start : scales.stop] = factors
