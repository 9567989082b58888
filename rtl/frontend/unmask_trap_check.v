// Traps of the instruction that is about to issue, all decided from registers. Combinational.
//
// Of several causes the one with the least number is reported. The LOOP trap of a loop of zero
// iterations that has no end is found later, by unmask_control; FATAL is no trap.
`default_nettype none

module unmask_trap_check #(
    // Lanes: a power of two, 2 to 2048
    parameter VLEN = 8,
    // Rows of vector SRAM: a power of two; VLEN * VECTOR_ROWS at most 2**30
    parameter VECTOR_ROWS = 64,
    // Words of FP, key and int SRAM: powers of two, 2 to 2**24
    parameter FP_WORDS = 1024,
    parameter KEY_WORDS = 1024,
    parameter INT_WORDS = 4096
) (
    input  wire [63:0] row,            // decoded: one-hot, 0 for an illegal word
    /* verilator lint_off UNUSEDSIGNAL */
    input  wire [31:0] word,           // its fields and immediates
    /* verilator lint_on UNUSEDSIGNAL */

    input  wire        stack_full,
    input  wire        stack_empty,
    input  wire        stack_match,    // the innermost loop counts in rd; unknown when empty
    input  wire [31:0] rd,
    input  wire [31:0] rs1,
    input  wire [31:0] rs2,
    input  wire [31:0] rs3,
    input  wire [31:0] rs4,
    input  wire [1:0]  base,           // low bits of address register rs2
    input  wire [31:0] vl,
    input  wire [31:0] rows,
    input  wire [18:0] state_count,    // elements of the softmax state that rd names
    input  wire [63:0] window_first,   // HBM that transfers may touch: bytes [first, end)
    input  wire [63:0] window_end,

    // Of unmask_span
    input  wire        scaled,
    input  wire [4:0]  block_mask,
    input  wire [4:0]  pitch,          // low bits
    input  wire [71:0] element_first,
    input  wire [71:0] element_end,
    input  wire [71:0] scale_first,
    input  wire [71:0] scale_end,
    input  wire [69:0] sram_end,

    output wire [31:0] length,         // elements that the instruction works on
    output wire [31:0] sum,            // rs1 + imm18 modulo 2**32
    output wire [31:0] map_address,    // rs1 + imm14 modulo 2**32
    output wire [3:0]  cause
);

    `include "unmask_isa.vh"

    localparam [33:0] ELEMENTS = VLEN * VECTOR_ROWS;
    localparam [31:0] FP_ELEMENTS = FP_WORDS;
    localparam [31:0] KEY_ELEMENTS = KEY_WORDS;
    localparam [31:0] INT_ELEMENTS = INT_WORDS;
    localparam [33:0] MOST_COUNTED = 34'd262144;   // elements of a softmax state: 2**18
    localparam LANE_BITS = $clog2(VLEN);

    // ---- groups of rows ----
    wire two_vectors = row[ROW_V_ADD_VV] | row[ROW_V_SUB_VV] | row[ROW_V_MUL_VV];
    wire select = row[ROW_V_SELECT_VVM];
    wire elementwise = two_vectors | select | row[ROW_V_ADD_VF] | row[ROW_V_SUB_VF]
        | row[ROW_V_MUL_VF] | row[ROW_V_EXP_V] | row[ROW_V_RECI_V];
    wire reduction = row[ROW_V_RED_SUM] | row[ROW_V_RED_MAX] | row[ROW_V_RED_MAX_IDX]
        | row[ROW_V_RED_SM];
    wire top_k = row[ROW_V_TOPK_MASK];
    wire factor = row[ROW_V_KEY_MASK_FACTOR];
    wire key_mask = row[ROW_V_KEY_MASK_QUOTA] | row[ROW_V_KEY_MASK_RULE] | factor;
    wire compare = row[ROW_V_CMP_MASK_VV] | row[ROW_V_CMP_MASK_VF];
    wire compare_int = row[ROW_V_CMP_MASK_IG] | row[ROW_V_CMP_MASK_II];
    wire select_int = row[ROW_S_SELECT_INT];
    wire map = row[ROW_S_MAP_V_FP];
    wire vector_rows = row[ROW_H_PREFETCH_V] | row[ROW_H_STORE_V];
    wire stream = row[ROW_H_RED_SM];
    wire int_words = row[ROW_H_LD_INT] | row[ROW_H_ST_INT];
    wire key_words = row[ROW_H_LD_KEY] | row[ROW_H_ST_KEY];

    // ---- length and ends ----
    wire own_length = top_k | key_mask | compare | compare_int | select_int;
    wire [31:0] lanes = VLEN;

    assign length = own_length ? (word[25:22] == 4'd0 ? lanes : rs4)
        : map ? (word[17:14] == 4'd0 ? lanes : rs2)
        : int_words | key_words ? rs3
        : vl;
    assign sum = rs1 + {14'd0, word[31:14]};
    assign map_address = rs1 + {18'd0, word[31:18]};

    wire [33:0] wide_length = {2'd0, length};
    wire [33:0] rd_end = {2'd0, rd} + wide_length;
    wire [33:0] rs1_end = {2'd0, map ? map_address : rs1} + wide_length;
    wire [33:0] rs2_end = {2'd0, rs2} + wide_length;
    wire [33:0] rs3_end = {2'd0, rs3} + wide_length;

    // ---- the causes ----
    wire [31:0] csr_limit = word[9:6] == CSR_FMT0 | word[9:6] == CSR_FMT1 ? 32'd4
        : word[9:6] == CSR_NAN ? 32'd1 : 32'hFFFFFFFF;
    wire illegal = row == 64'd0 | (row[ROW_C_SET_CSR] & sum > csr_limit);

    wire loop = (row[ROW_C_LOOP_START] & stack_full)
        | (row[ROW_C_LOOP_END] & (stack_empty | ~stack_match));

    wire rd_vector = elementwise | top_k | key_mask | compare | compare_int | map;
    wire rs1_vector = elementwise | reduction | top_k | compare;
    wire rs2_vector = two_vectors | select | top_k | key_mask | row[ROW_V_CMP_MASK_VV];
    wire rs3_vector = select | select_int;
    wire off_lane_rd = rd[LANE_BITS-1:0] != 0;
    wire off_block = (rs1[4:0] & block_mask) != 5'd0 | (~scaled & base[0]);
    wire rows_off_block = rows > 32'd1 & (pitch & block_mask) != 5'd0;
    wire misaligned = ((rd_vector | vector_rows) & off_lane_rd)
        | (rs1_vector & rs1[LANE_BITS-1:0] != 0)
        | (rs2_vector & rs2[LANE_BITS-1:0] != 0)
        | (rs3_vector & rs3[LANE_BITS-1:0] != 0)
        | ((vector_rows | stream) & off_block)
        | (vector_rows & rows_off_block)
        | ((int_words | key_words) & base[1:0] != 2'd0);

    wire clear = word[26];
    wire [33:0] counted = {15'd0, clear ? 19'd0 : state_count} + {2'd0, vl};
    wire too_long = ((row[ROW_V_RED_SM] | stream) & counted > MOST_COUNTED)
        | (row[ROW_H_STORE_V] & (vl[4:0] & block_mask) != 5'd0)
        | ((top_k | key_mask) & length > KEY_ELEMENTS);

    wire outside = (rd_vector & rd_end > ELEMENTS)
        | (rs1_vector & rs1_end > ELEMENTS)
        | (rs2_vector & rs2_end > ELEMENTS)
        | (rs3_vector & rs3_end > ELEMENTS)
        | (map & rs1_end > {2'd0, FP_ELEMENTS})
        | ((select_int | int_words) & rd_end > {2'd0, INT_ELEMENTS})
        | ((select_int | compare_int) & rs1_end > {2'd0, INT_ELEMENTS})
        | ((select_int | row[ROW_V_CMP_MASK_II]) & rs2_end > {2'd0, INT_ELEMENTS})
        | (key_words & rd_end > {2'd0, KEY_ELEMENTS})
        | (key_mask & rs1_end > {2'd0, KEY_ELEMENTS})
        | (factor & rs3_end > {2'd0, KEY_ELEMENTS})
        | ((row[ROW_S_LD_FP] | row[ROW_S_ST_FP]) & sum >= FP_ELEMENTS)
        | ((row[ROW_S_LD_INT] | row[ROW_S_ST_INT]) & sum >= INT_ELEMENTS)
        | ((row[ROW_S_LD_KEY] | row[ROW_S_ST_KEY]) & rs1 >= KEY_ELEMENTS)
        | (row[ROW_S_SM_ST_KEY] & rd >= KEY_ELEMENTS)
        | (row[ROW_S_SM_ST_IDX] & rd >= INT_ELEMENTS)
        | (vector_rows & sram_end > {36'd0, ELEMENTS});

    wire [33:0] wide_rd = {2'd0, rd};
    wire meets_rs1 = rd != rs1 & wide_rd < rs1_end & {2'd0, rs1} < rd_end;
    wire meets_rs2 = rd != rs2 & wide_rd < rs2_end & {2'd0, rs2} < rd_end;
    wire meets_rs3 = rd != rs3 & wide_rd < rs3_end & {2'd0, rs3} < rd_end;
    wire overlaps = ((elementwise | top_k | compare | select_int) & meets_rs1)
        | ((rs2_vector | select_int) & meets_rs2)
        | (select & meets_rs3);

    wire elements_out = element_first != element_end
        & (element_first < {8'd0, window_first} | element_end > {8'd0, window_end});
    wire scales_out = scaled & scale_first != scale_end
        & (scale_first < {8'd0, window_first} | scale_end > {8'd0, window_end});
    wire beyond_window =
        (vector_rows | stream | int_words | key_words) & (elements_out | scales_out);

    assign cause = illegal ? TRAP_ILLEGAL
        : loop ? TRAP_LOOP
        : misaligned ? TRAP_MISALIGNED
        : too_long ? TRAP_LENGTH
        : outside ? TRAP_RANGE
        : overlaps ? TRAP_OVERLAP
        : beyond_window ? TRAP_WINDOW
        : TRAP_NONE;

endmodule

`default_nettype wire
