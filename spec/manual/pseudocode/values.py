"""What is known about an expression before anything runs."""

from __future__ import annotations

import ast
import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

from unmask.spec.encoding import Instruction
from unmask.spec.manual.pseudocode.source import UNKNOWN, Scope
from unmask.spec.manual.pseudocode.text import Lines

_FOLDED: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
}


class Values(ABC):
    """The state of a reader; `known` folds constants.

    Args:
        row: whose operands `x[...]` names.

    Attributes:
        functions: other functions that the text names, in order of appearance.
        constants: module constants that it names.
        where: functions of operands that follow the text: title -> lines.
    """

    def __init__(self, row: Instruction | None = None) -> None:
        self.operands = {x.name: x for x in row.operands} if row else {}
        self.functions: dict[str, Any] = {}
        self.constants: dict[str, Any] = {}
        self.where: dict[str, Lines] = {}
        self.vectors: set[str] = set()
        self.naming = False
        self.meanings: dict[str, Any] = {}

    def note(self, constants: Mapping[str, Any]) -> None:
        """Remember constants that the text names.

        Raises:
            ValueError: if two modules have different ones of the same name.
        """
        for name, value in constants.items():
            if self.constants.setdefault(name, value) != value:
                raise ValueError(f"two constants are called {name}")

    # what the classes above this one add

    @abstractmethod
    def expression(self, node: ast.expr, scope: Scope) -> ast.expr:
        """An expression rewritten."""

    @abstractmethod
    def _single(self, node: ast.FunctionDef | ast.Lambda, scope: Scope) -> ast.expr | None:
        """A function as one expression, or None."""

    @abstractmethod
    def _block(self, body: list[ast.stmt], scope: Scope, tail: bool = False) -> Lines:
        """Lines of statements."""

    @abstractmethod
    def _applied(self, function: ast.expr, arguments: list[ast.expr], scope: Scope) -> ast.expr:
        """A function called with arguments that are rewritten already."""

    def known(self, node: ast.expr, scope: Scope) -> Any:
        """The Python value of an expression that is settled; else `UNKNOWN`."""
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.Name):
            return scope.value(node.id) if node.id != scope.context else UNKNOWN
        if isinstance(node, ast.Attribute):
            owner = self.known(node.value, scope)
            return UNKNOWN if owner is UNKNOWN else getattr(owner, node.attr, UNKNOWN)
        if isinstance(node, ast.Subscript):
            table, key = self.known(node.value, scope), self.known(node.slice, scope)
            if isinstance(table, dict) and key is not UNKNOWN:
                return table.get(key, UNKNOWN)
            return UNKNOWN
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr == "field" and self._is_context(node.func.value, scope):
                name = self.known(node.args[0], scope)
                if isinstance(name, str) and self.operands and name not in self.operands:
                    return 0
            return UNKNOWN
        if isinstance(node, ast.Tuple):
            values = [self.known(x, scope) for x in node.elts]
            return UNKNOWN if any(x is UNKNOWN for x in values) else tuple(values)
        if isinstance(node, (ast.BinOp, ast.Compare)):
            right_node = node.right if isinstance(node, ast.BinOp) else node.comparators[0]
            operation = node.op if isinstance(node, ast.BinOp) else node.ops[0]
            left_node = node.left
            left, right = self.known(left_node, scope), self.known(right_node, scope)
            if left is UNKNOWN or right is UNKNOWN or type(operation) not in _FOLDED:
                return UNKNOWN
            return _FOLDED[type(operation)](left, right)
        return UNKNOWN

    def _is_context(self, node: ast.expr, scope: Scope) -> bool:
        return bool(scope.context) and isinstance(node, ast.Name) and node.id == scope.context
