"""`certify`: what one step's tokens rest on, position by position."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from unmask.spec import numerics
from unmask.spec.certificates import torch_error
from unmask.spec.certificates.admissible import (
    Admissible,
    Bools,
    Error,
    Task,
    groups_of,
    intervals_of,
    points_of,
    sets,
    task_of,
)
from unmask.spec.certificates.borders import BEYOND, EXACT
from unmask.spec.certificates.keys import interval, keys_of, value
from unmask.spec.certificates.rows import Row, rows_of
from unmask.spec.errors import UsageError
from unmask.spec.pack import to_codes
from unmask.spec.reference import check
from unmask.spec.reference.contract import stable
from unmask.spec.reference.rules import DType, Rule, Shape, rule_of
from unmask.spec.reference.samplers import CONTRACTS

Range = tuple[float, float]


@dataclass(frozen=True)
class Position:
    """One position of a step that the rule asks for: a candidate, or one that may be edited.

    Attributes:
        position: its number.
        token: the first of the greatest logits.
        key: of the row; None if the token's own logit was hidden from the confidence, which is 0.
        chosen: whether it gets its token.
        must, may: whether all, some of the admissible sets have it.
        confidence: what the key proves: the least and the greatest; None if it is NaN.
        exact: the same from exact arithmetic; None if it is NaN, or was not asked for.
        margin: distance of the key's number from the nearest one that could change the choice, in
            units of the bound on their errors. Above 1 none can. Infinite where nothing is near.
    """

    position: int
    token: int
    key: int | None
    chosen: bool
    must: bool
    may: bool
    confidence: Range | None
    exact: Range | None
    margin: float


@dataclass(frozen=True)
class BatchRow:
    """The certificate of one batch row of a step.

    Attributes:
        positions: those that the rule asks for.
        transfer: (L,) bool, the positions that get a token: what the keys choose.
        certified: whether the keys alone prove that this is the set of exact arithmetic.
        exact: (L,) bool, that set; None if it was not computed.
        admissible: the sets that T1 leaves open; None if it was not computed.
        refused: why `transfer` is not admissible; None, always, of a core that keeps T1.
        pytorch: dtype -> whether a softmax in it provably leads PyTorch to the same set, the lowest
            position first among equals.
        as_published: dtype -> the same, although which of equals is first is not specified.
        tokens: dtype -> (L,) bool, where PyTorch's token provably is the one here; False where
            nobody asks.
    """

    positions: tuple[Position, ...]
    transfer: Bools
    certified: bool
    exact: Bools | None
    admissible: Admissible | None
    refused: str | None
    pytorch: Mapping[DType, bool]
    as_published: Mapping[DType, bool]
    tokens: Mapping[DType, Bools]

    @property
    def equal(self) -> bool | None:
        """Whether the set is that of exact arithmetic; None if that was not computed."""
        return None if self.exact is None else bool((self.exact == self.transfer).all())


@dataclass(frozen=True)
class Certificate:
    """The certificate of one step.

    Attributes:
        contract: its name.
        dtype: that its source computes confidences in.
        shape: (B, L, V).
        rounded: elements of the logits that were not BF16 and were rounded.
        rows: one for each batch row.
    """

    contract: str
    dtype: DType
    shape: tuple[int, int, int]
    rounded: int
    rows: tuple[BatchRow, ...]

    @property
    def certified(self) -> bool:
        """Whether all sets are proven equal to those of exact arithmetic, by the keys alone."""
        return all(row.certified for row in self.rows)

    @property
    def pytorch(self) -> bool:
        """Whether all sets provably equal PyTorch's, in the dtype of the contract."""
        return all(row.pytorch[self.dtype] for row in self.rows)


def certify(
    logits: Any,
    x: Any,
    mask: Any,
    contract: str,
    *,
    exact: Literal["all", "open"] = "all",
    chain: int | None = None,
    **parameters: Any,
) -> Certificate:
    """What is proven of a step that ranks by keys.

    Args:
        logits: (B, L, V): BF16 codes (uint16 array), a float array, or a tensor; what is not BF16
            is rounded to it, and everything is said of the rounded logits.
        x: (B, L) ids before the step; None: everything is masked.
        mask: (B, L) bool, or the mask id; None, with no x: everything is masked.
        contract: a name of `samplers.CONTRACTS`.
        exact: "all": exact arithmetic for every batch row; "open": only for those that the keys do
            not certify. A certified set is the exact one, and so the verdict is the same.
        chain: of PyTorch's sums, see `torch_error.confidence`.
        parameters: of the contract.

    Raises:
        ValueError: names the argument, its value, and what was expected.
    """
    check.name("contract", contract)
    codes, rounded, dtype = _codes(logits)
    batch, length, vocabulary = codes.shape
    if not 1 <= vocabulary <= 1 << 18:
        raise ValueError(f"logits has V = {vocabulary}, expected 1 to 2**18 = {1 << 18}")
    if exact not in ("all", "open"):
        raise ValueError(f"exact is {exact!r}, expected 'all' or 'open'")
    if chain is not None:
        check.natural("chain", chain, 1)
    ids, masked = _state(x, mask, batch, length, vocabulary)
    rule = rule_of(contract, Shape(batch, length, vocabulary, dtype), **parameters)
    specified = CONTRACTS[contract].order is stable
    judge = _Judge(rule, dtype, specified, vocabulary, exact == "all", chain)
    probabilities = CONTRACTS[contract].tokens == "probabilities"
    rows = tuple(
        judge.row(number, codes[number], ids[number], masked[number], probabilities)
        for number in range(batch)
    )
    return Certificate(contract, rule.dtype, (batch, length, vocabulary), rounded, rows)


def _codes(logits: Any) -> tuple[NDArray[np.uint16], int, torch.dtype]:
    """BF16 codes, how many elements were rounded, and the dtype that a contract would get."""
    dtype = torch.bfloat16
    if isinstance(logits, torch.Tensor):
        if logits.dtype in check.FLOATS:
            dtype = logits.dtype
        tensor = check.dense("logits", logits).detach().cpu().resolve_conj().resolve_neg()
        if tensor.dtype == torch.bfloat16:
            logits = tensor.contiguous().view(torch.int16).numpy().view(np.uint16)
        else:
            logits = tensor.numpy()
    try:
        array = np.asarray(logits)
    except ValueError:  # of lists
        raise ValueError("logits is ragged, expected (B, L, V)") from None
    if array.dtype.kind == "f":
        sizes = {2: torch.float16, 4: torch.float32, 8: torch.float64}
        dtype = sizes.get(array.dtype.itemsize, dtype)
    try:
        codes, rounded = to_codes(array)
    except UsageError as error:
        raise ValueError(f"logits has {error}") from None
    if codes.ndim != 3 or codes.size == 0:
        raise ValueError(f"logits has shape {codes.shape}, expected (B, L, V), none 0")
    return codes, rounded, dtype


def _state(
    x: Any, mask: Any, batch: int, length: int, vocabulary: int
) -> tuple[NDArray[np.int64], Bools]:
    """Ids and mask, (B, L) each."""
    if x is None:
        if mask is not None and not isinstance(mask, np.ndarray | torch.Tensor):
            raise ValueError(f"mask is {mask!r} and x is None, expected x with a mask id")
        ids = torch.zeros(batch, length, dtype=torch.int64)
        mask = torch.ones(batch, length, dtype=torch.bool) if mask is None else mask
    else:
        ids = _tensor("x", x)
    mask = _tensor("mask", mask) if isinstance(mask, np.ndarray) else mask
    like = torch.empty(1).expand(batch, length, vocabulary)  # only its shape is looked at
    masked = check.step(like, ids, mask)
    return ids.cpu().numpy(), masked.cpu().numpy()


def _tensor(name: str, value: Any) -> torch.Tensor:
    try:
        return check.dense(name, torch.as_tensor(value))
    except (TypeError, ValueError, RuntimeError):  # of objects, text, ragged lists, big integers
        kind = getattr(value, "dtype", type(value).__name__)
        raise ValueError(f"{name} is {kind}, expected what makes a dense tensor") from None


@dataclass(frozen=True)
class _Judge:
    """Certifies the batch rows of a step."""

    rule: Rule
    dtype: torch.dtype  # of the logits, before they were rounded
    specified: bool  # whether the source says which of equals is first
    vocabulary: int
    always: bool
    chain: int | None

    def row(
        self,
        number: int,
        logits: NDArray[np.uint16],
        x: NDArray[np.int64],
        masked: Bools,
        probabilities: bool,
    ) -> BatchRow:
        rows = rows_of(self.rule, logits, x.tolist(), self.dtype)
        task = task_of(self.rule, number, rows, x, masked)
        keys = self._keys(task, rows)
        apart = list(range(len(rows)))  # a key does not tell which rows are permutations

        def proven(row: Row) -> tuple[Fraction, Fraction] | None:
            return interval(keys[id(row)], self.vocabulary)

        chosen = sets(task, points_of(task, rows, lambda row: value(keys[id(row)]), BEYOND), apart)
        transfer = chosen.must
        known = sets(task, points_of(task, rows, proven, BEYOND), apart)
        admissible, exact_set = None, None
        if self.always or not known.unique:
            groups = groups_of(task, rows)
            error = Error.of(self.vocabulary)
            admissible = sets(task, intervals_of(task, rows, error), groups)
            exact_set = sets(task, intervals_of(task, rows, Error.of(0, 0)), groups).must

        def deltas(row: Row) -> tuple[Fraction, Fraction] | None:
            if admissible is None:
                return proven(row)
            return None if row.delta is None else row.delta.interval

        pytorch, as_published, tokens = {}, {}, {}
        for dtype in torch_error.DTYPES:
            found, ends = self._published(dtype, task, rows, deltas)
            same = found.unique and bool((found.must == transfer).all())
            untied = found.choice.only_untied is not None and not task.spills
            pytorch[dtype], as_published[dtype] = same, same and (self.specified or untied)
            tokens[dtype] = task.asked.copy()
            if probabilities:
                for place in np.flatnonzero(task.asked).tolist():
                    end = ends[place]
                    least = Fraction(0) if end is None else -end[1]
                    tokens[dtype][place] = torch_error.same_token(
                        rows[place].codes, max(least, Fraction(0)), dtype
                    )
        margins = self._margins(task, chosen, [None if r.lost else keys.get(id(r)) for r in rows])
        after = admissible or known
        positions = tuple(
            Position(
                position=place,
                token=rows[place].token,
                key=None if rows[place].lost else keys[id(rows[place])],
                chosen=bool(transfer[place]),
                must=bool(after.must[place]),
                may=bool(after.may[place]),
                confidence=_range(_of(rows[place], proven)),
                exact=None if admissible is None else _range(_of(rows[place], deltas)),
                margin=margins[place],
            )
            for place in np.flatnonzero(task.asked).tolist()
        )
        return BatchRow(
            positions,
            transfer,
            known.unique,
            exact_set,
            admissible,
            None if admissible is None else admissible.refuses(transfer),
            pytorch,
            as_published,
            tokens,
        )

    def _keys(self, task: Task, rows: Sequence[Row]) -> dict[int, int]:
        """The key of each row that is asked for, by its id."""
        asked = [row for place, row in enumerate(rows) if task.asked[place]]
        keys = keys_of([row.codes for row in asked])
        return {id(row): int(key) for row, key in zip(asked, keys, strict=True)}

    def _published(
        self, dtype: DType, task: Task, rows: Sequence[Row], deltas: Any
    ) -> tuple[Admissible, list[Any]]:
        """What PyTorch can choose, and the intervals of its confidences, negated."""

        def measure(row: Row) -> tuple[Fraction, Fraction] | None:
            ends = deltas(row)
            if ends is None:
                return None
            low, high = ends
            least, most = torch_error.confidence(low, high, self.vocabulary, dtype, self.chain)
            return -most, -least

        asked = Task(
            torch_error.in_dtype(self.rule, dtype),
            task.least,
            task.candidates,
            task.known,
            task.masked,
            task.scores,
        )
        ends = points_of(asked, rows, measure, Fraction(0))
        found = sets(asked, ends, list(range(len(rows))), torch_error.Rounded(dtype))
        return found, ends

    def _margins(self, task: Task, chosen: Admissible, keys: Sequence[int | None]) -> list[float]:
        """Of each position; infinite where nothing can change the choice."""
        margins = [math.inf] * len(keys)
        if task.scores is not None:
            return margins
        numbers = {
            place: numerics.value(key)
            for place, key in enumerate(keys)
            if key is not None and task.asked[place]
        }
        limits = self._limits(task, [x for x in numbers.values() if x is not None])
        edits = [] if self.rule.edit is None else [EXACT.threshold(self.rule.edit).x]
        for place, number in numbers.items():
            if number is None:
                continue
            bound = numerics.bound(number, self.vocabulary)
            near = [_ratio(number - limit, bound) for limit in limits]
            if task.known[place]:
                near = [_ratio(number - edit, bound) for edit in edits]
            elif self.rule.near is None:
                for other, theirs in numbers.items():
                    across = chosen.must[other] != chosen.must[place]
                    if across and theirs is not None and task.candidates[other]:
                        both = bound + numerics.bound(theirs, self.vocabulary)
                        near.append(_ratio(number - theirs, both))
            margins[place] = min(near, default=math.inf)
        return margins

    def _limits(self, task: Task, numbers: Sequence[Fraction]) -> list[Fraction]:
        """The numbers that the rule compares a candidate's with."""
        rule = self.rule
        limits = [] if rule.threshold is None else [EXACT.threshold(rule.threshold).x]
        if rule.factor is not None:
            ranks = range(len(task.places))
            limits += [EXACT.step(rank, rule.factor, rule.whole).x for rank in ranks]
        if rule.near is not None and numbers:
            limits.append(EXACT.near(min(numbers), rule.near))
        return limits


def _ratio(distance: Fraction, bound: Fraction) -> float:
    try:
        return float(abs(distance) / bound)
    except (ZeroDivisionError, OverflowError):  # a bound of 0; a threshold of 1e-300, say
        return math.inf


def _of(row: Row, measure: Any) -> tuple[Fraction, Fraction] | None:
    return (BEYOND, BEYOND) if row.lost else measure(row)


def _range(ends: tuple[Fraction, Fraction] | None) -> Range | None:
    """The confidences that two deltas leave, rounded outward."""
    if ends is None:
        return None
    low, high = ends
    if low >= BEYOND:
        return 0.0, 0.0
    least, most = 1 / (1 + high), 1 / (1 + low)
    return _down(least), min(-_down(-most), 1.0)


def _down(x: Fraction) -> float:
    """The greatest float64 that is not greater."""
    found = float(x)
    return found if Fraction(found) <= x else math.nextafter(found, -math.inf)
