// What an instruction that does not trap touches: ranges of SRAM, and a softmax state.
// Combinational.
//
// Each of rd, rs1, rs2 and rs3 names at most one range [first, end), of vector, int or key SRAM in
// elements. FP SRAM is not listed: no transfer touches it. The elements behind the end of a mask
// that are written too, up to a whole chunk, are left out: no other range begins among them.
`default_nettype none

module unmask_footprint (
    /* verilator lint_off UNUSEDSIGNAL */
    input  wire [63:0]  row,           // decoded; some rows touch nothing
    /* verilator lint_on UNUSEDSIGNAL */
    input  wire [31:0]  rd,
    input  wire [31:0]  rs1,
    input  wire [31:0]  rs2,
    input  wire [31:0]  rs3,
    input  wire [31:0]  length,        // elements that it works on
    input  wire [31:0]  sum,           // rs1 + imm18
    input  wire         moved,         // of H_PREFETCH_V and H_STORE_V: there are elements
    input  wire [31:0]  sram_end,      // behind their rows

    output wire [3:0]   touch,         // rd lowest
    output wire [7:0]   touch_memory,  // 1 vector, 2 int, 3 key SRAM
    output wire [1:0]   touch_write,   // rd, rs1; those of rs2 and rs3 are only read
    output wire [127:0] touch_first,
    output wire [127:0] touch_end,
    output wire         touch_state,
    output wire [1:0]   state
);

    `include "unmask_isa.vh"

    localparam [1:0] VECTOR = 2'd1;
    localparam [1:0] INT = 2'd2;
    localparam [1:0] KEY = 2'd3;

    wire two_vectors = row[ROW_V_ADD_VV] | row[ROW_V_SUB_VV] | row[ROW_V_MUL_VV]
        | row[ROW_V_SELECT_VVM] | row[ROW_V_TOPK_MASK] | row[ROW_V_CMP_MASK_VV];
    wire one_vector = row[ROW_V_ADD_VF] | row[ROW_V_SUB_VF] | row[ROW_V_MUL_VF] | row[ROW_V_EXP_V]
        | row[ROW_V_RECI_V] | row[ROW_V_CMP_MASK_VF];
    wire reduction = row[ROW_V_RED_SUM] | row[ROW_V_RED_MAX] | row[ROW_V_RED_MAX_IDX]
        | row[ROW_V_RED_SM];
    wire key_mask = row[ROW_V_KEY_MASK_QUOTA] | row[ROW_V_KEY_MASK_RULE]
        | row[ROW_V_KEY_MASK_FACTOR];
    wire compare_int = row[ROW_V_CMP_MASK_IG] | row[ROW_V_CMP_MASK_II];
    wire select_int = row[ROW_S_SELECT_INT];
    wire rows = row[ROW_H_PREFETCH_V] | row[ROW_H_STORE_V];
    wire int_words = row[ROW_H_LD_INT] | row[ROW_H_ST_INT];
    wire key_words = row[ROW_H_LD_KEY] | row[ROW_H_ST_KEY];
    wire int_access = row[ROW_S_LD_INT] | row[ROW_S_ST_INT];
    wire key_access = row[ROW_S_LD_KEY] | row[ROW_S_ST_KEY];
    wire state_store = row[ROW_S_SM_ST_IDX] | row[ROW_S_SM_ST_KEY];
    wire some = length != 32'd0;

    wire rd_vector = two_vectors | one_vector | key_mask | compare_int | row[ROW_S_MAP_V_FP] | rows;
    wire rd_int = select_int | int_words | row[ROW_S_SM_ST_IDX];
    wire [31:0] rd_end = rows ? sram_end : rd + (state_store ? 32'd1 : length);
    wire rd_touched = state_store | (rows ? moved
        : (rd_vector | select_int | int_words | key_words) & some);

    wire rs1_vector = two_vectors | one_vector | reduction;
    wire rs1_int = compare_int | select_int | int_access;
    wire [31:0] rs1_first = int_access ? sum : rs1;
    wire [31:0] rs1_end = rs1_first + (int_access | key_access ? 32'd1 : length);
    wire rs1_touched = int_access | key_access
        | ((rs1_vector | compare_int | select_int | key_mask) & some);

    wire rs2_vector = two_vectors | key_mask;
    wire rs2_touched = (rs2_vector | select_int | row[ROW_V_CMP_MASK_II]) & some;

    wire rs3_vector = row[ROW_V_SELECT_VVM] | select_int;
    wire rs3_touched = (rs3_vector | row[ROW_V_KEY_MASK_FACTOR]) & some;

    assign touch = {rs3_touched, rs2_touched, rs1_touched, rd_touched};
    assign touch_memory = {
        rs3_vector ? VECTOR : KEY,
        rs2_vector ? VECTOR : INT,
        rs1_vector ? VECTOR : rs1_int ? INT : KEY,
        rd_vector ? VECTOR : rd_int ? INT : KEY};
    assign touch_write = {row[ROW_S_ST_INT] | row[ROW_S_ST_KEY],
        ~(row[ROW_H_STORE_V] | row[ROW_H_ST_INT] | row[ROW_H_ST_KEY])};
    assign touch_first = {rs3, rs2, rs1_first, rd};
    assign touch_end = {rs3 + length, rs2 + length, rs1_end, rd_end};

    wire takes_in = row[ROW_V_RED_SM] | row[ROW_H_RED_SM];
    assign touch_state = takes_in | row[ROW_S_SM_CLEAR] | row[ROW_S_SM_MAX] | row[ROW_S_SM_CONF]
        | row[ROW_S_SM_IDX] | row[ROW_S_SM_KEY] | row[ROW_S_SM_FLAGS] | state_store;
    assign state = takes_in ? rd[1:0] : rs1[1:0];

endmodule

`default_nettype wire
