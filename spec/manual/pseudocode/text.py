"""Rewritten expressions as text: pieces of text that stand in a tree, and lines made of it."""

from __future__ import annotations

import ast
import copy

WIDTH = 96  # of a line
STEP = "    "
BITWISE = (ast.BitAnd, ast.BitOr, ast.BitXor, ast.LShift, ast.RShift)

Lines = list[str]


class Sized(ast.Call):
    """A constant of a stated width, `u16(0)`; the width is left out where a neighbour has it."""


def unsized(node: ast.expr) -> ast.expr:
    return node.args[0] if isinstance(node, Sized) else node


class _Plain(ast.NodeTransformer):
    """`and` and `or` as a person writes them: `ast.unparse` puts the last operand in brackets."""

    def __init__(self, top: ast.AST) -> None:
        self.top = top

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        self.generic_visit(node)
        word = " and " if isinstance(node.op, ast.And) else " or "
        parts = [ast.unparse(x) for x in node.values]
        wide = (ast.IfExp, ast.Lambda)
        parts = [
            f"({part})" if isinstance(value, wide) else part
            for part, value in zip(parts, node.values, strict=True)
        ]
        text = word.join(parts)
        return piece(text if node is self.top else f"({text})")

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        """Large numbers are bit patterns."""
        value = node.value
        return piece(f"0x{value:X}") if isinstance(value, int) and value >= 1024 else node

    def visit_Sized(self, node: Sized) -> ast.AST:
        return self.generic_visit(ast.Call(node.func, node.args, node.keywords))

    def visit_keyword(self, node: ast.keyword) -> ast.AST | None:
        return None if node.arg == "strict" else self.generic_visit(node)


def show(node: ast.AST) -> str:
    """The text of a rewritten expression."""
    copied = copy.deepcopy(node)
    return ast.unparse(_Plain(copied).visit(copied))


def stated(node: ast.expr) -> str:
    """The text of what a statement assigns or returns."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "each":
        return f"for each element: {show(node.args[0])}"
    return show(node)


def piece(text: str) -> ast.Name:
    """A piece of text that stands where an expression stands."""
    return ast.Name(text, ast.Load())


def bare(node: ast.expr) -> str:
    """A tuple without its brackets."""
    return ", ".join(show(x) for x in node.elts) if isinstance(node, ast.Tuple) else show(node)


def text_of(node: ast.expr) -> str:
    """A string constant's text, or the expression."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    return show(node)


def bracketed(node: ast.expr, kind: type[ast.expr]) -> ast.expr:
    return piece(f"({show(node)})") if isinstance(node, kind) else node


def is_bitwise(node: ast.expr) -> bool:
    return isinstance(node, ast.BinOp) and isinstance(node.op, BITWISE)


def less_one(node: ast.expr) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        return str(node.value - 1)
    return show(ast.BinOp(node, ast.Sub(), ast.Constant(1)))


def rounded_up(node: ast.UnaryOp) -> tuple[ast.expr, ast.expr] | None:
    """a and b of `-(-a // b)`."""
    inside = node.operand
    if (
        isinstance(node.op, ast.USub)
        and isinstance(inside, ast.BinOp)
        and isinstance(inside.op, ast.FloorDiv)
        and isinstance(inside.left, ast.UnaryOp)
        and isinstance(inside.left.op, ast.USub)
    ):
        return inside.left.operand, inside.right
    return None


def is_logical(node: ast.expr) -> bool:
    """Whether an expression is surely one bit."""
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.op, ast.Not)
    return isinstance(node, (ast.Compare, ast.BoolOp))


def called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else ""


def is_attribute(node: ast.expr, owner: str, name: str) -> bool:
    return (
        isinstance(node, ast.Attribute)
        and node.attr == name
        and isinstance(node.value, ast.Name)
        and node.value.id == owner
        and bool(owner)
    )


def passes(node: ast.Call, context: str) -> bool:
    """Whether a call hands on the context."""
    return bool(context) and any(isinstance(x, ast.Name) and x.id == context for x in node.args)


def indented(lines: Lines) -> Lines:
    return [STEP + line for line in lines]


def wrapped(lines: Lines) -> Lines:
    """Lines broken at spaces where they are too long, continued deeper."""
    result: Lines = []
    for line in lines:
        indent = " " * (len(line) - len(line.lstrip()) + 2 * len(STEP))
        while len(line) > WIDTH:
            place = line.rfind(" ", len(indent) + 1, WIDTH)
            if place < 0:
                break
            result.append(line[:place])
            line = indent + line[place + 1 :]
        result.append(line)
    return result
