"""Masks and selection: ranks, thresholds, comparisons, and the choice of ids by a mask.

A mask is a BF16 vector: an element counts as true unless it is zero (NaN is true, -0 is false).
Results are 1.0 or 0.0, and 0.0 from their end to the end of the chunk.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from unmask.spec import arith
from unmask.spec.bits import Bits, mux
from unmask.spec.encoding import (
    FN,
    RD,
    RELATION,
    RS1,
    RS2,
    RS3,
    SOURCES,
    Context,
    Effect,
    Instruction,
    Kind,
    Operand,
    Step,
    Trap,
    TrapRule,
    Write,
)
from unmask.spec.formats import order_key
from unmask.spec.instructions.rules import (
    LENGTH,
    chunks,
    is_set,
    length_of,
    misaligned,
    outside,
    overlap,
    own_length,
    padded,
)

ONE = 0x3F80  # 1.0
RANKED_AT_ONCE = 32  # comparators of the rank unit

_LEN = own_length("rs4")
_TO = Operand(RD, Kind.GP, doc="mask to write, vector address")
_MASK = Operand(RS2, Kind.GP, doc="candidates, vector address of a mask")


def _write_mask(x: Context, accepted: Any, length: int) -> Effect:
    ones = x.vectors.map(lambda yes: mux(yes, yes.const(16, ONE), 0), accepted)
    tail = x.vectors.of(16, [0] * (padded(x, length) - length))
    return Effect(writes=(Write("vector", x["rd"], x.vectors.join([ones, tail])),))


# -- ranks --


def counted(rank: Bits, key: Bits, place: Bits, other: Bits, there: Bits, at: Bits) -> Bits:
    """The rank of an element, one more if the candidate `other` at `at` comes before it."""
    before = there & (other.ult(key) | (other.eq(key) & at.ult(place)))
    return rank + before.zext(32)


def ranks(x: Context, keys: Any, valid: Any, length: int) -> Any:
    """How many candidates come before each element: a smaller key, or the same and a lower index.

    Counting needs one pass over the elements for each; hardware does that with a row of
    comparators. Ranks of candidates are 0, 1, 2, ... without gaps: the order is total.
    """
    places = x.vectors.places(length)
    rank = x.vectors.of(32, [0] * length)
    for other in range(length):
        key, there, at = (x.vectors.at(v, other) for v in (keys, valid, places))
        rank = x.vectors.map(counted, rank, keys, places, key, there, at)
    return rank


def top_k_mask(x: Context) -> Effect:
    """The k greatest confidences; of equal ones the lower index; NaN is greatest."""
    length = x.number(_LEN(x))
    if length == 0:
        return Effect()
    confidence, mask = (x.read("vector", x[name], length) for name in ("rs1", "rs2"))
    keys = x.vectors.map(lambda code: ~order_key(code), confidence)
    valid = x.vectors.map(is_set, mask)
    rank = ranks(x, keys, valid, length)
    accepted = x.vectors.map(lambda v, r, k: v & r.ult(k), valid, rank, x["rs3"])
    return _write_mask(x, accepted, length)


def _key_mask(accept: Callable[..., Any]) -> Callable[[Context], Effect]:
    def semantics(x: Context) -> Effect:
        length = x.number(_LEN(x))
        if length == 0:
            return Effect()
        keys = x.read("key", x["rs1"], length)
        valid = x.vectors.map(is_set, x.read("vector", x["rs2"], length))
        rank = ranks(x, keys, valid, length)
        chosen = accept(x, keys, rank, length)
        accepted = x.vectors.map(lambda v, c: v & c, valid, chosen)
        return _write_mask(x, accepted, length)

    return semantics


def quota(x: Context, keys: Any, rank: Any, length: int) -> Any:
    """The k smallest keys."""
    return x.vectors.map(lambda r, k: r.ult(k), rank, x["rs3"])


def rule(x: Context, keys: Any, rank: Any, length: int) -> Any:
    """The kmin smallest keys always; up to KMAX of them if they do not exceed LIMIT."""

    def accept(r: Bits, key: Bits, kmin: Bits, limit: Bits, kmax: Bits) -> Bits:
        return r.ult(kmin) | (key.ule(limit) & r.ult(kmax))

    return x.vectors.map(accept, rank, keys, x["rs3"], x.csr("LIMIT"), x.csr("KMAX"))


def factor(x: Context, keys: Any, rank: Any, length: int) -> Any:
    """A key must not exceed the limit that a table in key SRAM has for its rank."""
    limits = x.vectors.gather(x.read("key", x["rs3"], length), rank)
    return x.vectors.map(lambda key, limit: key.ule(limit), keys, limits)


def rank_cycles(step: Step) -> int:
    """Blocks of 32 elements: a block is loaded, all elements pass it, its ranks are looked at.

    Key SRAM gives one word a cycle, so each element costs a cycle to load, one to look at (its
    limit may come from a table), and one in each pass; k does not matter. 2 cycles a pass are for
    the last rank, 3 at the end for the last decision. The mask may be the destination: so a
    chunk a cycle is written only when all is decided.
    """
    passes = -(-step.length // RANKED_AT_ONCE)
    return (passes + 2) * step.length + 2 * passes + chunks(step) + 3 if step.length else 1


def _too_long(x: Context) -> Bits:
    """More elements than the rank unit holds, which is as many as key SRAM."""
    return _LEN(x).const(32, x.depth("key")).ult(_LEN(x))


_RANKED: TrapRule = (Trap.LENGTH, _too_long)


def _key_row(mode: str, fn: int, accept: Callable[..., Any], third: str, doc: str) -> Instruction:
    table = (outside("key", "rs3", _LEN),) if mode == "FACTOR" else ()
    return Instruction(
        mnemonic=f"V_KEY_MASK_{mode}",
        opcode=0x3D,
        fixed=((FN, fn),),
        operands=(
            _TO,
            Operand(RS1, Kind.GP, doc="first key, key SRAM address"),
            _MASK,
            Operand(RS3, Kind.GP, doc=third),
            LENGTH,
        ),
        semantics=_key_mask(accept),
        doc=doc,
        traps=(
            misaligned("rd", "rs2"),
            _RANKED,
            outside("vector", "rd", _LEN),
            outside("key", "rs1", _LEN),
            outside("vector", "rs2", _LEN),
            *table,
            overlap("rd", "rs2", _LEN),
        ),
        cycles=rank_cycles,
        length=length_of(_LEN),
    )


# -- comparisons --

RELATIONS = {"GE": 0, "GT": 1, "EQ": 2, "NE": 3, "LE": 4, "LT": 5}
_FLOAT: dict[int, Callable[[Bits, Bits], Bits]] = {
    0: arith.greater_equal,
    1: arith.greater,
    2: arith.equal,
    3: arith.not_equal,
    4: arith.less_equal,
    5: arith.less,
}
_UNSIGNED: dict[int, Callable[[Bits, Bits], Bits]] = {
    0: lambda a, b: b.ule(a),
    1: lambda a, b: b.ult(a),
    2: lambda a, b: a.eq(b),
    3: lambda a, b: a.ne(b),
    4: lambda a, b: a.ule(b),
    5: lambda a, b: a.ult(b),
}


def _compare(
    memory: str, relations: dict[int, Callable[[Bits, Bits], Bits]], scalar: bool
) -> Callable[[Context], Effect]:
    def semantics(x: Context) -> Effect:
        length = x.number(_LEN(x))
        if length == 0:
            return Effect()
        first = x.read(memory, x["rs1"], length)
        second = x["rs2"] if scalar else x.read(memory, x["rs2"], length)
        holds = x.vectors.map(relations[x.field("relation")], first, second)
        return _write_mask(x, holds, length)

    return semantics


def compare_cycles(step: Step) -> int:
    """One chunk a cycle, after 3 cycles from the first read to the first write."""
    return chunks(step) + 3 if step.length else 1


def one_source_cycles(step: Step) -> int:
    """One element a cycle: int SRAM is one word wide; 3 from the last read to the last chunk."""
    return step.length + 3 if step.length else 1


def two_source_cycles(step: Step) -> int:
    """Two cycles an element: int SRAM is one word wide; 3 from the last read to the last chunk."""
    return 2 * step.length + 3 if step.length else 1


_COMPARE_CYCLES = {"IG": one_source_cycles, "II": two_source_cycles}


def _compare_row(suffix: str, sources: int, second: Operand, doc: str) -> Instruction:
    memory = "vector" if suffix[0] == "V" else "int"
    scalar = second.kind is Kind.F or suffix == "IG"
    addresses = ("rs1",) if scalar else ("rs1", "rs2")
    aligned = addresses if memory == "vector" else ()
    relations = _FLOAT if memory == "vector" else _UNSIGNED
    return Instruction(
        mnemonic=f"V_CMP_MASK_{suffix}",
        opcode=0x3E,
        fixed=((SOURCES, sources),),
        operands=(
            _TO,
            Operand(RS1, Kind.GP, doc=f"source, {memory} address"),
            second,
            Operand(RELATION, Kind.CHOICE, choices=RELATIONS, doc="relation"),
            LENGTH,
        ),
        semantics=_compare(memory, relations, scalar),
        doc=doc,
        traps=(
            misaligned("rd", *aligned),
            outside("vector", "rd", _LEN),
            *(outside(memory, name, _LEN) for name in addresses),
            *(overlap("rd", name, _LEN) for name in aligned),
        ),
        cycles=_COMPARE_CYCLES.get(suffix, compare_cycles),
        length=length_of(_LEN),
    )


# -- ids --


def select_int(x: Context) -> Effect:
    length = x.number(_LEN(x))
    if length == 0:
        return Effect()
    yes, no = (x.read("int", x[name], length) for name in ("rs1", "rs2"))
    mask = x.read("vector", x["rs3"], length)
    values = x.vectors.map(lambda a, b, m: mux(is_set(m), a, b), yes, no, mask)
    return Effect(writes=(Write("int", x["rd"], values),))


def select_cycles(step: Step) -> int:
    """Two cycles an element: int SRAM is one word wide; the chosen word's read, and the write."""
    return 2 * step.length + 2 if step.length else 1


ROWS = (
    Instruction(
        mnemonic="V_TOPK_MASK",
        opcode=0x36,
        operands=(
            _TO,
            Operand(RS1, Kind.GP, doc="confidences, vector address"),
            _MASK,
            Operand(RS3, Kind.GP, doc="k"),
            LENGTH,
        ),
        semantics=top_k_mask,
        doc="1.0 on the rs3 greatest confidences among the candidates (lower index first).",
        traps=(
            misaligned("rd", "rs1", "rs2"),
            _RANKED,
            *(outside("vector", name, _LEN) for name in ("rd", "rs1", "rs2")),
            overlap("rd", "rs1", _LEN),
            overlap("rd", "rs2", _LEN),
        ),
        cycles=rank_cycles,
        length=length_of(_LEN),
    ),
    _key_row("QUOTA", 0, quota, "k", "1.0 on the rs3 smallest keys among the candidates."),
    _key_row(
        "RULE",
        1,
        rule,
        "kmin",
        "1.0 on candidates of rank below rs3, or of rank below KMAX with a key up to LIMIT.",
    ),
    _key_row(
        "FACTOR",
        2,
        factor,
        "table of limits, key SRAM address",
        "1.0 on candidates whose key is at most key[rs3 + rank].",
    ),
    _compare_row(
        "VV",
        0,
        Operand(RS2, Kind.GP, doc="second source, vector address"),
        "1.0 where vector[rs1 ..] relates to vector[rs2 ..] (IEEE: NaN only by NE).",
    ),
    _compare_row(
        "VF",
        1,
        Operand(RS2, Kind.F, doc="scalar"),
        "1.0 where vector[rs1 ..] relates to f[rs2] (IEEE: NaN only by NE).",
    ),
    _compare_row(
        "IG",
        2,
        Operand(RS2, Kind.GP, doc="integer"),
        "1.0 where int[rs1 ..] relates to gp[rs2], unsigned.",
    ),
    _compare_row(
        "II",
        3,
        Operand(RS2, Kind.GP, doc="second source, int address"),
        "1.0 where int[rs1 ..] relates to int[rs2 ..], unsigned.",
    ),
    Instruction(
        mnemonic="S_SELECT_INT",
        opcode=0x37,
        operands=(
            Operand(RD, Kind.GP, doc="destination, int address"),
            Operand(RS1, Kind.GP, doc="taken where the mask is true, int address"),
            Operand(RS2, Kind.GP, doc="taken elsewhere, int address"),
            Operand(RS3, Kind.GP, doc="mask, vector address"),
            LENGTH,
        ),
        semantics=select_int,
        doc="int[rd ..] = vector[rs3 ..] != 0 ? int[rs1 ..] : int[rs2 ..].",
        traps=(
            misaligned("rs3"),
            *(outside("int", name, _LEN) for name in ("rd", "rs1", "rs2")),
            outside("vector", "rs3", _LEN),
            overlap("rd", "rs1", _LEN),
            overlap("rd", "rs2", _LEN),
        ),
        cycles=select_cycles,
        length=length_of(_LEN),
    ),
)
