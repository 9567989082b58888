"""Whether the ids after a step are right: equal to the oracle's, admissible, or wrong, and why.

    equal        the oracle's ids
    admissible   other ids, that the contract leaves open: because the numbers that decide are
                 nearer to each other than a core's error, or PyTorch's, or (ties "any") because
                 the source's ranking does not say which of equal confidences is the first
    wrong        anything else

This is the only module here that knows `unmask.spec.certificates`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import chain, combinations, islice
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from unmask.spec.certificates import torch_error
from unmask.spec.certificates.admissible import (
    Admissible,
    Task,
    admissible,
    points_of,
    sets,
    task_of,
)
from unmask.spec.certificates.certificate import Certificate, certify
from unmask.spec.certificates.rows import Row as LogitRow
from unmask.spec.certificates.rows import rows_of
from unmask.spec.conformance.case import Case
from unmask.spec.errors import UsageError
from unmask.spec.reference.contract import Order, Step, stable
from unmask.spec.reference.rules import Rule, Shape, rule_of

Status = Literal["equal", "admissible", "wrong"]
TIES = ("lowest", "any")
Ids = NDArray[np.int64]
Bools = NDArray[np.bool_]

_MOST_READINGS = 256


@dataclass(frozen=True)
class Verdict:
    """A judgement; `reason` is one line, empty if equal."""

    status: Status
    reason: str = ""


@dataclass(frozen=True)
class Judge:
    """What is asked of a result.

    Attributes:
        ties: "lowest": of equal confidences the lowest position, as the oracle takes it; "any": any
            of them, where the contract's source ranks by an operation that leaves it open.
        error: times T1's bounds, what a core's delta may be wrong by; 0: nothing, and PyTorch's
            softmax may not round otherwise than here either.

    Raises:
        UsageError: on another value.
    """

    ties: str = "lowest"
    error: float = 1.0

    def __post_init__(self) -> None:
        if self.ties not in TIES:
            raise UsageError(f"ties is {self.ties!r}; expected {' or '.join(TIES)}")
        number = isinstance(self.error, int | float) and not isinstance(self.error, bool)
        if not number or not 0 <= self.error < math.inf:
            raise UsageError(f"error is {self.error!r}; expected a finite number, 0 or more")

    def verdict(self, case: Case, ids: Ids, expected: Ids | None = None) -> Verdict:
        """The judgement of the ids after a step.

        Args:
            case: the step.
            ids: (B, L) what a design made of it.
            expected: (B, L) the oracle's ids, if they are known.
        """
        if expected is not None and np.array_equal(ids, expected):
            return Verdict("equal")
        reasons = []
        for batch in range(case.shape[0]):
            if expected is not None and np.array_equal(ids[batch], expected[batch]):
                continue  # as it was when it was written: a last bit may be another here
            found = self._row(_Row(case.row(batch)), ids[batch])
            if found.status != "equal":
                reasons.append(f"batch row {batch}: {found.reason}")
            if found.status == "wrong":
                return Verdict("wrong", reasons[-1])
        return Verdict("admissible", "; ".join(reasons)) if reasons else Verdict("equal")

    def _row(self, row: _Row, ids: Ids) -> Verdict:
        if np.array_equal(ids, row.expected):
            return Verdict("equal")
        stray = row.stray(ids)
        if stray is not None:
            return Verdict("wrong", stray)
        place = int(np.flatnonzero(ids != row.expected)[0])
        differs = f"position {place} is {ids[place]}, expected {row.expected[place]}"
        refused = row.refused(ids, self.error)
        if refused is None:
            return Verdict("admissible", f"{differs}; inside the margin")
        if self.ties == "any" and np.array_equal(row.favoured(ids), ids):
            return Verdict("admissible", f"{differs}; another choice among equal confidences")
        return Verdict("wrong", f"{differs}; {refused}")


@dataclass(frozen=True)
class _Row:
    """One batch row, as a step of its own."""

    case: Case

    @cached_property
    def step(self) -> Step:
        """What the oracle does."""
        return self._step(stable)

    @cached_property
    def expected(self) -> Ids:
        """(L,) the oracle's ids."""
        return _array(self.step.x)

    @cached_property
    def rule(self) -> Rule:
        return rule_of(self.case.contract, Shape(*self.case.shape), **self.case.tensors()[3])

    def stray(self, ids: Ids) -> str | None:
        """A position with an id that is neither the old one nor one that may be written there."""
        for place in np.flatnonzero(ids != self.case.x[0]).tolist():
            if ids[place] not in self._tokens[place]:
                wanted = " or ".join(map(str, sorted(self._tokens[place])))
                old = self.case.x[0, place]
                return f"position {place} is {ids[place]}, expected {wanted}, or {old} as before"
        return None

    @cached_property
    def _tokens(self) -> list[set[int]]:
        """What may be written at each position: the oracle's token, the greatest logit's."""
        found = [{int(token)} for token in self.step.tokens[0]]
        task = task_of(self.rule, 0, self._rows, self.case.x[0], self.case.mask[0])
        for place in np.flatnonzero(task.masked | task.known).tolist():
            found[place].add(self._rows[place].token)
        return found

    @cached_property
    def _rows(self) -> list[LogitRow]:
        return rows_of(self.rule, self.case.codes[0], self.case.x[0].tolist())

    def refused(self, ids: Ids, error: float) -> str | None:
        """Why no transfer that gives these ids is inside the margin; None if one is."""
        of_core = admissible(
            self.rule, self.case.codes[0], self.case.x[0], self.case.mask[0], scale=error
        )
        readings = list(self._readings(ids, of_core.changes))
        reasons = [of_core.refuses(transfer) for transfer in readings]
        if None in reasons:
            return None
        if error and any(self._pytorch.refuses(transfer) is None for transfer in readings):
            return None
        return reasons[0]

    @cached_property
    def _pytorch(self) -> Admissible:
        """The sets that PyTorch's softmax may lead to, the lowest position first among equals."""
        rule = self.rule

        def measure(row: LogitRow) -> tuple[Fraction, Fraction] | None:
            if row.delta is None:
                return None
            least, most = torch_error.confidence(*row.delta.interval, row.codes.size, rule.dtype)
            return -most, -least

        task = task_of(rule, 0, self._rows, self.case.x[0], self.case.mask[0])
        points = points_of(task, self._rows, measure, Fraction(0))
        return sets(task, points, self._same(task), torch_error.Rounded(rule.dtype))

    def _same(self, task: Task) -> list[int]:
        """Of each position the first with the same row, which PyTorch gives the same confidence."""
        found: dict[bytes, int] = {}
        if task.scores is not None:
            return list(range(len(self._rows)))
        return [found.setdefault(row.codes.tobytes(), i) for i, row in enumerate(self._rows)]

    def _readings(self, ids: Ids, changes: Bools) -> Iterator[Bools]:
        """The transfers, (L,) bool, that give these ids, those nearest to the oracle's first.

        Where the token is the old id a transfer cannot be seen.
        """
        written = ids != self.case.x[0]
        old = [x in tokens for x, tokens in zip(self.case.x[0], self._tokens, strict=True)]
        hidden = ~written & changes & np.array(old)
        first = np.where(hidden, _array(self.step.transfer), written)
        places = np.flatnonzero(hidden).tolist()
        flips = chain.from_iterable(combinations(places, n) for n in range(len(places) + 1))
        for flip in islice(flips, _MOST_READINGS):
            transfer = first.copy()
            transfer[list(flip)] ^= True
            yield transfer

    def favoured(self, ids: Ids) -> Ids:
        """The ids, (L,), if of equal confidences those come first that seem to have been chosen."""
        if self.case.rule.order is stable:  # the source says which of equals it takes
            return self.expected
        written = ids != self.case.x[0]
        hidden = ~written & (_array(self.step.tokens) == self.case.x[0])
        wanted = torch.from_numpy(2 * written + hidden)

        def order(confidence: torch.Tensor, k: int) -> torch.Tensor:
            first = stable(wanted, len(wanted))
            return first[stable(confidence[first], k)]

        return _array(self._step(order).x)

    def _step(self, order: Order) -> Step:
        logits, x, mask, parameters = self.case.tensors()
        return self.case.rule.rule(self.case.rule, order, logits, x, mask, **parameters)


def expected(case: Case) -> Step:
    """What the oracle does."""
    logits, x, mask, parameters = case.tensors()
    return case.rule.oracle(logits, x, mask, **parameters)


def certificate(case: Case) -> tuple[Bools, Bools, Certificate]:
    """What T1 leaves open of a step.

    Returns:
        must, may: (B, L), which positions all, some of the admissible sets have.
        certificate: of the step.
    """
    logits, x, mask, parameters = case.tensors()
    found = certify(logits, x, mask, case.contract, **parameters)
    open_sets = [row.admissible for row in found.rows if row.admissible is not None]  # all of them
    must = np.array([one.must for one in open_sets])
    return must, np.array([one.may for one in open_sets]), found


def _array(row: torch.Tensor) -> NDArray[Any]:
    """The only row of a tensor (1, L)."""
    found: NDArray[Any] = row[0].numpy()
    return found
