"""The trap unit reports what the instruction table's trap rules say."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from inspect import getdoc
from typing import Any

import z3

from unmask.proofs.engine.mutate import Mutation
from unmask.proofs.engine.obligation import Files, Obligation, Theorem, Values
from unmask.proofs.units import rtl
from unmask.proofs.units.operands import (
    GP,
    Operands,
    cases,
    one_hot,
    products,
    rows_end,
    symbolic_length,
)
from unmask.spec import isa
from unmask.spec.encoding import Instruction, Trap
from unmask.spec.instructions.memory import LAYOUTS, _pitch
from unmask.spec.state import Config

FILE = rtl.RTL / "frontend" / "unmask_trap_check.v"
CONFIGS = (
    Config(vlen=2, vector_rows=2, fp_words=2, key_words=2, int_words=2),
    Config(vlen=64, vector_rows=2048, fp_words=1 << 24, key_words=1 << 10, int_words=16),
)
VECTORS = ("H_PREFETCH_V", "H_STORE_V")
SIZES = ("vlen", "vector_rows", "fp_words", "key_words", "int_words")
SPANS = ("element_first", "element_end", "scale_first", "scale_end")


def traps(files: Files) -> Iterator[Obligation]:
    """For every row, all words and register values: the cause is the first rule that holds.

    Rules come from the rows themselves, run on Z3 terms, in the order of `Trap`; an illegal word
    gives ILLEGAL whatever else is claimed. `length` is the number of elements that the row says it
    works on. The loop stack's rules are stated here: start traps on
    a full stack, end on an empty one or another register. Assumes the decoder's output (theorem
    `decode`) and what unmask_span says of the bytes of a transfer (theorem `span`): for any such
    bytes. Cases by switches, formats and CSRs. VLEN 2 and 64; memories of 2 to 2^24 words.
    """
    for config in CONFIGS:
        sizes = {name.upper(): getattr(config, name) for name in SIZES}
        module = rtl.load(FILE, sizes, files)
        for place, row in enumerate(isa.TABLE):
            for label, x in cases(row, config):
                inputs, cut = _inputs(x, place)
                view = module.view({}, inputs, "now")
                expected = z3.substitute(_cause(row, x, inputs), *cut)
                if products(expected):
                    raise ValueError(f"{label}: a trap rule multiplies by itself")
                yield Obligation(
                    f"{label}, VLEN {config.vlen}",
                    view["cause"] == expected,
                    x.premises,
                    partial(_explain, inputs, expected, view["cause"]),
                    tuple(inputs[name] for name in (*GP, "vl", "rows")),
                )
                if row.length is not None:
                    owed = symbolic_length(x)
                    yield Obligation(
                        f"{label}, VLEN {config.vlen}: length",
                        view["length"] == owed.value,
                        x.premises,
                        partial(_explain_length, view["length"], owed.value),
                    )
        illegal = module.view({}, {"row": one_hot(None, 0)}, "now")
        yield Obligation(f"an illegal word, VLEN {config.vlen}", illegal["cause"] == Trap.ILLEGAL)


def _inputs(x: Operands, place: int) -> tuple[dict[str, Any], list[tuple[Any, Any]]]:
    """The unit's inputs, and what stands for the bytes of a transfer in the rules."""
    context: Any = x
    inputs = {name: z3.BitVec(name, 32) for name in (*GP, "vl", "rows")}
    inputs |= {f"stack_{name}": z3.BitVec(f"stack_{name}", 1) for name in ("full", "empty")}
    inputs["stack_match"] = z3.BitVec("stack_match", 1)
    inputs |= {f"window_{name}": z3.BitVec(f"window_{name}", 64) for name in ("first", "end")}
    inputs |= {name: z3.BitVec(name, 72) for name in SPANS}
    inputs["row"], inputs["word"] = one_hot(x.row, place), x.word.value
    inputs["base"] = z3.Extract(1, 0, z3.BitVec("base", 64))
    inputs["state_count"] = z3.BitVec("state_count", 19)
    layout = x.field("format") if x.row.mnemonic == "H_RED_SM" else max(x.formats)
    inputs["scaled"] = z3.BitVecVal(int(layout != 0), 1)
    inputs["block_mask"] = z3.BitVecVal(LAYOUTS[layout].block - 1, 5)
    inputs["sram_end"] = z3.BitVec("sram_end", 70)
    cut: list[tuple[Any, Any]] = []
    if x.row.mnemonic in VECTORS:
        inputs["pitch"] = z3.Extract(4, 0, _pitch(context).value)
        cut.append((rows_end(x).value, inputs["sram_end"]))
    if x.row.transfers is not None:
        edges = [y for span in x.row.transfers(context) for y in (span.end, span.first)]
        names = ("element_end", "element_first", "scale_end", "scale_first")
        cut += [(y.value, inputs[name]) for y, name in zip(edges, names, strict=False)]
    return inputs, cut


def _cause(row: Instruction, x: Operands, inputs: dict[str, Any]) -> Any:
    """The first rule that holds, by priority."""
    context: Any = x
    rules = [(cause, condition(context).value == 1) for cause, condition in row.traps]
    if row.mnemonic == "C_LOOP_START":
        rules.append((Trap.LOOP, inputs["stack_full"] == 1))
    if row.mnemonic == "C_LOOP_END":
        other = z3.Or(inputs["stack_empty"] == 1, inputs["stack_match"] == 0)
        rules.append((Trap.LOOP, other))
    result = z3.BitVecVal(Trap.NONE, 4)
    for cause, condition in sorted(rules, key=lambda rule: -rule[0]):
        result = z3.If(condition, z3.BitVecVal(cause, 4), result)
    return result


def _explain_length(got: Any, owed: Any, value: Values) -> str:
    return f"length expected {value(owed):#x}, got {value(got):#x}"


def _explain(inputs: dict[str, Any], expected: Any, got: Any, value: Values) -> str:
    operands = ", ".join(f"{name} = {value(inputs[name]):#x}" for name in (*GP, "vl", "rows"))
    causes = [value(term) for term in (expected, got)]
    known = {int(trap): trap.name for trap in Trap}
    names = [known.get(x, str(x)) for x in causes]
    return f"{operands}: expected {names[0]}, got {names[1]}"


def _twin(files: Files) -> Iterator[Obligation]:
    mutation = Mutation(FILE, "(rs3_vector & rs3_end > ELEMENTS)", "(select & rs3_end > ELEMENTS)")
    with mutation.applied(files) as mutated:
        yield from traps(mutated)


THEOREMS = (
    Theorem(
        name="trap_check",
        statement=getdoc(traps) or "",
        bounds="all registers, 2 sizes",
        engine="z3, bitwuzla",
        obligations=traps,
        twin=_twin,
        sources=(FILE, rtl.RTL / "unmask_isa.vh"),
        confirm=True,
    ),
)
