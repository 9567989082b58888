"""A semantics function on the values at a unit's ports, instead of on a machine's state."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from unmask.spec.bits import Bits, Ints, mux
from unmask.spec.vectors import Each


class Ports:
    """The context that a semantics function sees: what a unit is given, and nothing else.

    Args:
        vlen: lanes.
        length: elements of each vector.
        registers: operand -> its value.
        vectors: operand -> the elements from the address that it holds on.
        fields: operand -> the number in its field; 0 for those not named.
    """

    def __init__(
        self,
        vlen: int,
        length: int,
        registers: Mapping[str, Bits],
        vectors: Mapping[str, Sequence[Bits]],
        fields: Mapping[str, int],
    ) -> None:
        self.vlen, self._length, self._fields = vlen, length, fields
        like = next(iter(vectors.values()))[0]
        self.vl, self.vectors = like.const(32, length), Each(like.const)
        self._registers, self._elements = dict(registers), dict(vectors)
        for name in vectors:  # an address is here what leads to its elements, by being itself
            self._registers[name] = like.const(32, 0)

    def __getitem__(self, operand: str) -> Bits:
        return self._registers[operand]

    def field(self, operand: str) -> int:
        return self._fields.get(operand, 0)

    def number(self, value: Bits) -> int:
        """The one number there is."""
        return self._length

    def read(self, memory: str, address: Bits, length: int, step: int = 1) -> list[Bits]:
        (name,) = (x for x in self._elements if self._registers[x] is address)
        return list(self._elements[name][:length])


def lanes_of(row: Bits, lanes: int) -> list[Bits]:
    """The 16-bit elements of a row, lane 0 first."""
    return [row.extract(16 * lane + 15, 16 * lane) for lane in range(lanes)]


def choice(selector: Bits, values: Sequence[int], function: Callable[[int], Bits]) -> Bits:
    """`function` of the selector's number, which is one of `values`."""
    if selector.algebra is Ints:
        return function(selector.as_int())
    *others, result = (function(value) for value in values)
    for value, other in zip(values, others, strict=False):
        result = mux(selector.eq(value), other, result)
    return result
