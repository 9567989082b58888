"""The two modules that make the exponential of a softmax lane are the specification's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from inspect import getdoc
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from unmask.proofs.engine import gates, yosys
from unmask.proofs.engine.mutate import Mutation
from unmask.proofs.engine.obligation import Case, Enumeration, Files, Obligation, Theorem, Values
from unmask.proofs.units import rtl
from unmask.spec import softmax
from unmask.spec.bits import Bits, arrays
from unmask.spec.formats import describe
from unmask.spec.softmax import P_FRACTION, T_FRACTION
from unmask.spec.terms import var

BASE2 = rtl.RTL / "softmax" / "unmask_base2.v"
MANTISSA = rtl.RTL / "softmax" / "unmask_mantissa.v"


def base2(files: Files) -> Iterator[Obligation]:
    """Bin and place of `spec.softmax.exponential`, and the fraction that its mantissa is made of.

    For all 65,536 codes.
    """
    module = rtl.load(BASE2, {}, files)
    code, asked = var("code", 16), []

    def mantissa(fraction: Bits) -> Bits:
        asked.append(fraction)
        return fraction.const(P_FRACTION + 1, 0)

    with patch.object(softmax, "mantissa", mantissa):
        owed = softmax.exponential(code)
    view = module.view({}, {"code": code.value}, "once")
    parts = {"bin": owed.bin, "place": owed.place, "fraction": asked[0]}

    def explain(value: Values) -> str:
        lines = [f"code {describe(value(code.value))}"]
        for name, part in parts.items():
            lines.append(f"  {name} expected {value(part.value)}, got {value(view[name])}")
        return "\n".join(lines)

    for name, part in parts.items():
        yield Obligation(name, view[name] == part.value, (), explain)


def mantissas(files: Files) -> Iterator[Enumeration]:
    """`spec.softmax.mantissa` of all 2**17 fractions, and its top bit is set.

    Every fraction is evaluated on gates that Yosys makes of the Verilog.
    """
    design = yosys.Design(yosys.replaced((MANTISSA,), files), MANTISSA.stem)
    count = 1 << T_FRACTION

    def failing() -> str | None:
        every = np.arange(count, dtype=np.int64)
        given = {"fraction": gates.bits_of(every, T_FRACTION)}
        found, _ = gates.Gates.of(design, {}).step([], given)
        got = gates.values_of(found["mantissa"])
        owed = softmax.mantissa(arrays(T_FRACTION, every)).value
        for place in np.flatnonzero((got != owed) | (got >> P_FRACTION == 0))[:1]:
            return f"fraction {place:#x}: expected {owed[place]:#x}, got {got[place]:#x}"
        return None

    yield Enumeration("all fractions", count, failing)


def _twin(
    function: Callable[[Files], Iterator[Case]], mutation: Mutation, files: Files
) -> Iterator[Case]:
    with mutation.applied(files) as mutated:
        yield from function(mutated)


# Planted: t is truncated instead of rounded; one slope is off by one.
_TRUNCATED = Mutation(BASE2, " + {32'd0, kept[0]}", "")
_SLOPE = Mutation(
    MANTISSA, "7'd77: row = {19'h4238c, 10'h21c}", "7'd77: row = {19'h4238c, 10'h21d}"
)


def _theorem(name: str, engine: str, file: Path, function: Any, mutation: Mutation) -> Theorem:
    return Theorem(
        name=f"exponential.{name}",
        statement=getdoc(function) or "",
        bounds="all inputs",
        engine=engine,
        obligations=function,
        twin=partial(_twin, function, mutation),
        sources=(file,),
    )


THEOREMS = (
    _theorem("base2", "z3 or bitwuzla", BASE2, base2, _TRUNCATED),
    _theorem("mantissa", "enumeration, gates", MANTISSA, mantissas, _SLOPE),
)
