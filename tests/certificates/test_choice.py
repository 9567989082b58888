"""The sets that intervals leave open are those that some points in them make a rule choose."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from unmask.spec.certificates.borders import EXACT
from unmask.spec.certificates.choice import Candidate, choice
from unmask.spec.reference.rules import Rule, Threshold
from unmask.tests.certificates import brute

F = Fraction
# Few different points, so that they meet each other and the borders.
points = st.integers(0, 8).map(lambda n: F(n, 4))
intervals = st.tuples(points, points).map(lambda ends: (min(ends), max(ends)))
taus = st.sampled_from([0.25, 0.4, 0.5, 0.625, 0.8, 1.0])
factors = st.sampled_from([-1.0, 0.0, 0.5, 1.0, 1.5, 2.0, 3.0])


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    """One of each kind, of float64 confidences."""
    kind = draw(st.sampled_from(["quota", "threshold", "fallback", "factor", "near"]))
    least = draw(st.integers(0, 3))
    if kind == "quota":
        return Rule("float64", (least,))
    if kind == "factor":
        return Rule("float64", (1,), factor=draw(factors), whole=draw(st.booleans()))
    if kind == "near":
        threshold = Threshold(draw(taus), "float64", strict=False)
        return Rule("float64", (0,), threshold=threshold, near=draw(st.sampled_from([0.0, 0.125])))
    threshold = Threshold(draw(taus), "float64", draw(st.booleans()), draw(st.booleans()))
    return Rule("float64", (least,), fallback=kind == "fallback", threshold=threshold)


@st.composite
def problems(draw: st.DrawFn, most: int) -> tuple[Rule, list[Any], list[int]]:
    """A rule, intervals, and groups; NaN is None."""
    size = draw(st.integers(0, most))
    groups = draw(st.lists(st.integers(0, most - 1), min_size=size, max_size=size))
    of_group = {group: draw(intervals | st.none()) for group in sorted(set(groups))}
    return draw(rules()), [of_group[group] for group in groups], groups


def borders(rule: Rule, ends: list[Any]) -> list[Fraction]:
    """Where a rule's decisions change, from its definition."""
    found = []
    if rule.threshold is not None:
        found.append(1 / F(rule.threshold.tau) - 1)
    if rule.factor is not None:
        for count in range(len(ends)):
            if rule.whole:
                tau = F(1 - rule.factor / (count + 2))
                found += [1 / tau - 1] if tau > 0 else []
            elif count + 2 > rule.factor:
                found.append(F(rule.factor) / (count + 2 - F(rule.factor)))
    if rule.near is not None:
        for end in {x for interval in ends if interval for x in interval}:
            for confidence in (1 / (1 + end) - F(rule.near), 1 / (1 + end) + F(rule.near)):
                found += [1 / confidence - 1] if confidence > 0 else []
    return [x for x in found if x >= 0]


@settings(max_examples=400, deadline=None)
@given(problems(4))
def test_admitted_sets_are_those_that_points_give(
    problem: tuple[Rule, list[Any], list[int]],
) -> None:
    rule, ends, groups = problem
    least = rule.least[0]
    expected = brute.every_set(rule, least, ends, groups, borders(rule, ends))
    candidates = [Candidate(end, group) for end, group in zip(ends, groups, strict=True)]
    tried = choice(rule, least, candidates, EXACT)
    size = len(ends)
    subsets = [frozenset(x) for n in range(size + 1) for x in combinations(range(size), n)]
    assert {subset for subset in subsets if tried.admits(subset)} == expected
    assert tried.only == (next(iter(expected)) if len(expected) == 1 else None)
    for i in range(size):
        reach = any(i in x for x in expected), all(i in x for x in expected)
        assert tried.reach(i) == reach, (i, expected)
