"""The machine as the witness sees it: registers, memories, loops; and one instruction's outcome."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from unmask.spec.state import MEMORIES, Config
from unmask.tests.scenes import CONFIG, Scene


class Situation(NamedTuple):
    """A scene in a core of some size, in a program.

    Attributes:
        program: its words; None: the scene's own.
        pc: where it stands.
        faulty: ranges of HBM, whole beats, that answer with a bus error.
    """

    scene: Scene
    config: Config = CONFIG
    program: tuple[int, ...] | None = None
    pc: int = 0
    faulty: tuple[tuple[int, int], ...] = ()

    @property
    def words(self) -> tuple[int, ...]:
        return self.scene.program(self.config) if self.program is None else self.program


class Outcome(NamedTuple):
    """What one instruction leaves.

    Attributes:
        cause: name of the trap, or NONE.
        after: everything, as `State.snapshot` gives it.
        length: elements it worked on.
        stop: whether the program ended as it should.
        fault: of FATAL, the first byte that the memory refused.
        examined: words looked at for the end of a loop of no iterations.
    """

    cause: str
    after: dict[str, Any]
    length: int = 0
    stop: bool = False
    fault: int | None = None
    examined: int = 0


@dataclass
class World:
    """A copy that an instruction may change."""

    vlen: int
    loop_depth: int
    window: tuple[int, int]
    words: tuple[int, ...]
    pc: int
    gp: list[int]
    f: list[int]
    a: list[int]
    csrs: dict[str, int]
    softmax: list[tuple[int, ...]]
    loops: list[tuple[int, int, int]]
    memories: dict[str, NDArray[Any]]
    length: int = 0
    stop: bool = False

    @classmethod
    def of(cls, situation: Situation) -> World:
        scene, config = situation.scene, situation.config
        memories = {}
        for name, dtype in MEMORIES.items():
            pattern = np.array(scene.memories[name], dtype)
            memories[name] = np.resize(pattern, config.elements(name))
        return cls(
            config.vlen,
            config.loop_depth,
            scene.window,
            situation.words,
            situation.pc,
            list(scene.gp),
            list(scene.f),
            list(scene.a),
            dict(scene.csrs),
            list(scene.softmax),
            list(scene.loops),
            memories,
        )

    @property
    def vl(self) -> int:
        return self.csrs["VL"]

    def size(self, memory: str) -> int:
        return len(self.memories[memory])

    def read(self, memory: str, address: int, length: int) -> NDArray[Any]:
        """A copy, so that what an instruction writes does not change what it has read."""
        return self.memories[memory][address : address + length].copy()

    def set_gp(self, number: int, value: int) -> None:
        if number != 0:
            self.gp[number] = value % 2**32

    def set_f(self, number: int, code: int) -> None:
        if number != 0:
            self.f[number] = int(code)

    def snapshot(self) -> dict[str, Any]:
        return {
            "pc": self.pc,
            "gp": tuple(self.gp),
            "f": tuple(self.f),
            "a": tuple(self.a),
            "softmax": tuple(self.softmax),
            "csrs": dict(self.csrs),
            "loops": tuple(self.loops),
            "memories": {name: array.tobytes() for name, array in self.memories.items()},
        }
