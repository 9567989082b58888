// 1 / 1.f for every fraction f, 1.0 being 2**11, the lowest bit sticky: the specification's table.
// Combinational.
`default_nettype none

module unmask_bf16_reciprocal_table (
    input  wire [6:0]  fraction,
    output wire [11:0] inverse
);

    reg [11:0] inverse_entry;

    always @(*) begin
        case (fraction)
            7'd0: inverse_entry = 12'h800;
            7'd1: inverse_entry = 12'h7f1;
            7'd2: inverse_entry = 12'h7e1;
            7'd3: inverse_entry = 12'h7d1;
            7'd4: inverse_entry = 12'h7c1;
            7'd5: inverse_entry = 12'h7b3;
            7'd6: inverse_entry = 12'h7a5;
            7'd7: inverse_entry = 12'h795;
            7'd8: inverse_entry = 12'h787;
            7'd9: inverse_entry = 12'h779;
            7'd10: inverse_entry = 12'h76b;
            7'd11: inverse_entry = 12'h75d;
            7'd12: inverse_entry = 12'h751;
            7'd13: inverse_entry = 12'h743;
            7'd14: inverse_entry = 12'h737;
            7'd15: inverse_entry = 12'h729;
            7'd16: inverse_entry = 12'h71d;
            7'd17: inverse_entry = 12'h70f;
            7'd18: inverse_entry = 12'h703;
            7'd19: inverse_entry = 12'h6f7;
            7'd20: inverse_entry = 12'h6eb;
            7'd21: inverse_entry = 12'h6df;
            7'd22: inverse_entry = 12'h6d3;
            7'd23: inverse_entry = 12'h6c9;
            7'd24: inverse_entry = 12'h6bd;
            7'd25: inverse_entry = 12'h6b1;
            7'd26: inverse_entry = 12'h6a7;
            7'd27: inverse_entry = 12'h69b;
            7'd28: inverse_entry = 12'h691;
            7'd29: inverse_entry = 12'h685;
            7'd30: inverse_entry = 12'h67b;
            7'd31: inverse_entry = 12'h671;
            7'd32: inverse_entry = 12'h667;
            7'd33: inverse_entry = 12'h65d;
            7'd34: inverse_entry = 12'h653;
            7'd35: inverse_entry = 12'h649;
            7'd36: inverse_entry = 12'h63f;
            7'd37: inverse_entry = 12'h635;
            7'd38: inverse_entry = 12'h62b;
            7'd39: inverse_entry = 12'h621;
            7'd40: inverse_entry = 12'h619;
            7'd41: inverse_entry = 12'h60f;
            7'd42: inverse_entry = 12'h607;
            7'd43: inverse_entry = 12'h5fd;
            7'd44: inverse_entry = 12'h5f5;
            7'd45: inverse_entry = 12'h5eb;
            7'd46: inverse_entry = 12'h5e3;
            7'd47: inverse_entry = 12'h5d9;
            7'd48: inverse_entry = 12'h5d1;
            7'd49: inverse_entry = 12'h5c9;
            7'd50: inverse_entry = 12'h5c1;
            7'd51: inverse_entry = 12'h5b9;
            7'd52: inverse_entry = 12'h5b1;
            7'd53: inverse_entry = 12'h5a9;
            7'd54: inverse_entry = 12'h5a1;
            7'd55: inverse_entry = 12'h599;
            7'd56: inverse_entry = 12'h591;
            7'd57: inverse_entry = 12'h589;
            7'd58: inverse_entry = 12'h581;
            7'd59: inverse_entry = 12'h579;
            7'd60: inverse_entry = 12'h573;
            7'd61: inverse_entry = 12'h56b;
            7'd62: inverse_entry = 12'h563;
            7'd63: inverse_entry = 12'h55d;
            7'd64: inverse_entry = 12'h555;
            7'd65: inverse_entry = 12'h54f;
            7'd66: inverse_entry = 12'h547;
            7'd67: inverse_entry = 12'h541;
            7'd68: inverse_entry = 12'h539;
            7'd69: inverse_entry = 12'h533;
            7'd70: inverse_entry = 12'h52b;
            7'd71: inverse_entry = 12'h525;
            7'd72: inverse_entry = 12'h51f;
            7'd73: inverse_entry = 12'h519;
            7'd74: inverse_entry = 12'h511;
            7'd75: inverse_entry = 12'h50b;
            7'd76: inverse_entry = 12'h505;
            7'd77: inverse_entry = 12'h4ff;
            7'd78: inverse_entry = 12'h4f9;
            7'd79: inverse_entry = 12'h4f3;
            7'd80: inverse_entry = 12'h4ed;
            7'd81: inverse_entry = 12'h4e7;
            7'd82: inverse_entry = 12'h4e1;
            7'd83: inverse_entry = 12'h4db;
            7'd84: inverse_entry = 12'h4d5;
            7'd85: inverse_entry = 12'h4cf;
            7'd86: inverse_entry = 12'h4c9;
            7'd87: inverse_entry = 12'h4c3;
            7'd88: inverse_entry = 12'h4bd;
            7'd89: inverse_entry = 12'h4b9;
            7'd90: inverse_entry = 12'h4b3;
            7'd91: inverse_entry = 12'h4ad;
            7'd92: inverse_entry = 12'h4a7;
            7'd93: inverse_entry = 12'h4a3;
            7'd94: inverse_entry = 12'h49d;
            7'd95: inverse_entry = 12'h497;
            7'd96: inverse_entry = 12'h493;
            7'd97: inverse_entry = 12'h48d;
            7'd98: inverse_entry = 12'h487;
            7'd99: inverse_entry = 12'h483;
            7'd100: inverse_entry = 12'h47d;
            7'd101: inverse_entry = 12'h479;
            7'd102: inverse_entry = 12'h473;
            7'd103: inverse_entry = 12'h46f;
            7'd104: inverse_entry = 12'h469;
            7'd105: inverse_entry = 12'h465;
            7'd106: inverse_entry = 12'h461;
            7'd107: inverse_entry = 12'h45b;
            7'd108: inverse_entry = 12'h457;
            7'd109: inverse_entry = 12'h453;
            7'd110: inverse_entry = 12'h44d;
            7'd111: inverse_entry = 12'h449;
            7'd112: inverse_entry = 12'h445;
            7'd113: inverse_entry = 12'h43f;
            7'd114: inverse_entry = 12'h43b;
            7'd115: inverse_entry = 12'h437;
            7'd116: inverse_entry = 12'h433;
            7'd117: inverse_entry = 12'h42d;
            7'd118: inverse_entry = 12'h429;
            7'd119: inverse_entry = 12'h425;
            7'd120: inverse_entry = 12'h421;
            7'd121: inverse_entry = 12'h41d;
            7'd122: inverse_entry = 12'h419;
            7'd123: inverse_entry = 12'h415;
            7'd124: inverse_entry = 12'h411;
            7'd125: inverse_entry = 12'h40d;
            7'd126: inverse_entry = 12'h409;
            default: inverse_entry = 12'h405;
        endcase
    end

    assign inverse = inverse_entry;

endmodule

`default_nettype wire
