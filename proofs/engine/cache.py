"""Results of earlier runs, under build/proofs, keyed by everything that they can depend on."""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import asdict
from functools import cache
from importlib.metadata import version
from pathlib import Path

from unmask.proofs.engine import compiled
from unmask.proofs.engine.obligation import Files, Theorem
from unmask.proofs.engine.record import Record

FOLDER = Path("build", "proofs")
_PACKAGES = ("z3-solver", "bitwuzla", "pyosys", "numpy", "mpmath")
_ROOT = Path(__file__).resolve().parents[2]


@cache
def _python_and_engines() -> str:
    """A digest of all sources that a proof can use, and of the engines' versions."""
    digest = hashlib.sha256(sys.version.encode())
    digest.update(compiled.compiler_version().encode())
    for package in _PACKAGES:
        digest.update(f"{package} {version(package)}\n".encode())
    for folder in ("spec", "model", "proofs"):
        for path in sorted((_ROOT / folder).rglob("*.py")):
            digest.update(str(path.relative_to(_ROOT)).encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def key(theorem: Theorem, files: Files) -> str:
    """The name under which a theorem's result is stored."""
    digest = hashlib.sha256(f"{_python_and_engines()} {theorem.name}".encode())
    # Whatever lies beside a source may be included by it.
    beside = {path for folder in theorem.folders for path in folder.iterdir() if path.is_file()}
    for path in (*theorem.sources, *sorted(beside)):
        real = files.get(path, path)
        digest.update(f"{path} {real}".encode())
        digest.update(real.read_bytes() if real.is_file() else b"")
    return digest.hexdigest()[:32]


def read(name: str) -> Record | None:
    """A stored record; None if there is none, or it cannot be read."""
    try:
        return Record(**json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def write(name: str, record: Record) -> None:
    """Store a record; in one step, so that a reader never sees half of it."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    draft = FOLDER / f"{name}.draft"
    draft.write_text(json.dumps(asdict(record), indent=1), encoding="utf-8")
    draft.replace(FOLDER / f"{name}.json")
