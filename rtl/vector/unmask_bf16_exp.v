// e**a on BF16 codes, all but the rounding. The result follows one cycle after the operand.
//
// e**x = 2**(x log2 e): the integer part of that power is the exponent, its fraction of 23 bits is
// taken apart in 7 + 7 + 9: 2**(i + j + r) = 2**i * (1 + (2**j - 1) + r ln 2), where 2**i and 2**j
// - 1 stand in tables. Constants, tables and widths are those of the specification
// (`spec/arith.py`). There |x| is cut at 2**-16 before it is multiplied; here the product is cut
// behind its 23 bits. That makes no result another one, as the enumeration of all codes shows, and
// the multiplier is of 8 bits.
//
// Cycle 0: the power. Cycle 1: tables and product.
`default_nettype none

module unmask_bf16_exp (
    input  wire        clk,
    input  wire [15:0] in_a,
    output wire        sign,
    output wire [9:0]  exponent,
    output wire [11:0] significand,
    output wire        is_infinite,
    output wire        is_nan
);

    localparam [25:0] LOG2_E = 26'd48408813;  // 25 fraction bits
    localparam [32:0] ONE = 33'd383 << 23;    // the power 0, its exponent as rounding wants it
    localparam [8:0] LN_2 = 9'd177;           // 8 fraction bits
    localparam [7:0] LARGE = 8'd133;          // exponent field of values from 64 to below 128

    // What is kept is where a netlist is compared with this text: the products in one piece would
    // be too much for that.
    (* keep *) wire [29:0] product_low;
    (* keep *) wire [29:0] product_high;
    (* keep *) wire [33:0] product;
    (* keep *) wire [17:0] upper_entry;
    (* keep *) wire [15:0] lower_entry;
    (* keep *) wire [12:0] rest_low;
    (* keep *) wire [12:0] rest_high;
    (* keep *) wire [17:0] rest;
    (* keep *) wire [15:0] lower;
    (* keep *) wire [167:0] digits;
    (* keep *) wire [91:0] pairs;
    (* keep *) wire [53:0] halves;
    (* keep *) wire [34:0] scaled;

    wire a_sign;
    wire [7:0] a_exponent;
    wire [7:0] a_significand;
    wire a_zero;
    wire a_infinite;
    wire a_nan;

    unmask_bf16_unpack unpack (
        .code(in_a),
        .sign(a_sign),
        .exponent(a_exponent),
        .significand(a_significand),
        .is_zero(a_zero),
        .is_infinite(a_infinite),
        .is_nan(a_nan)
    );

    // From 128 on, e**x overflows or vanishes just as it does at the largest number below.
    wire beyond = LARGE < a_exponent;
    wire [7:0] distance = beyond ? 8'd0 : LARGE - a_exponent;
    wire [7:0] size = a_significand | {8{beyond}};
    assign product_low = {26'd0, size[3:0]} * {4'd0, LOG2_E};
    assign product_high = {26'd0, size[7:4]} * {4'd0, LOG2_E};
    assign product = {4'd0, product_low} + {product_high, 4'd0};
    wire [32:0] power = {2'd0, product[33:3] >> distance};

    reg [32:0] power_reg;
    reg is_nan_reg;

    always @(posedge clk) begin
        power_reg <= a_sign ? ONE - power : ONE + power;
        is_nan_reg <= a_nan;
    end

    unmask_bf16_exp_table lookup (
        .upper_index(power_reg[22:16]),
        .lower_index(power_reg[15:9]),
        .upper(upper_entry),
        .lower(lower_entry)
    );

    wire [18:0] upper = {1'b1, upper_entry};
    assign rest_low = {8'd0, power_reg[4:0]} * {4'd0, LN_2};
    assign rest_high = {9'd0, power_reg[8:5]} * {4'd0, LN_2};
    assign rest = {5'd0, rest_low} + {rest_high, 5'd0};
    assign lower = lower_entry + {6'd0, rest[17:8]};

    // upper * lower, a digit of 2 bits at a time.
    genvar i;
    generate
        for (i = 0; i < 8; i = i + 1) begin : digit
            assign digits[21*i +: 21] = {2'd0, upper} * {19'd0, lower[2*i +: 2]};
        end
        for (i = 0; i < 4; i = i + 1) begin : pair
            assign pairs[23*i +: 23] = {2'd0, digits[42*i +: 21]} + {digits[42*i + 21 +: 21], 2'd0};
        end
        for (i = 0; i < 2; i = i + 1) begin : half
            assign halves[27*i +: 27] = {4'd0, pairs[46*i +: 23]} + {pairs[46*i + 23 +: 23], 4'd0};
        end
    endgenerate

    assign scaled = {8'd0, halves[26:0]} + {halves[53:27], 8'd0};
    wire [19:0] value = {1'b0, upper} + {8'd0, scaled[34:23]};

    // 2**f below 2 may come out as 2 by the tables' rounding: then it is the greatest value below.
    // It is never exact but for e**0, and there a sticky bit changes nothing.
    assign sign = 1'b0;
    assign exponent = power_reg[32:23];
    assign significand = {value[18:8] | {11{value[19]}}, 1'b1};
    assign is_infinite = 1'b0;
    assign is_nan = is_nan_reg;

    wire unused = &{1'b0, a_zero, a_infinite, product[2:0], rest[7:0], scaled[22:0], value[7:0]};

endmodule

`default_nettype wire
