"""BF16 as bit patterns: constants, the total order that every maximum in this ISA uses.

BF16 is the upper half of IEEE binary32: sign, 8 exponent bits, 7 fraction bits.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmask.spec.bits import Bits, mux

BF16_WIDTH = 16
POS_INF = 0x7F80
NEG_INF = 0xFF80
NAN = 0x7FC0  # the one quiet NaN that arithmetic returns

# Order key of "no element at all": below every BF16 value, -infinity included.
EMPTY_KEY = 0x0000


def order_key(code: Bits) -> Bits:
    """A BF16 code's rank as an unsigned 16-bit number, greater value = greater key.

    -infinity 0x007F < negatives < both zeros 0x8000 < positives < +infinity 0xFF80 < every NaN
    0xFFFF: NaN is the greatest and all NaNs are equal, as `torch.argmax` treats them. Keys below
    0x007F belong to no code; `EMPTY_KEY` is one of them. Bitwise, so it costs a lane no adder:
    a negative code inverted, a positive one with its top bit set.

    Args:
        code: BF16 bit pattern, width 16, any interpretation.

    Returns:
        The key, width 16.
    """
    magnitude = code & 0x7FFF
    is_nan = magnitude.const(16, POS_INF).ult(magnitude)
    negative = code.extract(15, 15) & magnitude.ne(0)
    signed = mux(negative, ~code, code | 0x8000)
    return mux(is_nan, code.const(16, 0xFFFF), signed)


def from_float(values: Any) -> NDArray[np.uint16]:
    """Float32 values rounded to the nearest BF16, ties to even; NaN becomes the quiet NaN."""
    words = np.asarray(values, dtype=np.float32).view(np.uint32).astype(np.uint64)
    rounded = ((words + 0x7FFF + ((words >> 16) & 1)) >> 16).astype(np.uint16)
    return np.where((words & 0x7FFFFFFF) > 0x7F800000, np.uint16(NAN), rounded)


def to_float(codes: Any) -> NDArray[np.float32]:
    """BF16 bit patterns as float32, exactly."""
    words = np.asarray(codes, dtype=np.uint16).astype(np.uint32) << 16
    return words.view(np.float32)


def describe(code: int) -> str:
    """A BF16 code for a person: `ff80 -inf`, `3fc0 1.5`."""
    return f"{code:04x} {float(to_float([code])[0]):g}"
