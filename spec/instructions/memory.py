"""Transfers between HBM and the SRAMs, and the registers that describe them.

An element offset counts elements. Element i of a region lies at byte `a + i * size`; of an MX
format, the scale of its block lies at byte `a + SCALE + i / block`. All sums are exact (no wrap
around 2**64): an address beyond the window traps. `H_PREFETCH_V` and `H_STORE_V` move ROWS rows of
VL elements: row r begins r * STRIDE elements (rstride 1) or r * VL elements (rstride 0) behind
the first one, and in vector SRAM on the next free chunk.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from unmask.spec import mx
from unmask.spec.bits import Bits, concat, mux
from unmask.spec.encoding import (
    FN,
    FORMATS,
    PRECISION,
    RD,
    RS1,
    RS2,
    RS3,
    RSTRIDE,
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
    Write,
)
from unmask.spec.instructions.rules import length_of, misaligned, outside, padded, vector_length

ADDRESS_WIDTH = 72  # a 64-bit base plus a 64-bit offset in bytes never overflows
WORD = 4  # bytes of an integer


@dataclass(frozen=True)
class Layout:
    """How the elements of a format lie in memory.

    Attributes:
        size: bytes of an element.
        block: elements that share a scale; 1 where there are no scales.
        element: the MX element format, or None for BF16.
    """

    size: int
    block: int = 1
    element: mx.Element | None = None


LAYOUTS = {
    FORMATS["BF16"]: Layout(2),
    FORMATS["E4M3_B32"]: Layout(1, 32, mx.E4M3),
    FORMATS["E4M3_B8"]: Layout(1, 8, mx.E4M3),
    FORMATS["E5M2_B32"]: Layout(1, 32, mx.E5M2),
    FORMATS["E5M2_B8"]: Layout(1, 8, mx.E5M2),
}


def element_address(x: Context, base: str, offset: Bits, layout: Layout) -> Bits:
    """Byte address of an element."""
    return x[base].zext(ADDRESS_WIDTH) + offset.zext(ADDRESS_WIDTH) * layout.size


def scale_address(x: Context, base: str, offset: Bits, layout: Layout) -> Bits:
    """Byte address of the scale of an element's block."""
    block = offset >> (layout.block.bit_length() - 1)
    scales = x[base].zext(ADDRESS_WIDTH) + x.csr("SCALE").zext(ADDRESS_WIDTH)
    return scales + block.zext(ADDRESS_WIDTH)


def spans(x: Context, base: str, first: Bits, last: Bits, layout: Layout) -> tuple[Span, ...]:
    """Bytes between the elements number `first` and `last`; nothing if last < first.

    Args:
        first, last: element offsets, 70 bits; `last` is one behind the end.
    """
    begin = element_address(x, base, first, layout)
    end = element_address(x, base, last, layout)
    moved = first.ult(last)
    elements = Span(begin, mux(moved, end, begin))
    if layout.element is None:
        return (elements,)
    begin = scale_address(x, base, first, layout)
    end = scale_address(x, base, last - 1, layout) + 1
    return (elements, Span(begin, mux(moved, end, begin)))


def window(transfers: Callable[[Context], tuple[Span, ...]]) -> TrapRule:
    """WINDOW: a byte of the transfer lies outside [first, end) of the host's window."""

    def condition(x: Context) -> Bits:
        first, end = x.window
        result = None
        for span in transfers(x):
            out = span.first.ult(first) | span.end.const(ADDRESS_WIDTH, end).ult(span.end)
            out = out & span.first.ne(span.end)
            result = out if result is None else result | out
        assert result is not None
        return result

    return (Trap.WINDOW, condition)


@cache
def _dequantise(element: mx.Element) -> Callable[[Bits], Any]:
    """(scale, element) in 16 bits -> BF16 code and flags; one function object for each format."""

    def dequantise(pair: Bits) -> Any:
        return mx.dequantise(pair.extract(7, 0), pair.extract(15, 8), element)

    return dequantise


def fetch(x: Context, base: str, offset: Bits, length: int, layout: Layout) -> tuple[Any, Any]:
    """`length` elements of HBM as BF16 codes, and flags (None for BF16).

    Args:
        offset: element offset of the first, on a block.
    """
    address = element_address(x, base, offset, layout)
    if layout.element is None:
        low = x.read("hbm", address, length, step=2)
        high = x.read("hbm", address + 1, length, step=2)
        return x.vectors.map(concat, high, low), None
    codes = x.read("hbm", address, length)
    blocks = -(-length // layout.block)
    scales = x.read("hbm", scale_address(x, base, offset, layout), blocks)
    pairs = x.vectors.map(concat, x.vectors.repeat(scales, layout.block, length), codes)
    both = x.vectors.table(_dequantise(layout.element), pairs)
    return (
        x.vectors.map(lambda pair: pair[0], both),
        x.vectors.map(lambda pair: pair[1], both),
    )


def off_block(offset: Bits, base: Bits, layout: Layout) -> Bits:
    """MISALIGNED's condition: the first element of a row is on no block, or on no element."""
    return (offset & (layout.block - 1)).ne(0) | (base & (layout.size - 1)).ne(0)


# -- vectors --


def layout_of(x: Context) -> Layout:
    """The format that the precision operand stands for."""
    return LAYOUTS[x.number(x.csr(f"FMT{x.field('precision')}"))]


def _pitch(x: Context) -> Bits:
    return x.csr("STRIDE") if x.field("rstride") else x.vl


def _row_offset(x: Context, row: int) -> Bits:
    return x["rs1"].zext(70) + _pitch(x).zext(70) * row


def _rows(x: Context) -> tuple[Bits, Bits]:
    """Element offsets of the first element, and behind the last, of all rows."""
    first = x["rs1"].zext(70)
    rows = x.csr("ROWS").zext(70)
    last = first + _pitch(x).zext(70) * (rows - 1) + x.vl.zext(70)
    return first, mux(rows.ne(0) & x.vl.ne(0), last, first)


def _row_spans(x: Context) -> tuple[Span, ...]:
    return spans(x, "rs2", *_rows(x), layout_of(x))


def _misplaced(x: Context) -> Bits:
    """A row to move begins on no block, or the base on no element; also where nothing is moved."""
    layout = layout_of(x)
    several = ~x.csr("ROWS").ule(1)
    later = several & (_pitch(x) & (layout.block - 1)).ne(0)
    return off_block(x["rs1"], x["rs2"], layout) | later


def _sram_outside(x: Context) -> Bits:
    """The rows, each filled up to whole chunks, do not fit behind rd."""
    row = (x.vl.zext(70) + (x.vlen - 1)) & ~x.vl.const(70, x.vlen - 1)
    end = x["rd"].zext(70) + row * x.csr("ROWS").zext(70)
    return end.const(70, x.depth("vector")).ult(end)


def prefetch(x: Context) -> Effect:
    layout, length = layout_of(x), x.number(x.vl)
    writes = []
    for row in range(x.number(x.csr("ROWS")) if length else 0):
        codes, _ = fetch(x, "rs2", _row_offset(x, row), length, layout)
        writes.append(Write("vector", x["rd"] + row * padded(x, length), codes))
    return Effect(writes=tuple(writes))


def store(x: Context) -> Effect:
    """Rows in ascending order, of each the elements and then the scales."""
    layout, length = layout_of(x), x.number(x.vl)
    writes: list[Write] = []
    for row in range(x.number(x.csr("ROWS")) if length else 0):
        codes = x.read("vector", x["rd"] + row * padded(x, length), length)
        writes += _stored(x, _row_offset(x, row), codes, length, layout)
    return Effect(writes=tuple(writes))


def _stored(x: Context, offset: Bits, codes: Any, length: int, layout: Layout) -> list[Write]:
    address = element_address(x, "rs2", offset, layout)
    vectors = x.vectors
    if layout.element is None:
        low = vectors.map(lambda code: code.extract(7, 0), codes)
        high = vectors.map(lambda code: code.extract(15, 8), codes)
        return [Write("hbm", address, low, step=2), Write("hbm", address + 1, high, step=2)]
    element = layout.element
    blocks = vectors.tree(vectors.map(mx.scale_key, codes), layout.block, _greater, 0)
    column = vectors.stack([mx.shared_scale([key], element) for key in blocks])
    quantised = vectors.map(
        lambda code, scale: mx.quantise(code, scale, element),
        codes,
        vectors.repeat(column, layout.block, length),
    )
    where = scale_address(x, "rs2", offset, layout)
    return [Write("hbm", address, quantised), Write("hbm", where, column)]


def _greater(a: Bits, b: Bits) -> Bits:
    return mux(a.ult(b), b, a)


def _partial_block(x: Context) -> Bits:
    """A row to store ends inside a block, whose other elements would change their value."""
    return (x.vl & (layout_of(x).block - 1)).ne(0)


def issue_cycles(step: Step) -> int:
    """One to issue: the transfer goes on while younger instructions that do not touch it run."""
    return 1


_VECTOR_OPERANDS = (
    Operand(RD, Kind.GP, doc="vector address"),
    Operand(RS1, Kind.GP, doc="element offset of the first row"),
    Operand(RS2, Kind.A, doc="base address"),
    Operand(RSTRIDE, Kind.CHOICE, default=0, choices=SWITCH, doc="1: rows are STRIDE apart"),
    Operand(PRECISION, Kind.CHOICE, default=0, choices=SWITCH, doc="0: FMT0, 1: FMT1"),
)


def _vector_row(mnemonic: str, opcode: int, write: bool, doc: str) -> Instruction:
    whole = ((Trap.LENGTH, _partial_block),) if write else ()
    return Instruction(
        mnemonic=mnemonic,
        opcode=opcode,
        operands=_VECTOR_OPERANDS,
        semantics=store if write else prefetch,
        doc=doc,
        traps=(
            misaligned("rd"),
            (Trap.MISALIGNED, _misplaced),
            *whole,
            (Trap.RANGE, _sram_outside),
            window(_row_spans),
        ),
        cycles=issue_cycles,
        transfers=_row_spans,
        length=length_of(vector_length),
    )


# -- integers and keys --


def _word_spans(x: Context) -> tuple[Span, ...]:
    first = x["rs1"].zext(70)
    return spans(x, "rs2", first, first + x["rs3"].zext(70), Layout(WORD))


def _off_word(x: Context) -> Bits:
    return (x["rs2"] & (WORD - 1)).ne(0)


def _word_address(x: Context) -> Bits:
    return element_address(x, "rs2", x["rs1"], Layout(WORD))


def _load(memory: str) -> Callable[[Context], Effect]:
    def load(x: Context) -> Effect:
        length = x.number(x["rs3"])
        if length == 0:
            return Effect()
        address = _word_address(x)
        parts = [x.read("hbm", address + byte, length, step=WORD) for byte in range(WORD)]
        words = parts[0]
        for part in parts[1:]:
            words = x.vectors.map(concat, part, words)
        return Effect(writes=(Write(memory, x["rd"], words),))

    return load


def _store(memory: str) -> Callable[[Context], Effect]:
    def store_words(x: Context) -> Effect:
        length = x.number(x["rs3"])
        if length == 0:
            return Effect()
        words = x.read(memory, x["rd"], length)
        address = _word_address(x)
        return Effect(
            writes=tuple(
                Write("hbm", address + byte, _byte(x, words, byte), step=WORD)
                for byte in range(WORD)
            )
        )

    return store_words


def _byte(x: Context, words: Any, byte: int) -> Any:
    return x.vectors.map(lambda word: word.extract(8 * byte + 7, 8 * byte), words)


def _given_length(x: Context) -> Bits:
    return x["rs3"]


def _word_row(mnemonic: str, fn: int, memory: str, write: bool) -> Instruction:
    there, here = "hbm word[a + rs1 ..]", f"{memory}[rd ..]"
    return Instruction(
        mnemonic=mnemonic,
        opcode=0x3F,
        fixed=((FN, fn),),
        operands=(
            Operand(RD, Kind.GP, doc=f"{memory} address"),
            Operand(RS1, Kind.GP, doc="offset in words"),
            Operand(RS2, Kind.A, doc="base address"),
            Operand(RS3, Kind.GP, doc="length in words"),
        ),
        semantics=_store(memory) if write else _load(memory),
        doc=f"{there} = {here}, rs3 words." if write else f"{here} = {there}, rs3 words.",
        traps=(
            (Trap.MISALIGNED, _off_word),
            outside(memory, "rd", _given_length),
            window(_word_spans),
        ),
        cycles=issue_cycles,
        transfers=_word_spans,
        length=length_of(_given_length),
    )


ROWS = (
    _vector_row(
        "H_PREFETCH_V", 0x29, False, "vector[rd ..] = hbm elements, ROWS rows of VL, as BF16."
    ),
    _vector_row(
        "H_STORE_V", 0x2A, True, "hbm elements = vector[rd ..], ROWS rows of VL, quantised."
    ),
    _word_row("H_LD_INT", 0, "int", write=False),
    _word_row("H_ST_INT", 1, "int", write=True),
    _word_row("H_LD_KEY", 2, "key", write=False),
    _word_row("H_ST_KEY", 3, "key", write=True),
)
