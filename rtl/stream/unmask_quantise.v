// One BF16 code over its block's scale as an MX element: `quantise` of spec/mx.py, for any scale.
// Combinational.
//
// To nearest, ties to even; finite values saturate. A NaN, any code under scale FF, and for E4M3
// an infinity, become the format's one NaN.
`default_nettype none

module unmask_quantise (
    input  wire        e5m2,      // the element format: E5M2, or else E4M3
    input  wire [15:0] code,
    input  wire [7:0]  scale,     // E8M0
    output wire [7:0]  element
);

    // What both biases come to: the exponent of the greatest subnormal binade is 256.
    wire [9:0] bias = e5m2 ? 10'd271 : 10'd263;
    wire normal = |code[14:7];
    wire [9:0] raw = {2'b00, code[14:8], code[7] | ~normal} + bias - {2'b00, scale};

    wire [9:0] exponent;
    wire [7:0] significand;
    unmask_bf16_normalise #(.WIDTH(8)) normalise (
        .in_exponent(raw),
        .in_significand({normal, code[6:0]}),
        .exponent(exponent),
        .significand(significand)
    );

    wire subnormal = exponent <= 10'd256;
    wire [9:0] amount = subnormal ? 10'd257 - exponent : 10'd0;
    wire [11:0] aligned;
    unmask_bf16_shift_sticky shift (
        .value({significand, 4'd0}),
        .amount(amount),
        .result(aligned)
    );

    // The hidden bit adds 1 to the field below it, and a carry from rounding steps it on.
    wire [3:0] kept = e5m2 ? {1'b0, aligned[11:9]} : aligned[11:8];
    wire guard = e5m2 ? aligned[8] : aligned[7];
    wire sticky = (e5m2 & aligned[7]) | (|aligned[6:0]);
    wire up = guard & (sticky | kept[0]);
    wire [9:0] below = subnormal ? 10'd0 : exponent - 10'd257;
    wire [12:0] field = e5m2 ? {1'b0, below, 2'd0} : {below, 3'd0};
    wire [12:0] rounded = field + {9'd0, kept} + {12'd0, up};

    wire [6:0] largest = e5m2 ? 7'h7b : 7'h7e;
    wire infinite = code[14:0] == 15'h7f80;
    wire above = (&code[14:7]) & (|code[6:0]);
    wire is_nan = above | (infinite & ~e5m2) | (&scale);
    wire [6:0] finite = rounded < {6'd0, largest} ? rounded[6:0] : largest;
    wire [6:0] magnitude = infinite ? 7'h7c : finite;

    assign element = is_nan ? (e5m2 ? 8'h7e : 8'h7f) : {code[15], magnitude};

endmodule

`default_nettype wire
