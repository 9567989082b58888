"""Contracts of units that reduce vectors: beats of VLEN lanes, one result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from unmask.spec.bits import Bits, mux
from unmask.spec.contracts.context import Ports, lanes_of
from unmask.spec.contracts.contract import Contract, Port, Values, count_width
from unmask.spec.encoding import Instruction
from unmask.spec.formats import NEG_INF
from unmask.spec.reductions import MaxIndex, fold, tree

NEG_ZERO = 0x8000  # widened, the -0 that stands for no element in a sum


def _max_idx_result(beats: Sequence[Values], lanes: int, shape: str) -> dict[str, Bits]:
    best = MaxIndex.lane(beats[0]["start_code"], beats[0]["start_index"])
    for beat in beats:
        candidates = []
        for lane in range(lanes):
            code = beat["data"].extract(16 * lane + 15, 16 * lane)
            active = beat["count"].const(count_width(lanes), lane).ult(beat["count"])
            candidates.append(MaxIndex.lane(code, beat["base"] + lane, active))
        if shape == "tree":
            best = MaxIndex.combine(best, tree(candidates))
        else:
            best = fold(candidates, best)
    return {"code": best.code, "index": best.index}


def _max_idx_contract(row: Instruction) -> Contract:
    return Contract(
        row=row,
        inputs=(
            Port("data", "bf16", lambda n: 16 * n, "the beat's elements, lane 0 lowest"),
            Port("count", "count", count_width, "active lanes, from lane 0"),
            Port("base", "uint", lambda n: 32, "index of lane 0"),
            Port("start_code", "bf16", lambda n: 16, "running maximum, read with the first beat"),
            Port("start_index", "uint", lambda n: 32, "its index, read with the first beat"),
            Port("first", "flag", lambda n: 1, "first beat of a transaction", optional=True),
            Port("last", "flag", lambda n: 1, "last beat of a transaction", optional=True),
        ),
        outputs=(
            Port("code", "bf16", lambda n: 16, "the maximum"),
            Port("index", "uint", lambda n: 32, "its index"),
        ),
        streamed=True,
        result=_max_idx_result,
    )


def _scalar_contract(row: Instruction, identity: int, output: Port) -> Contract:
    """A reduction to one register: inactive lanes, and those that MASK leaves out, are `identity`.

    `identity` is what the semantics itself puts in the place of such lanes, as a BF16 code.
    """

    def result(beats: Sequence[Values], lanes: int, shape: str) -> dict[str, Bits]:
        codes = [
            mux(beat["count"].const(count_width(lanes), lane).ult(beat["count"]), code, identity)
            for beat in beats
            for lane, code in enumerate(lanes_of(beat["data"], lanes))
        ]
        start = {"rd": beats[0]["start_code"]}
        context: Any = Ports(lanes, len(codes), start, {"rs1": codes}, {})
        return {output.name: row.semantics(context).registers["rd"]}

    return Contract(
        row=row,
        inputs=(
            Port("data", "bf16", lambda n: 16 * n, "the beat's elements, lane 0 lowest"),
            Port("count", "count", count_width, "active lanes, from lane 0"),
            Port("start_code", "bf16", lambda n: 16, "f[rd], read with the first beat"),
            Port("first", "flag", lambda n: 1, "first beat of a transaction", optional=True),
            Port("last", "flag", lambda n: 1, "last beat of a transaction", optional=True),
        ),
        outputs=(output,),
        streamed=True,
        result=result,
    )


def _max_contract(row: Instruction) -> Contract:
    return _scalar_contract(row, NEG_INF, Port("code", "bf16", lambda n: 16, "the maximum"))


def _sum_contract(row: Instruction) -> Contract:
    return _scalar_contract(row, NEG_ZERO, Port("code", "bf16", lambda n: 16, "the sum"))


UNITS: dict[str, Callable[[Instruction], Contract]] = {
    "V_RED_MAX_IDX": _max_idx_contract,
    "V_RED_MAX": _max_contract,
    "V_RED_SUM": _sum_contract,
}
