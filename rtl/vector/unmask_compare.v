// Comparison of two BF16 vectors, lane by lane: the unit of V_CMP_MASK_VV and V_CMP_MASK_VF.
//
// IEEE: -0 equals +0, and a NaN on either side leaves no relation but NE. A lane of the result is 1.0
// where the relation holds and 0.0 elsewhere; lanes from in_count on are 0.0.
//
// Takes a beat each cycle, never refuses one. 2 cycles from in_valid to out_valid: keys, comparison.
`default_nettype none

module unmask_compare #(
    // Lanes: a power of two, 2 to 2048
    parameter VLEN = 8
) (
    input  wire                  clk,
    input  wire                  rst,

    input  wire                  in_valid,
    input  wire [2:0]            in_relation,  // 0 GE, 1 GT, 2 EQ, 3 NE, 4 LE, 5 LT
    input  wire [$clog2(VLEN):0] in_count,     // active lanes, from lane 0
    input  wire [16*VLEN-1:0]    in_a,         // BF16, lane 0 lowest
    input  wire [16*VLEN-1:0]    in_b,

    output wire                  out_valid,
    output wire [16*VLEN-1:0]    out_data
);

    localparam LEVELS = $clog2(VLEN);
    localparam [15:0] NAN_KEY = 16'hffff;

    generate
        if (VLEN < 2 || VLEN > 2048 || (VLEN & (VLEN - 1)) != 0) begin : check_vlen
            VLEN_must_be_a_power_of_two_from_2_to_2048 error();
        end
    endgenerate

    reg valid_reg;
    reg out_valid_reg;

    always @(posedge clk) begin
        valid_reg <= in_valid & ~rst;
        out_valid_reg <= valid_reg & ~rst;
    end

    // Which of the three outcomes on ordered operands the relation accepts; NE is EQ inverted, so that
    // what has no order, which is in none of them, comes out right.
    wire [31:0] count = {{(31 - LEVELS){1'b0}}, in_count};
    reg less_reg;
    reg equal_reg;
    reg greater_reg;
    reg invert_reg;

    always @(posedge clk) begin
        less_reg <= in_relation == 3'd4 || in_relation == 3'd5;
        equal_reg <= in_relation != 3'd1 && in_relation != 3'd5;
        greater_reg <= in_relation == 3'd0 || in_relation == 3'd1;
        invert_reg <= in_relation == 3'd3;
    end

    genvar lane;
    generate
        for (lane = 0; lane < VLEN; lane = lane + 1) begin : lanes
            wire [15:0] key_a;
            wire [15:0] key_b;
            unmask_order_key order_key_a (.code(in_a[16*lane +: 16]), .key(key_a));
            unmask_order_key order_key_b (.code(in_b[16*lane +: 16]), .key(key_b));

            reg active_reg;
            reg [15:0] key_a_reg;
            reg [15:0] key_b_reg;
            reg holds_reg;

            wire less = key_a_reg < key_b_reg;
            wire equal = key_a_reg == key_b_reg;
            wire ordered = key_a_reg != NAN_KEY && key_b_reg != NAN_KEY;
            wire accepted = less ? less_reg : equal ? equal_reg : greater_reg;

            always @(posedge clk) begin
                active_reg <= lane < count;
                key_a_reg <= key_a;
                key_b_reg <= key_b;
                holds_reg <= active_reg & ((ordered & accepted) ^ invert_reg);
            end

            assign out_data[16*lane +: 16] = {2'd0, {7{holds_reg}}, 7'd0}; // 1.0 is 3f80
        end
    endgenerate

    assign out_valid = out_valid_reg;

endmodule

`default_nettype wire
