// One lane's element as BF16: an MX element under its scale, or a BF16 code as it is.
//
// Combinational. The value of an MX element is exact where BF16 has it, to nearest even among BF16's
// subnormals, and the largest finite one where it is too large; out_flags say so. The four bits of
// an MX significand fit in BF16's eight, so that nothing is rounded but subnormals.
`default_nettype none

module unmask_dequantise (
    input  wire        in_mx,      // else BF16
    input  wire        in_e5m2,    // else E4M3
    input  wire [15:0] in_code,    // an MX element is the low half
    input  wire [7:0]  in_scale,   // E8M0
    output wire [15:0] out_code,
    output wire [1:0]  out_flags   // rounded, too large
);

    wire sign = in_code[7];
    wire [6:0] magnitude = in_code[6:0];
    wire [4:0] field = in_e5m2 ? magnitude[6:2] : {1'b0, magnitude[6:3]};
    wire normal = field != 5'd0;
    wire [3:0] raw = in_e5m2 ? {normal, magnitude[1:0], 1'b0} : {normal, magnitude[2:0]};

    // The leading one to the top; the exponent of a subnormal element is that of field 1.
    wire [1:0] shift = raw[3] ? 2'd0 : raw[2] ? 2'd1 : raw[1] ? 2'd2 : 2'd3;
    wire [3:0] significand = raw << shift;
    wire zero = raw == 4'd0;

    // BF16's own biased exponent, -17 .. 270: field - bias - shift + scale.
    wire [9:0] exponent = {5'd0, field | {4'd0, ~normal}} + {2'd0, in_scale} - {8'd0, shift}
        - (in_e5m2 ? 10'd15 : 10'd7);
    wire tiny = exponent[9] | exponent == 10'd0;
    wire over = ~exponent[9] & (exponent[8] | exponent[7:0] == 8'hFF) & ~zero;

    // A subnormal's fraction is the significand moved right by 1 - exponent, 11 and more alike.
    wire [9:0] down = 10'd1 - exponent;
    wire [3:0] down_by = down > 10'd11 ? 4'd11 : down[3:0];
    wire [18:0] moved = {significand, 15'd0} >> down_by;   // units are bit 11, the tie is bit 10
    wire lost = moved[10:0] != 11'd0;
    wire up = moved[10] & (moved[9:0] != 10'd0 | moved[11]);
    wire [7:0] subnormal = moved[18:11] + {7'd0, up};

    wire [14:0] finite = zero ? 15'd0
        : over ? 15'h7F7F
        : tiny ? {7'd0, subnormal}
        : {exponent[7:0], significand[2:0], 4'd0};

    wire infinite = in_e5m2 & magnitude == 7'h7C;
    wire nan = in_scale == 8'hFF | (in_e5m2 ? magnitude > 7'h7C : magnitude == 7'h7F);
    wire plain = ~(infinite | nan);

    assign out_code = ~in_mx ? in_code
        : nan ? 16'h7FC0
        : {sign, infinite ? 15'h7F80 : finite};
    assign out_flags = {tiny & lost & ~zero, over} & {2{in_mx & plain}};

endmodule

`default_nettype wire
