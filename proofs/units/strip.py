"""Strip-mining hardware: every beat of a vector, exactly once, with its row, count and index."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from inspect import getdoc
from typing import Any

import z3

from unmask.proofs.engine.mutate import Mutation
from unmask.proofs.engine.obligation import Files, Obligation, Theorem, Values
from unmask.proofs.engine.smt import View
from unmask.proofs.units import rtl

FILE = rtl.RTL / "vector" / "unmask_strip.v"
SIZES = ((4, 16), (8, 64), (64, 64))  # VLEN, rows
WIDE = 40  # bits of the ghost arithmetic: enough that nothing in it wraps


@dataclass(frozen=True)
class Ghost:
    """Vectors being read, and the numbers of beats read and of results given so far.

    They live in the proof only. `starts`: the first rows of the three vectors, the first lowest.
    """

    vlen: int
    rows: int
    vl: Any
    starts: Any
    base: Any
    to: Any
    slow: Any
    done: Any
    given: Any

    @property
    def beats(self) -> Any:
        """ceil(VL / VLEN)."""
        return z3.UDiv(self.vl + (self.vlen - 1), z3.BitVecVal(self.vlen, WIDE))

    @property
    def row(self) -> Any:
        """The first row of the first vector."""
        return _narrow(self.starts, self.to.size())

    def row_of(self, beat: Any) -> Any:
        """The first vector's row of a beat; addresses wrap at the memory's end."""
        return self.row + _narrow(beat, self.row.size())

    def rows_of(self, beat: Any) -> Any:
        """The three rows of a beat."""
        width = self.to.size()
        firsts = [z3.Extract(width * n + width - 1, width * n, self.starts) for n in (2, 1, 0)]
        return z3.Concat(*(first + _narrow(beat, width) for first in firsts))

    def count(self, beat: Any) -> Any:
        left = self.vl - beat * self.vlen
        return z3.If(z3.ULT(left, self.vlen), left, z3.BitVecVal(self.vlen, WIDE))

    def shown(self, view: View, beat: Any) -> Any:
        """The unit's outputs describe this beat."""
        return z3.And(
            view["beat_valid"] == 1,
            (view["beat_first"] == 1) == (beat == 0),
            (view["beat_last"] == 1) == (beat == self.beats - 1),
            _wide(view["beat_count"]) == self.count(beat),
            view["beat_base"] == self.base + _narrow(beat * self.vlen, 32),
            view["beat_row"] == self.row_of(beat),
        )

    def invariant(self, view: View, done: Any) -> Any:
        """The state after `done` beats were read and some are left."""
        vlen = z3.BitVecVal(self.vlen, WIDE)
        full = z3.UDiv(self.vl, vlen) - done
        return z3.And(
            view["active_reg"] == 1,
            _wide(view["full_reg"]) == full,
            _wide(view["tail_reg"]) == z3.URem(self.vl, vlen),
            view["beat_base"] == self.base + _narrow((done - 1) * self.vlen, 32),
            view["rows_reg"] == self.rows_of(done - 1),
            view["slow_reg"] == self.slow,
        )

    def way_back(self, view: View, given: Any) -> Any:
        """The state, and what is shown, after `given` results came."""
        vlen = z3.BitVecVal(self.vlen, WIDE)
        return z3.And(
            _wide(view["to_full_reg"]) == z3.UDiv(self.vl, vlen) - given,
            _wide(view["tail_reg"]) == z3.URem(self.vl, vlen),
            view["to_row"] == self.to + _narrow(given, self.to.size()),
            _wide(view["to_count"]) == self.count(given),
            (view["to_last"] == 1) == (given == self.beats - 1),
        )


def strips(files: Files) -> Iterator[Obligation]:
    """A start with VL elements gives exactly ceil(VL / VLEN) beats, each once and as it should be.

    Beat c reads rows start_rows + c of three vectors and shows, one cycle later, count min(VLEN, VL
    - c * VLEN) and index base start_base + c * VLEN modulo 2^32, marked first at c = 0 alone and
    last at the final beat alone; then the unit rests until the next start. Beats are in every
    cycle, or with start_slow in every fourth. On the way back, result c belongs to row start_to +
    c, has the same count, and the final one alone is marked last. By induction over beats and
    results with ghost counters, from any state, for every VL of the memory (1 .. VLEN * rows),
    every row and base. Assumes no new start before the last row is read and the last result came.
    """
    for vlen, rows in SIZES:
        module = rtl.load(FILE, {"VLEN": vlen, "ROWS": rows}, files)
        ports = {name: x.size() for name, x in module.inputs.items()}
        ghost = Ghost(
            vlen,
            rows,
            z3.BitVec("vl", WIDE),
            z3.BitVec("rows", ports["start_rows"]),
            z3.BitVec("base", 32),
            z3.BitVec("to", ports["start_to"]),
            z3.BitVec("slow", 1),
            z3.BitVec("done", WIDE),
            z3.BitVec("given", WIDE),
        )
        possible = z3.And(z3.UGE(ghost.vl, 1), z3.ULE(ghost.vl, vlen * rows))
        start = {
            "rst": _bit(0),
            "start": _bit(1),
            "start_slow": ghost.slow,
            "start_vl": _narrow(ghost.vl, ports["start_vl"]),
            "start_rows": ghost.starts,
            "start_base": ghost.base,
            "start_to": ghost.to,
        }
        go_on = {"rst": _bit(0), "start": _bit(0)}
        name = f"VLEN {vlen}, {rows} rows"
        any_state = module.arbitrary("any")
        none = z3.BitVecVal(0, WIDE)

        now = module.view(any_state, start, "start")
        after = module.view(now.next(), {}, "after")
        yield Obligation(
            f"{name}: first beat",
            z3.And(_reads(now, ghost.starts), _beat(ghost, after, none)),
            (possible,),
            partial(_explain, ghost, now, after, none),
            (ghost.starts, ghost.base),
        )
        yield Obligation(f"{name}: first result", ghost.way_back(after, none), (possible,))
        now = module.view(any_state, go_on, "step")
        after = module.view(now.next(), {}, "after")
        middle = z3.And(
            z3.UGE(ghost.done, 1),
            z3.ULT(ghost.done, ghost.beats),
            ghost.invariant(now, ghost.done),
        )
        turn = z3.Or(ghost.slow == 0, now["pause_reg"] == 0)
        yield Obligation(
            f"{name}: later beats",
            z3.And(_reads(now, ghost.rows_of(ghost.done)), _beat(ghost, after, ghost.done)),
            (possible, middle, turn),
            partial(_explain, ghost, now, after, ghost.done),
            (ghost.starts, ghost.base),
        )
        waits = z3.And(
            now["read_enable"] == 0,
            after["beat_valid"] == 0,
            after["pause_reg"] == now["pause_reg"] - 1,
            ghost.invariant(after, ghost.done),
        )
        yield Obligation(f"{name}: between slow beats", waits, (possible, middle, z3.Not(turn)))
        back = z3.And(z3.ULT(ghost.given, ghost.beats), ghost.way_back(now, ghost.given))
        more = z3.ULT(ghost.given + 1, ghost.beats)
        yield Obligation(
            f"{name}: later results",
            z3.If(
                now["step"] == 1,
                z3.Implies(more, ghost.way_back(after, ghost.given + 1)),
                ghost.way_back(after, ghost.given),
            ),
            (possible, back),
        )
        rest = z3.And(after["active_reg"] == 0, after["beat_valid"] == 0)
        yield Obligation(
            f"{name}: rest", z3.And(now["read_enable"] == 0, rest), (now["active_reg"] == 0,)
        )
        now = module.view(any_state, {"rst": _bit(1)}, "reset")
        after = module.view(now.next(), {}, "after")
        rest = z3.And(after["active_reg"] == 0, after["beat_valid"] == 0)
        yield Obligation(f"{name}: reset", rest)


def _beat(ghost: Ghost, after: View, beat: Any) -> Any:
    """The beat is shown; then either beats are left, as the invariant says, or none is."""
    more = z3.ULT(beat + 1, ghost.beats)
    state = z3.If(more, ghost.invariant(after, beat + 1), after["active_reg"] == 0)
    return z3.And(ghost.shown(after, beat), after["pause_reg"] == 3, state)


def _explain(ghost: Ghost, now: View, after: View, beat: Any, value: Values) -> str:
    left = min(ghost.vlen, value(ghost.vl) - value(beat) * ghost.vlen)
    owed = {
        "read_rows": value(ghost.rows_of(beat)),
        "beat_first": int(value(beat) == 0),
        "beat_last": int(value(beat) == value(ghost.beats) - 1),
        "beat_count": left,
        "beat_base": value(ghost.base + _narrow(beat * ghost.vlen, 32)),
    }
    got = {name: value((now if name == "read_rows" else after)[name]) for name in owed}
    more = int(value(beat) + 1 < value(ghost.beats))
    return (
        f"VL {value(ghost.vl)} on {ghost.vlen} lanes from row {value(ghost.row)}, base "
        f"{value(ghost.base)}: beat {value(beat)} of {value(ghost.beats)}\n"
        f"  expected: {_line(owed)}, beats left {more}\n"
        f"  got:      {_line(got)}, beats left {value(after['active_reg'])}"
    )


def _line(values: dict[str, int]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())


def _reads(view: View, rows: Any) -> Any:
    return z3.And(view["read_enable"] == 1, view["read_rows"] == rows)


def _bit(value: int) -> Any:
    return z3.BitVecVal(value, 1)


def _wide(term: Any) -> Any:
    return z3.ZeroExt(WIDE - term.size(), term)


def _narrow(term: Any, width: int) -> Any:
    return z3.Extract(width - 1, 0, term)


def _twin(mutation: Mutation, files: Files) -> Iterator[Obligation]:
    with mutation.applied(files) as mutated:
        yield from strips(mutated)


# The planted bug: the last whole chunk ends the vector, so a partial tail is lost.
LOSES_TAIL = Mutation(
    FILE, "no_full | (full == ONE & tail == {LANE_BITS{1'b0}})", "no_full | full == ONE"
)

THEOREMS = (
    Theorem(
        name="strip",
        statement=getdoc(strips) or "",
        bounds="VLEN x rows " + ", ".join(f"{v}x{r}" for v, r in SIZES) + ", all VL",
        engine="z3, bitwuzla",
        obligations=strips,
        twin=partial(_twin, LOSES_TAIL),
        sources=(FILE,),
        confirm=True,
    ),
)
