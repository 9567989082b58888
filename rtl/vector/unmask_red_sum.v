// Sum of a stream of chunks in FP32, rounded to BF16 once: the unit of V_RED_SUM.
//
// A transaction is one or more beats of up to VLEN lanes. Each beat is summed by a balanced tree of
// neighbours; the first one's sum is added to in_start, a later one's to the sum so far.
//
// Takes a beat at most every 4 cycles, 2*log2(VLEN) + 5 cycles from in_valid to out_valid: lanes, 2 a
// level of the tree, operands of the fold, 2 for the fold, rounding. out_code changes only with
// out_valid, which every beat brings about: it is the sum up to that beat, and the transaction's
// where out_last is high.
`default_nettype none

module unmask_red_sum #(
    // Lanes: a power of two, 2 to 2048
    parameter VLEN = 8
) (
    input  wire                  clk,
    input  wire                  rst,

    input  wire                  in_valid,
    output wire                  in_ready,
    input  wire                  in_first,
    input  wire                  in_last,
    input  wire [16*VLEN-1:0]    in_data,    // BF16, lane 0 lowest
    input  wire [$clog2(VLEN):0] in_count,   // active lanes, from lane 0
    input  wire [15:0]           in_start,   // BF16, read with in_first only

    output wire                  out_valid,
    output wire                  out_last,   // means something with out_valid only
    output wire [15:0]           out_code
);

    localparam LEVELS = $clog2(VLEN);
    localparam STAGES = 2 * LEVELS + 4;      // before out_*_reg; of them TREE before the fold
    localparam TREE = 2 * LEVELS + 1;
    localparam [15:0] NONE = 16'h8000;       // x + -0 = x for every x

    genvar lane;
    genvar level;
    genvar node;
    generate
        if (VLEN < 2 || VLEN > 2048 || (VLEN & (VLEN - 1)) != 0) begin : check_vlen
            VLEN_must_be_a_power_of_two_from_2_to_2048 error();
        end
    endgenerate

    // The fold's loop is 3 cycles long, and one is spare.
    reg [1:0] wait_reg;
    wire taken = in_valid & in_ready;

    assign in_ready = wait_reg == 2'd0;

    always @(posedge clk) begin
        if (rst) wait_reg <= 2'd0;
        else if (taken) wait_reg <= 2'd3;
        else if (wait_reg != 2'd0) wait_reg <= wait_reg - 2'd1;
    end

    // What travels beside the tree, one word a stage; stage 0 is lowest.
    reg [STAGES-1:0] valid_reg;
    reg [STAGES-1:0] last_reg;
    reg [TREE-1:0] first_reg;
    reg [16*TREE-1:0] start_reg;

    always @(posedge clk) begin
        valid_reg <= rst ? {STAGES{1'b0}} : {valid_reg[STAGES-2:0], taken};
        last_reg <= {last_reg[STAGES-2:0], in_last};
        first_reg <= {first_reg[TREE-2:0], in_first};
        start_reg <= {start_reg[16*TREE-17:0], in_start};
    end

    // Stage 0: the lanes, widened below where they are added.
    wire [31:0] count = {{(31 - LEVELS){1'b0}}, in_count};
    reg [16*VLEN-1:0] lane_reg;

    generate
        for (lane = 0; lane < VLEN; lane = lane + 1) begin : lanes
            always @(posedge clk)
                lane_reg[16*lane +: 16] <= lane < count ? in_data[16*lane +: 16] : NONE;
        end
    endgenerate

    // The tree, 2 stages a level.
    generate
        for (level = 1; level <= LEVELS; level = level + 1) begin : tree
            localparam NODES = VLEN >> level;
            wire [32*NODES-1:0] sum;

            for (node = 0; node < NODES; node = node + 1) begin : nodes
                wire [31:0] first;
                wire [31:0] second;

                if (level == 1) begin : leaf
                    assign first = {lane_reg[32*node +: 16], 16'd0};
                    assign second = {lane_reg[32*node + 16 +: 16], 16'd0};
                end else begin : inner
                    assign first = tree[level-1].sum[64*node +: 32];
                    assign second = tree[level-1].sum[64*node + 32 +: 32];
                end

                unmask_fp32_add add (
                    .clk(clk), .in_a(first), .in_b(second), .out_sum(sum[32*node +: 32])
                );
            end
        end
    endgenerate

    // The fold. Its operands stay until the next chunk comes, and so does their sum behind it: the
    // sum so far is remembered nowhere else.
    reg [31:0] total_reg;
    reg [31:0] chunk_reg;
    wire [31:0] total;

    always @(posedge clk) begin
        if (valid_reg[TREE-1]) begin
            total_reg <= first_reg[TREE-1] ? {start_reg[16*TREE-1 -: 16], 16'd0} : total;
            chunk_reg <= tree[LEVELS].sum;
        end
    end

    unmask_fp32_add fold (.clk(clk), .in_a(total_reg), .in_b(chunk_reg), .out_sum(total));

    // To BF16, to nearest even; a carry steps the exponent on, to infinity too.
    wire up = total[15] & ((|total[14:0]) | total[16]);
    wire [14:0] rounded = total[30:16] + {14'd0, up};
    wire is_nan = (&total[30:23]) & (|total[22:0]);

    reg out_valid_reg;
    reg out_last_reg;
    reg [15:0] out_code_reg;

    always @(posedge clk) begin
        out_valid_reg <= valid_reg[STAGES-1] & ~rst;
        out_last_reg <= last_reg[STAGES-1];
        if (valid_reg[STAGES-1])
            out_code_reg <= is_nan ? 16'h7fc0 : {total[31], rounded};
    end

    assign out_valid = out_valid_reg;
    assign out_last = out_last_reg;
    assign out_code = out_code_reg;

endmodule

`default_nettype wire
