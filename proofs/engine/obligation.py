"""What a theorem is, and how its obligations are discharged.

A theorem is a function that yields obligations about something real, and the same for a *twin*
that is broken on purpose. It holds only if there is at least one obligation, every premise can
be met (the vacuity witness), every goal is proven in time, and the twin is refuted.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import z3

from unmask.proofs.engine import second
from unmask.proofs.engine.alike import Proven, touching
from unmask.spec.formats import BF16_WIDTH

Files = Mapping[Path, Path]  # original Verilog file -> the file to read instead
TIMEOUT_S = 120.0
FIRST_S = 3.0  # for the first solver, before the second is asked
MINIMISE_S = 5.0
BF16_ONE = 0x3F80
_TACTIC = ("simplify", "fpa2bv", "propagate-values", "solve-eqs", "bit-blast", "sat")


class Values:
    """Concrete values of terms in a counterexample."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def __call__(self, term: Any) -> int:
        value = self._model.eval(term, model_completion=True)
        return int(z3.is_true(value)) if z3.is_bool(value) else int(value.as_long())


@dataclass(frozen=True)
class Obligation:
    """`premises` imply `goal`, for every value of the free variables.

    Attributes:
        label: which of the theorem's cases.
        goal, premises: Boolean terms.
        explain: a counterexample as text for a person.
        small: terms that a counterexample should have at 0 (or false) where it can.
    """

    label: str
    goal: Any
    premises: tuple[Any, ...] = ()
    explain: Callable[[Values], str] | None = None
    small: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Enumeration:
    """A check of all `cases` one by one; `failing` describes the first that fails, if any."""

    label: str
    cases: int
    failing: Callable[[], str | None]


Case = Obligation | Enumeration


@dataclass(frozen=True)
class Theorem:
    """A statement with its obligations and its twin.

    Attributes:
        name: dotted; a prefix selects a group.
        statement: theorem, bounds and assumptions in words.
        bounds: in a few words, for the table.
        engine: what decides it.
        obligations: yields the cases, reading Verilog through the given replacements.
        twin: the same for something that is broken on purpose.
        sources: Verilog files that the result depends on.
        include: folders whose files those may include, beside their own.
        confirm: also ask the second solver, and demand the same answer.
    """

    name: str
    statement: str
    bounds: str
    engine: str
    obligations: Callable[[Files], Iterable[Case]]
    twin: Callable[[Files], Iterable[Case]]
    sources: tuple[Path, ...] = ()
    include: tuple[Path, ...] = ()
    confirm: bool = False

    @property
    def folders(self) -> tuple[Path, ...]:
        """Every folder that a source's `include can reach."""
        found = (*self.include, *(path.parent for path in self.sources))
        return tuple(dict.fromkeys(folder for folder in found if folder.is_dir()))


@dataclass(frozen=True)
class Outcome:
    """What discharging a theorem gave."""

    obligations: int
    verdict: str  # "proven", "refuted", "time-out", "vacuous", "twin survived"
    witness: str
    twin: str
    detail: str


class _Failed(Exception):
    def __init__(self, verdict: str, detail: str) -> None:
        super().__init__(detail)
        self.verdict, self.detail = verdict, detail


def discharge(theorem: Theorem, files: Files) -> Outcome:
    """Prove every obligation, check the witnesses, refute the twin."""
    count, witnesses, proven, twin, detail = 0, _Witnesses(), Proven(), "", ""
    verdict = "proven"
    try:
        for case in theorem.obligations(files):
            if isinstance(case, Obligation):
                witnesses.check(case)
            _prove(case, theorem.confirm, proven)
            count += 1
        if not count:
            raise _Failed("vacuous", "the theorem has no obligations")
        twin = _refute_twin(theorem, files)
    except _Failed as failure:
        verdict, detail = failure.verdict, failure.detail
    return Outcome(count, verdict, witnesses.text(), twin, detail)


class _Witnesses:
    """Satisfiability of premises, each distinct set checked once."""

    def __init__(self) -> None:
        self._seen: set[tuple[int, ...]] = set()
        self._kept: list[Any] = []  # keeps term identities from being reused
        self._free = 0

    def check(self, case: Obligation) -> None:
        if not case.premises:
            self._free += 1
            return
        key = tuple(sorted(premise.get_id() for premise in case.premises))
        if key in self._seen:
            return
        self._seen.add(key)
        self._kept.extend(case.premises)
        solver = _solver(case.premises, TIMEOUT_S)
        if solver.check() != z3.sat:
            raise _Failed("vacuous", f"{case.label}: nothing meets the premises")

    def text(self) -> str:
        return f"{len(self._seen)} sets of premises met" if self._seen else "no premises"


def _solver(facts: Iterable[Any], timeout_s: float) -> Any:
    solver = z3.Then(*_TACTIC).solver()
    solver.set("timeout", max(1, int(timeout_s * 1000)))
    for fact in facts:
        solver.add(fact)
    return solver


def _prove(case: Case, confirm: bool, proven: Proven) -> None:
    if isinstance(case, Enumeration):
        if not case.cases:
            raise _Failed("vacuous", f"{case.label}: nothing to enumerate")
        if (failing := case.failing()) is not None:
            raise _Failed("refuted", f"{case.label}: {failing}")
        return
    goal = z3.simplify(case.goal)
    if z3.is_true(goal):
        return
    facts = (*touching(case.premises, goal), z3.Not(goal))
    if not proven.is_new(facts):
        return
    solver = _solver(facts, TIMEOUT_S if confirm else FIRST_S)
    answer = solver.check()
    if answer == z3.unknown and not confirm:  # some formulas are far easier for the second solver
        if second.check(facts, TIMEOUT_S) == "unsat":
            return
        solver = _solver(facts, TIMEOUT_S)
        answer = solver.check()
    if answer == z3.unknown:
        raise _Failed("time-out", f"{case.label}: {solver.reason_unknown()}")
    if answer == z3.sat:
        raise _Failed("refuted", f"{case.label}: {_describe(case)}")
    if confirm and (other := second.check(facts, TIMEOUT_S)) != "unsat":
        raise _Failed("disputed", f"{case.label}: the second solver says {other}")


def _describe(case: Obligation) -> str:
    """A counterexample that meets all premises, made small greedily within a time limit."""
    kept = [*case.premises, z3.Not(case.goal)]
    end = time.monotonic() + MINIMISE_S
    solver = _solver(kept, TIMEOUT_S)
    if solver.check() != z3.sat:
        return "refuted, but a counterexample that meets all premises was not found in time"
    model = solver.model()
    for term in case.small:
        for fact in _simpler(term):
            left = end - time.monotonic()
            solver = _solver([*kept, fact], left)
            if left > 0 and solver.check() == z3.sat:
                model = solver.model()
                kept.append(fact)
                break
    if case.explain is not None:
        return case.explain(Values(model))
    return ", ".join(sorted(f"{name} = {model[name]}" for name in model.decls()))


def _simpler(term: Any) -> list[Any]:
    """What a person would rather see a term be: 0, or else 1 (1.0 where it is a BF16 code)."""
    if z3.is_bool(term):
        return [z3.Not(term)]
    return [term == 0, term == (BF16_ONE if term.size() == BF16_WIDTH else 1)]


def _refute_twin(theorem: Theorem, files: Files) -> str:
    """The label of the case that refutes the twin."""
    for case in theorem.twin(files):
        if isinstance(case, Enumeration):
            if case.failing() is not None:
                return f"refuted at: {case.label}"
            continue
        answer = _solver((*case.premises, z3.Not(case.goal)), TIMEOUT_S).check()
        if answer == z3.sat:
            return f"refuted at: {case.label}"
        if answer == z3.unknown:
            raise _Failed("time-out", f"the twin, {case.label}: no answer")
    raise _Failed("twin survived", "the proof cannot go red: its broken twin was proven too")
