"""Vector instructions by numpy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from unmask.tests.witness import floats, traps
from unmask.tests.witness.traps import Fields
from unmask.tests.witness.world import World

_BINARY = {"ADD": floats.add, "SUB": floats.sub, "MUL": floats.mul}
_UNARY = {"V_EXP_V": floats.exp, "V_RECI_V": floats.reciprocal}
NAMES = {
    *(f"V_{name}_V{kind}" for name in _BINARY for kind in "VF"), *_UNARY,
    "V_RED_SUM", "V_RED_MAX", "V_RED_MAX_IDX", "V_SELECT_VVM",
}  # fmt: skip


def causes(world: World, name: str, o: Fields) -> Iterator[str]:
    first = world.gp[o["rs1"]]
    if name.startswith("V_RED"):
        yield from traps.misaligned(world, first)
        yield from traps.outside(world, "vector", first, world.vl)
        return
    sources = ["rs1"]
    if name.endswith("_VV") or name == "V_SELECT_VVM":
        sources.append("rs2")
    if name == "V_SELECT_VVM":
        sources.append("rs3")
    addresses = [world.gp[o[x]] for x in sources]
    yield from traps.elementwise(world, world.vl, world.gp[o["rd"]], *addresses)


def act(world: World, name: str, o: Fields) -> None:
    gp, f, n = world.gp, world.f, world.vl
    world.length = n
    first = world.read("vector", gp[o["rs1"]], n)
    lanes = np.arange(n) % world.vlen % 32
    on = (world.csrs["MASK"] >> lanes & 1 == 1) | (o.get("rmask", 0) == 0)
    if name == "V_RED_SUM":
        # -0 changes no sum: it stands in lanes that are off and behind the end.
        codes = np.full(-(-n // world.vlen) * world.vlen, 0x8000, np.uint16)
        codes[:n][on] = first[on]
        chunks = floats.float32(codes).reshape(-1, world.vlen)
        world.set_f(o["rd"], floats.tree_sum(f[o["rd"]], chunks))
    elif name == "V_RED_MAX":
        best = floats.maximum(f[o["rd"]], f[o["rd"]])
        for code in first[on]:
            best = floats.maximum(best, code)
        world.set_f(o["rd"], int(best))
    elif name == "V_RED_MAX_IDX":
        row = [f[o["rs3"]], *map(int, first)]
        places = [gp[o["rd"]], *((gp[o["rs2"]] + i) % 2**32 for i in range(n))]
        numbers = floats.value(row)
        nans = np.flatnonzero(np.isnan(numbers))
        at = int(nans[0]) if len(nans) else int(np.argmax(numbers))
        world.set_gp(o["rd"], places[at])
        world.set_f(o["rs3"], row[at])
    else:
        if name in _UNARY:
            values = _UNARY[name](first)
        elif name == "V_SELECT_VVM":
            second, mask = (world.read("vector", gp[o[x]], n) for x in ("rs2", "rs3"))
            values = np.where(floats.is_true(mask), first, second)
        else:
            other: Any = world.read("vector", gp[o["rs2"]], n) if name[-1] == "V" else f[o["rs2"]]
            pair = (other, first) if o.get("rorder") else (first, other)
            values = _BINARY[name[2:5]](*pair)
        target = world.memories["vector"][gp[o["rd"]] : gp[o["rd"]] + n]
        target[on] = values[on]
