"""Certificates of a core on seeded rows: none wrong, no set inadmissible, few sets uncertified.

The core is its keys. Three of them are judged on the same rows: ours; one whose numbers all lie at
the edge of what T1 allows, on the side that hurts; and, which must be found out, one whose numbers
lie at the edge of twice that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from unmask.spec import numerics
from unmask.spec.certificates import keys as of_keys
from unmask.spec.certificates.admissible import (
    Admissible,
    Error,
    Task,
    groups_of,
    intervals_of,
    sets,
    task_of,
)
from unmask.spec.certificates.rows import Row, rows_of
from unmask.spec.formats import to_float
from unmask.spec.reference import families
from unmask.spec.reference.rules import Rule, Threshold

LLADA = 126_464
SIZES = ((LLADA, 4, 1), (1_024, 16, 2))  # vocabulary, positions, steps of each family
NEAR_STEPS = 24
KS = (1, 2, 4, 8)
# Shares of sets that our keys leave uncertified, measured; all others are certified. Rows of equal
# logits have equal deltas, which no number tells apart; "near" ones differ by 0.6 to 3.4 times r,
# and a threshold at a row is nearer to it than the bound.
UNCERTIFIED = {"equal": 1.0, "near": 0.875, "threshold": 1.0, "sure": 1 / 13}

Core = Literal["ours", "edge", "twice"]
CORES: tuple[Core, ...] = get_args(Core)


@dataclass
class Found:
    """What a sweep has seen.

    Attributes:
        sets: judged.
        certified: of each family: by our keys, of how many.
        faults: in one line each; a core that keeps T1 has none.
    """

    sets: int = 0
    certified: dict[str, tuple[int, int]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def rate(self, family: str) -> float:
        """Share of a family's sets that is not certified."""
        certified, sets_ = self.certified[family]
        return 1 - certified / sets_


def sweep(sizes: Sequence[tuple[int, int, int]] = SIZES) -> dict[Core, Found]:
    """Judge the cores on all families, and on rows that lie as near as T1's bound."""
    found: dict[Core, Found] = {core: Found() for core in CORES}
    for family, rows in steps(sizes):
        _judge(family, rows, found)
    return found


def steps(sizes: Sequence[tuple[int, int, int]]) -> Iterator[tuple[str, NDArray[np.uint16]]]:
    """Family and rows (L, V) of each step; the same every time."""
    for vocabulary, positions, count in sizes:
        for family in families.FAMILIES:
            for seed in range(count):
                yield family, families.rows(family, vocabulary, positions, seed)
    rng = np.random.default_rng(1)
    for _ in range(NEAR_STEPS):
        yield "near", near_pair(rng)


def near_pair(rng: np.random.Generator, least: float = 0.6) -> NDArray[np.uint16]:
    """Two rows (2, V) whose deltas differ by `least` to 3.4 times T1's error, in either order."""
    while True:
        row = families.rows("gaussian", 1_000, 1, int(rng.integers(1 << 30)))[0]
        values = to_float(row).astype(np.float64)
        weights = np.exp(values - values.max())
        positive = np.flatnonzero((values > 0) & (values < values.max()))
        raised = to_float(row[positive] + 1).astype(np.float64)
        change = np.exp(raised - values.max()) - weights[positive]
        share = change / (weights.sum() - 1) / float(numerics.R)
        fitting = positive[(share > least) & (share < 3.4)]
        if len(fitting):
            other = row.copy()
            other[fitting[0]] += 1
            pair = np.array([rng.permutation(row), rng.permutation(other)])
            return pair if rng.random() < 0.5 else pair[::-1]


def _judge(family: str, codes: NDArray[np.uint16], found: dict[Core, Found]) -> None:
    positions, vocabulary = codes.shape
    rows = rows_of(Rule("float64", (0,)), codes, [0] * positions)
    ours = [int(key) for key in of_keys.keys_of([row.codes for row in rows])]
    for name, rule in _rules(family, ours):
        masked = np.ones(positions, bool)
        task = task_of(rule, 0, rows, np.zeros(positions, np.int64), masked)
        groups = groups_of(task, rows)
        exact = sets(task, intervals_of(task, rows, Error.of(vocabulary, 0)), groups).must
        allowed = sets(task, intervals_of(task, rows, Error.of(vocabulary)), groups)
        for core in CORES:
            keys = ours if core == "ours" else _displaced(core, rows, groups, exact)
            chosen, proven = _core(task, keys, vocabulary)
            found[core].sets += 1
            before = found[core].certified.get(name, (0, 0))
            found[core].certified[name] = before[0] + proven, before[1] + 1
            where = f"{name}, V = {vocabulary}"
            found[core].faults += _faults(where, allowed, exact, chosen, proven)


def _core(task: Task, keys: Sequence[int], vocabulary: int) -> tuple[NDArray[np.bool_], bool]:
    """What keys choose, (L,), and whether they prove it."""
    apart = list(range(len(keys)))
    chosen = sets(task, [of_keys.value(key) for key in keys], apart)
    proven = sets(task, [of_keys.interval(key, vocabulary) for key in keys], apart)
    return chosen.must, proven.unique


def _rules(family: str, keys: Sequence[int]) -> Iterator[tuple[str, Rule]]:
    """A family's name and a rule: quotas, thresholds between two rows and at one."""
    for k in KS:
        if k < len(keys):
            yield family, Rule("float64", (k,))
    values = sorted(float(numerics.value(key) or 0) for key in keys)
    low, at = values[len(values) // 2 - 1 : len(values) // 2 + 1]
    between = Threshold(1 / (1 + (low + at) / 2), "float64", strict=False)
    yield family, Rule("float64", (1,), threshold=between)
    yield "threshold", Rule("float64", (1,), threshold=Threshold(1 / (1 + at), "float64", False))


def _displaced(
    core: Core, rows: Sequence[Row], groups: Sequence[object], exact: NDArray[np.bool_]
) -> list[int]:
    """Keys at the edge of once or twice RHO: what should be chosen looks worse, the rest better.

    Rows that are permutations of each other keep equal keys (T5).
    """
    error = numerics.RHO * (2 if core == "twice" else 1)
    inside = {group for group, chosen in zip(groups, exact, strict=True) if chosen}
    found = []
    for row, group in zip(rows, groups, strict=True):
        assert row.delta is not None
        low, high = row.delta.interval
        found.append(numerics.code(high * (1 + error) if group in inside else low * (1 - error)))
    return found


def _faults(
    name: str,
    allowed: Admissible,
    exact: NDArray[np.bool_],
    chosen: NDArray[np.bool_],
    proven: bool,
) -> Iterator[str]:
    refused = allowed.refuses(chosen)
    if refused:
        yield f"{name}: {refused}"
    if proven and (chosen != exact).any():
        yield f"{name}: certified {_places(chosen)}, exact is {_places(exact)}"


def _places(chosen: NDArray[np.bool_]) -> list[int]:
    return [int(place) for place in np.flatnonzero(chosen)]


def loose(found: Found) -> list[str]:
    """Families that are certified less often than is stated, or more: the statement is tight."""
    wrong = []
    for family in found.certified:
        rate, stated = found.rate(family), UNCERTIFIED.get(family, 0.0)
        if abs(rate - stated) > 0.005:
            wrong.append(f"{family}: {rate:.1%} of the sets uncertified, {stated:.1%} is stated")
    return wrong
