"""Mutants of a module: one small change each, as a designer might slip.

A mutant is a node of the syntax tree and what takes its place. What bears no semantics is left
alone: documentation, annotations, cycles, operand lists (the decoder has tests of its own).
"""

from __future__ import annotations

import ast
import copy
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

# Not semantics: text, time, encoding; and who may move what, which only bus errors ask for.
_SKIPPED_KEYWORDS = {
    "doc",
    "cycles",
    "mnemonic",
    "opcode",
    "fixed",
    "operands",
    "written",
    "transfers",
    "strict",
}
_SKIPPED_FUNCTIONS = {"chunks", "levels"}
_SKIPPED_CALLS = {"Operand", "csr_operand", "dataclass", "TypeVar", "len", "cast"}
_BINARY: dict[type[ast.operator], tuple[type[ast.operator], ...]] = {
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Add,),
    ast.BitAnd: (ast.BitOr,),
    ast.BitOr: (ast.BitAnd,),
    ast.BitXor: (ast.BitOr, ast.BitAnd),
    ast.LShift: (ast.RShift,),
    ast.RShift: (ast.LShift,),
    ast.FloorDiv: (ast.Mult,),
    ast.Mod: (ast.FloorDiv,),
}
_COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
}
_METHODS = {"ult": "ule", "ule": "ult", "eq": "ne", "ne": "eq"}
_NAMES = {
    "rd": "rs1", "rs1": "rd", "rs2": "rs1", "rs3": "rs2", "rs4": "rs3",
    "vector": "fp", "fp": "vector", "key": "int", "int": "key",
    "LIMIT": "KMAX", "KMAX": "LIMIT", "STRIDE": "SCALE", "SCALE": "STRIDE", "ROWS": "VL",
    "BAN0": "BAN1", "BAN1": "BAN2", "BAN2": "BAN3", "BAN3": "BAN0", "MASK": "NAN", "NAN": "MASK",
    "imm18": "rs1", "imm22": "rd", "imm14": "rs1",
}  # fmt: skip
_FUNCTIONS = {
    "add": "sub", "sub": "add", "mul": "add", "maximum": "add", "exp": "reciprocal",
    "reciprocal": "exp", "sqrt": "reciprocal", "widen": "round32", "add32": "add",
    "less": "less_equal", "less_equal": "less", "greater": "greater_equal",
    "greater_equal": "greater", "equal": "less_equal", "not_equal": "less",
    "E4M3": "E5M2", "E5M2": "E4M3", "START": "END", "END": "START", "fraction": "width",
    "min": "max", "max": "min",
}  # fmt: skip
_TRAPS = {"MISALIGNED": "LENGTH", "LENGTH": "RANGE", "RANGE": "OVERLAP", "OVERLAP": "WINDOW"}
_TRAPS |= {"WINDOW": "RANGE", "ILLEGAL": "RANGE"}
# Arguments that are widths: a wrong one does not get as far as a result. Bounds of `extract` are
# changed as a whole.
_WIDTHS = {"const": (0,), "zext": (0,), "lut": (1,), "extract": (0, 1), "of": (0,)}
_NUMBERED = {
    "fraction",
    "width",
    "infinity",
    "largest",
    "bias",
    "top",
    "nan",
    "block",
    "size",
    "vlen",
}


@dataclass(frozen=True)
class Mutant:
    """A change of one module.

    Attributes:
        module: "arith", "instructions.masks".
        function: qualified name, or "" at the module's level.
        row: mnemonic of the table row that the change is in, if it stands in one.
        line: in the file.
        original, mutated: the changed text before and after.
        number: 1, 2, ... among changes of the function that read the same.
        place: where the node is: (parent, field, index or None); its new value.
        owner: (first line, name) of the code object it is compiled to; None: run on import.
    """

    module: str
    function: str
    row: str
    line: int
    original: str
    mutated: str
    place: tuple[ast.AST, str, int | None]
    value: Any
    owner: tuple[int, str] | None
    number: int = 1

    @property
    def name(self) -> str:
        suffix = f" #{self.number}" if self.number > 1 else ""
        where = f"{self.module}.{self.function}" if self.function else self.module
        return f"{where}: {self.original} -> {self.mutated}{suffix}"

    def apply(self) -> None:
        """Change the tree that the mutant was made from (in a process of its own)."""
        parent, field, index = self.place
        if index is None:
            setattr(parent, field, self.value)
        else:
            getattr(parent, field)[index] = self.value


# Of a module of which only a part is semantics: the functions that are.
_ONLY = {"formats": ("", "order_key")}


def mutants(module: str, tree: ast.Module, loaded: ModuleType) -> list[Mutant]:
    """All mutants of a module, in the order of its text.

    Args:
        tree: of its source.
        loaded: the module, to tell which names are numbers.
    """
    numbers = {name for name, value in vars(loaded).items() if type(value) is int}
    seen: Counter[str] = Counter()
    found = []
    for mutant in _Walk(module, numbers).statements(tree):
        if mutant.function not in _ONLY.get(module, (mutant.function,)):
            continue
        seen[mutant.name] += 1
        found.append(replace(mutant, number=seen[mutant.name]))
    return found


class _Walk:
    def __init__(self, module: str, numbers: set[str]) -> None:
        self.module, self.numbers = module, numbers
        self.path: list[str] = []
        self.owner: tuple[int, str] | None = None
        self.row = ""
        self.assigned: list[set[str]] = [set()]

    # -- where semantics are --

    def statements(self, node: ast.AST) -> Iterator[Mutant]:
        for field in ("body", "orelse"):
            for index, child in enumerate(getattr(node, field, [])):
                yield from self.statement(node, field, index, child)

    def statement(
        self, parent: ast.AST, field: str, index: int, node: ast.stmt
    ) -> Iterator[Mutant]:
        place = (parent, field, index)
        if isinstance(node, ast.FunctionDef):
            if node.name.endswith("_cycles") or node.name in _SKIPPED_FUNCTIONS:
                return
            kept = self.owner
            first = node.decorator_list[0].lineno if node.decorator_list else node.lineno
            self.owner = (first, node.name)
            self.path.append(node.name)
            self.assigned.append(set())
            yield from self.statements(node)
            self.assigned.pop()
            self.path.pop()
            self.owner = kept
        elif isinstance(node, ast.ClassDef):
            self.path.append(node.name)
            for at, child in enumerate(node.body):
                if isinstance(child, ast.FunctionDef):
                    yield from self.statement(node, "body", at, child)
            self.path.pop()
        elif isinstance(node, (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Return, ast.Expr)):
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                return
            yield from self.deleted(place, node)
            if getattr(node, "value", None) is not None:
                yield from self.expression(node, "value", None)
        elif isinstance(node, (ast.If, ast.While)):
            yield from self.condition(node)
            yield from self.expression(node, "test", None)
            yield from self.statements(node)
        elif isinstance(node, ast.For):
            yield from self.expression(node, "iter", None)
            yield from self.statements(node)
        elif isinstance(node, ast.With):
            yield from self.statements(node)

    def deleted(self, place: tuple[ast.AST, str, int], node: ast.stmt) -> Iterator[Mutant]:
        """A statement left out, where what it assigns exists already."""
        names: set[str] = set()
        for target in getattr(node, "targets", [getattr(node, "target", None)]):
            if target is not None:
                names |= {x.id for x in ast.walk(target) if isinstance(x, ast.Name)}
        gone = ast.copy_location(ast.Pass(), node)
        again = bool(names) and names <= self.assigned[-1]
        if isinstance(node, (ast.AugAssign, ast.Expr)) or again:
            yield self.mutant(node, place, gone, mutated="(left out)")
        self.assigned[-1] |= names

    def condition(self, node: ast.If | ast.While) -> Iterator[Mutant]:
        place = (node, "test", None)
        if isinstance(node, ast.If):
            for value in (True, False):
                yield self.mutant(
                    node.test, place, ast.Constant(value), original=f"if {ast.unparse(node.test)}"
                )

    # -- expressions --

    def expression(self, parent: ast.AST, field: str, index: int | None) -> Iterator[Mutant]:
        node = getattr(parent, field)
        node = node if index is None else node[index]
        place = (parent, field, index)
        if isinstance(node, ast.Lambda):
            kept, self.owner = self.owner, (node.lineno, "<lambda>")
            yield from self.expression(node, "body", None)
            self.owner = kept
            return
        if isinstance(node, ast.JoinedStr):
            return
        called = _called(node)
        if called in _SKIPPED_CALLS:
            return
        kept_row = self.row
        if called == "Instruction":
            self.row = _mnemonic(node) or self.row
        for value in self.changes(node):
            yield self.mutant(node, place, value)
        plain = _WIDTHS.get(called, ())
        for name, child in ast.iter_fields(node):
            if isinstance(child, list):
                for at, item in enumerate(child):
                    if name == "args" and at in plain and not isinstance(item, ast.Call):
                        continue
                    if isinstance(item, ast.keyword):
                        if item.arg not in _SKIPPED_KEYWORDS:
                            yield from self.expression(item, "value", None)
                    elif isinstance(item, ast.comprehension):
                        yield from self.expression(item, "iter", None)
                    elif isinstance(item, ast.expr):
                        yield from self.expression(node, name, at)
            elif isinstance(child, ast.expr) and name not in ("func", "annotation"):
                yield from self.expression(node, name, None)
            elif name == "func":
                yield from self.callee(node)
        self.row = kept_row

    def callee(self, node: ast.Call) -> Iterator[Mutant]:
        """The function called: what it is called on, or another one."""
        if isinstance(node.func, ast.Attribute):
            yield from self.expression(node.func, "value", None)
        elif isinstance(node.func, ast.Name) and node.func.id in ("less", "less_equal", "equal"):
            value = ast.Name(_FUNCTIONS[node.func.id], ast.Load())
            yield self.mutant(node.func, (node, "func", None), value)

    def changes(self, node: ast.expr) -> Iterator[ast.expr]:
        """What may stand in the place of an expression."""
        if isinstance(node, ast.BinOp):
            for kind in _BINARY.get(type(node.op), ()):
                yield ast.BinOp(node.left, kind(), node.right)
            yield node.left
            if not isinstance(node.right, ast.Constant):
                yield node.right
            if isinstance(node.op, (ast.Sub, ast.LShift, ast.RShift)):
                if isinstance(node.op, ast.Sub):
                    yield ast.BinOp(node.right, node.op, node.left)
                elif not isinstance(node.right, ast.Constant):
                    yield ast.BinOp(node.left, node.op, _plus(node.right, 1))
                    yield ast.BinOp(node.left, node.op, _plus(node.right, -1))
        elif isinstance(node, ast.UnaryOp):
            yield node.operand
        elif isinstance(node, ast.BoolOp):
            yield ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
            yield from node.values
        elif isinstance(node, ast.Compare):
            if type(node.ops[0]) in _COMPARED:
                yield ast.Compare(node.left, [_COMPARED[type(node.ops[0])]()], node.comparators)
        elif isinstance(node, ast.IfExp):
            yield ast.IfExp(node.test, node.orelse, node.body)
            yield node.body
            yield node.orelse
        elif isinstance(node, ast.Constant):
            yield from self.constants(node)
        elif isinstance(node, ast.Name):
            if node.id in self.numbers:
                yield _plus(node, 1)
                yield _plus(node, -1)
        elif isinstance(node, ast.Attribute):
            yield from self.attributes(node)
        elif isinstance(node, ast.Tuple):
            yield from self.tuples(node)
        elif isinstance(node, ast.Slice):
            for name in ("lower", "upper"):
                bound = getattr(node, name)
                if bound is not None:
                    for step in (1, -1):
                        yield _with(node, name, _plus(bound, step))
                    yield _with(node, name, None)
        elif isinstance(node, ast.Call):
            yield from self.calls(node)

    def constants(self, node: ast.Constant) -> Iterator[ast.expr]:
        if type(node.value) is bool:
            yield ast.Constant(not node.value)
        elif type(node.value) is int:
            yield ast.Constant(node.value + 1)
            if node.value > 0:
                yield ast.Constant(node.value - 1)
        elif isinstance(node.value, str) and node.value in _NAMES:
            yield ast.Constant(_NAMES[node.value])

    def attributes(self, node: ast.Attribute) -> Iterator[ast.expr]:
        base = node.value.id if isinstance(node.value, ast.Name) else ""
        if base == "Trap" and node.attr in _TRAPS:
            yield _with(node, "attr", _TRAPS[node.attr])
        elif base in ("arith", "mx", "Loop") and node.attr in _FUNCTIONS:
            yield _with(node, "attr", _FUNCTIONS[node.attr])
        elif node.attr in _NUMBERED:
            yield _plus(node, 1)
            yield _plus(node, -1)

    def tuples(self, node: ast.Tuple) -> Iterator[ast.expr]:
        """An element dropped, of tuples of trap rules and of the like; two swapped."""
        calls = [isinstance(x, (ast.Call, ast.Starred, ast.Tuple)) for x in node.elts]
        for at, element in enumerate(node.elts):
            text = ast.unparse(element)
            if all(calls) or "Trap" in text or text in ("_RANKED", "_LENGTH"):
                yield ast.Tuple([x for x in node.elts if x is not element], ast.Load())
            if at and not any(calls) and text != ast.unparse(node.elts[at - 1]):
                swapped = list(node.elts)
                swapped[at - 1 : at + 1] = [swapped[at], swapped[at - 1]]
                yield ast.Tuple(swapped, ast.Load())

    def calls(self, node: ast.Call) -> Iterator[ast.expr]:
        name, arguments = _called(node), node.args
        if isinstance(node.func, ast.Attribute) and name in _METHODS:
            other = ast.Attribute(node.func.value, _METHODS[name], ast.Load())
            yield _with(node, "func", other)
            if name in ("ult", "ule") and not isinstance(arguments[0], ast.Constant):
                turned = ast.Attribute(arguments[0], name, ast.Load())
                yield ast.Call(turned, [node.func.value], [])
        elif name == "extract":
            for high, low in ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, -1)):
                steps = [
                    _plus(x, by) if by else x for x, by in zip(arguments, (high, low), strict=True)
                ]
                yield _with(node, "args", steps)
        elif name in ("mux", "choose"):
            condition, yes, no = arguments
            if not isinstance(no, ast.Constant):
                yield _with(node, "args", [condition, no, yes])
                yield no
            yield yes
        elif name == "concat":
            yield _with(node, "args", arguments[::-1])
        elif name in ("reversed", "_any"):
            yield arguments[0]
        elif name == "range":
            for step in (1, -1):
                yield _with(node, "args", [*arguments[:-1], _plus(arguments[-1], step)])
        elif name in ("min", "max") and isinstance(node.func, ast.Name):
            yield _with(node, "func", ast.Name(_FUNCTIONS[name], ast.Load()))
        elif len(arguments) >= 2 and name not in ("const", "isinstance", "zip", "field", "lut"):
            for at in range(1, len(arguments)):
                pair = [ast.unparse(x) for x in arguments[at - 1 : at + 1]]
                if pair[0] != pair[1] and not any(map(_is_remark, pair)):
                    swapped = list(arguments)
                    swapped[at - 1 : at + 1] = [swapped[at], swapped[at - 1]]
                    yield _with(node, "args", swapped)

    def mutant(
        self,
        node: ast.AST,
        place: tuple[ast.AST, str, int | None],
        value: Any,
        original: str = "",
        mutated: str = "",
    ) -> Mutant:
        value = ast.fix_missing_locations(ast.copy_location(copy.copy(value), node))
        return Mutant(
            self.module,
            ".".join(self.path),
            self.row,
            getattr(node, "lineno", 0),
            _text(original or ast.unparse(node)),
            _text(mutated or ast.unparse(value)),
            place,
            value,
            self.owner,
        )


def _text(source: str) -> str:
    return " ".join(source.split())


def _mnemonic(node: ast.AST) -> str:
    """Of a row's constructor, where it is written out."""
    assert isinstance(node, ast.Call)
    for keyword in node.keywords:
        if keyword.arg == "mnemonic" and isinstance(keyword.value, ast.Constant):
            return str(keyword.value.value)
    return ""


def _is_remark(source: str) -> bool:
    """Whether an argument is text for the manual, or about cycles."""
    return (source[0] in "'\"f" and " " in source) or source.endswith("_cycles")


def _called(node: ast.AST) -> str:
    """Name of the function or method that is called."""
    if not isinstance(node, ast.Call):
        return ""
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def _plus(node: ast.expr, step: int) -> ast.expr:
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return ast.Constant(node.value + step)
    operator = ast.Add() if step > 0 else ast.Sub()
    return ast.BinOp(node, operator, ast.Constant(abs(step)))


def _with(node: Any, field: str, value: Any) -> Any:
    """A copy of a node with another field; its other children are shared."""
    changed = copy.copy(node)
    setattr(changed, field, value)
    return changed
