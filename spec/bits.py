"""The bit algebra: semantics are written once on `Bits` and run in several interpretations.

A `Bits` is an unsigned value of a stated width. What holds the value is the *interpretation*:

    Ints     Python integers       the readable interpreter, any width
    Arrays   numpy int64 arrays    the fast model, width <= 63, element by element
    Terms    Z3 bit-vectors        proofs, any width (`unmask.spec.terms`)
    Tensors  torch int64 tensors   the sampler, width <= 63, any device (`unmask.spec.tensors`)

Rules, the same everywhere:
  * `+ - *` are modulo 2**width; `& | ^ ~` bitwise; both operands have the same width, or one is a
    Python int that fits in the width of the other;
  * `<<` and `>>` (logical) are total: an amount >= width gives 0;
  * comparisons `eq ne ult ule` give a `Bits` of width 1, and `mux` selects by one;
  * there are no signed operators and no division;
  * `==`, `<`, `bool()` and hashing raise: on a term they would silently mean something else.
What an interpretation cannot do exactly raises `BitsError` there; nothing is approximated.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

_new = object.__new__


class BitsError(TypeError):
    """An operation that the algebra, or one interpretation of it, does not define exactly."""


class Ints:
    """Values are Python integers in 0 .. 2**width - 1; any width."""

    max_width: int | None = None

    @staticmethod
    def check(width: int, value: Any) -> Any:
        if type(value) is int and 0 <= value < 1 << width:
            return value
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
            raise BitsError(f"an integer is needed, got {type(value).__name__}")
        value = int(value)
        if not 0 <= value < 1 << width:
            raise BitsError(f"{value} does not fit in {width} bits")
        return value

    const = check

    @staticmethod
    def trim(width: int, value: Any) -> Any:
        return value & ((1 << width) - 1)

    @staticmethod
    def invert(width: int, value: Any) -> Any:
        return value ^ ((1 << width) - 1)

    @staticmethod
    def shl(width: int, value: Any, amount: Any) -> Any:
        return (value << amount) & ((1 << width) - 1) if amount < width else 0

    @staticmethod
    def shr(width: int, value: Any, amount: Any) -> Any:
        return value >> amount if amount < width else 0

    @staticmethod
    def flag(condition: Any) -> Any:
        return int(condition)

    @staticmethod
    def mux(condition: Any, yes: Any, no: Any) -> Any:
        return yes if condition else no

    @staticmethod
    def widen(width: int, extra: int, value: Any) -> Any:
        return value

    @staticmethod
    def extract(high: int, low: int, value: Any) -> Any:
        return (value >> low) & ((1 << (high - low + 1)) - 1)

    @staticmethod
    def concat(high: Any, low: Any, low_width: int) -> Any:
        return (high << low_width) | low

    @staticmethod
    def ult(a: Any, b: Any) -> Any:
        return a < b

    @staticmethod
    def ule(a: Any, b: Any) -> Any:
        return a <= b

    @staticmethod
    def lut(table: Sequence[int], width: int, index: Any, index_width: int) -> Any:
        return table[index]


class Arrays(Ints):
    """Values are non-negative numpy int64 arrays (any shape, broadcast together), width <= 63.

    int64 and not uint64, because numpy turns uint64 with int64 into float64 without a word.
    Sums and products wrap modulo 2**64 and are then trimmed, which is exact for widths <= 63.
    """

    max_width = 63

    @staticmethod
    def check(width: int, value: Any) -> Any:
        array = np.asarray(value)
        if array.dtype.kind not in "iu":
            raise BitsError(f"an integer array is needed, got dtype {array.dtype}")
        if array.size and (int(array.min()) < 0 or int(array.max()) >= 1 << width):
            raise BitsError(f"an element does not fit in {width} bits")
        return array.astype(np.int64)

    @staticmethod
    def const(width: int, value: Any) -> Any:
        return np.int64(Ints.check(width, value))

    @staticmethod
    def shl(width: int, value: Any, amount: Any) -> Any:
        kept = np.where(amount < width, amount, 0)
        return np.where(amount < width, (value << kept) & ((1 << width) - 1), 0)

    @staticmethod
    def shr(width: int, value: Any, amount: Any) -> Any:
        kept = np.where(amount < width, amount, 0)
        return np.where(amount < width, value >> kept, 0)

    @staticmethod
    def flag(condition: Any) -> Any:
        return np.asarray(condition).astype(np.int64)

    @staticmethod
    def mux(condition: Any, yes: Any, no: Any) -> Any:
        return np.where(condition, yes, no)

    @staticmethod
    def lut(table: Sequence[int], width: int, index: Any, index_width: int) -> Any:
        return np.asarray(table, dtype=np.int64)[index]


class Bits:
    """An unsigned value of `width` bits, held by one interpretation (`algebra`).

    Args:
        algebra: `Ints`, `Arrays`, `Terms` or `Tensors`.
        width: bits, at least 1 and at most the interpretation's `max_width`.
        value: what the interpretation holds; checked to fit.

    Raises:
        BitsError: on a width or value outside the interpretation's exact range.
    """

    __slots__ = ("algebra", "value", "width")

    def __init__(self, algebra: Any, width: int, value: Any) -> None:
        _check_width(algebra, width)
        self.algebra, self.width, self.value = algebra, width, algebra.check(width, value)

    def const(self, width: int, value: int) -> Bits:
        """The constant `value` of `width` bits in the interpretation of this value."""
        _check_width(self.algebra, width)
        return _make(self.algebra, width, self.algebra.const(width, value))

    def like(self, value: Any) -> Bits:
        """What the interpretation holds, known to fit, as a value of this width (no check)."""
        bits = _new(Bits)  # `_make`, written out where it is made most
        bits.algebra, bits.width, bits.value = self.algebra, self.width, value
        return bits

    # -- arithmetic and logic, modulo 2**width --
    def __add__(self, other: Bits | int) -> Bits:
        return self._trimmed(self.value + self._peer(other))

    def __sub__(self, other: Bits | int) -> Bits:
        return self._trimmed(self.value - self._peer(other))

    def __mul__(self, other: Bits | int) -> Bits:
        with np.errstate(over="ignore"):  # int64 wraps modulo 2**64, trimmed below
            return self._trimmed(self.value * self._peer(other))

    def __and__(self, other: Bits | int) -> Bits:
        return self.like(self.value & self._peer(other))

    def __or__(self, other: Bits | int) -> Bits:
        return self.like(self.value | self._peer(other))

    def __xor__(self, other: Bits | int) -> Bits:
        return self.like(self.value ^ self._peer(other))

    def __invert__(self) -> Bits:
        return self.like(self.algebra.invert(self.width, self.value))

    def __lshift__(self, amount: Bits | int) -> Bits:
        return self.like(self.algebra.shl(self.width, self.value, self._amount(amount)))

    def __rshift__(self, amount: Bits | int) -> Bits:
        return self.like(self.algebra.shr(self.width, self.value, self._amount(amount)))

    # -- structure --
    def extract(self, high: int, low: int) -> Bits:
        """Bits high .. low (inclusive) as a value of width high - low + 1."""
        if not self.width > high >= low >= 0:
            raise BitsError(f"extract {high}:{low} of a value of {self.width} bits")
        value = self.algebra.extract(high, low, self.value)
        return _make(self.algebra, high - low + 1, value)

    def zext(self, width: int) -> Bits:
        """The same value in at least as many bits."""
        if width < self.width:
            raise BitsError(f"zext of {self.width} bits to {width}")
        _check_width(self.algebra, width)
        if width == self.width:
            return self
        value = self.algebra.widen(width, width - self.width, self.value)
        return _make(self.algebra, width, value)

    # -- comparisons, width 1 --
    def eq(self, other: Bits | int) -> Bits:
        return self._flag(self.value == self._peer(other))

    def ne(self, other: Bits | int) -> Bits:
        return self._flag(self.value != self._peer(other))

    def ult(self, other: Bits | int) -> Bits:
        return self._flag(self.algebra.ult(self.value, self._peer(other)))

    def ule(self, other: Bits | int) -> Bits:
        return self._flag(self.algebra.ule(self.value, self._peer(other)))

    def as_int(self) -> int:
        """The value as a Python int; only where one is held."""
        if self.algebra is not Ints:
            raise BitsError(f"no single integer in {self.algebra.__name__}")
        return int(self.value)

    # -- what must not be used --
    def _refuse(self, *_: object) -> Any:
        raise BitsError("Bits have no truth value, order or hash: use eq, ult, ule and mux")

    __bool__ = __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _refuse
    __hash__ = None  # type: ignore[assignment]  # hashing would invite == on terms
    __floordiv__ = __truediv__ = __mod__ = __neg__ = _refuse

    def __repr__(self) -> str:
        return f"Bits({self.algebra.__name__}, {self.width}, {self.value!r})"

    # -- inside --
    def _peer(self, other: Bits | int) -> Any:
        if type(other) is Bits:
            if other.width == self.width and other.algebra is self.algebra:
                return other.value
            if other.algebra is not self.algebra:
                names = f"{self.algebra.__name__} with {other.algebra.__name__}"
                raise BitsError(f"two interpretations in one operation: {names}")
            raise BitsError(f"widths differ: {self.width} and {other.width}")
        return self.algebra.const(self.width, other)

    def _amount(self, amount: Bits | int) -> Any:
        if isinstance(amount, Bits):
            return self._peer(amount)
        return self.algebra.const(self.width, min(amount, (1 << self.width) - 1))

    def _trimmed(self, value: Any) -> Bits:
        bits = _new(Bits)
        bits.algebra, bits.width = self.algebra, self.width
        bits.value = self.algebra.trim(self.width, value)
        return bits

    def _flag(self, condition: Any) -> Bits:
        return _make(self.algebra, 1, self.algebra.flag(condition))


def mux(condition: Bits, yes: Bits, no: Bits | int) -> Bits:
    """`yes` where `condition` (width 1) is 1, else `no`."""
    if condition.width != 1:
        raise BitsError(f"mux by a value of {condition.width} bits")
    if condition.algebra is not yes.algebra:
        raise BitsError("mux: condition and values are of two interpretations")
    other = yes._peer(no)
    if condition.algebra is Ints and type(no) is Bits:
        return yes if condition.value else no  # as below, without making a new value
    return yes.like(yes.algebra.mux(condition.value, yes.value, other))


def concat(high: Bits, low: Bits) -> Bits:
    """`high` above `low`; the widths add up."""
    if high.algebra is not low.algebra:
        raise BitsError("concat of two interpretations")
    width = high.width + low.width
    _check_width(high.algebra, width)
    return _make(high.algebra, width, high.algebra.concat(high.value, low.value, low.width))


def lut(table: Sequence[int], width: int, index: Bits) -> Bits:
    """`table[index]` as `width` bits; the table has exactly 2**index.width entries."""
    if len(table) != 1 << index.width:
        raise BitsError(f"a table of {len(table)} entries for an index of {index.width} bits")
    if not _fits(tuple(table), width):
        raise BitsError(f"a table entry does not fit in {width} bits")
    _check_width(index.algebra, width)
    value = index.algebra.lut(table, width, index.value, index.width)
    return _make(index.algebra, width, value)


@cache
def _fits(table: tuple[int, ...], width: int) -> bool:
    return all(0 <= entry < 1 << width for entry in table)


def ints(width: int, value: int) -> Bits:
    """`value` as `Bits` on Python integers."""
    return Bits(Ints, width, value)


def known(width: int, value: int) -> Bits:
    """`ints` without its checks, for values that are known to fit."""
    return _make(Ints, width, value)


def arrays(width: int, values: Any) -> Bits:
    """An integer array-like of non-negative elements as `Bits` on numpy arrays."""
    return Bits(Arrays, width, values)


def _check_width(algebra: Any, width: int) -> None:
    if width < 1 or (algebra.max_width is not None and width > algebra.max_width):
        limit = algebra.max_width or "any"
        raise BitsError(f"a width of {width} bits in {algebra.__name__} (1 to {limit})")


def _make(algebra: Any, width: int, value: Any) -> Bits:
    """A `Bits` whose value is known to fit: skips the check that the constructor does."""
    bits = _new(Bits)
    bits.algebra, bits.width, bits.value = algebra, width, value
    return bits
