"""A callable against a contract: Hypothesis draws steps until one fails, and shrinks it."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from unmask.spec.commands.files import first_line
from unmask.spec.conformance import parameters
from unmask.spec.conformance.case import Case
from unmask.spec.conformance.judge import Judge, expected
from unmask.spec.errors import UsageError
from unmask.spec.formats import to_float
from unmask.spec.reference.check import INTEGERS

# (logits (B, L, V) bfloat16, x (B, L) int64, mask (B, L) bool, **parameters) -> ids (B, L), or an
# object with these as `x`. All tensors are its own to change.
Sampler = Callable[..., Any]

_INTEGERS = (*INTEGERS, torch.uint16, torch.uint32, torch.uint64)
_SHORT = 8  # logits of a row that are shown one by one


@dataclass(frozen=True)
class Failure:
    """A step that a sampler does wrong.

    Attributes:
        case: the step.
        reason: one line.
        ids: (B, L) what it returned; None if it returned no ids.
    """

    case: Case
    reason: str
    ids: NDArray[np.int64] | None = None

    def __str__(self) -> str:
        """The step decoded, in lines: logits as numbers and codes, ids, masks, reason."""
        case = self.case
        batch, rows, vocabulary = case.shape
        lines = [f"{case.contract}: {self.reason}"]
        lines.append(f"  parameters  {parameters.text_of(case.parameters) or 'none'}")
        lines.append(f"  logits      bfloat16, B = {batch}, L = {rows}, V = {vocabulary}")
        wanted = expected(case)
        for row, place in np.ndindex(batch, rows):
            state = "masked" if case.mask[row, place] else "known "
            got = "" if self.ids is None else f", got {self.ids[row, place]}"
            lines.append(
                f"  [{row}, {place}] {state} id {case.x[row, place]}, "
                f"expected {int(wanted.x[row, place])}{got}, "
                f"confidence {float(wanted.confidence[row, place]):.6g}"
            )
            lines.append(f"         logits {_logits(case.codes[row, place])}")
        return "\n".join(lines)


def _logits(codes: NDArray[np.uint16]) -> str:
    """`1.5 (3fc0)` for each; of many, those that are not the most frequent one."""
    shown = [f"{value:g} ({code:04x})" for value, code in zip(to_float(codes), codes, strict=True)]
    if len(shown) <= _SHORT:
        return ", ".join(shown)
    ((fill, _),) = Counter(shown).most_common(1)
    others = [f"[{place}] = {text}" for place, text in enumerate(shown) if text != fill]
    return f"all {fill}" + (f", but {', '.join(others)}" if others else "")


@dataclass(frozen=True)
class Trial:
    """A sampler and what it is held against.

    Attributes:
        sampler: it.
        contract: a name of `CONTRACTS`.
        given: parameters that are the same in all steps.
        drawn: names of parameters to draw, besides those that the contract needs.
        judge: what is accepted.
        device: where the tensors lie that the sampler gets.

    Raises:
        UsageError: on a sampler that cannot be called; on a name or value that the contract does
            not take.
    """

    sampler: Sampler
    contract: str
    given: Mapping[str, Any] = field(default_factory=dict)
    drawn: Collection[str] = ()
    judge: Judge = field(default_factory=Judge)
    device: str = "cpu"

    def __post_init__(self) -> None:
        if not callable(self.sampler):
            kind = type(self.sampler).__name__
            raise UsageError(f"the sampler is {kind}, which cannot be called")
        parameters.contract_name(self.contract)
        parameters.known(self.contract, [*self.given, *self.drawn])
        try:
            torch.empty(0).to(self.device)
        except (RuntimeError, AssertionError) as error:  # the latter: built without CUDA
            raise UsageError(f"device {self.device!r}: {first_line(error)}") from None

    def failure(self, case: Case) -> Failure | None:
        """What is wrong with what the sampler makes of a step; None: nothing."""
        logits, x, mask, values = case.tensors()
        moved = {
            name: value.to(self.device) if isinstance(value, torch.Tensor) else value
            for name, value in values.items()
        }
        arguments = [tensor.to(self.device) for tensor in (logits, x, mask)]
        try:
            ids = _ids(self.sampler(*arguments, **moved), tuple(x.shape))
        except KeyboardInterrupt:
            raise
        except _NoIds as error:
            return Failure(case, str(error))
        except BaseException as error:  # SystemExit, too: it would end us as if all were right
            return Failure(case, _raised(error))
        verdict = self.judge.verdict(case, ids)
        return Failure(case, verdict.reason, ids) if verdict.status == "wrong" else None

    def search(self, examples: int, seed: int = 0) -> Failure | None:
        """The least failing step that is found; None if all drawn steps are done right.

        Args:
            examples: steps to draw.
            seed: the same one draws the same steps.

        Raises:
            UsageError: if the contract does not take a parameter, or Hypothesis is missing.
        """
        if not isinstance(examples, int) or examples < 1:
            raise UsageError(f"--examples is {examples!r}; expected an integer, 1 or more")
        try:
            import hypothesis
        except ImportError:
            raise UsageError("to draw steps needs the package hypothesis") from None
        from unmask.spec.conformance.drawn import cases, check_size

        check_size(self.given)
        last: list[Failure] = []

        @hypothesis.seed(seed)
        @hypothesis.settings(
            max_examples=examples,
            database=None,
            deadline=None,
            derandomize=False,
            print_blob=False,
            report_multiple_bugs=False,
            phases=(hypothesis.Phase.generate, hypothesis.Phase.shrink),
            # They judge how a test draws; here it may be the sampler that is slow.
            suppress_health_check=list(hypothesis.HealthCheck),
            verbosity=hypothesis.Verbosity.quiet,
        )
        @hypothesis.given(cases(self.contract, self.given, self.drawn))
        def attempt(case: Case) -> None:
            parameters.checked(case.contract, case.parameters, case.shape)
            failure = self.failure(case)
            if failure is not None:
                last[:] = [failure]  # Hypothesis ends with the least one
                raise _Failed

        try:
            attempt()
        except (_Failed, hypothesis.errors.Flaky):
            return self._reduced(last[0])
        return None

    def _reduced(self, failure: Failure) -> Failure:
        """A failure with no batch row and no position that could be left out.

        Hypothesis leaves some, as it sees numbers, not what they mean.
        """
        counts = {x for x in parameters.COUNTS if x not in self.given}
        for case in _smaller(failure.case, counts):
            try:
                parameters.checked(case.contract, case.parameters, case.shape)
            except UsageError:  # a count above the number of positions
                continue
            found = self.failure(case)
            if found is not None:
                return self._reduced(found)
        return failure


def _smaller(case: Case, counts: Collection[str]) -> Iterator[Case]:
    """A step's batch rows alone; it without a position, also with its counts one less."""
    batch, rows, _ = case.shape
    if batch > 1:
        yield from (case.row(number) for number in range(batch))
    lower = {x: y - 1 for x, y in case.parameters.items() if x in counts}
    for position in range(rows if rows > 1 else 0):
        less = case.without(position)
        yield less
        yield replace(less, parameters={**less.parameters, **lower})


class _Failed(Exception):
    """Tells Hypothesis that a step is done wrong."""


class _NoIds(Exception):
    """Says what a sampler returned instead of ids."""


def _ids(found: Any, shape: tuple[int, ...]) -> NDArray[np.int64]:
    """The ids that a sampler returned, itself or as `x`."""
    found = getattr(found, "x", found)
    if not isinstance(found, torch.Tensor):
        raise _NoIds(f"returned {type(found).__name__}, expected a tensor of ids")
    if found.is_meta or found.layout is not torch.strided:
        kind = "a meta tensor" if found.is_meta else f"a tensor of layout {found.layout}"
        raise _NoIds(f"returned {kind}, expected a dense one, of ids")
    if tuple(found.shape) != shape or found.dtype not in _INTEGERS:
        got = f"{found.dtype} of shape {tuple(found.shape)}"
        raise _NoIds(f"returned {got}, expected integers of shape {shape}")
    ids: NDArray[np.int64] = found.detach().cpu().to(torch.int64).numpy()
    return ids


def _raised(error: BaseException) -> str:
    """What an exception says, and where it was raised."""
    where = traceback.extract_tb(error.__traceback__)[-1]
    try:
        text = first_line(error)
    except Exception:  # its `__str__` is the sampler's own code
        text = "(its text cannot be had)"
    return f"raised {type(error).__name__}: {text} ({where.filename}:{where.lineno})"


def sampler(path: str) -> Sampler:
    """The callable that `package.module:name` names; the working directory is looked in, too.

    Raises:
        UsageError: if there is none, or importing the module fails.
    """
    module_name, sign, name = path.partition(":")
    if not sign or not module_name or not name:
        raise UsageError(f"{path!r} is not package.module:name")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        found: Any = importlib.import_module(module_name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # SystemExit, too
        raise UsageError(f"cannot import {module_name!r}: {_raised(error)}") from None
    for part in name.split("."):
        if not hasattr(found, part):
            raise UsageError(f"{module_name!r} has no {name!r}")
        found = getattr(found, part)
    if not callable(found):
        raise UsageError(f"{path!r} is {type(found).__name__}, which cannot be called")
    return found
