"""Rules for statements and whole functions: what the manual asks for."""

from __future__ import annotations

import ast
import types
from dataclasses import replace
from typing import Any

from unmask.spec.encoding import Effect, Loop
from unmask.spec.manual.pseudocode.expressions import Expressions
from unmask.spec.manual.pseudocode.source import (
    UNKNOWN,
    Scope,
    assigned_in,
    body_of,
    node_of,
    parameters_of,
    scope_of,
    title,
)
from unmask.spec.manual.pseudocode.text import (
    STEP,
    Lines,
    bare,
    indented,
    is_attribute,
    passes,
    piece,
    show,
    stated,
    text_of,
    wrapped,
)

LOOPS = {
    Loop.START: "push (next word, imm22, rd) on the loop stack; if imm22 == 0: go behind the end",
    Loop.END: "gp[rd] <- iterations left; go to the loop's first word, or pop it if there are none",
}


class Reader(Expressions):
    """Translates the functions of one row, or of none."""

    def operation(self, semantics: Any) -> Lines:
        """The lines of a row's semantics."""
        scope = scope_of(semantics)
        node = node_of(semantics)
        assert isinstance(node, ast.FunctionDef)
        return wrapped(self._block(body_of(node), scope, tail=True))

    def condition(self, function: Any) -> Lines:
        """A trap's condition: one line where it can be."""
        self.naming = True  # a length that each condition uses is told once
        scope = scope_of(function)
        node = node_of(function)
        single = self._single(node, scope)
        if single is not None:
            return wrapped([stated(single)])
        assert isinstance(node, ast.FunctionDef)
        return wrapped(self._block(body_of(node), scope))

    def definition(self, function: Any) -> Lines:
        """A function for the appendix."""
        node = node_of(function)
        scope = scope_of(function)
        parameters = [name for name in parameters_of(node) if name != "self"]
        head = f"{title(function)}({', '.join(parameters)}):"
        if isinstance(node, ast.Lambda):
            lines = [f"return {show(self.expression(node.body, scope))}"]
        else:
            lines = self._block(body_of(node), scope)
        return wrapped([head, *(STEP + line for line in lines)])

    def _single(self, node: ast.FunctionDef | ast.Lambda, scope: Scope) -> ast.expr | None:
        """A function as one expression: names that are assigned once are put in; or None."""
        if isinstance(node, ast.Lambda):
            return self.expression(node.body, scope)
        inner = replace(scope, texts=dict(scope.texts), assigned=set(scope.assigned))
        body = self._settled(body_of(node), inner)
        if not body or not isinstance(body[-1], ast.Return) or body[-1].value is None:
            return None
        for statement in body[:-1]:
            pairs = self._pairs(statement, inner)
            if pairs is None:
                return None
            for name, value in pairs:
                used = sum(
                    isinstance(x, ast.Name) and x.id == name and isinstance(x.ctx, ast.Load)
                    for x in ast.walk(node)
                )
                if used > 2 and len(show(value)) > 20:
                    return None
                inner.texts[name] = value
                inner.assigned.discard(name)
        result = self.expression(body[-1].value, inner)
        return result if len(show(result)) < 240 else None

    def _settled(self, body: list[ast.stmt], scope: Scope) -> list[ast.stmt]:
        """The statements with every `if` resolved that is decided already."""
        kept: list[ast.stmt] = []
        for statement in body:
            if isinstance(statement, ast.If):
                value = self.known(statement.test, scope)
                if value is not UNKNOWN:
                    kept += self._settled(statement.body if value else statement.orelse, scope)
                    if kept and isinstance(kept[-1], ast.Return):
                        return kept
                    continue
            kept.append(statement)
        return kept

    def _block(self, body: list[ast.stmt], scope: Scope, tail: bool = False) -> Lines:
        """Lines of statements.

        Args:
            tail: whether what the last one returns is what the instruction does, and nothing
                follows it.
        """
        lines: Lines = []
        body = self._settled(body, scope)
        for place, statement in enumerate(body):
            lines += self._statement(statement, scope, tail and place == len(body) - 1)
        return lines

    def _statement(self, statement: ast.stmt, scope: Scope, tail: bool) -> Lines:
        if isinstance(statement, ast.FunctionDef):
            return self._inner(statement, scope)
        if isinstance(statement, ast.Return):
            return self._return(statement.value, scope, tail)
        pairs = self._pairs(statement, scope)
        if pairs is not None:
            return [f"{name} <- {stated(value)}" for name, value in pairs]
        if isinstance(statement, ast.Assign):
            value = self.expression(statement.value, scope)
            return [f"{bare(statement.targets[0])} <- {stated(value)}"]
        if isinstance(statement, ast.AugAssign):
            value = self.expression(statement.value, scope)
            name = show(statement.target)
            return [f"{name} <- {show(ast.BinOp(piece(name), statement.op, value))}"]
        if isinstance(statement, ast.If):
            lines = [f"if {show(self.expression(statement.test, scope))}:"]
            lines += indented(self._block(statement.body, scope))
            if statement.orelse:
                other = self._block(statement.orelse, scope)
                if len(statement.orelse) == 1 and isinstance(statement.orelse[0], ast.If):
                    return [*lines, f"else {other[0]}", *other[1:]]
                lines += ["else:", *indented(other)]
            return lines
        if isinstance(statement, ast.For):
            over = bare(self.expression(statement.iter, scope))
            head = f"for {bare(statement.target)} in {over}:"
            return [head, *indented(self._block(statement.body, scope))]
        if isinstance(statement, ast.While):
            head = f"while {show(self.expression(statement.test, scope))}:"
            return [head, *indented(self._block(statement.body, scope))]
        if isinstance(statement, ast.Expr):
            return [show(self.expression(statement.value, scope))]
        return show(statement).splitlines()

    def _pairs(self, statement: ast.stmt, scope: Scope) -> list[tuple[str, ast.expr]] | None:
        """(name, value) of a plain assignment; of several where each value is known by itself."""
        if isinstance(statement, ast.AnnAssign) and statement.value is not None:
            target: ast.expr = statement.target
        elif isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            target = statement.targets[0]
        else:
            return None
        value = statement.value
        assert value is not None
        if isinstance(target, ast.Name):
            if isinstance(value, ast.Lambda):
                scope.locals[target.id] = (value, scope)
                return []
            if is_attribute(value, scope.context, "vectors"):
                scope.texts[target.id] = value
                return []
            return [(target.id, self.expression(value, scope))]
        if isinstance(target, ast.Tuple):
            names = [show(element) for element in target.elts]
            values = self._unrolled(value, scope)
            used = {x.id for x in ast.walk(value) if isinstance(x, ast.Name)}
            if values is not None and len(values) == len(names) and not used & set(names):
                return list(zip(names, values, strict=True))
        return None

    def _inner(self, node: ast.FunctionDef, scope: Scope) -> Lines:
        """A function within a function: put in where it is called, or shown if it is longer."""
        inner = replace(scope, texts=dict(scope.texts), context="")
        inner.assigned = scope.assigned | set(parameters_of(node)) | assigned_in(node.body)
        body = body_of(node)
        if len(body) == 1 and isinstance(body[0], ast.Return):
            scope.locals[node.name] = (node, inner)
            return []
        scope.assigned.add(node.name)
        head = f"{node.name}({', '.join(parameters_of(node))}):"
        return [head, *indented(self._block(body, inner))]

    def _return(self, value: ast.expr | None, scope: Scope, tail: bool) -> Lines:
        if value is None:
            return ["return"]
        if isinstance(value, ast.Call) and self.known(value.func, scope) is Effect:
            lines = self._effect(value, scope)
            return lines if tail else [*lines, "done"]
        if tail and isinstance(value, ast.Call):
            inlined = self._tail_call(value, scope)
            if inlined is not None:
                return inlined
        made = self.expression(value, scope)
        head = "" if tail else "return "
        if isinstance(made, ast.Call) and len(made.keywords) > 2:
            parts = [f"{k.arg} = {show(k.value)}" for k in made.keywords]
            return [f"{head}{show(made.func)}", *indented(parts)]
        return [f"{head}{stated(made)}"]

    def _tail_call(self, call: ast.Call, scope: Scope) -> Lines | None:
        """The statements of a function of operands that the instruction ends with."""
        function = self.known(call.func, scope)
        if not isinstance(function, types.FunctionType) or not passes(call, scope.context):
            return None
        node = node_of(function)
        inner = scope_of(function)
        if not isinstance(node, ast.FunctionDef) or inner.assigned & scope.assigned - set(
            parameters_of(node)
        ):
            return None
        if call.keywords or len(call.args) != len(parameters_of(node)):
            return None
        lines: Lines = []
        for name, argument in zip(parameters_of(node), call.args, strict=True):
            if name == inner.context:
                continue
            value = self.expression(argument, scope)
            if isinstance(value, (ast.Name, ast.Constant)):
                inner.texts[name] = value
                inner.assigned.discard(name)
                if isinstance(value, ast.Constant):
                    inner.values[name] = value.value
                    del inner.texts[name]
            else:
                lines.append(f"{name} <- {show(value)}")
        return lines + self._block(body_of(node), inner, tail=True)

    def _effect(self, call: ast.Call, scope: Scope) -> Lines:
        lines: Lines = []
        for keyword in call.keywords:
            value = keyword.value
            if keyword.arg == "registers" and isinstance(value, ast.Dict):
                for key, new in zip(value.keys, value.values, strict=True):
                    assert key is not None
                    target = self._operand(key, scope)
                    lines.append(f"{target} <- {show(self.expression(new, scope))}")
            elif keyword.arg == "csrs" and isinstance(value, ast.Dict):
                for key, new in zip(value.keys, value.values, strict=True):
                    assert key is not None
                    known = self.known(key, scope)
                    name = f"csr.{known}" if isinstance(known, str) else self._csr_name(key, scope)
                    lines.append(f"{name} <- {show(self.expression(new, scope))}")
            elif keyword.arg == "stores" and isinstance(value, ast.Tuple):
                for item in value.elts:
                    assert isinstance(item, ast.Tuple)
                    memory, where, what = (self.expression(x, scope) for x in item.elts)
                    place = f"{text_of(memory)}[{show(where)}]"
                    lines.append(f"{place} <- {show(what)}")
            elif keyword.arg == "writes" and isinstance(value, ast.Tuple):
                lines += [show(self.expression(x, scope)) for x in value.elts]
            elif keyword.arg == "writes":
                lines += self._writes(value, scope)
            elif keyword.arg == "softmax" and isinstance(value, ast.Tuple):
                target = self._state(value.elts[0], scope)
                new = value.elts[1]
                lines.append(f"{target} <- {show(self.expression(new, scope))}")
            elif keyword.arg == "loop":
                lines.append(LOOPS[self.known(value, scope)])
            elif keyword.arg == "stop":
                lines.append("stop")
            else:
                lines.append(f"{keyword.arg}: {show(self.expression(value, scope))}")
        return lines

    def _writes(self, value: ast.expr, scope: Scope) -> Lines:
        """`tuple(...)` of writes: a loop over them, or the list that collected them."""
        inside = value.args[0] if isinstance(value, ast.Call) else value
        if isinstance(inside, ast.GeneratorExp):
            generator = inside.generators[0]
            over = show(self.expression(generator.iter, scope))
            head = f"for {show(generator.target)} in {over}:"
            return [head, STEP + show(self.expression(inside.elt, scope))]
        return [f"do {show(self.expression(inside, scope))}, in order"]
