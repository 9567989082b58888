// Rank of a BF16 code as an unsigned number: greater value, greater key. Combinational.
//
// -infinity 007f < negatives < both zeros 8000 < positives < +infinity ff80 < every NaN ffff.
// No code has key 0, so 0 can stand for "no element". One rank for all NaNs and one for both
// zeros: an unsigned compare of keys is then the whole order, with no special cases after it.
`default_nettype none

module unmask_order_key (
    input  wire [15:0] code,
    output wire [15:0] key
);

    wire magnitude_zero = code[14:0] == 15'd0;
    wire is_nan = (&code[14:7]) & (|code[6:0]);
    wire negative = code[15] & ~magnitude_zero;

    // Inverting reverses the order of the negatives; positives go above them by their top bit.
    assign key[15] = ~negative | is_nan;
    assign key[14:0] = (code[14:0] ^ {15{negative}}) | {15{is_nan}};

endmodule

`default_nettype wire
