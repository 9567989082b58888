"""Where a function is written, and what its names stand for."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

UNKNOWN = object()  # what a name stands for that has no value yet


@cache
def _module(file: str) -> ast.Module:
    return ast.parse(Path(file).read_text(encoding="utf-8"))


def node_of(function: Any) -> ast.FunctionDef | ast.Lambda:
    """The definition of a function in its source file."""
    code = inspect.unwrap(function).__code__
    inside = max(code.co_positions(), key=lambda p: (p[3] or 0) - (p[2] or 0))
    for node in ast.walk(_module(code.co_filename)):
        if isinstance(node, ast.FunctionDef) and node.name == code.co_name:
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            if first == code.co_firstlineno:
                return node
        elif isinstance(node, ast.Lambda) and code.co_name == "<lambda>":
            assert node.end_lineno is not None and node.end_col_offset is not None
            start, end = (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)
            if (
                node.lineno == code.co_firstlineno
                and start <= (inside[0] or 0, inside[2] or 0) <= end
            ):
                return node
    raise LookupError(f"no source of {function!r}")


def body_of(node: ast.FunctionDef) -> list[ast.stmt]:
    """The statements without the docstring and what says nothing to a reader."""
    kept = [x for x in node.body if not isinstance(x, ast.Assert)]
    return kept[1:] if ast.get_docstring(node) is not None else kept


def parameters_of(node: ast.FunctionDef | ast.Lambda) -> list[str]:
    return [argument.arg for argument in node.args.args]


def title(function: Any) -> str:
    """How pseudocode calls a function: `arith.add`, `SoftmaxState.lane`."""
    function = inspect.unwrap(function)
    name = function.__qualname__.replace(".<locals>", "")
    return name if "." in name else f"{function.__module__.rpartition('.')[2]}.{name}"


def first_sentence(function: Any) -> list[str]:
    """The first line of a docstring, or of that of the function that made this one."""
    text = inspect.getdoc(inspect.unwrap(function)) or inspect.getdoc(factory(function)) or ""
    return text.splitlines()[:1]


def factory(function: Any) -> Any:
    """The function that made this closure; itself where none did."""
    function = inspect.unwrap(function)
    outer = function.__qualname__.partition(".<locals>")[0]
    return inspect.unwrap(function.__globals__.get(outer, function))


@dataclass
class Scope:
    """What is known about the names of one function.

    Attributes:
        function: for its globals and closure; None inside of lambdas that have no object.
        values: names with a Python value.
        texts: names that stand for an expression, already rewritten.
        locals: lambdas and one-line functions by name, with the scope they close over.
        context: the name of the operands' context.
    """

    function: Any
    values: dict[str, Any] = field(default_factory=dict)
    texts: dict[str, ast.expr] = field(default_factory=dict)
    locals: dict[str, tuple[ast.FunctionDef | ast.Lambda, Scope]] = field(default_factory=dict)
    assigned: set[str] = field(default_factory=set)
    context: str = ""

    def value(self, name: str) -> Any:
        if name in self.texts or name in self.assigned or name in self.locals:
            return UNKNOWN
        if name in self.values:
            return self.values[name]
        return self.function.__globals__.get(name, UNKNOWN)


def _closure(function: Any) -> dict[str, Any]:
    found = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        found[name] = cell.cell_contents
    return found


def scope_of(function: Any) -> Scope:
    function = inspect.unwrap(function)
    scope = Scope(function, _closure(function))
    node = node_of(function)
    parameters = parameters_of(node)
    hints = getattr(function, "__annotations__", {})
    for name in parameters:
        if hints.get(name) == "Context" or (isinstance(node, ast.Lambda) and name == "x"):
            scope.context = name
    scope.assigned = {name for name in parameters if name != scope.context}
    if isinstance(node, ast.FunctionDef):
        scope.assigned |= assigned_in(node.body)
    return scope


def assigned_in(statements: Sequence[ast.stmt]) -> set[str]:
    names = set()
    for statement in statements:
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                names.add(node.id)
    return names
