// Decoder: one output per row of the instruction table, at most one of them high. Combinational.
//
// A word is legal if its opcode is in the table, the bits its row does not use are zero, and its
// fields name what exists: f0 to f7, a0 to a7, a CSR, a format, a relation, a switch that is 0 or
// 1. An illegal word leaves every output low. Places in `row` are ROW_* of unmask_isa.vh.
`default_nettype none

module unmask_decode (
    input  wire [31:0] word,
    output wire [63:0] row
);

    `include "unmask_isa.vh"

    wire rd_is_8 = ~word[9];    // f and a registers have three bits
    wire rs1_is_8 = ~word[13];
    wire rs2_is_8 = ~word[17];
    wire rs3_is_8 = ~word[21];
    wire csr_exists = word[9:6] <= CSR_BAN3;
    wire third_is_switch = word[21:19] == 3'd0;
    wire fourth_is_switch = word[25:23] == 3'd0;
    wire format_exists = word[25:22] <= 4'd4;
    wire relation_exists = word[28:26] <= 3'd5;

    assign row[ROW_V_ADD_VV] = (word & MASK_V_ADD_VV) == MATCH_V_ADD_VV && third_is_switch;
    assign row[ROW_V_ADD_VF] = (word & MASK_V_ADD_VF) == MATCH_V_ADD_VF
        && rs2_is_8 && third_is_switch;
    assign row[ROW_V_SUB_VV] = (word & MASK_V_SUB_VV) == MATCH_V_SUB_VV && third_is_switch;
    assign row[ROW_V_SUB_VF] = (word & MASK_V_SUB_VF) == MATCH_V_SUB_VF
        && rs2_is_8 && third_is_switch && fourth_is_switch;
    assign row[ROW_V_MUL_VV] = (word & MASK_V_MUL_VV) == MATCH_V_MUL_VV && third_is_switch;
    assign row[ROW_V_MUL_VF] = (word & MASK_V_MUL_VF) == MATCH_V_MUL_VF
        && rs2_is_8 && third_is_switch;
    assign row[ROW_V_EXP_V] = (word & MASK_V_EXP_V) == MATCH_V_EXP_V && third_is_switch;
    assign row[ROW_V_RECI_V] = (word & MASK_V_RECI_V) == MATCH_V_RECI_V && third_is_switch;
    assign row[ROW_V_RED_SUM] = (word & MASK_V_RED_SUM) == MATCH_V_RED_SUM
        && rd_is_8 && third_is_switch;
    assign row[ROW_V_RED_MAX] = (word & MASK_V_RED_MAX) == MATCH_V_RED_MAX
        && rd_is_8 && third_is_switch;
    assign row[ROW_S_ADD_FP] = (word & MASK_S_ADD_FP) == MATCH_S_ADD_FP
        && rd_is_8 && rs1_is_8 && rs2_is_8;
    assign row[ROW_S_SUB_FP] = (word & MASK_S_SUB_FP) == MATCH_S_SUB_FP
        && rd_is_8 && rs1_is_8 && rs2_is_8;
    assign row[ROW_S_MAX_FP] = (word & MASK_S_MAX_FP) == MATCH_S_MAX_FP
        && rd_is_8 && rs1_is_8 && rs2_is_8;
    assign row[ROW_S_MUL_FP] = (word & MASK_S_MUL_FP) == MATCH_S_MUL_FP
        && rd_is_8 && rs1_is_8 && rs2_is_8;
    assign row[ROW_S_EXP_FP] = (word & MASK_S_EXP_FP) == MATCH_S_EXP_FP && rd_is_8 && rs1_is_8;
    assign row[ROW_S_RECI_FP] = (word & MASK_S_RECI_FP) == MATCH_S_RECI_FP && rd_is_8 && rs1_is_8;
    assign row[ROW_S_SQRT_FP] = (word & MASK_S_SQRT_FP) == MATCH_S_SQRT_FP && rd_is_8 && rs1_is_8;
    assign row[ROW_S_LD_FP] = (word & MASK_S_LD_FP) == MATCH_S_LD_FP && rd_is_8;
    assign row[ROW_S_ST_FP] = (word & MASK_S_ST_FP) == MATCH_S_ST_FP && rd_is_8;
    assign row[ROW_S_MAP_V_FP] = (word & MASK_S_MAP_V_FP) == MATCH_S_MAP_V_FP;
    assign row[ROW_S_ADD_INT] = (word & MASK_S_ADD_INT) == MATCH_S_ADD_INT;
    assign row[ROW_S_ADDI_INT] = (word & MASK_S_ADDI_INT) == MATCH_S_ADDI_INT;
    assign row[ROW_S_SUB_INT] = (word & MASK_S_SUB_INT) == MATCH_S_SUB_INT;
    assign row[ROW_S_MUL_INT] = (word & MASK_S_MUL_INT) == MATCH_S_MUL_INT;
    assign row[ROW_S_LUI_INT] = (word & MASK_S_LUI_INT) == MATCH_S_LUI_INT;
    assign row[ROW_S_LD_INT] = (word & MASK_S_LD_INT) == MATCH_S_LD_INT;
    assign row[ROW_S_ST_INT] = (word & MASK_S_ST_INT) == MATCH_S_ST_INT;
    assign row[ROW_H_PREFETCH_V] = (word & MASK_H_PREFETCH_V) == MATCH_H_PREFETCH_V
        && rs2_is_8 && third_is_switch && fourth_is_switch;
    assign row[ROW_H_STORE_V] = (word & MASK_H_STORE_V) == MATCH_H_STORE_V
        && rs2_is_8 && third_is_switch && fourth_is_switch;
    assign row[ROW_C_SET_ADDR_REG] = (word & MASK_C_SET_ADDR_REG) == MATCH_C_SET_ADDR_REG
        && rd_is_8;
    assign row[ROW_C_SET_SCALE_REG] = (word & MASK_C_SET_SCALE_REG) == MATCH_C_SET_SCALE_REG;
    assign row[ROW_C_SET_STRIDE_REG] = (word & MASK_C_SET_STRIDE_REG) == MATCH_C_SET_STRIDE_REG;
    assign row[ROW_C_SET_V_MASK_REG] = (word & MASK_C_SET_V_MASK_REG) == MATCH_C_SET_V_MASK_REG;
    assign row[ROW_C_LOOP_START] = (word & MASK_C_LOOP_START) == MATCH_C_LOOP_START;
    assign row[ROW_C_LOOP_END] = (word & MASK_C_LOOP_END) == MATCH_C_LOOP_END;
    assign row[ROW_V_RED_MAX_IDX] = (word & MASK_V_RED_MAX_IDX) == MATCH_V_RED_MAX_IDX && rs3_is_8;
    assign row[ROW_V_SELECT_VVM] = (word & MASK_V_SELECT_VVM) == MATCH_V_SELECT_VVM;
    assign row[ROW_V_TOPK_MASK] = (word & MASK_V_TOPK_MASK) == MATCH_V_TOPK_MASK;
    assign row[ROW_S_SELECT_INT] = (word & MASK_S_SELECT_INT) == MATCH_S_SELECT_INT;
    assign row[ROW_C_BREAK] = (word & MASK_C_BREAK) == MATCH_C_BREAK;
    assign row[ROW_C_SET_CSR] = (word & MASK_C_SET_CSR) == MATCH_C_SET_CSR && csr_exists;
    assign row[ROW_V_RED_SM] = (word & MASK_V_RED_SM) == MATCH_V_RED_SM;
    assign row[ROW_H_RED_SM] = (word & MASK_H_RED_SM) == MATCH_H_RED_SM
        && rs2_is_8 && format_exists;
    assign row[ROW_S_SM_CLEAR] = (word & MASK_S_SM_CLEAR) == MATCH_S_SM_CLEAR;
    assign row[ROW_S_SM_MAX] = (word & MASK_S_SM_MAX) == MATCH_S_SM_MAX && rd_is_8;
    assign row[ROW_S_SM_CONF] = (word & MASK_S_SM_CONF) == MATCH_S_SM_CONF && rd_is_8;
    assign row[ROW_S_SM_IDX] = (word & MASK_S_SM_IDX) == MATCH_S_SM_IDX;
    assign row[ROW_S_SM_KEY] = (word & MASK_S_SM_KEY) == MATCH_S_SM_KEY;
    assign row[ROW_S_SM_FLAGS] = (word & MASK_S_SM_FLAGS) == MATCH_S_SM_FLAGS;
    assign row[ROW_S_SM_ST_KEY] = (word & MASK_S_SM_ST_KEY) == MATCH_S_SM_ST_KEY;
    assign row[ROW_S_SM_ST_IDX] = (word & MASK_S_SM_ST_IDX) == MATCH_S_SM_ST_IDX;
    assign row[ROW_S_LD_KEY] = (word & MASK_S_LD_KEY) == MATCH_S_LD_KEY;
    assign row[ROW_S_ST_KEY] = (word & MASK_S_ST_KEY) == MATCH_S_ST_KEY;
    assign row[ROW_V_KEY_MASK_QUOTA] = (word & MASK_V_KEY_MASK_QUOTA) == MATCH_V_KEY_MASK_QUOTA;
    assign row[ROW_V_KEY_MASK_RULE] = (word & MASK_V_KEY_MASK_RULE) == MATCH_V_KEY_MASK_RULE;
    assign row[ROW_V_KEY_MASK_FACTOR] = (word & MASK_V_KEY_MASK_FACTOR) == MATCH_V_KEY_MASK_FACTOR;
    assign row[ROW_V_CMP_MASK_VV] = (word & MASK_V_CMP_MASK_VV) == MATCH_V_CMP_MASK_VV
        && relation_exists;
    assign row[ROW_V_CMP_MASK_VF] = (word & MASK_V_CMP_MASK_VF) == MATCH_V_CMP_MASK_VF
        && rs2_is_8 && relation_exists;
    assign row[ROW_V_CMP_MASK_IG] = (word & MASK_V_CMP_MASK_IG) == MATCH_V_CMP_MASK_IG
        && relation_exists;
    assign row[ROW_V_CMP_MASK_II] = (word & MASK_V_CMP_MASK_II) == MATCH_V_CMP_MASK_II
        && relation_exists;
    assign row[ROW_H_LD_INT] = (word & MASK_H_LD_INT) == MATCH_H_LD_INT && rs2_is_8;
    assign row[ROW_H_ST_INT] = (word & MASK_H_ST_INT) == MATCH_H_ST_INT && rs2_is_8;
    assign row[ROW_H_LD_KEY] = (word & MASK_H_LD_KEY) == MATCH_H_LD_KEY && rs2_is_8;
    assign row[ROW_H_ST_KEY] = (word & MASK_H_ST_KEY) == MATCH_H_ST_KEY && rs2_is_8;

endmodule

`default_nettype wire
