"""What an instruction asks of a hardware unit: the ports it has and the result it owes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from unmask.spec.bits import Bits
from unmask.spec.encoding import Instruction

Values = Mapping[str, Bits]


@dataclass(frozen=True)
class Port:
    """A logical port of a unit.

    Attributes:
        name: what a binding file maps to the unit's own port name.
        kind: "bf16" (lanes of 16 bits, lane 0 lowest), "count" (active lanes, 1 .. lanes),
            "lanes" (active lanes, any), "state" (a softmax state), "bans" (four indices),
            "uint" or "flag"; tells test generators what to draw.
        width: bits, as a function of the number of lanes.
        doc: meaning, for error messages and the manual.
        choices: it is below this number; none: any value of its width.
        optional: a unit may lack it (then every beat is a transaction of its own).
    """

    name: str
    kind: str
    width: Callable[[int], int]
    doc: str
    choices: int | None = None
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


def constant(width: int) -> Callable[[int], int]:
    """A width that is the same for any number of lanes."""
    return lambda lanes: width
