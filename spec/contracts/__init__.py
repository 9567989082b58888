"""What an instruction asks of a hardware unit: the ports it has and the result it owes.

A *transaction* is one or more *beats* (chunks of VLEN lanes, the last one possibly partial), after
which the unit owes one result. A scalar instruction's transaction has one beat. The contract is
computed with the instruction's own semantics, so it runs on integers (cosimulation) and on Z3
terms (proofs). One file a kind of unit; `UNITS` is all of them together.
"""

from __future__ import annotations

from collections.abc import Callable

from unmask.spec import isa
from unmask.spec.contracts import reductions, scalar
from unmask.spec.contracts.contract import Contract, Port, Values, count_width
from unmask.spec.encoding import Instruction
from unmask.spec.errors import UsageError

# Instructions that a separate unit can implement, and the shape of their contract.
UNITS: dict[str, Callable[[Instruction], Contract]] = {
    name: shape for group in (scalar, reductions) for name, shape in group.UNITS.items()
}

__all__ = ["UNITS", "Contract", "Port", "Values", "contract", "count_width"]


def contract(mnemonic: str) -> Contract:
    """The contract of an instruction.

    Raises:
        UsageError: if no unit contract exists for it.
    """
    if mnemonic not in UNITS:
        raise UsageError(f"no unit contract for {mnemonic!r}; there are: {', '.join(UNITS)}")
    return UNITS[mnemonic](isa.BY_MNEMONIC[mnemonic])
