"""The published sampling phase: two passes over each row of logits, in BF16.

What it computes, and with which instructions, is that of the sampling program generator of the
published PLENA simulator (`get_transfer_index_edge` of AICrossSim/PLENA_Simulator); the text is
our own, with hardware loops where that one writes every instruction out, and VL, ROWS and formats
set by CSRs, which it does not have. Per position:

    pass 1   running maximum and its index, a chunk of VLEN at a time
    pass 2   the row is fetched again; in place: minus the maximum, exp; the sum of each chunk is
             added to a BF16 register
    end      confidence = 1 / sum, to FP SRAM; the index, to int SRAM

then, for all positions: the k greatest confidences among the masked positions get their token.

Its numerics are measured in `unmask.spec.manual.published_error`. Our own programs rank by softmax
states.
"""

from __future__ import annotations

from dataclasses import dataclass

from unmask.spec.encoding import FORMATS
from unmask.spec.errors import UsageError
from unmask.spec.formats import NEG_INF

START_CODE = NEG_INF  # what the host puts into FP SRAM at `Sampling.start`
MOST = (1 << 18) - 1  # of an immediate


@dataclass(frozen=True)
class Sampling:
    """A sampling phase, and where its data lie.

    Attributes:
        rows: positions, L.
        vocabulary: logits in a row, V: whole chunks.
        vlen: lanes.
        chunks: chunks that one H_PREFETCH_V fetches.
        k: positions that get their token.
        hbm: byte address of the logits, row after row without gaps.
        format, scale: of the logits, a key of `FORMATS`; bytes from `hbm` to their scales.
        logits, confidence, mask, transfer: vector addresses: `chunks` chunks to work in, then
            L elements each: confidences, which positions are masked, which got their token.
        tokens, sampled: int addresses of L elements: the ids before and after; the samples.
        from_zero: whether the running maximum starts from 0.0, as published, and not from
            -infinity, which the host puts at `start`. From 0.0, a row of negative logits gives
            token 0, and its sum is of exp(l - 0).
    """

    rows: int
    vocabulary: int
    vlen: int
    chunks: int
    k: int
    hbm: int = 0
    format: str = "BF16"
    scale: int = 0
    logits: int = 0
    tokens: int = 0
    from_zero: bool = False

    @property
    def padded(self) -> int:
        """Elements of a vector of L, filled up to whole chunks."""
        return -(-self.rows // self.vlen) * self.vlen

    @property
    def confidence(self) -> int:
        return self.logits + self.chunks * self.vlen

    @property
    def mask(self) -> int:
        return self.confidence + self.padded

    @property
    def transfer(self) -> int:
        return self.mask + self.padded

    @property
    def sampled(self) -> int:
        return self.tokens + self.rows

    @property
    def start(self) -> int:
        """FP address behind the confidences."""
        return self.rows


def program(sampling: Sampling) -> str:
    """The assembly text.

    Raises:
        UsageError: on a size or address outside its limits.
    """
    s = sampling
    _check(s)
    begin = "S_ADD_FP f1, f0, f0" if s.from_zero else f"S_LD_FP f1, gp0, {s.start}"
    maximum = ["V_RED_MAX_IDX gp2, gp1, gp3, f1", f"S_ADDI_INT gp3, gp3, {s.vlen}"]
    weights = ["V_SUB_VF gp1, gp1, f1, 0", "V_EXP_V gp1, gp1, 0", "V_RED_SUM f2, gp1, 0"]
    lines = [
        "; gp1 chunk, gp2 running index, gp3 index, gp4 position, gp5 piece, gp6 row",
        *_constant(1, s.hbm),
        "C_SET_ADDR_REG a0, gp0, gp1",
        *_constant(1, s.scale),
        "C_SET_SCALE_REG gp1",
        f"C_SET_CSR VL, gp0, {s.vlen}",
        f"C_SET_CSR FMT0, gp0, {FORMATS[s.format]}",
        f"C_LOOP_START gp8, {s.rows}",
        f"  {begin}",
        "  S_ADD_FP f2, f0, f0",
        "  S_ADD_INT gp2, gp0, gp0",
        "  S_ADD_INT gp3, gp0, gp0",
        *_pass(s, maximum),
        *_pass(s, weights),
        "  S_RECI_FP f2, f2",
        "  S_ST_FP f2, gp4, 0",
        f"  S_ST_INT gp2, gp4, {s.sampled}",
        "  S_ADDI_INT gp4, gp4, 1",
        "  S_ADD_INT gp6, gp5, gp0",
        "C_LOOP_END gp8",
        f"S_ADDI_INT gp7, gp0, {s.rows}",
        *_constant(1, s.confidence),
        *_constant(2, s.mask),
        *_constant(3, s.transfer),
        f"S_ADDI_INT gp4, gp0, {s.k}",
        f"S_ADDI_INT gp5, gp0, {s.tokens}",
        f"S_ADDI_INT gp6, gp0, {s.sampled}",
        "S_MAP_V_FP gp1, gp0, 0, gp7",
        "V_TOPK_MASK gp3, gp1, gp2, gp4, gp7",
        "S_SELECT_INT gp6, gp6, gp5, gp2, gp7",
        "S_SELECT_INT gp5, gp6, gp5, gp3, gp7",
        "C_BREAK",
    ]
    return "\n".join(lines) + "\n"


def _pass(s: Sampling, body: list[str]) -> list[str]:
    """One pass over the row at element gp6: pieces of `chunks` chunks, then what is left."""
    pieces, rest = divmod(s.vocabulary // s.vlen, s.chunks)
    lines = ["  S_ADD_INT gp5, gp6, gp0"]
    for count, chunks in ((pieces, s.chunks), (1, rest)):
        if count and chunks:
            lines += [
                f"  C_SET_CSR ROWS, gp0, {chunks}",
                f"  C_LOOP_START gp9, {count}",
                *(f"    {line}" for line in _constant(1, s.logits)),
                "    H_PREFETCH_V gp1, gp5, a0, 0, 0",
                f"    S_ADDI_INT gp5, gp5, {chunks * s.vlen}",
                f"    C_LOOP_START gp10, {chunks}",
                *(f"      {line}" for line in body),
                f"      S_ADDI_INT gp1, gp1, {s.vlen}",
                "    C_LOOP_END gp10",
                "  C_LOOP_END gp9",
            ]
    return lines


def _constant(register: int, value: int) -> list[str]:
    """Instructions that load a 32-bit constant."""
    if value <= MOST:
        return [f"S_ADDI_INT gp{register}, gp0, {value}"]
    low = f"S_ADDI_INT gp{register}, gp{register}, {value & 0xFFF}"
    return [f"S_LUI_INT gp{register}, {value >> 12}", low]


def _check(s: Sampling) -> None:
    if s.vocabulary < 1 or s.vocabulary % s.vlen:
        raise UsageError(f"vocabulary {s.vocabulary}: expected a multiple of vlen = {s.vlen}")
    if s.chunks < 1 or s.chunks * s.vlen > MOST:
        raise UsageError(f"chunks {s.chunks}: expected 1 to {MOST // s.vlen}")
    if s.rows < 1 or s.k < 0 or s.tokens + 2 * s.rows > MOST:
        raise UsageError(f"rows {s.rows}, k {s.k}, tokens {s.tokens}: too small or too large")
    if s.format not in FORMATS:
        raise UsageError(f"format {s.format!r}: expected one of {', '.join(FORMATS)}")
