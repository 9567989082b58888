"""Twins of the vector units."""

from __future__ import annotations

from unmask.proofs.engine.mutate import Mutation
from unmask.proofs.units.rtl import RTL

_MAX_IDX = RTL / "vector" / "unmask_max_idx.v"
_COMPARE = RTL / "vector" / "unmask_compare.v"
_ELEMENTWISE = RTL / "vector" / "unmask_elementwise.v"
_ADD, _MUL, _EXP, _RECIPROCAL, _ROUND = (
    RTL / "vector" / f"unmask_bf16_{name}.v"
    for name in ("add", "mul", "exp", "reciprocal", "round")
)

PLANTED = {
    # Infinity less infinity is one of them.
    "v_add_vv": Mutation(
        _ADD, "(large_infinite & small_infinite & (large_sign ^ small_sign))", "1'b0"
    ),
    # What overflows goes on behind infinity.
    "v_add_vf": Mutation(_ROUND, "magnitude < INFINITY ?", "1'b1 ?"),
    "v_sub_vv": Mutation(_ELEMENTWISE, "in_op == 3'd1 || in_op == 3'd2", "in_op == 3'd2"),
    # The exponent's top bit is left out of the comparison of magnitudes.
    "v_sub_vf": Mutation(_ADD, "in_a[14:0] < in_b[14:0]", "in_a[13:0] < in_b[13:0]"),
    "v_sub_vf_reversed": Mutation(_ELEMENTWISE, "exchange = in_op == 3'd2", "exchange = 1'b0"),
    "v_mul_vv": Mutation(_MUL, "10'd130", "10'd129"),
    # Infinity times zero is infinity.
    "v_mul_vf": Mutation(_MUL, "(infinite & (a_zero | b_zero))", "1'b0"),
    # From 128 on the operand counts as one of 64 to 128.
    "v_exp_v": Mutation(_EXP, "a_significand | {8{beyond}}", "a_significand"),
    "v_reci_v": Mutation(_RECIPROCAL, "is_zero_reg <= a_infinite;", "is_zero_reg <= 1'b0;"),
    # A mask of -0 is true.
    "v_select_vvm": Mutation(_ELEMENTWISE, "in_mask[16*lane +: 15] ?", "in_mask[16*lane +: 16] ?"),
    # Of equal neighbours the later one wins.
    "v_red_max_idx": Mutation(
        _MAX_IDX, "wire later = first_key < second_key;", "wire later = first_key <= second_key;"
    ),
    # A NaN keeps its bits.
    "v_red_max": Mutation(
        _MAX_IDX, "(|out_code_reg[6:0]) ? 16'h7fc0", "(|out_code_reg[6:0]) ? out_code_reg"
    ),
    # LE without its equals.
    "v_cmp_mask_vv": Mutation(
        _COMPARE,
        "in_relation != 3'd1 && in_relation != 3'd5",
        "in_relation != 3'd1 && in_relation < 3'd4",
    ),
}
