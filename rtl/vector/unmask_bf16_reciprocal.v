// 1 / a on BF16 codes, all but the rounding. The result follows one cycle after the operand.
//
// Cycle 0: the operand, subnormals normalised. Cycle 1: a table of 1 / 1.f, which is 1.0 or, one
// step of normalisation lower, just below it; the exponent negated. 1 / 0 is an infinity and the
// other way round.
`default_nettype none

module unmask_bf16_reciprocal (
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
        is_zero_reg <= a_infinite;
        is_infinite_reg <= a_zero;
        is_nan_reg <= a_nan;
    end

    wire [11:0] inverse;
    unmask_bf16_reciprocal_table lookup (.fraction(fraction_reg), .inverse(inverse));

    wire one = inverse[11];
    wire [9:0] negated = 10'd766 - exponent_reg; // 2 * (256 + 127)

    assign sign = sign_reg;
    assign exponent = negated - {9'd0, ~one};
    assign significand = is_zero_reg ? 12'd0 : one ? inverse : {inverse[10:0], 1'b0};
    assign is_infinite = is_infinite_reg;
    assign is_nan = is_nan_reg;

endmodule

`default_nettype wire
