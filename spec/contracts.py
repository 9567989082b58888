"""What an instruction asks of a hardware unit: the ports it has and the result it owes.

A *transaction* is one or more *beats* (chunks of VLEN lanes, the last one possibly partial), after
which the unit owes one result. A scalar instruction's transaction has one beat. The contract is
computed with the instruction's own semantics, so it runs on integers (cosimulation) and on Z3
terms (proofs).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from unmask.spec import isa
from unmask.spec.bits import Bits
from unmask.spec.encoding import Instruction, Kind
from unmask.spec.errors import UsageError
from unmask.spec.reductions import MaxIndex, fold, tree

Values = Mapping[str, Bits]


@dataclass(frozen=True)
class Port:
    """A logical port of a unit.

    Attributes:
        name: what a binding file maps to the unit's own port name.
        kind: "bf16" (lanes of 16 bits, lane 0 lowest), "count" (active lanes, 1 .. lanes),
            "uint" or "flag"; tells test generators what to draw.
        width: bits, as a function of the number of lanes.
        doc: meaning, for error messages and the manual.
        optional: a unit may lack it (then every beat is a transaction of its own).
    """

    name: str
    kind: str
    width: Callable[[int], int]
    doc: str
    optional: bool = False


@dataclass(frozen=True)
class Contract:
    """Ports of a unit and the result of a transaction.

    Attributes:
        row: the instruction.
        inputs, outputs: logical ports.
        streamed: whether a transaction may have more than one beat.
        result: (beats, lanes, shape) -> output values; `shape` is "tree" or "fold", the order
            in which the specification combines the lanes of a beat: equal by theorem, but one
            is closer to a given circuit and so cheaper to prove equal to it.
    """

    row: Instruction
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    streamed: bool
    result: Callable[[Sequence[Values], int, str], dict[str, Bits]]


def count_width(lanes: int) -> int:
    """Bits of a number of lanes, 0 .. lanes."""
    return lanes.bit_length()


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


def _constant(width: int) -> Callable[[int], int]:
    """A width that is the same for any number of lanes."""
    return lambda lanes: width


def _scalar_contract(row: Instruction) -> Contract:
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
            Port(x.name, kinds[x.kind], _constant(width[x.kind]), f"operand {x.name}")
            for x in operands
        )

    return Contract(row, ports(read), ports(written), streamed=False, result=result)


# Instructions that a separate unit can implement, and the shape of their contract.
UNITS: dict[str, Callable[[Instruction], Contract]] = {
    "V_RED_MAX_IDX": _max_idx_contract,
    "S_ADD_INT": _scalar_contract,
    "S_ADDI_INT": _scalar_contract,
    "S_LUI_INT": _scalar_contract,
}


def contract(mnemonic: str) -> Contract:
    """The contract of an instruction.

    Raises:
        UsageError: if no unit contract exists for it.
    """
    if mnemonic not in UNITS:
        raise UsageError(f"no unit contract for {mnemonic!r}; there are: {', '.join(UNITS)}")
    return UNITS[mnemonic](isa.BY_MNEMONIC[mnemonic])
