"""Figures in the README are what the code gives."""

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import torch

from unmask.spec import isa
from unmask.spec.formats import to_float
from unmask.spec.pack import Shape, unpack
from unmask.spec.reference.samplers import CONTRACTS
from unmask.tests.cosim.paths import ROOT
from unmask.tests.mutants.__main__ import all_mutants

PAGE = (ROOT / "README.md").read_text(encoding="utf-8")
TEXT = " ".join(PAGE.split())


def stated(pattern: str) -> int:
    """The one number that the README gives in these words."""
    (number,) = re.findall(pattern, TEXT)
    return int(number)


def test_instructions():
    assert stated(r"for each of the (\d+) instructions") == len(isa.TABLE)


def test_contracts():
    assert stated(r"restates (\d+) of them as contracts") == len(CONTRACTS)


def test_generation_loop():
    """The lines under "A sampler for PyTorch", with a model that predicts the position."""
    section = PAGE.partition("**A sampler for PyTorch.**")[2].partition("\n\n")[2]
    given: dict[str, Any] = {}
    exec(textwrap.dedent(section.partition("\n\n`spec")[0]), given)
    logits = 9 * torch.eye(8).unsqueeze(0)
    prompt = torch.tensor([[0, 1]])
    assert given["generate"](lambda x: logits, prompt, 6, mask_id=3).tolist() == [
        [0, 1, 2, 3, 4, 5, 6, 7]
    ]


def test_mutants():
    assert "breaks the specification in over four thousand ways" in TEXT
    assert 4000 < len(all_mutants()) < 5000


def test_first_program():
    """The commands under "Writing a program", as they stand there."""
    section = PAGE.partition("## Writing a program")[2].partition("\n\nThe assembler")[0]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    run = subprocess.run(
        ["bash", "-euc", textwrap.dedent(section)],
        cwd=ROOT,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    folder = ROOT / "build" / "first"
    shape = Shape("E4M3_B32", 4, 1000)
    values = to_float(unpack(np.fromfile(folder / "logits.bin", np.uint8), shape))
    assert np.load(folder / "ids.npy").tolist() == values.argmax(1).tolist()


def test_files_that_it_names_exist():
    names = re.findall(r"`((?:spec|model|rtl|proofs|tests|ci)/[\w./]*)`", TEXT)
    assert len(names) > 15
    assert [name for name in names if not (ROOT / name).exists()] == []
