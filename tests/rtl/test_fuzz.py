"""Any words on the core: it does what specification and model say, and a broken one is noticed."""

import re

import pytest

from unmask.tests.cosim import jobs
from unmask.tests.cosim.__main__ import main
from unmask.tests.cosim.runner import explain, simulate
from unmask.tests.quality.bugs import BUGS, plant


def test_any_words():
    outcome = simulate(jobs.fuzz_job(jobs.quick_simulator(), 60, 7))
    assert outcome.failure is None, outcome.failure
    assert outcome.examples >= 60
    ends = outcome.facts["ends"]
    assert sum(ends.values()) == outcome.facts["programs"] and {"ILLEGAL", "RANGE"} <= ends.keys()


def test_a_broken_core_is_noticed_and_replayed(tmp_path):
    """A word with bits set that it does not use, executed."""
    swap = plant(BUGS["unused-bits-ignored"], tmp_path)
    outcome = simulate(jobs.fuzz_job(jobs.quick_simulator(), 2000, 1, swap))
    assert outcome.failure is not None and "; illegal" in outcome.failure
    assert "next_pc expected 0, got 1" in outcome.failure
    assert re.search(r"waveform: build/\S+\.(fst|vcd)", explain(outcome))


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["fuzz", "--words", "0"], "--words 0: expected 1 to 10000000"),
        (["fuzz", "--seed", "-1"], "--seed -1: expected 0 to 4294967295"),
        (["block", "--vocabulary", "1"], "--vocabulary 1: expected 2 to 262144"),
        (["block", "--memory", "none"], "no profile 'none'; there are hbm2-460"),
        (["block", "--vlen", "3"], "vlen is 3; expected a power of two, 2 to 2048"),
        (["block", "--format", "FP8"], "--format FP8: expected one of BF16"),
        (["block", "--batch", "999", "--rows", "999"], "--batch x --rows x --vocabulary 126211"),
        (["block", "--rows", "x"], "argument --rows: invalid int value: 'x'"),
        (["replay", "none.json"], "none.json: cannot read"),
    ],
)
def test_bad_input(words, text, capsys):
    assert main(words) == 2
    shown = capsys.readouterr().err
    assert shown.startswith(text) and shown.count("\n") == 1
