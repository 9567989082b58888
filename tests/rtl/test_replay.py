"""A saved counterexample that was damaged is refused with one line, before anything is built."""

import json
from dataclasses import asdict
from typing import Any

import pytest

from unmask.tests.cosim import jobs, runner
from unmask.tests.cosim.__main__ import main
from unmask.tests.strategies import Case

CASE = Case((0,), {"fp": (0x7F80,), "hbm": (255,)})
SAVED = {
    "job": runner._job_json(jobs.core_job("icarus", 1)),
    "before": [asdict(CASE)],
    "case": asdict(CASE),
}

DAMAGES = [
    (("job", "module"), "cores", "job.module is 'cores'; expected one of units"),
    (("job", "simulator"), None, "job.simulator is None; expected a text"),
    (("job", "files"), "core", "job.files is 'core'; expected a list of texts"),
    (("job", "files"), ["gone.v"], "its Verilog file gone.v is gone"),
    (("job", "parameters", "VLEN"), -8, "job.parameters.VLEN is -8; expected an unsigned"),
    (("job", "parameters", "HBM_BYTES"), "x", "job.parameters.HBM_BYTES is 'x'; expected an uns"),
    (("job", "parameters", "VLEN"), 16, "VLEN is 16, but job.options.config says 8"),
    (("job", "options"), {}, "job.options.config is missing"),
    (("job", "options", "config", "vlen"), 3, "job.options.config: vlen is 3; expected a power"),
    (("job", "options", "config", "lanes"), 8, "job.options.config.lanes is no size of a core"),
    (("job", "options", "core", "burst"), -1, "job.options.core.burst is -1; expected an unsigned"),
    (("before",), {}, "before is {}; expected a list of cases"),
    (("case",), [], "case is []; expected a table"),
    (("case",), {"words": [0]}, "case.memories is missing"),
    (("case", "words"), [-1], "case.words[0] is -1; expected an unsigned number"),
    (("case", "words"), [1 << 32], "case.words[0] is 4294967296; expected 0 to 4294967295"),
    (("case", "words"), [0] * 65, "case.words: expected a list of at most 64 numbers"),
    (("case", "memories", "fp"), ["q"], "case.memories.fp[0] is 'q'; expected an unsigned"),
    (("case", "memories", "fp"), [65536], "case.memories.fp[0] is 65536; expected 0 to 65535"),
    (("case", "memories", "tape"), [0], "case.memories.tape: there are"),
    (("case", "stall"), 1.5, "case.stall is 1.5; expected a share of cycles"),
]  # fmt: skip


@pytest.mark.parametrize(("keys", "value", "message"), DAMAGES, ids=lambda x: str(x)[:40])
def test_a_damaged_counterexample_is_named_with_key_and_value(
    keys, value, message, tmp_path, capsys
):
    saved: Any = json.loads(json.dumps(SAVED))
    place = saved
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    path = tmp_path / "case.json"
    path.write_text(json.dumps(saved), encoding="utf-8")
    assert main(["replay", str(path)]) == 2
    error = capsys.readouterr().err
    assert str(path) in error and message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("text", ["", "[]", '{"job": {}}'])
def test_a_file_of_something_else_is_refused(text, tmp_path, capsys):
    path = tmp_path / "case.json"
    path.write_text(text, encoding="utf-8")
    assert main(["replay", str(path)]) == 2
    assert str(path) in capsys.readouterr().err


def test_what_is_not_damaged_runs(tmp_path, capsys):
    path = tmp_path / "case.json"
    path.write_text(json.dumps(SAVED), encoding="utf-8")
    assert main(["replay", str(path)]) == 0
    assert "agree on this case" in capsys.readouterr().out
