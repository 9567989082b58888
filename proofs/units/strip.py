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
    """A vector being read, and the number of beats read so far; lives in the proof only."""

    vlen: int
    rows: int
    vl: Any
    row: Any
    base: Any
    done: Any

    @property
    def beats(self) -> Any:
        """ceil(VL / VLEN)."""
        return z3.UDiv(self.vl + (self.vlen - 1), z3.BitVecVal(self.vlen, WIDE))

    def row_of(self, beat: Any) -> Any:
        """The row of a beat; addresses wrap at the memory's end."""
        return self.row + _narrow(beat, self.row.size())

    def shown(self, view: View, beat: Any) -> Any:
        """The unit's outputs describe this beat."""
        left = self.vl - beat * self.vlen
        count = z3.If(z3.ULT(left, self.vlen), left, z3.BitVecVal(self.vlen, WIDE))
        return z3.And(
            view["beat_valid"] == 1,
            (view["beat_first"] == 1) == (beat == 0),
            (view["beat_last"] == 1) == (beat == self.beats - 1),
            _wide(view["beat_count"]) == count,
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
            view["beat_row"] == self.row_of(done - 1),
        )


def strips(files: Files) -> Iterator[Obligation]:
    """A start with VL elements gives exactly ceil(VL / VLEN) beats, one a cycle, each as it should.

    Beat c reads row start_row + c and shows, one cycle later, count min(VLEN, VL - c * VLEN) and
    index base start_base + c * VLEN modulo 2^32, marked first at c = 0 alone and last at the
    final beat alone; then the unit rests until the next start. By induction over beats with a
    ghost counter, from any state, for every VL of the memory (1 .. VLEN * rows), every row and
    base. Assumes no new start before the last row is read.
    """
    for vlen, rows in SIZES:
        module = rtl.load(FILE, {"VLEN": vlen, "ROWS": rows}, files)
        ports = {name: x.size() for name, x in module.inputs.items()}
        ghost = Ghost(
            vlen,
            rows,
            z3.BitVec("vl", WIDE),
            z3.BitVec("row", ports["start_row"]),
            z3.BitVec("base", 32),
            z3.BitVec("done", WIDE),
        )
        possible = z3.And(z3.UGE(ghost.vl, 1), z3.ULE(ghost.vl, vlen * rows))
        start = {
            "rst": _bit(0),
            "start": _bit(1),
            "start_vl": _narrow(ghost.vl, ports["start_vl"]),
            "start_row": ghost.row,
            "start_base": ghost.base,
        }
        go_on = {"rst": _bit(0), "start": _bit(0)}
        name = f"VLEN {vlen}, {rows} rows"
        any_state = module.arbitrary("any")

        now = module.view(any_state, start, "start")
        after = module.view(now.next(), {}, "after")
        yield Obligation(
            f"{name}: first beat",
            z3.And(_reads(now, ghost.row), _beat(ghost, after, z3.BitVecVal(0, WIDE))),
            (possible,),
            partial(_explain, ghost, now, after, z3.BitVecVal(0, WIDE)),
            (ghost.row, ghost.base),
        )
        now = module.view(any_state, go_on, "step")
        after = module.view(now.next(), {}, "after")
        middle = z3.And(
            z3.UGE(ghost.done, 1),
            z3.ULT(ghost.done, ghost.beats),
            ghost.invariant(now, ghost.done),
        )
        yield Obligation(
            f"{name}: later beats",
            z3.And(_reads(now, ghost.row_of(ghost.done)), _beat(ghost, after, ghost.done)),
            (possible, middle),
            partial(_explain, ghost, now, after, ghost.done),
            (ghost.row, ghost.base),
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
    return z3.And(ghost.shown(after, beat), state)


def _explain(ghost: Ghost, now: View, after: View, beat: Any, value: Values) -> str:
    left = min(ghost.vlen, value(ghost.vl) - value(beat) * ghost.vlen)
    owed = {
        "read_row": value(ghost.row_of(beat)),
        "beat_first": int(value(beat) == 0),
        "beat_last": int(value(beat) == value(ghost.beats) - 1),
        "beat_count": left,
        "beat_base": value(ghost.base + _narrow(beat * ghost.vlen, 32)),
    }
    got = {name: value((now if name == "read_row" else after)[name]) for name in owed}
    more = int(value(beat) + 1 < value(ghost.beats))
    return (
        f"VL {value(ghost.vl)} on {ghost.vlen} lanes from row {value(ghost.row)}, base "
        f"{value(ghost.base)}: beat {value(beat)} of {value(ghost.beats)}\n"
        f"  expected: {_line(owed)}, beats left {more}\n"
        f"  got:      {_line(got)}, beats left {value(after['active_reg'])}"
    )


def _line(values: dict[str, int]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())


def _reads(view: View, row: Any) -> Any:
    return z3.And(view["read_enable"] == 1, view["read_row"] == row)


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
    FILE, "no_full | (one_full & tail == {LANE_BITS{1'b0}})", "no_full | one_full"
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
