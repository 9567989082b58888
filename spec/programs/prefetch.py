"""The streaming step by way of vector SRAM: H_PREFETCH_V into two buffers, V_RED_SM out of them.

A row comes in pieces of some chunks; while one is reduced, the next is on its way. H_PREFETCH_V
queues and returns, and whoever touches a range of vector SRAM waits for what is on its way there.

All goes from last to first, batch rows, positions and pieces, so that the loops' counters are the
numbers of what has come before: a counter shows the iterations left. The first piece of a row is
the partial one at its end, if there is one. A state does not depend on the order of its elements.

The first reduction of a batch row has no row before it: it takes in what the buffer happens to
hold, and its key and id go to scratch, number L. Masks share the buffers' memory: nothing is on its
way while a batch row is selected.

The program has at most 64 words for any batch, length and vocabulary; edits take more.
"""

from __future__ import annotations

from unmask.spec.encoding import FORMATS
from unmask.spec.errors import UsageError
from unmask.spec.instructions.memory import LAYOUTS
from unmask.spec.programs.step import Step
from unmask.spec.programs.text import MOST, MOST_IMMEDIATE, check, load, loop, set_address


def vector_elements(step: Step, chunks: int) -> int:
    """Elements of vector SRAM that the program uses, from 0 on."""
    return max(2 * chunks * step.vlen, step.masks)


def program(step: Step, chunks: int) -> str:
    """The assembly text.

    Args:
        step: sizes and places.
        chunks: of a piece.

    Raises:
        UsageError: on a size outside its limits, or pieces that do not begin on a block.
    """
    step.check()
    piece = chunks * step.vlen
    check(("chunks", chunks, 1, MOST_IMMEDIATE // step.vlen))
    full = (step.vocabulary - 1) // piece  # whole pieces before the one at the end of the row
    block = LAYOUTS[FORMATS[step.format]].block
    if full and piece % block:
        raise UsageError(f"chunks {chunks}: {piece} elements, expected whole blocks of {block}")
    at_end = step.vocabulary - full * piece
    first = (step.batch * step.rows - 1) * step.distance + full * piece
    check(("elements of all rows", first + at_end, 1, MOST))
    row_end = ["S_SM_ST_KEY gpE, gp0", "S_SM_ST_IDX gpE, gp0", "S_SM_CLEAR gp0"]
    row = [
        f"C_SET_CSR VL, gp0, {at_end}",
        *_fetch(),
        f"C_SET_CSR VL, gp0, {piece if full else at_end}",
        *_reduce("gp0"),
        *row_end,
        *(_pieces(full, piece, at_end) if full else []),
        "S_SUB_INT gp1, gp1, gpD",
    ]
    batch_row = [
        *loop("gpE", step.rows, row),
        *_reduce("gp0"),
        *row_end,
        "S_SUB_INT gp6, gp6, gpC",
        *step.select(f"gpF, {step.quotas}"),
    ]
    lines = [
        "; gp1 element, gp2 buffer to fill, gp3 index, gp5 piece, gp6 tokens, gp8 free",
        "; gp9 mask id, gpA gpB masks, gpC length",
        "; gpD from piece 0 of a row to the last one of that before it",
        *set_address(step.base),
        *step.set_up(),
        f"C_SET_CSR FMT0, gp0, {FORMATS[step.format]}",
        *load(1, first),
        *load(5, piece),
        *load(6, step.tokens + step.batch * step.rows),
        *load(0xD, (step.distance - full * piece) & MOST),
        *loop("gpF", step.batch, batch_row),
        "C_BREAK",
    ]
    return "\n".join(lines) + "\n"


def _fetch() -> list[str]:
    return ["H_PREFETCH_V gp2, gp1, a0, 0, 0"]


def _reduce(index: str) -> list[str]:
    """Takes in the buffer that is not being filled; it is the next to fill."""
    return ["S_SUB_INT gp2, gp5, gp2", f"V_RED_SM gp0, gp2, {index}"]


def _pieces(full: int, piece: int, at_end: int) -> list[str]:
    """The `full` whole pieces of a row fetched, and all but piece 0 reduced; VL is a piece then."""
    back = "S_SUB_INT gp1, gp1, gp5"
    body = [back, *_fetch(), "S_MUL_INT gp3, gp8, gp5", *_reduce("gp3")]
    return [
        back,
        f"C_SET_CSR VL, gp0, {piece}",
        *_fetch(),
        f"C_SET_CSR VL, gp0, {at_end}",
        *load(3, full * piece),
        *_reduce("gp3"),
        f"C_SET_CSR VL, gp0, {piece}",
        *loop("gp8", full - 1, body),
    ]
