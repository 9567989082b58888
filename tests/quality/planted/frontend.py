"""Planted bugs of the front end and the core around it."""

from __future__ import annotations

from unmask.tests.quality.planted.bug import Bug

BUGS = (
    Bug(
        "unused-bits-ignored",
        "S_ADD_INT with bits set that it does not use is executed",
        "frontend/unmask_decode.v",
        "(word & MASK_S_ADD_INT) == MATCH_S_ADD_INT;",
        "word[5:0] == OP_S_ADD_INT;",
        ("proof decode",),
    ),
    Bug(
        "loop-wrong-register",
        "a loop end that counts in another register than its start is accepted",
        "frontend/unmask_trap_check.v",
        "(stack_empty | ~stack_match)",
        "stack_empty",
        ("core", "proof trap_check"),
    ),
    Bug(
        "range-off-by-one",
        "the word behind the end of FP SRAM is accepted",
        "frontend/unmask_trap_check.v",
        "scalar_address >= FP_WORDS",
        "scalar_address > FP_WORDS",
        ("core", "proof trap_check"),
    ),
    Bug(
        "vector-end-wraps",
        "the end of a vector is computed in 32 bits, so one near 2**32 seems to lie inside",
        "frontend/unmask_trap_check.v",
        "{1'b0, vector_address} + {1'b0, vl}",
        "{1'b0, vector_address + vl}",
        ("core", "proof trap_check"),
    ),
    Bug(
        "vl-not-reset",
        "a program starts with the vector length that the one before it left",
        "unmask_core.v",
        "if (start_taken) vl_reg <= VLEN;",
        "if (rst) vl_reg <= VLEN;",
        ("core",),
    ),
    Bug(
        "loop-stack-keeps-count",
        "an iteration does not count down",
        "frontend/unmask_loop_stack.v",
        "stack_reg[COUNT_BITS-1:0] <= top_remaining;",
        "stack_reg[COUNT_BITS-1:0] <= top_count;",
        ("core", "proof loop_stack"),
    ),
)
