"""The write engine's parts: what a byte is, which bytes a step writes, which bursts carry them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from inspect import getdoc
from pathlib import Path
from typing import Any

import z3

from unmask.proofs.engine import smt, yosys
from unmask.proofs.engine.mutate import Mutation
from unmask.proofs.engine.obligation import Files, Obligation, Theorem, Values
from unmask.proofs.units import rtl
from unmask.spec import mx
from unmask.spec.bits import Bits, mux
from unmask.spec.encoding import FORMATS
from unmask.spec.formats import describe
from unmask.spec.instructions.memory import LAYOUTS
from unmask.spec.terms import Terms, var

STREAM = rtl.RTL / "stream"
QUANTISE = STREAM / "unmask_quantise.v"
QUANTISER = STREAM / "unmask_write_quantiser.v"
KEYS = STREAM / "unmask_block_key.v"
RUNNING = STREAM / "unmask_running_key.v"
STEPS = STREAM / "unmask_write_steps.v"
BEATS = STREAM / "unmask_write_beats.v"
_BF16 = tuple(
    rtl.RTL / "vector" / f"unmask_bf16_{name}.v" for name in ("normalise", "shift_sticky")
)
SPAN = 16
WIDE = 64


def _load(top: Path, more: tuple[Path, ...], parameters: Mapping[str, int], files: Files) -> Any:
    sources = yosys.replaced((top, *more), files)
    return smt.load(yosys.export(yosys.Design(sources, top.stem, parameters, (rtl.RTL,))))


# -- bytes --


def quantises(files: Files) -> Iterator[Obligation]:
    """unmask_quantise is `spec.mx.quantise`: all 2^16 codes under all 2^8 scales, both formats."""
    module = _load(QUANTISE, _BF16, {}, files)
    code, scale = var("code", 16), var("scale", 8)
    for form in mx.ELEMENTS:
        inputs = {"code": code.value, "scale": scale.value, "e5m2": _bit(form is mx.E5M2)}
        got = module.view({}, inputs, form.name)["element"]
        owed = mx.quantise(code, scale, form).value

        def explain(value: Values, name: str = form.name, got: Any = got, owed: Any = owed) -> str:
            return (
                f"{describe(value(code.value))} under scale {value(scale.value):02x} as {name}: "
                f"expected {value(owed):02x}, got {value(got):02x}"
            )

        yield Obligation(form.name, got == owed, (), explain, (scale.value, code.value))


def block_keys(files: Files) -> Iterator[Obligation]:
    """A block's key is the greatest `spec.mx.scale_key` of its elements, in one row or several.

    Lanes 4, 8 and 64, all codes: groups of 8 and of 32, or all lanes. A block of 2 or 4 rows: from
    any state, rows with any gaps between them: after the last one the greatest of their keys, kept
    until the next block's last row.
    """
    for lanes in (4, 8, 64):
        module = _load(KEYS, (), {"VLEN": lanes}, files)
        codes = [var(f"code{lane}", 16) for lane in range(lanes)]
        row = z3.Concat(*(code.value for code in reversed(codes)))
        view = module.view({}, {"codes": row}, f"lanes{lanes}")
        keys = [mx.scale_key(code) for code in codes]
        for name, size in (("key8", min(8, lanes)), ("key32", min(32, lanes))):
            for group in range(lanes // size):
                owed = _tree(keys[size * group : size * group + size])
                got = z3.Extract(8 * group + 7, 8 * group, view[name])
                yield Obligation(f"{lanes} lanes, {name} of group {group}", got == owed.value)
    for rows in (2, 4):
        module = _load(RUNNING, (), {"ROWS": rows}, files)
        state = module.arbitrary("any")
        view = module.view(state, {"clear": _bit(1), "shift": _bit(0)}, "clear")
        parts = [var(f"key{row}", 8) for row in range(2 * rows)]
        kept = None
        for number, key in enumerate(parts):
            idle = {"clear": _bit(0), "shift": _bit(0)}
            view = module.view(view.next(), idle, f"gap{number}")
            inputs = {"clear": _bit(0), "shift": _bit(1), "key": key.value}
            view = module.view(view.next(), inputs, f"row{number}")
            if kept is not None:
                label = f"{rows} rows, still there at row {number}"
                yield Obligation(label, view["whole"] == kept)
            if number % rows == rows - 1:
                view = module.view(view.next(), idle, f"end{number}")
                kept = _fold(parts[number + 1 - rows : number + 1]).value
                yield Obligation(f"{rows} rows, block {number // rows}", view["whole"] == kept)


def row_bytes(files: Files) -> Iterator[Obligation]:
    """The quantiser's bytes are the row's codes over their block's key, or its scales, as in spec.

    From any state of its registers, VLEN 2 and 8, every format: byte i is that of element i mod
    VLEN (BF16: of the code, lower byte first), scales repeat as `spec.mx.shared_scale` of the keys
    that the registers hold, a word as it is. Shown is the row of as many shifts ago as a block has
    rows. `block_keys` says what the registers hold, `quantise` that an element is the
    specification's for each code and scale.
    """
    more = (QUANTISE, KEYS, RUNNING, *_BF16)
    element = _load(QUANTISE, _BF16, {}, files)
    for lanes in (2, 8):
        module = _load(QUANTISER, more, {"VLEN": lanes}, files)
        state = module.arbitrary("any")
        for name, number in FORMATS.items():
            layout = LAYOUTS[number]
            for scales in (False, True) if layout.element else (False,):
                inputs = {
                    "enable": _bit(1), "shift": _bit(0), "words": _bit(0),
                    "format": z3.BitVecVal(number, 3), "scales": _bit(scales),
                }  # fmt: skip
                now = module.view(state, inputs, "now")
                got = module.view(now.next(), {"enable": _bit(0)}, "after")["out_bytes"]
                rows = max(1, layout.block // lanes) if layout.element else 1
                low = 16 * lanes * (rows - 1)
                row = z3.Extract(low + 16 * lanes - 1, low, now["line_reg"])
                owed = _bytes(element, now, row, lanes, layout, scales)
                for place, byte in enumerate(owed):
                    label = f"{lanes} lanes, {name}{' scales' * scales}, byte {place}"
                    yield Obligation(label, z3.Extract(8 * place + 7, 8 * place, got) == byte)


def _bytes(element: Any, now: Any, row: Any, lanes: int, layout: Any, scales: bool) -> list[Any]:
    """2 * lanes bytes that a row gives."""
    if layout.element is None:
        return [z3.Extract(8 * place + 7, 8 * place, row) for place in range(2 * lanes)]
    block = layout.block
    held = now[f"whole{block}.key_reg" if lanes >= block else f"parts{block}.running.whole_reg"]
    groups = held.size() // 8
    found = [z3.Extract(8 * group + 7, 8 * group, held) for group in range(groups)]
    shared = [mx.shared_scale([Bits(Terms, 8, key)], layout.element).value for key in found]
    if scales:
        return [shared[place % groups] for place in range(2 * lanes)]
    unit = []
    for lane in range(lanes):
        code = z3.Extract(16 * lane + 15, 16 * lane, row)
        inputs = {
            "code": code,
            "scale": shared[lane * groups // lanes],
            "e5m2": _bit(layout.element is mx.E5M2),
        }
        unit.append(element.view({}, inputs, "element")["element"])
    return unit + unit


# -- places --


def steps(files: Files) -> Iterator[Obligation]:
    """Slices tile a region: each begins behind the one before, the last holds the last byte.

    From any state in which a region is in work (position on a slice, not behind the last byte),
    any slice width: the step shown is this slice, it is the last exactly if the region's last byte
    lies in it, else the next position is behind it and not behind the last byte. A region begins at
    the slice of its first byte; the one behind a row's elements is of MX the row's scales, else,
    and behind those, that of the next row, one pitch further, of all 32 bits. A request is taken
    with all its bits. Stripes of 8 and of 64 bytes, VLEN 8 and 2; regions of up to 2^14
    bytes at any 64-bit address.
    """
    for vlen, stripe in ((8, 8), (2, 64)):
        module = _load(
            STEPS, (), {"VLEN": vlen, "STRIPE": stripe, "SPAN": SPAN, "PLACE_BITS": 6,
                        "UNIT_BITS": max(stripe.bit_length() - 1, vlen.bit_length())}, files,
        )  # fmt: skip
        state = module.arbitrary("any")
        quiet = {"rst": _bit(0), "in_valid": _bit(0), "enable": _bit(1)}
        now = module.view(state, quiet, "now")
        after = module.view(now.next(), quiet, "after")
        position, last = now["position_reg"], z3.BitVec("last", WIDE)
        slice_ = _wide(now["unit_reg"]) & (stripe - 1)
        mask = z3.Or(*(_wide(now["unit_reg"]) == (1 << bits) - 1 for bits in range(6)))
        work = (
            now["start_reg"] == 0,
            now["active_reg"] == 1,
            mask,
            position & slice_ == 0,
            z3.ULE(position, last),
            z3.ULT(last - position, 1 << 14),
            now["last_reg"] == z3.Extract(SPAN - 1, 0, last),
        )
        size = f"VLEN {vlen}, stripe {stripe}"
        ends = z3.ULE(last, position | slice_)
        shown = z3.And(
            after["out_position"] == position,
            after["out_last"] == now["last_reg"],
            after["out_first"] == now["first_reg"],
            after["out_fresh"] == now["fresh_reg"],
            (after["out_final"] == 1) == ends,
        )
        stepped = after["out_valid"] == 1
        yield Obligation(f"{size}: shown", shown, (*work, stepped))
        moved = z3.And(
            after["position_reg"] == position + slice_ + 1,
            z3.ULE(after["position_reg"], last),
            after["active_reg"] == 1,
            after["fresh_reg"] == 0,
            *(after[x] == now[x] for x in ("last_reg", "first_reg", "unit_reg", "scales_reg")),
        )
        yield Obligation(f"{size}: on", moved, (*work, stepped, z3.Not(ends)))
        stays = z3.And(after["position_reg"] == position, after["fresh_reg"] == now["fresh_reg"])
        yield Obligation(f"{size}: no step", stays, (*work, z3.Not(stepped)))
        # A new region: the first after the start, or the one behind the last slice.
        begins = z3.Or(now["start_reg"] == 1, z3.And(*work, stepped, ends))
        scales = now["next_scales_reg"] == 1
        first = z3.If(scales, now["scales_at_reg"], now["elements_reg"])
        more = now["pieces_reg"] != 0
        count = _region_bytes(now)
        unit = _wide(after["unit_reg"]) & (stripe - 1)
        loaded = z3.And(
            after["active_reg"] == 1,
            after["fresh_reg"] == 1,
            after["position_reg"] == first & ~unit,
            after["first_reg"] == z3.Extract(SPAN - 1, 0, first),
            after["last_reg"] == z3.Extract(SPAN - 1, 0, first + count - 1),
        )
        yield Obligation(f"{size}: begins", loaded, (begins, more, z3.ULE(now["format"], 4)))
        yield Obligation(f"{size}: rests", after["active_reg"] == 0, (begins, z3.Not(more)))
        follows = (begins, more, z3.ULE(now["format"], 4))
        yield Obligation(f"{size}: follows", _next_region(now, after), follows)
        asked = module.view(state, {**quiet, "in_valid": _bit(1)}, "asked")
        taken = module.view(asked.next(), quiet, "taken")
        idle = (asked["start_reg"] == 0, asked["active_reg"] == 0)
        yield Obligation(f"{size}: request", _request(asked, taken), idle)


def _request(asked: Any, taken: Any) -> Any:
    """What the engine holds in the cycle after a request's."""
    ports = {
        "elements_reg": "in_first", "scales_at_reg": "in_scale", "pieces_reg": "in_rows",
        "unread_reg": "in_rows", "pitch_reg": "in_pitch", "place_reg": "in_from",
        "again_reg": "in_from", "format_reg": "in_format", "words_reg": "in_words",
        "length_reg": "in_length",
    }  # fmt: skip
    held = []
    for register, port in ports.items():
        given = asked.apply(asked.module.inputs[port])
        held.append(taken[register] == z3.Extract(taken[register].size() - 1, 0, given))
    return z3.And(taken["start_reg"] == 1, taken["next_scales_reg"] == 0, *held)


def _next_region(now: Any, after: Any) -> Any:
    """What the region after the one that begins will be."""
    mx_ = z3.And(now["words"] == 0, now["format"] != 0)
    row_ends = z3.Or(z3.Not(mx_), now["next_scales_reg"] == 1)
    block8 = z3.Or(now["format"] == 2, now["format"] == 4)
    pitch = _wide(now["pitch_reg"])
    steps_ = {
        "elements_reg": z3.If(mx_, pitch, pitch * 2),
        "scales_at_reg": z3.If(block8, z3.LShR(pitch, 3), z3.LShR(pitch, 5)),
        "pieces_reg": z3.BitVecVal(-1, 32),
    }
    moved = (
        after[name] == z3.If(row_ends, now[name] + by, now[name]) for name, by in steps_.items()
    )
    kept = (after[name] == now[name] for name in ("pitch_reg", "length_reg"))
    scales = (after["next_scales_reg"] == 1) == z3.Not(row_ends)
    return z3.And(scales, *moved, *kept)


def _region_bytes(now: Any) -> Any:
    """Bytes of the region that comes next."""
    length = _wide(now["length_reg"])
    block8 = z3.Or(now["format"] == 2, now["format"] == 4)
    bits = z3.If(block8, z3.BitVecVal(3, WIDE), z3.BitVecVal(5, WIDE))
    elements = z3.If(now["words"] == 1, length * 4, z3.If(now["format"] == 0, length * 2, length))
    return z3.If(now["next_scales_reg"] == 1, z3.LShR(length, bits), elements)


def beats(files: Files) -> Iterator[Obligation]:
    """A slice writes its bytes of the region and no others, and its beats lie in the right bursts.

    From any state, for a region [first, last] of up to 2^14 bytes at any 64-bit address and any of
    its slices: two cycles later the strobes are those of before (none at the stripe's first slice)
    and this slice's bytes from `first` to `last`; the stripe closes with its last slice of the
    region; a channel takes part exactly if the region touches its beat; a burst begins at the
    region's first beat of the channel and at multiples of BURST; its length reaches to the region's
    last beat of the channel or the next multiple, whichever comes first; and a beat is marked last
    exactly if it is there. Channels of 8 bytes: 1 with bursts of 16 and 32, 2 and 4 with bursts of
    2; the strobes of 1 and 2.
    """
    for channels, burst in ((1, 16), (1, 32), (2, 2), (4, 2)):
        stripe = 8 * channels
        sizes = {"CHANNELS": channels, "BEAT": 8, "BURST": burst, "SPAN": SPAN}
        module = _load(BEATS, (), sizes, files)
        first, last, position = (z3.BitVec(x, WIDE) for x in ("first", "last", "position"))
        bits = stripe.bit_length() - 1
        inside = z3.BitVec("inside", bits)
        low = z3.If(z3.ULT(position, first), first, position)
        end = position | _wide(inside)
        high = z3.If(z3.ULT(last, end), last, end)
        region = (
            z3.ULE(first, last),
            z3.ULT(last - first, 1 << 14),
            z3.Or(*(inside == (1 << n) - 1 for n in range(bits + 1))),
            position & _wide(inside) == 0,
            z3.ULE(low, high),  # the slice has bytes of the region
        )
        on, off = {"rst": _bit(0), "enable": _bit(1)}, {"rst": _bit(0), "enable": _bit(0)}
        inputs = {
            **on, "in_valid": _bit(1), "in_position": position, "in_inside": inside,
            "in_first": z3.Extract(SPAN - 1, 0, first), "in_last": z3.Extract(SPAN - 1, 0, last),
            "in_fresh": _flag(z3.ULE(position, first)), "in_final": _flag(z3.ULE(last, end)),
        }  # fmt: skip
        now = module.view(module.arbitrary("any"), inputs, "slice")
        middle = module.view(now.next(), {**on, "in_valid": _bit(0)}, "middle")
        out = module.view(middle.next(), off, "out")
        base = position & ~z3.BitVecVal(stripe - 1, WIDE)
        bound = base + (stripe - 1)
        opens = z3.Or(z3.ULE(position, first), position == base)
        before = z3.If(opens, z3.BitVecVal(0, stripe), middle["strobe_reg"])
        size = f"{channels} channels, bursts of {burst}"
        for place in range(stripe if channels < 4 else 0):
            byte = base + place
            mine = z3.And(z3.ULE(low, byte), z3.ULE(byte, high))
            old = z3.Extract(place, place, before) == 1
            got = z3.Extract(place, place, out["out_strobe"]) == 1
            alone = z3.Extract(place, place, middle["slice_strobe"]) == 1
            goal = z3.And(got == z3.Or(old, mine), alone == mine)
            yield Obligation(f"{size}: byte {place}", goal, region)
        closes = z3.Or(z3.ULE(last, end), end == bound)
        row = z3.LShR(position, bits)
        told = z3.And(
            (middle["slice_opens"] == 1) == opens,
            (out["out_valid"] == 1) == closes,
            out["out_row"] == z3.Extract(WIDE - bits - 1, 0, row),
        )
        yield Obligation(f"{size}: stripe", told, region)
        for channel in range(channels):
            goal = _burst(out, channel, row, first, last, bits, burst)
            yield Obligation(f"{size}: channel {channel}", goal, region)


def _burst(out: Any, channel: int, row: Any, first: Any, last: Any, bits: int, burst: int) -> Any:
    """What a channel's beat of a stripe is, by the numbers of the region's beats in it."""
    lowest = row << bits | 8 * channel  # its bytes
    present = z3.And(z3.ULE(first, lowest + 7), z3.ULE(lowest, last))
    # The region's first and last beat of this channel, by its own numbers.
    top, bottom = z3.LShR(first, bits), z3.LShR(last, bits)
    top = z3.If(z3.ULT((top << bits) + 8 * channel + 7, first), top + 1, top)
    bottom = z3.If(z3.ULT(last, (bottom << bits) + 8 * channel), bottom - 1, bottom)
    block_end = row | burst - 1
    reach = z3.If(z3.ULT(bottom, block_end), bottom, block_end)
    mark = partial(_bit_of, channel)
    begins = z3.Or(row == top, row & burst - 1 == 0)
    length = _wide(z3.Extract(5 * channel + 4, 5 * channel, out["out_length"]))
    is_present = mark(out["out_present"])
    return z3.And(
        is_present == present,
        z3.Implies(
            present,
            z3.And(
                mark(out["out_begin"]) == begins,
                mark(out["out_last"]) == (row == reach),
                z3.Implies(begins, length == reach - row),
            ),
        ),
    )


def _bit_of(place: int, vector: Any) -> Any:
    return z3.Extract(place, place, vector) == 1


def _bit(value: bool | int) -> Any:
    return z3.BitVecVal(int(value), 1)


def _flag(condition: Any) -> Any:
    return z3.If(condition, _bit(1), _bit(0))


def _wide(term: Any) -> Any:
    return z3.ZeroExt(WIDE - term.size(), term)


def _greater(a: Bits, b: Bits) -> Bits:
    return mux(a.ult(b), b, a)


def _tree(keys: list[Bits]) -> Bits:
    while len(keys) > 1:
        keys = [_greater(a, b) for a, b in zip(keys[::2], keys[1::2], strict=True)]
    return keys[0]


def _fold(keys: list[Bits]) -> Bits:
    found = keys[0]
    for key in keys[1:]:
        found = _greater(found, key)
    return found


# -- theorems --

Obligations = Callable[[Files], Iterator[Obligation]]


def _twin(obligations: Obligations, mutation: Mutation, files: Files) -> Iterator[Obligation]:
    with mutation.applied(files) as mutated:
        yield from obligations(mutated)


def _theorem(
    name: str, bounds: str, obligations: Obligations, mutation: Mutation, *sources: Path
) -> Theorem:
    return Theorem(
        name=f"write.{name}",
        statement=getdoc(obligations) or "",
        bounds=bounds,
        engine="z3, bitwuzla",
        obligations=obligations,
        twin=partial(_twin, obligations, mutation),
        sources=sources,
    )


THEOREMS = (
    _theorem(
        "quantise", "all codes and scales", quantises,
        # Ties go away from zero.
        Mutation(QUANTISE, "guard & (sticky | kept[0])", "guard"),
        QUANTISE, *_BF16,
    ),
    _theorem(
        "block_keys", "4, 8, 64 lanes; 2, 4 rows", block_keys,
        # An infinity sets the scale of its block.
        Mutation(KEYS, "&field ? 8'd0 : field", "field"),
        KEYS, RUNNING,
    ),
    _theorem(
        "row_bytes", "VLEN 2, 8", row_bytes,
        # Small blocks get a scale below zero.
        Mutation(QUANTISER, "assign scale8[8*group +: 8] = key < top ? 8'd0 : key - top;",
                 "assign scale8[8*group +: 8] = key - top;"),
        QUANTISER, QUANTISE, KEYS, RUNNING, *_BF16,
    ),
    _theorem(
        "steps", "VLEN 8, 2; stripes of 8, 64 bytes", steps,
        # A region whose last byte opens a slice loses it.
        Mutation(STEPS, "next_bytes - ONE;", "next_bytes - ONE - ONE;"),
        STEPS,
    ),
    _theorem(
        "beats", "1, 2, 4 channels of 8 bytes", beats,
        # The first slice writes the bytes before the region too.
        Mutation(BEATS, "in_fresh ? in_first[IN-1:0] : offset", "offset"),
        BEATS,
    ),
)  # fmt: skip
