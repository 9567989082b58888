"""The trap unit reports what the instruction table's trap rules say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from inspect import getdoc
from typing import Any

import z3

from unmask.model.machine import CORE
from unmask.proofs.engine.mutate import Mutation
from unmask.proofs.engine.obligation import Files, Obligation, Theorem, Values
from unmask.proofs.units import rtl
from unmask.spec.bits import Bits
from unmask.spec.encoding import Instruction, Trap
from unmask.spec.state import Config
from unmask.spec.terms import Terms

FILE = rtl.RTL / "frontend" / "unmask_trap_check.v"
CONFIGS = (
    Config(vlen=2, vector_rows=2, fp_words=2, int_words=2),
    Config(vlen=8, vector_rows=64, fp_words=1024, int_words=4096),
    Config(vlen=64, vector_rows=2048, fp_words=1 << 24, int_words=16),
)
# Rows that the unit is told of by an input of their own.
OWN_INPUT = ("C_LOOP_START", "C_LOOP_END", "V_RED_MAX_IDX")
INPUTS = ("legal", "is_fp_access", "is_int_access", *(f"is_{name.lower()}" for name in OWN_INPUT))


@dataclass(frozen=True)
class Registers:
    """What trap rules see of the machine, as Z3 terms."""

    config: Config
    values: dict[str, Bits]

    @property
    def vl(self) -> Bits:
        return self.values["vl"]

    @property
    def vlen(self) -> int:
        return self.config.vlen

    def __getitem__(self, operand: str) -> Bits:
        return self.values[operand]

    def depth(self, memory: str) -> int:
        return self.config.elements(memory)

    def load(self, memory: str, address: Bits) -> Bits:
        raise TypeError("a trap is decided from registers alone")


def traps(files: Files) -> Iterator[Obligation]:
    """For every row of the core, all register values: the cause is the first rule that holds.

    Rules come from the rows themselves, run on Z3 terms, in the order of `Trap`; an illegal word
    gives ILLEGAL whatever else is claimed. The loop stack's rules are stated here: start traps on
    a full stack, end on an empty one or another register. Assumes the decoder's outputs (theorem
    `decode`) and that the address unit gives rs1 + imm18 (theorem `unit.s_addi_int`). Sizes: VLEN
    2, 8, 64; memories of 2 to 2^24 words.
    """
    for config in CONFIGS:
        yield from _traps(config, files)


def _traps(config: Config, files: Files) -> Iterator[Obligation]:
    sizes = {name: getattr(config, name.lower()) for name in ("VLEN", "VECTOR_ROWS")}
    sizes |= {name: getattr(config, name.lower()) for name in ("FP_WORDS", "INT_WORDS")}
    module = rtl.load(FILE, sizes, files)
    values = {name: Bits(Terms, 32, z3.BitVec(name, 32)) for name in ("rs1", "imm18", "vl")}
    stack = {f"stack_{name}": z3.BitVec(f"stack_{name}", 1) for name in ("full", "empty", "match")}
    context = Registers(config, values)
    for row in (*CORE, None):
        inputs = {
            **{name: z3.BitVecVal(int(_told(name, row)), 1) for name in INPUTS},
            **stack,
            "vector_address": values["rs1"].value,
            "vl": values["vl"].value,
            "scalar_address": (values["rs1"] + values["imm18"]).value,
        }
        label = f"{row.mnemonic if row else 'an illegal word'}, VLEN {config.vlen}"
        view = module.view({}, inputs, label)
        expected = z3.BitVecVal(Trap.ILLEGAL, 4) if row is None else _cause(row, context, stack)
        small = tuple(x.value for x in values.values())
        explain = partial(_explain, label, values, expected, view["cause"])
        yield Obligation(label, view["cause"] == expected, (), explain, small)


def _told(name: str, row: Instruction | None) -> bool:
    """Whether the decoder raises an input of the unit for a row."""
    if row is None:
        return False
    if name in ("is_fp_access", "is_int_access"):
        kind = "FP" if name == "is_fp_access" else "INT"
        return row.mnemonic in (f"S_LD_{kind}", f"S_ST_{kind}")
    return name == "legal" or name == f"is_{row.mnemonic.lower()}"


def _cause(row: Instruction, context: Any, stack: dict[str, Any]) -> Any:
    """The first rule that holds, by priority."""
    rules = [(cause, condition(context).value == 1) for cause, condition in row.traps]
    if row.mnemonic == "C_LOOP_START":
        rules.append((Trap.LOOP, stack["stack_full"] == 1))
    if row.mnemonic == "C_LOOP_END":
        rules.append((Trap.LOOP, z3.Or(stack["stack_empty"] == 1, stack["stack_match"] == 0)))
    result = z3.BitVecVal(Trap.NONE, 4)
    for cause, condition in sorted(rules, key=lambda rule: -rule[0]):
        result = z3.If(condition, z3.BitVecVal(cause, 4), result)
    return result


def _explain(label: str, values: dict[str, Bits], expected: Any, got: Any, value: Values) -> str:
    operands = ", ".join(f"{name} = {value(x.value):#x}" for name, x in values.items())
    causes = [value(term) for term in (expected, got)]
    known = {int(trap): trap.name for trap in Trap}
    names = [known.get(x, str(x)) for x in causes]
    return f"{label}: {operands}: expected {names[0]}, got {names[1]}"


def _twin(files: Files) -> Iterator[Obligation]:
    mutation = Mutation(FILE, "vector_end > {1'b0, ELEMENTS}", "vector_end >= {1'b0, ELEMENTS}")
    with mutation.applied(files) as mutated:
        yield from traps(mutated)


THEOREMS = (
    Theorem(
        name="trap_check",
        statement=getdoc(traps) or "",
        bounds="all registers, 3 sizes",
        engine="z3, bitwuzla",
        obligations=traps,
        twin=_twin,
        sources=(FILE, rtl.RTL / "unmask_isa.vh"),
        confirm=True,
    ),
)
