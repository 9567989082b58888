"""The sampler beside PyTorch's ways to the same step; time for `ci/bench`, and peak memory.

As a program (`python -m unmask.ci.bench_sampler NAME`) it prints the extra memory of one way as a
share of the logits: by how much the greatest resident size of this fresh process rises in the step
above its size before, the logits being there and all that is made once (compiled code, tables).
"""

from __future__ import annotations

import ctypes
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

import unmask
from unmask.tests.logit_rows import logit_row

ROWS, VOCABULARY, K = 32, 126_464, 4
OURS = "unmask.sample_step"


def block(vocabulary: int) -> torch.Tensor:
    """Logits of one block, (1, 32, vocabulary) BF16."""
    rows = [logit_row("gaussian", vocabulary, seed) for seed in range(ROWS)]
    return torch.from_numpy(np.stack(rows)).view(torch.bfloat16).unsqueeze(0)


def cases(logits: torch.Tensor) -> dict[str, Callable[[], Any]]:
    """Name -> what is timed: one step of LLaDA's rule, and, last, only a part of it."""
    mask_id = logits.shape[-1] - 1
    x = torch.full(logits.shape[:2], mask_id)

    def published(dtype: torch.dtype) -> Callable[[], Any]:
        def step() -> torch.Tensor:
            tokens = torch.argmax(logits, dim=-1)
            probabilities = torch.softmax(logits.to(dtype), dim=-1)
            confidence = torch.gather(probabilities, -1, tokens.unsqueeze(-1)).squeeze(-1)
            chosen = torch.topk(confidence, K, dim=-1).indices
            return x.scatter(1, chosen, tokens.gather(1, chosen))

        return step

    return {
        "torch, float64": published(torch.float64),
        "torch, float32": published(torch.float32),
        "torch, BF16": published(torch.bfloat16),
        "torch, argmax alone": lambda: torch.argmax(logits, dim=-1),
        OURS: lambda: unmask.sample_step(logits, x, mask_id, "llada_low_confidence", k=K),
    }


def extra_memory(name: str) -> float:
    """Of one way, in a process of its own: a share of the logits."""
    command = [sys.executable, "-m", "unmask.ci.bench_sampler", name]
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    return float(done.stdout)


def _resident(field: str) -> int:
    """VmRSS or VmHWM of this process, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(field))


def _measure(name: str) -> float:
    cases(block(1000))[name]()
    logits = block(VOCABULARY)
    step = cases(logits)[name]
    ctypes.CDLL(None).malloc_trim(0)  # else what was freed would be used again unseen
    Path("/proc/self/clear_refs").write_text("5")  # the greatest size so far is forgotten
    before = _resident("VmRSS")
    step()
    return (_resident("VmHWM") - before) / (logits.numel() * logits.element_size())


if __name__ == "__main__":
    print(_measure(sys.argv[1]))
