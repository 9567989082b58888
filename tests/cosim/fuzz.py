"""cocotb: any words whatever on the core, in lockstep; how many of them, and how each ended.

Of a program all words, some or none are uniform; the others belong to a row of the table, with
operands that are uniform or mostly mean something. Memories, stalls, answers with errors, windows
and resets are drawn as well. A program runs to its trap or stop, or, if that is far, until the host
halts it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import cocotb
import numpy as np

from unmask.spec import isa
from unmask.spec.state import MEMORIES, Config
from unmask.tests.cosim.bench import options
from unmask.tests.cosim.core import CoreBench, Ran, in_turn
from unmask.tests.strategies import Bits, Case, image, refused, setup_words, word_of

ROWS = tuple(isa.TABLE)
UNIFORM = (1.0, 0.3, 0.05, 0.0)  # of a program's words, share that need not belong to a row


def any_program(rng: np.random.Generator, config: Config) -> tuple[Case, int]:
    """A program of any words on memories of any content; how many words set up registers first."""
    words = rng.integers(0, 1 << 32, config.program_words, dtype=np.uint64)
    bits = Bits(int.from_bytes(rng.bytes(160), "big"))
    share = UNIFORM[bits.below(len(UNIFORM))]
    for place in np.flatnonzero(rng.random(words.size) >= share):
        row = ROWS[int(rng.integers(len(ROWS)))]
        uniform = (int(words[place]) & ~row.match_mask) | row.match
        chosen = Bits(int.from_bytes(rng.bytes(20), "big"))
        words[place] = word_of(row, chosen, config) if chosen.below(2) else uniform
    before = setup_words(config, bits) if bits.below(4) else []
    program = [*before, *map(int, words)]
    beats = config.hbm_bytes // config.beat_bytes
    edges = sorted((bits.below(beats + 1), bits.below(beats + 1)))
    beat = config.beat_bytes
    case = Case(
        tuple(program[: config.program_words]),
        {name: image(bits, name, config.elements(name)) for name in MEMORIES},
        reset=bool(bits.below(2)),
        noise=bool(bits.below(2)),
        abandoned=bits.below(60) if bits.below(8) == 7 else None,
        window=(edges[0] * beat, edges[1] * beat) if bits.below(4) == 3 else None,
        memory=(1 + bits.below(30), bits.below(9), 1 + bits.below(5), 1, 1, 0, 0,
                bits.below(1 << 16), 1 + bits.below(64)),
        stall=(0.0, 0.1, 0.4)[bits.below(3)],
        faulty=tuple(refused(bits, beats, beat) for _ in range(bits.below(3))),
    )  # fmt: skip
    return case, len(before)


@cocotb.test()
async def any_words(dut: Any) -> None:
    """Programs until so many words (option `examples`) were retired or trapped."""
    option = options()
    rng = np.random.default_rng(option.get("seed"))
    ends: Counter[str] = Counter()
    words = setup = 0

    def programs(bench: CoreBench) -> Iterator[Case]:
        nonlocal setup
        while words < option["examples"]:
            case, setup = any_program(rng, bench.config)
            yield case

    def count(ran: Ran) -> None:
        nonlocal words
        words += max(0, ran.instructions - setup)
        ends["halted" if ran.cause is None else "stopped" if not ran.cause else ran.cause.name] += 1

    def facts() -> dict[str, Any]:
        return {"examples": words, "programs": ends.total(), "ends": dict(ends.most_common())}

    await in_turn(dut, programs, count, facts)
