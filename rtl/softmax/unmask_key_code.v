// Rank of a maximum back to its BF16 code, the inverse of unmask_order_key. Combinational.
//
// Zeros come as +0 and any NaN as 7fc0; key 0, no element at all, as -infinity.
`default_nettype none

module unmask_key_code (
    input  wire [15:0] key,
    output wire [15:0] code
);

    assign code = key == 16'd0 ? 16'hff80
                : key == 16'hffff ? 16'h7fc0
                : key[15] ? {1'b0, key[14:0]} : ~key;

endmodule

`default_nettype wire
