"""A row of the ledger."""

from __future__ import annotations

from dataclasses import dataclass

PROVEN = "proven"
REFUTED = "refuted"  # there is a counterexample


@dataclass(frozen=True)
class Record:
    """What came of one theorem.

    Attributes:
        name, statement, bounds, engine: as in the theorem.
        obligations: cases proven, before the first failure if there is one.
        seconds: wall-clock, twin included.
        peak_mb: peak resident memory of the process or of Yosys, whichever was more.
        twin: which case refuted the broken twin.
        witness: how the premises were shown to be satisfiable.
        verdict: "proven"; or "refuted", "disputed" (by the second solver), "time-out",
            "vacuous", "twin survived", "crashed", "error".
        detail: the decoded counterexample, or what else went wrong.
        cached: whether it comes from an earlier run on the same inputs.
    """

    name: str
    statement: str
    bounds: str
    engine: str
    obligations: int = 0
    seconds: float = 0.0
    peak_mb: float = 0.0
    twin: str = ""
    witness: str = ""
    verdict: str = ""
    detail: str = ""
    cached: bool = False
