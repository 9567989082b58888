"""Text for Verilog's `$readmemh`: words in hex, one a line, comments, addresses (`@hex`)."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmask.spec.commands.files import read_bytes
from unmask.spec.errors import UsageError


def text(array: NDArray[Any], describe: Callable[[tuple[int, ...]], str]) -> str:
    """An array as `$readmemh` text: an address and a comment before each last-axis row.

    Args:
        array: of integers or bool, at least one axis. Negative numbers are two's complement.
        describe: index of a row (all axes but the last) -> what its comment says.
    """
    words = array.view(f"u{array.itemsize}") if array.dtype.kind == "i" else array.astype(np.uint64)
    digits = 1 if array.dtype == bool else 2 * array.itemsize
    lines = []
    for place, index in enumerate(np.ndindex(array.shape[:-1])):
        lines.append(f"@{place * array.shape[-1]:x} // {describe(index)}")
        lines += [f"{word:0{digits}x}" for word in words[index].tolist()]
    return "\n".join(lines) + "\n"


def read(path: Path, count: int) -> NDArray[np.int64]:
    """The words of a `$readmemh` file, (count,); each of them must be there.

    Raises:
        UsageError: names the file, the line, and what is wrong.
    """
    words = np.zeros(count, np.int64)
    there = np.zeros(count, bool)
    try:
        content = read_bytes(path).decode()
    except UnicodeDecodeError:
        raise UsageError("is no text", str(path)) from None
    # A comment over several lines leaves its line breaks, so that errors name the right line.
    content = re.sub(r"/\*.*?\*/", lambda found: "\n" * found[0].count("\n"), content, flags=re.S)
    place = 0
    for line, full in enumerate(content.splitlines(), start=1):
        for word in full.partition("//")[0].split():
            digits = word.removeprefix("@").replace("_", "")
            if not re.fullmatch(r"[0-9a-fA-F]{1,16}", digits):
                raise UsageError(f"{word!r} is no hex word", str(path), line)
            if word.startswith("@"):
                place = int(digits, 16)
                continue
            if place >= count:
                raise UsageError(f"a word at {place:#x}; {count} are expected", str(path), line)
            if len(digits) > 15:
                raise UsageError(f"{word!r} has more than 60 bits", str(path), line)
            words[place], there[place] = int(digits, 16), True
            place += 1
    if not there.all():
        missing = int(np.argmin(there))
        raise UsageError(f"no word at {missing:#x}; {count} are expected", str(path))
    return words
