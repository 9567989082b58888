"""What an instruction asks of a hardware unit: the ports it has and the result it owes.

A *transaction* is one or more *beats* (chunks of VLEN lanes, the last one possibly partial), after
which the unit owes one result. A scalar instruction's transaction has one beat. The contract is
computed with the instruction's own semantics, so it runs on integers (cosimulation) and on Z3
terms (proofs). One file a kind of unit; `UNITS` is all of them together.
"""

from __future__ import annotations

from collections.abc import Callable

from unmask.spec import isa
from unmask.spec.contracts import elementwise, masks, reductions, scalar, softmax
from unmask.spec.contracts.contract import Contract, Port, Values, count_width
from unmask.spec.errors import UsageError

# Instructions that a separate unit can implement, and the shape of their contract.
UNITS: dict[str, Callable[..., Contract]] = {
    name: shape
    for group in (scalar, reductions, masks, softmax, elementwise)
    for name, shape in group.UNITS.items()
}

__all__ = ["UNITS", "Contract", "Port", "Values", "contract", "count_width"]


def contract(mnemonic: str, **fields: int) -> Contract:
    """The contract of an instruction.

    Args:
        mnemonic: its name.
        fields: operand -> the number in its field, where a unit does the instruction with this
            choice alone.

    Raises:
        UsageError: if no unit contract exists for it, or the instruction has no such choice.
    """
    if mnemonic not in UNITS:
        raise UsageError(f"no unit contract for {mnemonic!r}; there are: {', '.join(UNITS)}")
    choices = elementwise.CHOICES.get(mnemonic, {})
    for name, number in fields.items():
        if type(number) is not int or number not in choices.get(name, ()):
            raise UsageError(f"a unit of {mnemonic} has no choice {name} = {number!r}")
    return UNITS[mnemonic](isa.BY_MNEMONIC[mnemonic], **fields)
