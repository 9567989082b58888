"""Trains the tiny model and writes its checkpoint: `python -m unmask.tests.generation.train`.

About ten minutes on two cores that nothing else uses (15 steps a second). Seeded: the same PyTorch,
Python and threads give the same weights on the same kind of CPU, others nearly as good ones. What
is committed was made by PyTorch 2.13 and Python 3.11.7 with two threads; with half of the ids
masked it loses 2.66 nats an id on the training text and 3.07 on what was held out, where the ids'
frequencies lose 5.65 and 5.62.
"""

from __future__ import annotations

import argparse
import math
import time

import torch
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from unmask.tests.generation.measure import losses
from unmask.tests.generation.model import LENGTH, Network, Trained, masked_loss
from unmask.tests.generation.text import END, Vocabulary, paragraphs, pieces

PIECES = 620
SIZE = 630  # V: with an unknown id, the mask, and padding; no multiple of a power of two
STEPS = 9000
BATCH = 16
RATE = 3e-3
WARM = 100  # steps until the rate is full
LEAST = 0.02  # share of masks: below it few of a row's 64 ids are masked, and 1/t is large
SEED = 7


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m unmask.tests.generation.train")
    parser.add_argument("--steps", type=int, default=STEPS, help=f"default {STEPS}")
    parser.add_argument("--threads", type=int, default=2, help="of PyTorch; default 2")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    text = END.join(paragraphs(held_out=False))
    vocabulary = Vocabulary(tuple(pieces(text, PIECES)), SIZE)
    Trained(train(vocabulary.encode(text), vocabulary, options.steps), vocabulary).save()
    for name, held_out in (("training", False), ("held-out", True)):
        model, counted = losses(Trained.load(), held_out)
        print(f"{name} text, half masked: {model:.3f} nats an id, by frequency {counted:.3f}")


def train(ids: torch.Tensor, vocabulary: Vocabulary, steps: int) -> Network:
    """A network trained on windows of the ids (n,), drawn anew at every step.

    LLaDA's loss: of a share t of masks, drawn from 0 to 1, the cross entropy of what is masked,
    divided by t.
    """
    torch.manual_seed(SEED)
    network = Network(vocabulary.size)
    optimizer = torch.optim.AdamW(network.parameters(), betas=(0.9, 0.98), weight_decay=0.01)
    windows = ids.unfold(0, LENGTH, 1)
    columns = (
        TextColumn("{task.completed}/{task.total} steps"),
        BarColumn(),
        TextColumn("loss {task.fields[loss]:.3f} nats an id, {task.fields[rate]:.1f} steps/s"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns) as progress:
        task = progress.add_task("", total=steps, loss=math.nan, rate=0.0)
        began, mean = time.monotonic(), math.nan
        for step in range(1, steps + 1):
            decay = (1 + math.cos(math.pi * step / steps)) / 2
            optimizer.param_groups[0]["lr"] = RATE * decay * min(1, step / WARM)
            batch = windows[torch.randint(len(windows), (BATCH,))]
            # One t from each of BATCH equal parts of 0 to 1: each t alone is drawn evenly.
            even = (torch.rand(1) + torch.arange(BATCH) / BATCH) % 1
            share = (LEAST + (1 - LEAST) * even).unsqueeze(1)
            mask = torch.rand(batch.shape) < share
            loss = (masked_loss(network, batch, mask, vocabulary.mask_id) / share).mean()
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            mean = loss.item() if step == 1 else 0.99 * mean + 0.01 * loss.item()
            rate = step / (time.monotonic() - began)
            progress.update(task, advance=1, loss=mean, rate=rate)
            if step % 500 == 0:
                progress.console.print(f"step {step}: loss {mean:.3f}, {rate:.1f} steps/s")
    return network


if __name__ == "__main__":
    main()
