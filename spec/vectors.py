"""Vectors of `Bits`: what a semantics function does to many elements at once.

One set of operations, two ways to hold a vector:

    Each    a list of elements    Python integers (the readable definition) and Z3 terms
    Whole   one `Bits` of arrays  numpy arrays: all elements at once

An element is a `Bits` or a NamedTuple of them. A scalar `Bits` stands for a vector of itself. The
results are the same, element by element; `tests/spec/test_interpretations.py` holds them together.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

import numpy as np

from unmask.spec.bits import Bits, Ints, arrays, ints, known, mux
from unmask.spec.reductions import every, halve, parts

Method = TypeVar("Method", bound=Callable[..., Any])
CODES = 1 << 16
_ZERO = arrays(32, 0)


def _uncollected(method: Method) -> Method:
    """Without the garbage collector: millions of values are made, and none is in a cycle.

    It would walk all the elements of a row again and again, a third of the time that a row takes.
    """

    @wraps(method)
    def run(*arguments: Any) -> Any:
        on = gc.isenabled()
        gc.disable()
        try:
            return method(*arguments)
        finally:
            if on:
                gc.enable()

    return cast(Method, run)


class Each:
    """A vector is a list of elements, on Python integers or Z3 terms.

    Args:
        const: (width, value) -> a constant of the interpretation.
    """

    def __init__(self, const: Callable[[int, int], Bits]) -> None:
        self.const = const
        self._known: dict[Any, dict[int, Any]] = {}

    @_uncollected
    def of(self, width: int, values: Any) -> list[Bits]:
        """Constants, from an iterable of integers."""
        return [self.const(width, int(value)) for value in values]

    def places(self, length: int) -> list[Bits]:
        """0, 1, 2, ... in 32 bits."""
        return [self.const(32, place) for place in range(length)]

    def stack(self, elements: list[Any]) -> list[Any]:
        """A vector of elements that each were one value."""
        return elements

    def length(self, vector: list[Any]) -> int:
        return len(vector)

    @_uncollected
    def map(self, function: Callable[..., Any], *operands: Any) -> list[Any]:
        """`function` of the operands, element by element."""
        length = max(len(x) for x in operands if isinstance(x, list))
        columns = [x if isinstance(x, list) else [x] * length for x in operands]
        return [function(*lane) for lane in zip(*columns, strict=True)]

    @_uncollected
    def table(self, function: Callable[[Bits], Any], vector: list[Bits]) -> list[Any]:
        """`function` of each 16-bit element; integers remember what it gave."""
        if not vector or vector[0].algebra is not Ints:
            return [function(element) for element in vector]
        known = self._known.setdefault(function, {})
        results = []
        for element in vector:
            result = known.get(element.value)
            if result is None:
                result = known[element.value] = function(element)
            results.append(result)
        return results

    def at(self, vector: list[Any], place: int) -> Any:
        return vector[place]

    def gather(self, table: list[Bits], places: list[Bits]) -> list[Bits]:
        """`table[place]` for each place; 0 for a place behind its end."""
        zero = table[0].const(table[0].width, 0)
        if places[0].algebra is Ints:
            size = len(table)
            return [table[at.value] if at.value < size else zero for at in places]
        results = []
        for place in places:
            found = zero
            for number, entry in enumerate(table):
                found = mux(place.eq(number), entry, found)
            results.append(found)
        return results

    def join(self, parts: list[list[Any]]) -> list[Any]:
        return [element for part in parts for element in part]

    def repeat(self, vector: list[Any], times: int, length: int) -> list[Any]:
        """Each element `times` times; the first `length` of that."""
        return [vector[place // times] for place in range(length)]

    def replace(self, vector: list[Bits], place: Bits, value: int, where: Bits) -> list[Bits]:
        """`value` in the element number `place`, if there is one and `where` is 1."""
        if place.algebra is Ints:
            if where.value and place.value < len(vector):
                vector = [*vector]
                vector[place.value] = vector[place.value].const(vector[0].width, value)
            return vector
        return [
            mux(where & place.eq(lane), element.const(element.width, value), element)
            for lane, element in enumerate(vector)
        ]

    def tree(
        self, vector: list[Bits], vlen: int, combine: Callable[[Bits, Bits], Bits], identity: int
    ) -> list[Bits]:
        """Chunks of `vlen`, each combined by a balanced tree of neighbours.

        Lanes behind the end hold `identity`.
        """
        results = []
        for start in range(0, len(vector), vlen):
            level = vector[start : start + vlen]
            level = level + [level[0].const(level[0].width, identity)] * (vlen - len(level))
            while len(level) > 1:
                level = [combine(a, b) for a, b in zip(level[::2], level[1::2], strict=True)]
            results.append(level[0])
        return results

    @_uncollected
    def reduce(self, reduction: Any, start: Any, *operands: Any) -> Any:
        """`start`, then `reduction.lane` of the operands' elements, combined in order."""
        best, lane, combine = start, reduction.lane, reduction.combine
        for element in zip(*operands, strict=True):
            best = combine(best, lane(*element))
        return best


class Whole:
    """A vector is one `Bits` of a numpy array, or a NamedTuple of such."""

    _tables: dict[Any, Any] = {}  # noqa: RUF012  # shared: a table is a fact about its function

    def of(self, width: int, values: Any) -> Bits:
        return arrays(width, np.asarray(values, np.int64))

    def places(self, length: int) -> Bits:
        return _ZERO.like(np.arange(length))

    def stack(self, elements: list[Bits]) -> Bits:
        return arrays(elements[0].width, np.array([element.value for element in elements]))

    def length(self, vector: Any) -> int:
        return int(np.size(next(parts(vector)).value))

    def map(self, function: Callable[..., Any], *operands: Any) -> Any:
        length = max(self.length(x) for x in operands if not _scalar(x))
        return _spread(function(*(_lift(x) for x in operands)), length)

    def table(self, function: Callable[[Bits], Any], vector: Bits) -> Any:
        if function not in self._tables:
            whole = function(arrays(16, np.arange(CODES)))
            self._tables[function] = _spread(whole, CODES)
        return every(lambda x: x.like(x.value[vector.value]), self._tables[function])

    def at(self, vector: Any, place: int) -> Any:
        return _lower(vector, place)

    def gather(self, table: Any, places: Any) -> Any:
        padded = np.append(table.value, 0)
        return table.like(padded[np.minimum(places.value, len(table.value))])

    def join(self, parts: list[Any]) -> Any:
        return parts[0].like(np.concatenate([part.value for part in parts]))

    def repeat(self, vector: Any, times: int, length: int) -> Any:
        return every(lambda x: x.like(np.repeat(x.value, times)[:length]), vector)

    def replace(self, vector: Bits, place: Bits, value: int, where: Bits) -> Bits:
        if where.value and place.value < np.size(vector.value):
            changed = vector.value.copy()
            changed[place.value] = value
            return vector.like(changed)
        return vector

    def tree(
        self, vector: Bits, vlen: int, combine: Callable[[Bits, Bits], Bits], identity: int
    ) -> list[Bits]:
        values = vector.value
        padded = np.concatenate([values, np.full(-len(values) % vlen, identity, np.int64)])
        level = padded.reshape(-1, vlen)
        while level.shape[1] > 1:
            level = combine(vector.like(level[:, ::2]), vector.like(level[:, 1::2])).value
        return [ints(vector.width, int(value)) for value in level[:, 0]]

    def reduce(self, reduction: Any, start: Any, *operands: Any) -> Any:
        if self.length(operands[0]) == 0:
            return start
        lanes = reduction.lane(*(_lift(x) for x in operands))
        length = max(self.length(x) for x in operands)
        best = halve(_spread(lanes, length), reduction)
        return reduction.combine(start, _lower(best, 0))


def _scalar(operand: Any) -> bool:
    return next(parts(operand)).algebra is Ints


def _lift(operand: Any) -> Any:
    """A scalar as a `Bits` of arrays, which broadcasts; vectors as they are."""
    if isinstance(operand, Bits) and operand.algebra is Ints:
        return arrays(operand.width, operand.value)
    return operand


def _spread(vector: Any, length: int) -> Any:
    """Parts that are the same for all elements, spread over them."""
    return every(lambda part: part.like(np.broadcast_to(part.value, (length,))), vector)


def _lower(vector: Any, place: int) -> Any:
    """One element, on Python integers."""
    return every(lambda part: ints(part.width, int(np.ravel(part.value)[place])), vector)


EACH = Each(known)
WHOLE = Whole()
