"""Figures in the README are what the code gives."""

import re

from unmask.model.machine import CORE
from unmask.spec import isa
from unmask.tests.cosim.paths import ROOT
from unmask.tests.mutants.__main__ import all_mutants

TEXT = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())


def stated(pattern: str) -> int:
    """The one number that the README gives in these words."""
    (number,) = re.findall(pattern, TEXT)
    return int(number)


def test_instructions():
    assert stated(r"for each of the (\d+) instructions") == len(isa.TABLE)
    assert stated(r"executes (\d+) of them") == len(CORE)


def test_mutants():
    assert "breaks the specification in over four thousand ways" in TEXT
    assert 4000 < len(all_mutants()) < 5000


def test_files_that_it_names_exist():
    names = re.findall(r"`((?:spec|model|rtl|proofs|tests|ci)/[\w./]*)`", TEXT)
    assert len(names) > 15
    assert [name for name in names if not (ROOT / name).exists()] == []
