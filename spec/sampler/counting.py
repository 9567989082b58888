"""States of rows on a CPU: one compiled pass that counts a row's codes. Needs `numba`."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from unmask.spec.sampler.codes import by_code
from unmask.spec.softmax import SLOTS
from unmask.spec.vectors import CODES

BLOCK = 64  # counters looked at together: most are 0
SCRATCH = CODES * (4 + 2)  # bytes that a thread needs


@njit(cache=True, nogil=True)
def row_state(
    codes: NDArray[np.uint16],
    table: NDArray[np.int64],
    counts: NDArray[np.int32],
    found: NDArray[np.uint16],
    state: NDArray[np.int64],
) -> None:
    """The packed state of one row, index from 0.

    Args:
        codes: (V,), V at least 1.
        table: `codes.by_code`.
        counts: (65536,), all 0; and so again at the end.
        found: (65536,), of any content.
        state: (10,), the result.
    """
    for code in codes:
        counts[code] += 1
    size, key, top = 0, -1, 0
    begin = 0
    for block in counts.view(np.int64).reshape(-1, BLOCK // 2):
        some = np.int64(0)
        for pair in range(BLOCK // 2):
            some |= block[pair]
        if some != 0:
            for code in range(begin, begin + BLOCK):
                if counts[code]:
                    found[size] = code
                    size += 1
                    if table[code, 0] > key:
                        key, top = table[code, 0], table[code, 1]
        begin += BLOCK
    first = codes.size
    state[:] = 0
    sums = np.zeros(SLOTS + 2, np.int64)  # the last two are below the window
    for code in found[:size]:
        count = np.int64(counts[code])
        counts[code] = 0
        if table[code, 0] == key:
            first = first_place(codes[:first], code)
        down = top - table[code, 1]
        # Beside a maximum that is not normal (bin 0) only its equals count.
        if down < SLOTS and (top != 0 or table[code, 0] == key):
            sums[down] += count * table[code, 2]
            sums[down + 1] += count * table[code, 3]
            sums[down + 2] += count * table[code, 4]
    state[0], state[1], state[2] = key, first, top
    state[3 : 3 + SLOTS] = sums[:SLOTS]
    state[3 + SLOTS] = codes.size


@njit(cache=True, nogil=True)
def first_place(codes: NDArray[np.uint16], code: int) -> int:
    """The first place of a code, or how many there are; whole blocks become SIMD."""
    wanted, begin = np.uint16(code), 0
    while begin + BLOCK <= codes.size:
        hit = False
        for at in range(BLOCK):
            hit |= codes[begin + at] == wanted
        if hit:
            break
        begin += BLOCK
    for at in range(begin, codes.size):
        if codes[at] == wanted:
            return at
    return codes.size


def count_rows(
    row: Callable[[int], NDArray[np.uint16]], states: NDArray[np.int64], threads: int
) -> None:
    """Fill the states (R, 10) of all rows.

    The threads live for this call only: nothing is left that a fork could break.

    Args:
        row: place -> its codes (V,), contiguous.
        states: the result.
        threads: at most this many work, each with 384 KiB.
    """
    table, turns, failed = by_code(), iter(range(len(states))), []

    def work() -> None:
        counts, found = np.zeros(CODES, np.int32), np.empty(CODES, np.uint16)
        try:
            for at in turns:  # shared: each takes the next row
                row_state(row(at), table, counts, found, states[at])
        except BaseException as error:
            failed.append(error)

    others: list[Any] = [threading.Thread(target=work) for _ in range(threads - 1)]
    for thread in others:
        thread.start()
    work()
    for thread in others:
        thread.join()
    if failed:
        raise failed[0]
