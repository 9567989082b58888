"""Which positions of a batch row get their token: the selection of a denoising step.

`Choice` names a rule; the text for it works on keys and sampled ids at address 0 of key and int
SRAM, ids in place, and masks at the start of vector SRAM, each filled up to whole chunks:

    0             candidates                        gp6    first id of the batch row
    padded        chosen                            gp8    free
    2 * padded    a third one, for edits only       gp9    mask id
                                                    gpA    2 * padded, gpB padded, gpC length L

A k or kmin above the number of masked positions takes them all; nothing else is ever a candidate.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from unmask.spec.errors import UsageError
from unmask.spec.numerics import DType, limit
from unmask.spec.programs.text import MOST, check, load, set_csr

Rule = Literal["quota", "rule", "factor"]
_MNEMONICS = {
    "quota": "V_KEY_MASK_QUOTA",
    "rule": "V_KEY_MASK_RULE",
    "factor": "V_KEY_MASK_FACTOR",
}


@dataclass(frozen=True)
class Choice:
    """A rule, and what it does with rows whose confidence is NaN.

    Such rows (a NaN or +infinity among the logits, or nothing but -infinity) rank first, as in
    torch.topk, and are below every limit: a threshold accepts them all, which is the "not <" of
    Fast-dLLM. With `nan_last` they rank behind all others and pass no threshold, which is ">" and
    ">=" of PyTorch; then they get a token only where kmin exceeds the other masked positions.
    PyTorch, in contrast, forces its first NaN before any number: LLaDA2 and SGLang where fewer
    than kmin numbers pass, Fast-dLLM's v1 always. There a step differs from theirs: it takes a
    number that they leave, or leaves the NaN that they take. Nothing else differs. "factor"
    accepts the row of rank 0 whatever it is, and by the same order.

    Attributes:
        rule: "quota": the k smallest keys. "rule": the kmin smallest always, and up to `most`
            of those with a key up to `limit`. "factor": a key must not exceed the limit of its
            rank, from a table in key SRAM (`factor_limits`). k and kmin are given for each batch
            row, in int SRAM.
        limit, most: of "rule"; `most` counts for edits too, by themselves.
        edit_limit: of "rule": also replaces known tokens that are not the prompt's, where another
            one was sampled and its key is up to this. None: no edits.
        nan_last: see above.
    """

    rule: Rule
    limit: int = 0
    most: int = MOST
    edit_limit: int | None = None
    nan_last: bool = False

    @property
    def edits(self) -> bool:
        return self.edit_limit is not None


QUOTA = Choice("quota")
FACTOR = Choice("factor")


def not_below(tau: float, dtype: DType = "exact") -> Choice:
    """All of confidence not below tau, the first kmin always: Fast-dLLM's threshold, kmin = 1."""
    return Choice("rule", limit(tau, dtype))


def above(tau: float, dtype: DType = "float32", edit_tau: float | None = None) -> Choice:
    """All of confidence above tau, the first kmin always.

    That is LLaDA2's rule with kmin = q: if those above tau are at least q, they hold the first q.
    With kmin = 1 it is SGLang's LowConfidence; with `edit_tau` it is LLaDA2.1's, and with kmin = 1
    and no penalty SGLang's JointThreshold. `nan_last` is set.

    Args:
        tau: threshold for masked positions.
        dtype: of the confidences compared, see `numerics.limit`.
        edit_tau: threshold for edits; None: no edits.
    """
    edit_limit = None if edit_tau is None else limit(edit_tau, dtype, strict=True)
    return Choice("rule", limit(tau, dtype, strict=True), edit_limit=edit_limit, nan_last=True)


def factor_limits(factor: float, rows: int) -> list[int]:
    """The table of "factor" for Fast-dLLM's paper: the greatest n with (n + 1)(1 - c_n) < factor.

    c_n, the n-th greatest confidence, falls with n while 1 - factor / (n + 1) rises, so each rank
    by itself passes or fails, and those that pass are the first ones. Rank 0 always passes. NaN
    rows that rank first pass all; the paper's rule takes the first of them, and the others only if
    a number behind them passes.

    Not expressible is that the published code also takes the last masked position if all but it
    pass (`reference.fast_dllm.published_count`; so of two it always takes both): the limit of a
    rank cannot depend on how many positions are masked, nor on whether the ranks before pass.

    Args:
        factor: any number but NaN.
        rows: L, entries of the table.
    """
    exact = Fraction(factor)
    return [MOST, *(limit(1 - exact / (n + 1), strict=True) for n in range(2, rows + 1))]


def check_choice(choice: Choice) -> None:
    """Raises:
    UsageError: on a rule that does not exist, or a number outside its limits.
    """
    if choice.rule not in _MNEMONICS:
        raise UsageError(f"rule {choice.rule!r}: expected one of {', '.join(_MNEMONICS)}")
    check(("limit", choice.limit, 0, MOST), ("most", choice.most, 0, MOST))
    if choice.edit_limit is not None:
        check(("edit_limit", choice.edit_limit, 0, MOST))
        if choice.rule != "rule":
            raise UsageError(f"edit_limit with rule {choice.rule!r}: expected 'rule'")


def set_up(choice: Choice, rows: int, padded: int, mask_id: int) -> list[str]:
    """Once, before the first selection."""
    rule = [*set_csr("LIMIT", choice.limit, 8), f"C_SET_CSR KMAX, gp0, {min(choice.most, rows)}"]
    return [
        *(rule if choice.rule == "rule" else []),
        *(["C_SET_CSR NAN, gp0, 1"] if choice.nan_last else []),
        *load(9, mask_id),
        *(load(0xA, 2 * padded) if choice.edits else []),
        *load(0xB, padded),
        *load(0xC, rows),
    ]


def select(choice: Choice, quota: str, factors: int, prompts: int) -> list[str]:
    """Mask, choice and write of the batch row at gp6. With edits, VL is L afterwards.

    Args:
        quota: base and offset of k or kmin in int SRAM, as S_LD_INT takes them.
        factors: key address of the table of "factor".
        prompts: words from an id to its prompt flag, for edits.
    """
    factor = choice.rule == "factor"
    return [
        "V_CMP_MASK_IG gp0, gp6, gp9, EQ, gpC",
        f"S_ADDI_INT gp8, gp0, {factors}" if factor else f"S_LD_INT gp8, {quota}",
        f"{_MNEMONICS[choice.rule]} gpB, gp0, gp0, gp8, gpC",
        *(_edit(choice.limit, choice.edit_limit, prompts) if choice.edit_limit is not None else []),
        "S_SELECT_INT gp6, gp0, gp6, gpB, gpC",
    ]


def _edit(limit: int, edit_limit: int, prompts: int) -> list[str]:
    """Adds to the chosen: known, not of the prompt, another token sampled, and sure of it."""
    return [
        "C_SET_CSR VL, gpC",
        "V_CMP_MASK_IG gp0, gp6, gp9, NE, gpC",
        "V_CMP_MASK_II gpA, gp0, gp6, NE, gpC",
        "V_MUL_VV gp0, gp0, gpA",
        f"S_ADDI_INT gp8, gp6, {prompts}",
        "V_CMP_MASK_IG gpA, gp8, gp0, EQ, gpC",
        "V_MUL_VV gp0, gp0, gpA",
        *set_csr("LIMIT", edit_limit, 8),
        "V_KEY_MASK_RULE gpA, gp0, gp0, gp0, gpC",
        "V_ADD_VV gpB, gpB, gpA",
        *set_csr("LIMIT", limit, 8),
    ]
