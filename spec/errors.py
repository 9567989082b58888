"""Errors a user can mend: one clear line, and exit code 2 from every command."""

from __future__ import annotations


class UsageError(Exception):
    """Bad input to a tool. `str()` is one line that names the file, the place and the value.

    Args:
        message: what is wrong and what was expected.
        file: the input's name, if it came from a file.
        line: 1-based line in it.
        column: 1-based column in it.
    """

    def __init__(
        self, message: str, file: str = "", line: int | None = None, column: int | None = None
    ) -> None:
        places = [file, *(str(number) for number in (line, column) if number is not None)]
        where = ":".join(place for place in places if place)
        super().__init__(f"{where}: {message}" if where else message)
