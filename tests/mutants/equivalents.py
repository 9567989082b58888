"""The checked list of mutants that nothing can notice: `tests/quality/equivalent_mutants.toml`."""

from __future__ import annotations

import tomllib
from pathlib import Path

from unmask.spec.errors import UsageError

FILE = Path(__file__).parents[1] / "quality" / "equivalent_mutants.toml"


def load(path: Path = FILE) -> dict[str, str]:
    """Name of a mutant -> why it means the same as the original.

    Raises:
        UsageError: if the file cannot be read, or names a mutant twice or without a reason.
    """
    try:
        groups = tomllib.loads(path.read_text(encoding="utf-8")).get("equivalent", [])
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"cannot read the list: {error}", str(path)) from None
    found: dict[str, str] = {}
    for group in groups:
        reason, names = group.get("reason", ""), group.get("mutants", [])
        if not reason or not names:
            raise UsageError("a group needs a reason and mutants", str(path))
        for name in names:
            if name in found:
                raise UsageError(f"{name!r} stands there twice", str(path))
            found[name] = reason
    return found
