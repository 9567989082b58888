"""Functions of the specification on many values at once, and what the witness expects of each.

Scenes meet each function a few times; these meet all codes, or pairs near every corner.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from unmask.tests.strategies import SPECIAL_CODES
from unmask.tests.witness import floats, memory, softmax

ALL = np.arange(1 << 16)
BYTES = np.arange(256)
Modules = Mapping[str, ModuleType]  # the specification, or a copy: "arith" -> module
Answer = list[NDArray[Any]]


class Dense(NamedTuple):
    """A check of `module`: `run` of the modules must give `wanted`."""

    name: str
    module: str
    run: Callable[[Modules], Answer]
    wanted: Answer

    def agrees(self, modules: Modules) -> bool:
        got = self.run(modules)
        return len(got) == len(self.wanted) and all(
            np.array_equal(a, b) for a, b in zip(got, self.wanted, strict=True)
        )


def pairs() -> tuple[NDArray[Any], NDArray[Any]]:
    """Pairs of BF16: all specials, near magnitudes of both signs, anything."""
    rng = np.random.default_rng(5)
    special = np.array(SPECIAL_CODES)
    a, b = (x.ravel() for x in np.meshgrid(special, special))
    some = rng.integers(0, 1 << 16, 12_000)
    apart = rng.integers(-1200, 1200, len(some))
    near = (some + apart) % 0x8000 | rng.integers(0, 2, len(some)) << 15
    small = rng.integers(0, 0x0400, 2000) | rng.integers(0, 2, 2000) << 15
    # Pairs whose product is near the least normal, the least subnormal, or infinity.
    field = rng.integers(1, 255, 6000)
    other = np.clip(rng.choice([0, 118, 127, 254], 6000) + 127 - field, 0, 254)
    x, y = (k << 7 | rng.integers(0, 128, 6000) for k in (field, other))
    return (
        np.r_[a, some, some, small, x, rng.integers(0, 1 << 16, 8000)],
        np.r_[b, near, some, small[::-1], y, rng.integers(0, 1 << 16, 8000)],
    )


def words() -> tuple[NDArray[Any], NDArray[Any]]:
    """Pairs of FP32: near, far, of both signs, subnormal, specials."""
    rng = np.random.default_rng(6)
    low = np.array([0, 1, 0x400000, 0x7FFFFE, 0x7FFFFF])
    few = ((np.array([0, 1, 2, 24, 25, 126, 127, 253, 254, 255])[:, None] << 23) | low).ravel()
    a, b = (x.ravel() for x in np.meshgrid(np.r_[few, few | 1 << 31], few))
    some = rng.integers(0, 1 << 32, 12_000)
    other = (some ^ 1 << 31) + rng.integers(-(1 << 28), 1 << 28, len(some)) & 0xFFFFFFFF
    close = (some ^ 1 << 31) + rng.integers(-(1 << 24), 1 << 24, len(some)) & 0xFFFFFFFF
    return np.r_[a, some, some, some], np.r_[b, other, close, rng.permutation(some)]


def _sum32(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
    with np.errstate(all="ignore"):
        x, y = (z.astype(np.uint32).view(np.float32) for z in (a, b))
        total = x + y
    return np.where(np.isnan(total), 0x7FC00000, total.view(np.uint32)).astype(np.int64)


def _round32(word: NDArray[Any]) -> NDArray[Any]:
    with np.errstate(all="ignore"):
        values = word.astype(np.uint32).view(np.float32).astype(np.float64)
    return floats.code(values).astype(np.int64)


def arithmetic() -> list[Dense]:
    """Everything of one or two BF16 operands, and FP32 sums."""
    checks = []

    def check(name: str, wanted: Any, *operands: Any, width: int = 16) -> None:
        def run(modules: Modules) -> Answer:
            given = (modules["bits"].arrays(width, x) for x in operands)
            return [getattr(modules["arith"], name)(*given).value]

        checks.append(Dense(name, "arith", run, [np.asarray(wanted, np.int64)]))

    for name in ("exp", "reciprocal", "sqrt"):
        check(name, getattr(floats, name)(ALL), ALL)
    check("widen", ALL << 16, ALL)
    a, b = pairs()
    for name in ("add", "sub", "mul", "maximum"):
        check(name, getattr(floats, name)(a, b), a, b)
    x, y = floats.value(a), floats.value(b)
    for name in ("less", "less_equal", "greater", "greater_equal", "equal", "not_equal"):
        check(name, getattr(np, name)(x, y), a, b)
    a, b = words()
    check("add32", _sum32(a, b), a, b, width=32)
    ties = ALL << 16 | 0x8000
    many = np.r_[ALL << 16, ties - 1, ties, ties + 1, a]
    check("round32", _round32(many), many, width=32)

    def keys(modules: Modules) -> Answer:
        return [modules["formats"].order_key(modules["bits"].arrays(16, ALL)).value]

    checks.append(Dense("order_key", "formats", keys, [floats.rank(ALL)]))
    return checks


def mx() -> list[Dense]:
    """All elements with all scales; all BF16 codes, each with scales near its own and any."""
    checks = []
    code, scale = (x.ravel() for x in np.meshgrid(BYTES, BYTES))
    rng = np.random.default_rng(7)
    codes = np.r_[ALL, ALL, ALL]
    near = np.clip((ALL >> 7 & 0xFF) + rng.integers(-30, 30, len(ALL)), 0, 255)
    scales = np.r_[near, rng.integers(0, 256, len(ALL)), rng.choice([0, 1, 254, 255], len(ALL))]
    for form in (memory.E4M3, memory.E5M2):
        name = "E4M3" if form is memory.E4M3 else "E5M2"
        checks += _mx_checks(name, form, code, scale, codes, scales)

    def scale_keys(modules: Modules) -> Answer:
        return [modules["mx"].scale_key(modules["bits"].arrays(16, ALL)).value]

    field = ALL >> 7 & 0xFF
    checks.append(Dense("scale_key", "mx", scale_keys, [np.where(field == 255, 0, field)]))
    return checks


def _mx_checks(
    name: str, form: memory.Element, code: Any, scale: Any, codes: Any, scales: Any
) -> list[Dense]:
    def dequantise(modules: Modules) -> Answer:
        arrays, mx = modules["bits"].arrays, modules["mx"]
        found = mx.dequantise(arrays(8, code), arrays(8, scale), getattr(mx, name))
        return [part.value for part in found]

    def quantise(modules: Modules) -> Answer:
        arrays, mx = modules["bits"].arrays, modules["mx"]
        return [mx.quantise(arrays(16, codes), arrays(8, scales), getattr(mx, name)).value]

    rng = np.random.default_rng(8)
    blocks = [rng.integers(0, 1 << 16, 8) if n % 3 else rng.integers(0, 0x1000, 8)
              for n in range(60)]  # fmt: skip
    blocks += [np.full(3, code) for code in (0, 0x8000, 0x7F80, 0x7FC0)]

    def block(modules: Modules) -> Answer:
        ints, mx = modules["bits"].ints, modules["mx"]
        found = []
        for row in blocks:
            scale, parts = mx.quantise_block([ints(16, int(x)) for x in row], getattr(mx, name))
            found.append(np.array([scale.value, *(part.value for part in parts)]))
        return found

    fields = np.arange(255)  # of the greatest element and another: every scale

    def shared_scale(modules: Modules) -> Answer:
        arrays, mx = modules["bits"].arrays, modules["mx"]
        keys = [arrays(8, fields), arrays(8, fields // 2), arrays(8, fields // 3)]
        turns = (keys, keys[1:] + keys[:1], keys[::-1])
        return [mx.shared_scale(turn, getattr(mx, name)).value for turn in turns]

    greatest = [memory.block_scale([field << 7 | 1], form) for field in fields.tolist()]
    wanted = []
    for row in blocks:
        own = memory.block_scale(row, form)
        wanted.append(np.array([own, *memory.quantise(row, own, form)]))
    return [
        Dense(f"dequantise {name}", "mx", dequantise, list(memory.dequantise(code, scale, form))),
        Dense(f"quantise {name}", "mx", quantise, [memory.quantise(codes, scales, form)]),
        Dense(f"quantise_block {name}", "mx", block, wanted),
        Dense(f"shared_scale {name}", "mx", shared_scale, [np.array(greatest)] * 3),
    ]


# -- softmax --


def rows() -> list[list[int]]:
    """Rows of few elements that weigh something beside each other, and of everything."""
    rng = np.random.default_rng(9)
    found = []
    for number in range(500):
        n = int(rng.integers(1, 7))
        if number % 5 == 0:
            row = rng.integers(0, 1 << 16, n)
        elif number % 5 == 1:
            row = rng.choice(np.array(SPECIAL_CODES), n)
        elif number % 5 == 2:
            row = rng.integers(0x3F00, 0x4280, n) | rng.integers(0, 2, n) << 15
        elif number % 5 == 3:
            row = np.r_[rng.integers(0x4200, 0x42C0, n), rng.integers(0x4080, 0x4200, n)]
        else:
            row = rng.choice(np.array([0x467F, 0x4680, 0xC67F, 0xC680, 0xC681, 0x0000]), n)
        found.append([int(x) for x in row])
    return found


@cache
def states() -> list[softmax.State]:
    """States of `rows`, and of rows as long as they may be."""
    found = [softmax.EMPTY]
    for row in rows():
        found.append(softmax.take(softmax.EMPTY, [(x, i, i % 4) for i, x in enumerate(row)]))
    for few in ([0], [0x4000, 0x3F80], [0xC67F, 0xC67E], [0x4680], [0x4130], [0x4130, 0x4100]):
        key, index, top, *slots, count, flags = softmax.take(
            softmax.EMPTY, [(x, 0, 0) for x in few]
        )
        many = 2**18 // count
        found.append((key, index, top, *(x * many for x in slots), count * many, flags))
    return found + _made_states()


def _made_states() -> list[softmax.State]:
    """Any sums that so many elements may give, beside the maximum's own, in any of the slots."""
    rng = np.random.default_rng(12)
    found = []
    for number in range(2500):
        count = int(rng.choice([2, 3, 100, 1 << 17, 1 << 18]))
        code = int(rng.integers(0x3000, 0x4680)) | (number % 2) << 15
        key, index, top, *own, _, flags = softmax.take(softmax.EMPTY, [(code, 7, number % 4)])
        most = (count - 1) * 0xFFFF
        more = [int(rng.integers(0, most + 1)) if on else 0 for on in rng.integers(0, 3, 5) % 2]
        if number % 5 == 0:
            more = [0, 0, 0, 0, int(rng.integers(1, 0x10000))]
        elif number % 50 == 1:
            more = [most] * 5
        found.append((key, index, top, *map(sum, zip(own, more, strict=True)), count, flags))
    return found


def packed(modules: Modules, given: list[softmax.State]) -> Any:
    """States as one state of arrays."""
    arrays, spec = modules["bits"].arrays, modules["softmax"]
    widths = (16, 32, 12, *[34] * 5, 19, 2)
    columns = zip(widths, zip(*given, strict=True), strict=True)
    key, index, top, *slots, count, flags = (arrays(w, np.array(x)) for w, x in columns)
    return spec.State(key, index, top, tuple(slots), count, flags)


def plain(state: Any) -> Answer:
    parts = (state.key, state.index, state.top, *state.slots, state.count, state.flags)
    return [np.asarray(part.value) for part in parts]


def _columns(given: list[softmax.State]) -> Answer:
    return [np.array(x) for x in zip(*given, strict=True)]


def _spread(answer: Answer) -> Answer:
    return [np.broadcast_to(x, len(ALL)) for x in answer]


def softmax_checks() -> list[Dense]:
    lanes = _columns([softmax.take(softmax.EMPTY, [(x, 0, 0)]) for x in range(1 << 16)])
    given = states()
    some = given[:600]
    others = (*some[7:], *some[:7], *some[1:], *some[:1], *some)  # each with itself at last
    couples = [x for x in zip(some * 3, others, strict=True) if x[0][8] + x[1][8] <= 1 << 18]
    left, right = (list(side) for side in zip(*couples, strict=True))
    merged = [_merged(a, b) for a, b in zip(left, right, strict=True)]
    numbers = [softmax.key32(state, 0) for state in given]
    rng = np.random.default_rng(10)
    some = (rng.integers(1, 99, 3000) << 25) + rng.choice([0, 1, 2**25 - 1], 3000)
    keys = [0, 1, 0xFFFFFFFE, 0xFFFFFFFF, *some.tolist()]
    keys += ((rng.integers(60, 99, 6000) << 25) + rng.integers(0, 2**25, 6000)).tolist()

    def lane(modules: Modules) -> Answer:
        return _spread(plain(modules["softmax"].lane_of(modules["bits"].arrays(16, ALL))))

    def inactive(modules: Modules) -> Answer:
        arrays, spec = modules["bits"].arrays, modules["softmax"]
        some, active = ALL[::97], ALL[::97] % 2
        flags = arrays(2, some % 4)
        state = spec.SoftmaxState.lane(arrays(16, some), arrays(32, some), arrays(1, active), flags)
        return [np.broadcast_to(x, some.shape) for x in plain(state)]

    def combine(modules: Modules) -> Answer:
        a, b = packed(modules, left), packed(modules, right)
        return plain(modules["softmax"].SoftmaxState.combine(a, b))

    def end(modules: Modules) -> Answer:
        spec, state = modules["softmax"], packed(modules, given)
        bit = modules["bits"].arrays
        ranks = [spec.key32(state, bit(1, np.full(len(given), last))).value for last in (0, 1)]
        return [spec.maximum(state).value, spec.status(state).value, *ranks]

    def confidences(modules: Modules) -> Answer:
        arrays = modules["bits"].arrays
        return [modules["softmax"].confidence(arrays(32, np.array(keys))).value]

    off = [softmax.take(softmax.EMPTY, [(x, x, x % 4)]) if x % 2 else softmax.EMPTY
           for x in ALL[::97].tolist()]  # fmt: skip
    ends = [
        np.array([softmax.code_of(x[0]) for x in given]),
        np.array([softmax.status(x) for x in given]),
        np.array(numbers),
        np.array([softmax.key32(x, 1) for x in given]),
    ]
    return [
        Dense("lane", "softmax", lane, lanes),
        Dense("inactive lanes", "softmax", inactive, _columns(off)),
        Dense("combine", "softmax", combine, _columns(merged)),
        Dense("end", "softmax", end, ends),
        Dense(
            "confidence", "softmax", confidences, [np.array([softmax.confidence(k) for k in keys])]
        ),
    ]


def _merged(a: softmax.State, b: softmax.State) -> softmax.State:
    """Two states as one: sums at absolute positions, cut to what the greater maximum sees."""
    high = max(a, b, key=lambda x: x[0])
    sums: dict[int, int] = {}
    for key, _, top, *slots, _, _ in (a, b):
        if (top and high[2]) or key == high[0]:
            for j, slot in enumerate(slots):
                sums[top - j] = sums.get(top - j, 0) + slot
    index = min(x[1] for x in (a, b) if x[0] == high[0])
    kept = [sums.get(high[2] - j, 0) for j in range(5)]
    return (high[0], index, high[2], *kept, a[8] + b[8], a[9] | b[9])


# -- reductions --


def reduction_checks() -> list[Dense]:
    """`MaxIndex` folded, as a tree and by halving: NaN first, then the greatest, then the first."""
    rng = np.random.default_rng(11)
    lists = []
    for n in (*range(1, 20), 31, 32, 33):
        lists += [rng.choice(np.array(SPECIAL_CODES), n), rng.integers(0, 1 << 16, n)]
        lists += [rng.choice([0x8000, 0, 0xC000], n), rng.integers(0x8001, 0xFF81, n)]
    lists = [row.astype(np.int64) for row in lists]

    def wanted(row: NDArray[Any]) -> list[int]:
        best = int(floats.rank(row).argmax())
        return [int(floats.rank(row)[best]), int(row[best]), best]

    def lane_list(modules: Modules, row: NDArray[Any]) -> list[Any]:
        ints, lane = modules["bits"].ints, modules["reductions"].MaxIndex.lane
        return [lane(ints(16, int(x)), ints(32, i)) for i, x in enumerate(row)]

    def numbers(candidate: Any) -> list[int]:
        return [int(np.ravel(part.value)[0]) for part in candidate]

    def folded(modules: Modules) -> Answer:
        spec, like = modules["reductions"], modules["bits"].ints(1, 0)
        empty = spec.MaxIndex.empty(like)
        off = spec.MaxIndex.lane(*(modules["bits"].ints(*x) for x in ((16, 1), (32, 5), (1, 0))))
        none = [np.array(numbers(empty)), np.array(numbers(off)[:1])]
        return none + [np.array(numbers(spec.fold(lane_list(modules, x), empty))) for x in lists]

    def trees(modules: Modules) -> Answer:
        spec, ints = modules["reductions"], modules["bits"].ints
        found = []
        for row in lists:
            lanes = lane_list(modules, row)
            off = spec.MaxIndex.lane(ints(16, 0x7FC0), ints(32, 9), ints(1, 0))
            on = spec.MaxIndex.lane(ints(16, int(row[0])), ints(32, 0), ints(1, 1))
            lanes[0] = on
            lanes += [off] * ((1 << (len(lanes) - 1).bit_length()) - len(lanes))
            found.append(np.array(numbers(spec.tree(lanes))))
        return found

    def halves(modules: Modules) -> Answer:
        spec, arrays = modules["reductions"], modules["bits"].arrays
        found = []
        for row in lists:
            index = arrays(32, np.arange(len(row)))
            found.append(np.array(numbers(spec.halve(spec.MaxIndex.lane(arrays(16, row), index)))))
        return found

    def pieces(modules: Modules) -> Answer:
        """Parts of nested tuples, and `choose` of whole partial results."""
        spec, softmax_, given = modules["reductions"], modules["softmax"], states()[:40]
        a, b = packed(modules, given), packed(modules, given[::-1])
        bit = modules["bits"].arrays(1, np.arange(40) % 2)
        mixed = spec.choose(bit, a, b)
        assert isinstance(mixed, softmax_.State) and len(list(spec.parts(mixed))) == 10
        one = modules["bits"].ints
        picked = [spec.choose(one(1, bit), one(4, 7), one(4, 8)).value for bit in (0, 1)]
        return [*plain(mixed), np.array(picked)]

    some = states()[:40]
    mixed = _columns(
        [a if i % 2 else b for i, (a, b) in enumerate(zip(some, some[::-1], strict=True))]
    )
    answers = [np.array(wanted(row)) for row in lists]
    return [
        Dense("fold", "reductions", folded, [np.zeros(3), np.zeros(1), *answers]),
        Dense("tree", "reductions", trees, answers),
        Dense("halve", "reductions", halves, answers),
        Dense("choose", "reductions", pieces, [*mixed, np.array([8, 7])]),
    ]


# Constants that are documented, by module.
CONSTANTS = {
    "formats": {
        "BF16_WIDTH": 16,
        "POS_INF": 0x7F80,
        "NEG_INF": 0xFF80,
        "NAN": 0x7FC0,
        "EMPTY_KEY": 0,
    },
    "mx": {"SCALE_NAN": 255, "BF16_LARGEST": 0x7F7F} | {"SATURATED": 1, "INEXACT": 2},
    "softmax": {
        "MOST_ELEMENTS": 1 << 18,
        "BIG_MAGNITUDE": 0x4680,
        "NAN_FIRST": 0,
        "ZERO": 1,
        "NAN_LAST": 0xFFFFFFFE,
        "EMPTY": 0xFFFFFFFF,
        "KEY_BIAS": 81,
        "KEY_MANTISSA": 25,
        "MX_SATURATED": 1,
        "MX_INEXACT": 2,
        "STATUS_EMPTY": 1,
        "STATUS_NAN": 2,
        "STATUS_POS_INF": 4,
        "STATUS_ALL_NEG_INF": 8,
        "STATUS_BIG": 16,
        "STATUS_MX_SATURATED": 32,
        "STATUS_MX_INEXACT": 64,
    },
    "reductions": {"INDEX_WIDTH": 32},
}


def constants() -> list[Dense]:
    """What other code takes from the modules by name."""

    def check(module: str, wanted: dict[str, int]) -> Dense:
        def run(modules: Modules) -> Answer:
            return [np.array([getattr(modules[module], name) for name in wanted])]

        return Dense(f"constants of {module}", module, run, [np.array(list(wanted.values()))])

    def elements(modules: Modules) -> Answer:
        found = modules["mx"].ELEMENTS
        return [np.array([x.name for x in found])]

    order = Dense("order of elements", "mx", elements, [np.array(["E4M3", "E5M2"])])
    return [*(check(module, wanted) for module, wanted in CONSTANTS.items()), order]


GROUPS = {
    "constants": constants,
    "arithmetic": arithmetic,
    "mx": mx,
    "softmax": softmax_checks,
    "reductions": reduction_checks,
}
