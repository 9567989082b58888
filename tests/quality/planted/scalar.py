"""Planted bugs of scalar units."""

from __future__ import annotations

from unmask.tests.quality.planted.bug import Bug

BUGS = (
    Bug(
        "immediate-ignored",
        "S_ADDI_INT adds rs2 instead of the immediate",
        "scalar/unmask_alu_int.v",
        "in_op == 3'd1 ? in_imm18 : second",
        "second",
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
    Bug(
        "subtraction-without-carry",
        "S_SUB_INT adds the inverted operand alone: one too little",
        "scalar/unmask_alu_int.v",
        "addend + {31'd0, subtract}",
        "addend",
        ("unit s_sub_int", "proof unit.s_sub_int.combinational"),
    ),
    Bug(
        "ties-round-up",
        "a BF16 result half way between two codes is rounded up, not to the even one",
        "vector/unmask_bf16_round.v",
        "(|aligned[2:0] | aligned[4])",
        "1'b1",
        ("unit v_mul_vv", "proof unit.s_mul_fp.transactions"),
    ),
    Bug(
        "difference-of-equals-negative",
        "x - x takes the sign of x",
        "vector/unmask_bf16_add.v",
        "(small_sign_reg | (|total))",
        "1'b1",
        ("proof unit.s_add_fp.transactions",),
    ),
    Bug(
        "operation-of-the-next",
        "a float result is the operation's that is asked for one cycle later",
        "scalar/unmask_float.v",
        ".pick(pick_reg)",
        ".pick(pick)",
        ("proof unit.s_exp_fp.codes",),
    ),
)
