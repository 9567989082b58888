"""Where things are: the root of the checkout (or installed package), the RTL, the build folder."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RTL = ROOT / "rtl"
CHECKOUT = (ROOT / "unmask.py").is_file()  # else an installed package, which stays as it is
BUILD = (ROOT if CHECKOUT else Path.cwd()) / "build"


def shown(path: Path) -> str:
    """A path as a person types it from the repository's root."""
    return str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)
