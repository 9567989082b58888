"""A Yosys SMT-LIB export as a Z3 transition relation that can be stepped by substitution.

The text is parsed by Z3 itself. Three things would otherwise go wrong without a word: a predicate
that is plainly true is dropped by the parser, so each is tied to a named Boolean; assertions are
counted; and every register must come back with exactly one next-state function.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import z3

from unmask.proofs.engine.alike import variables
from unmask.spec.errors import UsageError

_DECLARED = re.compile(r"^; yosys-smt2-(input|output|register|wire) (\S+) (\d+)$", re.MULTILINE)
_CLOCK = re.compile(r"^; yosys-smt2-clock (\S+) (\w+)$", re.MULTILINE)
_SLOT = re.compile(
    r"^\(define-fun \|[^|]*#\d+\| \(\(state [^)]*\)\) (?:Bool|\(_ BitVec \d+\)) "
    r"(?:\(= )?\(\(_ extract (\d+) (\d+)\) state\)",
    re.MULTILINE,
)
_TOP = re.compile(r"^; yosys-smt2-topmod (\S+)$", re.MULTILINE)
_WIDTH = re.compile(r"\(define-sort \|\S+_s\| \(\) \(_ BitVec (\d+)\)\)")

State = dict[int, Any]  # register's lowest state bit -> term


class ImportFault(RuntimeError):
    """The export did not come back from the parser as it was written; nothing may rest on it."""


@dataclass(frozen=True)
class Transition:
    """A clocked (or combinational) module: outputs and next state as terms over named variables.

    Attributes:
        top: module name.
        inputs: input port -> variable.
        registers: lowest state bit -> variable; what an arbitrary state is made of.
        free: don't-care variables, new in every cycle.
        following: lowest state bit -> the register's next value.
        signals: port or register name -> value in this cycle.
        outputs: names of the output ports.
        clocks: name -> edge.
        bundle: all next values as the arguments of one function: hundreds of terms are then
            substituted and simplified in one call rather than in one each.
    """

    top: str
    inputs: Mapping[str, Any]
    registers: Mapping[int, Any]
    free: tuple[Any, ...]
    following: Mapping[int, Any]
    signals: Mapping[str, Any]
    outputs: tuple[str, ...]
    clocks: Mapping[str, str]
    bundle: Any
    _support: dict[int, tuple[int, ...]] = field(default_factory=dict)

    def support(self, term: Any) -> tuple[int, ...]:
        """Identities of the variables in one of the module's own terms."""
        key = term.get_id()
        if key not in self._support:
            self._support[key] = tuple(x.get_id() for x in variables(term))
        return self._support[key]

    def arbitrary(self, name: str) -> State:
        """A state of fresh variables."""
        return {
            slot: z3.BitVec(f"{name}.{variable}", variable.size())
            for slot, variable in self.registers.items()
        }

    def view(self, state: State, inputs: Mapping[str, Any], tag: str) -> View:
        """One clock cycle: this state with these inputs. Inputs not named are fresh variables.

        Args:
            state: register values.
            inputs: input port -> term.
            tag: makes this cycle's fresh variables its own.
        """
        pairs = [(variable, state[slot]) for slot, variable in self.registers.items()]
        for name, variable in self.inputs.items():
            value = inputs.get(name)
            if value is None:
                value = z3.BitVec(f"{tag}.{name}", variable.size())
            pairs.append((variable, value))
        pairs += [(x, z3.BitVec(f"{tag}.{x}", x.size())) for x in self.free]
        return View(self, {variable.get_id(): (variable, value) for variable, value in pairs})


@dataclass(frozen=True)
class View:
    """A module in one clock cycle, with terms in place of its variables."""

    module: Transition
    pairs: Mapping[int, tuple[Any, Any]]

    def __getitem__(self, name: str) -> Any:
        """The value of a port or register in this cycle.

        Raises:
            UsageError: if the module has none of that name, or it was optimised away.
        """
        if name not in self.module.signals:
            raise UsageError(f"module {self.module.top} has no port or register {name}")
        return self.apply(self.module.signals[name])

    def register(self, name: str, width: int) -> Any:
        """A register's value; of one that was optimised away, as nothing depends on it, any."""
        known = name in self.module.signals
        return self[name] if known else z3.BitVec(f"lost {name}", width)

    def next(self) -> State:
        """The state after this cycle's clock edge."""
        if not self.module.following:
            return {}
        return dict(
            zip(self.module.following, self.apply(self.module.bundle).children(), strict=True)
        )

    def apply(self, term: Any) -> Any:
        """One of the module's own terms, in this cycle."""
        pairs = [self.pairs[key] for key in self.module.support(term) if key in self.pairs]
        return z3.simplify(z3.substitute(term, *pairs))


def load(text: str) -> Transition:
    """Import what `yosys.export` wrote.

    Raises:
        ImportFault: if anything that was written did not come back.
    """
    top, width = _once(_TOP, text), int(_once(_WIDTH, text))
    declared = {"input": {}, "output": {}, "register": {}, "wire": {}}  # type: dict[str, dict[str, int]]
    for kind, name, size in _DECLARED.findall(text):
        declared[kind][name] = int(size)
    # A name may stand in several lists (a registered output); its value is one.
    sizes = {name: size for names in declared.values() for name, size in names.items()}
    sizes |= {name: 1 for name, _ in _CLOCK.findall(text)}  # those of instances inside too
    wanted = [*sizes]
    lines = [text, f"(declare-const |now| |{top}_s|)", f"(declare-const |then| |{top}_s|)"]
    for number, name in enumerate(wanted):
        boolean = re.search(
            rf"^\(define-fun \|{re.escape(f'{top}_n {name}')}\| [^\n]*?\)\) Bool ",
            text,
            re.MULTILINE,
        )
        sort = "Bool" if boolean else f"(_ BitVec {sizes[name]})"
        lines.append(f"(declare-const |signal {number}| {sort})")
        lines.append(f"(assert (= |signal {number}| (|{top}_n {name}| |now|)))")
    predicates = {"t": "|now| |then|", "a": "|now|", "u": "|now|", "h": "|now|"}
    for letter, arguments in predicates.items():
        lines.append(f"(declare-const |predicate {letter}| Bool)")
        lines.append(f"(assert (= |predicate {letter}| (|{top}_{letter}| {arguments})))")
    parsed = z3.parse_smt2_string("\n".join(lines))
    if len(parsed) != len(wanted) + len(predicates):
        raise ImportFault(f"{len(parsed)} facts came back of {len(wanted) + len(predicates)}")
    values = [fact.arg(1) for fact in parsed]
    transition, *others = values[len(wanted) :]
    if not all(z3.is_true(z3.simplify(other)) for other in others):
        raise ImportFault("the module carries assertions or assumptions of its own")
    return _assemble(text, top, width, declared, sizes, values[: len(wanted)], transition)


def _assemble(
    text: str,
    top: str,
    width: int,
    declared: Mapping[str, Mapping[str, int]],
    sizes: Mapping[str, int],
    values: list[Any],
    transition: Any,
) -> Transition:
    now, then = z3.BitVec("now", width), z3.BitVec("then", width)
    following = dict(_next_values(transition, then))
    # Slots tile the state above bit 0, which Yosys keeps for itself.
    slots = {int(low): int(high) for high, low in _SLOT.findall(text)}
    slots.setdefault(0, 0)
    if sum(high - low + 1 for low, high in slots.items()) != width:
        raise ImportFault(f"state slots do not add up to {width} bits")
    if not following.keys() <= slots.keys():
        raise ImportFault("a next-state function belongs to no register")
    signals = {name: _vector(value) for name, value in zip(sizes, values, strict=True)}
    variables = {low: z3.BitVec(f"q{low}", high - low + 1) for low, high in slots.items()}
    registers = {low: variables[low] for low in following}
    inputs: dict[str, Any] = {}
    # An input port may lie in several slots, and a slot be made of several ports.
    pieces: dict[int, list[tuple[int, Any]]] = {}
    for name in declared["input"]:
        inputs[name] = z3.BitVec(name, declared["input"][name])
        placed = z3.simplify(z3.substitute(signals[name], (now, _joined(variables))))
        for low, piece in _pieces(name, inputs[name], placed, variables):
            pieces.setdefault(low, []).append(piece)
    contents = {**variables, **_filled(pieces, variables)}
    of_inputs = {low for low in variables if not contents[low].eq(variables[low])}
    free = tuple(variables[low] for low in slots.keys() - {0} - of_inputs - registers.keys())
    if of_inputs & registers.keys():
        raise ImportFault("an input is a register")
    whole = _joined(contents)

    def resolve(term: Any) -> Any:
        return z3.simplify(z3.substitute(term, (now, whole)))

    if 0 in following:
        raise ImportFault("the initial-state mark is a register")
    next_values = {low: resolve(term) for low, term in following.items()}
    return Transition(
        top=top,
        inputs=inputs,
        registers=registers,
        free=free,
        following=next_values,
        signals={name: resolve(term) for name, term in signals.items()},
        outputs=tuple(declared["output"]),
        clocks=dict(_CLOCK.findall(text)),
        bundle=_bundled(list(next_values.values())),
    )


def _bundled(terms: list[Any]) -> Any:
    sorts = [term.sort() for term in terms]
    return z3.Function("bundle", *sorts, z3.BoolSort())(*terms) if terms else z3.BoolVal(True)


def _joined(slots: Mapping[int, Any]) -> Any:
    parts = [slots[low] for low in sorted(slots, reverse=True)]
    return z3.Concat(*parts) if len(parts) > 1 else parts[0]


def _pieces(
    name: str, port: Any, placed: Any, slots: Mapping[int, Any]
) -> Iterator[tuple[int, tuple[int, Any]]]:
    """Where an input port lies: (slot of the state, (place in it, part of the port)) each."""
    low_of = {x.get_id(): low for low, x in slots.items()}
    low = 0
    for part in reversed(_flat(placed)):
        slot, place = part, 0
        if z3.is_app_of(part, z3.Z3_OP_EXTRACT):  # a part of a slot
            slot, place = part.arg(0), part.params()[1]
        if slot.get_id() not in low_of:
            raise ImportFault(f"input {name} is not made of slots of the state")
        high = low + part.size() - 1
        yield low_of[slot.get_id()], (place, z3.Extract(high, low, port))
        low = high + 1


def _filled(
    pieces: Mapping[int, list[tuple[int, Any]]], slots: Mapping[int, Any]
) -> dict[int, Any]:
    """The slots that are made of input ports: each wholly, and no bit of two."""
    found: dict[int, Any] = {}
    for number, parts in pieces.items():
        parts.sort(key=lambda part: part[0])
        ends = [place + part.size() for place, part in parts]
        if [place for place, _ in parts] != [0, *ends[:-1]] or ends[-1] != slots[number].size():
            raise ImportFault(f"the slot at bit {number} is not filled by input ports")
        terms = [part for _, part in reversed(parts)]
        found[number] = z3.Concat(*terms) if len(terms) > 1 else terms[0]
    return found


def _flat(term: Any) -> list[Any]:
    """The parts of nested concatenations, highest first."""
    if not z3.is_app_of(term, z3.Z3_OP_CONCAT):
        return [term]
    return [part for child in term.children() for part in _flat(child)]


def _next_values(transition: Any, then: Any) -> list[tuple[int, Any]]:
    """Split the transition predicate into one equation `value = slot of the next state` each."""
    facts = transition.children() if z3.is_and(transition) else [transition]
    pairs = []
    for fact in facts:
        if z3.is_true(fact):  # a module without registers
            continue
        if not z3.is_eq(fact):
            raise ImportFault(f"no equation for a next state: {fact.decl()}")
        value, slot = fact.children()
        if z3.is_bool(slot):  # a one-bit slot read as a Boolean: (= bit #b1)
            slot = slot.arg(0)
        if slot.decl().kind() != z3.Z3_OP_EXTRACT or not slot.arg(0).eq(then):
            raise ImportFault("a next-state equation does not name a slot of the next state")
        high, low = slot.params()
        pairs.append((low, _vector(value)))
        if pairs[-1][1].size() != high - low + 1:
            raise ImportFault("a next-state equation covers a part of its slot")
    if len({low for low, _ in pairs}) != len(pairs):
        raise ImportFault("two next-state functions for one register")
    return pairs


def _vector(term: Any) -> Any:
    if z3.is_bool(term):
        return z3.If(term, z3.BitVecVal(1, 1), z3.BitVecVal(0, 1))
    return term


def _once(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.findall(text)
    if len(found) != 1:
        raise ImportFault(f"{len(found)} matches for {pattern.pattern!r} in the export")
    return str(found[0])
