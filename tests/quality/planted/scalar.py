"""Planted bugs of scalar units."""

from __future__ import annotations

from unmask.tests.quality.planted.bug import Bug

BUGS = (
    Bug(
        "immediate-ignored",
        "S_ADDI_INT adds rs2 instead of the immediate",
        "scalar/unmask_alu_int.v",
        "in_op[0] ? in_imm18 : in_rs2",
        "in_rs2",
        ("unit s_addi_int", "core", "proof unit.s_addi_int.combinational"),
    ),
    Bug(
        "upper-shift-short",
        "S_LUI_INT shifts by 11",
        "scalar/unmask_alu_int.v",
        "in_imm22 << 12",
        "in_imm22 << 11",
        ("unit s_lui_int", "core", "proof unit.s_lui_int.combinational"),
    ),
)
