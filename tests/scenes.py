"""One instruction in the middle of a run: a word, and a whole state for it to act on.

Most scenes are tame: what a register holds suits the operand that names it, so that the word does
something. Some of them are spoiled in one place, for the trap that this causes. The others are
wild: registers at the ends of memories, or anything at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

from unmask.spec.bits import ints
from unmask.spec.encoding import (
    A_COUNT,
    CSRS,
    F_COUNT,
    FORMATS,
    GP_COUNT,
    NO_TOKEN,
    STATE_COUNT,
    Instruction,
    Kind,
)
from unmask.spec.instructions.memory import LAYOUTS, WORD, Layout
from unmask.spec.loops import Entry
from unmask.spec.machine import Machine, Retired
from unmask.spec.softmax import MOST_ELEMENTS, SoftmaxState
from unmask.spec.state import MEMORIES, Config, plain, softmax_of
from unmask.spec.vectors import EACH, Each, Whole
from unmask.tests.strategies import codes

LOOP_START, LOOP_END, BREAK = 0x2F, 0x30, 0x38  # opcodes
TOP = 2**32
CONFIG = Config(
    vlen=4,
    vector_rows=16,
    fp_words=16,
    key_words=16,
    int_words=32,
    program_words=4,
    loop_depth=2,
    hbm_bytes=1024,
)


@dataclass(frozen=True)
class Scene:
    """A word and everything around it.

    Attributes:
        word: the instruction.
        gp, f, a, csrs: registers; softmax: `state.plain` of each state.
        memories: name -> the pattern that fills it, over and over.
        window: of HBM, for transfers.
        loops: on the stack: (first word of the body, count, register) each.
        then: words behind the first; after them, C_BREAK to the end of program memory.
    """

    word: int
    gp: tuple[int, ...]
    f: tuple[int, ...]
    a: tuple[int, ...]
    csrs: dict[str, int]
    softmax: tuple[tuple[int, ...], ...]
    memories: dict[str, tuple[int, ...]]
    window: tuple[int, int]
    loops: tuple[tuple[int, int, int], ...] = ()
    then: tuple[int, ...] = ()

    def program(self, config: Config = CONFIG) -> tuple[int, ...]:
        """Program memory, full."""
        words = (self.word, *self.then)
        return (*words, *[BREAK] * (config.program_words - len(words)))

    def machine(
        self, vectors: Each | Whole = EACH, faulty: Sequence[tuple[int, int]] = (), late: int = 0
    ) -> Machine:
        """A machine that is about to execute the word."""
        machine = Machine(self.program(), CONFIG, vectors, faulty=faulty, late=late)
        state = machine.state
        state.gp[:], state.f[:], state.a[:] = self.gp, self.f, self.a
        state.csrs.update(self.csrs)
        state.softmax[:] = [softmax_of(values) for values in self.softmax]
        state.loops[:] = [Entry(*loop) for loop in self.loops]
        state.window = self.window
        for name, pattern in self.memories.items():
            state.memories[name][:] = np.resize(
                np.array(pattern, MEMORIES[name]), CONFIG.elements(name)
            )
        return machine

    def run(self, vectors: Each | Whole = EACH) -> tuple[Retired, dict[str, Any]]:
        """Execute the word: its record, and everything as it is after."""
        machine = self.machine(vectors)
        return machine.step(), machine.state.snapshot()


# What a gp operand holds: an address in a memory, a length, a state, an offset in HBM, a count. Of
# rows that are not here, a vector instruction's are vector addresses, others' anything.
_ROLES = {
    "V_TOPK_MASK": "rd=vector rs1=vector rs2=vector rs3=count rs4=length",
    "V_KEY_MASK_QUOTA": "rd=vector rs1=key rs2=vector rs3=count rs4=length",
    "V_KEY_MASK_RULE": "rd=vector rs1=key rs2=vector rs3=count rs4=length",
    "V_KEY_MASK_FACTOR": "rd=vector rs1=key rs2=vector rs3=key rs4=length",
    "V_CMP_MASK_VV": "rd=vector rs1=vector rs2=vector rs4=length",
    "V_CMP_MASK_VF": "rd=vector rs1=vector rs4=length",
    "V_CMP_MASK_IG": "rd=vector rs1=int rs2=any rs4=length",
    "V_CMP_MASK_II": "rd=vector rs1=int rs2=int rs4=length",
    "S_SELECT_INT": "rd=int rs1=int rs2=int rs3=vector rs4=length",
    "S_MAP_V_FP": "rd=vector rs1=fp rs2=length",
    "V_RED_MAX_IDX": "rd=any rs1=vector rs2=any",
    "V_RED_SM": "rd=state rs1=vector rs3=token",
    "H_RED_SM": "rd=state rs1=offset rs3=token",
    "H_PREFETCH_V": "rd=vector rs1=offset",
    "H_STORE_V": "rd=vector rs1=offset",
    "H_LD_INT": "rd=int rs1=offset rs3=length",
    "H_ST_INT": "rd=int rs1=offset rs3=length",
    "H_LD_KEY": "rd=key rs1=offset rs3=length",
    "H_ST_KEY": "rd=key rs1=offset rs3=length",
    "S_SM_ST_KEY": "rd=key rs1=state",
    "S_SM_ST_IDX": "rd=int rs1=state",
    "S_LD_KEY": "rs1=key",
    "S_ST_KEY": "rd=any rs1=key",
    **{f"S_{way}_{x.upper()}": f"rd=any rs1={x}" for way in ("LD", "ST") for x in ("fp", "int")},
}


def roles(mnemonic: str, registers: Iterable[str]) -> dict[str, str]:
    """Role of each gp operand; `registers`: the names of all of them."""
    if mnemonic in _ROLES:
        return dict(item.split("=") for item in _ROLES[mnemonic].split())
    return dict.fromkeys(registers, "vector" if mnemonic.startswith("V_") else "any")


COUNT = 8  # place of a softmax state's count
ROWS_OF_VECTORS = ("H_PREFETCH_V", "H_STORE_V")  # they move ROWS rows


@dataclass
class Draft:
    """A scene in the making."""

    row: Instruction
    field: dict[str, int]
    gp: list[int]
    a: list[int]
    csrs: dict[str, int]
    softmax: list[tuple[int, ...]]
    window: tuple[int, int] = (0, CONFIG.hbm_bytes)

    @property
    def roles(self) -> dict[str, str]:
        return roles(self.row.mnemonic, [x.name for x in self.row.operands if x.kind is Kind.GP])

    @property
    def moves(self) -> bool:
        return self.row.transfers is not None

    @property
    def layout(self) -> Layout:
        """How a transfer's elements lie in HBM."""
        if "format" in self.field:
            return LAYOUTS[self.field["format"]]
        if "precision" in self.field:
            return LAYOUTS[self.csrs[f"FMT{self.field['precision']}"]]
        return Layout(WORD)

    @property
    def length(self) -> int:
        for name, role in self.roles.items():
            if role == "length":
                own = self.field[name] != 0 or name == "rs3"
                return self.gp[self.field[name]] if own else CONFIG.vlen
        return self.csrs["VL"]

    def place(self, operand: str, value: int) -> None:
        """Let the register hold what makes the operand, with an immediate on it, the value."""
        immediate = self.field.get("imm18", self.field.get("imm14", 0)) if operand == "rs1" else 0
        if self.field[operand]:
            self.gp[self.field[operand]] = (value - immediate) % TOP

    def span(self, memory: str) -> int:
        """Elements from an address in a memory on; whole chunks of vector SRAM."""
        mnemonic = self.row.mnemonic
        if mnemonic.startswith(("S_LD", "S_ST", "S_SM")):
            return 1
        if memory != "vector":
            return self.length
        filled = -(-self.length // CONFIG.vlen) * CONFIG.vlen
        return filled * (self.csrs["ROWS"] if mnemonic in ROWS_OF_VECTORS else 1)

    def touched(self) -> list[tuple[int, int]]:
        """Bytes of HBM between the first element and the last, and between their scales."""
        layout, length = self.layout, self.length
        first = self.gp[self.field["rs1"]]
        last = first + length
        if self.row.mnemonic in ROWS_OF_VECTORS:
            pitch = self.csrs["STRIDE"] if self.field["rstride"] else length
            last += pitch * (self.csrs["ROWS"] - 1)
            length *= self.csrs["ROWS"]
        if length == 0:
            return []
        base = self.a[self.field["rs2"]]
        parts = [(base + first * layout.size, base + last * layout.size)]
        if layout.element is not None:
            scales = base + self.csrs["SCALE"]
            parts.append((scales + first // layout.block, scales + (last - 1) // layout.block + 1))
        return parts


small = st.integers(0, 20)
borders = st.sampled_from(
    [
        *(CONFIG.elements(name) + step for name in MEMORIES for step in (-4, -1, 0)),
        0x7FFFFFFF,
        0xFFFFFFFF,
        0xFFFFFFFC,
        0x80000000,
    ]
)
tame_registers = st.sampled_from([0, 0, 1, 2, 4, 4, 8, 8, 12, 16, 32])
addresses = st.integers(0, CONFIG.vector_rows - 1).map(lambda row: row * CONFIG.vlen)
wild_registers = tame_registers | addresses | small | borders | st.integers(0, 0xFFFFFFFF)
keys = (
    st.sampled_from([0, 1, 2, 0xFFFFFFFE, 0xFFFFFFFF])
    | st.integers(0, 40)
    | st.integers(0, 0xFFFFFFFF)
)
lengths = st.sampled_from([8, 4, 0, 1, 2, 3, 5, 9, 12])


@st.composite
def softmax_states(draw: st.DrawFn) -> tuple[int, ...]:
    """A state that a few elements gave; or each of them many times; or -infinity many times too."""
    state = SoftmaxState.empty(ints(1, 0))
    for code in draw(st.lists(codes, max_size=3)):
        lane = SoftmaxState.lane(ints(16, code), ints(32, draw(small)))
        state = SoftmaxState.combine(state, lane)
    key, index, top, *slots, count, flags = plain(state)
    if count == 0 or draw(st.integers(0, 2)):
        return plain(state)
    room = draw(st.sampled_from([0, 1, 4, 7, 8, 12]))
    times = (MOST_ELEMENTS - room) // count if draw(st.booleans()) else 1
    return (key, index, top, *(x * times for x in slots), MOST_ELEMENTS - room, flags)


@st.composite
def csr_values(draw: st.DrawFn, tame: bool) -> dict[str, int]:
    """What makes a difference; wild: VL and ROWS of any size."""
    values = {
        "VL": draw(lengths if tame else lengths | borders),
        "STRIDE": draw(st.sampled_from([32, 0, 8, 64]) if tame else small),
        "SCALE": draw(st.sampled_from([512, 0, 600]) | small),
        "MASK": draw(st.integers(0, 15)),
        "ROWS": draw(st.sampled_from([1, 0, 2, 3]) if tame else small | borders),
        "NAN": draw(st.integers(0, 1)),
        "LIMIT": draw(keys),
        "KMAX": draw(small),
        "FMT0": draw(st.sampled_from(sorted(FORMATS.values()))),
        "FMT1": draw(st.sampled_from(sorted(FORMATS.values()))),
        **{f"BAN{i}": draw(small | st.just(NO_TOKEN)) for i in range(4)},
    }
    assert set(values) == set(CSRS)
    return values


@st.composite
def patterns(draw: st.DrawFn, memory: str) -> tuple[int, ...]:
    """A short pattern of interesting values."""
    element: st.SearchStrategy[int] = {
        "vector": codes | st.sampled_from([0, 0x3F80, 0x8000]),
        "fp": codes,
        "key": keys,
        "int": st.integers(0, 5) | st.integers(0, 0xFFFFFFFF),
        "hbm": st.integers(0, 255) | st.sampled_from([0x7F, 0x7E, 0xFF, 0x80, 0x38]),
    }[memory]
    return tuple(draw(st.lists(element, min_size=1, max_size=24)))


@st.composite
def fields(draw: st.DrawFn, row: Instruction, tame: bool) -> dict[str, int]:
    """Operands of a legal word; tame: mostly registers of their own, immediates small."""
    found = {}
    free = draw(st.integers(1, GP_COUNT - 1))
    shared = draw(st.integers(0, 15)) if tame else 0  # the operand that may name any register
    for number, operand in enumerate(row.operands):
        most = (1 << operand.field.width) - 1
        if operand.choices is not None:
            values = st.sampled_from(sorted(operand.choices.values()))
        elif operand.kind is Kind.IMM:
            values = st.integers(0, 8) if tame else small | st.integers(0, most)
        elif operand.kind is not Kind.GP:
            values = st.integers(0, 7)
        elif tame and number != shared:
            values = st.just((free + number - 1) % (GP_COUNT - 1) + 1)
        else:
            values = st.integers(0, GP_COUNT - 1)
        found[operand.name] = draw(values)
    if tame and "length" in (held := roles(row.mnemonic, [])).values() and not draw(small) % 4:
        name = next(x for x in held if held[x] == "length")
        found[name] = 0  # VLEN, or nothing
    return found


def _settle(draw: st.DrawFn, draft: Draft, fault: str) -> None:
    """Let every register suit its operand; lengths and formats so that the fault is possible."""
    csrs, mnemonic = draft.csrs, draft.row.mnemonic
    if fault in ("long", "skew") and "precision" in draft.field:
        csrs["FMT0"] = csrs["FMT1"] = draw(st.sampled_from([2, 4, 1, 3]))
    block = draft.layout.block if draft.moves else 1
    some = lengths
    if fault == "across":
        some = st.sampled_from([8, 5, 9, 12])
        csrs["VL"] = draw(some)
    if mnemonic in ROWS_OF_VECTORS:
        csrs["STRIDE"] = block * draw(st.sampled_from([1, 2, 0, 4, 8 if block == 1 else 3]))
        if block > 1:
            whole = mnemonic == "H_STORE_V" or (csrs["ROWS"] > 1 and not draft.field["rstride"])
            csrs["VL"] = draw(st.sampled_from([block, block, 0] if whole else [block, 5, 8, 0]))
        chunks = -(-csrs["VL"] // CONFIG.vlen)
        csrs["ROWS"] = min(csrs["ROWS"], CONFIG.vector_rows // max(chunks, 1))
    for name, role in draft.roles.items():
        if role == "length":
            ranks = mnemonic.startswith(("V_TOPK", "V_KEY"))
            draft.place(name, draw(some | st.just(CONFIG.key_words) if ranks else some))
    for name, role in draft.roles.items():
        if role in MEMORIES:
            slot = max(draft.span(role), CONFIG.vlen if role == "vector" else 1)
            last = max(CONFIG.elements(role) // slot, 1) - 1
            draft.place(name, draw(st.integers(0, last)) * slot)
        elif role == "offset":
            draft.place(name, block * draw(st.sampled_from([0, 1, 2] if block > 1 else [0, 1, 7])))
        elif role == "token":
            draft.place(name, draw(st.sampled_from([0, 3, 10, TOP - 3])))
    if mnemonic.endswith("RED_SM"):
        token = draft.gp[draft.field["rs3"]]
        for number in (0, 1):
            csrs[f"BAN{number}"] = (token + draw(st.integers(-1, csrs["VL"]))) % TOP
    if draft.moves:
        draft.a[draft.field["rs2"]] = draw(st.sampled_from([0, 64, 128, 256]))
        parts = draft.touched()
        if parts and draw(st.integers(0, 2)) == 2:  # just what is touched
            first, end = min(x for x, _ in parts), max(x for _, x in parts)
            draft.window = (first // 8 * 8, -(-end // 8) * 8)
    if mnemonic == "C_SET_CSR":
        draft.place("rs1", draw(st.sampled_from([0, 1, 2, 4, 5]) | st.integers(0, TOP - 1)))


def _faults(draft: Draft) -> list[str]:
    """What may be wrong with a scene of this row, each name a branch of `_spoil`."""
    held, mnemonic = draft.roles, draft.row.mnemonic
    memories = [x for x in held.values() if x in MEMORIES]
    found = []
    if "vector" in memories:
        found.append("off")
    if memories:
        found.append("outside")
    if held.get("rd") in MEMORIES and memories.count(held["rd"]) > 1:
        found += ["across", "across"]
    if mnemonic.startswith(("V_TOPK", "V_KEY", "H_STORE")) or mnemonic.endswith("RED_SM"):
        found += ["long", "long"]
    if draft.moves:
        found += ["skew", "border", "border"]
    return found


def _spoil(draw: st.DrawFn, draft: Draft, fault: str) -> None:
    """One thing that is wrong, just so."""
    held, mnemonic = draft.roles, draft.row.mnemonic
    addresses = [x for x in held if held[x] in MEMORIES]
    if fault == "off":
        name = draw(st.sampled_from([x for x in addresses if held[x] == "vector"]))
        draft.gp[draft.field[name]] += draw(st.integers(1, CONFIG.vlen - 1))
    elif fault == "outside":
        name = draw(st.sampled_from(addresses))
        size, step = CONFIG.elements(held[name]), CONFIG.vlen if held[name] == "vector" else 1
        draft.place(name, (size - draft.span(held[name])) // step * step + step)
    elif fault == "across":
        name = draw(st.sampled_from([x for x in addresses if x != "rd" and held[x] == held["rd"]]))
        step = CONFIG.vlen if held["rd"] == "vector" else 1
        behind = draw(st.sampled_from([step, step, max(draft.span(held["rd"]), step)]))  # or touch
        for operand, value in zip(("rd", name), draw(st.permutations([0, behind])), strict=True):
            draft.place(operand, value)
    elif fault == "long" and mnemonic.endswith("RED_SM"):
        draft.field["clear"] = 0
        number = draft.gp[draft.field["rd"]] % STATE_COUNT
        draft.csrs["VL"] = max(draft.csrs["VL"], 1)
        count = MOST_ELEMENTS - draft.csrs["VL"] + draw(st.sampled_from([1, 0]))
        state = draft.softmax[number]
        if state[COUNT] == 0:
            state = plain(SoftmaxState.lane(ints(16, 0x3F80), ints(32, 3)))
        draft.softmax[number] = (*state[:COUNT], count, *state[COUNT + 1 :])
    elif fault == "long" and mnemonic == "H_STORE_V":
        draft.csrs["VL"] += draw(st.integers(1, draft.layout.block - 1))
        draft.csrs["ROWS"] = 1
    elif fault == "long":
        name = next(x for x in held if held[x] == "length")
        draft.place(name, CONFIG.key_words + draw(st.sampled_from([1, 4, 16])))
        for name in addresses:  # vector SRAM has room for three of them
            draft.place(name, 0)
    elif fault == "skew":
        block = draft.layout.block
        if mnemonic in ROWS_OF_VECTORS and draft.field["rstride"] and draft.csrs["ROWS"] > 1:
            draft.csrs["STRIDE"] += draw(st.integers(1, block - 1))
        elif block > 1:
            draft.gp[draft.field["rs1"]] += draw(st.integers(1, block - 1))
        else:
            draft.a[draft.field["rs2"]] += draw(st.integers(1, 3))
    else:
        _border(draw, draft)


def _border(draw: st.DrawFn, draft: Draft) -> None:
    """A window that a part of the transfer crosses by less than two beats."""
    parts = draft.touched()
    if not parts:
        return
    first, end = draw(st.sampled_from(parts))
    most = CONFIG.hbm_bytes
    if draw(st.booleans()):
        draft.window = (min(first // 8 * 8 + 8, most), most)
    else:
        draft.window = (0, min((end - 1) // 8 * 8, most))


@st.composite
def loop_stacks(draw: st.DrawFn, register: int) -> tuple[tuple[int, int, int], ...]:
    """Loops; the innermost mostly counts in the register. Those that go on here end soon."""
    number = st.sampled_from([register, register, register]) | st.integers(0, GP_COUNT - 1)
    far = st.tuples(st.integers(1, 3), st.sampled_from([1, 2, 3, 2**22 - 1]), number)
    near = st.tuples(st.just(0), st.integers(1, 3), number)
    return tuple(draw(st.lists(far | near, max_size=CONFIG.loop_depth)))


MODES = ["tame", "spoiled", "tame", "spoiled", "tame", "spoiled", "wild"]


@st.composite
def scenes(draw: st.DrawFn, row: Instruction) -> Scene:
    """A word of the row in any state."""
    mode = draw(st.sampled_from(MODES))
    tame = mode != "wild"
    registers = tame_registers if tame else wild_registers
    bases = st.sampled_from([0, 128, 512])
    if not tame:
        bases = bases | st.integers(0, 1023) | st.integers(0, 2**64 - 1)
    draft = Draft(
        row,
        draw(fields(row, tame)),
        [0, *draw(st.lists(registers, min_size=GP_COUNT - 1, max_size=GP_COUNT - 1))],
        draw(st.lists(bases, min_size=A_COUNT, max_size=A_COUNT)),
        draw(csr_values(tame)),
        [draw(softmax_states()) for _ in range(STATE_COUNT)],
    )
    if tame:
        faults = _faults(draft) if mode == "spoiled" else []
        fault = draw(st.sampled_from([*faults, ""]))
        _settle(draw, draft, fault)
        if fault:
            _spoil(draw, draft, fault)
    else:
        first = draw(st.sampled_from([0, 64]))
        draft.window = (first, draw(st.sampled_from([512, 1024, first])))
    loops: tuple[tuple[int, int, int], ...] = ()
    then: tuple[int, ...] = ()
    if row.mnemonic in ("C_LOOP_START", "C_LOOP_END"):
        loops = draw(loop_stacks(draft.field["rd"]))
        ends = [LOOP_END | draft.field["rd"] << 6, BREAK, LOOP_START | 1 << 6 | 1 << 10]
        then = tuple(draw(st.lists(st.sampled_from(ends), max_size=CONFIG.program_words - 1)))
    return Scene(
        row.match | sum(draft.field[x.name] << x.field.low for x in row.operands),
        (0, *draft.gp[1:]),
        (0, *draw(st.lists(codes, min_size=F_COUNT - 1, max_size=F_COUNT - 1))),
        tuple(draft.a),
        draft.csrs,
        tuple(draft.softmax),
        {name: draw(patterns(name)) for name in MEMORIES},
        draft.window,
        loops,
        then,
    )
