"""Integer expressions of the assembler: numbers, names, `+ - * / % << >> & | ~` and parentheses.

Operators bind as in C. Values are signed and of at most 64 bits, so `~0 & 0xFF` is 255; `/` and
`%` round down, towards minus infinity.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator

NAME = r"[A-Za-z_][A-Za-z0-9_]*"
MOST = 1 << 64  # no value reaches it, of either sign
_DEEPEST = 32  # parentheses and signs within each other
_TOKEN = re.compile(rf"\s*(?:(?P<number>[0-9]\w*)|(?P<name>{NAME})|(?P<sign><<|>>|[-+*/%&|~()]))")
_NUMBER = re.compile(r"0[xX][0-9a-fA-F]{1,16}|0[bB][01]{1,64}|[0-9]{1,20}", re.ASCII)
_BINARY: tuple[dict[str, Callable[[int, int], int]], ...] = (
    {"|": operator.or_},
    {"&": operator.and_},
    {"<<": operator.lshift, ">>": operator.rshift},
    {"+": operator.add, "-": operator.sub},
    {"*": operator.mul, "/": operator.floordiv, "%": operator.mod},
)
_UNARY: dict[str, Callable[[int], int]] = {"-": operator.neg, "+": int, "~": operator.invert}


class ExpressionError(ValueError):
    """A wrong expression.

    Args:
        message: what is wrong.
        offset: 0-based, of the character in the expression.
    """

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.offset = offset


def evaluate(text: str, lookup: Callable[[str], int]) -> int:
    """The value of an expression.

    Args:
        text: the expression.
        lookup: name -> value; raises KeyError with a message where there is none.

    Raises:
        ExpressionError: naming the place and the value.
    """
    plain = text.strip()
    if plain.isdigit() and plain.isascii() and len(plain) < 20:  # most operands are plain numbers
        return int(plain)
    return _Parser(text, lookup).whole()


class _Parser:
    """Recursive descent, one level of `_BINARY` at a time; values are computed on the way."""

    def __init__(self, text: str, lookup: Callable[[str], int]) -> None:
        self._lookup = lookup
        self._tokens = _tokens(text)
        self._depth = 0
        self._advance()

    def whole(self) -> int:
        value = self._level(0)
        if self._kind != "end":
            raise ExpressionError(f"an operator is expected, not {self._text!r}", self._at)
        return value

    def _advance(self) -> None:
        self._kind, self._text, self._at = next(self._tokens)

    def _level(self, level: int) -> int:
        if level == len(_BINARY):
            return self._unary()
        value = self._level(level + 1)
        while self._kind == "sign" and self._text in _BINARY[level]:
            sign, at = self._text, self._at
            self._advance()
            right = self._level(level + 1)
            if sign in "/%" and right == 0:
                raise ExpressionError("division by zero", at)
            if sign in ("<<", ">>") and not 0 <= right <= 64:
                raise ExpressionError(f"a shift by {right}; expected 0 to 64", at)
            value = _BINARY[level][sign](value, right)
            if not -MOST < value < MOST:
                raise ExpressionError("a value of over 64 bits", at)
        return value

    def _unary(self) -> int:
        self._depth += 1
        kind, text, at = self._kind, self._text, self._at
        if self._depth > _DEEPEST:
            raise ExpressionError(f"nested over {_DEEPEST} deep", at)
        if kind == "end":
            raise ExpressionError("a number, a name or '(' is expected", at)
        self._advance()
        if kind == "number":
            value = _number(text, at)
        elif kind == "name":
            try:
                value = self._lookup(text)
            except KeyError as error:
                raise ExpressionError(str(error.args[0]), at) from None
        elif kind == "sign" and text in _UNARY:
            value = _UNARY[text](self._unary())
        elif text == "(":
            value = self._level(0)
            if self._text != ")":
                raise ExpressionError("this '(' has no ')'", at)
            self._advance()
        else:
            raise ExpressionError(f"a number, a name or '(' is expected, not {text!r}", at)
        self._depth -= 1
        return value


def _tokens(text: str) -> Iterator[tuple[str, str, int]]:
    """(kind, text, offset), at last `end`."""
    place = 0
    while text[place:].strip():
        token = _TOKEN.match(text, place)
        if token is None:
            at = place + len(text[place:]) - len(text[place:].lstrip())
            raise ExpressionError(f"unexpected {text[at:]!r}", at)
        kind = str(token.lastgroup)
        yield kind, token[kind], token.start(kind)
        place = token.end()
    yield "end", "", len(text.rstrip())


def _number(text: str, at: int) -> int:
    if not _NUMBER.fullmatch(text):
        raise ExpressionError(f"{text!r} is not a number (decimal, 0x or 0b, up to 64 bits)", at)
    base = {"x": 16, "b": 2}.get(text[1:2].lower(), 10)
    value = int(text, base)
    if value >= MOST:
        raise ExpressionError(f"{text} has over 64 bits", at)
    return value
