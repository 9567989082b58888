"""A second SMT solver, fed with SMT-LIB text, so that no theorem rests on one solver's word."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import bitwuzla
import z3


def check(facts: Iterable[Any], timeout_s: float) -> str:
    """Whether the facts can be met together: "sat", "unsat" or "unknown".

    Unknown too where it does not take what z3 writes, such as functions of z3's own.
    """
    writer = z3.Solver()
    for fact in facts:
        writer.add(fact)
    # The question is asked below; as a command in the text it would print its answer.
    text = writer.to_smt2().replace("(check-sat)", "")
    end = time.monotonic() + timeout_s
    parser = bitwuzla.Parser(bitwuzla.TermManager(), bitwuzla.Options())
    parser.configure_terminator(lambda: time.monotonic() > end)
    try:
        parser.parse(text, True, False)
    except bitwuzla.BitwuzlaException:
        return "unknown"
    names = {bitwuzla.Result.SAT: "sat", bitwuzla.Result.UNSAT: "unsat"}
    return names.get(parser.bitwuzla().check_sat(), "unknown")
