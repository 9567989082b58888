// value >> amount with a sticky lowest bit: it is 1 if anything that is not 0 was shifted out.
// Combinational.
`default_nettype none

module unmask_bf16_shift_sticky (
    input  wire [11:0] value,
    input  wire [9:0]  amount,   // any: from 12 on the value is sticky alone
    output wire [11:0] result
);

    wire [11:0] by_1 = amount[0] ? {1'b0, value[11:2], |value[1:0]} : value;
    wire [11:0] by_3 = amount[1] ? {2'd0, by_1[11:3], |by_1[2:0]} : by_1;
    wire [11:0] by_7 = amount[2] ? {4'd0, by_3[11:5], |by_3[4:0]} : by_3;
    wire [11:0] by_15 = amount[3] ? {8'd0, by_7[11:9], |by_7[8:0]} : by_7;

    assign result = |amount[9:4] ? {11'd0, |value} : by_15;

endmodule

`default_nettype wire
