"""Which line of its source each word of a program comes from."""

from __future__ import annotations

import re
from pathlib import Path

from unmask.spec.assembly.expressions import NAME
from unmask.spec.assembly.source import Line, lines, read_text

# After its labels, a line holds one word, but for `.equ`; `.include` is replaced by its file.
# Possessive: a label alone must not be taken for the beginning of a mnemonic.
_STATEMENT = re.compile(rf"(?:\s*{NAME}\s*:)*+\s*+(?!\.equ\b)\S")


def word_lines(path: Path) -> list[Line]:
    """The line of each word of a program that assembles, in order."""
    found = lines(read_text(path), str(path))
    return [line for line in found if _STATEMENT.match(line.code)]
