// The operand of reciprocal and square root: exponent plus 256, and the fraction under a leading 1.
// Combinational. They mean nothing for zeros, infinities and NaNs.
`default_nettype none

module unmask_bf16_operand (
    input  wire [15:0] code,
    output wire        sign,
    output wire [9:0]  exponent,
    output wire [6:0]  fraction,
    output wire        is_zero,
    output wire        is_infinite,
    output wire        is_nan
);

    wire [7:0] field;
    wire [7:0] significand;
    wire [7:0] normal;

    unmask_bf16_unpack unpack (
        .code(code),
        .sign(sign),
        .exponent(field),
        .significand(significand),
        .is_zero(is_zero),
        .is_infinite(is_infinite),
        .is_nan(is_nan)
    );
    unmask_bf16_normalise #(.WIDTH(8)) normalise (
        .in_exponent({2'd1, field}),
        .in_significand(significand),
        .exponent(exponent),
        .significand(normal)
    );

    assign fraction = normal[6:0];

    wire unused = &{1'b0, normal[7]};

endmodule

`default_nettype wire
