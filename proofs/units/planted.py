"""One planted bug for each unit that has a binding file: the twin of its generated theorems."""

from __future__ import annotations

from unmask.proofs.engine.mutate import Mutation
from unmask.proofs.units.rtl import RTL

_MAX_IDX = RTL / "vector" / "unmask_max_idx.v"
_ALU = RTL / "scalar" / "unmask_alu_int.v"

# Binding's name -> what a designer could have written by mistake. A unit without a row here is
# checked against a contract that misreads one bit instead.
PLANTED = {
    # Of equal neighbours the later one wins.
    "v_red_max_idx": Mutation(
        _MAX_IDX, "wire later = first_key < second_key;", "wire later = first_key <= second_key;"
    ),
    "s_add_int": Mutation(_ALU, "in_rs1 + addend", "in_rs1 | addend"),
    "s_addi_int": Mutation(_ALU, "in_rs1 + addend", "in_rs1 - addend"),
    "s_lui_int": Mutation(_ALU, "in_imm22 << 12", "in_imm22 << 10"),
}
