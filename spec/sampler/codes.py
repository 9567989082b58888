"""What `softmax.lane_of` gives for each of the 65,536 codes; needs numpy alone."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from unmask.spec.bits import arrays
from unmask.spec.softmax import lane_of
from unmask.spec.vectors import CODES, WHOLE

SLICES = 3  # of a lane: its other slots are 0


@cache
def by_code() -> NDArray[np.int64]:
    """Key, bin and slices of each code, (65536, 5)."""
    lane = WHOLE.table(lane_of, arrays(16, np.arange(CODES)))
    parts = (lane.key, lane.top, *lane.slots[:SLICES])
    return np.ascontiguousarray(np.stack([part.value for part in parts], axis=1))
