"""A planted bug, and which checks must catch it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Bug:
    """A planted bug.

    Attributes:
        name: what `ci/gate --demo` takes.
        doc: what a designer did wrong.
        file: Verilog file below `rtl`.
        old, new: the text replaced; `old` must stand there exactly once.
        caught_by: checks that must turn red.
    """

    name: str
    doc: str
    file: str
    old: str
    new: str
    caught_by: tuple[str, ...]
