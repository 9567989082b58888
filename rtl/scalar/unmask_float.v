// Scalar BF16 arithmetic: the unit of S_ADD_FP, S_SUB_FP, S_MAX_FP, S_MUL_FP, S_EXP_FP, S_RECI_FP
// and S_SQRT_FP.
//
// Takes operands each cycle, for any operation, never refuses them. 3 cycles from in_valid to
// out_valid.
`default_nettype none

module unmask_float (
    input  wire        clk,
    input  wire        rst,

    input  wire        in_valid,
    input  wire [2:0]  in_op,    // 0 a + b, 1 a - b, 2 the greater one, 3 a * b, 4 e**a, 5 1 / a,
                                 // 6 root of a; 7 is not used and does what 6 does
    input  wire [15:0] in_a,
    input  wire [15:0] in_b,

    output wire        out_valid,
    output wire [15:0] out_data
);

    localparam [15:0] NAN = 16'h7fc0;
    localparam [15:0] NAN_KEY = 16'hffff;

    // The maximum: of equals, -0 and +0, the first; NaN if either is one, and NaN has the greatest
    // key.
    wire [15:0] key_a;
    wire [15:0] key_b;
    unmask_order_key order_key_a (.code(in_a), .key(key_a));
    unmask_order_key order_key_b (.code(in_b), .key(key_b));

    wire second = key_a < key_b;
    wire [15:0] greater = (second ? key_b : key_a) == NAN_KEY ? NAN : second ? in_b : in_a;

    reg [2:0] valid_reg;
    reg [2:0] pick;
    reg [2:0] pick_reg;

    always @(*) begin
        case (in_op)
            3'd0, 3'd1: pick = 3'd0;
            3'd2: pick = 3'd5;
            3'd3: pick = 3'd1;
            3'd4: pick = 3'd2;
            3'd5: pick = 3'd3;
            default: pick = 3'd4;
        endcase
    end

    always @(posedge clk) begin
        valid_reg <= rst ? 3'd0 : {valid_reg[1:0], in_valid};
        pick_reg <= pick;
    end

    unmask_bf16_lane #(.ROOT(1)) arithmetic (
        .clk(clk),
        .in_a(in_a),
        .in_b(in_b),
        .in_negate_b(in_op[0]),
        .in_other(greater),
        .pick(pick_reg),
        .out_data(out_data)
    );

    assign out_valid = valid_reg[2];

endmodule

`default_nettype wire
