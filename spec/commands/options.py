"""How commands take their arguments: numbers, ranges, errors of one line."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from unmask.spec.errors import UsageError

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction["Parser"]


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, as those of all commands."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**{"allow_abbrev": False, **settings})

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} (try {self.prog} --help)")

    def _print_message(self, message: str, file: Any = None) -> None:
        print(message, end="", file=file or sys.stderr)  # argparse would hide an error


def file_path(text: str) -> Path:
    """A file's name, which nothing else can be wrong with than that there is no such file."""
    if not text or "\0" in text:
        raise argparse.ArgumentTypeError(f"{text!r} is no name of a file")
    return Path(text)


def number(text: str) -> int:
    """An unsigned number, decimal or 0x."""
    if not re.fullmatch(r"[0-9]{1,20}|0[xX][0-9a-fA-F]{1,16}", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{text!r} is not an unsigned number")
    return int(text, 16 if text[:2] in ("0x", "0X") else 10)


def extent(text: str) -> tuple[int, int]:
    """FIRST:END."""
    first, sign, end = text.partition(":")
    if not sign or not first or not end:
        raise argparse.ArgumentTypeError(f"{text!r} is not FIRST:END")
    return number(first), number(end)
