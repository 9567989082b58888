"""The scalar BF16 unit on all 2**32 pairs of operands, streamed through its gates."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from unmask.proofs.engine import gates, yosys
from unmask.proofs.engine.compiled import PAIRS
from unmask.proofs.engine.mutate import Mutation
from unmask.proofs.engine.obligation import Case, Enumeration, Files, Theorem
from unmask.proofs.units import rtl
from unmask.spec import arith, binding
from unmask.spec.bits import Bits
from unmask.spec.formats import describe

UNIT = binding.load(rtl.RTL / "scalar" / "s_add_fp.toml")
LATENCY = UNIT.cycles(1)
ROUND = rtl.RTL / "vector" / "unmask_bf16_round.v"
MUL = rtl.RTL / "vector" / "unmask_bf16_mul.v"
FLOAT = rtl.RTL / "scalar" / "unmask_float.v"

PAIRS_TEXT = """unmask_float gives {name} of all 2^32 pairs of operands, one pair a cycle.

The Verilog is mapped to gates by Yosys, in_op tied to {op}; these are evaluated as compiled C, many
copies of the unit at a time. Each takes a new pair in every cycle, and what it gives 3 cycles later
is compared with the specification's own function. Valid and reset, and other values on in_op, are
not in it. By other means than the solvers that prove the unit theorems of the bindings."""


def all_pairs(op: int, function: Callable[[Bits, Bits], Bits], files: Files) -> Iterator[Case]:
    """The unit with in_op tied gives what the function does, on every pair."""
    design = yosys.Design.of(UNIT, 1, files)
    held = gates.Gates.of(design, {"in_op": op, "rst": 0})

    def failing() -> str | None:
        found = gates.first_difference(held, ("in_a", "in_b", "out_data"), LATENCY, function)
        if found is None:
            return None
        a, b, got, expected = (describe(code) for code in found)
        return f"a {a}, b {b}: got {got}, expected {expected}"

    yield Enumeration("all pairs", PAIRS, failing)


def _twin(
    mutation: Mutation, op: int, function: Callable[[Bits, Bits], Bits], files: Files
) -> Iterator[Case]:
    with mutation.applied(files) as mutated:
        yield from all_pairs(op, function, mutated)


def _theorem(
    name: str, op: int, function: Callable[[Bits, Bits], Bits], mutation: Mutation
) -> Theorem:
    return Theorem(
        name=f"float.pairs.{name}",
        statement=PAIRS_TEXT.format(name=name, op=op),
        bounds="all 2^32 pairs",
        engine="enumeration, gates, compiled",
        obligations=partial(all_pairs, op, function),
        twin=partial(_twin, mutation, op, function),
        sources=UNIT.files,
    )


THEOREMS = (
    # Ties are rounded up.
    _theorem("add", 0, arith.add, Mutation(ROUND, "(|aligned[2:0] | aligned[4])", "1'b1")),
    # Of -0 and +0 the second.
    _theorem("maximum", 2, arith.maximum, Mutation(FLOAT, "key_a < key_b", "key_a <= key_b")),
    # The lower half of the product is forgotten.
    _theorem("mul", 3, arith.mul, Mutation(MUL, "|normal[4:0]", "1'b0")),
)
