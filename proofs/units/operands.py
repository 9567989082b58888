"""What trap rules and transfers see of an instruction that is about to issue, as Z3 terms."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any, cast

import z3

from unmask.spec.bits import Bits
from unmask.spec.encoding import CSRS, FORMATS, WORD_BITS, Instruction, Kind, Operand
from unmask.spec.softmax import COUNT_WIDTH, State
from unmask.spec.state import EMPTY_SOFTMAX, Config
from unmask.spec.terms import Terms

GP = ("rd", "rs1", "rs2", "rs3", "rs4")
CASES = ("rstride", "precision", "format", "clear")  # switches that decide what is computed


class Open(Terms):
    """Terms; what stands for a constant may be a term too."""

    @staticmethod
    def const(width: int, value: Any) -> Any:
        return Terms.check(width, value) if z3.is_bv(value) else Terms.const(width, value)


def term(name: str, width: int) -> Bits:
    """A free variable."""
    return Bits(Open, width, z3.BitVec(name, width))


@dataclass
class Operands:
    """The context of one row: registers, CSRs and immediates are free; some fields have a value.

    Attributes:
        config: sizes.
        row: the instruction.
        fields: operand -> value of its field, where the case says which.
        formats: what FMT0 and FMT1 hold.
        premises: what the case assumes of the word.
    """

    config: Config
    row: Instruction
    fields: dict[str, int]
    formats: tuple[int, int] = (0, 0)
    premises: tuple[Any, ...] = ()
    word: Bits = field(default_factory=lambda: term("word", 32))

    @property
    def vlen(self) -> int:
        return self.config.vlen

    @property
    def vl(self) -> Bits:
        return self.csr("VL")

    @property
    def window(self) -> tuple[Any, Any]:
        """Of 72 bits, as the rules compare them; the registers have 64."""
        return tuple(z3.ZeroExt(8, z3.BitVec(f"window_{x}", 64)) for x in ("first", "end"))

    def _operand(self, name: str) -> Operand:
        return next(x for x in self.row.operands if x.name == name)

    def __getitem__(self, name: str) -> Bits:
        operand = self._operand(name)
        if operand.kind is Kind.A:
            return term("base", 64)
        if operand.kind is Kind.GP:
            return term(name, 32)
        return self.word.extract(operand.field.high, operand.field.low).zext(32)

    def field(self, name: str) -> int:
        return self.fields.get(name, 0)

    def csr(self, name: str) -> Bits:
        if name in ("FMT0", "FMT1"):
            return Bits(Open, 32, z3.BitVecVal(self.formats[int(name[-1])], 32))
        return term(name.lower(), 32)

    def number(self, value: Bits) -> int:
        return int(z3.simplify(value.value).as_long())

    def depth(self, memory: str) -> int:
        return self.config.elements(memory)

    def softmax(self, operand: str) -> State:
        def known(part: Bits) -> Bits:
            return Bits(Open, part.width, z3.BitVecVal(part.as_int(), part.width))

        key, index, top, slots, _, flags = EMPTY_SOFTMAX
        count = term("state_count", COUNT_WIDTH)
        return State(
            known(key), known(index), known(top), tuple(map(known, slots)), count, known(flags)
        )

    def load(self, memory: str, address: Bits) -> Bits:
        raise TypeError("a trap is decided from registers alone")


def one_hot(row: Instruction | None, place: int) -> Any:
    """The decoder's output for a row."""
    return z3.BitVecVal(0 if row is None else 1 << place, 64)


def cases(row: Instruction, config: Config) -> Iterator[tuple[str, Operands]]:
    """The words of a row, by what chooses among its rules: together all of them.

    Switches, formats and CSR numbers one by one; a length that may be left out: gp0 or another.
    """
    choices: list[list[tuple[str, int]]] = []
    for operand in row.operands:
        if operand.kind is Kind.CSR or operand.name in CASES:
            assert operand.choices is not None
            choices.append([(operand.name, x) for x in operand.choices.values()])
        elif operand.kind is Kind.GP and operand.default == 0:
            choices.append([(operand.name, 0), (operand.name, 1)])
    layouts = FORMATS.values() if row.mnemonic in ("H_PREFETCH_V", "H_STORE_V") else (0,)
    for chosen in product(*choices):
        for layout in layouts:
            found = Operands(config, row, dict(chosen))
            precision = found.field("precision")
            found.formats = (0, layout) if precision else (layout, 0)
            for name, value in chosen:
                _assume(found, name, value)
            text = ", ".join(f"{name} {_text(row, name, value)}" for name, value in chosen)
            yield f"{row.mnemonic} {text}{f', format {layout}' if layout else ''}", found


def _assume(x: Operands, name: str, value: int) -> None:
    """Put the value into the word; of a length, that it names gp0, or that it does not."""
    operand = next(y for y in x.row.operands if y.name == name)
    high, low = operand.field.high, operand.field.low
    if operand.kind is Kind.GP and value:
        x.premises = (*x.premises, x.word.extract(high, low).value != 0)
        return
    parts = [z3.BitVecVal(value, high - low + 1)]
    if high < WORD_BITS - 1:
        parts.insert(0, x.word.extract(WORD_BITS - 1, high + 1).value)
    if low:
        parts.append(x.word.extract(low - 1, 0).value)
    x.word = Bits(Open, WORD_BITS, z3.simplify(z3.Concat(*parts)))


class _Unnumbered(Operands):
    """Operands of which no number is known: what is asked for one stays a term."""

    def number(self, value: Bits) -> Any:
        return value


def symbolic_length(x: Operands) -> Bits:
    """The elements that the row, which has a length, works on."""
    context: Any = _Unnumbered(x.config, x.row, x.fields, x.formats, x.premises, x.word)
    assert x.row.length is not None
    return cast(Bits, x.row.length(context))


def rows_end(x: Operands) -> Bits:
    """Behind the rows of a vector transfer in vector SRAM, as its trap rule has it."""
    row = (x.vl.zext(70) + (x.vlen - 1)) & ~x.vl.const(70, x.vlen - 1)
    return x["rd"].zext(70) + row * x.csr("ROWS").zext(70)


def without_products(terms: Sequence[Any]) -> list[Any]:
    """The same terms with any value in the place of each product of two variables.

    What holds for all those holds for the products; a solver would have to multiply. Where a
    factor ends in zeros, they are put behind the product first: x * (y * 2^n) = (x * y) * 2^n.
    """
    simple = [z3.simplify(term) for term in terms]
    shifted = [z3.simplify(_replaced(term, _shifted)) for term in simple]
    names: dict[tuple[int, ...], Any] = {}
    kept: list[Any] = []  # terms whose identities are in use

    def name(product: Any) -> Any:
        kept.append(product)
        key = tuple(sorted(factor.get_id() for factor in product.children()))
        return names.setdefault(key, z3.BitVec(f"product_{len(names)}", product.size()))

    return [_replaced(term, name) for term in shifted]


def products(term: Any) -> list[Any]:
    """The products of two variables in a term."""
    found: list[Any] = []
    stack, seen = [term], set()
    while stack:
        node = stack.pop()
        if node.get_id() in seen:
            continue
        seen.add(node.get_id())
        stack.extend(node.children())
        if z3.is_app_of(node, z3.Z3_OP_BMUL) and not any(map(z3.is_bv_value, node.children())):
            found.append(node)
    return found


def _replaced(term: Any, change: Callable[[Any], Any]) -> Any:
    """A term with something in the place of each of its products of two variables."""
    pairs = [(node, change(node)) for node in products(term)]
    return z3.substitute(term, *pairs) if pairs else term


def _shifted(product: Any) -> Any:
    factors, width = list(product.children()), product.size()
    zeros = 0
    for place, factor in enumerate(factors):
        if z3.is_app_of(factor, z3.Z3_OP_CONCAT):
            last = factor.children()[-1]
            if z3.is_bv_value(last) and last.as_long() == 0 and not zeros:
                zeros = last.size()
                factors[place] = z3.LShR(factor, zeros)
    if not zeros:
        return product
    rest = [z3.simplify(z3.Extract(width - 1 - zeros, 0, factor)) for factor in factors]
    return z3.Concat(rest[0] * rest[1], z3.BitVecVal(0, zeros))


def _text(row: Instruction, name: str, value: int) -> str:
    if any(x.name == name and x.kind is Kind.GP for x in row.operands):
        return "another" if value else "gp0"
    if any(x.name == name and x.kind is Kind.CSR for x in row.operands):
        return next(csr for csr, y in CSRS.items() if y.number == value)
    return str(value)
