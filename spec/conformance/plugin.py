"""The pytest fixture `unmask_conform`: a sampler against a contract, failures shrunk.

    def test_mine(unmask_conform):
        unmask_conform(my_sampler, "llada_low_confidence", k=3)

Nothing heavy is imported before a test calls it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def unmask_conform(tmp_path: Path) -> Callable[..., None]:
    """A function that fails the test with the least step that a sampler does wrong.

    Its arguments: the sampler, `(logits, x, mask, **parameters) -> ids (B, L)`; the contract's
    name; `examples`, `seed`, `ties`, `error`, `device`, `draw` as `unmask conform --help` explains
    them; and parameters of the contract that are the same in all steps. The failing step is saved.
    """

    def conform(
        sampler: Callable[..., Any],
        contract: str,
        *,
        examples: int = 200,
        seed: int = 0,
        ties: str = "lowest",
        error: float = 1.0,
        device: str = "cpu",
        draw: Sequence[str] = (),
        **parameters: Any,
    ) -> None:
        __tracebackhide__ = True
        from unmask.spec.conformance.judge import Judge
        from unmask.spec.conformance.trial import Trial
        from unmask.spec.errors import UsageError

        try:
            judge = Judge(ties, error)
            trial = Trial(sampler, contract, parameters, tuple(draw), judge, device)
            failure = trial.search(examples, seed)
            text = None if failure is None else str(failure)
        except UsageError as wrong:
            failure, text = None, f"unmask_conform: {wrong}"
        if failure is not None:
            path = tmp_path / "case.npz"
            failure.case.save(path)
            replay = f"unmask conform MODULE:NAME --contract {contract} --replay {path}"
            text = f"{text}\n  replay      {replay}"
        if text is not None:  # outside of the handler, whose exception pytest would show
            pytest.fail(text, pytrace=False)

    return conform
