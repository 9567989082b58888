"""Planted bugs turn their named checks red, with a small, decoded counterexample.

Here each bug meets the first of its checks, and one of them all; the gate runs every pair.
"""

import re

import pytest

from unmask.tests.quality.bugs import BUGS, catch

CASES = [(bug, BUGS[bug].caught_by[0]) for bug in BUGS]
CASES += [("start-from-zero", check) for check in BUGS["start-from-zero"].caught_by[1:]]


@pytest.mark.parametrize(("bug", "check"), CASES, ids=lambda value: value.replace(" ", "-"))
def test_bug_is_caught(bug, check):
    shown = catch(BUGS[bug], check)
    assert shown is not None, f"{check} stayed green on {bug}"
    if check.startswith("proof"):
        return
    assert ("expected" in shown and "got" in shown) or "nothing retired" in shown
    assert "-m unmask.tests.cosim replay build/" in shown
    assert re.search(r"waveform: build/\S+\.(fst|vcd)", shown)


def test_a_counterexample_shrinks_to_a_few_lanes():
    """`last-index-wins`: two equal lanes, everything else at its simplest."""
    shown = catch(BUGS["last-index-wins"], "unit v_red_max_idx")
    assert shown is not None
    beats = set(re.findall(r"beat (\d+) ", shown))
    lanes = re.search(r"data\s+(.*)", shown)
    assert beats == {"0"}
    assert lanes is not None and lanes[1].count(",") <= 1
    assert re.search(r"index\s+expected \d, got \d   <-- differs", shown)
