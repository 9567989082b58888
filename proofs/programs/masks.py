"""Masks: ranks of confidences and keys, comparisons. What a mask must be is stated by its order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from unittest.mock import patch

import z3

from unmask.proofs.engine.obligation import Files, Obligation
from unmask.proofs.programs.symbolic_run import (
    CONFIG,
    Run,
    bf16,
    broken,
    cells,
    f,
    gp,
    greater,
    is_true,
    ones,
    placed,
    run,
    theorem,
)
from unmask.spec import isa
from unmask.spec.bits import Bits
from unmask.spec.encoding import Context, Effect
from unmask.spec.formats import order_key
from unmask.spec.instructions import masks

ONE = 0x3F80
LENGTHS = (1, 2, 3, 6)
COUNT = 34  # bits of counts and ranks: they never wrap

Before = Callable[[int, int], Any]  # whether the first element comes before the second


def _mask(chosen: list[Any], first: int = 8) -> dict[str, Any]:
    """1.0 where chosen, 0.0 elsewhere and to the end of the chunk."""
    one, zero = z3.BitVecVal(ONE, 16), z3.BitVecVal(0, 16)
    tail = [zero] * (-len(chosen) % CONFIG.vlen)
    return placed("vector", first, [*(z3.If(x, one, zero) for x in chosen), *tail])


def _chosen(done: Run, length: int) -> list[Any]:
    return [done.after[f"vector{8 + lane}"] == ONE for lane in range(length)]


def _best(before: Before, k: Any, chosen: list[Any], valid: list[Any]) -> Any:
    """`chosen` are candidates, min(k, candidates) of them, and none left out comes before one."""
    number, candidates = ones(chosen, COUNT), ones(valid, COUNT)
    most = z3.ZeroExt(COUNT - 32, k)
    facts = [
        number == z3.If(z3.ULT(most, candidates), most, candidates),
        *(z3.Implies(yes, there) for yes, there in zip(chosen, valid, strict=True)),
    ]
    for a, yes in enumerate(chosen):
        for b, other in enumerate(chosen):
            left_out = z3.And(valid[b], z3.Not(other))
            if a != b:
                facts.append(z3.Implies(z3.And(yes, left_out), z3.Not(before(b, a))))
    return z3.And(*facts)


def _ranked(label: str, length: int, done: Run, owed: Callable[..., Any]) -> Iterator[Obligation]:
    """`owed` of what is chosen and of the candidates; and the mask is nothing but 1.0 and 0.0."""
    valid = [is_true(code) for code in cells("vector", 24, length)]
    chosen = _chosen(done, length)
    yield Obligation(f"{label}, {length} elements", owed(chosen, valid))
    label = f"{label}, {length} elements: all places"
    yield Obligation(label, done.becomes(_mask(chosen)))


def greater_first(codes: list[Any], a: int, b: int) -> Any:
    """Confidence a comes before b."""
    if a > b:
        return greater(codes[a], codes[b])
    return z3.Not(greater(codes[b], codes[a]))


def smaller_first(keys: list[Any], a: int, b: int) -> Any:
    """Key a comes before b."""
    return z3.ULE(keys[a], keys[b]) if a < b else z3.ULT(keys[a], keys[b])


def top_k(table: isa.Table, files: Files) -> Iterator[Obligation]:
    """V_TOPK_MASK chooses k candidates, or all if there are fewer, and none before those it leaves.

    Before: the greater confidence (NaN above all, zeros equal, by Z3's theory), of equals the lower
    index; so it is what a stable sort puts first. 1, 2, 3 and 6 elements, VLEN 2; all confidences,
    masks and k. The mask is 1.0 or 0.0, and 0.0 to the end of the chunk; nothing else changes.
    """
    for length in LENGTHS:
        text = "V_TOPK_MASK gp1, gp2, gp3, gp9, gp4"
        done = run(text, table=table, gp1=8, gp2=16, gp3=24, gp4=length)
        before = partial(greater_first, cells("vector", 16, length))
        yield from _ranked("k first", length, done, partial(_best, before, gp(9)))


def late_ties(x: Context) -> Effect:
    """Broken: of equal confidences the higher index comes first."""

    def ranks(x: Context, keys: Any, valid: Any, length: int) -> Any:
        backwards = masked(x, keys[::-1], valid[::-1], length)
        return backwards[::-1]

    masked = masks.ranks
    with patch.object(masks, "ranks", ranks):
        return masks.top_k_mask(x)


def key_masks(table: isa.Table, files: Files) -> Iterator[Obligation]:
    """V_KEY_MASK: QUOTA, RULE and FACTOR by the rank of each key among the candidates.

    QUOTA chooses the k first (the smaller key, of equals the lower index). RULE chooses a candidate
    of rank below kmin, and of rank below KMAX one whose key is at most LIMIT. FACTOR chooses one
    whose key is at most the entry number rank of a table in key SRAM. QUOTA with 1, 2, 3 and 6
    elements, the others up to 3; VLEN 2; all keys, masks, k, kmin, KMAX, LIMIT and tables. The mask
    is 1.0 or 0.0, and 0.0 to the end of the chunk; nothing else changes.
    """
    for length in LENGTHS:
        keys = cells("key", 1, length)
        before = partial(smaller_first, keys)
        owed: dict[str, tuple[str, Callable[..., Any]]] = {
            "QUOTA": ("gp9", partial(_best, before, gp(9))),
            "RULE": ("gp9", partial(_by_rule, keys)),
            "FACTOR": ("gp5", partial(_by_table, keys, cells("key", 4, length))),
        }
        for name, (third, statement) in owed.items():
            if name == "QUOTA" or length <= 3:
                text = f"V_KEY_MASK_{name} gp1, gp2, gp3, {third}, gp4"
                done = run(text, table=table, gp1=8, gp2=1, gp3=24, gp4=length, gp5=4)
                yield from _ranked(name, length, done, statement)


def _by_rule(keys: list[Any], chosen: list[Any], valid: list[Any]) -> Any:
    limit, kmin, kmax = (z3.BitVec("LIMIT", 32), gp(9), z3.BitVec("KMAX", 32))
    least, most = (z3.ZeroExt(COUNT - 32, x) for x in (kmin, kmax))
    facts = []
    for lane, rank in enumerate(_ranks(keys, valid)):
        within = z3.And(z3.ULT(rank, most), z3.ULE(keys[lane], limit))
        facts.append(chosen[lane] == z3.And(valid[lane], z3.Or(z3.ULT(rank, least), within)))
    return z3.And(*facts)


def _by_table(keys: list[Any], limits: list[Any], chosen: list[Any], valid: list[Any]) -> Any:
    facts = []
    for lane, rank in enumerate(_ranks(keys, valid)):
        fits = [
            z3.And(rank == place, z3.ULE(keys[lane], entry)) for place, entry in enumerate(limits)
        ]
        facts.append(chosen[lane] == z3.And(valid[lane], z3.Or(*fits)))
    return z3.And(*facts)


def _ranks(keys: list[Any], valid: list[Any]) -> list[Any]:
    """How many candidates come before each element."""
    places = range(len(keys))
    return [
        ones((z3.And(valid[a], smaller_first(keys, a, b)) for a in places if a != b), COUNT)
        for b in places
    ]


def strict_limit(x: Context) -> Effect:
    """Broken: a key equal to LIMIT is not accepted."""

    def rule(x: Context, keys: Any, rank: Any, length: int) -> Any:
        def accept(r: Bits, key: Bits, kmin: Bits, limit: Bits, kmax: Bits) -> Bits:
            return r.ult(kmin) | (key.ult(limit) & r.ult(kmax))

        return x.vectors.map(accept, rank, keys, x["rs3"], x.csr("LIMIT"), x.csr("KMAX"))

    return masks._key_mask(rule)(x)


# Relation -> as numbers, as unsigned integers.
_FLOAT = {
    "GE": z3.fpGEQ,
    "GT": z3.fpGT,
    "EQ": z3.fpEQ,
    "NE": lambda a, b: z3.Not(z3.fpEQ(a, b)),
    "LE": z3.fpLEQ,
    "LT": z3.fpLT,
}
_INTEGER = {
    "GE": z3.UGE,
    "GT": z3.UGT,
    "EQ": lambda a, b: a == b,
    "NE": lambda a, b: a != b,
    "LE": z3.ULE,
    "LT": z3.ULT,
}


def comparisons(table: isa.Table, files: Files) -> Iterator[Obligation]:
    """V_CMP_MASK: 1.0 where the relation holds, else 0.0, and 0.0 to the end of the chunk.

    All six relations, of BF16 vectors and with a scalar as Z3's theory of floating point has them
    (a NaN is only NE), of integers as unsigned numbers. VLEN 2, 0, 1 and 3 elements, and 2 by gp0;
    all data. Nothing else changes.
    """
    numbers: dict[str, Any] = {"gp1": 8, "gp2": 16, "gp3": 24, "gp5": 5, "gp6": 10}
    for length in (0, 1, 2, 3):
        first, second = cells("vector", 16, length), cells("vector", 24, length)
        some, others = cells("int", 5, length), cells("int", 10, length)
        for relation in _FLOAT:
            real, whole = _FLOAT[relation], _INTEGER[relation]
            forms = {
                "VV gp1, gp2, gp3": [
                    real(bf16(a), bf16(b)) for a, b in zip(first, second, strict=True)
                ],
                "VF gp1, gp2, f1": [real(bf16(a), bf16(f(1))) for a in first],
                "IG gp1, gp5, gp9": [whole(a, gp(9)) for a in some],
                "II gp1, gp5, gp6": [whole(a, b) for a, b in zip(some, others, strict=True)],
            }
            for text, holds in forms.items():
                count = "gp0" if length == CONFIG.vlen else "gp4"
                text = f"V_CMP_MASK_{text}, {relation}, {count}"
                done = run(text, table=table, **numbers, gp4=length)
                yield Obligation(f"{text}, {length} elements", done.becomes(_mask(holds)))


def by_keys(x: Context) -> Effect:
    """Broken: NaN takes part in the order as the greatest."""
    relations = {**masks._FLOAT, 0: lambda a, b: order_key(b).ule(order_key(a))}
    return masks._compare("vector", relations, scalar=False)(x)


THEOREMS = (
    theorem("masks.top_k", "1 to 6 elements", top_k, broken({"V_TOPK_MASK": late_ties})),
    theorem(
        "masks.keys",
        "1 to 3, 6 elements",
        key_masks,
        broken({"V_KEY_MASK_RULE": strict_limit}),
    ),
    theorem("masks.compare", "0 to 3 elements", comparisons, broken({"V_CMP_MASK_VV": by_keys})),
)
