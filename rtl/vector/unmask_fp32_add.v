// FP32 addition, IEEE 754: round to nearest even, subnormals kept, one quiet NaN (7fc00000).
//
// Takes a pair each cycle; 2 cycles: aligned sum, then normalisation and rounding.
`default_nettype none

module unmask_fp32_add (
    input  wire        clk,
    input  wire [31:0] in_a,
    input  wire [31:0] in_b,
    output wire [31:0] out_sum
);

    localparam [30:0] INFINITY = 31'h7f800000;
    localparam [30:0] NAN = 31'h7fc00000;

    // Stage 1: the lesser magnitude is shifted under the greater, and what it loses is kept in one
    // sticky bit. 28 bits: one above for the carry; guard, round and sticky below. A difference that
    // cancels more than one leading bit comes from exponents at most 1 apart, which lose nothing.
    wire swap = in_a[30:0] < in_b[30:0];
    wire [31:0] greater = swap ? in_b : in_a;
    wire [31:0] lesser = swap ? in_a : in_b;
    wire greater_normal = greater[30:23] != 8'd0;
    wire lesser_normal = lesser[30:23] != 8'd0;
    wire [7:0] exponent = {greater[30:24], greater[23] | ~greater_normal};
    wire [7:0] distance = exponent - {lesser[30:24], lesser[23] | ~lesser_normal};

    wire [27:0] upper = {1'b0, greater_normal, greater[22:0], 3'd0};
    wire [27:0] lower = {1'b0, lesser_normal, lesser[22:0], 3'd0};
    wire [27:0] kept = lower >> distance;
    wire lost = (kept << distance) != lower;
    wire [27:0] aligned = {kept[27:1], kept[0] | lost};
    wire differ = greater[31] ^ lesser[31];

    reg [27:0] total_reg;
    reg [7:0] exponent_reg;   // of total_reg[26]
    reg sign_reg;
    reg lesser_sign_reg;
    reg infinite_reg;
    reg nan_reg;

    always @(posedge clk) begin
        total_reg <= differ ? upper - aligned : upper + aligned;
        exponent_reg <= exponent;
        sign_reg <= greater[31];
        lesser_sign_reg <= lesser[31];
        // Infinities and NaNs have the greatest magnitudes, so to look at the larger is enough.
        infinite_reg <= greater[30:0] == INFINITY;
        nan_reg <= greater[30:0] > INFINITY || (lesser[30:0] == INFINITY && differ);
    end

    // Stage 2: shift left by the leading zeros, or by as many as the exponent allows: a result that
    // is subnormal then has its place already. The exponent here is that of bit 27, so 1 more.
    wire [8:0] left_16 = {1'b0, exponent_reg} + 9'd1;
    wire step_16 = total_reg[27:12] == 16'd0 && left_16 > 9'd16;
    wire [27:0] bits_8 = step_16 ? total_reg << 16 : total_reg;
    wire [8:0] left_8 = step_16 ? left_16 - 9'd16 : left_16;
    wire step_8 = bits_8[27:20] == 8'd0 && left_8 > 9'd8;
    wire [27:0] bits_4 = step_8 ? bits_8 << 8 : bits_8;
    wire [8:0] left_4 = step_8 ? left_8 - 9'd8 : left_8;
    wire step_4 = bits_4[27:24] == 4'd0 && left_4 > 9'd4;
    wire [27:0] bits_2 = step_4 ? bits_4 << 4 : bits_4;
    wire [8:0] left_2 = step_4 ? left_4 - 9'd4 : left_4;
    wire step_2 = bits_2[27:26] == 2'd0 && left_2 > 9'd2;
    wire [27:0] bits_1 = step_2 ? bits_2 << 2 : bits_2;
    wire [8:0] left_1 = step_2 ? left_2 - 9'd2 : left_2;
    wire step_1 = ~bits_1[27] && left_1 > 9'd1;
    wire [27:0] bits = step_1 ? bits_1 << 1 : bits_1;
    wire [8:0] left = step_1 ? left_1 - 9'd1 : left_1;

    // The hidden bit adds 1 to the field below it, and a carry from rounding steps it on, be it from
    // subnormal to normal or to infinity.
    wire up = bits[3] & ((|bits[2:0]) | bits[4]);
    wire zero = total_reg == 28'd0;
    wire [8:0] below = zero ? 9'd0 : left - 9'd1;
    wire [31:0] rounded = {below, 23'd0} + {8'd0, bits[27:4]} + {31'd0, up};
    wire overflow = infinite_reg | rounded >= {1'b0, INFINITY};
    // x - x is +0; -0 comes from -0 and -0 alone.
    wire sign = sign_reg & (lesser_sign_reg | ~zero);

    reg [31:0] out_sum_reg;

    always @(posedge clk)
        out_sum_reg <= nan_reg ? {1'b0, NAN} : {sign, overflow ? INFINITY : rounded[30:0]};

    assign out_sum = out_sum_reg;

endmodule

`default_nettype wire
