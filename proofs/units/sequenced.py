"""Units with memory ports of their own: a whole instruction, all data, with its cycles."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any
from unittest.mock import patch

import z3

from unmask.proofs.engine import smt, yosys
from unmask.proofs.engine.mutate import Mutation
from unmask.proofs.engine.obligation import Files, Obligation, Theorem, Values
from unmask.proofs.programs.symbolic_run import start
from unmask.proofs.units.rtl import RTL
from unmask.spec import isa, symbolic
from unmask.spec.assembler import assemble
from unmask.spec.contracts.sequenced import UNITS, Access, Sequenced, Size
from unmask.spec.encoding import Instruction, Step
from unmask.spec.formats import describe
from unmask.spec.instructions import masks
from unmask.spec.machine import WIDTH
from unmask.spec.state import Config
from unmask.spec.symbolic import Memory, SymbolicOperands, SymbolicState
from unmask.spec.terms import const

VECTOR = RTL / "vector"
IDLE = 2  # cycles after the end in which nothing may happen


SMALL = Size(Config(vlen=2, vector_rows=16, fp_words=8, key_words=8, int_words=16), 2)
LARGER = Size(Config(vlen=4, vector_rows=8, fp_words=16, key_words=16, int_words=16), 4)


def load(unit: Sequenced, size: Size, files: Files) -> smt.Transition:
    """A unit as a transition relation."""
    sources = yosys.replaced(tuple(RTL / name for name in unit.files), files)
    parameters = unit.parameters(size)
    return smt.load(yosys.export(yosys.Design(sources, unit.top, parameters, (VECTOR, RTL))))


def instruction(
    unit: Sequenced, size: Size, module: smt.Transition, text: str, gp: Mapping[int, int]
) -> Iterator[Obligation]:
    """One instruction: from any state of the unit, reset; all data of memories and other registers.

    Args:
        unit, size, module: what runs it.
        text: assembly.
        gp: registers that hold numbers, for addresses and lengths; the others are free.
    """
    state = start(size.config)
    for number, value in gp.items():
        state.gp[number] = const(32, value)
    (word,) = assemble(text)
    row = isa.TABLE.decode(word)
    if row is None:
        raise ValueError(f"{text} is no instruction")
    run = _Run(unit, size, module, row, word, state)
    step = Step(size.config.vlen, 0, length=run.length)
    with patch.object(masks, "RANKED_AT_ONCE", size.cells):
        ends = run.cycles(row.cycles(step))
    label = f"VLEN {size.config.vlen}: {text} with {', '.join(f'gp{n} {v}' for n, v in gp.items())}"
    yield Obligation(f"{label}: its end", z3.And(*ends), (), partial(run.explain_end, ends))
    symbolic.execute(state, row, word)
    for memory in run.memories:
        cells = state.memories[memory]
        owed = [cells[place].value for place in range(cells.size)]
        got = run.memories[memory]
        goal = z3.And(*(a == b for a, b in zip(got, owed, strict=True)))
        yield Obligation(f"{label}: {memory}", goal, (), partial(run.explain, memory, owed))


class _Run:
    """A unit executing an instruction, the memories beside it."""

    def __init__(
        self,
        unit: Sequenced,
        size: Size,
        module: smt.Transition,
        row: Instruction,
        word: int,
        state: SymbolicState,
    ) -> None:
        self.unit, self.config, self.module, self.row = unit, size.config, module, row
        operands: Any = SymbolicOperands(state, row, word)
        self.length = row.length(operands) if row.length is not None else 0
        request = unit.request(row, operands, size.config)
        self.inputs = {name: value.value for name, value in request.items()}
        names = dict.fromkeys(port.memory for port in unit.ports)
        self.memories = {name: _terms(state.memories[name]) for name in names}
        self.before = {name: list(terms) for name, terms in self.memories.items()}
        self.data: dict[str, Any] = {}  # read port -> what it shows

    def cycles(self, number: int) -> list[Any]:
        """Run reset, the instruction and some cycles after it; that `out_valid` came in time."""
        bit = partial(z3.BitVecVal, bv=1)
        state = self.module.arbitrary("any")
        state = self.module.view(state, {"rst": bit(1)}, "reset").next()
        ends = []
        for cycle in range(1, number + IDLE + 1):
            first = cycle == 1
            inputs = {"rst": bit(0), "in_valid": bit(int(first))}
            inputs |= self.inputs if first else {}  # then what is on them must not matter
            view = self.module.view(state, {**inputs, **self.data}, f"cycle{cycle}")
            ends.append(view["out_valid"] == int(cycle == number))
            self._access(view)
            state = view.next()
        return ends

    def _access(self, view: smt.View) -> None:
        """The reads of this cycle, then its writes."""
        stores = []
        for port in self.unit.ports:
            if not _number(view[port.enable], port.enable):
                continue
            if port.read is None or (port.writes and _number(view[port.writes], port.writes)):
                stores.append((port, _number(view[port.address], port.address), view))
            else:
                self.data[port.read] = self._read(port, view[port.address])
        for store in stores:
            self._write(*store)

    def _words(self, port: Access) -> list[Any]:
        """The memory's words."""
        cells, size = self.memories[port.memory], self.config.vlen if port.rows else 1
        rows = [cells[at : at + size] for at in range(0, len(cells), size)]
        return [z3.Concat(*reversed(row)) if len(row) > 1 else row[0] for row in rows]

    def _read(self, port: Access, address: Any) -> Any:
        words = self._words(port)
        if z3.is_bv_value(address):
            return words[address.as_long()]
        found = words[0]
        for place in range(1, len(words)):
            found = z3.If(address == place, words[place], found)
        return found

    def _write(self, port: Access, address: int, view: smt.View) -> None:
        width, value = WIDTH[port.memory], view[str(port.written)]
        mask = view[port.mask] if port.mask else None
        for lane in range(value.size() // width):
            place = address * (value.size() // width) + lane
            new = z3.Extract(width * lane + width - 1, width * lane, value)
            if mask is not None:
                new = z3.If(z3.Extract(lane, lane, mask) == 1, new, self._at(port, place))
            self.memories[port.memory][place] = z3.simplify(new)

    def _at(self, port: Access, place: int) -> Any:
        return self.memories[port.memory][place]

    def explain_end(self, ends: Sequence[Any], value: Values) -> str:
        """The first cycle in which `out_valid` is wrong."""
        wrong = next(cycle for cycle, right in enumerate(ends, 1) if not value(right))
        number = len(ends) - IDLE
        return (
            f"{self.row.mnemonic} of {self.length} on {self.unit.top}\n"
            f"  out_valid: expected in cycle {number} alone, got wrong in cycle {wrong}"
        )

    def explain(self, memory: str, owed: Sequence[Any], value: Values) -> str:
        """The memories' content that the instruction meets, and the first wrong element."""
        lines = [f"{self.row.mnemonic} of {self.length} on {self.unit.top}"]
        for name, terms in self.before.items():
            show = describe if WIDTH[name] == 16 else str
            there = [f"[{at}] {show(value(x))}" for at, x in enumerate(terms) if value(x)]
            lines.append(f"  {name}: {' '.join(there) or 'all 0'} (the others 0)")
        show = describe if WIDTH[memory] == 16 else str
        got = self.memories[memory]
        place = next(at for at, x in enumerate(owed) if value(x) != value(got[at]))
        pair = (show(value(owed[place])), show(value(got[place])))
        return "\n".join([*lines, f"  {memory}[{place}] expected {pair[0]}, got {pair[1]}"])


def _terms(memory: Memory) -> list[Any]:
    return [memory[place].value for place in range(memory.size)]


def _number(term: Any, name: str) -> int:
    """A control signal, which depends on lengths and addresses alone."""
    if not z3.is_bv_value(term):
        raise ValueError(f"{name} depends on data: {term}")
    return int(term.as_long())


Cases = Callable[[Config], Iterator[tuple[str, dict[int, int]]]]


def ranks(config: Config) -> Iterator[tuple[str, dict[int, int]]]:
    """Kinds and lengths; the destination is the mask, the confidences, or neither."""
    vlen = config.vlen
    for length in (1, 5) if vlen == 2 else (5,):
        mask, other = 2 * vlen, 6 * vlen
        for kind, third in (("QUOTA", 9), ("RULE", 9), ("FACTOR", 6)):
            gp = {1: mask if kind == "QUOTA" else other, 2: 1, 3: mask, 4: length, 6: 2}
            yield f"V_KEY_MASK_{kind} gp1, gp2, gp3, gp{third}, gp4", gp
        yield "V_TOPK_MASK gp1, gp2, gp3, gp9, gp4", {1: other, 2: other, 3: mask, 4: length}


def comparisons(config: Config) -> Iterator[tuple[str, dict[int, int]]]:
    """Every relation with one source and with two; less, equal and more than a row."""
    vlen = config.vlen
    for number, relation in enumerate(masks.RELATIONS):
        length = (1, vlen, vlen + 1)[number % 3]
        gp = {1: 2 * vlen, 2: 1, 3: 8, 4: length}
        yield f"V_CMP_MASK_IG gp1, gp2, gp9, {relation}, gp4", gp
        yield f"V_CMP_MASK_II gp1, gp2, gp3, {relation}, gp4", gp


def selections(config: Config) -> Iterator[tuple[str, dict[int, int]]]:
    """The destination is one of the sources, or neither."""
    for length, to in ((1, 12), (config.vlen + 1, 1), (config.vlen, 7)):
        gp = {1: to, 2: 1, 3: 7, 4: config.vlen, 5: length}
        yield "S_SELECT_INT gp1, gp2, gp3, gp4, gp5", gp


def maps(config: Config) -> Iterator[tuple[str, dict[int, int]]]:
    """Less, equal and more than a row."""
    for length in (1, config.vlen, config.vlen + 1):
        yield "S_MAP_V_FP gp1, gp2, 1, gp3", {1: 2 * config.vlen, 2: 1, 3: length}


def _obligations(unit: Sequenced, size: Size, cases: Cases, files: Files) -> Iterator[Obligation]:
    module = load(unit, size, files)
    for text, gp in cases(size.config):
        yield from instruction(unit, size, module, text, gp)


def _twin(
    unit: Sequenced, size: Size, cases: Cases, mutation: Mutation, files: Files
) -> Iterator[Obligation]:
    with mutation.applied(files) as mutated:
        yield from _obligations(unit, size, cases, mutated)


# Unit -> cases, the lengths in words, and a planted bug.
_PROVEN: dict[str, tuple[Cases, str, Mutation]] = {
    "rank": (
        ranks,
        "up to three blocks",
        # Of equal keys the later one comes first.
        Mutation(VECTOR / "unmask_rank.v", "(element_reg == key & lower)", "element_reg == key"),
    ),
    "int_compare": (
        comparisons,
        "up to two rows",
        # Both sides are the second source.
        Mutation(VECTOR / "unmask_int_compare.v", "two_reg ? held_reg : int_data", "int_data"),
    ),
    "select_int": (
        selections,
        "up to two rows",
        # A NaN is false.
        Mutation(VECTOR / "unmask_select_int.v", "|element[14:0] ?", "|element[6:0] ?"),
    ),
    "map": (
        maps,
        "up to two rows",
        # Every lane of a row is written.
        Mutation(VECTOR / "unmask_map.v", "word_to_reg[LANE_BITS-1:0] == lane", "1'b1"),
    ),
}

THEOREMS = tuple(
    Theorem(
        name=f"sequenced.{name}.{size.config.vlen}",
        statement="""The unit does what its instructions say, in their cycles.

From any state, after a reset: the request with the operands' values, then garbage on its inputs.
At the end every element of every memory is what the specification's own semantics makes of the
memories that were there, out_valid comes once, in the cycle that `Instruction.cycles` says, and
nothing happens after it. All data, masks, values of k, limits and tables; lengths and addresses
from a list. Memories are behavioural: data one cycle after the address, kept until the next.""",
        bounds=f"VLEN {size.config.vlen}, {lengths}",
        engine="z3 or bitwuzla",
        obligations=partial(_obligations, UNITS[name], size, cases),
        twin=partial(_twin, UNITS[name], size, cases, mutation),
        sources=tuple(RTL / file for file in UNITS[name].files),
        include=(RTL,),
    )
    for name, (cases, lengths, mutation) in _PROVEN.items()
    for size in (SMALL, LARGER)
)
