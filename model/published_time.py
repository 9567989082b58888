"""The published time of the sampling step, as a formula, and the numbers that it must give.

    T = 5 + B (9 + floor(L V / (4 VLEN)) (h + 2)) + B L (18 floor(V / VLEN) + 11) + B (4 L + 26)

in cycles of 1 ns: h is how long a prefetch of four rows of VLEN logits blocks the core, and both
passes take 18 cycles of a chunk. The published simulator issues one instruction after the other.
"""

from __future__ import annotations

BATCH, ROWS, VOCABULARY = 16, 32, 126_976
# VLEN -> nanoseconds of one prefetch of four rows; milliseconds published for the step.
PREFETCH_NS = {512: 33.2, 1024: 38.7, 2048: 50.2}
PUBLISHED_MS = {512: 3.41, 1024: 1.79, 2048: 0.99}


def published_ns(vlen: int, batch: int = BATCH, rows: int = ROWS, vocab: int = VOCABULARY) -> float:
    """Nanoseconds of a step by the formula, for a VLEN that was published."""
    fetches = rows * vocab // (4 * vlen)
    return (
        5
        + batch * (9 + fetches * (PREFETCH_NS[vlen] + 2))
        + batch * rows * (18 * (vocab // vlen) + 11)
        + batch * (4 * rows + 26)
    )
