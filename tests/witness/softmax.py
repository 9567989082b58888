"""The softmax state from its definition, on big integers.

An element l that is normal (abs(l) < 2**14) weighs g = mantissa * 2**(t // 2**17 - 19), where t =
l * log2(e) in 2**-17, rounded half away from zero, and the mantissa is 2**(t mod 1) by a table of
128 lines. Digits of g in base 2**16 at absolute positions are what a state sums: its slots are the
sums at the five positions from the leading digit of the maximum's g downwards.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import cache

import mpmath
import numpy as np

from unmask.tests.witness import floats, memory, traps
from unmask.tests.witness.traps import Fields
from unmask.tests.witness.world import World

NAMES = {
    "V_RED_SM", "H_RED_SM", "S_LD_KEY", "S_ST_KEY",
    *(f"S_SM_{what}" for what in ("CLEAR", "MAX", "CONF", "IDX", "KEY", "FLAGS")),
    "S_SM_ST_KEY", "S_SM_ST_IDX",
}  # fmt: skip
State = tuple[int, ...]  # key, index, top, five slots, count, flags
EMPTY: State = (0, 2**32 - 1, 0, 0, 0, 0, 0, 0, 0, 0)
NO_TOKEN = 2**32 - 1
MOST = 2**18
BIG = 2.0**14
NAN_FIRST, ZERO, NAN_LAST, NO_KEY = 0, 1, 0xFFFFFFFE, 0xFFFFFFFF
KEY_NAN, KEY_POS_INF, KEY_NEG_INF = 0xFFFF, 0xFF80, 0x007F


@cache
def _log2e() -> int:
    with mpmath.workdps(60):
        return int(mpmath.nint(2**23 / mpmath.log(2)))


@cache
def _lines() -> tuple[list[int], list[int]]:
    """Values at the start, in 2**-19 above 1, and slopes, in 2**-26 for each 2**-17 of f.

    A slope is the chord's, to the nearest. A start balances the errors of its line's 1,024 values.
    Extended precision decides: no entry is within 2**-20 of a tie.
    """
    f = (np.arange(1 << 17) / np.longdouble(1 << 17)).reshape(128, 1024)
    exact = np.exp2(f) * 2**19
    ends = np.exp2(np.arange(129) / np.longdouble(128)) * 2**19
    slopes = np.rint(np.diff(ends) / 8).astype(np.int64)
    rest = exact - slopes[:, None] * np.arange(1024) // 128
    starts = np.rint((rest.max(axis=1) + rest.min(axis=1)) / 2).astype(np.int64) - 2**19
    return np.maximum(starts, 0).tolist(), slopes.tolist()


@cache
def weight(code: int) -> tuple[int, int, int]:
    """(bin biased by 2048, place, mantissa) of a normal element."""
    x = Fraction(float(floats.value(code))) * _log2e() / 2**6
    t = int(abs(x) + Fraction(1, 2)) * (-1 if x < 0 else 1)
    starts, slopes = _lines()
    whole, fraction = t // 2**17, t % 2**17
    line, rest = divmod(fraction, 1024)
    mantissa = 2**19 + starts[line] + slopes[line] * rest // 128
    return whole // 16 + 2048, whole % 16, mantissa


@cache
def kind(code: int) -> str:
    x = float(floats.value(code))
    if x != x:
        return "nan"
    return "normal" if abs(x) < BIG else "big"


def _digits(code: int) -> dict[int, int]:
    """Position -> digit of base 2**16."""
    top, place, mantissa = weight(code)
    number = mantissa << place + 13  # 48 bits: three digits, the leading one at `top`
    return {top: number >> 32, top - 1: number >> 16 & 0xFFFF, top - 2: number & 0xFFFF}


def code_of(key: int) -> int:
    """The BF16 of a key: +0 for zeros, the quiet NaN for NaNs, -infinity for none."""
    if key == 0:
        return 0xFF80
    if key == KEY_NAN:
        return floats.NAN
    return key - 0x8000 if key >= 0x8000 else 0xFFFF - key


def take(state: State, elements: Sequence[tuple[int, int, int]]) -> State:
    """A state and more elements: (code, index, flags) each.

    All at once: the greatest key, its least index, then all sums, cut to the five slots at the end.
    """
    key, index, top, *slots, count, flags = state
    keys = floats.rank([code for code, _, _ in elements]).tolist()
    best = max([key, *keys])
    places = [i for k, (_, i, _) in zip(keys, elements, strict=True) if k == best]
    if key == best:
        places.append(index)
    for _, _, more in elements:
        flags |= more
    count += len(elements)
    greatest = code_of(best)
    sums: dict[int, int] = {}
    new_top = 0
    if best and kind(greatest) == "big":
        equal = keys.count(best) + (slots[0] if key == best else 0)
        sums[0] = equal
    elif best and kind(greatest) == "normal":
        new_top = weight(greatest)[0]
        if key and kind(code_of(key)) == "normal":
            sums = {top - j: slot for j, slot in enumerate(slots)}
        for code, _, _ in elements:
            if kind(code) == "normal":
                for at, digit in _digits(code).items():
                    sums[at] = sums.get(at, 0) + digit
    kept = [sums.get(new_top - j, 0) for j in range(5)]
    return (best, min(places) if best else NO_TOKEN, new_top, *kept, count, flags)


def key32(state: State, nan_last: int) -> int:
    """floor(log2 delta) + 81, then 25 bits of delta / 2**floor, cut; or a reserved key."""
    best = state[0]
    if best == 0:
        return NO_KEY
    if best in (KEY_NAN, KEY_POS_INF, KEY_NEG_INF):
        return NAN_LAST if nan_last else NAN_FIRST
    total = sum(slot << 16 * (4 - j) for j, slot in enumerate(state[3:8]))
    own = 1 << 64
    if kind(code_of(best)) == "normal":
        _, place, mantissa = weight(code_of(best))
        own = mantissa << place + 45
    delta = total - own
    if delta == 0:
        return ZERO
    exponent = delta.bit_length() - own.bit_length()  # or one too great
    if delta << 200 < own << 200 + exponent:
        exponent -= 1
    return (exponent + 81 << 25) + ((delta << 225 - exponent) // (own << 200)) % 2**25


def delta_of(key: int) -> Fraction:
    """The number that a key encodes."""
    if key == ZERO:
        return Fraction(0)
    exponent, rest = divmod(key, 2**25)
    return (2**25 + rest) * Fraction(2) ** (exponent - 81 - 25)


def confidence(key: int) -> int:
    """1 / (1 + delta), to the nearest BF16."""
    if key in (NAN_FIRST, NAN_LAST):
        return floats.NAN
    if key == NO_KEY:
        return 0
    exact = 1 / (1 + delta_of(key))
    exponent = 0
    while exact < Fraction(1, 1 << -exponent):
        exponent -= 1
    # `round` of a Fraction goes to even at ties.
    return round((exact * 2**-exponent - 1) * 128) + (127 + exponent << 7)


def status(state: State) -> int:
    best, flags = state[0], state[-1]
    infinite = best in (KEY_POS_INF, KEY_NEG_INF)
    big = best != 0 and not infinite and kind(code_of(best)) == "big"
    bits = (
        best == 0, best == KEY_NAN, best == KEY_POS_INF, best == KEY_NEG_INF, big,
        flags & 1 == 1, flags & 2 == 2,
    )  # fmt: skip
    return sum(1 << at for at, bit in enumerate(bits) if bit)


# -- instructions --


def _start(world: World, o: Fields) -> State:
    return EMPTY if o["clear"] else world.softmax[world.gp[o["rd"]] % 4]


def causes(world: World, name: str, o: Fields) -> Iterator[str]:
    first = world.gp[o["rs1"]]
    if name in ("V_RED_SM", "H_RED_SM") and _start(world, o)[8] + world.vl > MOST:
        yield "LENGTH"
    if name == "V_RED_SM":
        yield from traps.misaligned(world, first)
        yield from traps.outside(world, "vector", first, world.vl)
    elif name == "H_RED_SM":
        base, form = world.a[o["rs2"]], o["format"]
        yield from memory.off_block(world, base, first, form)
        yield from traps.beyond(world, *memory.transfers(world, name, o))
    elif name in ("S_SM_ST_KEY", "S_SM_ST_IDX", "S_LD_KEY", "S_ST_KEY"):
        address = world.gp[o["rd"]] if "_SM_" in name else first
        yield from traps.outside(world, "int" if name.endswith("IDX") else "key", address, 1)


def act(world: World, name: str, o: Fields) -> None:
    gp = world.gp
    if name in ("V_RED_SM", "H_RED_SM"):
        world.softmax[gp[o["rd"]] % 4] = _pass(world, name, o)
    elif name == "S_LD_KEY":
        world.set_gp(o["rd"], int(world.memories["key"][gp[o["rs1"]]]))
    elif name == "S_ST_KEY":
        world.memories["key"][gp[o["rs1"]]] = gp[o["rd"]]
    elif name == "S_SM_CLEAR":
        world.softmax[gp[o["rs1"]] % 4] = EMPTY
    else:
        state = world.softmax[gp[o["rs1"]] % 4]
        key = key32(state, world.csrs["NAN"])
        if name == "S_SM_MAX":
            world.set_f(o["rd"], code_of(state[0]))
        elif name == "S_SM_CONF":
            world.set_f(o["rd"], confidence(key))
        elif name == "S_SM_ST_KEY":
            world.memories["key"][gp[o["rd"]]] = key
        elif name == "S_SM_ST_IDX":
            world.memories["int"][gp[o["rd"]]] = state[1]
        else:
            results = {"S_SM_IDX": state[1], "S_SM_KEY": key, "S_SM_FLAGS": status(state)}
            world.set_gp(o["rd"], results[name])


def _pass(world: World, name: str, o: Fields) -> State:
    """Banned tokens count as -infinity; what dequantising them set stays set."""
    first, n = world.gp[o["rs1"]], world.vl
    world.length = n
    if n == 0:
        return _start(world, o)
    if name == "V_RED_SM":
        codes, flags = world.read("vector", first, n), np.zeros(n, np.int64)
    else:
        codes, flags = memory.fetch(world, world.a[o["rs2"]], first, n, o["format"])
    banned = {world.csrs[f"BAN{i}"] for i in range(4)} - {NO_TOKEN}
    elements = []
    for i in range(n):
        index = (world.gp[o["rs3"]] + i) % 2**32
        code = 0xFF80 if index in banned else int(codes[i])
        elements.append((code, index, int(flags[i])))
    return take(_start(world, o), elements)
