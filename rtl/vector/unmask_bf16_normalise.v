// The same value with the significand's top bit set; exponent and significand 0 for zero.
// Combinational.
//
// A logarithmic shifter that counts leading zeros as it goes: a step of 2**n is taken where the
// upper 2**n bits are blank, and the steps taken are the binary digits of the count.
`default_nettype none

module unmask_bf16_normalise #(
    // Bits of the significand: 3 to 16
    parameter WIDTH = 12
) (
    input  wire [9:0]       in_exponent,     // not below the significand's leading zeros
    input  wire [WIDTH-1:0] in_significand,
    output wire [9:0]       exponent,
    output wire [WIDTH-1:0] significand
);

    localparam STEPS = $clog2(WIDTH);

    generate
        if (WIDTH < 3 || WIDTH > 16) begin : check_width
            WIDTH_must_be_3_to_16 error();
        end
    endgenerate

    // Word n is the significand after the steps above 2**n.
    wire [WIDTH*(STEPS+1)-1:0] shifted;
    wire [STEPS-1:0] blank;

    assign shifted[WIDTH*STEPS +: WIDTH] = in_significand;

    genvar step;
    generate
        for (step = 0; step < STEPS; step = step + 1) begin : steps
            wire [WIDTH-1:0] from = shifted[WIDTH*(step+1) +: WIDTH];
            assign blank[step] = ~|from[WIDTH-1 -: 1 << step];
            assign shifted[WIDTH*step +: WIDTH] = blank[step] ? from << (1 << step) : from;
        end
    endgenerate

    wire [9:0] left = in_exponent - {{(10 - STEPS){1'b0}}, blank};

    assign significand = shifted[WIDTH-1:0];
    assign exponent = significand[WIDTH-1] ? left : 10'd0;

endmodule

`default_nettype wire
