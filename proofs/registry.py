"""The list of theorems: those written out, and those that come with each binding file."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path

from unmask.proofs.engine import unit
from unmask.proofs.engine.obligation import Theorem
from unmask.proofs.numerics import (
    bf16_pairs,
    bf16_unary,
    ieee,
    key_code,
    mx,
    pair_bound,
    softmax_lane,
    widths,
)
from unmask.proofs.programs import (
    elementwise,
    masks,
    memory,
    reductions,
    scalar,
    softmax,
    traps,
)
from unmask.proofs.spec import (
    combine,
    first_argmax,
    order_key,
    softmax_merge,
    strip_mining,
    tree,
)
from unmask.proofs.units import (
    csrs,
    decode,
    exponential,
    float_pairs,
    footprint,
    host,
    int_vectors,
    loop_stack,
    ranks,
    read_engine,
    red_sm,
    red_sum,
    registers,
    rtl,
    sequenced,
    softmax_key,
    span,
    strip,
    transfers,
    trap_check,
    wiring,
    write_engine,
)
from unmask.proofs.units.planted import PLANTED
from unmask.spec import binding
from unmask.spec.errors import UsageError

WRITTEN = (
    combine,
    tree,
    order_key,
    first_argmax,
    strip_mining,
    softmax_merge,
    bf16_pairs,
    bf16_unary,
    ieee,
    mx,
    softmax_lane,
    pair_bound,
    widths,
    key_code,
    scalar,
    elementwise,
    reductions,
    masks,
    softmax,
    memory,
    traps,
    decode,
    strip,
    span,
    footprint,
    transfers,
    csrs,
    registers,
    loop_stack,
    trap_check,
    red_sum,
    red_sm,
    exponential,
    float_pairs,
    softmax_key,
    ranks,
    int_vectors,
    sequenced,
    write_engine,
    read_engine,
    host,
    wiring,
)

# Theorems of own bindings that are not proven as generated, by dotted prefix: they would take too
# long. Written out in `units` instead; or the step of the induction says the same of this size.
LEFT_OUT = (
    "unit.v_red_sum.",
    "unit.v_red_sm.",
    "unit.v_red_max.transactions.4",
    "unit.s_sm_key.",
    "unit.s_sm_conf.",
)


def theorems(dut: Path | None = None) -> dict[str, Theorem]:
    """Theorems by name, in the ledger's order: of one binding, or else all of this repository's.

    Raises:
        UsageError: if a binding file is wrong.
    """
    if dut is not None:
        rows = list(unit.theorems(binding.load(dut)))
    else:
        rows = [row for module in WRITTEN for row in module.THEOREMS]
        for path in own_bindings():
            bound = binding.load(path)
            found = unit.theorems(bound, PLANTED.get(bound.name), inside=True)
            rows += (row for row in found if not row.name.startswith(LEFT_OUT))
    table = {row.name: row for row in rows}
    if len(table) != len(rows):
        raise ValueError("two theorems have the same name")
    return table


def own_bindings() -> list[Path]:
    """This repository's binding files; foreign units under `examples` are not part of it."""
    found = sorted(rtl.RTL.rglob("*.toml"))
    return [path for path in found if "examples" not in path.relative_to(rtl.RTL).parts]


def select(table: dict[str, Theorem], names: Sequence[str]) -> list[Theorem]:
    """The theorems that have one of the names, or one of them as a dotted prefix; all for none.

    Raises:
        UsageError: for a name that selects nothing, with close matches.
    """
    chosen: set[str] = set()
    for name in names:
        found = {x for x in table if x == name or x.startswith(name.rstrip(".") + ".")}
        if not found:
            close = difflib.get_close_matches(name, table, 3, 0.4)
            hint = f"; close: {', '.join(close)}" if close else "; --list shows all"
            raise UsageError(f"no theorem {name!r}{hint}")
        chosen |= found
    return [row for row in table.values() if not names or row.name in chosen]
