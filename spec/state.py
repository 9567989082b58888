"""The architectural state: configuration, registers, loop stack, memories."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmask.spec.bits import Bits, ints
from unmask.spec.encoding import A_COUNT, CSRS, F_COUNT, GP_COUNT, STATE_COUNT
from unmask.spec.errors import UsageError
from unmask.spec.loops import Entry
from unmask.spec.reductions import parts
from unmask.spec.softmax import SoftmaxState
from unmask.spec.softmax import State as Softmax

# Memory name -> element type. An address counts elements, in vector SRAM too; bytes in HBM.
MEMORIES = {
    "vector": np.uint16,
    "fp": np.uint16,
    "key": np.uint32,
    "int": np.uint32,
    "hbm": np.uint8,
}
MOST_ELEMENTS = 1 << 30  # of vector SRAM
ALL = (0, -1)  # stands for the window that is all of HBM, whatever its size
EMPTY_SOFTMAX: Softmax = SoftmaxState.empty(ints(1, 0))


@dataclass(frozen=True)
class Config:
    """Sizes of a core; every one is a power of two.

    Attributes:
        vlen: lanes, 2 to 2048.
        vector_rows: rows of VLEN elements in vector SRAM.
        fp_words, key_words, int_words: elements of FP, key and int SRAM.
        program_words: words of instruction memory.
        loop_depth: loops that may be nested.
        hbm_bytes: bytes of memory behind the core.
        channels, beat_bytes: over how many channels, and in what pieces, HBM is striped.

    Raises:
        UsageError: on a size that is no power of two or out of its limits.
    """

    vlen: int = 8
    vector_rows: int = 64
    fp_words: int = 1024
    key_words: int = 1024
    int_words: int = 4096
    program_words: int = 1024
    loop_depth: int = 8
    hbm_bytes: int = 1 << 16
    channels: int = 1
    beat_bytes: int = 8

    def __post_init__(self) -> None:
        limits = {
            "vlen": (2, 2048),
            "hbm_bytes": (1 << 10, 1 << 36),
            "channels": (1, 64),
            "beat_bytes": (8, 128),
        }
        for item in fields(self):
            value = getattr(self, item.name)
            least, most = limits.get(item.name, (2, 1 << 24))
            if type(value) is not int or not least <= value <= most or value & (value - 1):
                raise UsageError(
                    f"{item.name} is {value!r}; expected a power of two, {least} to {most}"
                )
        if self.elements("vector") > MOST_ELEMENTS:
            raise UsageError(
                f"vector_rows is {self.vector_rows}: {self.elements('vector')} elements, "
                f"at most {MOST_ELEMENTS}"
            )

    def elements(self, memory: str) -> int:
        """Elements of a memory."""
        sizes = {
            "vector": self.vlen * self.vector_rows,
            "fp": self.fp_words,
            "key": self.key_words,
            "int": self.int_words,
            "hbm": self.hbm_bytes,
        }
        return sizes[memory]

    def place(self, address: int) -> tuple[int, int]:
        """(channel, byte within the channel) of a byte of HBM: beats go round the channels."""
        beat, byte = divmod(address, self.beat_bytes)
        return beat % self.channels, beat // self.channels * self.beat_bytes + byte

    def stripe(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """An HBM image as the images of its channels.

        Args:
            image: bytes; filled up with zeros to whole beats in each channel.

        Returns:
            Shape (channels, bytes of a channel).
        """
        group = self.channels * self.beat_bytes
        padded = np.concatenate([image, np.zeros(-image.size % group, np.uint8)])
        beats = padded.reshape(-1, self.channels, self.beat_bytes)
        return np.ascontiguousarray(beats.swapaxes(0, 1)).reshape(self.channels, -1)


@dataclass
class State:
    """Everything a program can observe. Registers are Python integers, memories numpy arrays.

    Attributes:
        window: [first, end) of HBM that transfers may touch, set by the host: whole beats, in
            order. `ALL`: all of it.
    """

    config: Config
    pc: int = 0
    gp: list[int] = field(default_factory=lambda: [0] * GP_COUNT)
    f: list[int] = field(default_factory=lambda: [0] * F_COUNT)
    a: list[int] = field(default_factory=lambda: [0] * A_COUNT)
    softmax: list[Softmax] = field(default_factory=lambda: [EMPTY_SOFTMAX] * STATE_COUNT)
    csrs: dict[str, int] = field(default_factory=dict)
    loops: list[Entry] = field(default_factory=list)
    memories: dict[str, NDArray[np.unsignedinteger]] = field(default_factory=dict)
    window: tuple[int, int] = ALL

    def __post_init__(self) -> None:
        for name, csr in CSRS.items():
            reset = self.config.vlen if csr.reset is None else csr.reset
            self.csrs.setdefault(name, reset)
        if self.window == ALL:
            self.window = (0, self.config.hbm_bytes)
        first, end = self.window
        beat = self.config.beat_bytes
        if not 0 <= first <= end <= self.config.hbm_bytes or first % beat or end % beat:
            raise UsageError(
                f"window {first}:{end}: expected multiples of beat_bytes = {beat}, in order, "
                f"up to hbm_bytes = {self.config.hbm_bytes}"
            )
        for name, dtype in MEMORIES.items():
            if name not in self.memories:
                self.memories[name] = np.zeros(self.config.elements(name), dtype)

    @property
    def vl(self) -> int:
        """Vector length in elements."""
        return self.csrs["VL"]

    def load(self, memory: str, values: NDArray[np.generic], address: int = 0) -> None:
        """Place values in a memory before a run.

        Raises:
            UsageError: if they do not fit, or are not unsigned integers of its element type.
        """
        array = np.asarray(values).ravel()
        target = self.memories[memory]
        limit = int(np.iinfo(target.dtype).max)
        if array.dtype.kind not in "iu" or (
            array.size and (int(array.min()) < 0 or int(array.max()) > limit)
        ):
            raise UsageError(f"{memory} memory takes bit patterns, integers 0 to {limit}")
        if not 0 <= address <= target.size - array.size:
            raise UsageError(
                f"{array.size} elements at {address} do not fit the {memory} memory "
                f"of {target.size}"
            )
        target[address : address + array.size] = array.astype(target.dtype)

    def snapshot(self) -> dict[str, Any]:
        """Everything but the configuration, as plain values that compare with ==."""
        return {
            "pc": self.pc,
            "gp": tuple(self.gp),
            "f": tuple(self.f),
            "a": tuple(self.a),
            "softmax": tuple(plain(state) for state in self.softmax),
            "csrs": dict(self.csrs),
            "loops": tuple((x.start, x.count, x.register) for x in self.loops),
            "memories": {name: array.tobytes() for name, array in self.memories.items()},
        }


def plain(state: Softmax) -> tuple[int, ...]:
    """A softmax state's values in order: key, index, top, five slots, count, flags."""
    return tuple(int(part.value) for part in parts(state))


def softmax_of(values: tuple[int, ...]) -> Softmax:
    """The state that `plain` gave these values for."""
    widths = [part.width for part in parts(EMPTY_SOFTMAX)]
    key, index, top, *slots, count, flags = (
        ints(width, value) for width, value in zip(widths, values, strict=True)
    )
    made: tuple[Bits, ...] = tuple(slots)
    return Softmax(key, index, top, made, count, flags)
