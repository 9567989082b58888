// e**l as a power of two: t = l * log2(e) of a normal BF16 code. Combinational.
//
// e**l = 2**(16 * (bin - 2048) + place + fraction / 2**17), t to the nearest, half up in magnitude.
// Outputs mean nothing for codes of 2**14 and above in magnitude.
`default_nettype none

module unmask_base2 (
    input  wire [15:0] code,
    output wire [11:0] bin,
    output wire [3:0]  place,
    output wire [16:0] fraction
);

    localparam [23:0] LOG2E = 24'hb8aa3b; // log2(e), 23 fraction bits

    wire [7:0] field = code[14:7];
    wire normal = field != 8'd0;
    wire [7:0] exponent = normal ? field : 8'd1;

    // The significand counts units of 2**(exponent - 134), so 17 fraction bits remain after a shift
    // by 140 - exponent; the bit below them is there to round by. (What is marked to be kept is where
    // a netlist is compared with this text.)
    (* keep *) wire [31:0] product = {24'd0, normal, code[6:0]} * {8'd0, LOG2E};
    wire [7:0] shift = 8'd140 - exponent;
    (* keep *) wire [32:0] kept = {product, 1'b0} >> shift;
    wire [32:0] magnitude = {1'b0, kept[32:1]} + {32'd0, kept[0]};

    // Two's complement, biased: floor and fraction are then plain bit fields.
    wire [32:0] t = (code[15] ? ~magnitude + 33'd1 : magnitude) ^ {1'b1, 32'd0};

    assign bin = t[32:21];
    assign place = t[20:17];
    assign fraction = t[16:0];

endmodule

`default_nettype wire
