"""Contracts of units that make masks: one beat in, one row of 1.0 and 0.0 out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

from unmask.spec.bits import Bits, concat
from unmask.spec.contracts.context import Ports, choice, lanes_of
from unmask.spec.contracts.contract import Contract, Port, Values, constant, count_width
from unmask.spec.encoding import Instruction
from unmask.spec.instructions.masks import RELATIONS


def _compare_contract(row: Instruction) -> Contract:
    def result(beats: Sequence[Values], lanes: int, shape: str) -> dict[str, Bits]:
        beat = beats[0]
        vectors = {"rs1": lanes_of(beat["data"], lanes), "rs2": lanes_of(beat["second"], lanes)}

        def mask(relation: int, count: int) -> Bits:
            fields = {"relation": relation, "rs4": 1}
            context: Any = Ports(
                lanes, count, {"rd": beat["relation"], "rs4": beat["count"]}, vectors, fields
            )
            (write,) = row.semantics(context).writes
            return reduce(lambda low, high: concat(high, low), write.values)

        def of_relation(relation: int) -> Bits:
            counts = range(1, lanes + 1)
            return choice(beat["count"], counts, lambda count: mask(relation, count))

        return {"mask": choice(beat["relation"], [*RELATIONS.values()], of_relation)}

    return Contract(
        row=row,
        inputs=(
            Port("data", "bf16", lambda n: 16 * n, "the first source, lane 0 lowest"),
            Port("second", "bf16", lambda n: 16 * n, "the second source"),
            Port("count", "count", count_width, "active lanes, from lane 0"),
            Port("relation", "uint", constant(3), "the instruction's relation", len(RELATIONS)),
        ),
        outputs=(Port("mask", "bf16", lambda n: 16 * n, "1.0 where the relation holds"),),
        streamed=False,
        result=result,
    )


def _topk_contract(row: Instruction) -> Contract:
    """Up to a row of elements, all in one beat."""

    def result(beats: Sequence[Values], lanes: int, shape: str) -> dict[str, Bits]:
        beat = beats[0]
        vectors = {"rs1": lanes_of(beat["data"], lanes), "rs2": lanes_of(beat["mask"], lanes)}

        def mask(count: int) -> Bits:
            registers = {"rd": beat["k"], "rs3": beat["k"], "rs4": beat["count"]}
            context: Any = Ports(lanes, count, registers, vectors, {"rs4": 1})
            (write,) = row.semantics(context).writes
            return reduce(lambda low, high: concat(high, low), write.values)

        return {"chosen": choice(beat["count"], range(1, lanes + 1), mask)}

    return Contract(
        row=row,
        inputs=(
            Port("data", "bf16", lambda n: 16 * n, "confidences, lane 0 lowest"),
            Port("mask", "bf16", lambda n: 16 * n, "candidates: those that are not zero"),
            Port("count", "count", count_width, "active lanes, from lane 0"),
            Port("k", "uint", constant(32), "how many to choose"),
        ),
        outputs=(Port("chosen", "bf16", lambda n: 16 * n, "1.0 on the chosen lanes"),),
        streamed=False,
        result=result,
    )


UNITS: dict[str, Callable[[Instruction], Contract]] = {
    "V_CMP_MASK_VV": _compare_contract,
    "V_TOPK_MASK": _topk_contract,
}
