"""Transfers between HBM and the SRAMs: rows, bytes, words, blocks of MX."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import z3

from unmask.proofs.engine.obligation import Files, Obligation
from unmask.proofs.programs.symbolic_run import (
    BF16,
    CONFIG,
    bf16,
    broken,
    cell,
    cells,
    placed,
    run,
    theorem,
)
from unmask.spec import isa
from unmask.spec.encoding import Context, Effect, Write
from unmask.spec.instructions import memory
from unmask.spec.mx import E4M3, E5M2, Element

BASE, SCALE = 64, 512  # bytes
HEAD = f"S_ADDI_INT gp15, gp0, {BASE}\nC_SET_ADDR_REG a1, gp0, gp15\n"
SET = {"gp15": z3.BitVecVal(BASE, 32), "a1": z3.BitVecVal(BASE, 64)}

# Rows of elements: (VL, ROWS, STRIDE or None for rows without gaps, element offset).
ROWS = ((0, 2, 6, 0), (3, 0, 6, 0), (1, 1, None, 3), (3, 2, None, 1), (3, 2, 5, 1), (4, 3, 4, 2))


def _byte_pair(address: int) -> Any:
    """A BF16 element of memory: little-endian."""
    return z3.Concat(cell("hbm", address + 1), cell("hbm", address))


def _settings(length: int, rows: int, stride: int | None, offset: int) -> dict[str, Any]:
    given: dict[str, Any] = {} if stride is None else {"STRIDE": stride}
    return {"gp1": 8, "gp2": offset, "VL": length, "ROWS": rows, "FMT0": 0, **given}


def _elements(length: int, rows: int, stride: int | None, offset: int) -> Iterator[tuple[int, int]]:
    """(vector address, byte address) of each element: rows begin on chunks in vector SRAM."""
    pitch = length if stride is None else stride
    chunk = -(-length // CONFIG.vlen) * CONFIG.vlen
    for row in range(rows):
        for lane in range(length):
            yield 8 + row * chunk + lane, BASE + 2 * (offset + row * pitch + lane)


def prefetch(table: isa.Table, files: Files) -> Iterator[Obligation]:
    """H_PREFETCH_V of BF16: vector SRAM holds the little-endian pairs of bytes, row after row.

    Rows begin STRIDE elements apart in memory, or one behind another; in vector SRAM each on the
    next free chunk. 0 to 3 rows of 0 to 4 elements, VLEN 2, all bytes. Nothing else changes.
    """
    for shape in ROWS:
        strided = int(shape[2] is not None)
        text = f"{HEAD}H_PREFETCH_V gp1, gp2, a1, {strided}, 0"
        done = run(text, table=table, **_settings(*shape))
        codes = {f"vector{to}": _byte_pair(at) for to, at in _elements(*shape)}
        yield Obligation(f"VL, ROWS, STRIDE, offset {shape}", done.becomes({**SET, **codes}))


def rows_without_padding(x: Context) -> Effect:
    """Broken: a row begins right behind the last element of the one before."""
    with patch.object(memory, "padded", lambda x, length: length):
        return isa.BY_MNEMONIC["H_PREFETCH_V"].semantics(x)


def store(table: isa.Table, files: Files) -> Iterator[Obligation]:
    """H_STORE_V of BF16 writes the two bytes of each element, the lower one first.

    The same rows as for prefetch, all data. Nothing else changes: no byte between strided rows.
    """
    for shape in ROWS:
        strided = int(shape[2] is not None)
        done = run(f"{HEAD}H_STORE_V gp1, gp2, a1, {strided}, 0", table=table, **_settings(*shape))
        owed: dict[str, Any] = {}
        for source, at in _elements(*shape):
            code = cell("vector", source)
            low, high = z3.Extract(7, 0, code), z3.Extract(15, 8, code)
            owed |= {f"hbm{at}": low, f"hbm{at + 1}": high}
        yield Obligation(f"VL, ROWS, STRIDE, offset {shape}", done.becomes({**SET, **owed}))


def big_endian(x: Context) -> Effect:
    """Broken: the upper byte comes first."""
    effect = isa.BY_MNEMONIC["H_STORE_V"].semantics(x)
    writes = [
        Write("hbm", write.address ^ 1, write.values, step=write.step) for write in effect.writes
    ]
    return Effect(writes=tuple(writes))


def there_and_back(table: isa.Table, files: Files) -> Iterator[Obligation]:
    """What is stored and then loaded is what was there: vectors as BF16, words of int and key SRAM.

    H_STORE_V then H_PREFETCH_V to other rows of vector SRAM, the shapes of prefetch; H_ST_INT then
    H_LD_INT, H_ST_KEY then H_LD_KEY of 0 to 4 words to another place, as little-endian bytes. All
    data; beside the bytes in memory nothing else changes.
    """
    for shape in ROWS:
        strided = int(shape[2] is not None)
        text = f"""{HEAD}
            H_STORE_V gp1, gp2, a1, {strided}, 0
            H_PREFETCH_V gp4, gp2, a1, {strided}, 0"""
        done = run(text, table=table, **_settings(*shape), gp4=20)
        copy = {f"vector{to + 12}": cell("vector", to) for to, _ in _elements(*shape)}
        kept = {name: x for name, x in done.after.items() if name.startswith("hbm")}
        yield Obligation(f"vectors {shape}", done.becomes({**SET, **copy, **kept}))
    for memory_name, words in (("int", "INT"), ("key", "KEY")):
        for length in range(5):
            text = f"{HEAD}H_ST_{words} gp1, gp2, a1, gp3\nH_LD_{words} gp4, gp2, a1, gp3"
            done = run(text, table=table, gp1=0, gp2=3, gp3=length, gp4=4)
            copy = placed(memory_name, 4, cells(memory_name, 0, length))
            for lane, word in enumerate(cells(memory_name, 0, length)):
                parts = [z3.Extract(8 * byte + 7, 8 * byte, word) for byte in range(4)]
                copy |= placed("hbm", BASE + 4 * (3 + lane), parts)
            yield Obligation(f"{length} {memory_name} words", done.becomes({**SET, **copy}))


def half_words(x: Context) -> Effect:
    """Broken: the uppermost byte is not stored."""
    effect = isa.BY_MNEMONIC["H_ST_KEY"].semantics(x)
    return Effect(writes=effect.writes[:3])


# A sort in which every product of an element and its scale is exact.
WIDE = z3.FPSort(10, 8)
WIDE_BIAS = 511


def mx_value(code: Any, scale: Any, form: Element) -> Any:
    """(number, is it a NaN, is it infinite) of an MX element as the standard has it.

    Its significand, a small integer, times a power of two made of exponent and scale.
    """
    digits = form.fraction
    field = z3.Extract(6, digits, code)
    fraction = z3.ZeroExt(8 - digits, z3.Extract(digits - 1, 0, code))
    integer = z3.If(field == 0, fraction, fraction + (1 << digits))
    exponent = z3.ZeroExt(
        10 - field.size(), z3.If(field == 0, z3.BitVecVal(1, field.size()), field)
    )
    power = exponent + z3.ZeroExt(2, scale) + (WIDE_BIAS - 127 - form.bias - digits)
    zeros = z3.BitVecVal(0, 7)
    sign = z3.Extract(7, 7, code)
    factor = z3.fpBVToFP(z3.Concat(sign, power, zeros), WIDE)
    number = z3.fpMul(z3.RNE(), z3.fpUnsignedToFP(z3.RNE(), integer, WIDE), factor)
    magnitude = z3.Extract(6, 0, code)
    special = z3.UGT(magnitude, form.largest)
    infinite = z3.And(magnitude == form.largest + 1, z3.BoolVal(form.infinite))
    nan = z3.Or(z3.And(special, z3.Not(infinite)), scale == 0xFF)
    return number, nan, z3.And(infinite, z3.Not(nan))


def _is_mx(got: Any, code: Any, scale: Any, form: Element) -> Any:
    """A BF16 code is an MX element's: rounded to nearest even, the largest where too great."""
    number, nan, infinite = mx_value(code, scale, form)
    rounded = z3.fpToFP(z3.RNE(), number, BF16)
    sign = z3.Concat(z3.Extract(7, 7, code), z3.BitVecVal(0, 15))
    finite = z3.If(z3.fpIsInf(rounded), got == sign | 0x7F7F, bf16(got) == rounded)
    return z3.If(nan, got == 0x7FC0, z3.If(infinite, got == sign | 0x7F80, finite))


def blocks(table: isa.Table, files: Files) -> Iterator[Obligation]:
    """H_PREFETCH_V of MX formats: each element is its value by the standard, as BF16.

    Element times the power of two that its block's scale says, in Z3's theory; NaN for a NaN or
    the scale 0xFF; to nearest even, and the largest finite BF16 where that is too great. E4M3 and
    E5M2, blocks of 8, 10 elements from the second block on, so of two blocks; blocks of 32 with 3
    elements. All bytes. Nothing but these elements changes.
    """
    shapes = (("E4M3", 8, 2, 10), ("E5M2", 8, 4, 10), ("E4M3", 32, 1, 3), ("E5M2", 32, 3, 3))
    for name, block, number, length in shapes:
        form = {"E4M3": E4M3, "E5M2": E5M2}[name]
        numbers: dict[str, Any] = {"FMT1": number, "SCALE": SCALE, "VL": length, "ROWS": 1}
        text = f"{HEAD}H_PREFETCH_V gp1, gp2, a1, 0, 1"
        done = run(text, table=table, gp1=8, gp2=block, **numbers)
        got = {f"vector{8 + lane}": done.after[f"vector{8 + lane}"] for lane in range(length)}
        for lane, result in enumerate(got.values()):
            code = cell("hbm", BASE + block + lane)
            scale = cell("hbm", BASE + SCALE + 1 + lane // block)
            label = f"{name} in blocks of {block}, element {lane}"
            yield Obligation(label, _is_mx(result, code, scale, form))
        yield Obligation(f"{name}: the rest", done.becomes({**SET, **got}))


def first_scale(x: Context) -> Effect:
    """Broken: all blocks of a row take the scale of the first."""
    repeat = type(x.vectors).repeat

    def first(vectors: Any, vector: Any, times: int, length: int) -> Any:
        return repeat(vectors, vector[:1], length, length)

    with patch.object(type(x.vectors), "repeat", first):
        return isa.BY_MNEMONIC["H_PREFETCH_V"].semantics(x)


THEOREMS = (
    theorem(
        "memory.prefetch",
        "0 to 3 rows",
        prefetch,
        broken({"H_PREFETCH_V": rows_without_padding}),
    ),
    theorem("memory.store", "0 to 3 rows", store, broken({"H_STORE_V": big_endian})),
    theorem("memory.round_trip", "0 to 4 words", there_and_back, broken({"H_ST_KEY": half_words})),
    theorem("memory.mx", "10 elements", blocks, broken({"H_PREFETCH_V": first_scale})),
)
