// A BF16 code's parts. Combinational. Exponent and significand mean nothing for infinities and
// NaNs.
`default_nettype none

module unmask_bf16_unpack (
    input  wire [15:0] code,
    output wire        sign,
    output wire [7:0]  exponent,     // the field, 1 for subnormals: what a field of 0 stands for
    output wire [7:0]  significand,  // fraction under the hidden bit, not normalised
    output wire        is_zero,
    output wire        is_infinite,
    output wire        is_nan
);

    wire normal = |code[14:7];
    wire special = &code[14:7];
    wire fraction = |code[6:0];

    assign sign = code[15];
    assign exponent = {code[14:8], code[7] | ~normal};
    assign significand = {normal, code[6:0]};
    assign is_zero = ~normal & ~fraction;
    assign is_infinite = special & ~fraction;
    assign is_nan = special & fraction;

endmodule

`default_nettype wire
