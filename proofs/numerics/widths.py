"""The widths of the softmax lane: what one bit less makes of the greatest error of a pair.

`python -m unmask.proofs.numerics.widths` prints the table. Five widths are needed; the sixth, the
constant's, is by the budget's own account, but not by a finer one. An error above a limit needs one
witness: a pair whose error has a lower bound above it. All bounds are integers and fractions
rounded outward.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from fractions import Fraction
from functools import cache, partial
from inspect import getdoc
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

from unmask.proofs.engine.obligation import Enumeration, Files, Theorem
from unmask.proofs.numerics.pair_bound import APART, far_pairs, log_errors, sweep
from unmask.proofs.numerics.softmax_lane import GUARD, Lane, Unit, lane_rises, normal_codes
from unmask.spec.bits import Bits, arrays, concat, lut, mux
from unmask.spec.formats import describe, to_float
from unmask.spec.numerics import RHO, R
from unmask.spec.reductions import parts
from unmask.spec.softmax import P_FRACTION, WIDTHS, Exponential, Widths, exponential, log2e, tables

ASKED = Fraction(1, 1 << 16)  # for the relative error of delta
KEY_SHARE = R - RHO
NEARLY_RHO = Fraction(133004, 10**10)  # 1.33004e-5
NEARER = 44.375  # exp(-44.375) < 2**-64 still
DIGITS = 1000  # a log2 is printed in thousandths

# One bit less in one place. All else stays as wide: where a unit doubles, a slope of 10 bits has
# one fraction bit less (t) or more (mantissa), and a table of half the size keeps all bits below it
# as the factor, now 11.
CONSTANT = "constant log2(e): 23 bits"
LESS: Mapping[str, Widths] = {
    CONSTANT: WIDTHS._replace(log2e=22),
    "t: 16 fraction bits": WIDTHS._replace(t=16, slope=6, factor=9),
    "table: 64 entries": WIDTHS._replace(entry=6, factor=11),
    "mantissa: 18 fraction bits": WIDTHS._replace(mantissa=18, slope=8),
    "slope: 9 bits": WIDTHS._replace(slope=6),
    "slope's factor: 9 bits": WIDTHS._replace(factor=9),
}


def unit_of(widths: Widths) -> Unit:
    """`unmask.spec.softmax.mantissa` of other widths, on arrays; a shorter one ends in zeros."""
    firsts, slopes = tables(widths)
    slope_bits = widths.mantissa + 1 + widths.slope - widths.t
    low = widths.t - widths.entry
    cut = low - widths.factor

    def mantissa(fraction: Bits) -> Bits:
        entry = fraction.extract(widths.t - 1, low)
        slope = lut(slopes, slope_bits, entry).zext(32)
        product = slope * fraction.extract(low - 1, cut).zext(32) >> widths.slope - cut
        found = (lut(firsts, widths.mantissa, entry).zext(32) | 1 << widths.mantissa) + product
        # Not cut but checked to fit, lest an overflow pass for an error of the widths.
        return arrays(P_FRACTION + 1, found.value << P_FRACTION - widths.mantissa)

    return mantissa


@cache
def lane_of(widths: Widths) -> Lane:
    """`unmask.spec.softmax.exponential` of other widths, on arrays."""
    constant = log2e(widths)
    mantissa = unit_of(widths)

    def lane(code: Bits) -> Exponential:
        field = code.extract(14, 7)
        subnormal = field.eq(0)
        significand = concat(~subnormal, code.extract(6, 0))
        exponent = field | subnormal.zext(8)
        # 4 bits up, so that the shift down is one to the right for all widths; one bit is kept.
        product = significand.zext(40) * constant << 4
        down = exponent.const(8, 137 + widths.log2e - widths.t) - exponent
        kept = product >> down.zext(40)
        magnitude = (kept >> 1) + (kept & 1)
        top = widths.t + 15
        t = mux(code.extract(15, 15), ~magnitude + 1, magnitude) ^ (1 << top)
        return Exponential(
            bin=t.extract(top, top - 11),
            place=t.extract(top - 12, widths.t),
            mantissa=mantissa(t.extract(widths.t - 1, 0)),
        )

    return lane


class Greatest(NamedTuple):
    """The greatest relative error of a pair, between two bounds; where the lower one is reached."""

    low: Fraction
    high: Fraction
    element: int  # codes
    maximum: int

    @property
    def pair(self) -> str:
        return f"element {describe(self.element)}, maximum {describe(self.maximum)}"


@cache
def greatest(lane: Lane, apart: float = APART) -> Greatest:
    """Over all pairs of normal codes that are at most `apart` apart.

    With x >= 0 the difference of the two logarithmic errors, the weight is exp(x) - 1 too great
    or 1 - exp(-x) too small: x + x**2/2 <= exp(x) - 1 <= x + x**2/2 + x**3 up to x = 1, and
    x - x**2/2 <= 1 - exp(-x) <= x.
    """
    lows, highs = log_errors(lane)
    order = normal_codes().tolist()
    inner, outer = list(sweep(lows, highs, apart)), list(sweep(highs, lows, apart))
    great = max((lows[most] - highs[at], most, at) for at, most, _ in inner)
    small = max((lows[at] - highs[least], least, at) for at, _, least in inner)
    too_great, too_small = _real(great[0]), _real(small[0])
    low, (_, element, maximum) = max(
        (too_great + too_great**2 / 2, great), (too_small - too_small**2 / 2, small)
    )
    most_great = _real(max(highs[most] - lows[at] for at, most, _ in outer))
    most_small = _real(max(highs[at] - lows[least] for at, _, least in outer))
    high = max(most_great + most_great**2 / 2 + most_great**3, most_small)
    return Greatest(low, high, order[element], order[maximum])


def _real(x: int) -> Fraction:
    if not 0 < x < 1 << GUARD:
        raise ValueError("these widths have no error, or one above 1: something is wrong")
    return Fraction(x, 1 << GUARD)


def limit(widths: Widths) -> Fraction:
    """What the greatest error of a pair must be above, for the widths to be too small."""
    return ASKED - KEY_SHARE if widths.log2e < WIDTHS.log2e else ASKED


def needed(less: Mapping[str, Widths], files: Files) -> Iterator[Enumeration]:
    """With any one width less by one bit some pair l <= m <= l + 45 errs by more than is asked for.

    The relative error of g(l) / g(m) is above 2**-16 with 16 fraction bits of t, 64 table
    entries, 18 fraction bits of the mantissa, slopes of 9 bits, or a factor of 9 bits. With a
    constant of 23 bits it is above 2**-16 less what the key is reckoned to take, R - RHO = 2**-24;
    but see numerics.widths.spare. Tables are made by the same rule for each. The witness of each
    is one pair.
    """
    for name, widths in less.items():

        def failing(widths: Widths = widths) -> str | None:
            found = greatest(lane_of(widths))
            return None if found.low > limit(widths) else f"{found.pair} is the worst, and within"

        yield Enumeration(name, normal_codes().size, failing)


def chosen(widths: Widths, files: Files) -> Iterator[Enumeration]:
    """With the chosen widths the greatest error is at most RHO, and above 1.33004e-5.

    The lane here, of any widths, is with them that of the specification, for all normal codes.
    """
    order = normal_codes()
    codes = arrays(16, order)

    def same() -> str | None:
        pairs = zip(parts(lane_of(widths)(codes)), parts(exponential(codes)), strict=True)
        wrong = np.any([x.value != y.value for x, y in pairs], axis=0)
        return describe(int(order[wrong.argmax()])) if wrong.any() else None

    def tight() -> str | None:
        found = greatest(lane_of(widths))
        return None if found.low > NEARLY_RHO and found.high <= RHO else found.pair

    yield Enumeration("pairs up to 45 apart", order.size, tight)
    yield Enumeration("the specification's lane", order.size, same)


def spare(widths: Widths, files: Files) -> Iterator[Enumeration]:
    """By a finer account a constant of 22 bits would do: where it errs too much nothing weighs.

    It is the same number as with 23 bits, whose last one is 0. Pairs up to 44.375 apart have an
    error of at most 2**-16 less the key's share of 2**-24, and farther ones weigh less than
    2**-64, as in numerics.pair_bound.far. Also g rises, as in numerics.softmax_lane.rises.
    """
    lane = lane_of(widths)

    def within() -> str | None:
        found = greatest(lane, NEARER)
        return None if found.high <= ASKED - KEY_SHARE else found.pair

    yield Enumeration("pairs up to 44.375 apart", normal_codes().size, within)
    yield from far_pairs(lane, NEARER, files)
    yield from lane_rises(lane, files)


def falls(widths: Widths) -> int:
    """At how many fractions f the mantissa is below that of the fraction before."""
    values = unit_of(widths)(arrays(widths.t, np.arange(1 << widths.t))).value
    return int((np.diff(values) < 0).sum())


def floor_log2(x: Fraction) -> int:
    """floor(log2(x) * DIGITS), exactly; x is positive."""
    power = x**DIGITS
    found = math.floor(math.log2(x) * DIGITS)
    while Fraction(2) ** found > power:
        found -= 1
    while Fraction(2) ** (found + 1) <= power:
        found += 1
    return found


def rows() -> Iterator[tuple[str, ...]]:
    """Lines of the table, bounds rounded outward."""
    shown: list[tuple[str, Widths, float]] = [
        (name, x, APART) for name, x in {"as chosen": WIDTHS, **LESS}.items()
    ]
    shown.insert(2, ("  up to 44.375 apart", LESS[CONSTANT], NEARER))
    for name, widths, apart in shown:
        found = greatest(lane_of(widths), apart)
        low, high = math.floor(found.low * 10**10), math.ceil(found.high * 10**10)
        log_low, log_high = floor_log2(found.low), floor_log2(found.high) + 1
        yield (
            name,
            f"{low / 1e5:.5f}e-5 .. {high / 1e5:.5f}e-5",
            f"{log_low / DIGITS:.3f} .. {log_high / DIGITS:.3f}",
            "above" if found.low > limit(widths) else "within",
            str(falls(widths)),
            *(f"{code:#06x} ({to_float(code):g})" for code in (found.element, found.maximum)),
        )


def main() -> None:
    """Print the table."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    titles = ("widths", "greatest error of a pair", "log2", "asked for", "falls")
    for title in (*titles, "element", "maximum"):
        table.add_column(title, no_wrap=True)
    for row in rows():
        table.add_row(*row)
    Console(width=140, highlight=False).print(table)


THEOREMS = (
    Theorem(
        name="numerics.widths.needed",
        statement=getdoc(needed) or "",
        bounds="6 widths, all pairs up to 45 apart",
        engine="enumeration, exact integers",
        obligations=partial(needed, LESS),
        # Were the constant to have 25 bits, one of them would be superfluous.
        twin=partial(needed, {"constant log2(e): 24 bits": WIDTHS}),
    ),
    Theorem(
        name="numerics.widths.chosen",
        statement=getdoc(chosen) or "",
        bounds="all pairs up to 45 apart",
        engine="enumeration, exact integers",
        obligations=partial(chosen, WIDTHS),
        twin=partial(chosen, LESS["mantissa: 18 fraction bits"]),
    ),
    Theorem(
        name="numerics.widths.spare",
        statement=getdoc(spare) or "",
        bounds="all pairs",
        engine="enumeration, exact integers",
        obligations=partial(spare, WIDTHS._replace(log2e=21)),
        twin=partial(spare, WIDTHS._replace(log2e=20)),
    ),
)

if __name__ == "__main__":
    main()
