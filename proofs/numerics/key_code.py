"""From slots to the key: D, normalising, division, packing; what a key says of a threshold.

Together: value(key) <= D / (the maximum's term) < value of the next key. Lemmas on bit-vectors are
about the functions of `unmask.spec.softmax` themselves; the few steps between them on whole
numbers, and the order of keys, are lemmas over integers and reals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from inspect import getdoc
from typing import Any
from unittest.mock import patch

import z3

from unmask.proofs.engine.obligation import TIMEOUT_S, Enumeration, Files, Obligation, Theorem
from unmask.spec import numerics
from unmask.spec.bits import Bits, concat, mux
from unmask.spec.numerics import LARGEST, RHO, UNIT, R, bound, code, value
from unmask.spec.softmax import (
    KEY_BIAS,
    KEY_MANTISSA,
    SLICE,
    SLOT_WIDTH,
    SLOTS,
    ZERO,
    divide_step,
    excess,
    normalise,
    pack,
    slices,
)
from unmask.spec.terms import const, var

Step = Callable[[Bits, Bits, Bits], tuple[Bits, Bits]]
D_WIDTH = 7 * SLICE


def arithmetic(label: str, goal: Any, *premises: Any) -> Enumeration:
    """A lemma over integers and reals, which the bit-vector engine does not take: one case."""

    def failing() -> str | None:
        solver = z3.Solver()
        solver.set("timeout", int(TIMEOUT_S * 1000))
        solver.add(*premises)
        if solver.check() != z3.sat:
            return "nothing meets the premises"
        solver.add(z3.Not(goal))
        answer = solver.check()
        return None if answer == z3.unsat else f"{answer}: {solver}"

    return Enumeration(label, 1, failing)


# -- D --


def exact_excess(subtract: Callable[..., list[Bits]], files: Files) -> Iterator[Obligation]:
    """The limbs of `excess` are the sum of (slot - own slice) * 2**(16 * (4 - j)), exactly.

    For all slots of up to 2**18 elements of up to 65,535, of which the maximum's slices are one;
    all places and mantissas. In 112 bits, where nothing wraps.
    """
    slots = tuple(var(f"slot{j}", SLOT_WIDTH) for j in range(SLOTS))
    place, mantissa = var("place", 4), var("mantissa", 20)
    own = (*slices(place, mantissa), const(SLICE, 0), const(SLICE, 0))
    premises = [z3.ULE(slot.value, (1 << 18) * 0xFFFF) for slot in slots]
    premises += [
        z3.ULE(part.zext(SLOT_WIDTH).value, slot.value)
        for slot, part in zip(slots, own, strict=True)
    ]
    total = const(D_WIDTH, 0)
    for slot, part in zip(slots, own, strict=True):
        total = (total << SLICE) + (slot.zext(D_WIDTH) - part.zext(D_WIDTH))
    limbs = subtract(slots, place, mantissa)
    joined = limbs[0]
    for limb in limbs[1:]:
        joined = concat(limb, joined)
    yield Obligation("all limbs", joined.value == total.value, tuple(premises))


def no_carry(slots: tuple[Bits, ...], place: Bits, mantissa: Bits) -> list[Bits]:
    """Broken: the last slot's carry is lost."""
    kept = slots[-1].extract(15, 0).zext(SLOT_WIDTH)
    return excess((*slots[:-1], kept), place, mantissa)


def leading_bits(normal: Callable[[list[Bits]], tuple[Bits, Bits]], files: Files) -> Iterator[Any]:
    """`normalise` gives the number of the leading one and the 46 bits from it on; all 2**112 - 1.

    One case for each number of the leading one.
    """
    limbs = [var(f"limb{i}", SLICE) for i in range(7)]
    whole = z3.Concat(*(limb.value for limb in reversed(limbs)))
    bits, height = normal(limbs)
    for at in range(D_WIDTH):
        premise = z3.LShR(whole, at) == 1
        expected = z3.Extract(D_WIDTH - 1, D_WIDTH - 46, whole << (D_WIDTH - 1 - at))
        goal = z3.And(bits.value == expected, height.value == at)
        yield Obligation(f"leading one at {at}", goal, (premise,))


def near_end(limbs: list[Bits]) -> tuple[Bits, Bits]:
    """Broken: the window is one limb short, so a leading one low in its limb loses bits."""
    cut = [mux(limbs[i + 3].ne(0), limbs[i] & 0, limbs[i]) for i in range(4)] + limbs[4:]
    return normalise(cut)


# -- division --


def division(step: Step, files: Files) -> Iterator[Obligation | Enumeration]:
    """N = W + R, R < p, W = Q * p go over to 2 * N + bit, 2 * Q + (quotient bit), in one step.

    For all divisors of 20 bits (keys) and of 54 bits (confidences), all remainders below them; W
    is any number, so no multiplication is left: W' is 2 * W, and p more where the quotient bit
    is 1. By induction N = Q * p + R after any number of steps; Q and R are the only such pair.
    """
    for width in (20, 54):
        remainder, divisor, bit = var("remainder", width), var("divisor", width), var("bit", 1)
        wide = width + 48
        multiple = var("multiple", wide)  # Q * p, below 2**(wide - 2)
        premises = (
            z3.ULT(remainder.value, divisor.value),
            z3.ULT(multiple.value, 1 << (wide - 2)),
        )
        rest, fits = step(remainder, bit, divisor)
        number = multiple + remainder.zext(wide)
        larger = multiple + multiple + mux(fits, divisor.zext(wide), 0)
        joined = number + number + bit.zext(wide)
        goal = z3.And(
            joined.value == (larger + rest.zext(wide)).value, z3.ULT(rest.value, divisor.value)
        )
        yield Obligation(f"a step by {width} bits", goal, premises)
    p, n, q, r, q2, r2 = z3.Ints("p n q r q2 r2")
    pairs = (n == q * p + r, r >= 0, r < p, n == q2 * p + r2, r2 >= 0, r2 < p)
    yield arithmetic("the pair is unique", z3.And(q == q2, r == r2), *pairs)
    # N is the part of some B from a bit of weight A on: floor(floor(B / A) / p) = floor(B / (A p)).
    a, b = z3.Ints("a b")
    floors = (a > 0, p > 0, n * a <= b, b < (n + 1) * a, q * p <= n, n + 1 <= (q + 1) * p)
    products = (q * p * a <= n * a, (n + 1) * a <= (q + 1) * p * a)
    yield arithmetic("times A, below", products[0], a > 0, q * p <= n)
    yield arithmetic("times A, above", products[1], a > 0, n + 1 <= (q + 1) * p)
    within = z3.And(q * p * a <= b, b < (q + 1) * p * a)
    yield arithmetic("digits behind the last", within, *floors, *products)


def strict_step(remainder: Bits, bit: Bits, divisor: Bits) -> tuple[Bits, Bits]:
    """Broken: the divisor does not leave a remainder that equals it."""
    width = divisor.width + 1
    joined = concat(remainder, bit)
    fits = divisor.zext(width).ult(joined)
    rest = mux(fits, joined - divisor.zext(width), joined)
    return rest.extract(width - 2, 0), fits


# -- the key --


def packed(packing: Callable[[Bits, Bits, Bits], Bits], files: Files) -> Iterator[Obligation]:
    """A key's exponent and mantissa are those of quotient * 2**(height - place - 90), truncated.

    With s = 1 if the quotient is at least 2**26, else 0: u * 2**s <= quotient < (u + 1) * 2**s for
    u = 2**25 + mantissa, and exponent = height - place - 65 + s + 81 is from 1 to 98. For all
    quotients in [2**25, 2**27), places, and heights up to 97 of a delta in [2**-80, 2**18).
    """
    quotient, height, place = var("quotient", 27), var("height", 7), var("place", 4)
    key = packing(quotient, height, place)
    normal = quotient.extract(26, 26)
    whole = key.extract(24, 0).zext(27) | 1 << KEY_MANTISSA
    shift = normal.zext(27)
    low, high = whole << shift, (whole + 1) << shift
    exponent = height.zext(9) + (KEY_BIAS - 65) - place.zext(9) + normal.zext(9)
    premises = (
        z3.ULE(1 << 25, quotient.value),
        z3.ULE(1, exponent.value),
        z3.ULE(exponent.value, 98),
    )
    goal = z3.And(
        z3.ULE(low.value, quotient.value),
        # the next key may begin at 2**27, which has no room: compared as the last that is below
        z3.ULE(quotient.value, (high - 1).value),
        key.extract(31, 25).zext(9).value == exponent.value,
    )
    yield Obligation("all quotients", goal, premises)


def unnormalised(quotient: Bits, height: Bits, place: Bits) -> Bits:
    """Broken: takes every quotient as 1 or more."""
    return pack(quotient | 1 << 26, height, place)


Value = Callable[[int], Fraction | None]


def ordered(number: Value, files: Files) -> Iterator[Enumeration]:
    """`value` ascends with the key from ZERO on, without gaps, and `code` is its inverse.

    In a binade both are linear in the mantissa: its first two, last two and middle keys, and what
    is just below and above them, decide it. All 98 binades.
    """
    binades = range(1, (LARGEST >> KEY_MANTISSA) + 1)
    size = 1 << KEY_MANTISSA

    def at(key: int) -> Fraction:
        found = number(key)
        assert found is not None
        return found

    def linear() -> str | None:
        for binade in binades:
            first = binade << KEY_MANTISSA
            unit = at(first) / size
            for offset in (0, 1, size // 3, size // 2, size - 2, size - 1):
                if at(first + offset) != at(first) + offset * unit:
                    return f"key {first + offset:#010x}"
            if binade < binades[-1] and at(first + size) != at(first) + size * unit:
                return f"gap below key {first + size:#010x}"
        return None if at(ZERO) == 0 and at(size) == Fraction(1, 1 << 80) else "the first keys"

    def inverse() -> str | None:
        for binade in binades:
            for offset in (0, 1, size // 3, size // 2, size - 2, size - 1):
                key = (binade << KEY_MANTISSA) + offset
                tiny = at(key) / (1 << 60)
                below = key - 1 if key > size else ZERO
                for x, expected in ((at(key), key), (at(key) + tiny, key), (at(key) - tiny, below)):
                    if code(x) != expected:
                        return f"code of {float(x)} is {code(x):#010x}, not {expected:#010x}"
        return None

    yield Enumeration("value", len(binades) * 6, linear)
    yield Enumeration("code", len(binades) * 18, inverse)


def no_hidden_bit(key: int) -> Fraction | None:
    """Broken: takes the mantissa without its leading one, so that binades overlap."""
    if key == ZERO:
        return Fraction(0)
    exponent, fraction = key >> KEY_MANTISSA, key & ((1 << KEY_MANTISSA) - 1)
    return Fraction(fraction + 1, 1 << KEY_MANTISSA) * Fraction(2) ** (exponent - KEY_BIAS)


def threshold(slack: int, files: Files) -> Iterator[Enumeration]:
    """key < code(x) implies delta_hw < x; key > code(x) implies delta_hw > x.

    For any ascending function u of keys (numerics.key_code.ordered: `value`), where key and code
    are the keys with u(key) <= delta_hw < u(key + 1) and u(code) <= x < u(code + 1), so for x below
    2**18. Over the reals.
    """
    u = z3.Function("u", z3.IntSort(), z3.RealSort())
    key, other = z3.Ints("key code")
    delta, x = z3.Reals("delta_hw x")
    floors = (u(key) <= delta, delta < u(key + 1), u(other) <= x, x < u(other + 1))
    ascends = []  # the instances of "u ascends" that are needed
    for a, b in ((key + 1, other), (other + 1, key)):
        ascends.append(z3.Implies(a <= b, u(a) <= u(b)))
    yield arithmetic("below", z3.Implies(key < other + slack, delta < x), *floors, *ascends)
    yield arithmetic("above", z3.Implies(key > other, delta > x), *floors, *ascends)


Bound = Callable[[Any, Any], Any]


def certificate(bound: Bound, files: Files) -> Iterator[Enumeration]:
    """From the error of delta_hw to the error of the key (T1), and to the certificate (T3).

    Given |delta_hw - delta| <= rho * delta + (n - 1) * 2**-64 and a key that truncates by less than
    2**-25: |value - delta| <= r * delta + c for n <= 2**18. Given that, |value - delta| <=
    B(value); of two rows that `certified` accepts the first has the lesser delta, and of a row
    that `decided` accepts delta is on the side of x that value is on. Over the reals:
    `numerics.c`, `bound`, `certified` and `decided` run on them, with numbers for keys.
    """
    n, exact, held, kept = z3.Reals("n delta delta_hw value")
    rough = RHO * exact + (n - 1) * UNIT
    fine = R * exact + numerics.c(n)
    sizes = (n >= 1, n <= 1 << 18)
    yield arithmetic(
        "error of a key",
        z3.And(kept - exact <= fine, exact - kept <= fine),
        *(*sizes, exact >= 0, held >= 0),
        *(held - exact <= rough, exact - held <= rough),
        *(kept <= held, held * (1 - Fraction(1, 1 << 25)) <= kept),
    )
    low, high, exact_low, exact_high, x = z3.Reals("low high delta_low delta_high x")
    first, second = (
        (true >= 0, shown >= 0, shown - true <= allowed, true - shown <= allowed)
        for shown, true in ((low, exact_low), (high, exact_high))
        for allowed in (R * true + numerics.c(n),)
    )
    # A key is now the number that it encodes.
    with patch.multiple(numerics, value=lambda number: number, bound=bound):
        near = bound(low, n)
        apart = numerics.certified(low, high, n)
        clear = numerics.decided(low, x, n)
    within = z3.And(low - exact_low <= near, exact_low - low <= near)
    yield arithmetic("bound of a row", within, *sizes, *first)
    ordered = exact_low < exact_high
    yield arithmetic("order of two rows", ordered, *sizes, *first, *second, apart)
    for label, shown, true in (
        ("below x", low < x, exact_low < x),
        ("above x", low > x, exact_low > x),
    ):
        yield arithmetic(label, true, *sizes, *first, clear, shown)
    yield arithmetic("at x", low != x, *sizes, *first, clear)


def of_the_key(shown: Any, n: Any) -> Any:
    """Broken: takes r of the key's value for r of the real delta."""
    return R * shown + numerics.c(n)


def _theorem(
    name: str, bounds: str, engine: str, function: Callable[..., Any], real: Any, broken: Any
) -> Theorem:
    return Theorem(
        name=f"numerics.key_code.{name}",
        statement=getdoc(function) or "",
        bounds=bounds,
        engine=engine,
        obligations=partial(function, real),
        twin=partial(function, broken),
    )


THEOREMS = (
    _theorem("excess", "all slots", "z3 or bitwuzla", exact_excess, excess, no_carry),
    _theorem("leading", "all 112-bit numbers", "z3 or bitwuzla", leading_bits, normalise, near_end),
    _theorem("division", "any number of steps", "z3", division, divide_step, strict_step),
    _theorem("packed", "all quotients", "z3 or bitwuzla", packed, pack, unnormalised),
    _theorem("ordered", "all 98 binades", "enumeration, exact", ordered, value, no_hidden_bit),
    _theorem("threshold", "all reals", "z3 arithmetic", threshold, 0, 1),
    _theorem("certificate", "all reals", "z3 arithmetic", certificate, bound, of_the_key),
)
