"""What every instruction does, a second time: plain Python, numpy, ml_dtypes, mpmath, fractions.

The specification writes an instruction once for all its interpretations, so a mistake in that text
would be in all of them. This is the counterweight: written from the documented facts, it takes
nothing from `unmask.spec` but sizes and the names of memories, and shares no algorithm with it
where there is another one. `tests/spec/test_witness.py` holds the two together.
"""

from __future__ import annotations

from unmask.tests.scenes import Scene
from unmask.tests.witness import masks, memory, scalar, softmax, vector, words
from unmask.tests.witness.traps import PRIORITY
from unmask.tests.witness.world import Outcome, Situation, World

GROUPS = (scalar, vector, masks, memory, softmax)


def expected(scene: Scene | Situation) -> Outcome:
    """What executing the word gives; of several traps the first in order of priority."""
    situation = scene if isinstance(scene, Situation) else Situation(scene)
    world = World.of(situation)
    before = world.snapshot()
    found = None
    if world.pc < len(world.words):
        found = words.decode(world.words[world.pc])
    if found is None:
        return Outcome("ILLEGAL", before)
    name, fields = found
    group = next(x for x in GROUPS if name in x.NAMES)
    causes = set(group.causes(world, name, fields))
    looked = scalar.examined(world, name, fields)
    if causes:
        return Outcome(min(causes, key=PRIORITY.index), before, examined=looked)
    beat = situation.config.beat_bytes
    fault = memory.refused(world, name, fields, situation.faulty, beat)
    if fault is not None:
        return Outcome("FATAL", before, fault=fault)
    group.act(world, name, fields)
    world.pc += 1
    return Outcome("NONE", world.snapshot(), world.length, world.stop, examined=looked)
