"""Runs of the denoising programs on the interpreter, in memories full of other things."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from unmask.spec.assembler import assemble
from unmask.spec.encoding import Trap
from unmask.spec.formats import to_float
from unmask.spec.machine import Machine, Retired
from unmask.spec.pack import pack, unpack
from unmask.spec.programs.choice import Choice
from unmask.spec.programs.step import Step
from unmask.spec.state import Config
from unmask.spec.vectors import WHOLE


@dataclass
class Scene:
    """A step, its image of HBM, and the logits that a core reads there.

    Attributes:
        step: laid out as the image is.
        image: bytes, to be loaded at `step.base`.
        logits: (B, L, V) float64, after quantisation.
    """

    step: Step
    image: NDArray[np.uint8]
    logits: torch.Tensor


def scene(
    codes: NDArray[np.uint16],
    mask_id: int,
    choice: Choice,
    form: str = "BF16",
    vlen: int = 8,
    base: int = 128,
) -> Scene:
    """BF16 codes (B, L, V), packed."""
    batch, rows, vocabulary = codes.shape
    packed = pack(codes.reshape(-1, vocabulary), form)
    shape = packed.shape
    step = Step(
        batch, rows, vocabulary, mask_id, choice, shape.pitch, base, form, shape.scale, vlen
    )
    logits = to_float(unpack(packed.image, shape)).reshape(codes.shape).astype(np.float64)
    return Scene(step, packed.image, torch.tensor(logits))


def execute(
    source: str,
    step: Step,
    image: NDArray[np.uint8],
    before: NDArray[np.uint32],
    factors: list[int] | None = None,
) -> tuple[NDArray[np.int64], Machine, list[Retired]]:
    """The ids (B, L) after a run in which nothing but scratch and ids of int SRAM changed."""
    config = Config(vlen=step.vlen, vector_rows=64, key_words=64, int_words=1024, hbm_bytes=1 << 16)
    machine = Machine(assemble(source), config, WHOLE)
    state = machine.state
    rng = np.random.default_rng(1)
    for name, most in (("vector", 1 << 16), ("key", 1 << 32), ("int", 1 << 32)):
        state.load(name, rng.integers(0, most, config.elements(name)))
    state.window = (step.base, step.base + image.size)
    state.load("hbm", image, step.base)
    state.load("int", before)
    state.load("key", np.array(factors or [], np.uint32), step.factors)
    first, end = step.tokens, step.tokens + step.batch * step.rows
    kept = state.memories["int"].copy()
    records = list(machine.run())
    assert records[-1].stop
    assert records[-1].cause is Trap.NONE
    after = state.memories["int"]
    assert np.array_equal(after[end:], kept[end:])
    return after[first:end].reshape(step.batch, step.rows).astype(np.int64), machine, records


def without_margin(found: Scene, mask: NDArray[np.bool_], *borders: float) -> bool:
    """Whether no choice hangs on the last bits of a confidence.

    Confidences of a batch row are equal, of the same logits, or apart by 1e-6, and their deltas by
    1e-4 of themselves; and 1e-5 from each border.
    """
    rest = found.logits.clone()
    top = rest.max(dim=-1, keepdim=True)
    rest.scatter_(-1, rest.argmax(dim=-1, keepdim=True), -torch.inf)
    deltas = (rest - top.values).exp().sort(dim=-1).values.sum(dim=-1).numpy()
    confidences = 1 / (1 + deltas)
    for delta, confidence, masked in zip(deltas, confidences, mask, strict=True):
        if any((np.abs(confidence - border) < 1e-5).any() for border in borders):
            return False
        ordered = np.sort(delta[masked])
        shown = 1 / (1 + ordered)
        close = (np.diff(ordered) < 1e-4 * ordered[1:]) | (-np.diff(shown) < 1e-6)
        if (close & (np.diff(ordered) != 0)).any():
            return False
    return True
