"""Mistakes that a program runs to its end with: what it does is watched, without data.

The program runs as an `Outline` that remembers who wrote what. A finding is about a word of the
program. "error": it computes something else than it seems to, or data are lost. "warning": work in
vain, or time lost. "note": allowed, and often meant: registers that are read as reset left them,
empty states and unfilled buffers that a pipelined loop reads in its first turns.

What the host puts into memories before the run is not known: FP, int and key SRAM are taken as
filled, vector SRAM as empty, and `given` says otherwise. Values from memories are not known: a
running maximum that begins at a 0.0 which S_LD_FP brings is not seen. A run stops at `most`
instructions; what is not known then, such as who reads a value at last, is not reported.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from unmask.model.memory import Memory
from unmask.model.outline import Outline, Outlines, Seen
from unmask.model.pipeline import Footprint
from unmask.model.settings import Core, Profile
from unmask.model.walk import walk
from unmask.spec.bits import Bits
from unmask.spec.encoding import TRAP_TEXT, Effect, Instruction, Kind, Trap
from unmask.spec.errors import UsageError
from unmask.spec.loops import START
from unmask.spec.machine import Access, Decoded, Retired

ERROR, WARNING, NOTE = "error", "warning", "note"
SEVERITIES = (ERROR, WARNING, NOTE)
HOST = ("fp", "int", "key")  # memories that the host fills, if nothing else is said
MOST_INSTRUCTIONS = 500_000
LONG = 10**12  # instructions: over a quarter of an hour at 1 GHz
MAXIMUM = {"V_RED_MAX_IDX": ("rs3",), "V_RED_MAX": ("rd",), "S_MAX_FP": ("rs1", "rs2")}
STREAM, REDUCE, FETCH, CLEAR = "H_RED_SM", "V_RED_SM", "H_PREFETCH_V", "S_SM_CLEAR"
CLIP = "S_MAX_FP"
GIVEN = -2  # in place of the number of the write that an element is from
NOBODY = -1
Ranges = Mapping[str, Sequence[tuple[int, int]]]


@dataclass(frozen=True, order=True)
class Finding:
    """Something to look at.

    Attributes:
        pc: word of the program.
        severity: of `SEVERITIES`.
        text: what and why.
    """

    pc: int
    severity: str
    text: str


@dataclass
class Counts:
    """How often something held of a word, of the times that it could.

    Attributes:
        bad, times: these.
        again: whether it held once more after it had not.
        example: where it held first.
    """

    bad: int = 0
    times: int = 0
    again: bool = False
    example: str = ""

    def add(self, bad: bool, example: str) -> None:
        self.times += 1
        if bad:
            self.bad += 1
            self.again = self.again or self.bad < self.times
            self.example = self.example or example

    @property
    def always(self) -> bool:
        return 0 < self.bad == self.times

    @property
    def at_first(self) -> bool:
        """As in a pipelined loop: never again, and no more often than it did not."""
        return not self.again and 2 * self.bad <= self.times


@dataclass
class Written:
    """Elements that one instruction wrote, one behind the other."""

    pc: int
    place: Access
    fetched: bool
    read: bool = False


@dataclass
class Elements:
    """An SRAM's elements: the number of the write that each is from, whether it was read since."""

    source: Any
    unread: Any


@dataclass
class Slot:
    """A softmax state: the word that filled it and was not yet read, streams begun before it."""

    filled: int | None = None
    streamed: int | None = None
    ever: bool = False


@dataclass
class Reader:
    """What one word did over the run.

    Attributes:
        unwritten: by the place of what it reads among all that: read where nothing is written.
        empty: read a state that was never filled.
        stalls: read a streamed state while no younger stream was under way.
    """

    unwritten: dict[int, Counts] = field(default_factory=lambda: defaultdict(Counts))
    empty: Counts = field(default_factory=Counts)
    stalls: Counts = field(default_factory=Counts)


class Noting(Seen):
    """Operands that say which registers were read since `bind`."""

    def bind(self, fields: dict[str, tuple[Kind, int]]) -> None:
        super().bind(fields)
        self.registers: set[tuple[Kind, int]] = set()

    def __getitem__(self, operand: str) -> Bits:
        self.registers.add(self._fields[operand])
        return super().__getitem__(operand)

    def state_number(self, operand: str) -> int:
        self.registers.add(self._fields[operand])
        return super().state_number(operand)


class Watched(Outline):
    """An outline that keeps who wrote and read what, and what is odd about it."""

    def __init__(self, words: Sequence[int], core: Core, profile: Profile, given: Ranges) -> None:
        config = core.config(profile, 1 << 32)
        super().__init__(words, config, Memory(core.bus(profile), profile.stall))
        self._seen = self._operands = self._noting = Noting(self.state, Outlines())
        self.found: set[Finding] = set()
        self.readers = [Reader() for _ in words]
        self.writes: list[Written] = []
        self.writers: dict[str, set[int]] = {"vector": set(), "register": set()}
        self.alive: dict[str, set[int]] = {"vector": set(), "register": set()}
        self._registers: dict[tuple[Kind, int], int] = {}
        self._slots = [Slot() for _ in self.state.softmax]
        self._streams = 0
        self._looped: set[int] = set()  # words that ran inside a loop
        self._late: list[tuple[int, int]] = []  # streams before a late read, its word
        self._sram = {
            name: _elements(config.elements(name), name, given)
            for name in ("vector", "fp", "int", "key")
        }

    # -- hooks of the machine --

    def footprint(self, row: Instruction, effect: Effect) -> Footprint:
        touched = super().footprint(row, effect)
        self._look(row, touched, effect)
        return touched

    def _apply(self, decoded: Decoded, effect: Effect, target: int, examined: int) -> Retired:
        self._from_zero(decoded)
        self._follow_registers(decoded, effect)
        return super()._apply(decoded, effect, target, examined)

    # -- findings --

    def note(self, pc: int, severity: str, text: str) -> None:
        self.found.add(Finding(pc, severity, text))

    def _from_zero(self, decoded: Decoded) -> None:
        for operand in MAXIMUM.get(decoded.row.mnemonic, ()):
            place = decoded.fields[operand]
            if decoded.row.mnemonic == CLIP and (place[1] == 0 or place != decoded.fields["rd"]):
                continue  # it goes on from nothing: a clip at 0, say
            if place not in self._seen.unknown and self.state.f[place[1]] == 0:
                self.note(
                    self.state.pc,
                    ERROR,
                    f"the running maximum begins at +0.0 in f{place[1]}, not at -infinity: if all "
                    "logits are negative, 0 wins over them all",
                )

    def _follow_registers(self, decoded: Decoded, effect: Effect) -> None:
        pc = self.state.pc
        for place in self._noting.registers:
            if place[0] not in (Kind.GP, Kind.F, Kind.A) or (place[1] == 0 and place[0] != Kind.A):
                continue
            owner = self._registers.get(place)
            if owner is None:
                name = f"{place[0].value}{place[1]:X}"
                self.note(pc, NOTE, f"reads {name}, which nothing has written: 0 since reset")
            else:
                self.alive["register"].add(owner)
        if effect.loop is not None:  # its counter shows what the loop does anyway
            for name in effect.registers:
                self._registers.pop(decoded.fields[name], None)
            return
        for name in effect.registers:
            place = decoded.fields[name]
            if place[1] or place[0] is Kind.A:
                self._registers[place] = pc
                if self.state.loops:
                    self._looped.add(pc)
                self.writers["register"].add(pc)

    def _look(self, row: Instruction, touched: Footprint, effect: Effect) -> None:
        pc, x = self.state.pc, self._operands
        for place, access in enumerate(touched.reads):
            if access.memory in self._sram:
                self._read(pc, place, access)
        states = [access.first for access in touched.reads if access.memory == "softmax"]
        if effect.softmax is None:
            for number in states:
                self._read_state(pc, number)
        else:
            number = x.state_number(effect.softmax[0])
            self._write_state(pc, row, number, bool(x.field("clear")))
        for access in touched.writes:
            if access.memory in self._sram:
                for part in self._parts(row, effect) or [access]:
                    self._fill(pc, row, part)
        for piece in touched.transfer.pieces if touched.transfer is not None else ():
            if piece.first < piece.scale_end and piece.scale < piece.end:
                self.note(
                    pc, ERROR, f"its scales, hbm[{piece.scale}:{piece.scale_end}], lie among its "
                    f"elements, hbm[{piece.first}:{piece.end}]",
                )  # fmt: skip

    def _parts(self, row: Instruction, effect: Effect) -> list[Access]:
        """The rows that H_PREFETCH_V writes; between them nothing is."""
        if row.mnemonic != FETCH:
            return []
        length = self._operands.vectors.length
        starts = [(write.address.as_int(), length(write.values)) for write in effect.writes]
        return [Access("vector", first, first + count) for first, count in starts]

    def _read(self, pc: int, place: int, access: Access) -> None:
        elements, part = self._sram[access.memory], slice(access.first, access.end)
        sources = np.unique(elements.source[part]).tolist()
        self.readers[pc].unwritten[place].add(NOBODY in sources, _name(access))
        elements.unread[part] = False
        for number in sources:
            if number >= 0:
                self.writes[number].read = True
                if access.memory == "vector":
                    self.alive["vector"].add(self.writes[number].pc)

    def _fill(self, pc: int, row: Instruction, access: Access) -> None:
        elements, part = self._sram[access.memory], slice(access.first, access.end)
        fetch = row.mnemonic == FETCH
        if elements.unread[part].any():
            for number in np.unique(elements.source[part][elements.unread[part]]).tolist():
                self._overwrite(pc, "fetches" if fetch else "writes", access, self.writes[number])
        elements.source[part], elements.unread[part] = len(self.writes), True
        self.writes.append(Written(pc, access, fetch))
        if access.memory == "vector":
            self.writers["vector"].add(pc)

    def _overwrite(self, pc: int, what: str, access: Access, old: Written) -> None:
        """Elements are replaced that nobody has read."""
        if old.fetched:
            self.note(
                pc, ERROR, f"{what} over {_name(access)}, which word {old.pc} fetched and nobody "
                "has read yet: those logits are lost",
            )  # fmt: skip
            return
        first, end = old.place.first, old.place.end
        apart = first < access.first < end < access.end or access.first < first < access.end < end
        if apart and not old.read:  # what lies within is a part that is filled in later
            self.note(
                pc, ERROR, f"{what} over {_name(access)}, a part of {_name(old.place)}, which word "
                f"{old.pc} wrote and nobody has read yet: the buffers overlap",
            )  # fmt: skip

    def _read_state(self, pc: int, number: int) -> None:
        slot = self._slots[number]
        self.readers[pc].empty.add(not slot.ever, f"state {number}")
        if slot.streamed is not None:
            late = slot.streamed == self._streams
            self.readers[pc].stalls.add(late, f"state {number}")
            if late:
                self._late.append((self._streams, pc))
        slot.filled = slot.streamed = None

    def _write_state(self, pc: int, row: Instruction, number: int, clear: bool) -> None:
        slot = self._slots[number]
        clear = clear or row.mnemonic == CLEAR
        if clear and slot.filled is not None:
            self.note(
                pc, ERROR, f"empties state {number}, which word {slot.filled} filled and nobody "
                "has read: that row is lost",
            )  # fmt: skip
        if row.mnemonic == CLEAR:
            self._slots[number] = Slot(ever=slot.ever)
            return
        slot.filled, slot.ever = pc, True
        if row.mnemonic == STREAM:
            self._streams += 1
            slot.streamed = self._streams

    # -- the end of the run --

    def unread_at_end(self) -> None:
        """Findings about what was never read; after a whole run."""
        for number, slot in enumerate(self._slots):
            if slot.filled is not None:
                self.note(slot.filled, ERROR, f"fills state {number}, and nobody reads it")
        elements = self._sram["vector"]
        for number in np.unique(elements.source[elements.unread]).tolist():
            if self.writes[number].fetched:
                self.note(self.writes[number].pc, ERROR, "fetches logits that nobody reads")
        what = {"vector": "what it writes to vector SRAM is never read",
                "register": "the value that it writes to a register is never read"}  # fmt: skip
        for kind, text in what.items():
            for pc in self.writers[kind] - self.alive[kind]:
                if not any(pc == one.pc and one.severity == ERROR for one in self.found):
                    # In a loop it may be meant for a turn that does not come.
                    idle = kind == "register" and pc in self._looped
                    self.note(pc, NOTE if idle else WARNING, text)

    def summary(self) -> None:
        """Findings about words that did something odd, each time or now and then."""
        # A step's last read has no stream behind it; the ends of several are few among all.
        followed = Counter(pc for streams, pc in self._late if streams < self._streams)
        late = {pc for pc, n in followed.items() if 2 * n > self.readers[pc].stalls.times}
        if 2 * sum(followed[pc] for pc in late) <= self._streams:
            late.clear()
        for pc, reader in enumerate(self.readers):
            for counts in reader.unwritten.values():
                if counts.bad:
                    self.note(pc, self._unwritten(pc, counts), f"reads {counts.example}, which "
                              f"nothing has written, {_times(counts)}")  # fmt: skip
            if reader.empty.bad:
                never = all(not slot.ever for slot in self._slots)
                self.note(pc, ERROR if never else NOTE, f"reads {reader.empty.example}, which "
                          f"nothing has filled, {_times(reader.empty)}")  # fmt: skip
            if pc in late:
                self.note(pc, WARNING, f"reads {reader.stalls.example} right behind its stream: "
                          "until it has arrived the core asks for no other row")  # fmt: skip

    def _unwritten(self, pc: int, counts: Counts) -> str:
        """A state may take in a buffer in vain: its key goes to scratch, in a loop's first turn."""
        decoded = self._decoded[pc]
        reduces = decoded is not None and decoded.row.mnemonic == REDUCE
        if counts.at_first:
            return NOTE
        return WARNING if reduces and counts.always else ERROR


def _name(access: Access) -> str:
    return f"{access.memory}[{access.first}:{access.end}]"


def _elements(size: int, name: str, given: Ranges) -> Elements:
    everything = name in HOST and name not in given
    source = np.full(size, GIVEN if everything else NOBODY, np.int32)
    for first, end in given.get(name, ()):
        source[first:end] = GIVEN
    return Elements(source, np.zeros(size, np.bool_))


def _times(counts: Counts) -> str:
    if counts.always:
        return "each time"
    return f"{counts.bad} of {counts.times} times"


def lint(
    words: Sequence[int],
    core: Core,
    profile: Profile,
    given: Ranges | None = None,
    most: int = MOST_INSTRUCTIONS,
    watch: Any = iter,
) -> list[Finding]:
    """Findings about a program, by word.

    Args:
        words: the program.
        core, profile: what it is to run on.
        given: memory -> ranges that the host fills before the run.
        most: instructions that are looked at.
        watch: what the instructions go through on their way, for a display.
    """
    watched = Watched(words, core, profile, given or {})
    _statically(words, watched)
    record, stopped_at = None, None
    try:
        for record in watch(watched.run()):
            if watched.order >= most and not watched.stopped:
                watched.note(record.pc, NOTE, f"not looked at beyond {most:,} instructions")
                break
    except UsageError as error:
        stopped_at = watched.state.pc
        watched.note(stopped_at, NOTE, f"not looked at from here on: {error}")
    if record is not None and record.cause is not Trap.NONE:
        text = f"traps, {record.cause.name}: {TRAP_TEXT[record.cause]}"
        watched.note(min(record.pc, len(words) - 1), ERROR, text)
    elif watched.stopped:
        watched.unread_at_end()
    watched.summary()
    return sorted(watched.found, key=lambda one: (one.pc, SEVERITIES.index(one.severity)))


def _statically(words: Sequence[int], watched: Watched) -> None:
    found = walk(words)
    if found.problem is not None:
        watched.note(*found.problem[:1], ERROR, found.problem[1])
        return
    if found.instructions > LONG:
        watched.note(0, WARNING, f"takes {found.instructions:,} instructions: as good as no end")
    before = True
    for pc, times in enumerate(found.times):
        decoded = watched._decoded[pc]
        empty = decoded is not None and decoded.fields.get("imm22", (None, 1))[1] == 0
        if times and decoded is not None and decoded.row.opcode == START and empty:
            watched.note(pc, WARNING, "a loop of no iterations: its body never runs")
        if not times and before:
            watched.note(pc, WARNING, "no instruction leads here: the word never runs")
        before = times > 0
