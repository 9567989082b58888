"""The streaming sampling step: each logit read once, straight from memory into softmax states.

For every batch row b and position l one H_RED_SM; its key and first argmax are read LAG rows later,
so that the next rows' addresses are out while the data of this one arrive (four states, so LAG is
at most 3). When the last position of a batch row has been read, its mask is made from its ids, a
rule picks positions by their keys, and those get their token, in place.

The program is the same 64 words or fewer for any batch, length and vocabulary. What makes that
possible: the first LAG reads of the run, and its first selection, have no row before them. They
read empty states into the end of the sampled ids, which the next row overwrites, and select among
scratch ids with k = 0, which writes back what is there. `Step.memory` lays this out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from unmask.spec.encoding import FORMATS
from unmask.spec.errors import UsageError

Rule = Literal["quota", "rule", "factor"]
MOST_LAG = 3
MOST = (1 << 32) - 1  # of a register
_RULES = {"quota": "QUOTA", "rule": "RULE", "factor": "FACTOR"}


@dataclass(frozen=True)
class Step:
    """One denoising step over B x L rows of V logits, and where its data lie.

    Attributes:
        batch, rows, vocabulary: B, L, V.
        mask_id: the id of a masked position.
        rule: "quota": the k smallest keys; "rule": the k smallest always, and up to `most` of
            those with a key up to `limit` (a threshold with at least k); "factor": a key must
            not exceed the limit of its rank, from a table in key SRAM.
        pitch: elements from row to row; default V. A multiple of the block in an MX format.
        base, format, scale: byte address of the logits; a key of `FORMATS`; bytes from `base` to
            their scales.
        limit, most: of "rule".
        vlen: lanes, for the size of masks.
    """

    batch: int
    rows: int
    vocabulary: int
    mask_id: int
    rule: Rule = "quota"
    pitch: int = 0
    base: int = 0
    format: str = "BF16"
    scale: int = 0
    limit: int = 0
    most: int = 0
    vlen: int = 8

    @property
    def lag(self) -> int:
        return min(MOST_LAG, self.rows - 1)

    @property
    def sampled(self) -> int:
        """Int and key address of L sampled ids and their keys."""
        return 0

    @property
    def tokens(self) -> int:
        """Int address of the B x L ids, behind L words of scratch."""
        return 2 * self.rows

    @property
    def quotas(self) -> int:
        """Int address of 0, and then k of each batch row."""
        return self.tokens + self.batch * self.rows

    @property
    def factors(self) -> int:
        """Key address of the limits of ranks 0 to L - 1, for "factor"."""
        return self.rows

    @property
    def padded(self) -> int:
        """Elements of a mask, filled up to whole chunks."""
        return -(-self.rows // self.vlen) * self.vlen

    def memory(
        self, tokens: NDArray[np.integer], quotas: NDArray[np.integer]
    ) -> NDArray[np.uint32]:
        """What int SRAM holds before the run.

        Args:
            tokens: ids, shape (B, L).
            quotas: k of each batch row, shape (B,).

        Raises:
            UsageError: if a shape is another.
        """
        for name, given, shape in (
            ("tokens", tokens, (self.batch, self.rows)),
            ("quotas", quotas, (self.batch,)),
        ):
            if given.shape != shape:
                raise UsageError(f"{name}: shape {given.shape}, expected {shape}")
        scratch = np.zeros(2 * self.rows, np.uint32)
        return np.concatenate([scratch, tokens.ravel(), [0], quotas]).astype(np.uint32)


def program(step: Step) -> str:
    """The assembly text, at most 64 words.

    Raises:
        UsageError: on a size outside its limits.
    """
    s = step
    _check(s)
    stream = [
        f"H_RED_SM gp2, gp1, a0, gp0, {s.format}, 1",
        "S_ADD_INT gp1, gp1, gp3",
        "S_ADDI_INT gp2, gp2, 1",
    ]
    read = [
        "S_SM_ST_KEY gp4, gp5",
        "S_SM_ST_IDX gp4, gp5",
        "S_ADDI_INT gp4, gp4, 1",
        "S_ADDI_INT gp5, gp5, 1",
    ]
    return "\n".join(
        [
            "; gp1 element, gp2 state to fill, gp3 pitch, gp4 position, gp5 state to read",
            "; gp6 tokens, gp7 quota, gp8 k, gp9 mask id, gpA mask, gpB chosen, gpC length",
            *_constant(1, s.base >> 32, s.base & 0xFFFFFFFF),
            *_load(1, s.scale, "C_SET_SCALE_REG gp1" if s.scale else None),
            *_load(1, s.vocabulary, "C_SET_VL gp1"),
            *(_rule_csrs(s) if s.rule == "rule" else ()),
            "S_ADD_INT gp1, gp0, gp0",
            *_load(3, s.pitch or s.vocabulary),
            f"S_ADDI_INT gp4, gp0, {s.sampled + s.rows - s.lag}",
            f"S_ADDI_INT gp5, gp0, {-s.lag % 4}",
            f"S_ADDI_INT gp6, gp0, {s.tokens - s.rows}",
            f"S_ADDI_INT gp7, gp0, {s.quotas}",
            *_load(9, s.mask_id),
            f"S_ADDI_INT gpB, gp0, {s.padded}",
            f"S_ADDI_INT gpC, gp0, {s.rows}",
            f"C_LOOP_START gpF, {s.batch}",
            *_loop(s.lag, [*stream, *read]),
            *_select(s),
            *_loop(s.rows - s.lag, [*stream, *read]),
            "C_LOOP_END gpF",
            *_loop(s.lag, read),
            *_select(s, last=True),
            "C_BREAK",
            "",
        ]
    )


def _loop(count: int, body: list[str]) -> list[str]:
    """The body `count` times; a body of no iterations is left out."""
    if count == 0:
        return []
    return [f"C_LOOP_START gpE, {count}", *(f"  {line}" for line in body), "C_LOOP_END gpE"]


def _select(s: Step, last: bool = False) -> list[str]:
    """Mask, choice and write of one batch row, and on to the next."""
    third = "gpD" if s.rule == "factor" else "gp8"
    table = [f"S_ADDI_INT gpD, gp0, {s.factors}"] if s.rule == "factor" else []
    advance = [
        "S_ADD_INT gp6, gp6, gpC",
        "S_ADDI_INT gp7, gp7, 1",
        f"S_ADDI_INT gp4, gp0, {s.sampled}",
    ]
    return [
        "V_CMP_MASK_IG gpA, gp6, gp9, EQ, gpC",
        *(table or ["S_LD_INT gp8, gp7, 0"]),
        f"V_KEY_MASK_{_RULES[s.rule]} gpB, gp0, gpA, {third}, gpC",
        "S_SELECT_INT gp6, gp0, gp6, gpB, gpC",
        *([] if last else advance),
    ]


def _load(register: int, value: int, then: str | None = "") -> list[str]:
    """A 32-bit constant into a register, and what follows; nothing if `then` is None."""
    if then is None:
        return []
    name = f"gp{register:X}"
    if value < 1 << 18:
        lines = [f"S_ADDI_INT {name}, gp0, {value}"]
    else:
        lines = [f"S_LUI_INT {name}, {value >> 12}", f"S_ADDI_INT {name}, {name}, {value & 0xFFF}"]
    return [*lines, then] if then else lines


def _constant(register: int, high: int, low: int) -> list[str]:
    """A 64-bit base address into a0."""
    if high:
        return [*_load(register, high), *_load(2, low), "C_SET_ADDR_REG a0, gp1, gp2",
                "S_ADD_INT gp2, gp0, gp0"]  # fmt: skip
    return _load(register, low, "C_SET_ADDR_REG a0, gp0, gp1")


def _rule_csrs(s: Step) -> list[str]:
    return [
        *_load(1, s.limit, "C_SET_CSR LIMIT, gp1"),
        *_load(1, s.most, "C_SET_CSR KMAX, gp1"),
    ]


def _check(s: Step) -> None:
    for name, value, least, most in (
        ("batch", s.batch, 1, (1 << 22) - 1),
        ("rows", s.rows, 1, 1 << 16),
        ("vocabulary", s.vocabulary, 1, 1 << 18),
        ("mask_id", s.mask_id, 0, MOST),
        ("pitch", s.pitch, 0, MOST),
        ("base", s.base, 0, (1 << 64) - 1),
        ("scale", s.scale, 0, MOST),
        ("limit", s.limit, 0, MOST),
        ("most", s.most, 0, MOST),
        ("vlen", s.vlen, 2, 2048),
        ("int words", s.quotas + s.batch + 1, 1, 1 << 18),
    ):
        if not least <= value <= most:
            raise UsageError(f"{name} {value}: expected {least} to {most}")
    if s.rule not in _RULES:
        raise UsageError(f"rule {s.rule!r}: expected one of {', '.join(_RULES)}")
    if s.format not in FORMATS:
        raise UsageError(f"format {s.format!r}: expected one of {', '.join(FORMATS)}")
