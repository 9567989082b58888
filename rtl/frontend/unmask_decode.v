// Decoder: one output per row of the instruction table, at most one of them high. Combinational.
//
// A word is legal if its opcode is in the table, the bits its row does not use are zero, and its
// fields name registers that exist (f0 to f7, CSR VL). An illegal word leaves every output low.
`default_nettype none

module unmask_decode (
    input  wire [31:0] word,

    output wire        legal,
    output wire        is_s_ld_fp,
    output wire        is_s_st_fp,
    output wire        is_s_add_int,
    output wire        is_s_addi_int,
    output wire        is_s_lui_int,
    output wire        is_s_ld_int,
    output wire        is_s_st_int,
    output wire        is_c_loop_start,
    output wire        is_c_loop_end,
    output wire        is_v_red_max_idx,
    output wire        is_c_break,
    output wire        is_c_set_csr
);

    `include "unmask_isa.vh"

    wire [5:0] op = word[5:0];
    wire rd_is_f = ~word[9];    // f registers have three bits
    wire rs3_is_f = ~word[21];
    wire rd_is_csr = word[9:6] == CSR_VL;

    assign is_s_ld_fp = op == OP_S_LD_FP && (word & ~USED_S_LD_FP) == 32'd0 && rd_is_f;
    assign is_s_st_fp = op == OP_S_ST_FP && (word & ~USED_S_ST_FP) == 32'd0 && rd_is_f;
    assign is_s_add_int = op == OP_S_ADD_INT && (word & ~USED_S_ADD_INT) == 32'd0;
    assign is_s_addi_int = op == OP_S_ADDI_INT && (word & ~USED_S_ADDI_INT) == 32'd0;
    assign is_s_lui_int = op == OP_S_LUI_INT && (word & ~USED_S_LUI_INT) == 32'd0;
    assign is_s_ld_int = op == OP_S_LD_INT && (word & ~USED_S_LD_INT) == 32'd0;
    assign is_s_st_int = op == OP_S_ST_INT && (word & ~USED_S_ST_INT) == 32'd0;
    assign is_c_loop_start = op == OP_C_LOOP_START && (word & ~USED_C_LOOP_START) == 32'd0;
    assign is_c_loop_end = op == OP_C_LOOP_END && (word & ~USED_C_LOOP_END) == 32'd0;
    assign is_v_red_max_idx =
        op == OP_V_RED_MAX_IDX && (word & ~USED_V_RED_MAX_IDX) == 32'd0 && rs3_is_f;
    assign is_c_break = op == OP_C_BREAK && (word & ~USED_C_BREAK) == 32'd0;
    assign is_c_set_csr = op == OP_C_SET_CSR && (word & ~USED_C_SET_CSR) == 32'd0 && rd_is_csr;

    assign legal = is_s_ld_fp | is_s_st_fp | is_s_add_int | is_s_addi_int | is_s_lui_int
        | is_s_ld_int | is_s_st_int | is_c_loop_start | is_c_loop_end | is_v_red_max_idx
        | is_c_break | is_c_set_csr;

endmodule

`default_nettype wire
