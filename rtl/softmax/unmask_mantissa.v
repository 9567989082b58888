// 2**f in [1, 2) for a fraction f of 17 bits: a table of 128 chords. Combinational.
//
// The table is `FIRSTS` and `SLOPES` of the specification (`spec/softmax.py`): a first value without
// its leading one, 19 fraction bits, and a slope in units of 2**-7 of the last of them.
`default_nettype none

module unmask_mantissa (
    input  wire [16:0] fraction,
    output wire [19:0] mantissa   // 19 fraction bits, top bit set
);

    reg [28:0] row;

    always @(*) begin
        case (fraction[16:10])
            7'd0: row = {19'h00000, 10'h164};
            7'd1: row = {19'h00b1e, 10'h166};
            7'd2: row = {19'h0164c, 10'h168};
            7'd3: row = {19'h0218a, 10'h16a};
            7'd4: row = {19'h02cd7, 10'h16c};
            7'd5: row = {19'h03834, 10'h16e};
            7'd6: row = {19'h043a1, 10'h170};
            7'd7: row = {19'h04f1e, 10'h172};
            7'd8: row = {19'h05aab, 10'h174};
            7'd9: row = {19'h06648, 10'h176};
            7'd10: row = {19'h071f5, 10'h178};
            7'd11: row = {19'h07db2, 10'h17a};
            7'd12: row = {19'h08980, 10'h17c};
            7'd13: row = {19'h0955e, 10'h17e};
            7'd14: row = {19'h0a14c, 10'h180};
            7'd15: row = {19'h0ad4c, 10'h182};
            7'd16: row = {19'h0b95c, 10'h184};
            7'd17: row = {19'h0c57d, 10'h186};
            7'd18: row = {19'h0d1af, 10'h188};
            7'd19: row = {19'h0ddf2, 10'h18a};
            7'd20: row = {19'h0ea42, 10'h18d};
            7'd21: row = {19'h0f6a7, 10'h18f};
            7'd22: row = {19'h1031d, 10'h191};
            7'd23: row = {19'h10fa4, 10'h193};
            7'd24: row = {19'h11c3e, 10'h195};
            7'd25: row = {19'h128e9, 10'h197};
            7'd26: row = {19'h135a1, 10'h19a};
            7'd27: row = {19'h1426f, 10'h19c};
            7'd28: row = {19'h14f4f, 10'h19e};
            7'd29: row = {19'h15c41, 10'h1a0};
            7'd30: row = {19'h16941, 10'h1a3};
            7'd31: row = {19'h17657, 10'h1a5};
            7'd32: row = {19'h1837f, 10'h1a7};
            7'd33: row = {19'h190ba, 10'h1a9};
            7'd34: row = {19'h19e03, 10'h1ac};
            7'd35: row = {19'h1ab63, 10'h1ae};
            7'd36: row = {19'h1b8d5, 10'h1b0};
            7'd37: row = {19'h1c656, 10'h1b3};
            7'd38: row = {19'h1d3ee, 10'h1b5};
            7'd39: row = {19'h1e195, 10'h1b8};
            7'd40: row = {19'h1ef52, 10'h1ba};
            7'd41: row = {19'h1fd24, 10'h1bc};
            7'd42: row = {19'h20b04, 10'h1bf};
            7'd43: row = {19'h218fb, 10'h1c1};
            7'd44: row = {19'h22702, 10'h1c4};
            7'd45: row = {19'h23520, 10'h1c6};
            7'd46: row = {19'h2434f, 10'h1c9};
            7'd47: row = {19'h25195, 10'h1cb};
            7'd48: row = {19'h25fef, 10'h1cd};
            7'd49: row = {19'h26e58, 10'h1d0};
            7'd50: row = {19'h27cd7, 10'h1d3};
            7'd51: row = {19'h28b6d, 10'h1d5};
            7'd52: row = {19'h29a14, 10'h1d8};
            7'd53: row = {19'h2a8d2, 10'h1da};
            7'd54: row = {19'h2b7a2, 10'h1dd};
            7'd55: row = {19'h2c68a, 10'h1df};
            7'd56: row = {19'h2d583, 10'h1e2};
            7'd57: row = {19'h2e491, 10'h1e5};
            7'd58: row = {19'h2f3b8, 10'h1e7};
            7'd59: row = {19'h302f0, 10'h1ea};
            7'd60: row = {19'h31241, 10'h1ec};
            7'd61: row = {19'h321a3, 10'h1ef};
            7'd62: row = {19'h3311b, 10'h1f2};
            7'd63: row = {19'h340a9, 10'h1f5};
            7'd64: row = {19'h35050, 10'h1f7};
            7'd65: row = {19'h36008, 10'h1fa};
            7'd66: row = {19'h36fd8, 10'h1fd};
            7'd67: row = {19'h37fc0, 10'h1ff};
            7'd68: row = {19'h38fbc, 10'h202};
            7'd69: row = {19'h39fcd, 10'h205};
            7'd70: row = {19'h3aff4, 10'h208};
            7'd71: row = {19'h3c033, 10'h20b};
            7'd72: row = {19'h3d088, 10'h20e};
            7'd73: row = {19'h3e0f8, 10'h210};
            7'd74: row = {19'h3f17a, 10'h213};
            7'd75: row = {19'h40214, 10'h216};
            7'd76: row = {19'h412c4, 10'h219};
            7'd77: row = {19'h4238c, 10'h21c};
            7'd78: row = {19'h4346c, 10'h21f};
            7'd79: row = {19'h44563, 10'h222};
            7'd80: row = {19'h45671, 10'h225};
            7'd81: row = {19'h46798, 10'h228};
            7'd82: row = {19'h478d6, 10'h22b};
            7'd83: row = {19'h48a2c, 10'h22e};
            7'd84: row = {19'h49b9a, 10'h231};
            7'd85: row = {19'h4ad21, 10'h234};
            7'd86: row = {19'h4bec0, 10'h237};
            7'd87: row = {19'h4d078, 10'h23a};
            7'd88: row = {19'h4e248, 10'h23d};
            7'd89: row = {19'h4f431, 10'h240};
            7'd90: row = {19'h50634, 10'h243};
            7'd91: row = {19'h51850, 10'h246};
            7'd92: row = {19'h52a80, 10'h24a};
            7'd93: row = {19'h53ccd, 10'h24d};
            7'd94: row = {19'h54f35, 10'h250};
            7'd95: row = {19'h561b6, 10'h253};
            7'd96: row = {19'h57451, 10'h256};
            7'd97: row = {19'h58702, 10'h25a};
            7'd98: row = {19'h599d0, 10'h25d};
            7'd99: row = {19'h5acba, 10'h260};
            7'd100: row = {19'h5bfb9, 10'h264};
            7'd101: row = {19'h5d2d7, 10'h267};
            7'd102: row = {19'h5e60f, 10'h26a};
            7'd103: row = {19'h5f95f, 10'h26e};
            7'd104: row = {19'h60ccd, 10'h271};
            7'd105: row = {19'h62056, 10'h274};
            7'd106: row = {19'h633f7, 10'h278};
            7'd107: row = {19'h647b7, 10'h27b};
            7'd108: row = {19'h65b8e, 10'h27f};
            7'd109: row = {19'h66f85, 10'h282};
            7'd110: row = {19'h68394, 10'h286};
            7'd111: row = {19'h697c3, 10'h289};
            7'd112: row = {19'h6ac0a, 10'h28d};
            7'd113: row = {19'h6c071, 10'h290};
            7'd114: row = {19'h6d4f1, 10'h294};
            7'd115: row = {19'h6e992, 10'h297};
            7'd116: row = {19'h6fe4a, 10'h29b};
            7'd117: row = {19'h71321, 10'h29f};
            7'd118: row = {19'h72817, 10'h2a2};
            7'd119: row = {19'h73d27, 10'h2a6};
            7'd120: row = {19'h75255, 10'h2aa};
            7'd121: row = {19'h767a4, 10'h2ad};
            7'd122: row = {19'h77d0c, 10'h2b1};
            7'd123: row = {19'h79293, 10'h2b5};
            7'd124: row = {19'h7a83c, 10'h2b8};
            7'd125: row = {19'h7bdff, 10'h2bc};
            7'd126: row = {19'h7d3df, 10'h2c0};
            default: row = {19'h7e9df, 10'h2c4};
        endcase
    end

    // The product by digits of the fraction, and kept, as the row is: that is where a netlist is
    // compared with this text, for which the product in one piece would be too much.
    (* keep *) wire [28:0] entry = row;
    (* keep *) wire [59:0] digits;
    (* keep *) wire [13:0] low = {2'd0, digits[11:0]} + {digits[23:12], 2'd0};
    (* keep *) wire [13:0] high = {2'd0, digits[35:24]} + {digits[47:36], 2'd0};
    (* keep *) wire [17:0] lower = {4'd0, low} + {high, 4'd0};
    (* keep *) wire [12:0] added;
    wire [6:0] unused_rest;

    genvar digit;
    generate
        for (digit = 0; digit < 5; digit = digit + 1) begin : products
            assign digits[12*digit +: 12] = {2'd0, entry[9:0]} * {10'd0, fraction[2*digit +: 2]};
        end
    endgenerate

    assign {added, unused_rest} = {2'd0, lower} + {digits[59:48], 8'd0};
    assign mantissa = {1'b1, entry[28:10]} + {7'd0, added};

endmodule

`default_nettype wire
