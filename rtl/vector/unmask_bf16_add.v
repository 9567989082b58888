// a + b on BF16 codes, all but the rounding. The result follows one cycle after the operands.
//
// Cycle 0: the operand of smaller magnitude is aligned to the other one. Cycle 1: sum or
// difference, normalised. One bit above the significands is for the carry; guard, round and sticky
// bit are below. A difference that cancels more than one leading bit comes from exponents at most 1
// apart, and then nothing was shifted out.
`default_nettype none

module unmask_bf16_add (
    input  wire        clk,
    input  wire [15:0] in_a,
    input  wire [15:0] in_b,
    output wire        sign,
    output wire [9:0]  exponent,
    output wire [11:0] significand,
    output wire        is_infinite,
    output wire        is_nan
);

    wire swap = in_a[14:0] < in_b[14:0];
    wire large_sign;
    wire [7:0] large_exponent;
    wire [7:0] large_significand;
    wire large_zero;
    wire large_infinite;
    wire large_nan;
    wire small_sign;
    wire [7:0] small_exponent;
    wire [7:0] small_significand;
    wire small_zero;
    wire small_infinite;
    wire small_nan;
    wire [11:0] lower;

    unmask_bf16_unpack unpack_large (
        .code(swap ? in_b : in_a),
        .sign(large_sign),
        .exponent(large_exponent),
        .significand(large_significand),
        .is_zero(large_zero),
        .is_infinite(large_infinite),
        .is_nan(large_nan)
    );
    unmask_bf16_unpack unpack_small (
        .code(swap ? in_a : in_b),
        .sign(small_sign),
        .exponent(small_exponent),
        .significand(small_significand),
        .is_zero(small_zero),
        .is_infinite(small_infinite),
        .is_nan(small_nan)
    );
    unmask_bf16_shift_sticky align (
        .value({1'b0, small_significand, 3'd0}),
        .amount({2'd0, large_exponent - small_exponent}),
        .result(lower)
    );

    reg large_sign_reg;
    reg small_sign_reg;
    reg [7:0] exponent_reg;
    reg [7:0] upper_reg;
    reg [11:0] lower_reg;
    reg is_infinite_reg;
    reg is_nan_reg;

    // Infinities and NaNs have the greatest magnitudes, so to look at the larger is enough.
    always @(posedge clk) begin
        large_sign_reg <= large_sign;
        small_sign_reg <= small_sign;
        exponent_reg <= large_exponent;
        upper_reg <= large_significand;
        lower_reg <= lower;
        is_infinite_reg <= large_infinite;
        is_nan_reg <= large_nan | (large_infinite & small_infinite & (large_sign ^ small_sign));
    end

    wire [11:0] upper = {1'b0, upper_reg, 3'd0};
    wire differ = large_sign_reg ^ small_sign_reg;
    wire [11:0] total = differ ? upper - lower_reg : upper + lower_reg;

    unmask_bf16_normalise #(.WIDTH(12)) normalise (
        .in_exponent({2'd0, exponent_reg} + 10'd257),
        .in_significand(total),
        .exponent(exponent),
        .significand(significand)
    );

    // x - x is +0; -0 comes from -0 and -0 alone.
    assign sign = large_sign_reg & (small_sign_reg | (|total));
    assign is_infinite = is_infinite_reg;
    assign is_nan = is_nan_reg;

    wire unused = &{1'b0, large_zero, small_zero, small_nan};

endmodule

`default_nettype wire
