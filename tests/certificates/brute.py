"""Sampling rules once more, on points as sorted lists, and the sets that intervals leave, by force.

Nothing here is shared with `spec/certificates`. Points are fractions that ascend from the most
confident; a NaN is None.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise, product

from unmask.spec.reference.rules import Rule

Point = Fraction | None
Set = frozenset[int]
F = Fraction


def passes(delta: Point, tau: F, strict: bool, nan: bool) -> bool:
    """An exact confidence against an exact threshold."""
    if delta is None:
        return nan
    confidence = 1 / (1 + delta)
    return confidence > tau if strict else confidence >= tau


def chosen(rule: Rule, least: int, deltas: Sequence[Point]) -> Set:
    """The candidates that a rule of exact confidences chooses."""
    everyone = list(range(len(deltas)))
    ranked = sorted(everyone, key=lambda i: (deltas[i] is not None, deltas[i] or F(0), i))
    threshold = rule.threshold
    high = set()
    if threshold is not None:
        tau = F(threshold.tau)
        high = {i for i in everyone if passes(deltas[i], tau, threshold.strict, threshold.nan)}
    if rule.near is not None:
        confidences = [1 / (1 + delta) for delta in deltas if delta is not None]
        if len(confidences) < len(deltas) or not deltas:
            return frozenset()
        least_near = max(confidences) - F(rule.near)
        return frozenset(high | {i for i in everyone if confidences[i] >= least_near})
    if rule.factor is not None:
        return frozenset(ranked[: _count(rule, [deltas[i] for i in ranked])])
    first = set(ranked[:least])
    if rule.fallback:
        return frozenset(high if len(high) >= least else first)
    return frozenset(high | first)


def _count(rule: Rule, ranked: Sequence[Point]) -> int:
    assert rule.factor is not None
    size = len(ranked)
    if rule.whole:
        count = 0
        while count < size:
            delta = ranked[count]
            # The float64 number that the source compares with.
            least = F(1 - rule.factor / (count + 2))
            if count and delta is not None and 1 / (1 + delta) < least:
                return size if count == size - 1 else count
            count += 1
        return size
    count = min(size, 1)
    for n, delta in enumerate(ranked, start=1):
        if delta is not None and (n + 1) * (1 - 1 / (1 + delta)) < F(rule.factor):
            count = n
    return count


def every_set(
    rule: Rule,
    least: int,
    intervals: Sequence[tuple[F, F] | None],
    groups: Sequence[int],
    more: Sequence[F],
) -> set[Set]:
    """All sets that the rule chooses for points in the intervals, those of a group being equal.

    What a rule does depends on the order of the points, and on how they lie to its borders. So it
    is enough to try, for each group, all ends, all borders, and a few points between any two.

    Args:
        more: the borders.
    """
    marks = sorted({x for interval in intervals if interval for x in interval} | set(more))
    grid = set(marks)
    parts = len(set(groups)) + 1  # as many different points may lie between two marks
    for low, high in pairwise(marks):
        grid |= {low + (high - low) * F(step, parts) for step in range(1, parts)}
    names = sorted(set(groups))
    ranges: list[list[Point]] = []
    for name in names:
        interval = intervals[groups.index(name)]
        if interval is None:
            ranges.append([None])
        else:
            ranges.append([x for x in sorted(grid) if interval[0] <= x <= interval[1]])
    found = set()
    for points in product(*ranges):
        place = dict(zip(names, points, strict=True))
        found.add(chosen(rule, least, [place[group] for group in groups]))
    return found
