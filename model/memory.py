"""The read and the write side of the bus: transfers in, cycles out.

A transfer is a list of pieces, each contiguous in HBM: one, or one for each row of H_PREFETCH_V and
H_STORE_V. `model/README.md` has the recurrences, `kernel` their text.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from unmask.model.settings import Bus
from unmask.spec.encoding import Instruction
from unmask.spec.instructions.memory import LAYOUTS, Layout, layout_of, spans
from unmask.spec.machine import Operands

# Cycles of fixed stages, from one named point to the next.
TO_ADDRESS = 2  # issue of a read to its first address: the queue, the address generator
DEQUANTISE = 3  # a slice leaves the FIFOs; its BF16 codes are there
TO_SRAM = 2  # codes rotated into place and written
TO_QUANTISE = 6  # issue of a store to its first slice at the FIFOs: queue, SRAM, quantiser
WORD = Layout(4)


@dataclass(frozen=True)
class Piece:
    """Contiguous elements of HBM, and their scales.

    Attributes:
        first, end: bytes [first, end), end > first.
        scale, scale_end: bytes of the scales; equal if there are none.
    """

    first: int
    end: int
    scale: int = 0
    scale_end: int = 0


@dataclass(frozen=True)
class Transfer:
    """What a memory instruction moves.

    Attributes:
        pieces: in order.
        layout: of its elements.
        lanes: elements that it moves in a cycle at most: VLEN, or 1 for words.
    """

    pieces: tuple[Piece, ...]
    layout: Layout
    lanes: int


def transfer_of(row: Instruction, x: Operands) -> Transfer:
    """What an instruction of a row with `transfers` moves, from its operands."""
    if row.mnemonic in ("H_PREFETCH_V", "H_STORE_V"):
        layout, length = layout_of(x), x.number(x.vl)
        pitch = (x.csr("STRIDE") if x.field("rstride") else x.vl).zext(70)
        firsts = [
            x["rs1"].zext(70) + pitch * number
            for number in range(x.number(x.csr("ROWS")) if length else 0)
        ]
        found = [spans(x, "rs2", first, first + length, layout) for first in firsts]
        lanes = x.vlen
    else:
        assert row.transfers is not None
        layout = LAYOUTS[x.field("format")] if row.mnemonic == "H_RED_SM" else WORD
        found, lanes = [row.transfers(x)], x.vlen if row.mnemonic == "H_RED_SM" else 1
    pieces = tuple(
        Piece(*(x.number(edge) for span in parts for edge in (span.first, span.end)))
        for parts in found
    )
    return Transfer(tuple(p for p in pieces if p.first < p.end), layout, lanes)


def bursts(transfer: Transfer, bus: Bus) -> Iterator[tuple[int, list[int]]]:
    """Each burst of a transfer: the address of its first beat, and the addresses of its beats."""
    for piece in transfer.pieces:
        for first, end in ((piece.first, piece.end), (piece.scale, piece.scale_end)):
            if first == end:
                continue
            begin, last = first // bus.beat, (end - 1) // bus.beat
            for channel in range(bus.channels):
                run: list[int] = []
                for beat in range(begin, last + 1):
                    if beat % bus.channels != channel:
                        continue
                    if run and beat // bus.channels % bus.burst == 0:
                        yield run[0] * bus.beat, [x * bus.beat for x in run]
                        run = []
                    run.append(beat)
                if run:
                    yield run[0] * bus.beat, [x * bus.beat for x in run]


class Memory:
    """The bus and the memory behind it, from the start of a run on.

    Args:
        bus: its numbers.
        stall: share of cycles in which a beat is held back at random.
        text: the module `kernel`, or one like it.

    Attributes:
        window: cycles [first, end) in which `kernel.Side.busy` is kept; set before the first
            transfer.
    """

    def __init__(self, bus: Bus, stall: float = 0, text: Any = None) -> None:
        self.bus, self.stall, self._text = bus, stall, text
        self.window = (0, 0)

    @cached_property
    def kernel(self) -> Any:
        """The recurrences. Its compiler takes a second to import, which only transfers need."""
        if self._text is None:
            from unmask.model import kernel

            return kernel
        return self._text

    @cached_property
    def reads(self) -> Any:
        """`kernel.Side` of the read channels."""
        return self.kernel.side(self.bus, self.stall, self.window)

    @cached_property
    def writes(self) -> Any:
        """`kernel.Side` of the write channels."""
        return self.kernel.side(self.bus, self.stall, self.window)

    def slice_bytes(self, transfer: Transfer) -> int:
        """Bytes that go through the lanes in a cycle: at most a stripe."""
        return min(transfer.lanes * transfer.layout.size, self.bus.channels * self.bus.beat)

    def read(self, transfer: Transfer, issue: int) -> int:
        """The cycle in which the last slice of a read that has pieces enters the lanes."""
        width, block, done = self.slice_bytes(transfer), transfer.layout.block, issue
        for piece in transfer.pieces:
            scales = piece.scale < piece.scale_end
            done = int(
                self.kernel.read_piece(
                    self.bus, self.reads, piece.first, piece.end, width, piece.scale,
                    block if scales else 0, issue + TO_ADDRESS,
                )
            )  # fmt: skip
        return done

    def write(self, transfer: Transfer, issue: int) -> int:
        """The cycle in which the last answer to a write that has pieces comes."""
        lanes, block, answered = transfer.lanes, transfer.layout.block, issue
        elements = self.slice_bytes(transfer), 1
        # A second pass over the row gives them: those of a row's blocks, or one in `pace` rows.
        pace = max(1, block // lanes)
        scales = min(max(1, lanes // block), self.bus.channels * self.bus.beat), pace
        ahead = pace - 1 if transfer.layout.element is not None else 0
        start = issue + TO_QUANTISE + ahead  # a block's rows are read before its scale is known
        for piece in transfer.pieces:
            for first, end, (width, cycles) in (
                (piece.first, piece.end, elements),
                (piece.scale, piece.scale_end, scales),
            ):
                if first < end:
                    answer = self.kernel.write_piece(
                        self.bus, self.writes, first, end, width, cycles, start
                    )
                    answered = max(answered, int(answer))
        return answered
