"""Transfers under way: who waits for whom, what a slot holds, and which failed first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from inspect import getdoc
from itertools import permutations
from typing import Any

import z3

from unmask.proofs.engine.mutate import Mutation
from unmask.proofs.engine.obligation import Files, Obligation, Theorem, Values
from unmask.proofs.engine.smt import View
from unmask.proofs.units import rtl

FILE = rtl.RTL / "frontend" / "unmask_transfers.v"
PC_BITS = (1, 11)
STORE = 3  # the slot of the store; 0 to 2 are reads
SLOTS = range(4)
OPERANDS = range(4)  # rd, rs1, rs2, rs3
SPANS = range(2)  # of HBM: elements, scales
READS = 3
WIDTHS = {"memory": 2, "first": 32, "end": 32, "state": 2, "hbm_first": 128, "hbm_end": 128}
KEPT = ("memory", "first", "end", "state", "scaled", "hbm_first", "hbm_end", "pc_of", "stream")


def _bit(view: View, port: str, place: int = 0) -> Any:
    return z3.Extract(place, place, view[port]) == 1


def _part(view: View, port: str, place: int, width: int) -> Any:
    return z3.Extract(width * place + width - 1, width * place, view[port])


@dataclass(frozen=True)
class Access:
    """A range [first, end) of a memory that is read or written, if `there`."""

    there: Any
    memory: Any
    first: Any
    end: Any


@dataclass(frozen=True)
class Slot:
    """What the table holds of the transfer in a slot, in one cycle."""

    view: View
    number: int

    def __getitem__(self, name: str) -> Any:
        """A register; one that does not matter to the module, so that it has none, is anything."""
        return self.view.register(f"slots[{self.number}].{name}_reg", WIDTHS.get(name, 1))

    def on(self, name: str) -> Any:
        """Whether a register of one bit is 1."""
        return self[name] == 1

    @property
    def stores(self) -> bool:
        return self.number == STORE

    @property
    def streams(self) -> Any:
        return z3.And(self.on("valid"), self.on("stream"))

    @property
    def sliced(self) -> Any:
        """The last slice of its stream comes to the lanes in this cycle."""
        here = self.view["slice_state"] == self["state"]
        return z3.And(self.streams, _bit(self.view, "slice_last"), here)

    @property
    def completes(self) -> Any:
        """In this cycle."""
        if self.stores:
            return _bit(self.view, "write_valid")
        here = z3.And(_bit(self.view, "read_valid"), self.view["read_slot"] == self.number)
        mine = self.view["state_number"] == self["state"]
        return z3.Or(here, z3.And(self.streams, _bit(self.view, "state_valid"), mine))

    def sram(self) -> Access:
        moves = z3.And(self.on("valid"), z3.Not(self.on("stream")))
        return Access(moves, self["memory"], self["first"], self["end"])

    def hbm(self) -> list[Access]:
        found = []
        for n in SPANS:
            there = self.on("valid") if n == 0 else z3.And(self.on("valid"), self.on("scaled"))
            bounds = (z3.Extract(64 * n + 63, 64 * n, self[f"hbm_{x}"]) for x in ("first", "end"))
            found.append(Access(there, None, *bounds))
        return found


def meet(some: Sequence[Access], others: Sequence[Access]) -> Any:
    """Whether two sets of ranges share an element, as `model.pipeline.meet` has it."""
    return z3.Or(
        *(
            z3.And(
                a.there,
                b.there,
                True if a.memory is None else a.memory == b.memory,
                z3.ULT(a.first, b.end),
                z3.ULT(b.first, a.end),
            )
            for a in some
            for b in others
        )
    )


def _asked_sram(view: View, written: bool) -> list[Access]:
    """SRAM ranges of the instruction that is about to issue: all, or those it writes."""
    found = []
    for n in OPERANDS[:2] if written else OPERANDS:
        there = _bit(view, "touch", n)
        if written:
            there = z3.And(there, _bit(view, "touch_write", n))
        bounds = (_part(view, f"touch_{x}", n, 32) for x in ("first", "end"))
        found.append(Access(there, _part(view, "touch_memory", n, 2), *bounds))
    return found


def _asked_hbm(view: View) -> list[Access]:
    found = []
    for n in SPANS:
        there = _bit(view, "moves")
        if n:
            there = z3.And(there, _bit(view, "scaled"))
        bounds = (_part(view, f"hbm_{x}", n, 64) for x in ("first", "end"))
        found.append(Access(there, None, *bounds))
    return found


def holds(files: Files) -> Iterator[Obligation]:
    """An instruction is held up if and only if the model's rule says that it has to wait.

    For any contents of the four slots and any instruction: `hold` is high if and only if an older
    transfer under way writes an element of SRAM or of HBM or a softmax state that the instruction
    reads or writes, or reads one that it writes; or it is V_RED_SM and the last slice of a stream
    has neither come before nor comes now; or it moves something and its slot is taken (the third
    read before it, the store before it); or it ends the program and anything is under way. Assumes
    that the store is no stream. Program addresses of 1 and 11 bits.
    """
    for module in _modules(files):
        now = module.view(module.arbitrary("any"), {}, "now")
        slots = [Slot(now, n) for n in SLOTS]
        stores = _bit(now, "stores")
        waits = []
        for slot in slots:
            hbm = meet(slot.hbm(), _asked_hbm(now))
            if slot.stores:
                sram = meet([slot.sram()], _asked_sram(now, written=True))
                waits.append(z3.Or(sram, hbm))
            else:
                sram = meet([slot.sram()], _asked_sram(now, written=False))
                state = z3.And(_bit(now, "touch_state"), now["state"] == slot["state"])
                waits.append(z3.Or(sram, z3.And(slot.streams, state), z3.And(stores, hbm)))
        unread = z3.Or(
            *(z3.And(x.on("valid"), x.on("unread"), z3.Not(x.sliced)) for x in slots[:READS])
        )
        busy = z3.Or(*(z3.And(now["slot"] == x.number, x.on("valid")) for x in slots))
        under_way = z3.Or(*(x.on("valid") for x in slots))
        owed = {
            "a transfer holds what it touches": z3.Or(*waits),
            "V_RED_SM, and a stream's last slice has not come": z3.And(
                _bit(now, "reduces"), unread
            ),
            "its slot is taken": z3.And(_bit(now, "moves"), busy),
            "it ends the program": z3.And(_bit(now, "ends"), under_way),
        }
        yield Obligation(
            _label(module, "hold"),
            _bit(now, "hold") == z3.Or(*owed.values()),
            _never(now),
            partial(_explain_hold, slots, owed),
            tuple(slot["valid"] for slot in slots),
        )
        shown = z3.And(
            _bit(now, "under_way") == under_way,
            *(_bit(now, "complete", x.number) == x.completes for x in slots),
        )
        yield Obligation(_label(module, "under way, complete"), shown, _never(now))


def keeps(files: Files) -> Iterator[Obligation]:
    """A slot holds the last transfer that was issued in it, until that completes, and how it ended.

    For each slot, from any state in which what has failed is not under way: an issue in it finds it
    free and stores exactly what the instruction is; nothing else changes that; it is taken until
    its transfer completes; a stream is unread until its last slice comes, and no other stream goes
    into its state. A transfer has failed once it completed with a fault (a stream: whose last slice
    came with one), with that fault's address. Reads take slots 0, 1, 2, 0, ... in turn, stores
    slot 3; after reset and clear no slot is taken, none has failed and slot 0 is next. So, by
    induction over cycles, at any time.

    Assumes: only what moves something and is not held up issues, nothing after a fault; a transfer
    that completes is under way, a store or a read by its slot, a stream by its state alone; a
    stream's last slice comes once, before its state; stores are no streams. Program addresses of 1
    and 11 bits.
    """
    for module in _modules(files):
        now = module.view(module.arbitrary("any"), {}, "now")
        after = module.view(now.next(), {}, "after")
        premises = (*_never(now), *_environment(now), now["rst"] == 0, now["clear"] == 0)
        premises += tuple(_over(Slot(now, n)) for n in SLOTS)
        issue = _bit(now, "issue")
        for slot, then in ((Slot(now, n), Slot(after, n)) for n in SLOTS):
            taken = z3.And(issue, now["slot"] == slot.number)
            content = z3.And(*(then[name] == value for name, value in _asked(now).items()))
            unread = [] if slot.stores else [then.on("unread") == _bit(now, "streams")]
            same = z3.And(*(then[name] == slot[name] for name in KEPT))
            read = [] if slot.stores else [then.on("unread") == _unread(slot)]
            failed = z3.Or(slot.on("failed"), z3.And(slot.completes, _fault(slot)))
            goals = {
                "is free, and takes what issues": z3.Implies(
                    taken, z3.And(z3.Not(slot.on("valid")), then.on("valid"), content, *unread)
                ),
                "keeps it": z3.Implies(z3.Not(taken), z3.And(same, *read)),
                "until it completes": z3.Implies(
                    z3.Not(taken),
                    then.on("valid") == z3.And(slot.on("valid"), z3.Not(slot.completes)),
                ),
                "knows that it failed": then.on("failed") == failed,
                "knows where": z3.Implies(
                    z3.And(slot.completes, _fault(slot)), then["address"] == _address(slot)
                ),
                "still knows where": z3.Implies(
                    slot.on("failed"), then["address"] == slot["address"]
                ),
                "is free if it failed": _over(then),
            }
            if not slot.stores:
                goals |= _stream_goals(slot, then)
                goals["alone in its state"] = z3.Implies(
                    z3.And(taken, _bit(now, "streams")),
                    z3.And(*(z3.Not(_goes_into(Slot(now, n), now["state"])) for n in range(READS))),
                )
            for what, goal in goals.items():
                label = _label(module, f"slot {slot.number} {what}")
                yield Obligation(label, goal, premises, partial(_explain, slot, then))
        turn = z3.And(issue, z3.Not(_bit(now, "stores")))
        number = now["next_read_reg"]
        following = z3.If(turn, z3.If(number == READS - 1, 0, number + 1), number)
        yield Obligation(
            _label(module, "slots in turn"),
            z3.And(
                after["next_read_reg"] == following,
                now["slot"] == z3.If(_bit(now, "stores"), STORE, number),
            ),
            (*premises, z3.ULT(number, READS)),
        )
        empty = [z3.And(after["next_read_reg"] == 0)]
        empty += [Slot(after, n)[name] == 0 for n in SLOTS for name in ("valid", "failed")]
        reset = z3.Or(now["rst"] == 1, now["clear"] == 1)
        yield Obligation(_label(module, "reset, clear"), z3.And(*empty), (reset,))


def oldest(files: Files) -> Iterator[Obligation]:
    """Of several transfers that failed, the one that was issued first is reported.

    The slots used since the start of the program, in the order of their last issue, are one of 65
    lists. For each of them, from any state that agrees with it, for any inputs: the next state
    agrees with the list in which a slot that issued is last; `fault` is high if and only if a
    transfer has failed, and fault_slot, fault_pc and fault_address are those of the first of the
    list that has. After reset and clear the empty list holds (theorem `transfers.keeps`). Assumes
    that nothing issues after a fault, and that what completes is under way. Program addresses of 1
    and 11 bits.
    """
    for module in _modules(files):
        now = module.view(module.arbitrary("any"), {}, "now")
        after = module.view(now.next(), {}, "after")
        premises = (*_under_way(now), now["rst"] == 0, now["clear"] == 0)
        for length in range(len(SLOTS) + 1):
            for order in permutations(SLOTS, length):
                agrees = _agrees(now, order)
                label = _label(module, f"order {list(order)}")
                explain = partial(_explain_order, now, order)
                yield Obligation(f"{label}: reports", _reports(now, order), (agrees,), explain)
                idle = now["issue"] == 0
                yield Obligation(
                    f"{label}, no issue", _agrees(after, order), (*premises, agrees, idle)
                )
                for issued in SLOTS:
                    happens = z3.And(now["issue"] == 1, now["slot"] == issued)
                    later = (*(n for n in order if n != issued), issued)
                    yield Obligation(
                        f"{label}, slot {issued} issues",
                        _agrees(after, later),
                        (*premises, agrees, happens),
                        partial(_explain_order, after, later),
                    )


def _modules(files: Files) -> Iterator[Any]:
    for bits in PC_BITS:
        yield rtl.load(FILE, {"PC_BITS": bits}, files)


def _label(module: Any, text: str) -> str:
    return f"PC_BITS {module.inputs['pc'].size()}: {text}"


def _never(view: View) -> tuple[Any, ...]:
    """What never is: a store that is a stream."""
    return (
        Slot(view, STORE)["stream"] == 0,
        Slot(view, STORE)["unread"] == 0,
        z3.Not(z3.And(_bit(view, "stores"), _bit(view, "streams"))),
    )


def _over(slot: Slot) -> Any:
    """A transfer that failed is not under way any more."""
    return z3.Not(z3.And(slot.on("failed"), slot.on("valid")))


def _under_way(view: View) -> Iterator[Any]:
    """Nothing issues after a fault, and what completes is under way."""
    yield z3.Implies(_bit(view, "issue"), z3.Not(_bit(view, "fault")))
    for n in SLOTS:
        yield z3.Implies(Slot(view, n).completes, Slot(view, n).on("valid"))


def _environment(view: View) -> Iterator[Any]:
    """What the core does: issues what may issue, and completes what is under way."""
    yield from _under_way(view)
    moves = z3.And(_bit(view, "moves"), z3.Not(_bit(view, "hold")))
    yield z3.Implies(_bit(view, "issue"), moves)
    streams = z3.And(_bit(view, "streams"), z3.Not(_bit(view, "touch_state")))
    yield z3.Not(z3.And(_bit(view, "issue"), streams))
    for slot in (Slot(view, n) for n in range(READS)):
        named = z3.And(_bit(view, "read_valid"), view["read_slot"] == slot.number)
        yield z3.Not(z3.And(named, slot.on("stream")))
        yield z3.Implies(slot.sliced, slot.on("unread"))
        yield z3.Implies(z3.And(slot.streams, slot.completes), z3.Not(slot.on("unread")))


def _asked(view: View) -> dict[str, Any]:
    """Register of a slot -> what it takes from the instruction that issues."""
    taken = {name: view[name] for name in ("state", "scaled", "hbm_first", "hbm_end")}
    taken |= {x: _part(view, f"touch_{x}", 0, 32) for x in ("first", "end")}
    taken["memory"] = _part(view, "touch_memory", 0, 2)
    return {**taken, "pc_of": view["pc"], "stream": view["streams"]}


def _unread(slot: Slot) -> Any:
    return z3.And(slot.on("unread"), z3.Not(slot.sliced))


def _goes_into(slot: Slot, state: Any) -> Any:
    return z3.And(slot.streams, slot["state"] == state)


def _stream_goals(slot: Slot, then: Slot) -> dict[str, Any]:
    """A stream's fault is known with its last slice, and kept until its state is there."""
    view = slot.view
    noted = z3.And(
        then.on("stream_fault") == _bit(view, "slice_fault"),
        then["address"] == view["slice_fault_address"],
    )
    waits = z3.And(slot.streams, z3.Not(slot.on("unread")))
    same = z3.And(then["stream_fault"] == slot["stream_fault"], then["address"] == slot["address"])
    return {
        "notes a stream's fault": z3.Implies(slot.sliced, noted),
        "keeps a stream's fault": z3.Implies(waits, same),
    }


def _fault(slot: Slot) -> Any:
    """Whether the transfer that completes in this cycle failed."""
    if slot.stores:
        return _bit(slot.view, "write_fault")
    return z3.If(slot.on("stream"), slot.on("stream_fault"), _bit(slot.view, "read_fault"))


def _address(slot: Slot) -> Any:
    if slot.stores:
        return slot.view["write_fault_address"]
    return z3.If(slot.on("stream"), slot["address"], slot.view["read_fault_address"])


def _older(view: View, slot: int, other: int) -> Any:
    return view[f"ages[{slot}].others[{other}].older_reg"]


def _agrees(view: View, order: Sequence[int]) -> Any:
    """The table knows of each pair which came first, and nothing of slots not in the list."""
    facts = [z3.BoolVal(True)]
    for place, first in enumerate(order):
        for second in order[place + 1 :]:
            for row, other, before in ((first, second, 1), (second, first, 0)):
                if row:  # slot 0 knows nothing: the others do
                    facts.append(_older(view, row, other) == before)
    for n in SLOTS:
        if n not in order:
            facts += [Slot(view, n)["valid"] == 0, Slot(view, n)["failed"] == 0]
    return z3.And(*facts)


def _reports(view: View, order: Sequence[int]) -> Any:
    failed = [Slot(view, n) for n in order]
    facts = [_bit(view, "fault") == z3.Or(False, *(x.on("failed") for x in failed))]
    for place, slot in enumerate(failed):
        first = z3.And(slot.on("failed"), *(z3.Not(x.on("failed")) for x in failed[:place]))
        reported = z3.And(
            view["fault_slot"] == slot.number,
            view["fault_pc"] == slot["pc_of"],
            view["fault_address"] == slot["address"],
        )
        facts.append(z3.Implies(first, reported))
    return z3.And(*facts)


def _explain_hold(slots: Sequence[Slot], owed: dict[str, Any], value: Values) -> str:
    reasons = [text for text, term in owed.items() if value(term)]
    lines = [f"expected: {'; '.join(reasons) or 'it need not wait'}"]
    view = slots[0].view
    lines.append(f"  got hold = {value(view['hold'])}")
    lines += [
        f"  it touches {what}: [{value(access.first):#x}, {value(access.end):#x})"
        for what, access in zip(
            ("rd", "rs1", "rs2", "rs3", "HBM elements", "HBM scales"),
            (*_asked_sram(view, written=False), *_asked_hbm(view)),
            strict=True,
        )
        if value(access.there)
    ]
    return "\n".join((*lines, *(_described(slot, value) for slot in slots)))


def _explain_order(view: View, order: Sequence[int], value: Values) -> str:
    pairs = [
        f"slot {slot} before slot {other}: {value(_older(view, slot, other))}"
        for slot, other in permutations(order, 2)
        if slot
    ]
    found = ", ".join(f"{x} = {value(view[x])}" for x in ("fault", "fault_slot", "fault_pc"))
    slots = [_described(Slot(view, n), value) for n in SLOTS]
    return "\n".join((f"in order of issue: slots {list(order)}; got {found}", *pairs, *slots))


def _explain(slot: Slot, then: Slot, value: Values) -> str:
    view = slot.view
    asked = ", ".join(f"{x} = {value(view[x])}" for x in ("issue", "slot", "stores", "streams"))
    before, after = (_described(x, value) for x in (slot, then))
    return f"{asked}, completes = {value(slot.completes)}\n{before}\n  then\n{after}"


def _described(slot: Slot, value: Values) -> str:
    names = ("valid", "failed", "memory", "first", "end", "stream", "state")
    return f"  slot {slot.number}: " + ", ".join(f"{x} = {value(slot[x]):#x}" for x in names)


def _twin(theorem: Callable[[Files], Iterator[Obligation]], bug: Mutation, files: Files) -> Any:
    with bug.applied(files) as mutated:
        yield from theorem(mutated)


# Statement -> a bug that refutes it.
TWINS = {
    # Ranges of HBM that touch share nothing.
    holds: Mutation(
        FILE,
        "& hbm_first[64*theirs +: 64] < hbm_end_reg",
        "& hbm_first[64*theirs +: 64] <= hbm_end_reg",
    ),
    # When a stream's state is there, its address is taken once more.
    keeps: Mutation(
        FILE, "(slices | (~stream_reg & complete[number]))", "(slices | complete[number])"
    ),
    # The slot that issues becomes the oldest.
    oldest: Mutation(FILE, "<= slot == mine;", "<= slot != mine;"),
}

THEOREMS = tuple(
    Theorem(
        name=f"transfers.{check.__name__}",
        statement=getdoc(check) or "",
        bounds="any time, all inputs" if check is not holds else "all states, all inputs",
        engine="z3, bitwuzla",
        obligations=check,
        twin=partial(_twin, check, bug),
        sources=(FILE,),
        confirm=True,
    )
    for check, bug in TWINS.items()
)
