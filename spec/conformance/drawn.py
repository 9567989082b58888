"""Hypothesis strategies of cases: small steps, odd logits, ties and near-ties; they shrink to few.

A row is one code everywhere but at some places, so that a large vocabulary is as easy to shrink as
a small one; the rows of a step are few, repeated, turned or changed by a code or two.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from hypothesis import strategies as st

from unmask.spec.conformance.case import Case
from unmask.spec.errors import UsageError
from unmask.spec.formats import NAN, NEG_INF, POS_INF
from unmask.spec.reference.samplers import CONTRACTS

_MOST_ROWS = 256  # that a count may ask for: Hypothesis draws no step of many more
_MOST_VOCABULARY = 1 << 18
_SIZES = ("k", "block_end")  # no more than there are positions
_PLACES = 4  # of a row that differ from its fill
_POSITIONS = st.integers(0, 1023)
_FILLS = (0x0000, NEG_INF, 0xC000, 0x3F80)
_PLAIN = (0x0000, 0x3F80, 0x4000, 0x4040, 0x40C0, 0x41C0, 0xBF80, 0xC000, 0x8000, NEG_INF)
_ODD = (NAN, 0xFF81, POS_INF, 0x7F7F, 0xFF7F, 0x0001, 0x8001)
_TAUS = (0.5, 0.25, 1 / 3, 0.9, 0.95, 1.0, 0.0, -1.0, 2.0, math.inf)

# A logit: a plain number, one around 1 to 16, any finite one, and now and then an odd one.
_codes = st.one_of(
    st.sampled_from(_PLAIN),
    st.integers(0x3F80, 0x4180),
    st.integers(0x3F80, 0x4180),
    st.integers(0, 0x7F7F),
    st.sampled_from(_PLAIN + _ODD),
)

Row = tuple[int, ...]


def _row(vocabulary: int) -> st.SearchStrategy[Row]:
    def build(fill: int, places: dict[int, int]) -> Row:
        return tuple(places.get(place, fill) for place in range(vocabulary))

    places = st.dictionaries(st.integers(0, vocabulary - 1), _codes, max_size=_PLACES)
    return st.builds(build, st.sampled_from(_FILLS), places)


def _changed(row: Row) -> st.SearchStrategy[Row]:
    """A row turned by some columns, and one of its codes raised a little."""

    def build(turn: int, place: int, more: int) -> Row:
        turned = [*row[turn:], *row[:turn]]
        turned[place] = min(turned[place] + more, 0xFFFF)
        return tuple(turned)

    places = st.integers(0, len(row) - 1)
    return st.builds(build, places, places, st.integers(0, 3))


@st.composite
def cases(
    draw: st.DrawFn, contract: str, given: Mapping[str, Any], drawn: Collection[str] = ()
) -> Case:
    """A step of a contract.

    Args:
        contract: a name of `CONTRACTS`.
        given: parameters that are fixed; the shape is such that they fit.
        drawn: names of further parameters to draw, besides those that the contract needs.
    """
    batch, rows, vocabulary = draw(_shapes(given))
    pool = [draw(_row(vocabulary))]
    for _ in range(draw(st.integers(0, 3))):
        pool.append(draw(_row(vocabulary) | _changed(pool[0])))
    size = batch * rows
    # One number for all there is about a position: half of the time goes into drawing.
    positions = np.array(draw(st.lists(_POSITIONS, min_size=size, max_size=size)))
    positions = positions.reshape(batch, rows)
    picked, mask = positions % len(pool), positions // 4 % 4 != 3
    ids, odd, quarters = positions // 16 % vocabulary, positions // 128 % 2, positions // 256 % 4
    # What a contract asks for by name; counts one for all rows, as a contract may want them so.
    values: dict[str, Any] = {}
    for name in (*CONTRACTS[contract].required, *drawn):
        if name in given:
            continue
        if name == "prompt":
            values[name] = (odd == 1) & ~mask
        elif name == "uniform":
            values[name] = (quarters / 4).astype(np.float32)
        else:
            values[name] = draw(_number(name, rows, vocabulary))
    values |= given
    mask_id = values.get("mask_id", vocabulary - 1)
    x = np.where(mask, mask_id, ids)
    return Case(contract, np.array(pool, np.uint16)[picked], x, mask, values, "drawn")


def _number(name: str, rows: int, vocabulary: int) -> st.SearchStrategy[Any]:
    if name in _SIZES:
        return st.integers(0, rows)
    if name == "q":
        return st.integers(0, rows + 2)
    if name.endswith("_id"):
        return st.integers(0, vocabulary - 1)
    if name.endswith("_inf"):
        return st.booleans()
    if name == "factor":
        return st.sampled_from([1.0, 0.5, 1.5, 3.0, 0.0, -1.0])
    if name == "penalty":
        return st.sampled_from([0.0, 1.0])
    return st.sampled_from(_TAUS) | st.floats(0, 1)


def check_size(given: Mapping[str, Any]) -> None:
    """Raise a UsageError for a parameter that only steps too large to be drawn would fit."""
    for name, value in given.items():
        if name not in _SIZES and not name.endswith("_id"):
            continue
        most = _MOST_ROWS if name in _SIZES else _MOST_VOCABULARY - 1
        for count in _integers(value):
            if count > most:
                raise UsageError(f"{name} is {count}; expected {most} or less, as steps are small")


@st.composite
def _shapes(draw: st.DrawFn, given: Mapping[str, Any]) -> tuple[int, int, int]:
    """B, L, V that the given parameters fit."""
    counts = [x for name in _SIZES for x in _integers(given.get(name))]
    lists = [len(value) for value in given.values() if isinstance(value, list)]
    ids = [x for name, value in given.items() if name.endswith("_id") for x in _integers(value)]
    least = max([1, *counts])
    smallest = max([2, *(x + 1 for x in ids)])
    batch = lists[0] if lists else draw(st.integers(1, 2))
    rows = draw(st.integers(least, least + 5))
    vocabulary = draw(st.integers(smallest, smallest + 4) | st.integers(smallest, smallest + 70))
    return batch, rows, vocabulary


def _integers(value: Any) -> list[int]:
    found = value if isinstance(value, list) else [value]
    return [x for x in found if isinstance(x, int) and not isinstance(x, bool)]
