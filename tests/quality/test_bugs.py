"""Planted bugs turn their named checks red, with a small, decoded counterexample.

Here a bug of each group meets the first of its checks, and one of them all; the gate runs every
pair.
"""

import re

import pytest

from unmask.tests.cosim.jobs import quick_simulator
from unmask.tests.cosim.paths import BUILD
from unmask.tests.cosim.runner import load_counterexample, simulate
from unmask.tests.quality.bugs import BUGS, catch
from unmask.tests.quality.planted import GROUPS

CASES = [(bug.name, bug.caught_by[0]) for group in GROUPS for bug in group.BUGS[1:2]]
CASES += [("start-from-zero", check) for check in BUGS["start-from-zero"].caught_by]


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
    """`last-index-wins`: one beat, at most two lanes that are not zero, everything else 0."""
    shown = catch(BUGS["last-index-wins"], "unit v_red_max_idx")
    assert shown is not None
    assert set(re.findall(r"beat (\d+) ", shown)) == {"0"}
    data = re.search(r"data +(.*)", shown)
    assert data is not None
    lanes = re.findall(r"[0-9a-f]{4}(?= )", data[1])
    assert 2 <= len(lanes) <= 4 and sum(code != "0000" for code in lanes) <= 2
    assert re.search(r"base +0\n", shown) and re.search(r"start_index +0\n", shown)
    assert re.search(r"index +expected \d, got \d   <-- differs", shown)


def test_a_replay_that_needs_what_ran_before_is_red_too():
    """`vl-not-reset` shows only after another run: the counterexample carries that run."""
    assert catch(BUGS["vl-not-reset"], "core") is not None
    folder = BUILD / "cosim" / "core-8-1x64-icarus-vl-not-reset-core"
    if quick_simulator() != "icarus":
        folder = folder.with_name(folder.name.replace("icarus", "verilator"))
    outcome = simulate(load_counterexample(folder / "counterexample.json"))
    assert outcome.failure is not None and outcome.counterexample is not None
    assert outcome.waveform is not None
