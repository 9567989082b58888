"""Rules for expressions: names, operators, calls, and the bit algebra's methods."""

from __future__ import annotations

import ast
import enum
import inspect
import types
from dataclasses import replace
from typing import Any

from unmask.spec.bits import concat, lut, mux
from unmask.spec.encoding import Write
from unmask.spec.instructions import rules
from unmask.spec.manual.pseudocode.context import OfContext
from unmask.spec.manual.pseudocode.source import (
    UNKNOWN,
    Scope,
    body_of,
    node_of,
    parameters_of,
    scope_of,
    title,
)
from unmask.spec.manual.pseudocode.text import (
    BITWISE,
    Sized,
    bracketed,
    called,
    indented,
    is_bitwise,
    is_logical,
    less_one,
    passes,
    piece,
    rounded_up,
    show,
    unsized,
)
from unmask.spec.reductions import choose

PACKAGE = "unmask.spec."
_INSTRUCTIONS = f"{PACKAGE}instructions."
_COMPARISONS = {"eq": ast.Eq(), "ne": ast.NotEq(), "ult": ast.Lt(), "ule": ast.LtE()}
_FLIPPED = {ast.Eq: ast.Eq(), ast.NotEq: ast.NotEq(), ast.Lt: ast.Gt(), ast.LtE: ast.GtE()}
_NEGATED = {
    ast.Eq: ast.NotEq(),
    ast.NotEq: ast.Eq(),
    ast.Lt: ast.GtE(),
    ast.LtE: ast.Gt(),
    ast.Gt: ast.LtE(),
    ast.GtE: ast.Lt(),
}


class Expressions(OfContext):
    """One method for each kind of node that has a rule; it gives None where the rule is not met."""

    def expression(self, node: ast.expr, scope: Scope) -> ast.expr:
        """An expression rewritten; unparse gives its text."""
        method = getattr(self, f"_on_{type(node).__name__}", None)
        if method is not None:
            result = method(node, scope)
            if result is not None:
                return result
        return self._children(node, scope)

    def _children(self, node: ast.expr, scope: Scope) -> ast.expr:
        """The node with its own expressions rewritten."""
        made = {}
        for name, value in ast.iter_fields(node):
            if isinstance(value, ast.expr):
                value = self.expression(value, scope)
            elif isinstance(value, list):
                value = [self._element(item, scope) for item in value]
            made[name] = value
        return type(node)(**made)

    def _element(self, item: Any, scope: Scope) -> Any:
        if isinstance(item, ast.expr):
            return self.expression(item, scope)
        if isinstance(item, ast.keyword):
            return ast.keyword(item.arg, self.expression(item.value, scope))
        if isinstance(item, ast.comprehension):
            over = self.expression(item.iter, scope)
            ifs = [self.expression(x, scope) for x in item.ifs]
            return ast.comprehension(item.target, over, ifs, item.is_async)
        return item

    def _on_Name(self, node: ast.Name, scope: Scope) -> ast.expr:
        if node.id in scope.texts:
            return scope.texts[node.id]
        if node.id in scope.locals:
            definition, inner = scope.locals[node.id]
            if isinstance(definition, ast.Lambda):
                body = definition.body
            else:
                last = body_of(definition)[0]
                assert isinstance(last, ast.Return) and last.value is not None
                body = last.value
            return self._arrow(parameters_of(definition), body, inner)
        return self._named(node.id, scope.value(node.id), node.id in scope.values)

    def _named(self, name: str, value: Any, settled: bool) -> ast.expr:
        """A name, or what it stands for where that is settled (a closure's variable)."""
        if isinstance(value, (types.FunctionType, type)) or hasattr(value, "__wrapped__"):
            return self._function(name, value)
        if settled and (value is None or isinstance(value, (int, str, bool))):
            return ast.Constant(value)
        nameless = value is UNKNOWN or isinstance(value, types.ModuleType) or callable(value)
        if not nameless and not settled:
            self.note({name: value})
        return piece(name)

    def _function(self, name: str, value: Any) -> ast.expr:
        if isinstance(value, type):
            for method in ("lane", "combine", "empty"):
                if hasattr(value, method):
                    self._refer(getattr(value, method))
            return piece(name)
        return piece(self._refer(value))

    def _refer(self, function: Any) -> str:
        """The title of a function of ours, noted for the appendix."""
        function = inspect.unwrap(function)
        if not getattr(function, "__module__", "").startswith(PACKAGE):
            return str(function.__name__)
        name = title(function)
        self.functions.setdefault(name, function)
        return name

    def _on_Attribute(self, node: ast.Attribute, scope: Scope) -> ast.expr | None:
        if isinstance(node.value, ast.Name) and scope.context and node.value.id == scope.context:
            return piece({"vl": "VL", "vlen": "VLEN"}.get(node.attr, node.attr))
        if isinstance(node.value, ast.Name) and node.value.id == "self":
            return piece(node.attr)
        value = self.known(node, scope)
        if isinstance(value, types.FunctionType):
            return self._function(node.attr, value)
        if isinstance(value, enum.Enum):
            return piece(f"{type(value).__name__}.{value.name}")
        if isinstance(value, int) and not isinstance(value, bool):
            owner = self.known(node.value, scope)
            if isinstance(owner, types.ModuleType):
                self.note({node.attr: value})
                return piece(node.attr)
            return ast.Constant(value)
        return None

    def _on_Subscript(self, node: ast.Subscript, scope: Scope) -> ast.expr | None:
        if isinstance(node.value, ast.Name) and scope.context and node.value.id == scope.context:
            return piece(self._operand(node.slice, scope))
        known = self.known(node, scope)
        if isinstance(known, (int, str)):
            return ast.Constant(known)
        table = self.known(node.value, scope)
        if isinstance(table, dict) and all(callable(x) for x in table.values()):
            return self._choice(node, table, scope)
        return None

    def _choice(self, node: ast.Subscript, table: dict[Any, Any], scope: Scope) -> ast.expr:
        """One of several functions, chosen by an operand's field: listed under "where"."""
        index = show(self.expression(node.slice, scope))
        operand = self.operands.get(index)
        names = {n: name for name, n in (operand.choices or {}).items()} if operand else {}
        lines = []
        for number, function in table.items():
            lambda_ = node_of(function)
            if isinstance(lambda_, ast.Lambda):
                inner = scope_of(function)
                text = show(self.expression(lambda_.body, inner))
                text = f"({', '.join(parameters_of(lambda_))}): {text}"
            else:
                text = self._refer(function)
            lines.append(f"{names.get(number, number)}: {text}")
        name = f"{show(node.value)}[{index}]"
        self.where.setdefault(name, [f"{name} is", *indented(lines)])
        return piece(name)

    def _on_JoinedStr(self, node: ast.JoinedStr, scope: Scope) -> ast.expr:
        parts = []
        for part in node.values:
            if isinstance(part, ast.Constant):
                parts.append(str(part.value))
            elif isinstance(part, ast.FormattedValue):
                parts.append("{" + show(self.expression(part.value, scope)) + "}")
        return piece("".join(parts))

    def _on_BinOp(self, node: ast.BinOp, scope: Scope) -> ast.expr | None:
        left, right = self.expression(node.left, scope), self.expression(node.right, scope)
        if isinstance(node.op, (ast.BitAnd, ast.BitOr)) and (is_logical(left) or is_logical(right)):
            joint: ast.boolop = ast.And() if isinstance(node.op, ast.BitAnd) else ast.Or()
            values: list[ast.expr] = []
            for side in (left, right):
                if isinstance(side, ast.BoolOp) and type(side.op) is type(joint):
                    values += side.values
                else:
                    values.append(side)
            return ast.BoolOp(joint, values)
        known = self.known(node, scope)
        if isinstance(known, int) and isinstance(left, ast.Constant):
            return ast.Constant(known)
        if isinstance(node.op, BITWISE):  # nobody knows by heart what binds how
            left, right = (bracketed(x, ast.BinOp) for x in (left, right))
        return ast.BinOp(left, node.op, right)

    def _on_UnaryOp(self, node: ast.UnaryOp, scope: Scope) -> ast.expr | None:
        quotient = rounded_up(node)
        if quotient is not None:
            above, below = (show(self.expression(x, scope)) for x in quotient)
            return piece(f"ceil({above} / {below})")
        inside = self.expression(node.operand, scope)
        if isinstance(node.op, ast.Invert) and is_logical(inside):
            if isinstance(inside, ast.Compare) and type(inside.ops[0]) in _NEGATED:
                negated = _NEGATED[type(inside.ops[0])]
                return ast.Compare(inside.left, [negated], inside.comparators)
            return ast.UnaryOp(ast.Not(), inside)
        return ast.UnaryOp(node.op, inside)

    def _on_IfExp(self, node: ast.IfExp, scope: Scope) -> ast.expr | None:
        value = self.known(node.test, scope)
        if value is UNKNOWN:
            parts = (self.expression(x, scope) for x in (node.test, node.body, node.orelse))
            return ast.IfExp(*map(unsized, parts))
        return self.expression(node.body if value else node.orelse, scope)

    def _unrolled(self, value: ast.expr, scope: Scope) -> list[ast.expr] | None:
        """The elements of a comprehension over a display or a known tuple; of a display too."""
        if isinstance(value, ast.Tuple):
            return [self.expression(x, scope) for x in value.elts]
        if not isinstance(value, (ast.GeneratorExp, ast.ListComp)) or len(value.generators) != 1:
            return None
        over, name = value.generators[0].iter, value.generators[0].target
        if not isinstance(name, ast.Name) or value.generators[0].ifs:
            return None
        known = self.known(over, scope)
        if isinstance(over, (ast.Tuple, ast.List)):
            items: list[ast.expr] = over.elts
        elif isinstance(known, tuple) and all(isinstance(x, str) for x in known):
            items = [ast.Constant(x) for x in known]
        else:
            return None
        results = []
        for item in items:
            inner = replace(scope, texts=dict(scope.texts), values=dict(scope.values))
            inner.assigned = scope.assigned - {name.id}
            if isinstance(item, ast.Constant):
                inner.values[name.id] = item.value
            else:
                inner.texts[name.id] = self.expression(item, scope)
            results.append(self.expression(value.elt, inner))
        return results

    def _on_ListComp(self, node: ast.ListComp, scope: Scope) -> ast.expr | None:
        values = self._unrolled(node, scope)
        return None if values is None else ast.List(values, ast.Load())

    def _on_Lambda(self, node: ast.Lambda, scope: Scope) -> ast.expr:
        inner = replace(scope, assigned=scope.assigned | set(parameters_of(node)), context="")
        return self._arrow(parameters_of(node), node.body, inner)

    def _arrow(self, parameters: list[str], body: ast.expr, scope: Scope) -> ast.expr:
        """A function that is handed on, not called."""
        names = ", ".join(parameters) if len(parameters) == 1 else f"({', '.join(parameters)})"
        return piece(f"({names} -> {show(self.expression(body, scope))})")

    def _on_Call(self, node: ast.Call, scope: Scope) -> ast.expr | None:
        target = node.func
        if isinstance(target, ast.Attribute):
            if self._is_context(target.value, scope):
                return self._on_context(target.attr, node, scope)
            if self._is_vectors(target.value, scope):
                return self._on_vectors(target.attr, node, scope)
            found = self._method(target, node, scope)
            if found is not None:
                return found
        if isinstance(target, ast.Name) and target.id in scope.locals:
            return self._applied(target, [self.expression(x, scope) for x in node.args], scope)
        function = self.known(target, scope)
        if function is Write:
            return self._write(node, scope)
        if passes(node, scope.context) and isinstance(function, types.FunctionType):
            return self._of_operands(function, node, scope)
        if any(isinstance(x, ast.Starred) for x in node.args) or node.keywords:
            return None
        if isinstance(target, ast.Name) and target.id == "range" and len(node.args) == 1:
            return piece(f"0 .. {less_one(self.expression(node.args[0], scope))}")
        return self._plain(function, [self.expression(x, scope) for x in node.args], scope)

    def _plain(self, function: Any, arguments: list[ast.expr], scope: Scope) -> ast.expr | None:
        """A function of the algebra, or one of the instructions' that is but an expression."""
        if function in (mux, choose):
            condition, yes, no = arguments
            if not isinstance(no, (Sized, ast.Constant)):
                yes = unsized(yes)
            return ast.IfExp(condition, yes, unsized(no))
        if function is concat:
            return piece(f"{{{', '.join(show(x) for x in arguments)}}}")
        if function is lut:
            return ast.Subscript(arguments[0], arguments[2], ast.Load())
        if function is rules._any and isinstance(arguments[0], ast.List):
            values = arguments[0].elts
            return values[0] if len(values) == 1 else ast.BoolOp(ast.Or(), values)
        if isinstance(function, types.FunctionType) and _INSTRUCTIONS in function.__module__:
            node, inner = node_of(function), scope_of(function)
            if isinstance(node, ast.Lambda) or ast.get_docstring(node) is not None:
                return None
            if len(arguments) != len(parameters_of(node)):
                return None
            inner.texts |= dict(zip(parameters_of(node), arguments, strict=True))
            single = self._single(node, inner) if len(body_of(node)) == 1 else None
            return single if single is not None and len(show(single)) < 80 else None
        return None

    def _applied(self, function: ast.expr, arguments: list[ast.expr], scope: Scope) -> ast.expr:
        """A function called with arguments that are rewritten already."""
        node: ast.FunctionDef | ast.Lambda | None = None
        inner = scope
        value = self.known(function, scope)
        if isinstance(function, ast.Lambda):
            node = function
        elif isinstance(function, ast.Name) and function.id in scope.locals:
            node, inner = scope.locals[function.id]
        elif isinstance(value, types.FunctionType) and value.__name__ == "<lambda>":
            node, inner = node_of(value), scope_of(value)
        if node is None:
            plain = self._plain(value, arguments, scope)
            return plain or ast.Call(self.expression(function, scope), arguments, [])
        made = replace(inner, texts=dict(inner.texts))
        made.assigned = inner.assigned - set(parameters_of(node))
        made.values = {k: v for k, v in inner.values.items() if k not in parameters_of(node)}
        made.texts |= dict(zip(parameters_of(node), arguments, strict=True))
        if isinstance(node, ast.Lambda):
            return self.expression(node.body, made)
        last = body_of(node)[0]
        assert isinstance(last, ast.Return) and last.value is not None
        return self.expression(last.value, made)

    def _method(self, target: ast.Attribute, node: ast.Call, scope: Scope) -> ast.expr | None:
        """A method of `Bits`, of a named tuple or of a list."""
        name = target.attr
        if name in _COMPARISONS:
            left, right = self.expression(target.value, scope), self.expression(node.args[0], scope)
            operation: ast.cmpop = _COMPARISONS[name]
            if isinstance(target.value, ast.Call) and called(target.value) == "const":
                left, right, operation = right, left, _FLIPPED[type(operation)]
            right = unsized(right)
            left, right = (bracketed(x, ast.BinOp) if is_bitwise(x) else x for x in (left, right))
            return ast.Compare(left, [operation], [right])
        if name == "const" and len(node.args) == 2:
            inside = self.expression(node.args[1], scope)
            width = self.known(node.args[0], scope)
            return Sized(piece(f"u{width}"), [inside], []) if isinstance(width, int) else inside
        if name == "zext":
            width = self.known(node.args[0], scope)
            inside = self.expression(target.value, scope)
            if isinstance(width, int):
                return ast.Call(piece(f"u{width}"), [inside], [])
            return ast.Call(piece("zext"), [inside, self.expression(node.args[0], scope)], [])
        if name == "extract":
            high, low = (self.expression(x, scope) for x in node.args)
            inside = self.expression(target.value, scope)
            if show(high) == show(low):
                return ast.Subscript(inside, high, ast.Load())
            return ast.Subscript(inside, ast.Slice(high, low), ast.Load())
        if name == "as_int":
            return self.expression(target.value, scope)
        if name == "_replace":
            changes = ", ".join(
                f"{k.arg} = {show(self.expression(k.value, scope))}" for k in node.keywords
            )
            return piece(f"{show(self.expression(target.value, scope))} with {changes}")
        if name == "append" and len(node.args) == 1:
            item = show(self.expression(node.args[0], scope))
            return piece(f"{show(target.value)} <- {show(target.value)} ++ [{item}]")
        if name == "bit_length" and not node.args:
            return ast.Call(piece("bit_length"), [self.expression(target.value, scope)], [])
        return None
