"""What a sampling contract asks of a core that ranks by keys: its rule, free of dtypes and code.

Contracts differ in dtypes, compares and fills; a core has one key for each position, and the
greatest logit's token. `rule_of` says, for a contract with its parameters, which positions take
part and how they are chosen; whoever ranks (the torch sampler, a certificate, a simulator's judge)
follows the rule and needs not know the contract.

Two things are not in a rule, as no ranking has them: the contracts that take the argmax of rounded
probabilities may name another token where two round to the same, and temperatures above 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch

from unmask.spec import numerics
from unmask.spec.reference import check, dinfer, llada
from unmask.spec.reference.samplers import CONTRACTS

Counts = int | Sequence[int] | torch.Tensor
DType = Literal["bfloat16", "float16", "float32", "float64"]


@dataclass(frozen=True)
class Threshold:
    """Which confidences pass.

    Attributes:
        tau: cast to `dtype` before it is compared.
        dtype: of the confidences that PyTorch compares.
        strict: whether equality is not enough.
        nan: whether a confidence that is NaN passes.
    """

    tau: float
    dtype: DType
    strict: bool
    nan: bool = False

    @property
    def limit(self) -> int:
        """The greatest key that passes; a float64 confidence is taken for the exact one."""
        return numerics.limit(
            self.tau, "exact" if self.dtype == "float64" else self.dtype, self.strict
        )


@dataclass(frozen=True)
class Rule:
    """How a step chooses. Of equal keys the lower position is the first, a NaN row before all.

    Candidates are the masked positions before `window` whose token is not `excluded`. Chosen are

        the first `least[b]` of batch row b, and those that pass `threshold`, or
        as many of the first as `factor` allows, or
        those that pass `threshold`, or whose confidence is within `near` of the greatest

    and, among known positions, those of `edit`.

    Attributes:
        dtype: of the confidences that PyTorch ranks and compares.
        least: a count for each batch row.
        fallback: whether the first `least` are chosen only if fewer of them pass; where no row is
            NaN it is all the same, as those that pass are the first.
        overflow: what a count above the number of candidates falls on, after them, lowest
            position first: "nothing"; "masked", those not candidates (a known one keeps its token);
            "all", a known one as well, which gets `refill`.
        threshold: or none.
        factor: of Fast-dLLM's rule, or none; `whole` if all are taken when all but the last pass.
        near: or none.
        window, excluded: or none.
        shift: whether logits of position l decide position l + 1, those of 0 also position 0.
        banned: token ids whose logits count as -infinity.
        hidden: the same, for the confidence alone, after the tokens are known.
        edit: a known position that is not of the prompt gets another token whose confidence passes.
        prompt: (B, L) bool, with `edit`.
        penalty: taken from the logit of the token one position before; 0: none.
        scores: (B, L) numbers to rank by instead of confidences, greatest first; or none.
    """

    dtype: DType
    least: tuple[int, ...]
    fallback: bool = False
    overflow: Literal["nothing", "masked", "all"] = "nothing"
    threshold: Threshold | None = None
    factor: float | None = None
    whole: bool = False
    near: float | None = None
    window: int | None = None
    excluded: int | None = None
    refill: int | None = None
    shift: bool = False
    banned: tuple[int, ...] = ()
    hidden: tuple[int, ...] = ()
    edit: Threshold | None = None
    prompt: torch.Tensor | None = None
    penalty: float = 0.0
    scores: torch.Tensor | None = None


@dataclass(frozen=True)
class Shape:
    """Sizes of a step, and the dtype of its logits as the contract's source would get them."""

    batch: int
    rows: int
    vocabulary: int
    logits: torch.dtype = torch.bfloat16


def rule_of(contract: str, shape: Shape, **parameters: Any) -> Rule:
    """The rule of a contract with its parameters.

    Args:
        contract: a name of `samplers.CONTRACTS`.
        shape: of the step.
        parameters: as the contract's `oracle` takes them.

    Raises:
        ValueError: names the argument, its value, and what was expected.
    """
    if contract not in CONTRACTS:
        raise ValueError(f"contract is {contract!r}, expected one of {', '.join(CONTRACTS)}")
    known = CONTRACTS[contract]
    for name in parameters:
        if name not in known.parameters:
            wanted = ", ".join(known.parameters)
            raise ValueError(f"{name} is no parameter of {contract}, expected some of {wanted}")
    for name in known.required:
        if name not in parameters:
            raise ValueError(f"{name} is not given, expected it with contract {contract}")
    dtype = _DTYPES[known.confidence or shape.logits]
    return _RULES[contract](shape, dtype, **parameters)


_DTYPES: dict[torch.dtype, DType] = {
    torch.bfloat16: "bfloat16",
    torch.float16: "float16",
    torch.float32: "float32",
    torch.float64: "float64",
}


def _llada(
    shape: Shape,
    dtype: DType,
    *,
    k: Counts,
    block_end: int | None = None,
    temperature: float = 0.0,
    uniform: torch.Tensor | None = None,
    logits_eos_inf: bool = False,
    confidence_eos_eot_inf: bool = False,
    eos_id: int = llada.EOS,
    eot_id: int = llada.EOT,
) -> Rule:
    if check.number("temperature", temperature) != 0 or uniform is not None:
        raise ValueError(f"temperature is {temperature}, expected 0: a core takes the argmax")
    banned = (check.token_id("eos_id", eos_id, shape.vocabulary),) if logits_eos_inf else ()
    hidden: tuple[int, ...] = ()
    if confidence_eos_eot_inf:
        hidden = tuple(
            check.token_id(name, value, shape.vocabulary)
            for name, value in (("eos_id", eos_id), ("eot_id", eot_id))
        )
    return Rule(
        dtype,
        _counts("k", k, shape),
        overflow="masked",
        window=_window(block_end, shape),
        banned=banned,
        hidden=hidden,
    )


def _random(
    shape: Shape,
    dtype: DType,
    *,
    k: Counts,
    uniform: torch.Tensor,
    block_end: int | None = None,
) -> Rule:
    scores = check.uniform("uniform", uniform, (shape.batch, shape.rows), torch.float32)
    return Rule(
        dtype,
        _counts("k", k, shape),
        overflow="masked",
        window=_window(block_end, shape),
        scores=scores,
    )


def _quota(shape: Shape, dtype: DType, *, k: Counts, block_end: int | None = None) -> Rule:
    return Rule(dtype, _counts("k", k, shape), window=_window(block_end, shape))


def _quota_v1(shape: Shape, dtype: DType, *, k: Counts, block_end: int | None = None) -> Rule:
    least = tuple(check.counts("k", k, shape.batch, None))
    return Rule(dtype, least, window=_window(block_end, shape))


def _forced_one(
    strict: bool, nan: bool = False, shift: bool = False, fallback: bool = False
) -> Callable[..., Rule]:
    def rule(shape: Shape, dtype: DType, *, tau: float, block_end: int | None = None) -> Rule:
        return Rule(
            dtype,
            (1,) * shape.batch,
            threshold=Threshold(check.number("tau", tau), dtype, strict, nan),
            window=_window(block_end, shape),
            shift=shift,
            fallback=fallback,
        )

    return rule


def _factor(whole: bool) -> Callable[..., Rule]:
    def rule(shape: Shape, dtype: DType, *, factor: float, block_end: int | None = None) -> Rule:
        return Rule(
            dtype,
            (1,) * shape.batch,
            factor=check.number("factor", factor),
            whole=whole,
            window=_window(block_end, shape),
        )

    return rule


def _dream(shape: Shape, dtype: DType, *, k: int, mask_id: int) -> Rule:
    quota = check.natural("k", k, 0, shape.rows)
    refill = check.token_id("mask_id", mask_id, shape.vocabulary)
    return Rule(dtype, (quota,) * shape.batch, overflow="all", refill=refill, shift=True)


def _dinfer(shape: Shape, dtype: DType, *, tau: float, mask_id: int) -> Rule:
    return Rule(
        dtype,
        (0,) * shape.batch,
        threshold=Threshold(check.number("tau", tau), dtype, strict=False),
        near=dinfer.NEAR,
        excluded=check.token_id("mask_id", mask_id, shape.vocabulary),
    )


def _at_least(shape: Shape, dtype: DType, *, tau: float, q: Counts) -> Rule:
    least = tuple(check.counts("q", q, shape.batch, None))
    threshold = Threshold(check.number("tau", tau), dtype, strict=True)
    return Rule(dtype, least, fallback=True, threshold=threshold)


def _with_edits(
    shape: Shape,
    dtype: DType,
    *,
    tau: float,
    edit_tau: float,
    prompt: torch.Tensor,
    q: Counts = 1,
    penalty: float = 0.0,
) -> Rule:
    return replace(
        _at_least(shape, dtype, tau=tau, q=q),
        edit=Threshold(check.number("edit_tau", edit_tau), dtype, strict=True),
        prompt=check.like("prompt", prompt, (shape.batch, shape.rows), torch.bool),
        penalty=max(check.number("penalty", penalty), 0.0),
    )


def _counts(name: str, value: Counts, shape: Shape) -> tuple[int, ...]:
    return tuple(check.counts(name, value, shape.batch, shape.rows))


def _window(block_end: int | None, shape: Shape) -> int | None:
    return None if block_end is None else check.natural("block_end", block_end, 0, shape.rows)


_RULES: dict[str, Callable[..., Rule]] = {
    "llada_low_confidence": _llada,
    "llada_low_confidence_fp64": _llada,
    "llada_random": _random,
    "fast_dllm_quota": _quota,
    "fast_dllm_threshold": _forced_one(strict=False, nan=True),
    "fast_dllm_factor": _factor(whole=True),
    "fast_dllm_factor_paper": _factor(whole=False),
    "fast_dllm_v1_quota": _quota_v1,
    "fast_dllm_v1_threshold": _forced_one(strict=False),
    "fast_dllm_v2": _forced_one(strict=True, shift=True),
    "dream_maskgit_plus": _dream,
    "dinfer_threshold": _dinfer,
    "dinfer_threshold_fp64": _dinfer,
    "llada2": _at_least,
    "llada2_diffusers": _at_least,
    "llada21": _with_edits,
    "sglang_low_confidence": _forced_one(strict=True, fallback=True),
    "sglang_joint_threshold": _with_edits,
}
