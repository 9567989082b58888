"""The control and status registers: a write reaches its register with all bits, and no other."""

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
from unmask.spec.encoding import CSRS

FILE = rtl.RTL / "frontend" / "unmask_csrs.v"
LANES = (2, 64)
# Register -> the port that shows it, and its first bit there; others have their own name.
SHARED = {f"BAN{n}": ("bans", 32 * n) for n in range(4)}
PORTS = {"NAN": "nan_last"}


def holds(files: Files) -> Iterator[Obligation]:
    """Each register of `spec.encoding.CSRS` shows what was written to it last.

    From any state, a number and data that are any: a start of a program sets the table's first
    values, VL to VLEN; a write sets the register of that number to the data, all its bits up to
    the table's limit, and leaves the others; else all stay. VLEN 2 and 64.
    """
    for vlen in LANES:
        module = rtl.load(FILE, {"VLEN": vlen}, files)
        now = module.view(module.arbitrary("any"), {}, "now")
        after = module.view(now.next(), {}, "after")
        clear, write, number, data = (
            now.apply(module.inputs[name]) for name in ("clear", "write", "number", "data")
        )
        for name, csr in CSRS.items():
            old, new = _shown(now, name), _shown(after, name)
            width = old.size()
            assert csr.limit < 1 << width
            first = z3.BitVecVal(vlen if csr.reset is None else csr.reset, width)
            written = z3.And(write == 1, number == csr.number)
            owed = z3.If(written, z3.Extract(width - 1, 0, data), old)
            owed = z3.If(clear == 1, first, owed)
            explain = partial(_explain, name, new, owed)
            yield Obligation(f"VLEN {vlen}: {name}", new == owed, (), explain)


def _shown(view: View, name: str) -> Any:
    port, low = SHARED.get(name, (PORTS.get(name, name.lower()), 0))
    value = view[port]
    return z3.Extract(low + 31, low, value) if name in SHARED else value


def _explain(name: str, got: Any, owed: Any, value: Values) -> str:
    return f"{name}: expected {value(owed):#x}, got {value(got):#x}"


def _twin(mutation: Mutation, files: Files) -> Iterator[Obligation]:
    with mutation.applied(files) as mutated:
        yield from holds(mutated)


# The planted bug: distances of scales from 2^18 bytes on lose their high bits.
CUT = Mutation(FILE, "scale_reg <= data;", "scale_reg <= {14'd0, data[17:0]};")

THEOREMS = (
    Theorem(
        name="csrs",
        statement=getdoc(holds) or "",
        bounds="all values, VLEN 2, 64",
        engine="z3, bitwuzla",
        obligations=holds,
        twin=partial(_twin, CUT),
        sources=(FILE,),
        confirm=True,
    ),
)
