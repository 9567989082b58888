"""A denoising step over batch rows of logits: its sizes, its rule, and where its data lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmask.spec.encoding import FORMATS
from unmask.spec.errors import UsageError
from unmask.spec.instructions.memory import LAYOUTS
from unmask.spec.programs import choice as choices
from unmask.spec.programs.choice import QUOTA, Choice
from unmask.spec.programs.text import MOST, MOST_IMMEDIATE, check, set_scale


@dataclass(frozen=True)
class Step:
    """One denoising step over B x L rows of V logits, and where its data lie.

    Int SRAM holds L sampled ids, L words of scratch, the ids, with edits a prompt flag for each
    id, then 0 and k of each batch row; key SRAM L keys, one of scratch, and the table of "factor".

    Attributes:
        batch, rows, vocabulary: B, L, V.
        mask_id: the id of a masked position.
        choice: which positions get their token.
        pitch: elements from row to row; default V. A multiple of the block in an MX format.
        base, format, scale: byte address of the logits; a key of `FORMATS`; bytes from `base` to
            their scales.
        vlen: lanes, for the size of masks.
    """

    batch: int
    rows: int
    vocabulary: int
    mask_id: int
    choice: Choice = QUOTA
    pitch: int = 0
    base: int = 0
    format: str = "BF16"
    scale: int = 0
    vlen: int = 8

    @property
    def distance(self) -> int:
        """Elements from row to row."""
        return self.pitch or self.vocabulary

    @property
    def tokens(self) -> int:
        """Int address of the B x L ids."""
        return 2 * self.rows

    @property
    def prompts(self) -> int:
        """Words from an id to its prompt flag, which is not 0 where the prompt is; for edits."""
        return self.batch * self.rows

    @property
    def quotas(self) -> int:
        """Int address of 0, and then k (or kmin; "factor" ignores it) of each batch row."""
        return self.tokens + self.prompts * (2 if self.choice.edits else 1)

    @property
    def factors(self) -> int:
        """Key address of the limits of ranks 0 to L - 1, for "factor"."""
        return self.rows + 1

    @property
    def padded(self) -> int:
        """Elements of a mask, filled up to whole chunks."""
        return -(-self.rows // self.vlen) * self.vlen

    @property
    def masks(self) -> int:
        """Elements at the start of vector SRAM that masks take."""
        return self.padded * (3 if self.choice.edits else 2)

    def memory(
        self,
        tokens: NDArray[np.integer],
        quotas: NDArray[np.integer],
        prompt: NDArray[np.bool_] | None = None,
    ) -> NDArray[np.uint32]:
        """What int SRAM holds before the run. The first 2 * L words may change, and the ids.

        Args:
            tokens: ids, shape (B, L).
            quotas: k of each batch row, shape (B,).
            prompt: which ids are never edited, shape (B, L); needed with edits, and only there.

        Raises:
            UsageError: if a shape is another.
        """
        ids = (self.batch, self.rows)
        _shaped("tokens", tokens, ids)
        _shaped("quotas", quotas, (self.batch,))
        if (prompt is not None) != self.choice.edits:
            given = "None" if prompt is None else "given"
            wanted = "a mask, for edits" if prompt is None else "None, as there are no edits"
            raise UsageError(f"prompt: {given}, expected {wanted}")
        flags = np.zeros(0, int) if prompt is None else _shaped("prompt", prompt, ids).ravel()
        scratch = np.zeros(2 * self.rows, int)
        return np.concatenate([scratch, tokens.ravel(), flags, [0], quotas]).astype(np.uint32)

    def check(self) -> None:
        """Raises:
        UsageError: on a size outside its limits.
        """
        check(
            ("batch", self.batch, 1, (1 << 22) - 1),
            ("rows", self.rows, 1, 1 << 16),
            ("vocabulary", self.vocabulary, 1, 1 << 18),
            ("mask_id", self.mask_id, 0, MOST_IMMEDIATE),
            ("pitch", self.pitch, 0, MOST),
            ("base", self.base, 0, (1 << 64) - 1),
            ("scale", self.scale, 0, MOST),
            ("vlen", self.vlen, 2, 2048),
            ("int words", self.quotas + self.batch + 1, 1, 1 << 18),
        )
        choices.check_choice(self.choice)
        if self.format not in FORMATS:
            raise UsageError(f"format {self.format!r}: expected one of {', '.join(FORMATS)}")
        block = LAYOUTS[FORMATS[self.format]].block
        if self.batch * self.rows > 1 and self.distance % block:
            raise UsageError(f"pitch {self.distance}: expected a multiple of the block, {block}")

    def set_up(self) -> list[str]:
        """What every program of a step begins with, but for its base address; through gp1, gp8."""
        return [
            *set_scale(self.scale),
            *choices.set_up(self.choice, self.rows, self.padded, self.mask_id),
        ]

    def select(self, quota: str) -> list[str]:
        """The selection of the batch row whose ids are at gp6, see `choice.select`."""
        return choices.select(self.choice, quota, self.factors, self.prompts)


def _shaped(name: str, given: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    if given.shape != shape:
        raise UsageError(f"{name}: shape {given.shape}, expected {shape}")
    return given
