"""Steps of contracts on the interpreter: which program does them, and all that it may write.

`Sampler` is a callable as `unmask conform` takes it; of its last run it keeps keys, sampled ids and
the positions chosen, as they were when the ids were written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from unmask.spec import isa
from unmask.spec.assembler import assemble
from unmask.spec.encoding import Trap
from unmask.spec.machine import Machine
from unmask.spec.pack import Shape, pack, unpack
from unmask.spec.programs import denoise, prefetch, stream
from unmask.spec.programs.choice import FACTOR, QUOTA, Choice, above, factor_limits, not_below
from unmask.spec.programs.step import Step
from unmask.spec.reference import rules
from unmask.spec.state import Config
from unmask.spec.vectors import WHOLE

Values = dict[str, Any]

# Contract -> its choice, which ranks NaN rows as PyTorch does for the first five.
CHOICES: dict[str, Callable[[Values], Choice]] = {
    "llada_low_confidence": lambda v: QUOTA,
    "llada_low_confidence_fp64": lambda v: QUOTA,
    "fast_dllm_quota": lambda v: QUOTA,
    "fast_dllm_v1_quota": lambda v: QUOTA,
    "fast_dllm_threshold": lambda v: not_below(v["tau"]),
    "fast_dllm_v1_threshold": lambda v: Choice("rule", not_below(v["tau"]).limit, nan_last=True),
    "fast_dllm_factor_paper": lambda v: FACTOR,
    "llada2": lambda v: above(v["tau"]),
    "llada2_diffusers": lambda v: above(v["tau"]),
    "llada21": lambda v: above(v["tau"], edit_tau=v["edit_tau"]),
    # In the dtype of the logits, here always BF16.
    "sglang_low_confidence": lambda v: above(v["tau"], "bfloat16"),
    "sglang_joint_threshold": lambda v: above(v["tau"], "bfloat16", v["edit_tau"]),
}
SELECT = isa.TABLE.by_mnemonic["S_SELECT_INT"].opcode
BASE = 128


@dataclass(frozen=True)
class Image:
    """Logits in HBM: bytes, and where rows lie in them."""

    shape: Shape
    content: NDArray[np.uint8]

    @classmethod
    def of(cls, codes: NDArray[np.uint16], form: str = "BF16") -> Image:
        """BF16 codes (B, L, V), packed."""
        packed = pack(codes.reshape(-1, codes.shape[-1]), form)
        return cls(packed.shape, packed.image)

    def codes(self, shape: tuple[int, ...]) -> NDArray[np.uint16]:
        """What a core reads there, (B, L, V)."""
        return unpack(self.content, self.shape).reshape(shape)


@dataclass(frozen=True)
class Done:
    """One step of a run; all (B, L): ids after it, sampled ids, keys, which got their token."""

    ids: NDArray[np.int64]
    sampled: NDArray[np.int64]
    keys: NDArray[np.int64]
    transfer: NDArray[np.bool_]


@dataclass
class Sampler:
    """A contract's step by stream, or by prefetch, on the interpreter.

    Attributes:
        contract: of `CHOICES`.
        chunks: of prefetch; 0: stream.
        vlen: lanes.
        image: where the logits lie, if not packed as BF16.
        last: the last step.
    """

    contract: str
    chunks: int = 0
    vlen: int = 4
    image: Image | None = None
    last: Done = field(init=False)

    def __call__(
        self, logits: torch.Tensor, x: torch.Tensor, mask: torch.Tensor, **parameters: Any
    ) -> torch.Tensor:
        """The ids after a step; the last of the vocabulary is the mask id."""
        assert torch.equal(mask, x == logits.shape[-1] - 1)
        codes = logits.view(torch.int16).numpy().view(np.uint16)
        image = self.image or Image.of(codes)
        step = step_of(self.contract, image, codes.shape, self.vlen, parameters)
        prompt = parameters.get("prompt")
        memory = step.memory(
            x.numpy(),
            least(self.contract, codes.shape, parameters),
            None if prompt is None else prompt.numpy(),
        )
        factors = factor_limits(parameters.get("factor", 0.0), step.rows)
        text, used = stream.program(step), step.masks
        if self.chunks:
            text = prefetch.program(step, self.chunks)
            used = prefetch.vector_elements(step, self.chunks)
        (self.last,) = execute(text, step, image.content, memory, factors, used, 1)
        return torch.from_numpy(self.last.ids)


def least(contract: str, shape: tuple[int, ...], parameters: Values) -> NDArray[np.int64]:
    """k or kmin of each batch row."""
    batch, rows, vocabulary = shape
    rule = rules.rule_of(contract, rules.Shape(batch, rows, vocabulary), **parameters)
    return np.array(rule.least)


def step_of(
    contract: str, image: Image, shape: tuple[int, ...], vlen: int, parameters: Values
) -> Step:
    batch, rows, vocabulary = shape
    packed = image.shape
    return Step(
        batch,
        rows,
        vocabulary,
        vocabulary - 1,
        CHOICES[contract](parameters),
        packed.pitch,
        BASE,
        packed.form,
        packed.scale,
        vlen,
    )


def denoised(
    contract: str,
    images: Sequence[Image],
    ids: NDArray[np.int64],
    shape: tuple[int, ...],
    parameters: Sequence[Values],
    vlen: int,
) -> list[Done]:
    """The steps that one run of `denoise` makes, each with its own image and counts.

    Args:
        contract: of `CHOICES`.
        images: of each step.
        ids: (B, L) before the first.
        shape: B, L, V.
        parameters: of each step, the same but for counts.
        vlen: lanes.
    """
    step = step_of(contract, images[0], shape, vlen, parameters[0])
    counts = np.array([least(contract, shape, values) for values in parameters])
    prompt = parameters[0].get("prompt")
    memory = denoise.memory(step, ids, counts, None if prompt is None else prompt.numpy())
    factors = factor_limits(parameters[0].get("factor", 0.0), step.rows)
    text = denoise.program(step, len(images), images[0].content.size)
    content = np.concatenate([image.content for image in images])
    return execute(text, step, content, memory, factors, step.masks, len(images))


def execute(
    source: str,
    step: Step,
    image: NDArray[np.uint8],
    before: NDArray[np.uint32],
    factors: list[int],
    used: int,
    steps: int,
) -> list[Done]:
    """What a run does, in memories full of other things; it changes nothing else.

    Args:
        source: of the program.
        step: its sizes.
        image: HBM from the step's base on.
        before: int SRAM.
        factors: limits of the ranks, behind the keys.
        used: elements of vector SRAM that the program may write, from 0 on.
        steps: that it makes.
    """
    config = Config(vlen=step.vlen, vector_rows=64, key_words=64, int_words=256, hbm_bytes=1 << 16)
    machine = Machine(assemble(source), config, WHOLE)
    state, rows = machine.state, step.rows
    rng = np.random.default_rng(1)
    for name, dtype in (("vector", 1 << 16), ("fp", 1 << 16), ("key", 1 << 32), ("int", 1 << 32)):
        state.load(name, rng.integers(0, dtype, config.elements(name)))
    state.window = (step.base, step.base + image.size)
    state.load("hbm", image, step.base)
    state.load("int", before)
    state.load("key", np.array(factors, np.uint32), step.factors)
    kept = {name: array.copy() for name, array in state.memories.items()}
    memories = state.memories
    first, end = step.tokens, step.tokens + step.batch * rows
    shape = (step.batch, rows)
    made: list[Done] = []
    selected = step.batch
    for record in machine.run():
        place = state.gp[6] - first
        if record.word & 63 != SELECT or place < 0:  # before the ids: stream selects of scratch
            continue
        if selected == step.batch:
            selected = 0
            made.append(Done(*(np.zeros(shape, kind) for kind in (int, int, int, bool))))
        row = place // rows
        for array, memory, address in (
            (made[-1].ids, "int", first + place),
            (made[-1].sampled, "int", 0),
            (made[-1].keys, "key", 0),
            (made[-1].transfer, "vector", step.padded),
        ):
            array[row] = memories[memory][address : address + rows]
        selected += 1
    assert record.stop and record.cause is Trap.NONE
    assert len(made) == steps and selected == step.batch
    assert np.array_equal(memories["int"][first:end].reshape(shape), made[-1].ids)
    changed = {name: np.flatnonzero(memories[name] != kept[name]) for name in memories}
    assert not changed["hbm"].size and not changed["fp"].size
    assert np.isin(changed["int"], [*range(first), *range(first, end)]).all()
    assert (changed["key"] <= rows).all()
    assert (changed["vector"] < used).all()
    return made
