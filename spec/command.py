"""How a person runs one of our commands: the text that reports and errors print."""

from __future__ import annotations

import sys
from pathlib import Path


def python(*words: object) -> str:
    """A `python -m ...` command with the interpreter that runs now, relative if it is below."""
    interpreter = Path(sys.executable)
    if interpreter.is_relative_to(Path.cwd()):
        interpreter = interpreter.relative_to(Path.cwd())
    return " ".join(map(str, (interpreter, "-m", *words)))
