"""The machine in a situation, and how it differs from what the witness expects."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

from unmask.spec import machine as spec_machine
from unmask.spec import state as spec_state
from unmask.spec import vectors as spec_vectors
from unmask.tests.witness.traps import CAUSES
from unmask.tests.witness.world import Outcome, Situation


def execute(
    situation: Situation,
    whole: bool = False,
    modules: tuple[ModuleType, ModuleType, ModuleType] = (spec_machine, spec_state, spec_vectors),
) -> tuple[Any, dict[str, Any]]:
    """The record of the next instruction, and everything after it.

    Args:
        whole: vectors as arrays, not element by element.
        modules: machine, state and vectors of the specification, or of another copy of it.
    """
    machines, states, vectors = modules
    scene, config = situation.scene, situation.config
    ways = vectors.WHOLE if whole else vectors.EACH
    machine = machines.Machine(situation.words, config, ways, faulty=situation.faulty)
    state = machine.state
    state.pc = situation.pc
    state.gp[:], state.f[:], state.a[:] = scene.gp, scene.f, scene.a
    state.csrs.update(scene.csrs)
    state.softmax[:] = [states.softmax_of(values) for values in scene.softmax]
    state.loops[:] = [states.Entry(*loop) for loop in scene.loops]
    state.window = scene.window
    for name, array in state.memories.items():
        array[:] = np.resize(np.array(scene.memories[name], array.dtype), array.size)
    record, after = machine.step(), state.snapshot()
    if situation.faulty and not machine.stopped:
        # A transfer that the memory refuses retires first; behind its word the program ends.
        last = machine.step()
        if last.cause.name == "FATAL":
            return last, {**after, "pc": last.pc}
    return record, after


def difference(record: Any, after: dict[str, Any], outcome: Outcome) -> str | None:
    """What the machine did otherwise than the witness; None if nothing."""
    if record.cause.name != outcome.cause or CAUSES[record.cause] != outcome.cause:
        return f"trap {record.cause.name} = {int(record.cause)}, expected {outcome.cause}"
    told = (record.length, record.stop, record.fault, record.examined)
    if told != outcome[2:]:
        return f"length, stop, fault, examined {told}, expected {outcome[2:]}"
    if record.next_pc != outcome.after["pc"]:
        return f"next pc {record.next_pc}, expected {outcome.after['pc']}"
    if after == outcome.after:
        return None
    for name, wanted in outcome.after.items():
        got = after[name]
        if name == "memories":
            for memory, wanted_bytes in wanted.items():
                if got[memory] != wanted_bytes:
                    return f"{memory}: {_first(got[memory], wanted_bytes, memory)}"
        elif got != wanted:
            return f"{name} is {got}, expected {wanted}"
    return "more state than expected"


def _first(got: bytes, wanted: bytes, memory: str) -> str:
    dtype = spec_state.MEMORIES[memory]
    a, b = np.frombuffer(got, dtype), np.frombuffer(wanted, dtype)
    places = np.flatnonzero(a != b)
    at = int(places[0])
    return f"[{at}] is {int(a[at]):#x}, expected {int(b[at]):#x} ({len(places)} differ)"
