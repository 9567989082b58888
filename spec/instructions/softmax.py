"""Softmax states: one pass over a row of logits, and what is read from the state afterwards.

A state is a function of the multiset of elements and their indices (`unmask.spec.softmax`), so
several instructions may feed one state, in any order, from vector SRAM or from memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from unmask.spec import softmax
from unmask.spec.bits import Bits
from unmask.spec.encoding import (
    CLEAR,
    FN,
    FORMAT,
    FORMATS,
    NO_TOKEN,
    RD,
    RS1,
    RS2,
    RS3,
    SWITCH,
    Context,
    Effect,
    Instruction,
    Kind,
    Operand,
    Span,
    Step,
    Trap,
    TrapRule,
)
from unmask.spec.formats import NEG_INF
from unmask.spec.instructions.memory import LAYOUTS, Layout, fetch, off_block, spans, window
from unmask.spec.instructions.rules import (
    chunks,
    length_of,
    levels,
    misaligned,
    outside,
    vector_length,
)
from unmask.spec.softmax import MOST_ELEMENTS, Placed, SoftmaxState, lane_of

BANS = ("BAN0", "BAN1", "BAN2", "BAN3")

_STATE = Operand(RD, Kind.GP, doc="state: its value modulo 4")
_READ = Operand(RS1, Kind.GP, doc="state: its value modulo 4")
_CLEAR = Operand(CLEAR, Kind.CHOICE, default=0, choices=SWITCH, doc="1: empty the state first")


def banned(vectors: Any, codes: Any, base: Bits, tokens: Iterable[Bits]) -> Any:
    """Codes in which banned tokens count as -infinity; the flags of their MX elements stand.

    Args:
        vectors: the operations of the vector.
        codes: a vector of BF16 codes.
        base: index of the first one.
        tokens: the indices that are banned; NO_TOKEN bans nobody.
    """
    for token in tokens:
        codes = vectors.replace(codes, token - base, NEG_INF, token.ne(NO_TOKEN))
    return codes


def _reduce(x: Context, start: softmax.State, codes: Any, flags: Any, length: int) -> Effect:
    base = x["rs3"]
    codes = banned(x.vectors, codes, base, [x.csr(name) for name in BANS])
    indices = x.vectors.map(lambda i, b: b + i, x.vectors.places(length), base)
    lanes = x.vectors.table(lane_of, codes)
    parts = (lanes, indices) if flags is None else (lanes, indices, flags)
    return Effect(softmax=("rd", x.vectors.reduce(Placed, start, *parts)))


def _start(x: Context) -> softmax.State:
    state: softmax.State = x.softmax("rd")
    return SoftmaxState.empty(state.key) if x.field("clear") else state


def red_sm(x: Context) -> Effect:
    length = x.number(x.vl)
    if length == 0:
        return Effect(softmax=("rd", _start(x)))
    codes = x.read("vector", x["rs1"], length)
    return _reduce(x, _start(x), codes, None, length)


def stream_sm(x: Context) -> Effect:
    length = x.number(x.vl)
    if length == 0:
        return Effect(softmax=("rd", _start(x)))
    codes, flags = fetch(x, "rs2", x["rs1"], length, _layout(x))
    return _reduce(x, _start(x), codes, flags, length)


def _layout(x: Context) -> Layout:
    return LAYOUTS[x.field("format")]


def _stream_spans(x: Context) -> tuple[Span, ...]:
    first = x["rs1"].zext(70)
    return spans(x, "rs2", first, first + x.vl.zext(70), _layout(x))


def _off_block(x: Context) -> Bits:
    return off_block(x["rs1"], x["rs2"], _layout(x))


def _too_many(x: Context) -> Bits:
    """The state would hold over 2**18 elements, for which its sums are not wide enough."""
    count = _start(x).count.zext(34) + x.vl.zext(34)
    return count.const(34, MOST_ELEMENTS).ult(count)


_LENGTH: TrapRule = (Trap.LENGTH, _too_many)


def state_cycles(step: Step) -> int:
    """One chunk a cycle, then the pipeline: key tree, lane, slot tree."""
    return chunks(step) + 2 * levels(step) + 8 if step.length else 1


def stream_cycles(step: Step) -> int:
    """One to issue; reading the state waits until the stream has arrived."""
    return 1


def divide_cycles(step: Step) -> int:
    """The serial division of the key: one quotient bit a cycle, and what surrounds it."""
    return 36


def confidence_cycles(step: Step) -> int:
    """The key's division, then that of the confidence."""
    return 48


def _value(function: Callable[[softmax.State, Bits], Bits]) -> Callable[[Context], Effect]:
    def semantics(x: Context) -> Effect:
        return Effect(registers={"rd": function(x.softmax("rs1"), x.csr("NAN").extract(0, 0))})

    return semantics


def _key(state: softmax.State, nan_last: Bits) -> Bits:
    return softmax.key32(state, nan_last)


def _confidence(state: softmax.State, nan_last: Bits) -> Bits:
    return softmax.confidence(softmax.key32(state, nan_last))


def _maximum(state: softmax.State, nan_last: Bits) -> Bits:
    return softmax.maximum(state)


def _index(state: softmax.State, nan_last: Bits) -> Bits:
    return state.index


def _flags(state: softmax.State, nan_last: Bits) -> Bits:
    return softmax.status(state)


def clear(x: Context) -> Effect:
    return Effect(softmax=("rs1", SoftmaxState.empty(x.softmax("rs1").key)))


def _to_memory(
    memory: str, function: Callable[[softmax.State, Bits], Bits]
) -> Callable[[Context], Effect]:
    def semantics(x: Context) -> Effect:
        value = function(x.softmax("rs1"), x.csr("NAN").extract(0, 0))
        return Effect(stores=((memory, x["rd"], value),))

    return semantics


def load_key(x: Context) -> Effect:
    return Effect(registers={"rd": x.load("key", x["rs1"])})


def store_key(x: Context) -> Effect:
    return Effect(stores=(("key", x["rs1"], x["rd"]),))


def _outside(memory: str, operand: str) -> TrapRule:
    def condition(x: Context) -> Bits:
        return ~x[operand].ult(x.depth(memory))

    return (Trap.RANGE, condition)


def move_cycles(step: Step) -> int:
    """The address at issue, the data one cycle later."""
    return 2


def _state_row(
    what: str,
    fn: int,
    kind: Kind,
    function: Callable[[softmax.State, Bits], Bits],
    doc: str,
    cycles: Callable[[Step], int],
) -> Instruction:
    return Instruction(
        mnemonic=f"S_SM_{what}",
        opcode=0x3C,
        fixed=((FN, fn),),
        operands=(Operand(RD, kind, written=True), _READ),
        semantics=_value(function),
        doc=doc,
        cycles=cycles,
    )


def _memory_row(
    what: str,
    fn: int,
    memory: str,
    function: Callable[[softmax.State, Bits], Bits],
    cycles: Callable[[Step], int],
) -> Instruction:
    return Instruction(
        mnemonic=f"S_SM_ST_{what}",
        opcode=0x3C,
        fixed=((FN, fn),),
        operands=(Operand(RD, Kind.GP, doc=f"{memory} address"), _READ),
        semantics=_to_memory(memory, function),
        doc=f"{memory}[rd] = {what} of state rs1.",
        traps=(_outside(memory, "rd"),),
        cycles=cycles,
    )


ROWS = (
    Instruction(
        mnemonic="V_RED_SM",
        opcode=0x3A,
        operands=(
            _STATE,
            Operand(RS1, Kind.GP, doc="source, vector address"),
            Operand(RS3, Kind.GP, doc="index of the first element"),
            _CLEAR,
        ),
        semantics=red_sm,
        doc="Softmax state rd takes in VL elements of vector[rs1 ..].",
        traps=(misaligned("rs1"), _LENGTH, outside("vector", "rs1", vector_length)),
        cycles=state_cycles,
        length=length_of(vector_length),
    ),
    Instruction(
        mnemonic="H_RED_SM",
        opcode=0x3B,
        operands=(
            _STATE,
            Operand(RS1, Kind.GP, doc="element offset"),
            Operand(RS2, Kind.A, doc="base address"),
            Operand(RS3, Kind.GP, doc="index of the first element"),
            Operand(FORMAT, Kind.CHOICE, choices=FORMATS, doc="format and block"),
            _CLEAR,
        ),
        semantics=stream_sm,
        doc="Softmax state rd takes in VL elements of memory, dequantised as they arrive.",
        traps=((Trap.MISALIGNED, _off_block), _LENGTH, window(_stream_spans)),
        cycles=stream_cycles,
        transfers=_stream_spans,
        length=length_of(vector_length),
    ),
    Instruction(
        mnemonic="S_SM_CLEAR",
        opcode=0x3C,
        fixed=((FN, 0),),
        operands=(_READ,),
        semantics=clear,
        doc="Empty state rs1.",
    ),
    _state_row("MAX", 1, Kind.F, _maximum, "f[rd] = greatest element of state rs1.", move_cycles),
    _state_row(
        "CONF", 2, Kind.F, _confidence, "f[rd] = confidence of state rs1.", confidence_cycles
    ),
    _state_row(
        "IDX", 3, Kind.GP, _index, "rd = index of the greatest element of rs1.", move_cycles
    ),
    _state_row("KEY", 4, Kind.GP, _key, "rd = key of state rs1, for ranking.", divide_cycles),
    _state_row(
        "FLAGS",
        5,
        Kind.GP,
        _flags,
        "rd = flags of state rs1: 1 empty, 2 NaN, 4 +infinity, 8 nothing but -infinity, "
        "16 big maximum, 32 MX element saturated, 64 MX element rounded.",
        move_cycles,
    ),
    _memory_row("KEY", 6, "key", _key, divide_cycles),
    _memory_row("IDX", 7, "int", _index, move_cycles),
    Instruction(
        mnemonic="S_LD_KEY",
        opcode=0x3C,
        fixed=((FN, 8),),
        operands=(
            Operand(RD, Kind.GP, written=True),
            Operand(RS1, Kind.GP, doc="key address"),
        ),
        semantics=load_key,
        doc="rd = key[rs1].",
        traps=(_outside("key", "rs1"),),
        cycles=move_cycles,
    ),
    Instruction(
        mnemonic="S_ST_KEY",
        opcode=0x3C,
        fixed=((FN, 9),),
        operands=(Operand(RD, Kind.GP), Operand(RS1, Kind.GP, doc="key address")),
        semantics=store_key,
        doc="key[rs1] = rd.",
        traps=(_outside("key", "rs1"),),
    ),
)
