"""Contracts of units that work on each lane alone: rows of operands in, a row of results out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any

from unmask.spec.bits import Bits, concat
from unmask.spec.contracts.context import Ports, lanes_of
from unmask.spec.contracts.contract import Contract, Port, Values
from unmask.spec.encoding import Instruction, Kind


def elementwise_contract(row: Instruction, **fields: int) -> Contract:
    """A lane's result is what the instruction does to vectors of one element, the lane's operands.

    A scalar operand comes once for each lane, and the result is owed for each lane's own copy: more
    than the instruction asks for. Which lanes are written, by rmask and VL, is not the unit's.

    Args:
        row: the instruction; it reads no vectors but its sources and writes one.
        fields: operand -> its number, where the instruction has choices (rorder).
    """
    kinds = {x.name: x.kind for x in row.operands}
    sources: list[str] = [name for name in ("rs1", "rs2", "rs3") if name in kinds]

    def lane_result(operands: Mapping[str, Bits]) -> Bits:
        place = operands["rs1"].const(32, 0)
        vectors = {name: [operands[name]] for name in sources if kinds[name] is Kind.GP}
        scalars = {name: operands[name] for name in sources if kinds[name] is Kind.F}
        context: Any = Ports(1, 1, {"rd": place, **scalars}, vectors, fields)
        ((value,),) = (write.values for write in row.semantics(context).writes)
        result: Bits = value
        return result

    def result(beats: Sequence[Values], lanes: int, shape: str) -> dict[str, Bits]:
        rows = {name: lanes_of(beats[0][name], lanes) for name in sources}
        results = [
            lane_result({name: x[lane] for name, x in rows.items()}) for lane in range(lanes)
        ]
        return {"rd": reduce(lambda low, high: concat(high, low), results)}

    docs = {Kind.GP: "a row of a source, lane 0 lowest", Kind.F: "the scalar, once for each lane"}
    return Contract(
        row=row,
        inputs=tuple(Port(name, "bf16", lambda n: 16 * n, docs[kinds[name]]) for name in sources),
        outputs=(Port("rd", "bf16", lambda n: 16 * n, "the row of results"),),
        streamed=False,
        result=result,
    )


_ROWS = (
    *("V_ADD_VV", "V_ADD_VF", "V_SUB_VV", "V_SUB_VF", "V_MUL_VV", "V_MUL_VF"),
    *("V_EXP_V", "V_RECI_V", "V_SELECT_VVM"),
)
# Numbers in an instruction's fields that choose what its unit does: operand -> those there are.
CHOICES: Mapping[str, Mapping[str, tuple[int, ...]]] = {"V_SUB_VF": {"rorder": (0, 1)}}
UNITS: dict[str, Callable[..., Contract]] = dict.fromkeys(_ROWS, elementwise_contract)
