"""Hardware loops: which word comes next, and what the loop stack becomes.

A loop's remaining count lives on the stack; its gp only shows it. So a body that writes the counter
register changes nothing about the number of iterations, and every program ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from unmask.spec.encoding import OPCODE, Loop, Trap

START, END = 0x2F, 0x30  # opcodes of C_LOOP_START and C_LOOP_END


@dataclass
class Entry:
    """An entry of the loop stack: first word of the body, iterations left, counting register."""

    start: int
    count: int
    register: int


def after_start(
    program: Sequence[int], pc: int, loops: Sequence[Entry], depth: int, count: int
) -> tuple[Trap, int, int]:
    """What follows C_LOOP_START at pc: the trap or NONE, where to go on, the words looked at.

    LOOP: the stack is full, be the count 0 or not; or a loop of zero iterations has no end.
    """
    if len(loops) == depth:
        return Trap.LOOP, pc, 0
    if count:
        return Trap.NONE, pc + 1, 0
    end = loop_end(program, pc + 1)
    if end is None:
        return Trap.LOOP, pc, len(program) - pc
    return Trap.NONE, end + 1, end - pc


def after_end(pc: int, loops: Sequence[Entry], register: int) -> tuple[Trap, int]:
    """What follows C_LOOP_END at pc: the trap or NONE, and where to go on.

    LOOP: there is no loop, or the innermost one counts in another register.
    """
    if not loops or loops[-1].register != register:
        return Trap.LOOP, pc
    return Trap.NONE, loops[-1].start if loops[-1].count > 1 else pc + 1


def loop_end(program: Sequence[int], pc: int) -> int | None:
    """The C_LOOP_END that matches a loop whose body starts at pc, by opcodes alone."""
    nesting = 0
    for place in range(pc, len(program)):
        opcode = OPCODE.get(program[place])
        if opcode == START:
            nesting += 1
        elif opcode == END:
            if nesting == 0:
                return place
            nesting -= 1
    return None


def turn(loops: list[Entry], loop: Loop, pc: int, count: int, register: int) -> int:
    """Change the stack as a start or end at pc does; returns what the counter shows.

    Args:
        count: iterations that a start asks for.
        register: the counter.
    """
    if loop is Loop.START:
        if count > 0:
            loops.append(Entry(pc + 1, count, register))
        return count
    entry = loops[-1]
    entry.count -= 1
    if entry.count == 0:
        loops.pop()
    return entry.count
