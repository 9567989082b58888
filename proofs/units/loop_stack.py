"""The loop stack is a stack: push, next iteration and pop do to it what they do to a list."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from inspect import getdoc
from typing import Any

import z3

from unmask.proofs.engine.mutate import Mutation
from unmask.proofs.engine.obligation import Files, Obligation, Theorem, Values
from unmask.proofs.engine.smt import View
from unmask.proofs.units import rtl

FILE = rtl.RTL / "frontend" / "unmask_loop_stack.v"
PC_BITS, COUNT_BITS, REGISTER_BITS = 11, 22, 4
ENTRY = PC_BITS + REGISTER_BITS + COUNT_BITS
DEPTHS = (2, 3, 8)
COMMANDS = ("clear", "push", "next_iteration", "pop")


def is_stack(files: Files) -> Iterator[Obligation]:
    """Seen as a list of (start, register, count), every command does what it does to a list.

    From any state whose level is 0 .. DEPTH, for all contents: push appends, pop removes the
    innermost, next_iteration lowers its count by one, no command changes nothing, clear empties;
    the outputs show the innermost entry, empty and full; the level stays in 0 .. DEPTH. Assumes
    at most one command, push only when not full, the others only when not empty. Depths 2, 3, 8.
    """
    for depth in DEPTHS:
        module = rtl.load(
            FILE, {"DEPTH": depth, "PC_BITS": PC_BITS, "COUNT_BITS": COUNT_BITS}, files
        )
        state = module.arbitrary("any")
        new = [z3.BitVec(f"push_{x}", w) for x, w in _fields()]
        values = dict(zip(("push_start", "push_register", "push_count"), new, strict=True))
        for level in range(depth + 1):
            for command in ("none", *COMMANDS):
                if (level == depth and command == "push") or (
                    level == 0 and command in ("pop", "next_iteration")
                ):
                    continue
                bits = {x: z3.BitVecVal(int(x == command), 1) for x in COMMANDS}
                now = module.view(state, {**bits, **values}, "now")
                after = module.view(now.next(), bits, "after")
                before = entries(now, level)
                owed = _effect(command, before, z3.Concat(*new))
                shown = z3.And(_shows(now, before, depth), _is_list(after, owed))
                label = f"depth {depth}, level {level}: {command}"
                yield Obligation(
                    label,
                    shown,
                    (now["level_reg"] == level,),
                    partial(_explain, after, before, owed),
                    (*before, *new),
                )


def entries(view: View, level: int) -> list[Any]:
    """The stack as a list, outermost first."""
    whole = view["stack_reg"]
    lows = [ENTRY * place for place in range(level)]
    return [z3.Extract(low + ENTRY - 1, low, whole) for low in reversed(lows)]


def _fields() -> tuple[tuple[str, int], ...]:
    return (("start", PC_BITS), ("register", REGISTER_BITS), ("count", COUNT_BITS))


def _explain(after: View, before: list[Any], owed: list[Any], value: Values) -> str:
    got = entries(after, min(value(after["level_reg"]), after["stack_reg"].size() // ENTRY))
    return (
        "entries are start/register/count, outermost first\n"
        f"  before:   {_text(before, value)}\n"
        f"  expected: {_text(owed, value)}\n"
        f"  got:      {_text(got, value)}"
    )


def _text(stack: list[Any], value: Values) -> str:
    texts = []
    for entry in stack:
        number = value(entry)
        count = number & ((1 << COUNT_BITS) - 1)
        register = number >> COUNT_BITS & ((1 << REGISTER_BITS) - 1)
        texts.append(f"{number >> (COUNT_BITS + REGISTER_BITS)}/gp{register}/{count}")
    return "[" + ", ".join(texts) + "]"


def _effect(command: str, before: list[Any], new: Any) -> list[Any]:
    if command == "push":
        return [*before, new]
    if command == "pop":
        return before[:-1]
    if command == "next_iteration":
        count = z3.Extract(COUNT_BITS - 1, 0, before[-1]) - 1
        return [*before[:-1], z3.Concat(z3.Extract(ENTRY - 1, COUNT_BITS, before[-1]), count)]
    return [] if command == "clear" else before


def _is_list(view: View, owed: list[Any]) -> Any:
    got = entries(view, len(owed))
    same = [x == y for x, y in zip(got, owed, strict=True)]
    return z3.And(view["level_reg"] == len(owed), *same)


def _shows(view: View, stack: list[Any], depth: int) -> Any:
    facts = [
        view["empty"] == int(not stack),
        view["full"] == int(len(stack) == depth),
    ]
    if stack:
        remaining = view["top_remaining"] + 1
        top = z3.Concat(view["top_start"], view["top_register"], remaining)
        facts.append(top == stack[-1])
    return z3.And(*facts)


def _twin(mutation: Mutation, files: Files) -> Iterator[Obligation]:
    with mutation.applied(files) as mutated:
        yield from is_stack(mutated)


# The planted bug: the count of the innermost loop never falls.
ENDLESS = Mutation(
    FILE, "stack_reg[COUNT_BITS-1:0] <= top_remaining", "stack_reg[COUNT_BITS-1:0] <= top_count"
)

THEOREMS = (
    Theorem(
        name="loop_stack",
        statement=getdoc(is_stack) or "",
        bounds="depth 2, 3, 8",
        engine="z3, bitwuzla",
        obligations=is_stack,
        twin=partial(_twin, ENDLESS),
        sources=(FILE,),
        confirm=True,
    ),
)
