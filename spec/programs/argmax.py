"""Greedy tokens: the argmax of each logit row in vector SRAM."""

from __future__ import annotations

from unmask.spec.errors import UsageError
from unmask.spec.formats import NEG_INF

# FP SRAM word that the host sets to -infinity, where a running maximum starts. Starting from 0.0
# instead returns index 0 for every row whose logits are all negative.
START_ADDRESS = 0
START_CODE = NEG_INF


def pitch(vocabulary: int, vlen: int) -> int:
    """Elements from one row to the next: the row, padded to whole chunks."""
    return -(-vocabulary // vlen) * vlen


def argmax_rows(rows: int, vocabulary: int, vlen: int, strip: int | None = None) -> str:
    """Assembly: int SRAM[r] = argmax of row r, FP SRAM[1 + r] = its value, for r < rows.

    Row r lies at element r * pitch(vocabulary, vlen) of vector SRAM; FP SRAM[START_ADDRESS] holds
    -infinity.

    Args:
        rows: number of rows.
        vocabulary: logits in a row, at most 2**18 - 1.
        vlen: lanes.
        strip: elements that one V_RED_MAX_IDX takes, a multiple of vlen: the row is then worked
            off in a loop, as a program does whose chunks arrive one at a time. Default: all.

    Raises:
        UsageError: on an argument outside its limits.
    """
    if not 1 <= vocabulary < 1 << 18:
        raise UsageError(f"vocabulary {vocabulary}: expected 1 to {(1 << 18) - 1}")
    if rows < 0 or (strip is not None and (strip < 1 or strip % vlen)):
        raise UsageError(f"rows {rows}, strip {strip}: expected 0 or more, a multiple of {vlen}")
    strips, tail = divmod(vocabulary, strip) if strip else (0, vocabulary)
    lines = [
        "; gp1 vector address, gp2 running index, gp3 row number, gp4 element index",
        f"C_LOOP_START gp8, {rows}",
        f"  S_LD_FP f1, gp0, {START_ADDRESS}",
        "  S_ADDI_INT gp2, gp0, 0",
        "  S_ADDI_INT gp4, gp0, 0",
    ]
    if strips:
        lines += [
            f"  C_SET_CSR VL, gp0, {strip}",
            f"  C_LOOP_START gp9, {strips}",
            "    V_RED_MAX_IDX gp2, gp1, gp4, f1",
            f"    S_ADDI_INT gp1, gp1, {strip}",
            f"    S_ADDI_INT gp4, gp4, {strip}",
            "  C_LOOP_END gp9",
        ]
    if tail:
        lines += [
            f"  C_SET_CSR VL, gp0, {tail}",
            "  V_RED_MAX_IDX gp2, gp1, gp4, f1",
            f"  S_ADDI_INT gp1, gp1, {pitch(tail, vlen)}",
        ]
    lines += [
        "  S_ST_INT gp2, gp3, 0",
        "  S_ST_FP f1, gp3, 1",
        "  S_ADDI_INT gp3, gp3, 1",
        "C_LOOP_END gp8",
        "C_BREAK",
    ]
    return "\n".join(lines) + "\n"
