"""Logits as an HBM image, in the layout that H_PREFETCH_V and H_RED_SM read, and back.

Row r begins at element `r * pitch`. An element of BF16 has two bytes, low byte first; one of an MX
format has one, and the scales of the blocks follow behind the last row, one byte a block. The
pitch is the row length filled up with zeros to whole blocks and whole beats of the bus; the image
is filled up to whole beats.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmask.spec import mx
from unmask.spec.bits import arrays
from unmask.spec.encoding import FORMATS
from unmask.spec.errors import UsageError
from unmask.spec.formats import POS_INF, from_float, to_float
from unmask.spec.instructions.memory import LAYOUTS, Layout

Codes = NDArray[np.uint16]
Bytes = NDArray[np.uint8]

MOST_OFFSET = 1 << 32  # element offsets and CSR SCALE have 32 bits
_AT_ONCE = 1 << 15  # elements that are quantised together: they and their like fit a cache


@dataclass(frozen=True)
class Shape:
    """What a program needs to know about packed logits.

    Attributes:
        form: a key of `FORMATS`.
        rows, vocabulary: of the logits.
        beat_bytes: of the bus.

    Raises:
        UsageError: on a number out of its limits.
    """

    form: str
    rows: int
    vocabulary: int
    beat_bytes: int = 8

    def __post_init__(self) -> None:
        if self.form not in FORMATS:
            raise UsageError(f"format {self.form!r}; there are {', '.join(FORMATS)}")
        for name in ("rows", "vocabulary"):
            if not 1 <= getattr(self, name) < MOST_OFFSET:
                raise UsageError(f"{name} is {getattr(self, name)}; expected 1 to 2**32 - 1")
        beat = self.beat_bytes
        if not 8 <= beat <= 128 or beat & (beat - 1):
            raise UsageError(f"beat_bytes is {beat}; expected a power of two, 8 to 128")
        if max(self.rows * self.pitch, self.scale) >= MOST_OFFSET:
            raise UsageError(
                f"{self.rows} rows of {self.pitch} elements are too many: offsets have 32 bits"
            )

    @property
    def layout(self) -> Layout:
        return LAYOUTS[FORMATS[self.form]]

    @property
    def pitch(self) -> int:
        """Elements from one row to the next."""
        unit = max(self.layout.block, self.beat_bytes // self.layout.size)
        return -(-self.vocabulary // unit) * unit

    @property
    def scale(self) -> int:
        """Bytes from the first element to the first scale; 0 where there are none."""
        return self.rows * self.pitch if self.layout.element else 0

    @property
    def size(self) -> int:
        """Bytes of the image."""
        elements = self.rows * self.pitch
        scales = elements // self.layout.block if self.layout.element else 0
        return -(-(elements * self.layout.size + scales) // self.beat_bytes) * self.beat_bytes

    def equates(self, prefix: str) -> str:
        """These numbers for the assembler, as `.equ` lines."""
        numbers = {
            "ROWS": (self.rows, "rows"),
            "VOCABULARY": (self.vocabulary, "elements of a row"),
            "PITCH": (self.pitch, "elements from one row to the next, for STRIDE"),
            "SCALE": (self.scale, "bytes from the first element to the first scale"),
            "FORMAT": (FORMATS[self.form], self.form),
            "BYTES": (self.size, "bytes of the image"),
        }
        return "".join(
            f".equ {prefix}_{name}, {value}  ; {text}\n" for name, (value, text) in numbers.items()
        )


@dataclass(frozen=True)
class Packed:
    """An HBM image and what became of the logits.

    Attributes:
        shape: where they lie.
        image: the bytes.
        changed: elements whose value as BF16 is another after quantisation.
        lost: of these, infinities that became NaN (a banned token in E4M3).
    """

    shape: Shape
    image: Bytes
    changed: int = 0
    lost: int = 0


def to_codes(logits: NDArray[Any]) -> tuple[Codes, int]:
    """Logits as BF16 codes, rounded once to nearest even; NaN becomes the quiet NaN.

    Args:
        logits: float16, float32 or float64; or BF16 codes as uint16, or as the two raw bytes that
            `ml_dtypes.bfloat16` is saved as.

    Returns:
        The codes, and how many elements were not exactly BF16.

    Raises:
        UsageError: on another element type.
    """
    if logits.dtype.kind == "V" and logits.dtype.itemsize == 2 and logits.dtype.names is None:
        logits = logits.view("<u2")
    if logits.dtype.kind == "u" and logits.dtype.itemsize == 2:
        return logits.astype(np.uint16), 0
    if logits.dtype.kind != "f" or logits.dtype.itemsize > 8:
        raise UsageError(
            f"elements of type {logits.dtype}; expected float16, float32, float64, "
            "or BF16 codes as uint16"
        )
    codes = from_float(_odd32(logits))
    values = to_float(codes)
    return codes, int(np.count_nonzero((values != logits) & ~np.isnan(logits)))


def _odd32(logits: NDArray[Any]) -> NDArray[np.float32]:
    """Float64 as float32, rounded to odd, after which a second rounding is as good as one."""
    with np.errstate(over="ignore", invalid="ignore"):
        values = logits.astype(np.float32)
    if logits.dtype.itemsize < 8:
        return values
    inexact = (values != logits) & ~np.isnan(logits)
    away = inexact & (np.abs(values) > np.abs(logits))
    words = values.view(np.uint32) - away.astype(np.uint32)
    return (words | inexact.astype(np.uint32)).view(np.float32)


def pack(codes: Codes, form: str, beat_bytes: int = 8) -> Packed:
    """BF16 codes as an HBM image.

    Args:
        codes: shape (rows, vocabulary).
        form: a key of `FORMATS`.
        beat_bytes: of the bus.
    """
    rows, vocabulary = codes.shape
    shape = Shape(form, rows, vocabulary, beat_bytes)
    padded = np.zeros((rows, shape.pitch), np.uint16)
    padded[:, :vocabulary] = codes
    image = np.zeros(shape.size, np.uint8)
    element = shape.layout.element
    if element is None:
        stored = padded.astype("<u2").view(np.uint8).ravel()
        image[: stored.size] = stored
        return Packed(shape, image)
    scales, elements = _quantised(padded.ravel(), shape.layout.block, element)
    image[: elements.size] = elements
    image[shape.scale : shape.scale + scales.size] = scales
    back = unpack(image, shape)
    changed = (back != codes) & ~(_is_nan(back) & _is_nan(codes))
    lost = changed & ((codes & 0x7FFF) == POS_INF)
    return Packed(shape, image, int(np.count_nonzero(changed)), int(np.count_nonzero(lost)))


def _is_nan(codes: Codes) -> NDArray[np.bool_]:
    return (codes & 0x7FFF) > POS_INF


def _quantised(codes: Codes, block: int, element: mx.Element) -> tuple[Bytes, Bytes]:
    """Scales and elements of whole blocks, by the specification's functions on arrays."""
    scales = np.empty(codes.size // block, np.uint8)
    elements = np.empty(codes.size, np.uint8)
    for first in range(0, codes.size, _AT_ONCE):
        part = arrays(16, codes[first : first + _AT_ONCE])
        keys = mx.scale_key(part)
        # The greatest key is all that `shared_scale` looks for, and numpy finds it at once.
        greatest = keys.like(keys.value.reshape(-1, block).max(axis=1))
        scale = mx.shared_scale([greatest], element)
        spread = scale.like(np.repeat(scale.value, block))
        elements[first : first + _AT_ONCE] = mx.quantise(part, spread, element).value
        scales[first // block : (first + _AT_ONCE) // block] = scale.value
    return scales, elements


def unpack(image: Bytes, shape: Shape) -> Codes:
    """The BF16 codes that a program reads from an image, shape (rows, vocabulary).

    Raises:
        UsageError: if the image is too short.
    """
    if image.size < shape.size:
        raise UsageError(
            f"the image has {image.size} bytes; {shape.rows} rows of {shape.vocabulary} in "
            f"{shape.form} take {shape.size}"
        )
    layout, count = shape.layout, shape.rows * shape.pitch
    elements = image[: count * layout.size]
    if layout.element is None:
        codes = elements.view("<u2").astype(np.uint16)
    else:
        scales = image[shape.scale : shape.scale + count // layout.block]
        codes = _dequantised(layout.element)[np.repeat(scales, layout.block), elements]
    return codes.reshape(shape.rows, shape.pitch)[:, : shape.vocabulary]


def _dequantised(element: mx.Element) -> Codes:
    """The BF16 code of every scale and element, shape (256, 256)."""
    byte = np.arange(256)
    codes, _ = mx.dequantise(arrays(8, byte[None, :]), arrays(8, byte[:, None]), element)
    return codes.value.astype(np.uint16)
