"""The architectural state: configuration, registers, loop stack, memories."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import numpy as np
from numpy.typing import NDArray

from unmask.spec.encoding import F_COUNT, GP_COUNT
from unmask.spec.errors import UsageError

# Memory name -> element type. An address counts elements, in vector SRAM too.
MEMORIES = {"vector": np.uint16, "fp": np.uint16, "int": np.uint32}
MOST_ELEMENTS = 1 << 30  # of vector SRAM


@dataclass(frozen=True)
class Config:
    """Sizes of a core; every one is a power of two.

    Attributes:
        vlen: lanes, 2 to 2048.
        vector_rows: rows of VLEN elements in vector SRAM.
        fp_words, int_words: elements of FP and int SRAM.
        program_words: words of instruction memory.
        loop_depth: loops that may be nested.

    Raises:
        UsageError: on a size that is no power of two or out of its limits.
    """

    vlen: int = 8
    vector_rows: int = 64
    fp_words: int = 1024
    int_words: int = 4096
    program_words: int = 1024
    loop_depth: int = 8

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            least, most = (2, 2048) if item.name == "vlen" else (2, 1 << 24)
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
            "int": self.int_words,
        }
        return sizes[memory]


@dataclass
class Loop:
    """An entry of the loop stack: first word of the body, iterations left, counting register."""

    start: int
    count: int
    register: int


@dataclass
class State:
    """Everything a program can observe. Registers are Python integers, memories numpy arrays."""

    config: Config
    pc: int = 0
    vl: int = -1  # VLEN, once the configuration is known
    gp: list[int] = field(default_factory=lambda: [0] * GP_COUNT)
    f: list[int] = field(default_factory=lambda: [0] * F_COUNT)
    loops: list[Loop] = field(default_factory=list)
    memories: dict[str, NDArray[np.unsignedinteger]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.vl < 0:
            self.vl = self.config.vlen
        for name, dtype in MEMORIES.items():
            if name not in self.memories:
                self.memories[name] = np.zeros(self.config.elements(name), dtype)

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
        if address + array.size > target.size:
            raise UsageError(
                f"{array.size} elements at {address} do not fit the {memory} memory "
                f"of {target.size}"
            )
        target[address : address + array.size] = array.astype(target.dtype)
