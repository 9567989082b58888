// A value to the nearest BF16 code, ties to even; subnormals, and infinity where it overflows.
// Combinational.
`default_nettype none

module unmask_bf16_round (
    input  wire        sign,
    input  wire [9:0]  exponent,     // of the significand's top bit: the IEEE exponent plus 256
    input  wire [11:0] significand,  // normalised or 0; the lowest bit may be sticky
    output wire [15:0] code
);

    localparam [9:0] FIRST_NORMAL = 10'd257;
    localparam [16:0] INFINITY = 17'h07f80;

    wire subnormal = exponent < FIRST_NORMAL;
    wire [9:0] amount = subnormal ? FIRST_NORMAL - exponent : 10'd0;
    wire [11:0] aligned;

    unmask_bf16_shift_sticky align (.value(significand), .amount(amount), .result(aligned));

    // The hidden bit adds 1 to the field below it, and a carry from rounding steps it on, be it
    // from subnormal to normal or to infinity.
    wire up = aligned[3] & (|aligned[2:0] | aligned[4]);
    wire [9:0] below = subnormal ? 10'd0 : exponent - FIRST_NORMAL;
    wire [16:0] magnitude = {below, 7'd0} + {9'd0, aligned[11:4]} + {16'd0, up};

    assign code = {sign, magnitude < INFINITY ? magnitude[14:0] : INFINITY[14:0]};

endmodule

`default_nettype wire
