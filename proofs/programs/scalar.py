"""Scalar programs: integers, BF16, moves between registers and SRAM, loops, CSRs."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any
from unittest.mock import patch

import z3

from unmask.proofs.engine.obligation import Files, Obligation
from unmask.proofs.programs.symbolic_run import (
    BF16_NAN,
    CONFIG,
    bf16,
    broken,
    cell,
    cells,
    f,
    gp,
    is_code_of,
    placed,
    run,
    run_untrapped,
    theorem,
)
from unmask.spec import arith, isa
from unmask.spec.bits import mux
from unmask.spec.encoding import CSRS, Context, Effect

_RNE = z3.RNE()


def integers(table: isa.Table, files: Files) -> Iterator[Obligation]:
    """Integer instructions write exact results modulo 2**32 to rd, and nothing else; not to gp0.

    For all register values; several immediates. The plain statement is made of 64-bit numbers.
    """
    a, b = z3.ZeroExt(32, gp(2)), z3.ZeroExt(32, gp(3))
    two = {"ADD": a + b, "SUB": a - b, "MUL": a * b}
    for name, exact in two.items():
        done = run(f"S_{name}_INT gp1, gp2, gp3", table=table)
        yield Obligation(name, done.becomes({"gp1": z3.Extract(31, 0, exact)}))
        done = run(f"S_{name}_INT gp0, gp2, gp3", table=table)
        yield Obligation(f"{name} to gp0", done.becomes({}))
    for number in (0, 1, 5000, (1 << 18) - 1):
        done = run(f"S_ADDI_INT gp1, gp2, {number}", table=table)
        yield Obligation(f"add {number}", done.becomes({"gp1": z3.Extract(31, 0, a + number)}))
    for number in (0, 1, (1 << 20) + 5, (1 << 22) - 1):
        done = run(f"S_LUI_INT gp1, {number}", table=table)
        upper = z3.BitVecVal(number * 4096, 64)
        yield Obligation(f"upper {number}", done.becomes({"gp1": z3.Extract(31, 0, upper)}))


def short_upper(x: Context) -> Effect:
    """Broken: the immediate goes to the upper 22 bits."""
    return Effect(registers={"rd": x["imm22"] << 10})


def store_and_load(table: isa.Table, files: Files) -> Iterator[Obligation]:
    """After a store to any address, a load from any address gives the last value stored there.

    And each element of the memory is as it was, or, at the store's address, the new value. Int,
    FP and key SRAM of 8 or 16 words; both addresses are variables. Assumes that neither traps.
    """
    for label, size, value, got, text in (
        ("int", CONFIG.int_words, gp(1), "gp2", "S_ST_INT gp1, gp3, 7\nS_LD_INT gp2, gp4, 9"),
        ("fp", CONFIG.fp_words, f(1), "f2", "S_ST_FP f1, gp3, 7\nS_LD_FP f2, gp4, 9"),
        ("key", CONFIG.key_words, gp(1), "gp2", "S_ST_KEY gp1, gp3\nS_LD_KEY gp2, gp4"),
    ):
        done = run_untrapped(text, table=table)
        to = gp(3) + 7 if label != "key" else gp(3)
        where = gp(4) + 9 if label != "key" else gp(4)
        after = [z3.If(to == at, value, cell(label, at)) for at in range(size)]
        expected = placed(label, 0, after)
        loaded = done.after[got]
        yield Obligation(f"{label}: memory", done.becomes({got: loaded, **expected}), done.premises)
        facts = [z3.Implies(where == at, loaded == after[at]) for at in range(size)]
        yield Obligation(f"{label}: loaded", z3.And(*facts), done.premises)


def next_word(x: Context) -> Effect:
    """Broken: the immediate is not added to the address."""
    return Effect(stores=(("int", x["rs1"], x["rd"]),))


def bf16_arithmetic(table: isa.Table, files: Files) -> Iterator[Obligation]:
    """S_ADD_FP, S_SUB_FP, S_MUL_FP = IEEE's +, -, * in Z3's theory, nearest even; NaN is 0x7FC0.

    For all pairs of BF16 codes: subnormals, infinities and signs of zeros included; nothing else
    changes. The theory's sort has 8 exponent and 8 significand bits.
    """
    a, b = bf16(f(2)), bf16(f(3))
    exact = {"ADD": z3.fpAdd(_RNE, a, b), "SUB": z3.fpSub(_RNE, a, b), "MUL": z3.fpMul(_RNE, a, b)}
    for name, number in exact.items():
        done = run(f"S_{name}_FP f1, f2, f3", table=table)
        result = done.after["f1"]
        goal = is_code_of(result, number)
        if name == "MUL":  # by cases, which is easier
            for x, y in product(_kinds(a), _kinds(b)):
                yield Obligation(name, z3.Implies(z3.And(x, y), goal))
        else:
            yield Obligation(name, goal)
        yield Obligation(f"{name}: the rest", done.becomes({"f1": result}))


def _kinds(number: Any) -> tuple[Any, Any]:
    return z3.fpIsNormal(number), z3.Not(z3.fpIsNormal(number))


def no_sticky(x: Context) -> Effect:
    """Broken: what the alignment of a sum shifts out is forgotten."""
    with patch.object(arith, "shift_sticky", lambda value, amount: value >> amount):
        return Effect(registers={"rd": arith.add(x["rs1"], x["rs2"])})


def bf16_unary(table: isa.Table, files: Files) -> Iterator[Obligation]:
    """S_RECI_FP and S_SQRT_FP = 1 / a and the root of a in Z3's theory, nearest even.

    For all BF16 codes; nothing else changes.
    """
    a, one = bf16(f(2)), z3.fpBVToFP(z3.BitVecVal(0x3F80, 16), bf16(f(2)).sort())
    for name, number in {"RECI": z3.fpDiv(_RNE, one, a), "SQRT": z3.fpSqrt(_RNE, a)}.items():
        done = run(f"S_{name}_FP f1, f2", table=table)
        result = done.after["f1"]
        yield Obligation(name, is_code_of(result, number))
        yield Obligation(f"{name}: the rest", done.becomes({"f1": result}))


def positive_root(x: Context) -> Effect:
    """Broken: the root of -0 is +0."""
    return Effect(registers={"rd": mux(x["rs1"].eq(0x8000), x["rs1"] & 0, arith.sqrt(x["rs1"]))})


def bf16_maximum(table: isa.Table, files: Files) -> Iterator[Obligation]:
    """S_MAX_FP: one of its operands, and neither is greater; the first of equals; NaN if one is.

    For all pairs of BF16 codes, ordered by Z3's theory; nothing else changes.
    """
    done = run("S_MAX_FP f1, f2, f3", table=table)
    result, a, b = done.after["f1"], f(2), f(3)
    nan = z3.Or(z3.fpIsNaN(bf16(a)), z3.fpIsNaN(bf16(b)))
    no_greater = z3.And(*(z3.fpGEQ(bf16(result), bf16(x)) for x in (a, b)))
    first = z3.Implies(z3.fpEQ(bf16(a), bf16(b)), result == a)
    chosen = z3.And(z3.Or(result == a, result == b), no_greater, first)
    yield Obligation("the greater", z3.If(nan, result == BF16_NAN, chosen))
    yield Obligation("the rest", done.becomes({"f1": result}))


def number_beside_nan(x: Context) -> Effect:
    """Broken: of a NaN and a number the number, as IEEE's maximumNumber has it."""
    a, b = x["rs1"], x["rs2"]
    of_second = mux((b & 0x7FFF).ule(0x7F80), b, a)
    quiet = (a & 0x7FFF).ule(0x7F80)
    return Effect(registers={"rd": mux(quiet, arith.maximum(a, b), of_second)})


def moves(table: isa.Table, files: Files) -> Iterator[Obligation]:
    """S_MAP_V_FP copies a range of FP SRAM into vector SRAM, and nothing else changes.

    VLEN 2; lengths 0 to 5 and the one that gp0 stands for; all values.
    """
    for length in range(6):
        text = "S_MAP_V_FP gp1, gp2, 1, gp3"
        done = run(text, table=table, gp1=4, gp2=1, gp3=length)
        expected = placed("vector", 4, cells("fp", 2, length))
        yield Obligation(f"{length} elements", done.becomes(expected))
    done = run("S_MAP_V_FP gp1, gp2, 3", table=table, gp1=4, gp2=1)
    yield Obligation("VLEN elements", done.becomes(placed("vector", 4, cells("fp", 4, 2))))


def without_offset(x: Context) -> Effect:
    """Broken: the immediate is not added to the source."""
    row = isa.BY_MNEMONIC["S_MAP_V_FP"]
    effect = row.semantics(x)
    write = effect.writes[0]
    write.values = x.read("fp", x["rs1"], len(write.values))
    return effect


def loops(table: isa.Table, files: Files) -> Iterator[Obligation]:
    """A loop of n runs its body n times, nested loops the product; the counters end at 0.

    The body adds a variable to a register, so the sum is n times the variable; it also sees the
    counter, which goes from n down to 1. Loops of 1, 2 and 5, and 2 * 3 nested.
    """
    for count in (1, 2, 5):
        text = f"C_LOOP_START gp3, {count}\nS_ADD_INT gp1, gp1, gp2\nC_LOOP_END gp3"
        zero = z3.BitVecVal(0, 32)
        added = gp(1) + count * gp(2)
        done = run(text, table=table)
        yield Obligation(f"{count} times", done.becomes({"gp1": added, "gp3": zero}))
        text = f"C_LOOP_START gp3, {count}\nS_ADD_INT gp1, gp1, gp3\nC_LOOP_END gp3"
        added = gp(1) + count * (count + 1) // 2
        done = run(text, table=table)
        yield Obligation(f"counter of {count}", done.becomes({"gp1": added, "gp3": zero}))
    text = """
        C_LOOP_START gp3, 2
        C_LOOP_START gp4, 3
        S_ADD_INT gp1, gp1, gp2
        C_LOOP_END gp4
        S_MUL_INT gp5, gp5, gp1
        C_LOOP_END gp3"""
    done = run(text, table=table)
    sums = {"gp1": gp(1) + 6 * gp(2), "gp5": gp(5) * (gp(1) + 3 * gp(2)) * (gp(1) + 6 * gp(2))}
    yield Obligation("nested", done.becomes({**sums, "gp3": zero, "gp4": zero}))


def once_more(x: Context) -> Effect:
    """Broken: a loop runs once too often."""
    effect = isa.BY_MNEMONIC["C_LOOP_START"].semantics(x)
    return Effect(registers={"rd": effect.registers["rd"] + 1}, loop=effect.loop)


def control(table: isa.Table, files: Files) -> Iterator[Obligation]:
    """C_SET_CSR and the published C_SET rows set one CSR, C_SET_ADDR_REG one base; nothing else.

    Every CSR, all register values, two immediates. Assumes that C_SET_CSR does not trap.
    """
    for name in CSRS:
        for number in (0, 70_000):
            done = run_untrapped(f"C_SET_CSR {name}, gp1, {number}", table=table)
            yield Obligation(name, done.becomes({name: gp(1) + number}), done.premises)
    published = {"C_SET_SCALE_REG": "SCALE", "C_SET_STRIDE_REG": "STRIDE"}
    for mnemonic, name in {**published, "C_SET_V_MASK_REG": "MASK"}.items():
        done = run(f"{mnemonic} gp1", table=table)
        yield Obligation(mnemonic, done.becomes({name: gp(1)}))
    done = run("C_SET_ADDR_REG a3, gp1, gp2", table=table)
    address = (z3.ZeroExt(32, gp(1)) << 32) + z3.ZeroExt(32, gp(2))
    yield Obligation("base", done.becomes({"a3": address}))


def halves_swapped(x: Context) -> Effect:
    """Broken: the lower half comes first."""
    return Effect(registers={"rd": (x["rs2"].zext(64) << 32) | x["rs1"].zext(64)})


THEOREMS = (
    theorem("scalar.integers", "all values", integers, broken({"S_LUI_INT": short_upper})),
    theorem(
        "scalar.store_and_load",
        "8 or 16 words",
        store_and_load,
        broken({"S_ST_INT": next_word}),
    ),
    theorem("scalar.bf16", "all pairs", bf16_arithmetic, broken({"S_ADD_FP": no_sticky})),
    theorem("scalar.bf16_unary", "all codes", bf16_unary, broken({"S_SQRT_FP": positive_root})),
    theorem("scalar.maximum", "all pairs", bf16_maximum, broken({"S_MAX_FP": number_beside_nan})),
    theorem("scalar.moves", "0 to 5 elements", moves, broken({"S_MAP_V_FP": without_offset})),
    theorem("scalar.loops", "1 to 6 iterations", loops, broken({"C_LOOP_START": once_more})),
    theorem("scalar.control", "all CSRs", control, broken({"C_SET_ADDR_REG": halves_swapped})),
)
