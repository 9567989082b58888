"""The sampler as operators of PyTorch, opaque to `torch.compile`, on any device.

A vocabulary split over any number of devices, in any way and merged in any order, gives the bits of
the whole row:

    states = [torch.ops.unmask.sm_reduce(shard, base_id, banned) for shard, base_id in shards]
    state = functools.reduce(torch.ops.unmask.sm_merge, states)
    token, key, confidence, status = torch.ops.unmask.sm_finish(state, False)

A state is int64 (..., 10), see `rows`; ids are those of the whole vocabulary. Operators have no
derivatives: nothing here has one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from unmask.spec.reductions import parts
from unmask.spec.reference import check
from unmask.spec.sampler import rows
from unmask.spec.sampler.end import finish
from unmask.spec.sampler.rows import EMPTY, PARTS, row_states
from unmask.spec.sampler.step import Sampled, step
from unmask.spec.softmax import MOST_ELEMENTS, SoftmaxState

IDS = 1 << 32  # of an index; the last stands for none
Columns = tuple[Tensor, Tensor, Tensor, Tensor]


@torch.library.custom_op("unmask::sm_reduce", mutates_args=())
def sm_reduce(shard: Tensor, base_id: int, banned: Sequence[int]) -> Tensor:
    """The states (..., 10) of the rows of a shard of the vocabulary.

    Args:
        shard: (..., V) of a floating dtype, V from 0 to 2**18; rounded to BF16.
        base_id: id of the shard's first logit.
        banned: ids whose logits count as -infinity; those of other shards do not matter.

    Raises:
        ValueError: names the argument, its value, and what was expected.
    """
    _check_shard(shard)
    check.natural("base_id", base_id, 0, IDS - 1 - shard.shape[-1])
    size = shard.shape[-1]
    if 0 in shard.shape:
        none = [part.value for part in parts(EMPTY)]
        return torch.tensor(none, device=shard.device).repeat(*shard.shape[:-1], 1)
    logits = shard.reshape(1, -1, size)
    here = [token - base_id for token in banned if 0 <= token - base_id < size]
    patch = rows.banned(logits, here) if here else None
    packed = row_states(logits, patch)[0]
    packed[..., 1] += base_id
    return packed.view(*shard.shape[:-1], PARTS)


@sm_reduce.register_fake
def _(shard: Tensor, base_id: int, banned: Sequence[int]) -> Tensor:
    return shard.new_empty((*shard.shape[:-1], PARTS), dtype=torch.int64)


@torch.library.custom_op("unmask::sm_merge", mutates_args=())
def sm_merge(a: Tensor, b: Tensor) -> Tensor:
    """The states of the rows whose shards' states are `a` and `b`, both (..., 10) alike.

    Raises:
        ValueError: if they have not the dtype and shape of states, or not the same shape. What
            they hold, and so whether both are of the same rows, is not looked at.
    """
    _check_state("a", a)
    check.like("b", b, tuple(a.shape), torch.int64)
    return rows.pack(SoftmaxState.combine(rows.unpack(a), rows.unpack(b)))


@sm_merge.register_fake
def _(a: Tensor, b: Tensor) -> Tensor:
    return torch.empty_like(a, memory_format=torch.contiguous_format)


@torch.library.custom_op("unmask::sm_finish", mutates_args=())
def sm_finish(state: Tensor, nan_last: bool) -> Columns:
    """Token, key, confidence and status of whole rows, each (...): see `end.End`.

    Args:
        state: (..., 10) int64.
        nan_last: whether rows without a confidence rank last, not first.

    Raises:
        ValueError: if this has not the dtype and shape of states. What it holds is not looked at.
    """
    _check_state("state", state)
    token, key, confidence, status = finish(state, nan_last)
    return token.clone(), key, confidence, status  # the token may be a view of the state


@sm_finish.register_fake
def _(state: Tensor, nan_last: bool) -> Columns:
    def made(dtype: torch.dtype) -> Tensor:
        return state.new_empty(state.shape[:-1], dtype=dtype)

    return made(torch.int64), made(torch.int64), made(torch.bfloat16), made(torch.int64)


@torch.library.custom_op("unmask::sample_step", mutates_args=())
def sample_step_op(
    logits: Tensor,
    x: Tensor,
    mask: Tensor,
    contract: str,
    names: str,
    tensors: Sequence[Tensor],
    numbers: Sequence[int | float | bool],
) -> list[Tensor]:
    """`sample_step`, as `traced_step` calls it; returns the tensors of `Sampled`.

    Args:
        logits, x, mask, contract: as there, mask (B, L) bool.
        names: of parameters: the tensors, then the numbers; a comma between two.
        tensors, numbers: their values.
    """
    named = zip(names.split(",") if names else [], (*tensors, *numbers), strict=True)
    return list(vars(step(logits, x, mask, contract, dict(named))).values())


@sample_step_op.register_fake
def _(
    logits: Tensor,
    x: Tensor,
    mask: Tensor,
    contract: str,
    names: str,
    tensors: Sequence[Tensor],
    numbers: Sequence[int | float | bool],
) -> list[Tensor]:
    ids, bools = torch.int64, torch.bool
    dtypes = (ids, bools, ids, ids, torch.bfloat16, ids, ids)
    return [torch.empty(x.shape, dtype=dtype, device=x.device) for dtype in dtypes]


def traced_step(
    logits: Tensor, x: Tensor, mask: Tensor | int, contract: str, parameters: dict[str, Any]
) -> Sampled:
    """`sample_step` where `torch.compile` looks on: one operator."""
    if not isinstance(mask, Tensor):
        mask = x == check.token_id("mask", mask, logits.shape[-1])
    tensors, numbers = {}, {}
    for name, value in parameters.items():
        if isinstance(value, list | tuple):  # counts, of each row
            tensors[name] = torch.tensor(value)
        elif isinstance(value, Tensor):
            tensors[name] = value
        elif value is not None:  # None stands for a default
            numbers[name] = value
    names = ",".join((*tensors, *numbers))
    values = list(tensors.values()), list(numbers.values())
    return Sampled(*sample_step_op(logits, x, mask, contract, names, *values))


def _check_shard(shard: Tensor) -> None:
    if shard.dtype not in check.FLOATS:
        wanted = ", ".join(map(str, check.FLOATS))
        raise ValueError(f"shard is {shard.dtype}, expected one of {wanted}")
    if shard.dim() == 0 or shard.shape[-1] > MOST_ELEMENTS:
        raise ValueError(
            f"shard has shape {tuple(shard.shape)}, expected (..., V), V at most {MOST_ELEMENTS}"
        )


def _check_state(name: str, state: Tensor) -> None:
    if state.dtype != torch.int64 or state.shape[-1:] != (PARTS,):
        got = f"{state.dtype} of shape {tuple(state.shape)}"
        raise ValueError(f"{name} is {got}, expected torch.int64 of shape (..., {PARTS})")
