"""The published sampling phase: two passes over each row of logits, in BF16.

What it computes, and with which instructions, is that of the sampling program generator of the
published PLENA simulator (`get_transfer_index_edge` of AICrossSim/PLENA_Simulator, and its
performance mode); the text is our own, with hardware loops where that one writes every instruction
out, and VL, ROWS and formats set by CSRs, which it does not have. Per position:

    pass 1   running maximum and its index, a chunk of VLEN at a time
    pass 2   in place: minus the maximum, exp; the sum of each chunk is added to a BF16 register
    end      confidence = 1 / sum, to FP SRAM; the index, to int SRAM

In edge mode both passes fetch the row from HBM, some chunks at a time. In performance mode all rows
are fetched once and stay in vector SRAM; every result is the same to the bit.

then, for all positions: the k greatest confidences among the masked positions get their token.

Its numerics are measured in `unmask.spec.manual.published_error`. Our own programs rank by softmax
states.
"""

from __future__ import annotations

from dataclasses import dataclass

from unmask.spec.encoding import FORMATS
from unmask.spec.errors import UsageError
from unmask.spec.formats import NEG_INF
from unmask.spec.programs.text import (
    MOST_IMMEDIATE,
    check,
    load,
    loop,
    set_address,
    set_csr,
    set_scale,
)
from unmask.spec.state import MOST_ELEMENTS

START_CODE = NEG_INF  # what the host puts into FP SRAM at `Sampling.start`


@dataclass(frozen=True)
class Sampling:
    """A sampling phase, and where its data lie.

    Attributes:
        rows: positions, L.
        vocabulary: logits in a row, V: whole chunks.
        vlen: lanes.
        chunks: edge mode: chunks that one H_PREFETCH_V fetches. None: performance mode.
        k: positions that get their token.
        hbm: byte address of the logits, row after row without gaps.
        format, scale: of the logits, a key of `FORMATS`; bytes from `hbm` to their scales.
        logits, confidence, mask, transfer: vector addresses: `chunks` chunks to work in, or all
            rows, then L elements each: confidences, which positions are masked, which got their
            token.
        tokens, sampled: int addresses of L elements: the ids before and after; the samples.
        from_zero: whether the running maximum starts from 0.0, as published, and not from
            -infinity, which the host puts at `start`. From 0.0, a row of negative logits gives
            token 0, and its sum is of exp(l - 0).
    """

    rows: int
    vocabulary: int
    vlen: int
    chunks: int | None
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
        resident = self.rows * self.vocabulary
        return self.logits + (resident if self.chunks is None else self.chunks * self.vlen)

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
    position = [
        begin,
        "S_ADD_FP f2, f0, f0",
        "S_ADD_INT gp2, gp0, gp0",
        "S_ADD_INT gp3, gp0, gp0",
        *_pass(s, maximum),
        *_pass(s, weights),
        "S_RECI_FP f2, f2",
        "S_ST_FP f2, gp4, 0",
        f"S_ST_INT gp2, gp4, {s.sampled}",
        "S_ADDI_INT gp4, gp4, 1",
        "S_ADD_INT gp6, gp5, gp0",
    ]
    lines = [
        "; gp1 chunk, gp2 running index, gp3 index, gp4 position",
        "; gp5 and gp6: where a pass is and where the row begins, element offset or vector address",
        *set_address(s.hbm),
        *set_scale(s.scale),
        f"C_SET_CSR VL, gp0, {s.vlen}",
        f"C_SET_CSR FMT0, gp0, {FORMATS[s.format]}",
        *(_fetch_all(s) if s.chunks is None else []),
        *loop("gp8", s.rows, position),
        f"S_ADDI_INT gp7, gp0, {s.rows}",
        *load(1, s.confidence),
        *load(2, s.mask),
        *load(3, s.transfer),
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


def _fetch_all(s: Sampling) -> list[str]:
    return [
        *set_csr("ROWS", s.rows * s.vocabulary // s.vlen, 6),
        *load(6, s.logits),
        "H_PREFETCH_V gp6, gp0, a0, 0, 0",
    ]


def _pass(s: Sampling, body: list[str]) -> list[str]:
    """One pass over the row at gp6; gp5 is behind the row then."""
    body = [*body, f"S_ADDI_INT gp1, gp1, {s.vlen}"]
    chunks = s.vocabulary // s.vlen
    if s.chunks is None:
        return ["S_ADD_INT gp1, gp6, gp0", *loop("gp10", chunks, body), "S_ADD_INT gp5, gp1, gp0"]
    whole, rest = divmod(chunks, s.chunks)
    return [
        "S_ADD_INT gp5, gp6, gp0",
        *(_pieces(s, whole, s.chunks, body) if whole else []),
        *(_pieces(s, 1, rest, body) if rest else []),
    ]


def _pieces(s: Sampling, count: int, chunks: int, body: list[str]) -> list[str]:
    """`count` pieces of `chunks` chunks, each fetched and worked off."""
    piece = [
        *load(1, s.logits),
        "H_PREFETCH_V gp1, gp5, a0, 0, 0",
        f"S_ADDI_INT gp5, gp5, {chunks * s.vlen}",
        *loop("gp10", chunks, body),
    ]
    return [f"C_SET_CSR ROWS, gp0, {chunks}", *loop("gp9", count, piece)]


def _check(s: Sampling) -> None:
    if s.vocabulary < 1 or s.vocabulary % s.vlen:
        raise UsageError(f"vocabulary {s.vocabulary}: expected a multiple of vlen = {s.vlen}")
    if s.chunks is not None:
        check(("chunks", s.chunks, 1, MOST_IMMEDIATE // s.vlen))
    elif s.rows * s.vocabulary > MOST_ELEMENTS:
        raise UsageError(
            f"rows {s.rows} of vocabulary {s.vocabulary}: expected at most {MOST_ELEMENTS} elements"
            " to stay in vector SRAM"
        )
    if s.rows < 1 or s.k < 0 or s.tokens + 2 * s.rows > MOST_IMMEDIATE:
        raise UsageError(f"rows {s.rows}, k {s.k}, tokens {s.tokens}: too small or too large")
    if s.format not in FORMATS:
        raise UsageError(f"format {s.format!r}: expected one of {', '.join(FORMATS)}")
