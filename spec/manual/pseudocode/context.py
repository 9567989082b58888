"""Rules for what a semantics function asks its context: operands, memories, vectors."""

from __future__ import annotations

import ast
import inspect
from dataclasses import replace
from typing import Any

from unmask.spec.encoding import Kind
from unmask.spec.manual.pseudocode.source import (
    Scope,
    body_of,
    first_sentence,
    node_of,
    parameters_of,
    scope_of,
    title,
)
from unmask.spec.manual.pseudocode.text import STEP, indented, piece, show, text_of, wrapped
from unmask.spec.manual.pseudocode.values import Values

_BANKS = {Kind.GP: "gp", Kind.F: "f", Kind.A: "a"}


class OfContext(Values):
    """`x[...]`, the methods of `x` and of `x.vectors`, and functions that are handed `x`."""

    def _is_vectors(self, node: ast.expr, scope: Scope) -> bool:
        if isinstance(node, ast.Name) and node.id in scope.texts:
            node = scope.texts[node.id]
        return isinstance(node, ast.Attribute) and node.attr == "vectors"

    def _operand(self, node: ast.expr, scope: Scope) -> str:
        """`gp[rs1]`, or the operand's name where its field is its value."""
        name = self.known(node, scope)
        if not isinstance(name, str):
            return f"operand({show(self.expression(node, scope))})"
        operand = self.operands.get(name)
        if operand is None or operand.kind not in _BANKS:
            return name
        return f"{_BANKS[operand.kind]}[{name}]"

    def _state(self, node: ast.expr, scope: Scope) -> str:
        return f"state[{self._operand(node, scope)} mod 4]"

    def _csr_name(self, node: ast.expr, scope: Scope) -> str:
        """A CSR that an operand names."""
        return f"csr[{show(self.expression(node, scope))}]"

    def _on_context(self, method: str, node: ast.Call, scope: Scope) -> ast.expr | None:
        first = node.args[0]
        known = self.known(first, scope)
        if method == "field":
            if isinstance(known, str) and self.operands and known not in self.operands:
                return ast.Constant(0)
            return piece(known if isinstance(known, str) else f"field({show(first)})")
        if method == "number":
            return self.expression(first, scope)
        if method == "csr":
            if isinstance(known, str):
                return piece(f"csr.{known}")
            if isinstance(first, ast.JoinedStr):
                return piece(f"csr.{show(self.expression(first, scope))}")
            return piece(self._csr_name(first, scope))
        if method == "softmax":
            return piece(self._state(first, scope))
        memory = text_of(self.expression(first, scope))
        if method == "depth":
            return piece(f"size({memory})")
        if method == "load":
            return piece(f"{memory}[{show(self.expression(node.args[1], scope))}]")
        if method == "read":
            where, length = (show(self.expression(x, scope)) for x in node.args[1:3])
            step = [show(self.expression(k.value, scope)) for k in node.keywords]
            by = f" by {step[0]}" if step else ""
            return piece(f"{memory}[{where} .. + {length}{by}]")
        return None

    def _on_vectors(self, method: str, node: ast.Call, scope: Scope) -> ast.expr | None:
        if method in ("map", "table"):
            arguments = [self.expression(x, scope) for x in node.args[1:]]
            inside = self._applied(node.args[0], arguments, scope)
            return ast.Call(piece("each"), [inside], [])
        if method == "of":
            values = show(self.expression(node.args[1], scope))
            return piece(values if values[0] == "[" else f"[{values.strip('()')}]")
        arguments = [self.expression(x, scope) for x in node.args]
        if method == "places":
            return piece(f"[0 .. {show(arguments[0])} - 1]")
        if method == "at":
            return ast.Subscript(arguments[0], arguments[1], ast.Load())
        if method == "join" and isinstance(arguments[0], ast.List):
            return piece(" ++ ".join(show(x) for x in arguments[0].elts))
        self.vectors.add(method)
        return ast.Call(piece(method), arguments, [])

    def _of_operands(self, function: Any, node: ast.Call, scope: Scope) -> ast.expr:
        """A function that sees the operands: its one expression, or its title, shown below."""
        definition = node_of(function)
        inner = scope_of(function)
        names = parameters_of(definition)
        given = dict(zip(names, self._spread(node.args, scope), strict=False))
        given |= {k.arg: k.value for k in node.keywords if k.arg}
        if isinstance(definition, ast.FunctionDef):
            missing = names[len(names) - len(definition.args.defaults) :]
            for name, default in zip(missing, definition.args.defaults, strict=True):
                given.setdefault(name, default)
        open_names, arguments = [], []
        for name, argument in given.items():
            if name == inner.context:
                continue
            value = self.known(argument, scope)
            if value is None or isinstance(value, (str, bool)) or callable(value):
                inner.values[name] = value
                inner.assigned.discard(name)
            else:
                open_names.append(name)
                arguments.append(self.expression(argument, scope))
        trial = replace(inner, texts=dict(inner.texts), assigned=set(inner.assigned))
        for name, shown in zip(open_names, arguments, strict=True):
            trial.texts[name] = shown
            trial.assigned.discard(name)
        single = self._single(definition, trial)
        if single is not None and self.naming and not arguments and isinstance(single, ast.IfExp):
            name = definition.name.lstrip("_") if isinstance(definition, ast.FunctionDef) else ""
            self._once(name, show(single))
            self.where[name] = [f"{name} is {show(single)}"]
            return piece(name)
        if single is not None and (not isinstance(single, ast.Call) or len(show(single)) < 60):
            return single
        name = title(function)
        assert isinstance(definition, ast.FunctionDef)
        self._once(name, (inspect.unwrap(function).__code__, inner.values))
        if name not in self.where:
            self.where[name] = []  # it may call itself
            head = f"{name}({', '.join(open_names)}):"
            says = [f"{STEP}; {line}" for line in first_sentence(function)]
            body = indented(self._block(body_of(definition), inner))
            self.where[name] = wrapped([head, *says, *body])
        return ast.Call(piece(name), arguments, [])

    def _once(self, name: str, meaning: Any) -> None:
        """A title under "where" must not stand for two things."""
        if self.meanings.setdefault(name, meaning) != meaning:
            raise ValueError(f"{name} would mean two things")

    def _spread(self, arguments: list[ast.expr], scope: Scope) -> list[ast.expr]:
        """Arguments with a starred tuple taken apart, where it is one."""
        result: list[ast.expr] = []
        for argument in arguments:
            if isinstance(argument, ast.Starred):
                inside = self.expression(argument.value, scope)
                result += inside.elts if isinstance(inside, ast.Tuple) else [argument]
            else:
                result.append(argument)
        return result

    def _write(self, node: ast.Call, scope: Scope) -> ast.expr:
        """`memory[address ..] <- values where enable`."""
        names = ("memory", "address", "values", "enable", "step")
        given = dict(zip(names, node.args, strict=False))
        given |= {k.arg: k.value for k in node.keywords if k.arg}
        memory = text_of(self.expression(given["memory"], scope))
        address, values = (
            show(self.expression(given[name], scope)) for name in ("address", "values")
        )
        by = f" by {show(self.expression(given['step'], scope))}" if "step" in given else ""
        text = f"{memory}[{address} ..{by}] <- {values}"
        if "enable" in given:
            enable = self.expression(given["enable"], scope)
            if not (isinstance(enable, ast.Constant) and enable.value is None):
                text += f" where {show(enable)}"
        return piece(text)
