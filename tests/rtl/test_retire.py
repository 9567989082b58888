"""The retire port's checker: a log of the core passes, any number in it changed does not."""

import re
from dataclasses import replace

import numpy as np
import pytest

from unmask.spec.assembler import assemble
from unmask.tests.cosim import jobs
from unmask.tests.cosim.__main__ import main
from unmask.tests.cosim.core import to_json
from unmask.tests.cosim.paths import BUILD
from unmask.tests.cosim.runner import simulate
from unmask.tests.strategies import SMALL, Case

PROGRAM = """
    S_ADDI_INT gp1, gp0, 8
    C_SET_CSR VL, gp0, 8
    C_SET_ADDR_REG a1, gp0, gp1
    S_LD_FP f1, gp0, 3
    H_PREFETCH_V gp0, gp0, a1, 0, 0
    V_ADD_VF gp1, gp0, f1
    V_RED_MAX_IDX gp2, gp1, gp0, f2
    H_RED_SM gp1, gp0, a0, gp0, BF16, 1
    S_SM_IDX gp3, gp1
    S_ST_INT gp3, gp0, 2
    S_SELECT_INT gp0, gp0, gp0, gp0, gp1
    H_LD_INT gp0, gp0, a0, gp1
    S_SM_CLEAR gp1
    C_BREAK
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The core's log of the program, and the options that describe its machine."""
    folder = tmp_path_factory.mktemp("retire")
    hbm = (np.arange(SMALL.hbm_bytes) * 7 % 251).astype(np.uint8)
    fp = np.arange(1, SMALL.fp_words + 1).astype(np.uint16) * 0x100
    memories = {"hbm": tuple(hbm.tolist()), "fp": tuple(fp.tolist())}
    job = jobs.core_job(jobs.quick_simulator(), 1)
    case = to_json(Case(tuple(assemble(PROGRAM)), memories))
    options = {**job.options, "cases": [case]}
    outcome = simulate(replace(job, name="core-retire-log", options=options))
    assert outcome.failure is None, outcome.failure
    log = folder / "log.txt"
    records = (BUILD / "cosim" / "core-retire-log" / "records.txt").read_text()
    log.write_text("".join(x + "\n" for x in records.splitlines() if x[0] in "RBSWVMNC"))
    (folder / "program.asm").write_text(PROGRAM)
    np.save(folder / "hbm.npy", hbm)
    np.save(folder / "fp.npy", fp)
    names = ("vlen", "vector_rows", "fp_words", "key_words", "int_words", "hbm_bytes")
    sizes = [f"--{name.replace('_', '-')}={getattr(SMALL, name)}" for name in names]
    loads = ["--load", f"hbm={folder / 'hbm.npy'}", "--load", f"fp={folder / 'fp.npy'}"]
    return log, [str(folder / "program.asm"), *loads, *sizes]


def test_a_log_of_the_core_passes(run, capsys):
    log, options = run
    assert main(["retire", str(log), *options]) == 0
    assert capsys.readouterr().out == "14 instructions as specified; the program stops\n"
    assert {line[0] for line in log.read_text().splitlines()} == set("RBSWVMNC")


@pytest.mark.parametrize("letter", "RBSWVMN")
def test_other_logs_do_not(letter, run, tmp_path, capsys):
    """An event left out, twice, or with any of its numbers but cycles and unused ones changed."""
    log, options = run
    lines = log.read_text().splitlines()
    at = max(place for place, line in enumerate(lines) if line[0] == letter)
    fields = lines[at].split()
    changed = [lines[:at] + lines[at + 1 :]]
    changed += [[*lines[:at], lines[at], *lines[at:]]] if letter in "RBS" else []
    skip = {1, 8} if letter == "R" else {1}
    for number in range(2, len(fields)):
        if number not in skip:
            other = [*fields]
            digits = len(fields[number])
            other[number] = f"{int(fields[number], 16) ^ (1 << 4 * digits) - 1:x}"
            changed.append([*lines[:at], " ".join(other), *lines[at + 1 :]])
    path = tmp_path / "log.txt"
    for case in changed:
        path.write_text("\n".join(case) + "\n")
        found = main(["retire", str(path), *options])
        assert found == 1, set(case) - set(lines)
        assert re.match(
            r"\S+log.txt: (pc \d+: \S|retired after|instruction \d+|the log ends)",
            capsys.readouterr().out,
        )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("B 1 2 3 x 5 6", "undefined bits on the retire port: B 1 2 3 x 5 6"),
        ("B 1 0 0 0 ffffffff 0", "the log ends before it retires: pc 0: S_ADDI_INT gp1, gp0, 8"),
        ("X 7", "cycle 7: the host side"),
        ("", "the log ends before it retires: pc 0: S_ADDI_INT gp1, gp0, 8"),
    ],
)
def test_what_says_too_little(text, message, run, tmp_path, capsys):
    path = tmp_path / "log.txt"
    path.write_text(text)
    assert main(["retire", str(path), *run[1]]) == 1
    assert message in capsys.readouterr().out


def test_a_program_that_runs_on_is_not_waited_for(run, tmp_path, capsys):
    (tmp_path / "long.asm").write_text("C_LOOP_START gp1, 0x3FFFFF\nC_LOOP_END gp1\nC_BREAK")
    (tmp_path / "log.txt").write_text("")
    assert main(["retire", str(tmp_path / "log.txt"), str(tmp_path / "long.asm")]) == 1
    assert "the log ends before it retires: pc 0" in capsys.readouterr().out


@pytest.mark.parametrize("line", ["R 1 2", "Q 1", "", "D 9", "B 1 2 3 -4 5 6", "\xff\0"])
def test_what_is_no_log(line, run, tmp_path, capsys):
    path = tmp_path / "log.txt"
    path.write_text(f"{line}\n", encoding="latin1")
    assert main(["retire", str(path), *run[1]]) == 2
    shown = capsys.readouterr().err
    assert f"{path}: line 1 is no event of the retire port" in shown and shown.count("\n") == 1


def test_no_file(run, capsys):
    assert main(["retire", "none.txt", *run[1]]) == 2
    assert "none.txt: cannot read" in capsys.readouterr().err
