"""What an instruction touches: the ranges that its semantics reads and writes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from inspect import getdoc
from typing import Any

import z3

from unmask.proofs.engine.alike import variables
from unmask.proofs.engine.mutate import Mutation
from unmask.proofs.engine.obligation import Files, Obligation, Theorem, Values
from unmask.proofs.engine.smt import View
from unmask.proofs.units import rtl
from unmask.proofs.units.operands import (
    GP,
    Operands,
    cases,
    one_hot,
    rows_end,
    symbolic_length,
    term,
)
from unmask.spec import isa
from unmask.spec.bits import Bits
from unmask.spec.encoding import STATE_COUNT, Effect, Kind, Trap
from unmask.spec.machine import WIDTH
from unmask.spec.softmax import State
from unmask.spec.state import Config

FILE = rtl.RTL / "frontend" / "unmask_footprint.v"
CONFIG = Config(vlen=4, vector_rows=64, fp_words=64, key_words=64, int_words=64)
LENGTHS = (0, 1, 2, 3, 4, 5, 33)
ROWS = (0, 1, 3)
VECTORS = ("H_PREFETCH_V", "H_STORE_V")
MEMORIES = {"vector": 1, "int": 2, "key": 3}  # as the unit numbers them
TREES = {"add32": 32, "maximum": 16, "_greater": 8}  # width of what is combined
WIDE = 34  # the end of a range of 32-bit addresses
SLOTS = ("rd", "rs1", "rs2", "rs3")


def touches(files: Files) -> Iterator[Obligation]:
    """Whatever range an older transfer holds: the unit meets it if and only if the semantics does.

    For every row, its semantics is run on terms and says which elements it reads and writes. For
    all registers with which no RANGE rule holds and vector addresses lie on chunks (else it would
    trap), every other range [first, end) of vector, int or key SRAM, of vector SRAM from a chunk
    on: it shares an element with a range of the unit if and only if it does with one of those,
    among all and among the written ones. The unit names a softmax state if and only if the
    semantics reads or writes one, and which. A transfer's SRAM range is rd's, no transfer touches
    FP SRAM, and nothing but transfers HBM. Lengths 0 to 5 and 33, 0, 1 and 3 rows at VLEN 4.
    The second half extends it to longer ones, of the unit alone: for all lengths from 1 to
    2^32 - 1 it names the same ranges from the same elements on, and their ends move with the
    length as from 1 to 2, or not at all.

    Assumes the decoder's output (theorem `decode`), what unmask_span says of `moved` and `sram_end`
    (theorem `span`), that `length` is the row's and `sum` is rs1 + imm18.
    """
    module = rtl.load(FILE, {}, files)
    for place, row in enumerate(isa.TABLE):
        for label, x in cases(row, CONFIG):
            names = _length_names(x)
            for length in LENGTHS if names else (CONFIG.vlen,):
                for rows in ROWS if row.mnemonic in VECTORS else (1,):
                    known = {**dict.fromkeys(names, length), "rows": rows}
                    found = Recorder.of(x, known)
                    yield _meets(f"{label}, {_text(known)}", module, place, found)
            if names:
                yield _longer(label, module, place, x, names)


class Extents:
    """Vectors of which nothing is known but their length: a vector is that number."""

    def of(self, width: int, values: Any) -> int:
        return len(values)

    def places(self, length: int) -> int:
        return length

    def length(self, vector: int) -> int:
        return vector

    def stack(self, elements: list[Any]) -> int:
        return len(elements)

    def map(self, function: Callable[..., Any], *operands: Any) -> int:
        return max(x for x in operands if isinstance(x, int))

    def table(self, function: Callable[[Bits], Any], vector: int) -> int:
        return vector

    def at(self, vector: int, place: int) -> Bits:
        return term("element", 32)

    def gather(self, table: int, places: int) -> int:
        return places

    def join(self, parts: list[int]) -> int:
        return sum(parts)

    def repeat(self, vector: int, times: int, length: int) -> int:
        return length

    def replace(self, vector: int, place: Bits, value: int, where: Bits) -> int:
        return vector

    def tree(self, vector: int, vlen: int, combine: Callable[..., Any], identity: int) -> list[Any]:
        return [term("chunk", TREES[combine.__name__])] * -(-vector // vlen)

    def reduce(self, reduction: Any, start: Any, *operands: Any) -> Any:
        return start


@dataclass
class Recorder(Operands):
    """Operands that write down what is read; what decides about lengths is a number.

    Attributes:
        known: register or CSR -> its value.
        reads: ranges of the memories; of "softmax" one state.
    """

    known: Mapping[str, int] = field(default_factory=dict)
    reads: list[tuple[str, Bits, int]] = field(default_factory=list)
    vectors: Extents = field(default_factory=Extents)

    @classmethod
    def of(cls, x: Operands, known: Mapping[str, int]) -> Recorder:
        return cls(x.config, x.row, x.fields, x.formats, x.premises, x.word, known)

    def __getitem__(self, name: str) -> Bits:
        if self._operand(name).kind is Kind.F:
            return term(f"f_{name}", 16)
        return self._fixed(name, super().__getitem__(name))

    def csr(self, name: str) -> Bits:
        return self._fixed(name.lower(), super().csr(name))

    def _fixed(self, name: str, value: Bits) -> Bits:
        return value.const(value.width, self.known[name]) if name in self.known else value

    def read(self, memory: str, address: Bits, length: int, step: int = 1) -> int:
        if length:
            self.reads.append((memory, address, (length - 1) * step + 1))
        return length

    def load(self, memory: str, address: Bits) -> Bits:
        self.reads.append((memory, address, 1))
        return term("loaded", WIDTH[memory])

    def softmax(self, operand: str) -> State:
        self.reads.append(("softmax", self[operand] & (STATE_COUNT - 1), 1))
        return super().softmax(operand)

    def accesses(self) -> tuple[list[tuple[str, Bits, int]], list[tuple[str, Bits, int]]]:
        """What the semantics reads, and what it writes: (memory, first, number of elements)."""
        context: Any = self
        self.reads.clear()
        effect: Effect = self.row.semantics(context)
        writes = [(memory, at, 1) for memory, at, _ in effect.stores]
        writes += [
            (w.memory, w.address, (w.values - 1) * w.step + 1) for w in effect.writes if w.values
        ]
        if effect.softmax is not None:
            writes.append(("softmax", self[effect.softmax[0]] & (STATE_COUNT - 1), 1))
        return list(self.reads), writes


def _length_names(x: Operands) -> list[str]:
    """The register or CSR that gives the row's length; none where it has none or a fixed one."""
    if x.row.length is None:
        return []
    return sorted(str(variable) for variable in variables(symbolic_length(x).value))


def _meets(label: str, module: Any, place: int, x: Recorder) -> Obligation:
    """The unit and the semantics meet the same other ranges."""
    context: Any = x
    reads, writes = x.accesses()
    premises = [rule(context).value == 0 for cause, rule in x.row.traps if cause is Trap.RANGE]
    chunked = [at for memory, at, _ in (*reads, *writes) if memory == "vector"]
    premises += [(at & (x.vlen - 1)).value == 0 for at in chunked]
    inputs = _inputs(x, place)
    length = CONFIG.vlen if x.row.length is None else x.row.length(context)
    inputs["length"] = z3.BitVecVal(length, 32)
    if x.row.transfers is not None:
        inputs["moved"] = z3.BitVecVal(int(length > 0 and x.known["rows"] > 0), 1)
    if x.row.mnemonic in VECTORS:
        inputs["sram_end"] = rows_end(x).extract(31, 0).value
    view = module.view({}, inputs, "now")
    other = z3.BitVec("other_memory", 2), z3.BitVec("other_first", 32), z3.BitVec("other_end", 32)
    memory, first, end = other
    on_chunk = z3.Or(memory != MEMORIES["vector"], first & (x.vlen - 1) == 0)
    premises += [z3.ULT(first, end), on_chunk]
    got = [_unit_meets(view, other, slots) for slots in ((0, 1), (0, 1, 2, 3))]
    owed = [_spec_meets(found, other) for found in (writes, [*reads, *writes])]
    states = [at for memory, at, _ in (*reads, *writes) if memory == "softmax"]
    goals = [*(a == b for a, b in zip(got, owed, strict=True))]
    goals.append(view["touch_state"] == int(bool(states)))
    goals += [z3.ZeroExt(30, view["state"]) == at.value for at in states]
    goals += _of_transfers(x, view, {memory for memory, _, _ in (*reads, *writes)})
    explain = partial(_explain, inputs, other, got, owed)
    return Obligation(label, z3.And(*goals), (*x.premises, *premises), explain, other)


def _of_transfers(x: Recorder, view: View, memories: set[str]) -> Iterator[Any]:
    """Transfers leave FP SRAM alone and name nothing but rd's range; only they reach HBM."""
    if x.row.transfers is None:
        yield z3.BoolVal("hbm" not in memories)
    else:
        yield z3.BoolVal("fp" not in memories)
        yield z3.Extract(3, 1, view["touch"]) == 0


def _unit_meets(view: View, other: tuple[Any, Any, Any], slots: tuple[int, ...]) -> Any:
    """Whether the other range meets one of the unit's; of two slots: one that is written."""
    memory, first, end = other
    hits = []
    for n in slots:
        named = z3.Extract(n, n, view["touch"]) == 1
        if len(slots) == 2:
            named = z3.And(named, z3.Extract(n, n, view["touch_write"]) == 1)
        mine = z3.Extract(2 * n + 1, 2 * n, view["touch_memory"])
        low, high = _range(view, n)
        hits.append(z3.And(named, mine == memory, z3.ULT(low, end), z3.ULT(first, high)))
    return z3.Or(*hits)


def _range(view: View, n: int) -> tuple[Any, Any]:
    bounds = (view["touch_first"], view["touch_end"])
    low, high = (z3.Extract(32 * n + 31, 32 * n, x) for x in bounds)
    return low, high


def _spec_meets(found: list[tuple[str, Bits, int]], other: tuple[Any, Any, Any]) -> Any:
    memory, first, end = other
    wide_first, wide_end = (z3.ZeroExt(WIDE - 32, x) for x in (first, end))
    hits = [z3.BoolVal(False)]
    for name, at, length in found:
        if name in MEMORIES:
            low = at.zext(WIDE).value
            shared = z3.And(z3.ULT(low, wide_end), z3.ULT(wide_first, low + length))
            hits.append(z3.And(memory == MEMORIES[name], shared))
    return z3.Or(*hits)


def _longer(label: str, module: Any, place: int, x: Operands, names: list[str]) -> Obligation:
    """Of the unit alone: what holds of the lengths 1 and 2 holds of all that are not 0."""
    free = Recorder.of(x, {})
    inputs = _inputs(free, place)
    length = z3.BitVec("length", 32)
    one, two, any_length = (
        module.view({}, {**inputs, "length": value}, "now")
        for value in (z3.BitVecVal(1, 32), z3.BitVecVal(2, 32), length)
    )
    same = ("touch", "touch_memory", "touch_write", "touch_first", "touch_state", "state")
    goals = [any_length[name] == one[name] for name in same]
    for n in range(len(SLOTS)):
        ends = [_range(view, n)[1] for view in (one, two, any_length)]
        grows = z3.And(ends[1] == ends[0] + 1, ends[2] == ends[0] + length - 1)
        stays = z3.And(ends[1] == ends[0], ends[2] == ends[0])
        goals.append(z3.Or(grows, stays))
    explain = partial(_explain_longer, inputs, length)
    return Obligation(f"{label}, any length", z3.And(*goals), (*x.premises, length != 0), explain)


def _inputs(x: Recorder, place: int) -> dict[str, Any]:
    known = {name: z3.BitVecVal(value, 32) for name, value in x.known.items()}
    inputs = {name: known.get(name, z3.BitVec(name, 32)) for name in GP[:4]}
    inputs |= {"row": one_hot(x.row, place), "sum": z3.BitVec("sum", 32)}
    if any(operand.name == "imm18" for operand in x.row.operands):
        inputs["sum"] = (x["rs1"] + x["imm18"]).value
    return inputs


def _text(known: Mapping[str, int]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in known.items())


def _explain(inputs: dict[str, Any], other: Any, got: Any, owed: Any, value: Values) -> str:
    memory, first, end = (value(x) for x in other)
    name = next((x for x, number in MEMORIES.items() if number == memory), str(memory))
    operands = ", ".join(f"{x} = {value(inputs[x]):#x}" for x in (*SLOTS, "sum"))
    lines = [f"{operands}; held: {name} SRAM [{first:#x}, {end:#x})"]
    for what, found, expected in zip(("what is written", "anything"), got, owed, strict=True):
        lines.append(f"  {what} meets it: expected {value(expected)}, got {value(found)}")
    return "\n".join(lines)


def _explain_longer(inputs: dict[str, Any], length: Any, value: Values) -> str:
    operands = ", ".join(f"{x} = {value(inputs[x]):#x}" for x in (*SLOTS, "sum"))
    return f"{operands}: other ranges than of length 1 at length {value(length)}"


def _twin(files: Files) -> Iterator[Obligation]:
    # The table of limits is forgotten.
    mutation = Mutation(
        FILE, "(rs3_vector | row[ROW_V_KEY_MASK_FACTOR]) & some", "rs3_vector & some"
    )
    with mutation.applied(files) as mutated:
        yield from touches(mutated)


THEOREMS = (
    Theorem(
        name="footprint",
        statement=getdoc(touches) or "",
        bounds="all registers; lengths 0 to 5 and 33, then any",
        engine="z3, bitwuzla",
        obligations=touches,
        twin=_twin,
        sources=(FILE, rtl.RTL / "unmask_isa.vh"),
        confirm=True,
    ),
)
