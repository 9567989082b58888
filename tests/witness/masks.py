"""Masks and selection: by sorting, and by numpy's comparisons."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmask.tests.witness import floats, traps
from unmask.tests.witness.traps import Fields
from unmask.tests.witness.world import World

RELATION_NAMES = ("GE", "GT", "EQ", "NE", "LE", "LT")
_RELATIONS = (np.greater_equal, np.greater, np.equal, np.not_equal, np.less_equal, np.less)
NAMES = {
    "V_TOPK_MASK", "V_KEY_MASK_QUOTA", "V_KEY_MASK_RULE", "V_KEY_MASK_FACTOR", "S_SELECT_INT",
    *(f"V_CMP_MASK_{sources}" for sources in ("VV", "VF", "IG", "II")),
}  # fmt: skip


def _length(world: World, o: Fields) -> int:
    return world.gp[o["rs4"]] if o["rs4"] else world.vlen


def _memories(name: str) -> dict[str, str]:
    """Which memory the register operands that are read as addresses point into."""
    kind = name.rpartition("_")[2]
    if name == "S_SELECT_INT":
        return {"rs1": "int", "rs2": "int", "rs3": "vector"}
    if name == "V_TOPK_MASK":
        return {"rs1": "vector", "rs2": "vector"}
    if name.startswith("V_KEY"):
        return {"rs1": "key", "rs2": "vector", **({"rs3": "key"} if kind == "FACTOR" else {})}
    memory = "vector" if kind[0] == "V" else "int"
    return {"rs1": memory, **({"rs2": memory} if kind in ("VV", "II") else {})}


def causes(world: World, name: str, o: Fields) -> Iterator[str]:
    to, length = world.gp[o["rd"]], _length(world, o)
    sources = [(memory, world.gp[o[x]]) for x, memory in _memories(name).items()]
    home = "int" if name == "S_SELECT_INT" else "vector"
    for memory, address in ((home, to), *sources):
        yield from traps.outside(world, memory, address, length)
        if memory == "vector":
            yield from traps.misaligned(world, address)
    for memory, address in sources:
        if memory == home:
            yield from traps.overlap(to, address, length)
    if name.startswith(("V_TOPK", "V_KEY")) and length > world.size("key"):
        yield "LENGTH"


def act(world: World, name: str, o: Fields) -> None:
    gp, n = world.gp, _length(world, o)
    world.length = n
    read = {x: world.read(memory, gp[o[x]], n) for x, memory in _memories(name).items()}
    if name == "S_SELECT_INT":
        chosen = np.where(floats.is_true(read["rs3"]), read["rs1"], read["rs2"])
        world.memories["int"][gp[o["rd"]] : gp[o["rd"]] + n] = chosen
        return
    if name.startswith("V_CMP"):
        if name.endswith(("VV", "VF")):
            first = floats.value(read["rs1"])
            second: Any = floats.value(read["rs2"] if "rs2" in read else world.f[o["rs2"]])
        else:
            first = read["rs1"].astype(np.int64)
            second = read["rs2"].astype(np.int64) if "rs2" in read else gp[o["rs2"]]
        accepted = _RELATIONS[o["relation"]](first, second)
    else:
        accepted = _ranked(world, name, o, read, n)
    codes = np.zeros(-(-n // world.vlen) * world.vlen, np.uint16)
    codes[:n] = np.where(accepted, 0x3F80, 0)
    world.memories["vector"][gp[o["rd"]] : gp[o["rd"]] + len(codes)] = codes


def _ranked(
    world: World, name: str, o: Fields, read: dict[str, NDArray[Any]], n: int
) -> NDArray[np.bool_]:
    """Candidates in their order, and those of them that the mode takes."""
    accepted = np.zeros(n, bool)
    candidates = np.flatnonzero(floats.is_true(read["rs2"])).tolist()
    third = world.gp[o["rs3"]]
    if name == "V_TOPK_MASK":
        x = floats.value(read["rs1"])
        candidates.sort(key=lambda i: (not np.isnan(x[i]), 0 if np.isnan(x[i]) else -x[i], i))
        accepted[candidates[:third]] = True
        return accepted
    keys = read["rs1"].tolist()
    candidates.sort(key=lambda i: (keys[i], i))
    for rank, i in enumerate(candidates):
        if name.endswith("QUOTA"):
            accepted[i] = rank < third
        elif name.endswith("RULE"):
            may = rank < world.csrs["KMAX"] and keys[i] <= world.csrs["LIMIT"]
            accepted[i] = rank < third or may
        else:
            accepted[i] = keys[i] <= int(read["rs3"][rank])
    return accepted
