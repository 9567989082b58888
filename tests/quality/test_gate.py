"""The gate as a user meets it: exit codes, reports, bad input, a run that checks nothing."""

import json
import os
import re
import shutil
import subprocess
import sys
from xml.etree import ElementTree

import pytest

from unmask.tests.cosim.paths import BUILD, ROOT

EXAMPLE = ROOT / "rtl" / "examples" / "argmax_scan"


def command(module: str, *words: object, **changes: str) -> subprocess.CompletedProcess[str]:
    """Run a module as `ci/gate` does."""
    path = f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}"
    return subprocess.run(
        [sys.executable, "-m", module, *map(str, words)],
        cwd=ROOT,
        env={**os.environ, "PATH": path, **changes},
        capture_output=True,
        text=True,
        check=False,
    )


def gate(*words: object, **changes: str) -> subprocess.CompletedProcess[str]:
    return command("unmask.ci.gate", *words, **changes)


def assert_refused(done: subprocess.CompletedProcess[str], *texts: str) -> None:
    """Bad input: exit code 2, one line on stderr that says what is wrong."""
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stderr.count("\n") == 1 and "Traceback" not in done.stderr, done.stderr
    for text in texts:
        assert text in done.stderr, done.stderr


def test_demo_is_red_decoded_and_reported_three_ways():
    done = gate("--demo", "last-index-wins")
    assert done.returncode == 1, done.stdout + done.stderr
    assert re.search(r"index +expected \d, got \d +<-- differs", done.stdout)
    assert "V_RED_MAX_IDX gp" in done.stdout and "replay:" in done.stdout
    folder = BUILD / "demo" / "last-index-wins"
    facts = json.loads((folder / "gate.json").read_text())
    assert facts["exit_code"] == 1
    assert {step["verdict"] for step in facts["steps"]} == {"FAIL"}
    suites = ElementTree.parse(folder / "gate.xml").getroot()
    assert all(int(suite.attrib["failures"]) > 0 for suite in suites)
    assert "A check failed" in (folder / "gate.html").read_text()


def test_the_replay_command_of_a_refuted_theorem_is_red_too():
    done = gate("--demo", "range-off-by-one", "--step", "theorems")
    assert done.returncode == 1
    words = re.search(r"replay: \S+ -m unmask\.proofs (.*)", done.stdout)
    assert words is not None
    assert command("unmask.proofs", *words[1].split()).returncode == 1


@pytest.mark.parametrize("name", ["argmax_scan", "topk_insertion"])
def test_dut_in_another_style_right_and_wrong(name):
    folder = EXAMPLE.with_name(name)
    right = gate("--dut", folder / f"{name}.toml", "--step", "unit cosimulation")
    assert right.returncode == 0, right.stdout + right.stderr
    wrong = gate("--dut", folder / f"{name}_wrong.toml", "--step", "theorems")
    assert wrong.returncode == 1
    assert "expected" in wrong.stdout


@pytest.mark.parametrize(
    ("old", "new", "texts"),
    [
        ('top = "argmax_scan"', 'top = "nothing"', ["nothing"]),
        ('= "s_data"', '= "s_dat"', ["s_dat", "expected input"]),
        ('data = "s_data", ', "", ["input port 'data' is missing"]),
        ("[reset]", "[rest]", ["rest"]),
        ('instruction = "V_RED_MAX_IDX"', 'instruction = "V_MAX"', ["'V_MAX'", "V_RED_MAX_IDX"]),
        ("constant", "constnt", ["unknown key 'constnt' in [latency]"]),
        ('"argmax_scan.v"', '"missing.v"', ["missing.v"]),
        ("[lanes]", "[lanes", ["not a TOML file"]),
        ('["argmax_scan.v"]', '["argmax scan.v"]', ["a blank in"]),
        (
            '["argmax_scan.v"]',
            '["argmax_scan.v"]\ninclude = ["gone"]',
            ["gone, which is no folder"],
        ),
        (
            '["argmax_scan.v"]',
            '["argmax_scan.v"]\nmacros = ["nix"]',
            ["macros has 'nix'", "argmax_"],
        ),
        ('parameter = "', 'parameter = "X', ["defparam", "LANES"]),
    ],
)
def test_errors_in_a_binding_name_the_place(tmp_path, old, new, texts):
    text = (EXAMPLE / "argmax_scan.toml").read_text()
    assert old in text
    (tmp_path / "argmax_scan.v").write_text((EXAMPLE / "argmax_scan.v").read_text())
    (tmp_path / "dut.toml").write_text(text.replace(old, new, 1))
    (tmp_path / "argmax scan.v").write_text("")
    done = command("unmask.proofs", "--dut", tmp_path / "dut.toml", "--no-cache")
    assert_refused(done, "dut.toml", *texts)


def test_verilog_that_does_not_parse_names_file_and_line(tmp_path):
    text = (EXAMPLE / "argmax_scan.toml").read_text()
    (tmp_path / "dut.toml").write_text(text)
    (tmp_path / "argmax_scan.v").write_text("module argmax_scan (\n  input wire clk\n  oops\n")
    done = gate("--dut", tmp_path / "dut.toml")
    assert_refused(done, "argmax_scan.v:")
    assert re.search(r"argmax_scan\.v:\d+: ", done.stderr)


def test_our_own_verilog_that_does_not_parse_is_one_line(tmp_path):
    """In a copy: the gate says it once, not once a check, and writes no report."""
    for name in ("spec", "model", "rtl", "proofs", "tests", "ci"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("unmask.py", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    broken = tmp_path / "rtl" / "scalar" / "unmask_alu_int.v"
    broken.write_text(broken.read_text().replace("assign out_rd =", "assign out_rd = = "))
    done = subprocess.run(
        [sys.executable, "-m", "unmask.ci.gate"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert_refused(done, "unmask_alu_int.v:")
    assert not (tmp_path / "build").exists()


@pytest.mark.parametrize(
    ("words", "texts"),
    [
        (["--demo", "no-such-bug"], ["no bug 'no-such-bug'", "last-index-wins"]),
        (["--step", "theorem"], ["no step 'theorem'", "'theorems'"]),
        (["--dut", "none.toml"], ["none.toml", "cannot read"]),
        (["--jobs", "0"], ["--jobs 0"]),
    ],
)
def test_bad_input_to_the_gate(words, texts):
    assert_refused(gate(*words), *texts)


@pytest.mark.parametrize(
    ("words", "texts"),
    [
        (["unit.v_red_ma"], ["unit.v_red_ma", "unit.v_red_max"]),
        (["--dut", "none.toml"], ["none.toml"]),
        (["decode", "--replace", "a.v=b.v"], ["no file 'a.v'"]),
    ],
)
def test_bad_input_to_the_proofs(words, texts):
    assert_refused(command("unmask.proofs", *words), *texts)


def test_bad_input_to_a_replay(tmp_path):
    (tmp_path / "case.json").write_text("{}")
    for name in ("case.json", "none.json"):
        assert_refused(command("unmask.tests.cosim", "replay", tmp_path / name), name)


def test_one_theorem_by_name():
    done = command("unmask.proofs", "spec.max_index.associative", "--no-cache")
    assert done.returncode == 0 and "1 of 1 theorems proven" in done.stdout


def test_green_without_a_check_is_red():
    """A task that passes with a count of 0 is a failure."""
    code = (
        "from unmask.ci.task import PASS, FAIL, Result, Task, guarded\n"
        "assert guarded(Task('s', 't', Result, (PASS, 0, 'things'))).verdict == FAIL\n"
        "assert guarded(Task('s', 't', Result, (PASS, 1, 'things'))).verdict == PASS\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_without_icarus_the_four_state_leg_is_not_run(tmp_path):
    """PATH without iverilog: the leg is reported as NOT RUN, never as passed."""
    for name in ("g++", "make", "bash", "sh", "env", "gcc", "cc", "ld", "as", "ar", "ranlib"):
        found = subprocess.run(["which", name], capture_output=True, text=True, check=False)
        if found.returncode == 0:
            (tmp_path / name).symlink_to(found.stdout.strip())
    (tmp_path / "python").symlink_to(sys.executable)
    done = subprocess.run(
        [sys.executable, "-m", "unmask.ci.gate", "--dut", str(EXAMPLE / "argmax_scan.toml"),
         "--step", "unit cosimulation"],
        cwd=ROOT,
        env={**os.environ, "PATH": f"{tmp_path}:{os.path.dirname(sys.executable)}"},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert "NOT RUN icarus argmax_scan lanes 2: Icarus" in done.stdout, done.stdout + done.stderr
    assert "PASS    icarus" not in done.stdout


@pytest.mark.parametrize(
    ("inside", "begun"),
    [
        ("<failure/>", "2100-01-01T00:00:00+00:00"),
        ("<skipped/>", "2100-01-01T00:00:00+00:00"),
        ("", "2000-01-01T00:00:00+00:00"),  # files have changed since
    ],
)
def test_tests_that_failed_or_are_of_the_past_do_not_count_for_the_gate(inside, begun, tmp_path):
    cases = f'<testcase classname="tests.model.test_a">{inside}</testcase>'
    cases += '<testcase classname="tests.model.test_b"/>'
    file = tmp_path / "tests.xml"
    suite = f'<testsuite timestamp="{begun}">{cases}</testsuite>'
    file.write_text(f"<testsuites>{suite}</testsuites>")
    kept = BUILD / "gate-cache" / "tests_of_model.json"
    before = kept.read_bytes() if kept.exists() else None
    assert command("unmask.ci.passed", file).returncode == 0
    assert (kept.read_bytes() if kept.exists() else None) == before
