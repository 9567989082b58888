// The key of a softmax state, and its confidence: the unit of S_SM_KEY, S_SM_ST_KEY and S_SM_CONF.
//
// The key codes delta = D / p: D is the sum of the state's slots without the maximum's own term, p
// the mantissa of that term. The confidence is 1 / (1 + X) for the X that the key codes. Both are
// restoring divisions, a quotient bit a cycle, on one set of registers.
//
// Wires that are marked to be kept are where a netlist is compared with this text.
//
// One at a time: in_ready is low while one is under way, and what is offered then is not taken. 35
// cycles from in_valid to out_valid for a key, 47 for a confidence; out_key and out_confidence stay
// until the next result. in_state is read in the cycle of in_valid only.
//
//     cycle   1  2  3  4  5  6  7 .. 33  34    35   36   37 .. 45  46
//             t  p  D, in   D to its     pack  1+X  its  division  rounding
//                   limbs   leading 1,   the   in   leading
//                           division     key   bits 1
`default_nettype none

module unmask_key (
    input  wire         clk,
    input  wire         rst,

    input  wire         in_valid,
    output wire         in_ready,
    input  wire         in_confidence, // 0: key, 1: confidence, and the key too
    input  wire         in_nan_last,   // where rows without a confidence rank
    /* verilator lint_off UNUSEDSIGNAL */
    input  wire [250:0] in_state,
    /* verilator lint_on UNUSEDSIGNAL */

    output wire         out_valid,
    output wire [31:0]  out_key,
    output wire [15:0]  out_confidence
);

    localparam [5:0] PACK = 6'd34;       // the cycles as above
    localparam [5:0] ADD_ONE = 6'd35;
    localparam [5:0] LEADING = 6'd36;
    localparam [5:0] ROUND = 6'd46;

    localparam [31:0] ZERO = 32'd1;      // reserved keys
    localparam [31:0] NAN_FIRST = 32'd0;
    localparam [31:0] NAN_LAST = 32'hfffffffe;
    localparam [31:0] EMPTY = 32'hffffffff;

    reg [5:0] cycle_reg; // 0: idle
    reg confidence_reg;
    reg out_valid_reg;
    wire taken = in_valid & in_ready;
    wire ends = confidence_reg ? cycle_reg == ROUND : cycle_reg == PACK;

    assign in_ready = cycle_reg == 6'd0;

    always @(posedge clk) begin
        out_valid_reg <= ends & ~rst;
        if (rst) cycle_reg <= 6'd0;
        else if (taken) cycle_reg <= 6'd1;
        else if (~in_ready) cycle_reg <= ends ? 6'd0 : cycle_reg + 6'd1;
        if (taken) confidence_reg <= in_confidence;
    end

    // The state, and what becomes of its slots: in cycles 1, 3 and 4 the maximum's slices leave them
    // and carries of 18 bits go on to the next, so that of each 16 bits, a limb of D, are left.
    reg nan_last_reg;
    reg normal_reg;
    reg [15:0] key_reg;
    reg [33:0] slot_0_reg; // the highest
    reg [33:0] slot_1_reg;
    reg [33:0] slot_2_reg;
    reg [33:0] slot_3_reg;
    reg [33:0] slot_4_reg;

    // Place and mantissa of the maximum's term; that of a big one is 1 in slot 0.
    (* keep *) wire [15:0] code;
    (* keep *) wire [3:0] place;
    (* keep *) wire [16:0] fraction;
    (* keep *) wire [19:0] mantissa;
    wire [11:0] unused_bin;
    reg [3:0] place_reg;
    reg [16:0] fraction_reg;
    reg [53:0] divisor_reg;

    unmask_key_code key_code (.key(key_reg), .code(code));
    unmask_base2 base2 (.code(code), .bin(unused_bin), .place(place), .fraction(fraction));
    unmask_mantissa power (.fraction(fraction_reg), .mantissa(mantissa));

    (* keep *) wire [34:0] term = {15'd0, divisor_reg[19:0]} << place_reg;
    (* keep *) wire [33:0] without_2 = slot_2_reg - {18'd0, term[2:0], 13'd0};
    (* keep *) wire [33:0] without_1 = slot_1_reg - {18'd0, term[18:3]};
    (* keep *) wire [33:0] without_0 = slot_0_reg - {18'd0, term[34:19]};
    (* keep *) wire [33:0] carried_1 = slot_1_reg + {16'd0, slot_2_reg[33:16]};

    always @(posedge clk) begin
        if (taken) begin
            nan_last_reg <= in_nan_last;
            key_reg <= in_state[15:0];
            normal_reg <= in_state[59:48] != 12'd0;
            slot_0_reg <= in_state[60 +: 34];
            slot_1_reg <= in_state[94 +: 34];
            slot_2_reg <= in_state[128 +: 34];
            slot_3_reg <= in_state[162 +: 34];
            slot_4_reg <= in_state[196 +: 34];
        end else case (cycle_reg)
            6'd1: begin
                place_reg <= normal_reg ? place : 4'd0;
                fraction_reg <= fraction;
                slot_3_reg <= slot_3_reg + {16'd0, slot_4_reg[33:16]};
            end
            6'd3: begin
                slot_0_reg <= without_0;
                slot_1_reg <= without_1;
                slot_2_reg <= without_2 + {16'd0, slot_3_reg[33:16]};
            end
            6'd4: begin
                slot_0_reg <= slot_0_reg + {16'd0, carried_1[33:16]};
                slot_1_reg <= carried_1;
            end
            default: begin end
        endcase
    end

    // Cycle 5: the highest limb that is not 0 and what lies below it, 61 bits. Cycle 6: the leading
    // one, which is among the first 16 of them, comes to the top of the 46 that are divided.
    wire [111:0] limbs = {14'd0, slot_0_reg[33:16], slot_0_reg[15:0], slot_1_reg[15:0],
                          slot_2_reg[15:0], slot_3_reg[15:0], slot_4_reg[15:0]};
    wire [6:0] used;
    wire [2:0] first = used[6] ? 3'd6 : used[5] ? 3'd5 : used[4] ? 3'd4 : used[3] ? 3'd3
                     : used[2] ? 3'd2 : used[1] ? 3'd1 : 3'd0;
    (* keep *) wire [60:0] highest = used[6] ? limbs[111:51]
                        : used[5] ? limbs[95:35]
                        : used[4] ? limbs[79:19]
                        : used[3] ? limbs[63:3]
                        : used[2] ? {limbs[47:0], 13'd0}
                        : used[1] ? {limbs[31:0], 29'd0} : {limbs[15:0], 45'd0};

    genvar limb;
    generate
        for (limb = 0; limb < 7; limb = limb + 1) begin : limbs_used
            assign used[limb] = limbs[16*limb +: 16] != 16'd0;
        end
    endgenerate

    reg nothing_reg;
    reg [2:0] first_reg;
    reg [3:0] short_reg;   // bits between the limb's top and the leading one
    reg [53:0] remainder_reg;
    reg [26:0] digits_reg; // of the dividend, those still to come, over those of the quotient

    wire [60:0] window = {remainder_reg[33:0], digits_reg};
    (* keep *) wire [3:0] short;
    (* keep *) wire [52:0] by_8 = short[3] ? window[52:0] : window[60:8];
    (* keep *) wire [48:0] by_4 = short[2] ? by_8[48:0] : by_8[52:4];
    (* keep *) wire [46:0] by_2 = short[1] ? by_4[46:0] : by_4[48:2];
    (* keep *) wire [45:0] dividend = short[0] ? by_2[45:0] : by_2[46:1];

    assign short = {window[60:53] == 8'd0, by_8[52:49] == 4'd0, by_4[48:47] == 2'd0, ~by_2[46]};

    always @(posedge clk) begin
        if (cycle_reg == 6'd5) begin
            first_reg <= first;
            nothing_reg <= used == 7'd0;
        end
        if (cycle_reg == 6'd6) short_reg <= short;
    end

    // The confidence: 1 + X with 35 fraction bits, then with the leading one on top, which makes it a
    // divisor of 2**53; the scale is the exponent field of the quotient.
    wire [31:0] key;
    reg [31:0] out_key_reg;
    (* keep *) wire [53:0] one_and_x =
        (out_key_reg[31:25] < 7'd71 ? 54'd0
                                    : {28'd0, 1'b1, out_key_reg[24:0]} << (out_key_reg[31:25] - 7'd71))
        + {18'd0, 1'b1, 35'd0};
    (* keep *) wire [4:0] shift;
    (* keep *) wire [53:0] by_16 = shift[4] ? divisor_reg << 16 : divisor_reg;
    (* keep *) wire [53:0] up_8 = shift[3] ? by_16 << 8 : by_16;
    (* keep *) wire [53:0] up_4 = shift[2] ? up_8 << 4 : up_8;
    (* keep *) wire [53:0] up_2 = shift[1] ? up_4 << 2 : up_4;
    (* keep *) wire [53:0] up_1 = shift[0] ? up_2 << 1 : up_2;
    reg [4:0] shift_reg;

    assign shift = {divisor_reg[53:38] == 16'd0, by_16[53:46] == 8'd0, up_8[53:50] == 4'd0,
                    up_4[53:52] == 2'd0, ~up_2[53]};

    // Division.
    wire [54:0] joined = {remainder_reg, digits_reg[26]};
    (* keep *) wire fits = joined >= {1'b0, divisor_reg};
    (* keep *) wire [53:0] less = joined[53:0] - divisor_reg;

    always @(posedge clk) begin
        if (~in_ready) case (cycle_reg)
            6'd5: {remainder_reg[33:0], digits_reg} <= highest;
            6'd6: begin
                remainder_reg <= {35'd0, dividend[45:27]};
                digits_reg <= dividend[26:0];
            end
            LEADING: begin
                remainder_reg <= {1'b1, 53'd0};
                digits_reg <= 27'd0;
            end
            default: begin
                remainder_reg <= fits ? less : joined[53:0];
                digits_reg <= {digits_reg[25:0], fits};
            end
        endcase
        case (cycle_reg)
            6'd2: divisor_reg <= {34'd0, normal_reg ? mantissa : {1'b1, 19'd0}};
            ADD_ONE: divisor_reg <= one_and_x;
            LEADING: begin
                divisor_reg <= up_1;
                shift_reg <= shift;
            end
            default: begin end
        endcase
    end

    // The key: the quotient is in (1/2, 2), with 26 fraction bits.
    wire least_one = digits_reg[26];
    wire [6:0] exponent =
        {first_reg, ~short_reg} - {3'd0, place_reg} + 7'd16 + {6'd0, least_one};
    wire no_number = key_reg == 16'hffff || key_reg == 16'hff80 || key_reg == 16'h007f;

    assign key = key_reg == 16'd0 ? EMPTY
               : no_number ? (nan_last_reg ? NAN_LAST : NAN_FIRST)
               : nothing_reg ? ZERO
               : {exponent, least_one ? digits_reg[25:1] : digits_reg[24:0]};

    // Of the 9 bits of the other quotient the first is 1 and the last is rounded by; neither a tie nor
    // an exact quotient can be but for 1 / 1.
    wire one = divisor_reg == {1'b1, 53'd0};
    wire [7:0] scale = 8'd108 + {3'd0, shift_reg};
    wire [14:0] rounded = {scale, 7'd0} + {8'd0, digits_reg[7:1]} + {14'd0, digits_reg[0]};
    wire [7:0] scale_of_one = scale + 8'd1;
    wire no_confidence = out_key_reg == NAN_FIRST || out_key_reg == NAN_LAST;
    reg [14:0] out_confidence_reg;       // its sign is 0

    always @(posedge clk) begin
        if (cycle_reg == PACK) out_key_reg <= key;
        if (cycle_reg == ROUND)
            out_confidence_reg <= out_key_reg == EMPTY ? 15'd0
                                : no_confidence ? 15'h7fc0
                                : one ? {scale_of_one, 7'd0} : rounded;
    end

    assign out_valid = out_valid_reg;
    assign out_key = out_key_reg;
    assign out_confidence = {1'b0, out_confidence_reg};

endmodule

`default_nettype wire
