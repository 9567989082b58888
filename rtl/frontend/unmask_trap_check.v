// Traps of the instruction that is about to issue, all decided from registers. Combinational.
//
// Of several causes the one with the least number is reported. The LOOP trap of a loop of zero
// iterations that has no end is found later, by unmask_control.
`default_nettype none

module unmask_trap_check #(
    // Lanes: a power of two, 2 to 2048
    parameter VLEN = 8,
    // Rows of vector SRAM: a power of two; VLEN * VECTOR_ROWS at most 2**30
    parameter VECTOR_ROWS = 64,
    // Words of FP and int SRAM: powers of two, 2 to 2**24
    parameter FP_WORDS = 1024,
    parameter INT_WORDS = 4096
) (
    input  wire        legal,
    input  wire        is_c_loop_start,
    input  wire        is_c_loop_end,
    input  wire        is_v_red_max_idx,
    input  wire        is_fp_access,    // S_LD_FP, S_ST_FP
    input  wire        is_int_access,   // S_LD_INT, S_ST_INT

    input  wire        stack_full,
    input  wire        stack_empty,
    input  wire        stack_match,     // the innermost loop counts in rd; unknown when empty
    input  wire [31:0] vector_address,
    input  wire [31:0] vl,
    input  wire [31:0] scalar_address,

    output wire [3:0]  cause
);

    `include "unmask_isa.vh"

    localparam [31:0] ELEMENTS = VLEN * VECTOR_ROWS;

    wire [32:0] vector_end = {1'b0, vector_address} + {1'b0, vl};

    wire loop = (is_c_loop_start & stack_full)
        | (is_c_loop_end & (stack_empty | ~stack_match));
    wire misaligned = is_v_red_max_idx & vector_address[$clog2(VLEN)-1:0] != 0;
    wire outside = (is_v_red_max_idx & vector_end > {1'b0, ELEMENTS})
        | (is_fp_access & scalar_address >= FP_WORDS)
        | (is_int_access & scalar_address >= INT_WORDS);

    assign cause = ~legal ? TRAP_ILLEGAL
        : loop ? TRAP_LOOP
        : misaligned ? TRAP_MISALIGNED
        : outside ? TRAP_RANGE
        : TRAP_NONE;

endmodule

`default_nettype wire
