"""The sets of positions that a rule admits when each delta has an error, as T1 allows it.

A core's numbers delta'_i satisfy |delta'_i - delta_i| <= r * delta_i + c(n), and are equal for rows
that are permutations of each other. A set is admissible if some such numbers make the rule choose
it, the lower position first among equals. With an error of 0 exactly one set is: that of exact
arithmetic. Deltas are those of `exact`; where T1's bounds are added, the intervals that they are
known in are added as well (relative width 1e-30).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from unmask.spec import numerics
from unmask.spec.certificates.borders import BEYOND, EXACT, Point, Ruler
from unmask.spec.certificates.choice import Candidate, Choice, choice
from unmask.spec.certificates.exact import Delta
from unmask.spec.certificates.rows import Row, rows_of
from unmask.spec.reference.rules import Rule

Bools = NDArray[np.bool_]


class Error(NamedTuple):
    """How far delta' may be from delta: relative * delta + absolute."""

    relative: Fraction
    absolute: Fraction

    @classmethod
    def of(cls, vocabulary: int, scale: float | Fraction = 1) -> Error:
        """What T1 allows for rows of a vocabulary, times `scale`: 0 is exact, 2 twice as wide."""
        return cls(numerics.R * Fraction(scale), numerics.c(vocabulary) * Fraction(scale))

    def interval(self, delta: Delta) -> tuple[Point, Point]:
        """[low, high] of delta'; what a core holds is 0 or more."""
        if self.relative == self.absolute == 0:
            return delta, delta
        low, high = delta.interval
        least = low * (1 - self.relative) - self.absolute
        return max(least, Fraction(0)), high * (1 + self.relative) + self.absolute


@dataclass(frozen=True)
class Task:
    """What a rule has to choose from in one batch row.

    Attributes:
        rule: it.
        least: its count for this row.
        candidates: (L,) bool.
        known: (L,) bool: known positions that an edit may change.
        masked: (L,) bool.
        scores: (L,) to rank by instead of confidences, greatest first; or None.
    """

    rule: Rule
    least: int
    candidates: Bools
    known: Bools
    masked: Bools
    scores: tuple[Fraction, ...] | None = None

    @property
    def places(self) -> list[int]:
        """Positions of the candidates."""
        return [int(x) for x in np.flatnonzero(self.candidates)]

    @property
    def asked(self) -> Bools:
        """(L,): positions whose confidence matters."""
        return self.candidates | self.known

    @property
    def spills(self) -> bool:
        """Whether the count falls on some, not all, of the positions that are not candidates."""
        few = len(self.places) < self.least < len(self.masked)
        return few and self.rule.overflow != "nothing"

    @property
    def extra(self) -> Bools:
        """What a count above the number of candidates falls on, (L,) bool."""
        others = np.flatnonzero(~self.candidates)
        found = np.zeros_like(self.candidates)
        if self.rule.overflow != "nothing":
            found[others[: max(self.least - len(self.places), 0)]] = True
        if self.rule.overflow == "masked":  # a known one keeps its token
            found &= self.masked
        return found


def task_of(
    rule: Rule, batch: int, rows: Sequence[Row], x: NDArray[np.int64], masked: Bools
) -> Task:
    """What batch row `batch` of a step has to choose from.

    Args:
        rule: with a count for each batch row.
        batch: its number.
        rows: of its positions.
        x: (L,) the ids before the step.
        masked: (L,) bool.
    """
    tokens = np.array([row.token for row in rows])
    candidates = masked.copy()
    if rule.window is not None:
        candidates[rule.window :] = False
    if rule.excluded is not None:
        candidates &= tokens != rule.excluded
    known = np.zeros_like(masked)
    if rule.edit is not None and rule.prompt is not None:
        known = ~masked & ~rule.prompt[batch].cpu().numpy() & (tokens != x)
    scores = None
    if rule.scores is not None:
        scores = tuple(Fraction(score) for score in rule.scores[batch].tolist())
    return Task(rule, rule.least[batch], candidates, known, masked, scores)


Interval = tuple[Any, Any]


@dataclass(frozen=True)
class Admissible:
    """The admissible sets of one batch row. Sets are (L,) bool, of positions that get a token.

    A published step may also write where that changes nothing; `changes` says where it can.

    Attributes:
        task: what there is to choose from.
        intervals: of each position's point; None: its confidence is NaN, or nobody asks.
        choice: the rule on the candidates.
        edits: (L,) of an edit at each position: it must be, it may be.
    """

    task: Task
    intervals: tuple[Interval | None, ...]
    choice: Choice
    edits: tuple[Bools, Bools]

    @cached_property
    def _ends(self) -> tuple[Bools, Bools]:
        must, may = (self.task.extra | edits for edits in self.edits)
        for i, place in enumerate(self.task.places):
            may[place], must[place] = self.choice.reach(i)
        return must, may

    @property
    def must(self) -> Bools:
        """(L,): in every admissible set."""
        return self._ends[0]

    @property
    def may(self) -> Bools:
        """(L,): in some admissible set."""
        return self._ends[1]

    @property
    def unique(self) -> bool:
        """Whether there is one admissible set only: `must` and `may` are it."""
        return self.choice.only is not None and bool((self.edits[0] == self.edits[1]).all())

    @property
    def changes(self) -> Bools:
        """(L,): where the step may change an id; elsewhere a transfer says nothing."""
        task = self.task
        found = task.asked
        if task.rule.overflow == "all":
            return np.ones_like(found)
        return found | task.masked if task.rule.overflow == "masked" else found

    def refuses(self, transfer: Any) -> str | None:
        """Why a set is not admissible, in one line; None if it is.

        Args:
            transfer: (L,) bool, the positions that get a token.
        """
        chosen = np.asarray(transfer, dtype=bool)
        if chosen.shape != self.task.candidates.shape:
            return f"{chosen.shape} positions, expected {self.task.candidates.shape}"
        others = ~self.task.candidates
        must, may = (self.task.extra | edits for edits in self.edits)
        for place in np.flatnonzero(others & ((chosen & ~may) | (must & ~chosen))).tolist():
            if chosen[place]:
                return f"{self._name(place)} chosen, but it is {self._why_not(place)}"
            return f"{self._name(place)} is not chosen, but must be"
        inside = frozenset(i for i, place in enumerate(self.task.places) if chosen[place])
        if self.choice.admits(inside):
            return None
        return self._order(chosen) or self._single(chosen) or self._count(chosen)

    def _order(self, chosen: Bools) -> str | None:
        """A pair in the wrong order, if there is one."""
        for i, first in enumerate(self.task.places):
            for j, second in enumerate(self.task.places):
                if chosen[first] or not chosen[second] or self.choice.nan[i] or self.choice.nan[j]:
                    continue
                high, low = self.choice.high[i], self.choice.low[j]
                same = self.choice.group[i] == self.choice.group[j]
                if (high, first) < (low, second) or (same and first < second):
                    return f"{self._name(second)} chosen before {self._name(first)}"
        return None

    def _single(self, chosen: Bools) -> str | None:
        """A position that is on the wrong side whatever the others do."""
        for place in self.task.places:
            if chosen[place] and not self.may[place]:
                return f"{self._name(place)} chosen, but no admissible set has it"
            if not chosen[place] and self.must[place]:
                return f"{self._name(place)} is not chosen, but each admissible set has it"
        return None

    def _count(self, chosen: Bools) -> str:
        count = int((chosen & self.task.candidates).sum())
        must = int((self.must & self.task.candidates).sum())
        may = int((self.may & self.task.candidates).sum())
        return f"{count} of the candidates chosen; {must} must be, {may} may be, but not as these"

    def _why_not(self, place: int) -> str:
        if self.task.masked[place]:
            return "behind the window, or predicts the excluded token"
        return "known" + ("" if self.task.rule.edit is None else " and no edit passes")

    def _name(self, place: int) -> str:
        interval = self.intervals[place]
        if interval is None:
            return f"position {place} (NaN)" if self.task.asked[place] else f"position {place}"
        return f"position {place} (delta {_text(interval)})"


def _text(interval: Interval) -> str:
    """What the ends of an interval have in common, or both."""
    low, high = interval[0], interval[1]
    if isinstance(low, Delta):
        low, high = low.interval
    if high >= BEYOND:
        return "infinite"
    low, high = float(low), float(high)
    return f"{low:.6g}" if f"{low:.6g}" == f"{high:.6g}" else f"{low:.6g} to {high:.6g}"


def sets(
    task: Task,
    intervals: Sequence[Interval | None],
    groups: Sequence[object],
    ruler: Ruler = EXACT,
) -> Admissible:
    """The sets that a rule can choose.

    Args:
        task: what there is to choose from.
        intervals: of each position's point; None: its confidence is NaN, or nobody asks.
        groups: of each position: those of one group have the same point.
        ruler: what the points are.
    """
    candidates = [Candidate(intervals[place], groups[place]) for place in task.places]
    found = choice(task.rule, task.least, candidates, ruler)
    must, may = np.zeros_like(task.known), np.zeros_like(task.known)
    if task.rule.edit is not None:
        border = ruler.threshold(task.rule.edit)
        for place in np.flatnonzero(task.known).tolist():
            interval = intervals[place]
            if interval is None:
                continue
            low, high = (x < border.x or (border.inclusive and x == border.x) for x in interval)
            must[place], may[place] = high, low
    return Admissible(task, tuple(intervals), found, (must, may))


def intervals_of(task: Task, rows: Sequence[Row], error: Error) -> list[Interval | None]:
    """Of each position the interval that an error leaves to delta'."""
    return points_of(
        task, rows, lambda row: None if row.delta is None else error.interval(row.delta), BEYOND
    )


def points_of(
    task: Task,
    rows: Sequence[Row],
    measure: Callable[[Row], Interval | None],
    last: Point,
) -> list[Interval | None]:
    """Of each position that is asked for the interval of its point; of others None.

    Args:
        task: what there is to choose from.
        rows: of all positions.
        measure: the interval of a row; None if its confidence is NaN.
        last: the point of confidence 0.
    """
    found: list[Interval | None] = []
    for place, row in enumerate(rows):
        if not task.asked[place]:
            found.append(None)
        elif task.scores is not None:
            found.append((-task.scores[place],) * 2)
        else:
            found.append((last, last) if row.lost else measure(row))
    return found


def admissible(
    rule: Rule,
    logits: NDArray[np.uint16],
    x: NDArray[np.int64],
    masked: Bools,
    batch: int = 0,
    scale: float | Fraction = 1,
) -> Admissible:
    """The sets that T1 leaves open in one batch row.

    Args:
        rule: of the step, see `rule_of`.
        logits: (L, V) BF16 codes.
        x: (L,) the ids before the step.
        masked: (L,) bool.
        batch: which batch row of the step it is.
        scale: of the error; 0 gives the set of exact arithmetic, 2 the sets of a core with twice
            the error.
    """
    rows = rows_of(rule, logits, x.tolist())
    task = task_of(rule, batch, rows, x, masked)
    error = Error.of(logits.shape[1], scale)
    return sets(task, intervals_of(task, rows, error), groups_of(task, rows))


def groups_of(task: Task, rows: Sequence[Row]) -> list[object]:
    """Rows that are permutations of each other have the same group."""
    if task.scores is not None:
        return list(range(len(rows)))
    return [row.group if task.asked[place] else place for place, row in enumerate(rows)]
