"""The one-pass softmax state: maximum, first argmax and the sum of exp, exactly order-free.

What ranks a row is delta = sum over the other elements of exp(l - max) = 1 / confidence - 1. It
is summed in one pass without knowing the maximum beforehand, in base 2 and in fixed point:

    lane     l -> g(l) = mantissa * 2**(q - 19) ~ exp(l), mantissa in [2**19, 2**20), at its
             absolute bit position, cut into slices of 16 bits that begin at multiples of 16
    combine  each slice is added into a slot of its own; of 5 slots the top one is where the
             maximum's first slice goes, and when a greater maximum needs a higher one the lowest
             slots are dropped
    end      D = all slots - the maximum's own term, exactly; the key is a monotone code of delta
             = D / (the maximum's term)

A slot is an exact integer sum at an absolute position and depends on nothing but the maximum and
the multiset of elements, so order, chunking and sharding cannot be seen in it. Widths and the
error theorem are in `unmask.spec.numerics`.

Two flags of a state say what dequantising MX elements did to any of them. H_RED_SM records it;
H_PREFETCH_V, which dequantises too, does not, so that V_RED_SM of what it fetched leaves the same
state but for the flags.

An element is *normal* if abs(l) < 2**14. A *big* one (finite or infinite) weighs nothing beside a
normal maximum, and beside a big maximum only its equals weigh anything: slot 0 counts them.
"""

from __future__ import annotations

from fractions import Fraction
from math import isqrt
from operator import add
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from unmask.spec import mx
from unmask.spec.bits import Bits, concat, lut, mux
from unmask.spec.formats import EMPTY_KEY, NAN, NEG_INF, POS_INF, order_key
from unmask.spec.reductions import INDEX_WIDTH, choose

# Widths: the budget that they come from is in `unmask.spec.numerics`.
T_FRACTION = 17  # fraction bits of t = l * log2(e)
LOG2E_FRACTION = 23  # fraction bits of the constant log2(e), which has 24 bits
P_FRACTION = 19  # fraction bits of the mantissa
ENTRY_BITS = 7  # bits of t's fraction that choose a table entry; the other 10 interpolate
SLOPE_FRACTION = 7  # fraction bits of a slope, in units of the mantissa's last place
SLOTS, SLICE = 5, 16
SLOT_WIDTH, COUNT_WIDTH, BIN_WIDTH = 34, 19, 12
MOST_ELEMENTS = 1 << 18  # in one state; 2**18 * (2**16 - 1) < 2**34

MX_SATURATED, MX_INEXACT = mx.SATURATED, mx.INEXACT  # flags of a lane

# The first magnitude code that is big: exponent field 141, 2**14.
BIG_MAGNITUDE = 141 << 7
KEY_NAN, KEY_POS_INF, KEY_NEG_INF = 0xFFFF, 0xFF80, 0x007F  # as `order_key` gives them

# Reserved 32-bit keys; all others encode a delta, see `unmask.spec.numerics.value`.
NAN_FIRST = 0  # confidence is NaN (NaN in the row, +infinity, or nothing but -infinity)
ZERO = 1  # delta is 0: the most confident
NAN_LAST = 0xFFFFFFFE  # the same rows as NAN_FIRST, where NaN is to rank last
EMPTY = 0xFFFFFFFF  # no element at all
KEY_BIAS, KEY_MANTISSA = 81, 25  # a key is 2**25 * (exponent + 81) + mantissa

STATUS_EMPTY, STATUS_NAN, STATUS_POS_INF, STATUS_ALL_NEG_INF = 1, 2, 4, 8
STATUS_BIG = 16  # the maximum is finite and big
STATUS_MX_SATURATED, STATUS_MX_INEXACT = 32, 64


class Widths(NamedTuple):
    """What tables are made for; others than the lane's are weighed in `proofs/numerics/widths.py`.

    A slope has mantissa + 1 + slope - t bits.
    """

    t: int = T_FRACTION
    log2e: int = LOG2E_FRACTION
    mantissa: int = P_FRACTION
    entry: int = ENTRY_BITS
    slope: int = SLOPE_FRACTION
    factor: int = T_FRACTION - ENTRY_BITS  # bits of t's fraction that a slope is multiplied by


WIDTHS = Widths()


def log2e(widths: Widths) -> int:
    """log2(e) as a constant: 2**log2e / ln 2 to the nearest, from ln 2 = sum of 1 / (k * 2**k)."""
    ln2 = sum((Fraction(1, k << k) for k in range(1, 64)), Fraction(0))
    return round((1 << widths.log2e) / ln2)


def _powers(step: int, count: int) -> NDArray[np.int64]:
    """2**(k / 2**step) for k = 0 .. count - 1, with 30 fraction bits, floored."""
    guard = 128
    root = 2 << guard
    for _ in range(step):
        root = isqrt(root << guard)
    powers = [1 << guard]
    while len(powers) < count:
        powers.append(powers[-1] * root >> guard)
    return np.array([power >> (guard - 30) for power in powers])


def tables(widths: Widths) -> tuple[list[int], list[int]]:
    """First values (fraction bits of the mantissa) and slopes of 2**f in 2**entry steps.

    A slope is the chord's. A first value makes the greatest errors of its step's values, up and
    down, equal; the first entry must not be below 1. Any table would do that passes the proofs
    (`proofs/numerics`): they take it as it is.
    """
    low = widths.t - widths.entry
    cut = low - widths.factor  # last bits of the fraction that are not multiplied
    ends = _powers(widths.entry, (1 << widths.entry) + 1)
    to_slope = 30 - widths.mantissa + low - widths.slope  # from 30 fraction bits, rounded
    slopes = (np.diff(ends) + (1 << (to_slope - 1))) >> to_slope
    exact = ends[:-1, None] * _powers(widths.t, 1 << low)  # 60 fraction bits
    added = (slopes[:, None] * (np.arange(1 << low) >> cut)) >> (widths.slope - cut)
    guard = 60 - widths.mantissa
    owed = exact - (added << guard)
    middle = (owed.max(axis=1) >> 1) + (owed.min(axis=1) >> 1)
    firsts = ((middle + (1 << (guard - 1))) >> guard) - (1 << widths.mantissa)
    return np.maximum(firsts, 0).tolist(), slopes.tolist()


LOG2E = log2e(WIDTHS)
FIRSTS, SLOPES = tables(WIDTHS)


class Exponential(NamedTuple):
    """g(l) = mantissa * 2**(16 * (bin - 2048) + place - 19), near exp(l)."""

    bin: Bits  # 12 bits, biased by 2048
    place: Bits  # 4 bits: floor(log2 g) within the bin
    mantissa: Bits  # 20 bits, top bit set


class State(NamedTuple):
    """A part of a row, in canonical form: equal parts have equal states.

    The class of the maximum follows from its key. Normal: `top` is its bin, slot j sums the slices
    of bin top - j. Big: `top` and slots 1 to 4 are 0, slot 0 counts the elements equal to it. NaN:
    `top` and all slots are 0. No element: the same, with key 0 and the index all ones.
    """

    key: Bits  # 16 bits: order key of the maximum, 0 for none
    # index and count hide methods of tuple that nobody needs.
    index: Bits  # type: ignore[assignment]  # 32 bits: the first argmax
    top: Bits  # 12 bits: biased bin of the maximum, at least 5 where it is normal
    slots: tuple[Bits, ...]  # 5 of 34 bits, highest bin first; at most count * 65,535 each
    count: Bits  # type: ignore[assignment]  # 19 bits: elements, at most 2**18
    flags: Bits  # 2 bits: MX_SATURATED, MX_INEXACT of any element that H_RED_SM dequantised


def mantissa(fraction: Bits) -> Bits:
    """2**f in [1, 2) with 19 fraction bits, from 17 bits of f: table and linear interpolation."""
    width = T_FRACTION - ENTRY_BITS
    entry = fraction.extract(T_FRACTION - 1, width)
    first = lut(FIRSTS, P_FRACTION, entry).zext(P_FRACTION + 1)
    slope = lut(SLOPES, 10, entry).zext(20)
    product = (slope * fraction.extract(width - 1, 0).zext(20)) >> SLOPE_FRACTION
    return (first | 1 << P_FRACTION) + product


def exponential(code: Bits) -> Exponential:
    """g(l) of a normal BF16 code; of no meaning for others."""
    field = code.extract(14, 7)
    subnormal = field.eq(0)
    significand = concat(~subnormal, code.extract(6, 0))
    exponent = field | subnormal.zext(8)
    # l = significand * 2**(exponent - 134), so t has 17 fraction bits after a shift by 140 - e;
    # one bit more is kept to round to nearest (half up in magnitude, so t(-l) = -t(l)).
    product = significand.zext(33) * LOG2E
    kept = (product << 1) >> (exponent.const(8, 140) - exponent).zext(33)
    magnitude = (kept >> 1) + (kept & 1)
    # Two's complement, biased by 2**15: floor and fraction are then plain bit fields.
    t = mux(code.extract(15, 15), ~magnitude + 1, magnitude) ^ (1 << 32)
    return Exponential(
        bin=t.extract(32, 21), place=t.extract(20, 17), mantissa=mantissa(t.extract(16, 0))
    )


def slices(place: Bits, mantissa: Bits) -> tuple[Bits, ...]:
    """The term's three slices, highest first, each of 16 bits; the lowest ends in 13 zeros."""
    term = mantissa.zext(35) << place.zext(35)
    return (term.extract(34, 19), term.extract(18, 3), term.extract(2, 0).zext(16) << 13)


class SoftmaxState:
    """The reduction: associative and commutative, in any order and shape, with identity `empty`."""

    @staticmethod
    def lane(
        code: Bits, index: Bits, active: Bits | None = None, flags: Bits | None = None
    ) -> State:
        """The state of one element; an inactive lane (`active` 0) is the identity.

        Args:
            code: BF16, 16 bits; a banned token is given as -infinity (0xFF80).
            index: 32 bits.
            active: 1 bit.
            flags: 2 bits, MX_SATURATED and MX_INEXACT (`mx.dequantise`); none if not given.
        """
        magnitude = code & 0x7FFF
        normal = magnitude.ult(code.const(16, BIG_MAGNITUDE))
        big = ~normal & magnitude.ule(code.const(16, POS_INF))
        own = exponential(code)
        zero = code.const(SLOT_WIDTH, 0)
        parts = [mux(normal, part.zext(SLOT_WIDTH), 0) for part in slices(own.place, own.mantissa)]
        state = State(
            key=order_key(code),
            index=index,
            top=mux(normal, own.bin, 0),
            slots=(parts[0] | big.zext(SLOT_WIDTH), parts[1], parts[2], zero, zero),
            count=code.const(COUNT_WIDTH, 1),
            flags=code.const(2, 0) if flags is None else flags,
        )
        if active is None:
            return state
        return choose(active, state, SoftmaxState.empty(code))

    @staticmethod
    def combine(a: State, b: State) -> State:
        """The greater key wins, of equals the lower index; the loser's slots move to its place."""
        same = a.key.eq(b.key)
        second = a.key.ult(b.key) | (same & b.index.ult(a.index))
        winner, loser = choose(second, b, a), choose(second, a, b)
        distance = winner.top - loser.top
        # Beside a maximum that is not normal (top 0) only its equals count.
        near = distance.ult(SLOTS) & (same | winner.top.ne(0))
        zero = a.key.const(SLOT_WIDTH, 0)
        moved = choose(near, loser.slots, (zero,) * SLOTS)
        for step in (0, 1, 2):  # down by 1, 2 and 4 slots
            lower = ((zero,) * (1 << step) + moved)[:SLOTS]
            moved = choose(distance.extract(step, step), lower, moved)
        return State(
            key=winner.key,
            index=winner.index,
            top=winner.top,
            slots=tuple(map(add, winner.slots, moved)),
            count=a.count + b.count,
            flags=a.flags | b.flags,
        )

    @staticmethod
    def empty(like: Bits) -> State:
        """No element: the identity of `combine`."""
        return State(
            key=like.const(16, EMPTY_KEY),
            index=like.const(INDEX_WIDTH, (1 << INDEX_WIDTH) - 1),
            top=like.const(BIN_WIDTH, 0),
            slots=(like.const(SLOT_WIDTH, 0),) * SLOTS,
            count=like.const(COUNT_WIDTH, 0),
            flags=like.const(2, 0),
        )


def lane_of(code: Bits) -> State:
    """The lane of one element but for its index, for which 0 stands: a function of its code."""
    return SoftmaxState.lane(code, code.const(INDEX_WIDTH, 0))


class Placed:
    """`SoftmaxState` over lanes that `lane_of` gave, and what it left out."""

    combine = staticmethod(SoftmaxState.combine)

    @staticmethod
    def lane(state: State, index: Bits, flags: Bits | None = None) -> State:
        """The lane with its index, and flags if it has some."""
        return state._replace(index=index, flags=state.flags if flags is None else flags)


# -- the end of a row --


def maximum(state: State) -> Bits:
    """The maximum as BF16: zeros as +0, any NaN as 0x7FC0, -infinity where there is no element."""
    key = state.key
    code = mux(key.extract(15, 15), key & 0x7FFF, ~key)
    code = mux(key.eq(KEY_NAN), key.const(16, NAN), code)
    return mux(key.eq(EMPTY_KEY), key.const(16, NEG_INF), code)


def status(state: State) -> Bits:
    """STATUS_ bits of a row, 32 bits."""
    key = state.key
    infinite = key.eq(KEY_POS_INF) | key.eq(KEY_NEG_INF)
    magnitude = maximum(state) & 0x7FFF
    big = key.const(16, BIG_MAGNITUDE - 1).ult(magnitude) & ~infinite
    exists = key.ne(EMPTY_KEY)
    flags = (
        (STATUS_EMPTY, ~exists),
        (STATUS_NAN, key.eq(KEY_NAN)),
        (STATUS_POS_INF, key.eq(KEY_POS_INF)),
        (STATUS_ALL_NEG_INF, key.eq(KEY_NEG_INF)),
        (STATUS_BIG, big & exists & key.ne(KEY_NAN)),
        (STATUS_MX_SATURATED, state.flags.extract(0, 0)),
        (STATUS_MX_INEXACT, state.flags.extract(1, 1)),
    )
    word = key.const(32, 0)
    for bit, flag in flags:
        word = word | flag.zext(32) * bit
    return word


def excess(slots: tuple[Bits, ...], place: Bits, mantissa: Bits) -> list[Bits]:
    """D = all slots at their places minus the maximum's own term, exactly.

    Args:
        slots: of a state.
        place, mantissa: of its maximum, whose slices are among those summed: no borrow.

    Returns:
        7 limbs of 16 bits, lowest first, of which 98 bits are used; the unit is that of the last
        slot, 2**(64 + place) below the maximum's leading one.
    """
    zero = mantissa.const(SLICE, 0)
    own = (*slices(place, mantissa), zero, zero)
    limbs = []
    carry = mantissa.const(SLOT_WIDTH, 0)
    for slot, part in zip(reversed(slots), reversed(own), strict=True):
        total = (
            slot - part.zext(SLOT_WIDTH) + carry
        )  # < 2**34: (n - 1) * 65,535 + carry < n * 2**16
        limbs.append(total.extract(15, 0))
        carry = total >> SLICE
    return [*limbs, carry.extract(15, 0), carry.extract(31, 16)]


def normalise(limbs: list[Bits]) -> tuple[Bits, Bits]:
    """The first 46 bits of a number from its leading one on, and the number of that bit.

    Args:
        limbs: 7 of 16 bits, lowest first, not all 0.

    Returns:
        46 bits, top bit set, zeros behind the number's end; 7 bits.
    """
    zero = limbs[0].const(SLICE, 0)
    window, height = [zero, zero, zero, limbs[0]], limbs[0].const(7, 15)
    padded = [zero, zero, zero, *limbs]
    for limb in range(1, len(limbs)):
        used = limbs[limb].ne(0)
        window = [mux(used, x, y) for x, y in zip(padded[limb : limb + 4], window, strict=True)]
        height = mux(used, height.const(7, 16 * limb + 15), height)
    # 62 bits: the leading one is among the first 16, and 45 bits behind it are all that is needed.
    bits = concat(concat(window[3], window[2]), concat(window[1], window[0].extract(15, 2)))
    for step in (8, 4, 2, 1):
        short = bits.extract(61, 62 - step).eq(0)
        bits = mux(short, bits << step, bits)
        height = mux(short, height - step, height)
    return bits.extract(61, 16), height


def divide_step(remainder: Bits, bit: Bits, divisor: Bits) -> tuple[Bits, Bits]:
    """One step of restoring division: the next dividend bit joins, the divisor leaves if it can.

    Args:
        remainder: less than the divisor, of as many bits.
        bit: the next bit of the dividend, 1 bit.
        divisor: any width.

    Returns:
        The remainder, again less than the divisor, and the next bit of the quotient.
    """
    width = divisor.width + 1
    joined = concat(remainder, bit)
    fits = divisor.zext(width).ule(joined)
    rest = mux(fits, joined - divisor.zext(width), joined)
    return rest.extract(width - 2, 0), fits


def divide(dividend: Bits, divisor: Bits) -> Bits:
    """floor(dividend / divisor), 27 bits: dividend of 46 bits, divisor of 20 bits, top bit set."""
    steps = 27
    remainder = dividend.extract(45, steps).zext(20)  # 19 bits, so less than the divisor
    quotient = dividend.const(steps, 0)
    for at in reversed(range(steps)):
        remainder, fits = divide_step(remainder, dividend.extract(at, at), divisor)
        quotient = (quotient << 1) | fits.zext(steps)
    return quotient


def pack(quotient: Bits, height: Bits, place: Bits) -> Bits:
    """The key of delta = D / (the maximum's term) > 0, 32 bits.

    Args:
        quotient: 27 bits, of D by the mantissa when the leading ones of both have equal weight: a
            number in (1/2, 2) with 26 fraction bits.
        height: number of D's leading one, 7 bits.
        place: 4 bits; the leading one of the maximum's term is bit 64 + place.
    """
    least_one = quotient.extract(26, 26)
    exponent = height - place.zext(7) + (KEY_BIAS - 64 - 1) + least_one.zext(7)
    return concat(exponent, mux(least_one, quotient.extract(25, 1), quotient.extract(24, 0)))


def key32(state: State, nan_last: Bits) -> Bits:
    """The 32-bit rank of a row: ascending is more confident first.

    Args:
        state: of a whole row.
        nan_last: 1 bit: where rows without a confidence rank, 0 is first, as `torch.topk` does.

    Returns:
        NAN_FIRST or NAN_LAST, EMPTY, ZERO, or else the code of delta = D / (the maximum's term):
        floor(log2 delta) + 81 (7 bits, 1 to 98), then 25 mantissa bits, truncated.
    """
    code = maximum(state)
    normal = state.top.ne(0)
    own = exponential(code)
    # The term of a big maximum is 1 in slot 0, as if its mantissa were 1.0 at place 0.
    place = mux(normal, own.place, 0)
    divisor = mux(normal, own.mantissa, 1 << P_FRACTION)
    limbs = excess(state.slots, place, divisor)
    dividend, height = normalise(limbs)
    key = pack(divide(dividend, divisor), height, place)
    nothing = limbs[0]
    for limb in limbs[1:]:
        nothing = nothing | limb
    key = mux(nothing.eq(0), key.const(32, ZERO), key)
    no_number = state.key.eq(KEY_NAN) | state.key.eq(KEY_POS_INF) | state.key.eq(KEY_NEG_INF)
    nan = mux(nan_last, key.const(32, NAN_LAST), NAN_FIRST)
    return mux(state.key.eq(EMPTY_KEY), key.const(32, EMPTY), mux(no_number, nan, key))


def confidence(key: Bits) -> Bits:
    """1 / (1 + X) for the X that a key encodes, rounded to the nearest BF16; never to rank by.

    Args:
        key: 32 bits, as `key32` gives it.

    Returns:
        BF16: 1.0 for ZERO, NaN for both NaN keys, +0 for EMPTY.
    """
    # 1 + X with 35 fraction bits, below 2**19. X below 2**-10 is left out: 1 / (1 + X) is then
    # above 1 - 2**-9, midway between 1 and the BF16 below it, and so rounds to 1.
    exponent = key.extract(31, 25)
    shift = exponent.zext(54) - 71  # by less than 0 gives a great amount, and so 0
    x = (key.extract(24, 0).zext(54) | 1 << 25) << shift
    y = x + (1 << 35)
    scale = key.const(16, 126 - 18)
    for step in (16, 8, 4, 2, 1):
        short = y.extract(53, 54 - step).eq(0)
        y = mux(short, y << step, y)
        scale = mux(short, scale + step, scale)
    # y is 1 + X scaled to [1, 2) with 53 fraction bits. If it is 1 the quotient is a power of two,
    # else in (1/2, 1): 8 bits and one to round by. A tie or an exact quotient would need a divisor
    # of a power of two other than 1, which has no such y.
    one = y.eq(1 << 53)
    remainder, quotient = y.const(54, 1 << 53), key.const(16, 0)
    for _ in range(9):
        remainder, bit = divide_step(remainder, key.const(1, 0), y)
        quotient = (quotient << 1) | bit.zext(16)
    rounded = (scale << 7) + ((quotient >> 1) & 0x7F) + (quotient & 1)
    code = mux(one, (scale + 1) << 7, rounded)
    code = mux(key.eq(NAN_FIRST) | key.eq(NAN_LAST), key.const(16, NAN), code)
    return mux(key.eq(EMPTY), key.const(16, 0), code)
