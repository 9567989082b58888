"""Twins of the scalar units."""

from __future__ import annotations

from unmask.proofs.engine.mutate import Mutation
from unmask.proofs.units.rtl import RTL

_ALU = RTL / "scalar" / "unmask_alu_int.v"
_FLOAT = RTL / "scalar" / "unmask_float.v"
_SQRT = RTL / "scalar" / "unmask_bf16_sqrt.v"
_ADD, _MUL, _EXP, _RECIPROCAL = (
    RTL / "vector" / f"unmask_bf16_{name}.v" for name in ("add", "mul", "exp", "reciprocal")
)

PLANTED = {
    # x - x is -0.
    "s_add_fp": Mutation(_ADD, "(small_sign_reg | (|total))", "1'b1"),
    "s_sub_fp": Mutation(_FLOAT, ".in_negate_b(in_op[0])", ".in_negate_b(1'b0)"),
    "s_max_fp": Mutation(_FLOAT, "key_a < key_b", "key_a <= key_b"),
    # The lower half of the product is forgotten.
    "s_mul_fp": Mutation(_MUL, "|normal[4:0]", "1'b0"),
    # 2**f that came out as 2 is taken for 1.
    "s_exp_fp": Mutation(_EXP, " | {11{value[19]}}", ""),
    "s_reci_fp": Mutation(_RECIPROCAL, "10'd766", "10'd765"),
    # Even and odd powers of two are mixed up.
    "s_sqrt_fp": Mutation(_SQRT, ".odd(~exponent_reg[0])", ".odd(exponent_reg[0])"),
    "s_add_int": Mutation(_ALU, "in_rs1 + addend", "in_rs1 | addend"),
    "s_addi_int": Mutation(_ALU, "in_rs1 + addend", "in_rs1 - addend"),
    "s_lui_int": Mutation(_ALU, "in_imm22 << 12", "in_imm22 << 10"),
    "s_sub_int": Mutation(_ALU, "addend + {31'd0, subtract}", "addend"),
    "s_mul_int": Mutation(_ALU, "in_rs1 * in_rs2", "in_rs1 * {1'b0, in_rs2[30:0]}"),
}
