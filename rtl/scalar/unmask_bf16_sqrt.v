// The square root on BF16 codes, all but the rounding. The result follows one cycle after the
// operand.
//
// Cycle 0: the operand, subnormals normalised. Cycle 1: a table of the roots of 1.f and 2 * 1.f;
// the exponent halved. An odd power of two leaves one factor of two under the root. The root of -0
// is -0, of other negative values NaN.
`default_nettype none

module unmask_bf16_sqrt (
    input  wire        clk,
    input  wire [15:0] in_a,
    output wire        sign,
    output wire [9:0]  exponent,
    output wire [11:0] significand,
    output wire        is_infinite,
    output wire        is_nan
);

    wire a_sign;
    wire [9:0] a_exponent;
    wire [6:0] a_fraction;
    wire a_zero;
    wire a_infinite;
    wire a_nan;

    unmask_bf16_operand operand (
        .code(in_a),
        .sign(a_sign),
        .exponent(a_exponent),
        .fraction(a_fraction),
        .is_zero(a_zero),
        .is_infinite(a_infinite),
        .is_nan(a_nan)
    );

    reg sign_reg;
    reg [9:0] exponent_reg;
    reg [6:0] fraction_reg;
    reg is_zero_reg;
    reg is_infinite_reg;
    reg is_nan_reg;

    always @(posedge clk) begin
        sign_reg <= a_sign;
        exponent_reg <= a_exponent;
        fraction_reg <= a_fraction;
        is_zero_reg <= a_zero;
        is_infinite_reg <= a_infinite;
        is_nan_reg <= a_nan | (a_sign & ~a_zero);
    end

    wire [11:0] root;
    unmask_bf16_sqrt_table lookup (
        .odd(~exponent_reg[0]), // 256 + 127 is odd
        .fraction(fraction_reg),
        .root(root)
    );

    wire [9:0] doubled = exponent_reg + 10'd383;

    assign sign = sign_reg;
    assign exponent = {1'b0, doubled[9:1]};
    assign significand = is_zero_reg ? 12'd0 : root;
    assign is_infinite = is_infinite_reg;
    assign is_nan = is_nan_reg;

    wire unused = &{1'b0, doubled[0]};

endmodule

`default_nettype wire
