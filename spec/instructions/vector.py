"""Vector instructions: they work on VL elements of vector SRAM, a chunk of VLEN at a time.

Elementwise instructions read chunk c of all sources before they write chunk c, chunks in ascending
order; since source and destination are the same range or share nothing (else OVERLAP), that is the
same as reading everything first.
"""

from __future__ import annotations

from collections.abc import Callable

from unmask.spec import arith
from unmask.spec.bits import Bits, mux
from unmask.spec.encoding import (
    RD,
    RMASK,
    RORDER,
    RS1,
    RS2,
    RS3,
    SWITCH,
    Context,
    Effect,
    Instruction,
    Kind,
    Operand,
    Step,
    TrapRule,
    Write,
)
from unmask.spec.formats import NEG_INF
from unmask.spec.instructions.rules import (
    chunks,
    enabled,
    is_set,
    length_of,
    levels,
    misaligned,
    outside,
    overlap,
    vector_length,
)
from unmask.spec.reductions import Candidate, MaxIndex

FP32_NEG_ZERO = 0x8000_0000  # x + -0 = x for every x, so it stands in lanes behind the end

_TO = Operand(RD, Kind.GP, doc="destination, vector address")
_FROM = Operand(RS1, Kind.GP, doc="source, vector address")
_SECOND = Operand(RS2, Kind.GP, doc="second source, vector address")
_SCALAR = Operand(RS2, Kind.F, doc="scalar")
_RMASK = Operand(
    RMASK, Kind.CHOICE, default=0, choices=SWITCH, doc="1: only lanes that MASK enables"
)
_RORDER = Operand(RORDER, Kind.CHOICE, default=0, choices=SWITCH, doc="1: scalar minus vector")


# -- elementwise --


def _elementwise(function: Callable[[Bits, Bits], Bits], scalar: bool) -> Callable[..., Effect]:
    """Vector with vector, or vector with a scalar register."""

    def semantics(x: Context) -> Effect:
        length = x.number(x.vl)
        first = x.read("vector", x["rs1"], length)
        second = x["rs2"] if scalar else x.read("vector", x["rs2"], length)
        if x.field("rorder"):
            values = x.vectors.map(lambda a, b: function(b, a), first, second)
        else:
            values = x.vectors.map(function, first, second)
        return Effect(writes=(Write("vector", x["rd"], values, enabled(x, length)),))

    return semantics


def _unary(function: Callable[[Bits], Bits]) -> Callable[[Context], Effect]:
    def semantics(x: Context) -> Effect:
        length = x.number(x.vl)
        values = x.vectors.table(function, x.read("vector", x["rs1"], length))
        return Effect(writes=(Write("vector", x["rd"], values, enabled(x, length)),))

    return semantics


def select(x: Context) -> Effect:
    length = x.number(x.vl)
    yes, no, mask = (x.read("vector", x[name], length) for name in ("rs1", "rs2", "rs3"))
    values = x.vectors.map(lambda a, b, m: mux(is_set(m), a, b), yes, no, mask)
    return Effect(writes=(Write("vector", x["rd"], values),))


def elementwise_cycles(step: Step) -> int:
    """One chunk a cycle, after 4 cycles from the first read to the first write."""
    return chunks(step) + 4 if step.length else 1


def _traps(*sources: str) -> tuple[TrapRule, ...]:
    return (
        misaligned("rd", *sources),
        *(outside("vector", name, vector_length) for name in ("rd", *sources)),
        *(overlap("rd", name, vector_length) for name in sources),
    )


def _binary_row(
    mnemonic: str, opcode: int, function: Callable[[Bits, Bits], Bits], sign: str
) -> Instruction:
    scalar = mnemonic.endswith("F")
    order = (_RORDER,) if mnemonic == "V_SUB_VF" else ()
    other = "f[rs2]" if scalar else "vector[rs2 ..]"
    return Instruction(
        mnemonic=mnemonic,
        opcode=opcode,
        operands=(_TO, _FROM, _SCALAR if scalar else _SECOND, _RMASK, *order),
        semantics=_elementwise(function, scalar),
        doc=f"vector[rd ..] = vector[rs1 ..] {sign} {other}, BF16, VL elements.",
        traps=_traps("rs1") if scalar else _traps("rs1", "rs2"),
        cycles=elementwise_cycles,
        length=length_of(vector_length),
    )


def _unary_row(
    mnemonic: str, opcode: int, function: Callable[[Bits], Bits], text: str
) -> Instruction:
    return Instruction(
        mnemonic=mnemonic,
        opcode=opcode,
        operands=(_TO, _FROM, _RMASK),
        semantics=_unary(function),
        doc=f"vector[rd ..] = {text} of vector[rs1 ..], BF16, VL elements.",
        traps=_traps("rs1"),
        cycles=elementwise_cycles,
        length=length_of(vector_length),
    )


# -- reductions --


def red_sum(x: Context) -> Effect:
    """FP32: f[rd], then the chunks in order, each a balanced tree; rounded to BF16 once."""
    length = x.number(x.vl)
    codes = x.vectors.table(arith.widen, x.read("vector", x["rs1"], length))
    lanes = enabled(x, length)
    if lanes is not None:
        codes = x.vectors.map(lambda on, code: mux(on, code, FP32_NEG_ZERO), lanes, codes)
    total = arith.widen(x["rd"])
    for chunk in x.vectors.tree(codes, x.vlen, arith.add32, FP32_NEG_ZERO):
        total = arith.add32(total, chunk)
    return Effect(registers={"rd": arith.round32(total)})


def red_max(x: Context) -> Effect:
    length = x.number(x.vl)
    codes = x.read("vector", x["rs1"], length)
    lanes = enabled(x, length)
    if lanes is not None:
        codes = x.vectors.map(lambda on, code: mux(on, code, NEG_INF), lanes, codes)
    best = arith.maximum(x["rd"], x["rd"])
    for chunk in x.vectors.tree(codes, x.vlen, arith.maximum, NEG_INF):
        best = arith.maximum(best, chunk)
    return Effect(registers={"rd": best})


def max_idx(x: Context) -> Effect:
    length = x.number(x.vl)
    start = MaxIndex.lane(x["rs3"], x["rd"])
    indices = x.vectors.map(lambda i, base: base + i, x.vectors.places(length), x["rs2"])
    codes = x.read("vector", x["rs1"], length)
    best: Candidate = x.vectors.reduce(MaxIndex, start, codes, indices)
    return Effect(registers={"rd": best.index, "rs3": best.code})


def max_idx_cycles(step: Step) -> int:
    """One chunk a cycle, then the tree's latency: SRAM read, lane keys, log2(VLEN) levels, fold."""
    return chunks(step) + levels(step) + 3 if step.length else 1


def sum_cycles(step: Step) -> int:
    """Two cycles for each of log2(VLEN) levels and for the fold, four between chunks."""
    return 4 * chunks(step) + 2 * levels(step) + 3 if step.length else 1


_REDUCED_TRAPS = (misaligned("rs1"), outside("vector", "rs1", vector_length))

V_RED_MAX_IDX = Instruction(
    mnemonic="V_RED_MAX_IDX",
    opcode=0x34,
    operands=(
        Operand(RD, Kind.GP, written=True, doc="running index"),
        _FROM,
        Operand(RS2, Kind.GP, doc="index of the first element"),
        Operand(RS3, Kind.F, written=True, doc="running maximum"),
    ),
    semantics=max_idx,
    doc="Continue a running argmax over VL elements: first index wins, NaN is greatest.",
    cycles=max_idx_cycles,
    traps=_REDUCED_TRAPS,
    length=length_of(vector_length),
)

ROWS = (
    _binary_row("V_ADD_VV", 0x0D, arith.add, "+"),
    _binary_row("V_ADD_VF", 0x0E, arith.add, "+"),
    _binary_row("V_SUB_VV", 0x0F, arith.sub, "-"),
    _binary_row("V_SUB_VF", 0x10, arith.sub, "-"),
    _binary_row("V_MUL_VV", 0x11, arith.mul, "*"),
    _binary_row("V_MUL_VF", 0x12, arith.mul, "*"),
    _unary_row("V_EXP_V", 0x13, arith.exp, "e to the power"),
    _unary_row("V_RECI_V", 0x14, arith.reciprocal, "reciprocal"),
    Instruction(
        mnemonic="V_RED_SUM",
        opcode=0x15,
        operands=(Operand(RD, Kind.F, written=True, doc="running sum"), _FROM, _RMASK),
        semantics=red_sum,
        doc="f[rd] += sum of VL elements: FP32 trees over chunks, then one rounding to BF16.",
        cycles=sum_cycles,
        traps=_REDUCED_TRAPS,
        length=length_of(vector_length),
    ),
    Instruction(
        mnemonic="V_RED_MAX",
        opcode=0x16,
        operands=(Operand(RD, Kind.F, written=True, doc="running maximum"), _FROM, _RMASK),
        semantics=red_max,
        doc="f[rd] = greatest of f[rd] and VL elements; any NaN gives the quiet NaN.",
        cycles=max_idx_cycles,
        traps=_REDUCED_TRAPS,
        length=length_of(vector_length),
    ),
    V_RED_MAX_IDX,
    Instruction(
        mnemonic="V_SELECT_VVM",
        opcode=0x35,
        operands=(_TO, _FROM, _SECOND, Operand(RS3, Kind.GP, doc="mask, vector address")),
        semantics=select,
        doc="vector[rd ..] = vector[rs3 ..] != 0 ? vector[rs1 ..] : vector[rs2 ..], VL elements.",
        traps=_traps("rs1", "rs2", "rs3"),
        cycles=elementwise_cycles,
        length=length_of(vector_length),
    ),
)
