"""Register files: a read shows what was written last, of every register, on every port."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from inspect import getdoc

import z3

from unmask.proofs.engine.mutate import Mutation
from unmask.proofs.engine.obligation import Files, Obligation, Theorem
from unmask.proofs.units import rtl
from unmask.spec.contracts.softmax import word_of
from unmask.spec.encoding import A_COUNT, F_COUNT, GP_COUNT
from unmask.spec.softmax import SoftmaxState
from unmask.spec.terms import const

FILE = rtl.RTL / "scalar" / "unmask_registers.v"
STATES = rtl.RTL / "softmax" / "unmask_states.v"
# Bank -> its parameters in the core.
BANKS = {
    "gp": {"COUNT": GP_COUNT, "WIDTH": 32, "READS": 5, "ZERO": 1},
    "f": {"COUNT": F_COUNT, "WIDTH": 16, "READS": 3, "ZERO": 1},
    "a": {"COUNT": A_COUNT, "WIDTH": 64, "READS": 1, "ZERO": 0},
}


def hold(files: Files) -> Iterator[Obligation]:
    """Each register of gp, f and a is 0 after `clear`, else what was written last, on every port.

    From any state, any address on a port, any write: in the next cycle the port shows for that
    address the data if it was written, else what it showed before; number 0 of gp and f always 0.
    With the counts, widths and ports of the core.
    """
    for bank, sizes in BANKS.items():
        module = rtl.load(FILE, sizes, files)
        bits, width = (sizes["COUNT"] - 1).bit_length(), sizes["WIDTH"]
        reads = z3.BitVec("read", bits * sizes["READS"])
        now = module.view(module.arbitrary("any"), {"read_address": reads}, "now")
        after = module.view(now.next(), {"read_address": reads}, "after")
        clear, write, place, data = (
            now.apply(module.inputs[name])
            for name in ("clear", "write", "write_address", "write_data")
        )
        for port in range(sizes["READS"]):
            address = z3.Extract(bits * port + bits - 1, bits * port, reads)
            old, new = (
                z3.Extract(width * port + width - 1, width * port, view["read_data"])
                for view in (now, after)
            )
            owed = z3.If(z3.And(write == 1, place == address), data, old)
            owed = z3.If(clear == 1, 0, owed)
            owed = z3.If(z3.And(address == 0, z3.BoolVal(sizes["ZERO"] == 1)), 0, owed)
            yield Obligation(f"{bank}, port {port}", new == owed)


def states(files: Files) -> Iterator[Obligation]:
    """Each softmax state is the empty one after a clear of it or all, else what was written last.

    From any state, on both ports, any number. A write goes before a clear of the same state.
    """
    module = rtl.load(STATES, {}, files)
    number = z3.BitVec("number", 2)
    ports = {"read_number": number, "stream_number": number}
    now = module.view(module.arbitrary("any"), ports, "now")
    after = module.view(now.next(), ports, "after")
    inputs = {name: now.apply(term) for name, term in module.inputs.items()}
    empty = word_of(SoftmaxState.empty(const(1, 0))).value
    for port in ("read_state", "stream_state"):
        cleared = z3.And(inputs["clear"] == 1, inputs["clear_number"] == number)
        owed = z3.If(cleared, empty, now[port])
        written = z3.And(inputs["write"] == 1, inputs["write_number"] == number)
        owed = z3.If(written, inputs["write_state"], owed)
        owed = z3.If(inputs["clear_all"] == 1, empty, owed)
        yield Obligation(port, after[port] == owed)


def _twin(mutation: Mutation, files: Files) -> Iterator[Obligation]:
    with mutation.applied(files) as mutated:
        yield from (hold if mutation.file == FILE else states)(mutated)


# The planted bugs: the highest register is not cleared; a state is empty but for its index.
KEPT = Mutation(FILE, "if (clear) bank_reg", "if (clear && number != COUNT - 1) bank_reg")
INDEX = Mutation(STATES, "{203'd0, 32'hffffffff, 16'd0}", "251'd0")

THEOREMS = (
    Theorem(
        name="registers",
        statement=getdoc(hold) or "",
        bounds="16 x 32, 8 x 16, 8 x 64 bits",
        engine="z3, bitwuzla",
        obligations=hold,
        twin=partial(_twin, KEPT),
        sources=(FILE,),
        confirm=True,
    ),
    Theorem(
        name="states",
        statement=getdoc(states) or "",
        bounds="all values",
        engine="z3, bitwuzla",
        obligations=states,
        twin=partial(_twin, INDEX),
        sources=(STATES,),
        confirm=True,
    ),
)
