"""What every mutant is run against: situations with the witness's answers, dense checks.

Which functions each of them executes is recorded once, so that a mutant meets only those that
concern it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from random import Random
from types import FrameType
from typing import Any

from unmask.spec import vectors
from unmask.tests.mutants import loader
from unmask.tests.mutants.operators import Mutant
from unmask.tests.witness import dense, expected
from unmask.tests.witness.draw import situations
from unmask.tests.witness.run import difference, execute
from unmask.tests.witness.words import LAYOUTS
from unmask.tests.witness.world import Outcome, Situation

Owner = tuple[str, int, str]  # module, first line, name of a function
_SHORT = {str(loader.path_of(name)): name for name in loader.order()}
# Rows of many operands and cases: how many times as many situations they need.
MORE = {
    "H_PREFETCH_V": 5, "H_STORE_V": 3, "H_RED_SM": 6, "S_SELECT_INT": 4, "V_RED_SM": 2,
    "V_RED_SUM": 2, "V_RED_MAX": 3,
    "V_TOPK_MASK": 4, "V_CMP_MASK_II": 3, "V_CMP_MASK_IG": 3,
}  # fmt: skip


@dataclass
class Known:
    """A situation, its name, and what the witness expects; `whole`: run on arrays."""

    name: str
    mnemonic: str
    situation: Situation
    outcome: Outcome
    whole: bool


@dataclass
class Corpus:
    """Attributes:
    known: in a mixed order, so that the first few are of many rows.
    checks: dense ones.
    by_owner: function -> numbers of situations and of checks that execute it.
    by_module: the same for whole modules.
    odd: numbers of situations whose words are one bit from a legal one.
    """

    known: list[Known] = field(default_factory=list)
    checks: list[dense.Dense] = field(default_factory=list)
    by_owner: dict[Owner, tuple[list[int], list[int]]] = field(default_factory=dict)
    by_module: dict[str, tuple[set[int], set[int]]] = field(default_factory=dict)
    odd: list[int] = field(default_factory=list)

    def concerning(self, mutant: Mutant) -> tuple[list[Known], list[dense.Dense]]:
        """Situations and dense checks that may notice a mutant, most likely first."""
        if mutant.owner is not None:
            numbers, checks = self.by_owner.get((mutant.module, *mutant.owner), ([], []))
            if numbers or checks:
                return [self.known[i] for i in numbers], [self.checks[i] for i in checks]
        if mutant.row:
            return [x for x in self.known if x.mnemonic == mutant.row], self.checks[:0]
        # It runs on import: what it makes may be used wherever the module is, or what imports it.
        items: tuple[dict[int, None], dict[int, None]] = ({}, {})
        for module in loader.affected(mutant.module):
            for found, more in zip(items, self.by_module.get(module, ((), ())), strict=True):
                found.update(dict.fromkeys(sorted(more)))
        items[0].update(dict.fromkeys(self.odd))
        return [self.known[i] for i in items[0]], [self.checks[i] for i in items[1]]


def build(
    count: int,
    told: Callable[[str], None] = lambda name: None,
    rows: Iterable[str] = tuple(LAYOUTS),
    groups: Iterable[str] = tuple(dense.GROUPS),
) -> Corpus:
    """A corpus of `count` situations a row.

    Args:
        told: hears of each row and group before it is made.
        rows, groups: mnemonics, and groups of dense checks.

    Raises:
        AssertionError: if the specification, unchanged, is not what the witness expects.
    """
    corpus = Corpus()
    for mnemonic in rows:
        told(mnemonic)
        many = count * MORE.get(mnemonic, 1)
        for number, situation in enumerate(situations(mnemonic, many, seed=1)):
            name = f"{mnemonic} {number}"
            whole = number % 8 == 3
            corpus.known.append(Known(name, mnemonic, situation, expected(situation), whole))
        for number, situation in enumerate(_odd(mnemonic)):
            name = f"word like {mnemonic} {number}"
            corpus.known.append(Known(name, mnemonic, situation, expected(situation), False))
    Random(1).shuffle(corpus.known)
    corpus.odd = [i for i, x in enumerate(corpus.known) if x.name.startswith("word")]
    for group in groups:
        told(group)
        corpus.checks += dense.GROUPS[group]()
    now = loader.modules()
    for number, known in enumerate(corpus.known):
        owners, fault = _traced(partial(judge, known))
        assert fault is None, f"{known.name}: {fault}"
        _note(corpus, owners, number, 0)
    for number, check in enumerate(corpus.checks):
        owners, agrees = _traced(partial(check.agrees, now))
        assert agrees, check.name
        _note(corpus, {*owners, (check.module, 0, "")}, number, 1)
    return corpus


def _odd(mnemonic: str) -> list[Situation]:
    """Words one bit away from legal ones, each bit once."""
    legal = situations(mnemonic, 32, seed=2)[-32:]
    changed = (replace(x.scene, word=x.scene.word ^ 1 << bit) for bit, x in enumerate(legal))
    return [x._replace(scene=scene) for x, scene in zip(legal, changed, strict=True)]


def judge(known: Known, modules: Any = None) -> str | None:
    """How the machine differs from the witness, or None."""
    if modules is None:
        record, after = execute(known.situation, known.whole)
    else:
        record, after = execute(known.situation, known.whole, modules)
    return difference(record, after, known.outcome)


def _note(corpus: Corpus, owners: Iterable[Owner], number: int, which: int) -> None:
    for owner in owners:
        corpus.by_owner.setdefault(owner, ([], []))[which].append(number)
        corpus.by_module.setdefault(owner[0], (set(), set()))[which].add(number)


def _traced(run: Callable[[], Any]) -> tuple[set[Owner], Any]:
    """Functions of the specification that a call executes, and its result."""
    vectors.EACH._known.clear()
    vectors.WHOLE._tables.clear()
    owners: set[Owner] = set()

    def profile(frame: FrameType, event: str, argument: Any) -> None:
        if event == "call":
            module = _SHORT.get(frame.f_code.co_filename)
            if module is not None:
                owners.add((module, frame.f_code.co_firstlineno, frame.f_code.co_name))

    sys.setprofile(profile)
    try:
        result = run()
    finally:
        sys.setprofile(None)
    return owners, result
