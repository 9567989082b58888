// Elementwise BF16 arithmetic: the unit of V_ADD_VV, V_ADD_VF, V_SUB_VV, V_SUB_VF, V_MUL_VV,
// V_MUL_VF, V_EXP_V, V_RECI_V and V_SELECT_VVM. A scalar operand stands in every lane of in_b.
//
// Takes a beat each cycle, of any operation, never refuses one. 3 cycles from in_valid to
// out_valid.
`default_nettype none

module unmask_elementwise #(
    // Lanes: a power of two, 2 to 2048
    parameter VLEN = 8
) (
    input  wire               clk,
    input  wire               rst,

    input  wire               in_valid,
    input  wire [2:0]         in_op,    // 0 a + b, 1 a - b, 2 b - a, 3 a * b, 4 e**a, 5 1 / a,
                                        // 6 select; 7 is not used and does what 6 does
    input  wire [16*VLEN-1:0] in_a,     // BF16, lane 0 lowest
    input  wire [16*VLEN-1:0] in_b,
    input  wire [16*VLEN-1:0] in_mask,  // select: a where it is not zero, else b

    output wire               out_valid,
    output wire [16*VLEN-1:0] out_data
);

    generate
        if (VLEN < 2 || VLEN > 2048 || (VLEN & (VLEN - 1)) != 0) begin : check_vlen
            VLEN_must_be_a_power_of_two_from_2_to_2048 error();
        end
    endgenerate

    wire exchange = in_op == 3'd2;
    wire negate = in_op == 3'd1 || in_op == 3'd2;

    reg [2:0] valid_reg;
    reg [2:0] pick;
    reg [2:0] pick_reg;

    always @(*) begin
        case (in_op)
            3'd0, 3'd1, 3'd2: pick = 3'd0;
            3'd3: pick = 3'd1;
            3'd4: pick = 3'd2;
            3'd5: pick = 3'd3;
            default: pick = 3'd5;
        endcase
    end

    always @(posedge clk) begin
        valid_reg <= rst ? 3'd0 : {valid_reg[1:0], in_valid};
        pick_reg <= pick;
    end

    genvar lane;
    generate
        for (lane = 0; lane < VLEN; lane = lane + 1) begin : lanes
            wire [15:0] a = in_a[16*lane +: 16];
            wire [15:0] b = in_b[16*lane +: 16];

            // A mask counts as true where it is not zero: -0 is false, NaN true.
            unmask_bf16_lane #(.ROOT(0)) arithmetic (
                .clk(clk),
                .in_a(exchange ? b : a),
                .in_b(exchange ? a : b),
                .in_negate_b(negate),
                .in_other(|in_mask[16*lane +: 15] ? a : b),
                .pick(pick_reg),
                .out_data(out_data[16*lane +: 16])
            );
        end
    endgenerate

    // The signs of the masks.
    wire [VLEN-1:0] unused;
    generate
        for (lane = 0; lane < VLEN; lane = lane + 1) begin : signs
            assign unused[lane] = in_mask[16*lane + 15];
        end
    endgenerate

    assign out_valid = valid_reg[2];

endmodule

`default_nettype wire
