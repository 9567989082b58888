"""The page on how often sets are the exact ones: its counts, intervals and lines."""

import math

import numpy as np
import pytest

from unmask.spec.formats import to_float
from unmask.spec.manual import agreement
from unmask.spec.manual.agreement import FORMATS, TABLE, Tally, rate, wilson
from unmask.spec.reference import families


@pytest.mark.parametrize(("count", "total"), [(0, 60), (60, 60), (30, 60), (1, 7), (58, 60)])
def test_interval_is_wilson_s(count, total):
    """Its ends are the shares from which the count is 1.96 standard deviations away."""
    for end in wilson(count, total):
        if 0 < end < 1:
            away = abs(count / total - end) / math.sqrt(end * (1 - end) / total)
            assert away == pytest.approx(1.959964, rel=1e-6)
    low, high = wilson(count, total)
    assert 0 <= low <= count / total <= high <= 1 and low < high


def test_one_family_is_as_measured():
    """All take half an hour: python -m unmask.spec.manual.agreement."""
    assert agreement.check("equal")


def test_check_notices_another_count(monkeypatch):
    monkeypatch.setattr(agreement, "measure", lambda family, keys_alone: Tally(steps=60))
    assert not agreement.check("gaussian")


def test_page_has_all_families_and_no_wrong_certificate():
    page = TABLE.read_text(encoding="utf-8")
    assert page.startswith(agreement.HEAD)
    for family in families.FAMILIES:
        lines = [x.split(" | ") for x in page.splitlines() if x.startswith(f"| {family} |")]
        assert len(lines) == 3
        steps, certified, keys = (int(cell.split()[0]) for cell in lines[0][1:4])
        assert certified <= keys <= steps == agreement.STEPS


def test_counts_of_a_step_by_hand():
    """Small rows, so that all can be done in floats."""
    codes = families.rows("gaussian", 200, 6, seed=1)
    tally = Tally()
    wanted, found = agreement.certify(tally, codes, 2)
    weights = np.exp(to_float(codes).astype(float))
    confidence = weights.max(axis=1) / weights.sum(axis=1)
    assert wanted == found == set(np.argsort(-confidence)[:2].tolist())
    agreement.compare(tally, codes[:, :192], 2, wanted, found)
    agreement.quantise(tally, codes, 2)
    assert (tally.steps, tally.certified, tally.wrong, tally.quantised) == (1, 1, 0, 1)
    assert tally.same["keys"] == 1 and set(tally.argmax) == set(FORMATS)
    assert tally.token_rows == 6 and tally.tokens == 6


def test_lines():
    tally = Tally(steps=4, certified=3, token_rows=128, tokens=127, quantised=2)
    page = agreement.text({"one": tally})
    assert f"| one | 4 | {rate(3, 4)} | {rate(0, 4)}" in page
    assert page.count("| one |") == 3 and "127 of 128" in page
