"""The host interface: answers in time, and nothing but an accepted write changes a register."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from inspect import getdoc
from typing import Any

import z3

from unmask.proofs.engine.mutate import Mutation
from unmask.proofs.engine.obligation import Files, Obligation, Theorem, Values
from unmask.proofs.units import rtl

FILE = rtl.RTL / "frontend" / "unmask_host.v"
SIZES = ((2, 64), (1024, 512))  # words of program memory, bits of a beat
SERVED = 6  # cycles within which what is held is served
# Channel -> its register's occupancy, and what that holds of it.
HELD = {
    "aw": ("write_address_held_reg", {"awaddr": "write_address_reg"}),
    "w": ("write_data_held_reg", {"wdata": "write_data_reg", "wstrb": "write_strobe_reg"}),
    "ar": ("read_address_held_reg", {"araddr": "read_address_reg"}),
}
PROGRAM = 0x0400_0000
# Register -> (address, bits of it); both halves of a pair have their own.
SETTINGS = {
    "length_reg": ((0x30, 0),),
    "first_reg": ((0x38, 0), (0x3C, 32)),
    "end_reg": ((0x40, 0), (0x44, 32)),
}
READABLE = (
    *(0x00, 0x04, 0x08, 0x0C, 0x10, 0x18, 0x1C, 0x20, 0x24, 0x28, 0x2C, 0x30, 0x38, 0x3C),
    *(0x40, 0x44),
    *range(0x80, 0xB4, 4),
)
CONTROL = 0x08
PAIRS = {0x18: "fault_address", 0x20: "cycles", 0x28: "retired"}
BUILT = {0x80: 8, 0x84: 64, 0x88: 1024, 0x8C: 4096, 0x90: 1024, 0x98: 8, 0x9C: 1,
         0xA4: 16, 0xA8: 16, 0xAC: 16, 0xB0: 256}  # fmt: skip
IDLE, ANSWER_WRITE, FETCH, ANSWER_READ = range(4)


def serves(files: Files) -> Iterator[Obligation]:
    """From any state: requests are served in time, refused as they should be, and alone act.

    A channel is taken while its register is free, whatever its inputs, and kept until it is
    served. A write is served when both its parts are there, unless a read waits and the one served
    last was a write; a read unless a write is. Of a master that takes answers at once, what is held
    is served within 6 cycles, whatever else comes; it is answered in the cycle after, a read of
    program memory in the second, and nothing else is. An answer waits, unchanged, until it is
    taken. OKAY goes exactly
    to a whole word at an address that has something behind it, of the right direction, of a window
    not inside a beat, and while the core is neither busy nor about to be: for settings, the start
    bit and program memory. Settings change by such a write alone, to its data; a read gives what
    stands there, of the high half of a counter at the first read behind its low half's what stood
    there then; `start` and `halt` are high in the cycle after such a write with their bit, and
    program memory is touched by such accesses alone. For 2 and 1,024 words of program memory, the
    latter with beats of 512 bits.
    """
    for words, beat_bits in SIZES:
        built = {"PROGRAM_WORDS": words, "BEAT_BITS": beat_bits}
        module = rtl.load(FILE, built, files)
        state = module.arbitrary("any")
        size = f"{words} words"
        free = module.view(state, {"rst": _bit(0)}, "now")
        after = module.view(free.next(), {"rst": _bit(0)}, "after")
        wrote, asked = _served(free)
        address = z3.If(wrote, free["write_address_reg"], free["read_address_reg"])
        data, strobe = free["write_data_reg"], free["write_strobe_reg"]
        closed = z3.Or(_input(free, "busy") == 1, free["start_reg"] == 1)
        off_beat = z3.And(z3.Or(address == 0x38, address == 0x40), data & (beat_bits // 8 - 1) != 0)
        index = z3.LShR(address - PROGRAM, 2)
        in_program = z3.And(z3.UGE(address, PROGRAM), z3.ULT(index, words))
        word = z3.Extract(1, 0, address) == 0
        starts = z3.And(z3.Extract(0, 0, data) == 1, z3.Extract(1, 1, data) == 0)
        setting = z3.Or(*(address == at for parts in SETTINGS.values() for at, _ in parts))
        owed_write = z3.And(
            word,
            strobe == 15,
            z3.Or(
                z3.And(address == CONTROL, z3.Not(z3.And(starts, closed))),
                z3.And(z3.Or(setting, in_program), z3.Not(off_beat), z3.Not(closed)),
            ),
        )
        owed_read = z3.And(
            word,
            z3.Or(
                *(address == at for at in READABLE),
                z3.And(in_program, z3.Not(closed)),
            ),
        )
        accepted = z3.And(wrote, owed_write)
        explain = partial(_explain, free, address, data)
        small = (data,)

        def claim(label: str, goal: Any, *premises: Any, size: str = size,
                  explain: Any = explain, small: Any = small) -> Obligation:  # fmt: skip
            return Obligation(f"{size}: {label}", goal, premises, explain, small)

        for channel, (held, content) in HELD.items():
            valid, full = _input(free, f"s_axi_{channel}valid") == 1, free[held] == 1
            served = asked if channel == "ar" else wrote
            yield claim(f"{channel} ready", (free[f"s_axi_{channel}ready"] == 1) == z3.Not(full))
            stays = z3.And(z3.Not(served), z3.Or(full, valid))
            yield claim(f"{channel} held", (after[held] == 1) == stays)
            for port, register in content.items():
                kept = z3.If(full, free[register], _input(free, f"s_axi_{port}"))
                yield claim(f"{channel} keeps {port}", after[register] == kept)
        turn = z3.And(z3.Not(asked), z3.Or(wrote, free["read_next_reg"] == 1))
        yield claim("a read between two writes", (after["read_next_reg"] == 1) == turn)
        answer = z3.And(after["s_axi_bvalid"] == 1, (after["s_axi_bresp"] == 0) == owed_write)
        yield claim("write answered", answer, wrote)
        fetched = z3.And(in_program, owed_read)
        error = (after["s_axi_rresp"] == 0) == owed_read
        at_once = z3.And(after["s_axi_rvalid"] == 1, error)
        yield claim("read answered", at_once, asked, z3.Not(fetched))
        yield claim("word fetched", z3.And(after["state_reg"] == FETCH, error), asked, fetched)
        later = module.view(after.next(), {"rst": _bit(0)}, "later")
        shown = z3.And(
            later["s_axi_rvalid"] == 1,
            later["s_axi_rresp"] == after["s_axi_rresp"],
            later["s_axi_rdata"] == _input(after, "program_rdata"),
        )
        yield claim("word answered", shown, after["state_reg"] == FETCH)
        due = {
            "b": wrote,
            "r": z3.Or(z3.And(asked, z3.Not(fetched)), free["state_reg"] == FETCH),
        }
        for side, answers in due.items():
            waiting = (free[f"s_axi_{side}valid"] == 1, _input(free, f"s_axi_{side}ready") == 0)
            owed = z3.Or(answers, z3.And(*waiting))
            yield claim(f"{side} is due", (after[f"s_axi_{side}valid"] == 1) == owed)
        fetches = z3.And(asked, fetched)
        yield claim("fetch is due", (after["state_reg"] == FETCH) == fetches)
        for side, payload in (("b", ("bresp",)), ("r", ("rresp", "rdata"))):
            waits = (free[f"s_axi_{side}valid"] == 1, _input(free, f"s_axi_{side}ready") == 0)
            same = (after[f"s_axi_{x}"] == free[f"s_axi_{x}"] for x in payload)
            yield claim(f"{side} waits", z3.And(after[f"s_axi_{side}valid"] == 1, *same), *waits)
        for name, parts in SETTINGS.items():
            value = free[name]
            for at, low in parts:
                new = z3.Concat(
                    *([z3.Extract(63, 32, value)] if low == 0 and value.size() > 32 else []),
                    data,
                    *([z3.Extract(31, 0, value)] if low else []),
                ) if value.size() > 32 else data  # fmt: skip
                value = z3.If(z3.And(accepted, address == at), new, value)
            yield claim(name, after[name] == value)
        control = z3.And(accepted, address == CONTROL)
        halts = z3.And(control, z3.Extract(1, 1, data) == 1)
        yield claim("start", (after["start"] == 1) == z3.And(control, starts))
        yield claim("halt", (after["halt"] == 1) == halts)
        touched = z3.Or(z3.And(accepted, in_program), z3.And(asked, owed_read, in_program))
        yield claim("program memory", (free["program_valid"] == 1) == touched)
        access = z3.And(
            (free["program_write"] == 1) == wrote,
            free["program_address"] == index,
            free["program_wdata"] == data,
        )
        yield claim("program access", access, free["program_valid"] == 1)
        # What is read: of a pair whose low half was read just before, that moment's high half.
        shown = _values(free, words, beat_bits)
        kept = z3.And(
            free.register("high_valid_reg", 1) == 1,
            z3.Extract(31, 8, address) == 0,
            z3.Extract(7, 2, address) == free.register("high_place_reg", 6),
        )
        for at, value in shown.items():
            goal = after["s_axi_rdata"] == z3.If(kept, free.register("high_reg", 32), value)
            yield claim(f"value at {at:02x}", goal, asked, address == at)
        low = z3.And(asked, z3.Or(*(address == at for at in PAIRS)))
        kept_after = z3.If(asked, low, free.register("high_valid_reg", 1) == 1)
        yield claim("high half kept", (after.register("high_valid_reg", 1) == 1) == kept_after)
        same = z3.And(
            after.register("high_reg", 32) == free.register("high_reg", 32),
            after.register("high_place_reg", 6) == free.register("high_place_reg", 6),
        )
        yield claim("high half stays", same, z3.Not(asked))
        for at in PAIRS:
            place = after.register("high_place_reg", 6) == (at + 4) // 4
            goal = z3.And(place, after.register("high_reg", 32) == shown[at + 4])
            yield claim(f"high half of {at:02x}", goal, asked, address == at)
        yield from _in_time(module, state, size)


def _served(view: Any) -> tuple[Any, Any]:
    """Whether a write, and whether a read, is served in this cycle."""
    idle, waits = view["state_reg"] == IDLE, view["read_address_held_reg"] == 1
    both = z3.And(view["write_address_held_reg"] == 1, view["write_data_held_reg"] == 1)
    wrote = z3.And(idle, both, z3.Not(z3.And(waits, view["read_next_reg"] == 1)))
    return wrote, z3.And(idle, waits, z3.Not(wrote))


def _values(view: Any, words: int, beat_bits: int) -> dict[int, Any]:
    """Address -> what stands there."""
    built = {**BUILT, 0x94: words, 0xA0: beat_bits}
    found = {at: z3.BitVecVal(value, 32) for at, value in built.items()}
    found |= {0: z3.BitVecVal(0x756E4D6B, 32), 4: z3.BitVecVal(0x10000, 32)}
    status = (_input(view, name) for name in ("halted", "done", "busy"))
    found[0x0C] = z3.Concat(z3.BitVecVal(0, 24), _input(view, "cause"), z3.BitVecVal(0, 1), *status)
    found |= {CONTROL: z3.BitVecVal(0, 32), 0x10: _input(view, "trap_pc")}
    for at, name in PAIRS.items():
        value = _input(view, name)
        found |= {at: z3.Extract(31, 0, value), at + 4: z3.Extract(63, 32, value)}
    for name, parts in SETTINGS.items():
        for at, low in parts:
            found[at] = z3.Extract(low + 31, low, view[name])
    return found


def _in_time(module: Any, state: Any, size: str) -> Iterator[Obligation]:
    """Whatever the interface is at and whatever else comes, what it holds is served."""
    ready = {"rst": _bit(0), "s_axi_bready": _bit(1), "s_axi_rready": _bit(1)}
    for place, kind in enumerate(("write", "read")):
        view, seen = module.view(state, ready, f"{kind}0"), []
        channels = ("ar",) if place else ("aw", "w")
        held = [view[HELD[channel][0]] == 1 for channel in channels]
        for cycle in range(1, SERVED + 1):
            seen.append(_served(view)[place])
            view = module.view(view.next(), ready, f"{kind}{cycle}")
        yield Obligation(f"{size}: {kind} served", z3.Or(*seen), tuple(held))


def _input(view: Any, name: str) -> Any:
    return view.apply(view.module.inputs[name])


def _explain(view: Any, address: Any, data: Any, value: Values) -> str:
    return (
        f"state {value(view['state_reg'])}, busy {value(_input(view, 'busy'))}, "
        f"start {value(view['start_reg'])}: "
        f"{'write' if value(_served(view)[0]) else 'read'} at {value(address):08x}, "
        f"data {value(data):08x}, strobe {value(view['write_strobe_reg']):04b}"
    )


def _bit(value: int) -> Any:
    return z3.BitVecVal(value, 1)


def _twin(mutation: Mutation, files: Files) -> Iterator[Obligation]:
    with mutation.applied(files) as mutated:
        yield from serves(mutated)


# The planted bug: the window may be moved under a running program.
OPEN = Mutation(FILE, "(setting & ~in_beat & ~busy & ~start_reg)", "(setting & ~in_beat)")

THEOREMS = (
    Theorem(
        name="host",
        statement=getdoc(serves) or "",
        bounds="2, 1,024 words of program memory",
        engine="z3, bitwuzla",
        obligations=serves,
        twin=partial(_twin, OPEN),
        sources=(FILE,),
        confirm=True,
    ),
)
