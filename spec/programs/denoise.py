"""Several denoising steps in one program: T slabs of logits, the same ids, step after step.

Each step is that of `unmask.spec.programs.stream`: its masks are made anew from the ids that the
step before has left in int SRAM, and its quotas come from its own line of a table there. What it
needs: all T slabs in HBM before it starts, each laid out alike (base, scales, pitch), `stride`
bytes apart; and no slab in another 4 GiB range of addresses than the first. So it measures and
checks; a model that makes the logits of a step from the ids of the last one starts a step each.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unmask.spec.errors import UsageError
from unmask.spec.programs import stream
from unmask.spec.programs.step import Step
from unmask.spec.programs.text import MOST, check, load, loop


def memory(
    step: Step,
    tokens: NDArray[np.integer],
    quotas: NDArray[np.integer],
    prompt: NDArray[np.bool_] | None = None,
) -> NDArray[np.uint32]:
    """What int SRAM holds before the run: `Step.memory`, and behind it the steps' other quotas.

    Args:
        tokens: ids, shape (B, L).
        quotas: k of each step and batch row, shape (T, B), T at least 1.
        prompt: which ids are never edited, shape (B, L); needed with edits, and only there.

    Raises:
        UsageError: if a shape is another.
    """
    if quotas.ndim != 2 or quotas.shape[0] < 1:
        raise UsageError(f"quotas: shape {quotas.shape}, expected (steps, {step.batch})")
    first = step.memory(tokens, quotas[0], prompt)
    later = np.pad(quotas[1:], ((0, 0), (1, 0)))
    return np.concatenate([first, later.ravel().astype(np.uint32)])


def program(step: Step, steps: int, stride: int) -> str:
    """The assembly text.

    Args:
        step: one of them; `base` is that of the first slab.
        steps: T.
        stride: bytes from slab to slab.

    Raises:
        UsageError: on a size outside its limits.
    """
    step.check()
    high, low = step.base >> 32, step.base & MOST
    check(
        ("steps", steps, 1, (1 << 22) - 1),
        ("stride", stride, 0, MOST),
        ("int words", step.quotas + steps * (step.batch + 1), 1, 1 << 18),
        ("lower half of the last address", low + (steps - 1) * stride, 0, MOST),
    )
    one = [
        *load(8, high),
        "C_SET_ADDR_REG a0, gp8, gpD",
        *load(8, stride),
        "S_ADD_INT gpD, gpD, gp8",
        *stream.once(step),
        "S_ADDI_INT gp7, gp7, 1",
    ]
    lines = [
        "; gpD: lower half of the slab's address; gpE also counts the steps",
        *load(0xD, low),
        *stream.set_up(step),
        *loop("gpE", steps, one),
        "C_BREAK",
    ]
    return "\n".join(lines) + "\n"
