"""A rule on points that are known as intervals: the chosen set, whether it is the only one.

Points are put on a line of integers, as nothing but their order matters: distinct points at even
places, what lies between two of them at the odd place. A `Choice` then runs the rule on places.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from unmask.spec.certificates.borders import Border, Point, Ruler
from unmask.spec.reference.rules import Rule

Set = frozenset[int]


@dataclass(frozen=True)
class Candidate:
    """A candidate: the interval that its point is in, None if its confidence is NaN.

    Attributes:
        interval: (low, high), both included.
        group: candidates of one group have the same point, whatever it is.
    """

    interval: tuple[Point, Point] | None
    group: object


@dataclass(frozen=True)
class Choice:
    """A rule on n candidates, in the order of their positions; sets are of 0 .. n - 1.

    Attributes:
        low, high: place of each candidate's interval; 0 for NaN.
        group: of each candidate, numbered.
        nan: whether its confidence is NaN.
        least, fallback, whole: as `Rule` has them.
        limit: the last place that passes the threshold; None: there is none.
        nan_passes: whether NaN passes it.
        steps: the last place that holds at each rank, of a factor rule; or None.
        near: place -> the last place near to it; and the way back. Or None.
    """

    low: tuple[int, ...]
    high: tuple[int, ...]
    group: tuple[int, ...]
    nan: tuple[bool, ...]
    least: int
    fallback: bool = False
    whole: bool = False
    limit: int | None = None
    nan_passes: bool = False
    steps: tuple[int, ...] | None = None
    near: tuple[Mapping[int, int], Mapping[int, int]] | None = None

    def chosen(self, values: Sequence[int], last: Set = frozenset()) -> Set:
        """What the rule chooses if each candidate's point is at `values[i]`.

        Among equals the lower position is first, but those in `last` come behind all others.
        """
        everyone = range(len(values))
        order = sorted(everyone, key=lambda i: (not self.nan[i], values[i], i in last, i))
        if self.near is not None:
            if not order or any(self.nan):  # the threshold is NaN, too
                return frozenset()
            end = max(self._limit, self.near[0][values[order[0]]])
            return frozenset(i for i in everyone if values[i] <= end)
        if self.steps is not None:
            holds = [self.nan[i] or values[i] <= self.steps[r] for r, i in enumerate(order)]
            return frozenset(order[: self._count(holds, [self.nan[i] for i in order])])
        passing = frozenset(
            i for i in everyone if (self.nan_passes if self.nan[i] else values[i] <= self._limit)
        )
        first = frozenset(order[: self.least])
        if self.fallback:
            return passing if len(passing) >= self.least else first
        return passing | first

    @property
    def _limit(self) -> int:
        return -1 if self.limit is None else self.limit

    def _count(self, holds: list[bool], nan: list[bool]) -> int:
        """How many of the ranked a factor rule takes; a NaN neither breaks nor holds."""
        if self.whole:
            fails = [rank for rank, held in enumerate(holds) if rank and not held]
            last = len(holds) - 1
            rank = fails[0] if fails else last
            return rank + 1 if rank in (0, last) else rank
        held = [rank + 1 for rank, true in enumerate(holds) if true and not nan[rank]]
        return max(held, default=min(1, len(holds)))

    # -- all points that the intervals allow ---------------------------------------------------
    @cached_property
    def only(self) -> Set | None:
        """The set that is chosen wherever the points are in their intervals, if there is one.

        A rule's set stays when what is in it becomes more confident, or what is not in it less. So
        it stays for all points if it does for the worst ones: those in it at their greatest place,
        all others at their least. (Near: also with the greatest confidence at its greatest.) A
        group that is in part chosen has one point, so both its ends are tried.
        """
        found = self.chosen(self.low)
        return found if self._stays(found, frozenset()) else None

    @cached_property
    def only_untied(self) -> Set | None:
        """The same where it is open which of equals is first."""
        found = self.only
        return found if found is not None and self._stays(found, found) else None

    def _stays(self, found: Set, last: Set) -> bool:
        """Whether the worst points choose a set that some points choose."""
        worst = [self.high[i] if i in found else self.low[i] for i in range(len(self.low))]
        split = self._split(found)
        trials = [self._at(worst, dict.fromkeys(split, False))]
        trials += [self._at(worst, {g: g == up for g in split}) for up in split]
        if self.near is not None:
            trials += [self._at(worst, {self.group[i]: False}) for i in found]
        return all(self.chosen(values, last) == found for values in trials)

    def admits(self, chosen: Set) -> bool:
        """Whether some points in the intervals make the rule choose this set."""
        return any(self.chosen(values) == chosen for values in self._witnesses(chosen))

    def reach(self, i: int) -> tuple[bool, bool]:
        """Whether candidate i is in some set that is chosen for points in the intervals, in all."""
        if self.only is not None:
            return i in self.only, i in self.only
        seen = {i in self.chosen(values) for values in self._extremes(i)}
        return True in seen, False not in seen

    def _split(self, chosen: Set) -> list[int]:
        """Groups that are partly in a set."""
        inside = {self.group[i] for i in chosen if not self.nan[i]}
        outside = {g for i, g in enumerate(self.group) if i not in chosen and not self.nan[i]}
        return sorted(inside & outside)

    def _at(self, values: Sequence[int], ends: Mapping[int, bool]) -> list[int]:
        """Values with some groups at an end of their intervals: True for the high one."""
        return [
            value if g not in ends else self.high[i] if ends[g] else self.low[i]
            for i, (value, g) in enumerate(zip(values, self.group, strict=True))
        ]

    def _witnesses(self, chosen: Set) -> Iterator[list[int]]:
        """Points that choose a set if any do: those in it as confident as can be, others least."""
        best = [self.low[i] if i in chosen else self.high[i] for i in range(len(self.low))]
        inside = [self.low[i] for i in chosen if not self.nan[i]]
        outside = [x for i, x in enumerate(self.high) if i not in chosen and not self.nan[i]]
        split = self._split(chosen)
        if self.near is not None and not split:
            # Being near to the greatest confidence wants that one low, but not too low.
            for first in {min(inside, default=0), self.near[1].get(max(inside, default=0), 0)}:
                raised = [max(x, first) if i in chosen else x for i, x in enumerate(best)]
                if all(x <= high for x, high in zip(raised, self.high, strict=True)):
                    yield raised
        elif self.near is None and split:
            begin, end = max(inside), min(outside)
            limits = [self._limit, *(self.steps or ())]
            places = {begin, begin + 1, end - 1, end, *limits, *(x + 1 for x in limits)}
            for place in sorted(place for place in places if begin <= place <= end):
                yield [place if g in split else x for x, g in zip(best, self.group, strict=True)]
        elif not split:
            yield best

    def _extremes(self, i: int) -> Iterator[list[int]]:
        """Points among which are some that choose candidate i, and some that do not, if any do."""
        for values in (self.low, self.high, *self._stops(i)):
            yield list(values)
            for up in (False, True):
                yield self._at(values, {} if self.nan[i] else {self.group[i]: up})

    def _stops(self, i: int) -> Iterator[list[int]]:
        """Points that end a `whole` factor rule early: it takes the last one if all others pass.

        For each rank, that many others low, first those that cannot fail there, and all else high.
        A group may lie across the end: its point is then the first that fails.
        """
        if self.steps is None or not self.whole:
            return
        everyone = range(len(self.low))
        shared = sorted({g for g in self.group if self.group.count(g) > 1})
        for rank in everyone[1:]:
            limit = self.steps[rank]
            others = sorted(everyone, key=lambda j: (self.high[j] > limit, self.low[j]))
            others.remove(i)
            low = [self.group[j] for j in others]
            yield self._at(self.high, dict.fromkeys(low[:rank], False))
            for across in shared:
                rest = [g for g in low if g != across]
                for size in range(max(rank - self.group.count(across), 0), rank + 1):
                    values = self._at(self.high, dict.fromkeys(rest[:size], False))
                    yield [
                        min(max(limit + 1, self.low[j]), self.high[j]) if g == across else value
                        for j, (value, g) in enumerate(zip(values, self.group, strict=True))
                    ]


def choice(rule: Rule, least: int, candidates: Sequence[Candidate], ruler: Ruler) -> Choice:
    """The rule of one batch row on its candidates, in the order of their positions."""
    line = _Line()
    for candidate in candidates:
        line.points += candidate.interval or ()
    threshold = None if rule.threshold is None else ruler.threshold(rule.threshold)
    steps: list[Border] = []
    if rule.factor is not None:
        steps = [ruler.step(rank, rule.factor, rule.whole) for rank in range(len(candidates))]
    line.points += [border.x for border in (threshold, *steps) if border is not None]
    reached, back = [], []
    if rule.near is not None:
        ends = [x.interval for x in candidates if x.interval is not None]
        back = [(ruler.near_back(low, rule.near), low) for low, _ in ends]
        reached = [(point, ruler.near(point, rule.near)) for end in ends for point in end]
        line.points += [x for pair in (*back, *reached) for x in pair]
    line.close()
    intervals = [
        (0, 0) if x.interval is None else (line.place(x.interval[0]), line.place(x.interval[1]))
        for x in candidates
    ]
    numbers: dict[object, int] = {}
    return Choice(
        low=tuple(low for low, _ in intervals),
        high=tuple(high for _, high in intervals),
        group=tuple(numbers.setdefault(x.group, len(numbers)) for x in candidates),
        nan=tuple(candidate.interval is None for candidate in candidates),
        least=least,
        fallback=rule.fallback,
        whole=rule.whole,
        limit=None if threshold is None else line.last(threshold),
        nan_passes=rule.threshold is not None and rule.threshold.nan,
        steps=None if rule.factor is None else tuple(line.last(border) for border in steps),
        near=None if rule.near is None else _near(line, reached, back),
    )


def _near(
    line: _Line, reached: list[tuple[Point, Point]], back: list[tuple[Point, Point]]
) -> tuple[dict[int, int], dict[int, int]]:
    there = {line.place(point): line.place(end) for point, end in reached}
    there |= {line.place(point): line.place(end) for point, end in back}
    return there, {line.place(end): line.place(point) for point, end in back}


class _Line:
    """Points in order."""

    def __init__(self) -> None:
        self.points: list[Any] = []
        self._places: dict[int, int] = {}

    def close(self) -> None:
        """Give each point its place: equal ones the same, from 2 on, in steps of 2."""
        self.points.sort()
        place = 0
        before = None
        for point in self.points:
            if before is None or point != before:
                place += 2
            self._places[id(point)] = place
            before = point

    def place(self, point: Point) -> int:
        return self._places[id(point)]

    def last(self, border: Border) -> int:
        """The last place that passes."""
        return self.place(border.x) if border.inclusive else self.place(border.x) - 1
