"""Which words of a program run and how often, from the words alone: loops have fixed counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from unmask.spec import isa, loops
from unmask.spec.encoding import Trap

DEEPEST = 1 << 10  # nesting that is followed, whatever the core can hold


@dataclass(frozen=True)
class Walk:
    """What a walk over a program finds.

    Attributes:
        times: how often each word runs, if no instruction traps; 0: never.
        problem: (word, text) where loops do not match or the end is missing; None if all is well.
    """

    times: tuple[int, ...]
    problem: tuple[int, str] | None

    @property
    def instructions(self) -> int:
        """Instructions that a run retires, if none traps."""
        return sum(self.times)


def walk(words: Sequence[int]) -> Walk:
    """Follow a program, each loop's body once."""
    times = [0] * len(words)
    open_loops: list[tuple[int, int, int]] = []  # counter, count, word of the start
    factor, pc = 1, 0
    while pc < len(words):
        times[pc] = factor
        row = isa.decode(words[pc])
        if row is None:
            return Walk(tuple(times), (pc, "the word is no instruction"))
        if row.mnemonic == "C_BREAK":
            return Walk(tuple(times), _left_open(open_loops))
        fields = {x.name: x.field.get(words[pc]) for x in row.operands}
        if row.opcode == loops.START:
            cause, target, _ = loops.after_start(words, pc, (), DEEPEST, fields["imm22"])
            if cause is not Trap.NONE:
                return Walk(tuple(times), (pc, "the loop has no end"))
            if fields["imm22"]:
                open_loops.append((fields["rd"], fields["imm22"], pc))
                factor *= fields["imm22"]
            pc = target
            continue
        if row.opcode == loops.END:
            if not open_loops or open_loops[-1][0] != fields["rd"]:
                counter = f"gp{fields['rd']:X}"
                return Walk(tuple(times), (pc, f"no loop that counts in {counter} ends here"))
            factor //= open_loops.pop()[1]
        pc += 1
    return Walk(tuple(times), (len(words) - 1, "the program runs past its end, without C_BREAK"))


def _left_open(open_loops: list[tuple[int, int, int]]) -> tuple[int, str] | None:
    if not open_loops:
        return None
    return open_loops[-1][2], "the program stops inside this loop, in its first iteration"
