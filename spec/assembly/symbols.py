"""The names of an assembly program, and the values that they get once all lines are read."""

from __future__ import annotations

import difflib
from collections.abc import Callable

from unmask.spec.assembly.expressions import ExpressionError, evaluate
from unmask.spec.assembly.source import Line

Place = tuple[str, int]  # a text, and its 0-based offset in the line


class _Later(Exception):
    """The value of a name is needed that has none yet."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class Symbols:
    """Labels and `.equ` names: name -> value, or the place of the expression that gives it.

    Args:
        reserved: whether a name means something else where an operand stands.
    """

    def __init__(self, reserved: Callable[[str], bool]) -> None:
        self._reserved = reserved
        self._values: dict[str, int] = {}
        self._expressions: dict[str, tuple[Line, Place]] = {}
        self._lines: dict[str, Line] = {}
        self._waiting: list[str] = []

    def define(self, name: str, value: int | Place, line: Line, offset: int) -> None:
        """Note a name once; a UsageError at this place of the line if it cannot be one."""
        if name in self._lines:
            first = self._lines[name]
            line.fail(f"{name!r} is defined already, at {first.file}:{first.number}", offset)
        if self._reserved(name):
            line.fail(f"{name!r} is reserved; take another name", offset)
        self._lines[name] = line
        if isinstance(value, int):
            self._values[name] = value
        else:
            self._expressions[name] = line, value

    def resolve(self) -> None:
        """Give every `.equ` name its value; one that needs another's waits for it."""
        for first in self._expressions:
            self._waiting = [] if first in self._values else [first]
            while self._waiting:
                name = self._waiting[-1]
                try:
                    self._values[name] = self.value(*self._expressions[name])
                    self._waiting.pop()
                except _Later as later:
                    self._waiting.append(later.name)

    def value(self, line: Line, place: Place, what: str = "") -> int:
        """The value of an expression in a line."""
        text, offset = place
        try:
            return evaluate(text, self.lookup)
        except ExpressionError as error:
            line.fail(f"{what}{error}", offset + error.offset)

    def lookup(self, name: str) -> int:
        """The value of a name; KeyError, with a message, where it has none."""
        if name in self._values:
            return self._values[name]
        if name not in self._expressions:
            close = difflib.get_close_matches(name, self._lines, n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            raise KeyError(f"unknown name {name!r}{hint}")
        if name in self._waiting:
            raise KeyError(f"{name!r} is defined by itself")
        raise _Later(name)
