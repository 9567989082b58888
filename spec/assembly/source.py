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
        UsageError: if it cannot be read, or is no UTF-8 text.
    """
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"cannot read: {error.strerror}", str(path)) from None
    except UnicodeDecodeError:
        raise UsageError("not UTF-8 text", str(path)) from None


def lines(text: str, file: str, outer: tuple[str, ...] = ()) -> Iterator[Line]:
    """The lines that have code, those of included files in the place of their `.include`.

    Args:
        text: the source.
        file: its name; included files are sought beside it.
        outer: real paths of the files that include this one.

    Raises:
        UsageError: naming the line that includes what cannot be read or is being read already.
    """
    open_files = (*outer, os.path.realpath(file))
    for number, whole in enumerate(_LINE_END.split(text), start=1):
        match = _CODE.match(whole)
        assert match is not None  # it may be empty
        line = Line(file, number, match[0])
        include = _INCLUDE.fullmatch(line.code)
        if include is not None:
            yield from _included(line, include, open_files)
        elif line.code.strip():
            yield line


def _included(line: Line, include: re.Match[str], open_files: tuple[str, ...]) -> Iterator[Line]:
    quoted, column = include[2], include.start(1)
    name = re.fullmatch(r'"([^"]+)"', quoted)
    if name is None:
        line.fail(f'.include takes a file name, "name", got {quoted!r}', column)
    path = Path(line.file).parent / name[1]
    if len(open_files) > DEEPEST_INCLUDE:
        line.fail(f"files include each other over {DEEPEST_INCLUDE} deep", column)
    try:
        within_itself = os.path.realpath(path) in open_files
        text = "" if within_itself else read_text(path)
    except UsageError as error:
        line.fail(f".include: {error}", column)
    except ValueError as error:
        line.fail(f"{name[1]!r} is no file name: {error}", column)
    if within_itself:
        line.fail(f"{path} includes itself", column)
    yield from lines(text, str(path), open_files)
