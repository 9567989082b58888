"""`unmask certify`: what a user types, what it prints, and what bad input says."""

from __future__ import annotations

import builtins
import json
import textwrap

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from unmask.spec import certificates
from unmask.spec.__main__ import main
from unmask.spec.commands import report
from unmask.spec.formats import from_float, to_float
from unmask.spec.reference import families


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = families.rows("Zipf", 300, 12)
    np.save("rows.npy", to_float(rows))
    np.save("near.npy", to_float(np.array([rows[0], rows[0][::-1]])))  # permutations: equal keys
    np.save("ids.npy", np.full((2, 6), 7))
    codes = torch.from_numpy(to_float(rows)).bfloat16().reshape(2, 6, 300)
    torch.save(codes, "rows.pt")
    save_file({"logits": codes, "other": torch.zeros(2)}, "two.safetensors")
    return tmp_path


def run(*words):
    return main(["certify", *map(str, words)])


def test_summary_then_positions(here, capsys):
    assert run("rows.npy", "--k", 3, "--exact") == 0
    out = capsys.readouterr().out
    assert out.startswith("rows.npy: T = 1, B = 1, L = 12, V = 300; llada_low_confidence_fp64")
    assert "certified equal to exact arithmetic" in out and "100.00%" in out
    assert out.count(" yes ") == 3


def test_all_files_say_the_same(here, capsys):
    words = ("--steps", "--k", 2, "--json", "out.json")
    found = []
    for name in (["rows.pt"], ["two.safetensors", "--tensor", "logits"]):
        assert run(*name, *words) == 0
        capsys.readouterr()
        facts = json.loads((here / "out.json").read_text())
        assert facts["shape"] == [2, 1, 6, 300]
        found.append(facts["steps"])
    assert found[0] == found[1]
    assert [len(row["transfer"]) for step in found[0] for row in step] == [2, 2]


def test_masks(here, capsys):
    np.save("mask.npy", np.arange(12) % 2 == 0)
    assert run("rows.npy", "--tau", 0.0, "--mask", "mask.npy") == 0
    assert capsys.readouterr().out.count(" yes ") == 6
    np.save("x.npy", np.where(np.arange(12) < 4, 7, 1))
    assert run("rows.npy", "--tau", 0.0, "--ids", "x.npy", "--mask-id", 7) == 0
    assert capsys.readouterr().out.count(" yes ") == 4


def test_prompt_from_a_file(here, capsys):
    np.save("prompt.npy", np.zeros((2, 6), bool))
    words = ["rows.pt", "--contract", "llada21", "--tau", 0.5, "--ids", "ids.npy", "--mask-id", 8]
    assert run(*words, "--set", "edit_tau=0.001", "--set", "prompt=@prompt.npy") == 0
    assert capsys.readouterr().out.count(" yes ") == 12


def test_rate(here, capsys):
    assert run("near.npy", "--k", 1) == 0
    assert run("near.npy", "--k", 1, "--rate", 0.5) == 1
    assert "100.00% of the sets are not certified, more than --rate 0.5" in capsys.readouterr().out
    assert run("rows.npy", "--k", 1, "--rate", 0) == 0


def test_plain_table_without_rich(here, capsys, monkeypatch):
    imported = builtins.__import__

    def without(name, *rest, **kwargs):
        if name.startswith("rich"):
            raise ImportError(name)
        return imported(name, *rest, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    assert run("rows.npy", "--k", 3) == 0
    assert capsys.readouterr().out.count(" yes ") == 3


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["none.npy", "--k", 1], "none.npy: cannot read: No such file"),
        (["rows.npy"], "k is not given"),
        (["rows.npy", "--k", 13], "k is 13, expected an integer from 0 to 12"),
        (["rows.npy", "--k", "x"], "'x' is not an unsigned number"),
        (["rows.npy", "--tau", "nan"], "'nan' is not a number"),
        (["rows.npy", "--k", 1, "--rate", 2], "'2' is not a share from 0 to 1"),
        (["rows.npy", "--contract", "beam"], "--contract beam: expected one of"),
        (["rows.npy", "--k", 1, "--set", "k"], "'k' is not NAME=VALUE"),
        (["rows.npy", "--k", 1, "--set", "a=b"], "the value is no number"),
        (["rows.npy", "--k", 1, "--set", "a=1"], "a is no parameter of"),
        (["rows.npy", "--k", 1, "--tensor", "t"], "--tensor t is for .safetensors"),
        (["rows.npy", "--k", 1, "--mask", "ids.npy"], "ids.npy: elements of type int64"),
        (["rows.npy", "--k", 1, "--ids", "ids.npy"], "ids.npy: shape (2, 6); expected (T, B, L)"),
        (["rows.npy", "--k", 1, "--mask-id", 1], "expected --ids"),
        (["two.safetensors", "--k", 1], "two.safetensors: holds 2 tensors: logits, other"),
        (["two.safetensors", "--k", 1, "--tensor", "x"], "holds no tensor x, but 2 tensors"),
        (["bad.safetensors", "--k", 1], "bad.safetensors: no .safetensors file"),
        (["rows.npy", "--k", 1, "--set", "k=3"], "k is given twice: 3 and 1"),
        (["rows.npy", "--k", 1, "--chain", 0], "--chain is 0, expected an integer from 1"),
        (
            ["big.pt", "--k", 1, "--ids", "big.npy", "--mask-id", 300],
            "--mask-id is 300, expected an integer from 0 to 299",
        ),
        (["int.npy", "--k", 1], "int.npy: elements of type int64"),
        (["rows.npy", "--k", 1, "--json", "rows.npy"], "rows.npy: cannot write: it is an input"),
        (["big.pt", "--k", 1, "--ids", "big.npy"], "big.npy: step 0: x[0, 0] is 300"),
    ],
)
def test_bad_input_is_one_line(here, capsys, words, message):
    (here / "bad.safetensors").write_bytes(b"no")
    np.save("int.npy", np.zeros((2, 3), np.int64))
    torch.save(torch.zeros(1, 300), "big.pt")
    np.save("big.npy", np.array([300]))
    assert run(*words) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


@pytest.mark.parametrize("words", [[], ["--k", 13], ["--k", 1, "--chain", 0]])
def test_a_wrong_option_is_not_blamed_on_the_file(here, capsys, words):
    assert run("rows.npy", *words) == 2
    assert "rows.npy" not in capsys.readouterr().err


def test_the_hook_in_the_docstring(here, capsys):
    text = certificates.__doc__
    code = textwrap.dedent(
        text[text.index("    import torch") : text.index("or, with safetensors")]
    )

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = torch.nn.Embedding(20, 4)
            self.lm_head = torch.nn.Linear(4, 20)

        def forward(self, ids):
            return self.lm_head(self.embed(ids))

    def generate(model):
        for _ in range(3):
            model(torch.zeros(2, 5, dtype=torch.int64))

    exec(code, {"model": Model(), "generate": generate})
    assert run("logits.pt", "--k", 2) == 0
    assert "T = 3, B = 2, L = 5, V = 20" in capsys.readouterr().out


def test_confidences_near_1_are_printed_with_the_lesser_end_first():
    assert report._interval(1 - 2.0**-10, 1 - 2.0**-11) == "1 - 0.00097656 to 1 - 0.00048828"


def test_what_is_not_bf16_is_rounded_and_counted(here, capsys):
    np.save("off.npy", np.array([[0.1, 1.0, 2.0]]))
    assert run("off.npy", "--k", 1) == 0
    assert "1 logits were not BF16" in capsys.readouterr().out
    assert from_float(0.1) == 0x3DCD
