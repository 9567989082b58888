"""Twins of the scalar units."""

from __future__ import annotations

from unmask.proofs.engine.mutate import Mutation
from unmask.proofs.units.rtl import RTL

_ALU = RTL / "scalar" / "unmask_alu_int.v"

PLANTED = {
    "s_add_int": Mutation(_ALU, "in_rs1 + addend", "in_rs1 | addend"),
    "s_addi_int": Mutation(_ALU, "in_rs1 + addend", "in_rs1 - addend"),
    "s_lui_int": Mutation(_ALU, "in_imm22 << 12", "in_imm22 << 10"),
}
