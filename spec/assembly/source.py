"""The lines of an assembly program: comments taken away, included files put in their place."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from unmask.spec.errors import UsageError

DEEPEST_INCLUDE = 16
MOST_FILES = 1000  # that a program includes, one that is included twice counted twice
MOST_LINES = 10_000_000  # of a program, with those of all included files
MOST_BYTES = 1 << 28  # of a file; a device may have no end
# Everything before `;` or `//`, which inside quotes begin no comment.
_CODE = re.compile(r'(?:"[^"]*"|(?!//)[^;])*')
_INCLUDE = re.compile(r"\s*(\.include)(?![^\s\"])\s*(.*?)\s*")
_LINE_END = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of code.

    Attributes:
        file: its name as the user, or the including file, wrote it.
        number: 1-based.
        code: the text without its comment; columns are those of the file.
    """

    file: str
    number: int
    code: str

    def fail(self, message: str, offset: int) -> NoReturn:
        """Raise a UsageError at a 0-based offset of this line."""
        raise UsageError(message, self.file, self.number, offset + 1)


def read_text(path: Path) -> str:
    """The text of a file.

    Raises:
        UsageError: if it cannot be read, is too long, or is no UTF-8 text.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise UsageError(f"over {MOST_BYTES} bytes of text", str(path))
        return content.decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"cannot read: {error.strerror}", str(path)) from None
    except UnicodeDecodeError:
        raise UsageError("not UTF-8 text", str(path)) from None


@dataclass
class _Total:
    """What has been read of a program: included files, lines."""

    files: int = 0
    lines: int = 0


def lines(text: str, file: str) -> Iterator[Line]:
    """The lines that have code, those of included files in the place of their `.include`.

    Args:
        text: the source.
        file: its name; included files are sought beside it.

    Raises:
        UsageError: naming the line that includes what cannot be read or is being read already, or
            that is one too many.
    """
    return _lines(text, file, (), _Total())


def _lines(text: str, file: str, outer: tuple[str, ...], total: _Total) -> Iterator[Line]:
    """`outer` are the real paths of the files that include this one."""
    open_files = (*outer, os.path.realpath(file))
    for number, whole in enumerate(_LINE_END.split(text), start=1):
        total.lines += 1
        if total.lines > MOST_LINES:
            message = f"the program has over {MOST_LINES} lines, with those of included files"
            raise UsageError(message, file, number)
        match = _CODE.match(whole)
        assert match is not None  # it may be empty
        line = Line(file, number, match[0])
        include = _INCLUDE.fullmatch(line.code)
        if include is not None:
            yield from _included(line, include, open_files, total)
        elif line.code.strip():
            yield line


def _included(
    line: Line, include: re.Match[str], open_files: tuple[str, ...], total: _Total
) -> Iterator[Line]:
    quoted, column = include[2], include.start(1)
    name = re.fullmatch(r'"([^"]+)"', quoted)
    if name is None:
        line.fail(f'.include takes a file name, "name", got {quoted!r}', column)
    path = Path(line.file).parent / name[1]
    if len(open_files) > DEEPEST_INCLUDE:
        line.fail(f"files include each other over {DEEPEST_INCLUDE} deep", column)
    total.files += 1
    if total.files > MOST_FILES:
        line.fail(f"the program includes over {MOST_FILES} files", column)
    try:
        within_itself = os.path.realpath(path) in open_files
        text = "" if within_itself else read_text(path)
    except UsageError as error:
        line.fail(f".include: {error}", column)
    except ValueError as error:
        line.fail(f"{name[1]!r} is no file name: {error}", column)
    if within_itself:
        line.fail(f"{path} includes itself", column)
    yield from _lines(text, str(path), open_files, total)
