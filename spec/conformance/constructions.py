"""Steps that are made to be hard: ties, near-ties, borders of the vocabulary, odd rows and masks.

A construction starts from rows of a family and changes what makes it hard. The rest of a step, ids
and parameters, is drawn by `step`.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmask.spec.conformance import parameters
from unmask.spec.conformance.case import Case
from unmask.spec.formats import NAN, NEG_INF, POS_INF, from_float, to_float
from unmask.spec.reference import families

Codes = NDArray[np.uint16]


@dataclass
class Draft:
    """A step on its way: logits (B, L, V) as BF16 codes, mask (B, L), parameters that must be."""

    codes: Codes
    mask: NDArray[np.bool_]
    parameters: dict[str, Any] = field(default_factory=dict)


# Changes a draft; (generator, draft) -> nothing.
Build = Callable[[np.random.Generator, Draft], None]


def _permuted(rng: np.random.Generator, draft: Draft) -> None:
    """Rows of the same logits in another order: equal confidences, other tokens; all masked, so
    that a count falls between them."""
    draft.mask[:] = True
    draft.codes[:] = rng.permuted(np.broadcast_to(draft.codes[:1, :1], draft.codes.shape), axis=-1)


def _nearly(rng: np.random.Generator, draft: Draft) -> None:
    """The same, but for one logit of little weight: confidences that are just not equal."""
    _permuted(rng, draft)
    batch, rows, _ = draft.codes.shape
    places = rng.permuted(np.tile(np.arange(rows), (batch, 1)), axis=1)
    for row in np.ndindex(batch, rows):
        codes = draft.codes[row]
        order = np.argsort(to_float(codes))
        little = from_float(to_float(codes[order[-2]]) - 12)  # weighs at most e**-12 of delta
        codes[order[0]] = little + places[row]


def _two_greatest(rng: np.random.Generator, draft: Draft) -> None:
    """The greatest logit stands in two columns: the first is the token."""
    top = draft.codes.shape[-1] - 1
    first = rng.integers(0, max(top, 1), draft.codes.shape[:2])
    greatest = from_float(to_float(draft.codes).max(axis=-1))
    np.put_along_axis(draft.codes, first[..., None], greatest[..., None], axis=-1)
    draft.codes[..., top] = greatest


def _exact(rng: np.random.Generator, draft: Draft) -> None:
    """Rows of 1, 2, 3, ... equal logits and -infinity: confidences 1, 1/2, 1/3, ..."""
    vocabulary = draft.codes.shape[-1]
    draft.codes[:] = NEG_INF
    for row in np.ndindex(draft.codes.shape[:2]):
        count = row[1] % min(vocabulary, 8) + 1
        draft.codes[row][rng.choice(vocabulary, count, replace=False)] = 0


def _zeros(rng: np.random.Generator, draft: Draft) -> None:
    """Both zeros are the greatest: they are equal, so the first of them is the token."""
    draft.codes[:] = rng.choice([0x0000, 0x8000], draft.codes.shape)


def _columns(rng: np.random.Generator, draft: Draft) -> None:
    """Every third column, the first included, is -infinity."""
    draft.codes[..., ::3] = NEG_INF


def _rows_of(code: int) -> Build:
    def build(rng: np.random.Generator, draft: Draft) -> None:
        """Some rows hold a NaN, or an infinity."""
        for row in np.ndindex(draft.codes.shape[:2]):
            if rng.random() < 0.4:
                draft.codes[row][rng.integers(draft.codes.shape[-1])] = code

    return build


def _nothing(rng: np.random.Generator, draft: Draft) -> None:
    """Some rows are -infinity everywhere."""
    draft.codes[rng.random(draft.codes.shape[:2]) < 0.4] = NEG_INF


def _last_column(rng: np.random.Generator, draft: Draft) -> None:
    """The token is the last of the vocabulary, where chunks are not full."""
    draft.codes[..., -1] = 0x4180


def _none_masked(rng: np.random.Generator, draft: Draft) -> None:
    draft.mask[:] = False


def _all_masked(rng: np.random.Generator, draft: Draft) -> None:
    draft.mask[:] = True


def _one_masked(rng: np.random.Generator, draft: Draft) -> None:
    """One masked position in each row: fewer than most counts."""
    draft.mask[:] = False
    draft.mask[:, draft.mask.shape[1] // 2] = True


def _no_count(rng: np.random.Generator, draft: Draft) -> None:
    draft.parameters = dict.fromkeys(parameters.COUNTS, 0)


def _most(rng: np.random.Generator, draft: Draft) -> None:
    draft.parameters = dict.fromkeys(parameters.COUNTS, draft.mask.shape[1])


# Name -> (family of the rows, what is changed).
CONSTRUCTIONS: dict[str, tuple[str, Build]] = {
    "exact ties": ("peaked", _permuted),
    "near ties": ("peaked", _nearly),
    "near ties of sure rows": ("sure", _nearly),
    "two greatest": ("gaussian", _two_greatest),
    "confidences 1, 1/2, 1/3": ("equal", _exact),
    "both zeros": ("equal", _zeros),
    "columns of -infinity": ("gaussian", _columns),
    "rows of -infinity": ("peaked", _nothing),
    "rows with NaN": ("peaked", _rows_of(NAN)),
    "rows with a negative NaN": ("peaked", _rows_of(0xFF81)),
    "rows with +infinity": ("peaked", _rows_of(POS_INF)),
    "last column": ("gaussian", _last_column),
    "nothing masked": ("peaked", _none_masked),
    "all masked": ("peaked", _all_masked),
    "one masked": ("peaked", _one_masked),
    "count 0": ("peaked", _no_count),
    "count L": ("peaked", _most),
}
NAMES = (*CONSTRUCTIONS, *families.FAMILIES)


def step(
    name: str, contract: str, shape: tuple[int, int, int], given: Mapping[str, Any], seed: int
) -> Case:
    """A step of a construction, or of a family as it is.

    Three of four positions are masked, unless the construction says otherwise; a masked one holds
    the mask id, if the contract has one, else V - 1.

    Args:
        name: of `NAMES`.
        contract: a name of `CONTRACTS`.
        shape: B, L, V.
        given: parameters; others are drawn. Counts that a construction is about are its own.
        seed: of the draws.
    """
    batch, rows, vocabulary = shape
    rng = np.random.default_rng([zlib.crc32(f"{name} {shape}".encode()), seed])
    family, build = CONSTRUCTIONS.get(name, (name, None))
    codes = families.rows(family, vocabulary, batch * rows, seed).reshape(shape)
    draft = Draft(codes, rng.random((batch, rows)) < 0.75)
    if build is not None:
        build(rng, draft)
    values = parameters.complete(contract, given, rng, shape)
    values |= {key: value for key, value in draft.parameters.items() if key in values}
    ids = rng.integers(0, vocabulary, (batch, rows))
    x = np.where(draft.mask, values.get("mask_id", vocabulary - 1), ids)
    if "prompt" in values:
        values["prompt"] &= ~draft.mask
    return Case(contract, draft.codes, x, draft.mask, values, name)
