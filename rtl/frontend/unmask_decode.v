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

    wire rd_is_f = ~word[9];    // f registers have three bits
    wire rs3_is_f = ~word[21];
    wire rd_is_csr = word[9:6] == CSR_VL;

    assign is_s_ld_fp = (word & MASK_S_LD_FP) == MATCH_S_LD_FP && rd_is_f;
    assign is_s_st_fp = (word & MASK_S_ST_FP) == MATCH_S_ST_FP && rd_is_f;
    assign is_s_add_int = (word & MASK_S_ADD_INT) == MATCH_S_ADD_INT;
    assign is_s_addi_int = (word & MASK_S_ADDI_INT) == MATCH_S_ADDI_INT;
    assign is_s_lui_int = (word & MASK_S_LUI_INT) == MATCH_S_LUI_INT;
    assign is_s_ld_int = (word & MASK_S_LD_INT) == MATCH_S_LD_INT;
    assign is_s_st_int = (word & MASK_S_ST_INT) == MATCH_S_ST_INT;
    assign is_c_loop_start = (word & MASK_C_LOOP_START) == MATCH_C_LOOP_START;
    assign is_c_loop_end = (word & MASK_C_LOOP_END) == MATCH_C_LOOP_END;
    assign is_v_red_max_idx =
        (word & MASK_V_RED_MAX_IDX) == MATCH_V_RED_MAX_IDX && rs3_is_f;
    assign is_c_break = (word & MASK_C_BREAK) == MATCH_C_BREAK;
    assign is_c_set_csr = (word & MASK_C_SET_CSR) == MATCH_C_SET_CSR && rd_is_csr;

    assign legal = is_s_ld_fp | is_s_st_fp | is_s_add_int | is_s_addi_int | is_s_lui_int
        | is_s_ld_int | is_s_st_int | is_c_loop_start | is_c_loop_end | is_v_red_max_idx
        | is_c_break | is_c_set_csr;

endmodule

`default_nettype wire
