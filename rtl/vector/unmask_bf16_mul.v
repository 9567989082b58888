// a * b on BF16 codes, all but the rounding. The result follows one cycle after the operands.
//
// Cycle 0: the exact product of the significands, and the sum of the exponents. Cycle 1:
// normalised, and the lower half of the product made sticky.
`default_nettype none

module unmask_bf16_mul (
    input  wire        clk,
    input  wire [15:0] in_a,
    input  wire [15:0] in_b,
    output wire        sign,
    output wire [9:0]  exponent,
    output wire [11:0] significand,
    output wire        is_infinite,
    output wire        is_nan
);

    wire a_sign;
    wire [7:0] a_exponent;
    wire [7:0] a_significand;
    wire a_zero;
    wire a_infinite;
    wire a_nan;
    wire b_sign;
    wire [7:0] b_exponent;
    wire [7:0] b_significand;
    wire b_zero;
    wire b_infinite;
    wire b_nan;

    unmask_bf16_unpack unpack_a (
        .code(in_a),
        .sign(a_sign),
        .exponent(a_exponent),
        .significand(a_significand),
        .is_zero(a_zero),
        .is_infinite(a_infinite),
        .is_nan(a_nan)
    );
    unmask_bf16_unpack unpack_b (
        .code(in_b),
        .sign(b_sign),
        .exponent(b_exponent),
        .significand(b_significand),
        .is_zero(b_zero),
        .is_infinite(b_infinite),
        .is_nan(b_nan)
    );

    reg sign_reg;
    reg [9:0] exponent_reg;
    reg [15:0] product_reg;
    reg is_infinite_reg;
    reg is_nan_reg;

    wire infinite = a_infinite | b_infinite;

    // 256 - 127, and 1 because 1.0 * 1.0 is 2**14 of 16 bits.
    always @(posedge clk) begin
        sign_reg <= a_sign ^ b_sign;
        exponent_reg <= {2'd0, a_exponent} + {2'd0, b_exponent} + 10'd130;
        product_reg <= {8'd0, a_significand} * {8'd0, b_significand};
        is_infinite_reg <= infinite;
        is_nan_reg <= a_nan | b_nan | (infinite & (a_zero | b_zero));
    end

    wire [15:0] normal;

    unmask_bf16_normalise #(.WIDTH(16)) normalise (
        .in_exponent(exponent_reg),
        .in_significand(product_reg),
        .exponent(exponent),
        .significand(normal)
    );

    assign sign = sign_reg;
    assign significand = {normal[15:5], |normal[4:0]};
    assign is_infinite = is_infinite_reg;
    assign is_nan = is_nan_reg;

endmodule

`default_nettype wire
