"""Where a memory instruction's bytes lie: what the table's `transfers` say."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from inspect import getdoc
from typing import Any

import z3

from unmask.proofs.engine.mutate import Mutation
from unmask.proofs.engine.obligation import Files, Obligation, Theorem, Values
from unmask.proofs.units import rtl
from unmask.proofs.units.operands import Operands, cases, one_hot, rows_end, without_products
from unmask.spec import isa
from unmask.spec.bits import Bits
from unmask.spec.instructions.memory import LAYOUTS, _pitch, _rows
from unmask.spec.state import Config

FILE = rtl.RTL / "frontend" / "unmask_span.v"
CONFIGS = (Config(vlen=2, vector_rows=2), Config(vlen=64, vector_rows=2048))
VECTORS = ("H_PREFETCH_V", "H_STORE_V")
REGISTERS = ("rd", "rs1", "rs3", "vl", "stride", "scale", "rows")


def spans(files: Files) -> Iterator[Obligation]:
    """For every memory instruction, all registers: the bytes that `transfers` of its row names.

    First and end of the elements and, of an MX format, of the scales, exactly (72 bits); whether
    anything moves; block and pitch; where the rows end in vector SRAM. By switches and
    formats, all of them; a product of two registers is any value, the same on both sides. VLEN
    2 and 64.
    """
    for config in CONFIGS:
        module = rtl.load(FILE, {"VLEN": config.vlen}, files)
        for place, row in enumerate(isa.TABLE):
            if row.transfers is None:
                continue
            for label, x in cases(row, config):
                inputs = {name: z3.BitVec(name, 32) for name in REGISTERS}
                inputs |= {f"fmt{n}": z3.BitVecVal(x.formats[n], 3) for n in range(2)}
                inputs |= {"row": one_hot(row, place), "word": x.word.value}
                inputs["base"] = z3.BitVec("base", 64)
                view = module.view({}, inputs, "now")
                for name, owed in _owed(x).items():
                    got, wanted = view[name], owed
                    if not isinstance(owed, int):
                        got, wanted = without_products((got, owed))
                    yield Obligation(
                        f"{label}, VLEN {config.vlen}: {name}",
                        got == wanted,
                        x.premises,
                        partial(_explain, name, inputs, wanted, got),
                        tuple(inputs[name] for name in REGISTERS),
                    )


def _owed(x: Operands) -> dict[str, Any]:
    """Output -> what the specification says."""
    context: Any = x
    assert x.row.transfers is not None
    elements, *scales = x.row.transfers(context)
    owed: dict[str, Bits | int] = {"element_first": elements.first, "element_end": elements.end}
    owed["moved"] = elements.first.ne(elements.end)
    if scales:
        owed |= {"scale_first": scales[0].first, "scale_end": scales[0].end}
    layout = x.field("format") if x.row.mnemonic == "H_RED_SM" else max(x.formats)
    owed["scaled"] = int(layout != 0)
    owed["block_mask"] = LAYOUTS[layout].block - 1
    if x.row.mnemonic in VECTORS:
        first, last = _rows(context)
        owed |= {"pitch": _pitch(context), "sram_end": rows_end(x)}
        owed["moved"] = first.ult(last)
    return {name: value.value if isinstance(value, Bits) else value for name, value in owed.items()}


def _explain(name: str, inputs: dict[str, Any], owed: Any, got: Any, value: Values) -> str:
    operands = ", ".join(f"{x} = {value(inputs[x]):#x}" for x in (*REGISTERS, "base"))
    wanted = owed if isinstance(owed, int) else value(owed)
    return f"{operands}: {name} expected {wanted:#x}, got {value(got):#x}"


def _twin(files: Files) -> Iterator[Obligation]:
    mutation = Mutation(FILE, "({38'd0, rows} - ONE)", "{38'd0, rows}")  # a row too many
    with mutation.applied(files) as mutated:
        yield from spans(mutated)


THEOREMS = (
    Theorem(
        name="span",
        statement=getdoc(spans) or "",
        bounds="all registers, 2 sizes",
        engine="z3, bitwuzla",
        obligations=spans,
        twin=_twin,
        sources=(FILE, rtl.RTL / "unmask_isa.vh"),
    ),
)
