"""The fixture `unmask_conform`, in a pytest of its own."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLUGIN = "unmask.spec.conformance.plugin"
TESTS = """
from unmask.spec.reference.samplers import CONTRACTS
from unmask.tests.conformance import wrong

NAME = "llada_low_confidence"

def test_right(unmask_conform):
    assert unmask_conform(CONTRACTS[NAME].oracle, NAME, examples=20, k=3) is None

def test_wrong(unmask_conform):
    unmask_conform(wrong.last_index_on_ties, NAME, examples=200)

def test_any(unmask_conform):
    unmask_conform(wrong.last_index_on_ties, NAME, examples=50, ties="any")

def test_bad(unmask_conform):
    unmask_conform(wrong.last_index_on_ties, NAME, tau=3)
"""


def test_bad_arguments_of_the_fixture_are_one_line(pytester: pytest.Pytester):
    pytester.makepyfile("""
NAME = "llada_low_confidence"

def test_error(unmask_conform):
    unmask_conform(print, NAME, error="1")

def test_sampler(unmask_conform):
    unmask_conform("print", NAME)

def test_examples(unmask_conform):
    unmask_conform(print, NAME, examples=0)
""")
    result = pytester.runpytest_inprocess("-p", PLUGIN, "-p", "no:xdist")
    result.assert_outcomes(failed=3)
    text = result.stdout.str()
    assert "unmask_conform: error is '1'; expected a finite number, 0 or more" in text
    assert "unmask_conform: the sampler is str, which cannot be called" in text
    assert "unmask_conform: --examples is 0; expected an integer, 1 or more" in text


def test_failures_show_the_shrunk_step_and_nothing_of_ours(pytester: pytest.Pytester):
    pytester.makepyfile(TESTS)
    result = pytester.runpytest_inprocess("-p", PLUGIN, "-p", "no:xdist")
    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines(
        [
            "llada_low_confidence: batch row 0: position 0 is 1, expected 0; *",
            "  parameters  k = 1",
            "         logits 0 (0000), 0 (0000)",
            "  replay      unmask conform MODULE:NAME --contract llada_low_confidence --replay *",
        ]
    )
    text = result.stdout.str()
    assert "unmask_conform: tau cannot be set for llada_low_confidence; it has k," in text
    for ours in (
        "trial.py",
        "plugin.py",
        "hypothesis/",
        "Traceback",
        "Falsifying",
        "During handling",
    ):
        assert ours not in text


def test_plugin_imports_nothing_heavy():
    code = f"import sys, pytest, {PLUGIN}\nprint([x for x in sys.modules if x in HEAVY])"
    code = f"HEAVY = ('torch', 'numpy', 'hypothesis')\n{code}"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_entry_point():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pytest11"] == {"unmask": PLUGIN}
