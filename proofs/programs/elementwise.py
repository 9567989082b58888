"""Elementwise vector programs: lanes, tails, masks, and results in the place of a source."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import z3

from unmask.proofs.engine.obligation import Files, Obligation
from unmask.proofs.programs.symbolic_run import (
    CONFIG,
    Run,
    broken,
    cells,
    f,
    gp,
    is_true,
    placed,
    run,
    theorem,
)
from unmask.spec import isa
from unmask.spec.encoding import Context, Effect, Write
from unmask.spec.state import Config

BINARY = ("ADD", "SUB", "MUL")
UNARY = {"V_EXP_V": "S_EXP_FP", "V_RECI_V": "S_RECI_FP"}
LENGTHS = (0, 1, 2, 5)
# With more lanes than MASK has bits.
WIDE = Config(vlen=64, vector_rows=8)


def scalar(mnemonic: str, table: isa.Table) -> Any:
    """What a scalar instruction computes, as a function of terms; `scalar.bf16` says what it is."""
    text = f"{mnemonic} f1, f2, f3" if len(isa.BY_MNEMONIC[mnemonic].operands) == 3 else ""
    result = run(text or f"{mnemonic} f1, f2", table=table).after["f1"]

    def apply(*operands: Any) -> Any:
        return z3.substitute(result, *((f(2 + at), x) for at, x in enumerate(operands)))

    return apply


def enabled(lanes: int, masked: bool, vlen: int = CONFIG.vlen) -> list[Any]:
    """The lanes that write: those with their bit in gp9, which MASK is set from; or all."""
    if not masked:
        return [z3.BoolVal(True)] * lanes
    bit = [lane % vlen % 32 for lane in range(lanes)]
    return [z3.Extract(at, at, gp(9)) == 1 for at in bit]


def _written(values: list[Any], old: list[Any], on: list[Any], masked: bool) -> dict[str, Any]:
    kept = [z3.If(lane, new, was) for lane, new, was in zip(on, values, old, strict=True)]
    return {**placed("vector", 8, kept), **({"MASK": gp(9)} if masked else {})}


def lanes(table: isa.Table, files: Files) -> Iterator[Obligation]:
    """Lane i of a result is the scalar instruction's of lane i of the sources; the rest unchanged.

    V_ADD, V_SUB, V_MUL of vectors (as S_ADD_FP ...) and with a scalar, with rorder the other way
    round; V_EXP_V and V_RECI_V. VLEN 2, VL 0, 1, 2, 5, all data; with rmask only where MASK, a
    variable, has the lane's bit. VLEN 64 with VL 70 for MASK's bits beyond the 32nd lane.
    """
    for length, masked in product(LENGTHS, (0, 1)):
        yield from _lanes(table, length, masked)
    wide = run(
        "C_SET_V_MASK_REG gp9\nV_ADD_VV gp1, gp2, gp3, 1",
        WIDE,
        table,
        gp1=256,
        gp2=0,
        gp3=128,
        VL=70,
    )
    add = scalar("S_ADD_FP", table)
    sums = [
        add(*pair) for pair in zip(cells("vector", 0, 70), cells("vector", 128, 70), strict=True)
    ]
    old = cells("vector", 256, 70)
    kept = [
        z3.If(on, new, was) for on, new, was in zip(enabled(70, True, 64), sums, old, strict=True)
    ]
    yield Obligation("64 lanes", wide.becomes({**placed("vector", 256, kept), "MASK": gp(9)}))


def _lanes(table: isa.Table, length: int, masked: int) -> Iterator[Obligation]:
    first, second = cells("vector", 16, length), cells("vector", 24, length)
    old, on = cells("vector", 8, length), enabled(length, bool(masked))
    what = f"{length} elements{', masked' if masked else ''}"
    places: dict[str, Any] = {"gp1": 8, "gp2": 16, "gp3": 24, "VL": length}

    def done(text: str) -> Run:
        mask = "C_SET_V_MASK_REG gp9\n" if masked else ""
        return run(mask + text, table=table, **places)

    for name in BINARY:
        function = scalar(f"S_{name}_FP", table)
        values = [function(a, b) for a, b in zip(first, second, strict=True)]
        goal = done(f"V_{name}_VV gp1, gp2, gp3, {masked}").becomes(
            _written(values, old, on, bool(masked))
        )
        yield Obligation(f"V_{name}_VV, {what}", goal)
        orders = (0, 1) if name == "SUB" else (0,)
        for order in orders:
            values = [function(f(1), a) if order else function(a, f(1)) for a in first]
            text = f"V_{name}_VF gp1, gp2, f1, {masked}{', 1' if order else ''}"
            goal = done(text).becomes(_written(values, old, on, bool(masked)))
            yield Obligation(f"V_{name}_VF{' rorder' * order}, {what}", goal)
    for mnemonic, single in UNARY.items():
        function = scalar(single, table)
        goal = done(f"{mnemonic} gp1, gp2, {masked}").becomes(
            _written([function(a) for a in first], old, on, bool(masked))
        )
        yield Obligation(f"{mnemonic}, {what}", goal)


def whole_chunks(x: Context) -> Effect:
    """Broken: the tail's last chunk is written in full."""
    effect = isa.BY_MNEMONIC["V_ADD_VV"].semantics(x)
    length = x.number(x.vl)
    full = -(-length // x.vlen) * x.vlen
    write = effect.writes[0]
    end = x.read("vector", x["rs1"] + length, full - length)
    return Effect(writes=(Write("vector", write.address, [*write.values, *end]),))


def select(table: isa.Table, files: Files) -> Iterator[Obligation]:
    """V_SELECT_VVM, S_SELECT_INT: the first source where the mask is no zero, else the second.

    A mask of NaN chooses the first, of -0 the second, by Z3's theory. VLEN 2, 0 to 5 elements, all
    data; nothing else changes.
    """
    for length in (0, 1, 2, 5):
        mask = [is_true(code) for code in cells("vector", 24, length)]
        for name, memory, text, yes, no in (
            ("V_SELECT_VVM", "vector", "gp1, gp2, gp3, gp4", 8, 16),
            ("S_SELECT_INT", "int", "gp1, gp5, gp6, gp4, gp7", 5, 10),
        ):
            to = 0
            numbers: dict[str, Any] = {
                "gp1": to,
                "gp2": 8,
                "gp3": 16,
                "gp4": 24,
                "gp5": 5,
                "gp6": 10,
            }
            done = run(f"{name} {text}", table=table, **numbers, gp7=length, VL=length)
            chosen = [
                z3.If(on, a, b)
                for on, a, b in zip(
                    mask, cells(memory, yes, length), cells(memory, no, length), strict=True
                )
            ]
            goal = done.becomes(placed(memory, to, chosen))
            yield Obligation(f"{name}, {length} elements", goal)


def negative_zero_true(x: Context) -> Effect:
    """Broken: the mask is taken as true where any of its bits is set."""
    length = x.number(x.vl)
    yes, no, mask = (x.read("vector", x[name], length) for name in ("rs1", "rs2", "rs3"))
    values = x.vectors.map(
        lambda a, b, m: b.like(z3.If(m.value != 0, a.value, b.value)), yes, no, mask
    )
    return Effect(writes=(Write("vector", x["rd"], values),))


# Text with {to}, {a}, {b}, {m}; which sources may be the place of the result.
_FORMS = (
    *((f"V_{name}_VV {{to}}, {{a}}, {{b}}, 1", "ab") for name in BINARY),
    *((f"V_{name}_VF {{to}}, {{a}}, f1, 1", "a") for name in BINARY),
    ("V_SUB_VF {to}, {a}, f1, 1, 1", "a"),
    ("V_EXP_V {to}, {a}, 1", "a"),
    ("V_RECI_V {to}, {a}, 1", "a"),
    ("V_SELECT_VVM {to}, {a}, {b}, {m}", "abm"),
    ("V_CMP_MASK_VV {to}, {a}, {b}, LT, gp8", "ab"),
    ("V_CMP_MASK_VF {to}, {a}, f1, GE, gp8", "a"),
    ("V_TOPK_MASK {to}, {a}, {m}, gp9, gp8", "am"),
    ("V_KEY_MASK_QUOTA {to}, gp10, {m}, gp9, gp8", "m"),
    ("V_KEY_MASK_RULE {to}, gp10, {m}, gp9, gp8", "m"),
    ("V_KEY_MASK_FACTOR {to}, gp10, {m}, gp10, gp8", "m"),
)


def in_place(table: isa.Table, files: Files) -> Iterator[Obligation]:
    """A result in the place of a source = the result elsewhere, then copied to that place.

    All forms that may do so, each source in turn and all of them at once; VLEN 2, 5 elements in
    three chunks, all data, with rmask and any MASK where there is one (elsewhere holds a copy of
    the place before, for lanes that do not write). S_SELECT_INT likewise. All else is the same.
    """
    places = {"a": "gp1", "b": "gp2", "m": "gp3"}
    numbers: dict[str, Any] = {
        "gp1": 8,
        "gp2": 16,
        "gp3": 24,
        "gp4": 0,
        "gp8": 5,
        "gp10": 1,
        "VL": 5,
    }
    head = "C_SET_V_MASK_REG gp9\n"
    for form, sources in _FORMS:
        for chosen in (*sources, sources):
            own = {**places, **dict.fromkeys(chosen, places[chosen[0]])}
            there = own[chosen[0]]
            at = numbers[there]
            inside = run(head + form.format(to=there, **own), table=table, **numbers)
            # Elsewhere is first a copy of the place, so that lanes that do not write agree.
            text = "V_SELECT_VVM gp4, {0}, {0}, {0}\n{1}\n{2}".format(
                there,
                form.format(to="gp4", **own),
                _copy(there, "gp4", form),
            )
            outside = run(head + text, table=table, **numbers)
            moved = {name: x for name, x in outside.after.items() if not _scratch(name)}
            label = f"{form.split()[0]} over {', '.join(chosen)}"
            yield Obligation(f"{label}, from {at}", inside.becomes(moved))
    yield from _ids_in_place(table)


def _copy(to: str, source: str, form: str) -> str:
    """Copies 5 elements, or the whole chunks that a mask instruction writes."""
    copy = f"V_SELECT_VVM {to}, {source}, {source}, {source}"
    if "_MASK" not in form:
        return copy
    return f"C_SET_CSR VL, gp0, 6\n{copy}\nC_SET_CSR VL, gp0, 5"


def _scratch(name: str) -> bool:
    return name in {f"vector{place}" for place in range(8)} | {f"int{at}" for at in range(5)}


def _ids_in_place(table: isa.Table) -> Iterator[Obligation]:
    numbers: dict[str, Any] = {"gp1": 5, "gp2": 10, "gp3": 24, "gp4": 0, "gp8": 5}
    for a, b in (("gp1", "gp2"), ("gp2", "gp1"), ("gp1", "gp1")):
        inside = run(f"S_SELECT_INT gp1, {a}, {b}, gp3, gp8", table=table, **numbers)
        text = f"S_SELECT_INT gp4, {a}, {b}, gp3, gp8\nS_SELECT_INT gp1, gp4, gp4, gp3, gp8"
        outside = run(text, table=table, **numbers)
        moved = {name: x for name, x in outside.after.items() if not _scratch(name)}
        yield Obligation(f"S_SELECT_INT {a}, {b}", inside.becomes(moved))


def chunk_behind(x: Context) -> Effect:
    """Broken: each chunk is written before the next is read, one chunk too far."""
    effect = isa.BY_MNEMONIC["V_RECI_V"].semantics(x)
    write = effect.writes[0]
    if z3.is_true(z3.simplify(x["rd"].value == x["rs1"].value)):
        values = [*write.values[: x.vlen], *write.values[: len(write.values) - x.vlen]]
        return Effect(writes=(Write("vector", write.address, values, write.enable),))
    return effect


THEOREMS = (
    theorem("elementwise.lanes", "VLEN 2, VL 0..5", lanes, broken({"V_ADD_VV": whole_chunks})),
    theorem(
        "elementwise.select",
        "0 to 5 elements",
        select,
        broken({"V_SELECT_VVM": negative_zero_true}),
    ),
    theorem("elementwise.in_place", "5 elements", in_place, broken({"V_RECI_V": chunk_behind})),
)
