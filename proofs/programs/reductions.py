"""Reductions of vector SRAM: greatest element, first argmax over chunks, sums."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, product
from typing import Any
from unittest.mock import patch

import z3

from unmask.proofs.engine.obligation import Files, Obligation
from unmask.proofs.programs.symbolic_run import (
    BF16,
    BF16_NAN,
    CONFIG,
    FP32,
    Unknown,
    bf16,
    bits,
    broken,
    cells,
    f,
    gp,
    greater,
    is_code_of,
    run,
    theorem,
)
from unmask.spec import arith, isa
from unmask.spec.bits import mux
from unmask.spec.encoding import Context, Effect
from unmask.spec.instructions.rules import enabled
from unmask.spec.state import Config

NEGATIVE_ZERO = z3.BitVecVal(0x80000000, 32)
FOUR = Config(vlen=4, vector_rows=16)


def maximum(table: isa.Table, files: Files) -> Iterator[Obligation]:
    """V_RED_MAX: f[rd] becomes f[rd] or an enabled element, and none is greater; NaN if one is.

    By Z3's order of numbers. VLEN 2 with VL 0 to 4, VLEN 4 with VL 5; without and with rmask, whose
    MASK is a variable; all data. Nothing else changes.
    """
    sizes = [(CONFIG, length) for length in range(5)] + [(FOUR, 5)]
    for (config, length), masked in product(sizes, (0, 1)):
        mask = "C_SET_V_MASK_REG gp9\n" if masked else ""
        text = f"{mask}V_RED_MAX f1, gp1, {masked}"
        done = run(text, config, table, gp1=8, VL=length)
        result = done.after["f1"]
        elements = [(f(1), z3.BoolVal(True))]
        for lane, code in enumerate(cells("vector", 8, length)):
            bit = lane % config.vlen
            on = z3.Extract(bit, bit, gp(9)) == 1 if masked else z3.BoolVal(True)
            elements.append((code, on))
        nan = z3.Or(*(z3.And(on, z3.fpIsNaN(bf16(code))) for code, on in elements))
        one_of_them = z3.Or(*(z3.And(on, result == code) for code, on in elements))
        none_greater = z3.And(
            *(z3.Implies(on, z3.fpGEQ(bf16(result), bf16(code))) for code, on in elements)
        )
        label = f"VLEN {config.vlen}, {length} elements{', masked' if masked else ''}"
        goal = z3.If(nan, result == BF16_NAN, z3.And(one_of_them, none_greater))
        yield Obligation(label, goal)
        rest = {"f1": result, **({"MASK": gp(9)} if masked else {})}
        yield Obligation(f"{label}: the rest", done.becomes(rest))


def from_zero(x: Context) -> Effect:
    """Broken: lanes that are not enabled count as 0.0."""
    with patch("unmask.spec.instructions.vector.NEG_INF", 0):
        return isa.BY_MNEMONIC["V_RED_MAX"].semantics(x)


def first_argmax(table: isa.Table, files: Files) -> Iterator[Obligation]:
    """V_RED_MAX_IDX, also twice in a row, gives the first greatest of the start and all elements.

    f[rs3] and gp[rd] become code and index of an element (or stay the start's); none is greater,
    none before is as great: NaN above all, zeros equal, by Z3's theory. VLEN 2, VL 1 to 4; then 3
    and 2 elements by two instructions. All data and index bases. Assumes that the indices, the
    start's included, differ, so that they tell which element won. Nothing else changes.
    """
    for length in range(1, 5):
        done = run("V_RED_MAX_IDX gp5, gp1, gp6, f1", table=table, gp1=8, VL=length)
        indices = [gp(5), *(gp(6) + lane for lane in range(length))]
        codes = [f(1), *cells("vector", 8, length)]
        yield from _first(f"{length} elements", done, codes, indices, {})
    text = """
        V_RED_MAX_IDX gp5, gp1, gp6, f1
        C_SET_CSR VL, gp0, 2
        S_ADDI_INT gp6, gp6, 3
        V_RED_MAX_IDX gp5, gp2, gp6, f1"""
    done = run(text, table=table, gp1=8, gp2=16, VL=3)
    codes = [f(1), *cells("vector", 8, 3), *cells("vector", 16, 2)]
    indices = [gp(5), *(gp(6) + lane for lane in range(5))]
    moved = {"VL": z3.BitVecVal(2, 32), "gp6": gp(6) + 3}
    yield from _first("3 and 2 elements", done, codes, indices, moved)


def _first(
    label: str, done: Any, codes: list[Any], indices: list[Any], moved: dict[str, Any]
) -> Iterator[Obligation]:
    code, index = done.after["f1"], done.after["gp5"]
    won = [index == own for own in indices]
    facts = [z3.Or(*won)]
    for place, own in enumerate(codes):
        earlier, later = codes[:place], codes[place + 1 :]
        best = z3.And(
            code == own,
            *(greater(own, other) for other in earlier),
            *(z3.Not(greater(other, own)) for other in later),
        )
        facts.append(z3.Implies(won[place], best))
    differ = tuple(a != b for a, b in combinations(indices, 2))
    yield Obligation(label, z3.And(*facts), differ)
    yield Obligation(f"{label}: the rest", done.becomes({"f1": code, "gp5": index, **moved}))


def forgets_start(x: Context) -> Effect:
    """Broken: each instruction starts anew from its first element."""
    length = x.number(x.vl)
    effect = isa.BY_MNEMONIC["V_RED_MAX_IDX"].semantics(x)
    first = next(iter(x.read("vector", x["rs1"], length)))
    replaced = arith.less(x["rs3"], first)
    return Effect(
        registers={
            "rd": effect.registers["rd"],
            "rs3": mux(replaced, effect.registers["rs3"], first),
        }
    )


def sum_shape(table: isa.Table, files: Files) -> Iterator[Obligation]:
    """V_RED_SUM: f[rd], then chunk after chunk a balanced tree, in FP32; rounded to BF16 once.

    Lanes behind the end and lanes that rmask leaves out hold -0. The order of additions is stated
    for an FP32 addition of which nothing is known (so nothing is said here about it); the one
    rounding is Z3's. VLEN 2 with VL 1 to 5, VLEN 4 with VL 3 and 6; MASK a variable;
    all data. Nothing else changes.
    """
    sizes = [(CONFIG, length) for length in range(1, 6)] + [(FOUR, 3), (FOUR, 6)]
    for (config, length), masked in product(sizes, (0, 1)):
        plus = Unknown("sum", 32)
        mask = "C_SET_V_MASK_REG gp9\n" if masked else ""
        with patch.object(arith, "add32", lambda a, b, plus=plus: bits(plus(a.value, b.value))):
            done = run(f"{mask}V_RED_SUM f1, gp1, {masked}", config, table, gp1=8, VL=length)
        lanes = [_wide(code) for code in cells("vector", 8, length)]
        if masked:
            on = [z3.Extract(at, at, gp(9)) for at in (i % config.vlen for i in range(length))]
            lanes = [z3.If(bit == 1, x, NEGATIVE_ZERO) for bit, x in zip(on, lanes, strict=True)]
        total = _wide(f(1))
        for begin in range(0, length, config.vlen):
            chunk = lanes[begin : begin + config.vlen]
            chunk += [NEGATIVE_ZERO] * (config.vlen - len(chunk))
            pairs = [plus(chunk[at], chunk[at + 1]) for at in range(0, config.vlen, 2)]
            total = plus(total, pairs[0] if config.vlen == 2 else plus(*pairs))
        rounded = z3.fpToFP(z3.RNE(), z3.fpBVToFP(total, FP32), BF16)
        label = f"VLEN {config.vlen}, {length} elements{', masked' if masked else ''}"
        result = done.after["f1"]
        yield Obligation(label, is_code_of(result, rounded))
        rest = {"f1": result, **({"MASK": gp(9)} if masked else {})}
        yield Obligation(f"{label}: the rest", done.becomes(rest))


def _wide(code: Any) -> Any:
    """The FP32 code of the number that a BF16 code stands for: 16 more fraction bits, all 0."""
    return z3.Concat(code, z3.BitVecVal(0, 16))


def rounds_twice(x: Context) -> Effect:
    """Broken: the running sum is rounded to BF16 after each chunk."""
    length = x.number(x.vl)
    codes = x.vectors.map(arith.widen, x.read("vector", x["rs1"], length))
    if (lanes := enabled(x, length)) is not None:
        codes = x.vectors.map(lambda on, code: mux(on, code, 0x8000_0000), lanes, codes)
    total = x["rd"]
    for chunk in x.vectors.tree(codes, x.vlen, arith.add32, 0x8000_0000):
        total = arith.round32(arith.add32(arith.widen(total), chunk))
    return Effect(registers={"rd": total})


THEOREMS = (
    theorem("reductions.maximum", "VL 0..5", maximum, broken({"V_RED_MAX": from_zero})),
    theorem(
        "reductions.first_argmax",
        "VL 1..5",
        first_argmax,
        broken({"V_RED_MAX_IDX": forgets_start}),
    ),
    theorem("reductions.sum_shape", "VL 1..6", sum_shape, broken({"V_RED_SUM": rounds_twice})),
)
