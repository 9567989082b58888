"""How far the published numerics are from the truth, and how far a softmax state is.

    python -m unmask.spec.manual.published_error            measures, writes published.md
    python -m unmask.spec.manual.published_error --check    exit code 1 if that would change it

Rows of logits are drawn from a few families, rounded to BF16, and their confidences computed three
ways: in float64; as the published program does (`unmask.spec.programs.published`, the same
operations on whole arrays; `tests/spec/test_published.py` holds them to the machine, bit for bit);
and from the key of a softmax state. A line of the table depends on nothing but its case.
"""

from __future__ import annotations

import argparse
import sys
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from unmask.spec import arith, numerics
from unmask.spec.bits import Bits, arrays, mux
from unmask.spec.certificates.keys import keys_of
from unmask.spec.formats import NEG_INF, from_float, order_key, to_float
from unmask.spec.reference.families import FAMILIES
from unmask.spec.vectors import WHOLE

FILE = Path(__file__).parent / "published.md"
VLEN = 64
ROWS = 32  # positions that are ranked against each other
KS = (1, 2, 4, 8, 16)
LLADA = 126_464

FAMILY_NAMES = ("gaussian", "peaked", "Zipf", "two close", "all negative")


@dataclass(frozen=True)
class Case:
    """One line of the table: `groups` times `ROWS` rows of a family."""

    family: str
    vocabulary: int
    groups: int


CASES = tuple(
    Case(family, vocabulary, groups)
    for vocabulary, groups in ((1_024, 8), (16_384, 4), (LLADA, 2))
    for family in FAMILY_NAMES
)


class Sampled(NamedTuple):
    """Of rows: the first index of the maximum, and the confidence as a BF16 code; shape (n,)."""

    tokens: NDArray[np.int64]
    confidence: NDArray[np.int64]


def published(rows: NDArray[np.uint16], vlen: int, from_zero: bool = False) -> Sampled:
    """What the published program gives, by its own operations on arrays; FP32 adds are numpy's.

    Args:
        rows: BF16 codes, shape (n, vocabulary), of whole chunks; no NaN.
        vlen: lanes.
        from_zero: where the running maximum starts.
    """
    start = arrays(16, np.int64(0 if from_zero else NEG_INF))
    ranks = order_key(arrays(16, np.arange(1 << 16))).value
    tokens = np.argmax(ranks[rows], axis=1)
    found = arrays(16, np.take_along_axis(rows, tokens[:, None], axis=1))
    greater = order_key(start).ult(order_key(found))
    maximum = mux(greater, found, start)
    level = np.array(
        [_weights(row, maximum.like(x)) for row, x in zip(rows, maximum.value, strict=True)]
    )
    level = level.reshape(len(rows), -1, vlen)
    while level.shape[2] > 1:  # a tree of neighbours
        level = level[:, :, ::2] + level[:, :, 1::2]
    total = np.zeros(len(rows), np.float32)
    for chunk in level[:, :, 0].T:  # in order: each sum is rounded to BF16 before the next joins
        total = to_float(from_float(total + chunk))
    confidence = arith.reciprocal(arrays(16, from_float(total))).value
    return Sampled(np.where(greater.value[:, 0] == 1, tokens, 0), np.asarray(confidence))


def _weights(row: NDArray[np.uint16], maximum: Bits) -> NDArray[np.float32]:
    """exp(l - maximum) of a row, rounded to BF16 twice; each code that occurs is looked at once."""
    codes = np.flatnonzero(np.bincount(row, minlength=1 << 16))
    table = np.zeros(1 << 16, np.float32)
    table[codes] = to_float(WHOLE.table(arith.exp, arith.sub(arrays(16, codes), maximum)).value)
    return table[row]


def exact(rows: NDArray[np.uint16]) -> NDArray[np.float64]:
    """delta of each row in float64, shape (n,): the sum of exp(l - max) over the others."""
    found = []
    for row in rows:
        logits = to_float(row).astype(np.float64)
        place = int(np.argmax(logits))
        weights = np.exp(logits - logits[place])
        weights[place] = 0
        found.append(weights.sum())
    return np.array(found)


@dataclass(frozen=True)
class Measured:
    """Of one way to compute confidences: greatest and median relative error, wrong sets."""

    greatest: float
    median: float
    sets: int
    wrong: int
    tokens: float = 0.0


def _compare(
    confidence: NDArray[np.floating],
    order: NDArray[np.int64],
    delta: NDArray[np.float64],
    wrong_tokens: float = 0.0,
) -> Measured:
    """Errors against delta, and the sets of the k first positions in `order`, ascending."""
    truth = 1 / (1 + delta)
    error = np.abs(confidence.astype(np.float64) - truth) / truth
    wrong = 0
    groups = len(delta) // ROWS
    for ours, theirs in zip(order.reshape(groups, ROWS), delta.reshape(groups, ROWS), strict=True):
        ranked = [np.argsort(x, kind="stable") for x in (ours, theirs)]
        wrong += sum(set(ranked[0][:k]) != set(ranked[1][:k]) for k in KS)
    return Measured(
        float(error.max()), float(np.median(error)), groups * len(KS), wrong, wrong_tokens
    )


def rows_of(case: Case) -> NDArray[np.uint16]:
    """BF16 codes, shape (groups * ROWS, vocabulary); always the same."""
    seed = zlib.crc32(f"{case.family} {case.vocabulary}".encode())
    rng = np.random.default_rng(seed)
    draw = FAMILIES[case.family]
    return np.array([from_float(draw(rng, case.vocabulary)) for _ in range(case.groups * ROWS)])


def measure(case: Case) -> list[Measured]:
    """Published from -infinity, published from 0.0, float64 rounded to BF16, softmax state."""
    rows = rows_of(case)
    delta = exact(rows)
    truth = np.argmax(to_float(rows), axis=1)
    results = []
    got = published(rows, VLEN)
    for from_zero in (False, True):
        if from_zero and not (to_float(rows).max(axis=1) > 0).all():  # else it is the same
            got = published(rows, VLEN, from_zero)
        shown = to_float(got.confidence.astype(np.uint16))
        ranks = -order_key(arrays(16, got.confidence)).value
        results.append(_compare(shown, ranks, delta, float(np.mean(got.tokens != truth))))
    rounded = from_float(1 / (1 + delta))
    results.append(_compare(to_float(rounded), -rounded.astype(np.int64), delta))
    own = keys_of(list(rows))
    values = np.array([float(numerics.value(int(key)) or 0) for key in own])
    results.append(_compare(1 / (1 + values), own, delta))
    return results


def line(case: Case) -> str:
    """One line of the table."""
    first, zero, rounded, state = measure(case)
    return " | ".join(
        [
            f"| {case.vocabulary:,}",
            case.family,
            f"{_percent(first.greatest)} ({_percent(first.median)})",
            f"{first.wrong} of {first.sets}",
            f"{_percent(zero.greatest)}",
            f"{zero.wrong} of {zero.sets}",
            f"{_percent(zero.tokens)}",
            f"{rounded.wrong} of {rounded.sets}",
            f"{_small(state.greatest)}",
            f"{state.wrong} of {state.sets} |",
        ]
    )


def _percent(share: float) -> str:
    if share <= 1:
        return f"{100 * share:.3g}%"
    return f"{share:.3g} times" if share < 100 else f"{share:,.0f} times"


def _small(value: float) -> str:
    return "0" if value == 0 else f"2**{np.log2(value):.1f}"


HEAD = f"""\
The published sampling program (`spec/programs/published.py`) works in BF16: each weight
exp(l - max) is rounded to BF16, and so is the running sum after every chunk of VLEN = {VLEN}
weights, whose own sum is made in FP32 (V_RED_SUM). A running sum of over 512 times what a chunk
adds does not grow any more. The table compares the program's confidences, and those from the key
of a softmax state, with float64.

Error: greatest (median) relative error of a confidence. Sets: of {ROWS} positions the k most
confident, k = {", ".join(map(str, KS))}; how many of these sets are not those of float64. From
0.0: the running maximum starts from 0.0, as published; tokens: share of wrong ones. If all logits
are negative it stays at 0.0, and a "confidence" is 1 / sum of exp(l), however great. Rounded: the
sets of float64 confidences that are rounded to BF16 at the very end, which makes rows equal.

| V | logits | error | sets | from 0.0: error | sets | tokens | rounded | state: error | sets |
|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|
"""


def text(cases: Sequence[Case] = CASES) -> str:
    """The section of the manual; takes a few minutes."""
    lines = []
    for case in cases:
        lines.append(line(case))
        print(lines[-1], file=sys.stderr, flush=True)
    return HEAD + "\n".join(lines) + "\n"


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m unmask.spec.manual.published_error", description=__doc__
    )
    parser.add_argument("--check", action="store_true", help="compare only")
    arguments = parser.parse_args(argv)
    content = text()
    if arguments.check:
        same = FILE.read_text(encoding="utf-8") == content
        print(f"{FILE}: {'as measured' if same else 'differs from what is measured'}")
        return 0 if same else 1
    FILE.write_text(content, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
