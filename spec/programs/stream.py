"""The streaming sampling step: each logit read once, straight from memory into softmax states.

For every batch row b and position l one H_RED_SM; its key and first argmax are read LAG rows later,
so that the next rows' addresses are out while the data of this one arrive (four states, so LAG is
at most 3). When the last position of a batch row has been read, its mask is made from its ids, a
rule picks positions by their keys, and those get their token, in place.

The program is the same 64 words or fewer for any batch, length and vocabulary; edits take more.
What makes that possible: the first LAG reads of the run, and its first selection, have no row
before them. They read empty states into the end of the sampled ids, which the next row overwrites,
and select among scratch ids. `Step.memory` lays this out.
"""

from __future__ import annotations

from unmask.spec.programs.step import Step
from unmask.spec.programs.text import load, loop, set_address, set_csr

MOST_LAG = 3


def lag(step: Step) -> int:
    """How many rows are under way when one is read."""
    return min(MOST_LAG, step.rows - 1)


def program(step: Step) -> str:
    """The assembly text.

    Raises:
        UsageError: on a size outside its limits.
    """
    step.check()
    lines = [
        "; gp1 element, gp2 state to fill, gp3 pitch, gp4 position, gp5 state to read",
        "; gp6 tokens, gp7 quota, gp8 free, gp9 mask id, gpA gpB masks, gpC length",
        *set_address(step.base),
        *set_up(step),
        *once(step),
        "C_BREAK",
    ]
    return "\n".join(lines) + "\n"


def set_up(step: Step) -> list[str]:
    """Once, before the first step."""
    return [
        *step.set_up(),
        *_whole_row(step),
        *load(3, step.distance),
        *load(7, step.quotas),
    ]


def once(step: Step) -> list[str]:
    """One step: the logits at a0, the quotas from the 0 at gp7 on, which it leaves at the last."""
    stream = [
        f"H_RED_SM gp2, gp1, a0, gp0, {step.format}, 1",
        "S_ADD_INT gp1, gp1, gp3",
        "S_ADDI_INT gp2, gp2, 1",
    ]
    read = [
        "S_SM_ST_KEY gp4, gp5",
        "S_SM_ST_IDX gp4, gp5",
        "S_ADDI_INT gp4, gp4, 1",
        "S_ADDI_INT gp5, gp5, 1",
    ]
    behind = lag(step)
    select = [*step.select("gp7, 0"), *(_whole_row(step) if step.choice.edits else [])]
    batch_row = [
        *loop("gpE", behind, [*stream, *read]),
        *select,
        "S_ADD_INT gp6, gp6, gpC",
        "S_ADDI_INT gp7, gp7, 1",
        "S_ADD_INT gp4, gp0, gp0",
        *loop("gpE", step.rows - behind, [*stream, *read]),
    ]
    return [
        "S_ADD_INT gp1, gp0, gp0",
        *(load(4, step.rows - behind) if behind else []),
        f"S_ADDI_INT gp5, gp2, {-behind % 4}",  # in later steps too, gp2 goes on counting
        *load(6, step.tokens - step.rows),
        *loop("gpF", step.batch, batch_row),
        *loop("gpE", behind, read),
        *select,
    ]


def _whole_row(step: Step) -> list[str]:
    return set_csr("VL", step.vocabulary, 8)
