"""Calls of `python -m unmask.model` inside a test's own process."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from unmask.model.__main__ import main


class Said(NamedTuple):
    """Exit code, standard output, standard error."""

    code: int
    out: str
    err: str


def call(capsys: pytest.CaptureFixture[str], *words: object) -> Said:
    code = main([str(word) for word in words])
    return Said(code, *capsys.readouterr())
