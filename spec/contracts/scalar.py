"""Contracts of scalar units: operand values in, the written register out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from unmask.spec.bits import Bits
from unmask.spec.contracts.contract import Contract, Port, Values, constant
from unmask.spec.encoding import Instruction, Kind


def scalar_contract(row: Instruction) -> Contract:
    width = {Kind.GP: 32, Kind.F: 16, Kind.IMM: 32}
    read = [x for x in row.operands if not x.written]
    written = [x for x in row.operands if x.written]

    def result(beats: Sequence[Values], lanes: int, shape: str) -> dict[str, Bits]:
        # These touch nothing but operand values, so a mapping of those is context enough.
        context: Any = beats[0]
        return dict(row.semantics(context).registers)

    def ports(operands: list[Any]) -> tuple[Port, ...]:
        kinds = {Kind.GP: "uint", Kind.F: "bf16", Kind.IMM: "uint"}
        return tuple(
            Port(x.name, kinds[x.kind], constant(width[x.kind]), f"operand {x.name}")
            for x in operands
        )

    return Contract(row, ports(read), ports(written), streamed=False, result=result)


_ROWS = (
    *("S_ADD_INT", "S_ADDI_INT", "S_SUB_INT", "S_MUL_INT", "S_LUI_INT"),
    *("S_ADD_FP", "S_SUB_FP", "S_MAX_FP", "S_MUL_FP", "S_EXP_FP", "S_RECI_FP", "S_SQRT_FP"),
)
UNITS: dict[str, Callable[[Instruction], Contract]] = dict.fromkeys(_ROWS, scalar_contract)
