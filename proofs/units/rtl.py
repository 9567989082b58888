"""Where this repository's Verilog is, and modules that need no binding file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from unmask.proofs.engine import smt, yosys
from unmask.proofs.engine.obligation import Files
from unmask.spec.errors import UsageError

RTL = Path(__file__).resolve().parents[2] / "rtl"


def load(file: Path, parameters: Mapping[str, int], files: Files) -> smt.Transition:
    """The module of a file (named like it) as a transition relation.

    Raises:
        UsageError: if there is no such file, or it does not elaborate.
    """
    if not file.is_file():
        raise UsageError("no such Verilog file", str(file))
    sources = yosys.replaced((file,), files)
    design = yosys.Design(sources, file.stem, parameters, (file.parent, RTL))
    return smt.load(yosys.export(design))
