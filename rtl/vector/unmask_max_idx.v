// First greatest element of a stream of chunks, and its index: the unit of V_RED_MAX_IDX, and of
// V_RED_MAX, which has no use for the index and wants the one quiet NaN for every NaN.
//
// A transaction is one or more beats of up to VLEN lanes. The first beat starts from
// (in_start_code, in_start_index), a later one continues from the result of the beat before it.
// Strictly greater wins, so of equals the earlier one stays; NaN is greatest, -0 equals +0.
//
// Takes a beat each cycle, never refuses one. LATENCY = log2(VLEN) + 2 cycles from in_valid to
// out_valid: lane keys, log2(VLEN) levels of a tree, the fold into the running result.
// out_code and out_index change only with out_valid, which every beat brings about: they are the
// result up to that beat, and the transaction's where out_last is high.
`default_nettype none

module unmask_max_idx #(
    // Lanes: a power of two, 2 to 2048
    parameter VLEN = 8
) (
    input  wire                  clk,
    input  wire                  rst,

    input  wire                  in_valid,
    input  wire                  in_first,
    input  wire                  in_last,
    input  wire [16*VLEN-1:0]    in_data,         // BF16, lane 0 lowest
    input  wire [$clog2(VLEN):0] in_count,        // active lanes, from lane 0
    input  wire [31:0]           in_base,         // index of lane 0
    input  wire [15:0]           in_start_code,   // read with in_first only
    input  wire [31:0]           in_start_index,

    output wire                  out_valid,
    output wire                  out_last,        // means something with out_valid only
    output wire [15:0]           out_code,
    output wire [15:0]           out_maximum,     // out_code, but 7fc0 for any NaN
    output wire [31:0]           out_index
);

    localparam LEVELS = $clog2(VLEN);

    genvar lane;
    genvar level;
    genvar node;
    generate
        if (VLEN < 2 || VLEN > 2048 || (VLEN & (VLEN - 1)) != 0) begin : check_vlen
            VLEN_must_be_a_power_of_two_from_2_to_2048 error();
        end
    endgenerate

    // Stage 0: the key of each lane. An inactive lane gets key 0, which is greater than nothing.
    wire [31:0] count = {{(31 - LEVELS){1'b0}}, in_count};
    reg [16*VLEN-1:0] lane_key_reg;
    reg [16*VLEN-1:0] lane_code_reg;

    always @(posedge clk) lane_code_reg <= in_data;

    generate
        for (lane = 0; lane < VLEN; lane = lane + 1) begin : lanes
            wire [15:0] key;
            unmask_order_key order_key (.code(in_data[16*lane +: 16]), .key(key));
            always @(posedge clk) lane_key_reg[16*lane +: 16] <= lane < count ? key : 16'd0;
        end
    endgenerate

    // Levels 1 to log2(VLEN): neighbours in pairs, so that the order of lanes is kept. A node of
    // level n knows its winner's place in n bits, one bit more than its inputs.
    generate
        for (level = 1; level <= LEVELS; level = level + 1) begin : tree
            localparam NODES = VLEN >> level;
            wire [32*NODES-1:0] key_in;
            wire [32*NODES-1:0] code_in;
            reg [16*NODES-1:0] key_reg;
            reg [16*NODES-1:0] code_reg;
            reg [level*NODES-1:0] place_reg;

            if (level == 1) begin : from_lanes
                assign key_in = lane_key_reg;
                assign code_in = lane_code_reg;
            end else begin : from_level
                assign key_in = tree[level-1].key_reg;
                assign code_in = tree[level-1].code_reg;
            end

            for (node = 0; node < NODES; node = node + 1) begin : nodes
                wire [15:0] first_key = key_in[32*node +: 16];
                wire [15:0] second_key = key_in[32*node + 16 +: 16];
                wire later = first_key < second_key;
                wire [level-1:0] place;

                if (level == 1) begin : leaf
                    assign place = later;
                end else begin : inner
                    wire [level-2:0] first = tree[level-1].place_reg[2*node*(level-1) +: level-1];
                    wire [level-2:0] second =
                        tree[level-1].place_reg[(2*node+1)*(level-1) +: level-1];
                    assign place = {later, later ? second : first};
                end

                always @(posedge clk) begin
                    key_reg[16*node +: 16] <= later ? second_key : first_key;
                    code_reg[16*node +: 16] <=
                        later ? code_in[32*node + 16 +: 16] : code_in[32*node +: 16];
                    place_reg[level*node +: level] <= place;
                end
            end
        end
    endgenerate

    // What travels beside the tree, one word a stage; stage 0 is lowest.
    reg [LEVELS:0] valid_reg;
    reg [LEVELS:0] first_reg;
    reg [LEVELS:0] last_reg;
    reg [32*LEVELS+31:0] base_reg;
    reg [16*LEVELS+15:0] start_code_reg;
    reg [32*LEVELS+31:0] start_index_reg;

    always @(posedge clk) begin
        valid_reg <= rst ? {(LEVELS + 1){1'b0}} : {valid_reg[LEVELS-1:0], in_valid};
        first_reg <= {first_reg[LEVELS-1:0], in_first};
        last_reg <= {last_reg[LEVELS-1:0], in_last};
        base_reg <= {base_reg[32*LEVELS-1:0], in_base};
        start_code_reg <= {start_code_reg[16*LEVELS-1:0], in_start_code};
        start_index_reg <= {start_index_reg[32*LEVELS-1:0], in_start_index};
    end

    // The fold. The running key is recomputed rather than stored: 16 flip-flops less, and what
    // the unit remembers is the architectural pair alone, so no state of it is unreachable.
    reg out_valid_reg;
    reg out_last_reg;
    reg [15:0] out_code_reg;
    reg [31:0] out_index_reg;

    wire valid = valid_reg[LEVELS];
    wire first = first_reg[LEVELS];
    wire [15:0] best_code = first ? start_code_reg[16*LEVELS +: 16] : out_code_reg;
    wire [31:0] best_index = first ? start_index_reg[32*LEVELS +: 32] : out_index_reg;
    wire [15:0] best_key;
    unmask_order_key best_order_key (.code(best_code), .key(best_key));

    wire [31:0] chunk_index =
        base_reg[32*LEVELS +: 32] + {{(32 - LEVELS){1'b0}}, tree[LEVELS].place_reg};
    wire later = best_key < tree[LEVELS].key_reg;

    always @(posedge clk) begin
        out_valid_reg <= valid & ~rst;
        out_last_reg <= last_reg[LEVELS];
        if (valid) begin
            out_code_reg <= later ? tree[LEVELS].code_reg : best_code;
            out_index_reg <= later ? chunk_index : best_index;
        end
    end

    assign out_valid = out_valid_reg;
    assign out_last = out_last_reg;
    assign out_code = out_code_reg;
    assign out_maximum = (&out_code_reg[14:7]) & (|out_code_reg[6:0]) ? 16'h7fc0 : out_code_reg;
    assign out_index = out_index_reg;

endmodule

`default_nettype wire
