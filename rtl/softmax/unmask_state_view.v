// What a softmax state says at once: S_SM_MAX, S_SM_IDX, S_SM_ST_IDX and S_SM_FLAGS. Combinational.
`default_nettype none

module unmask_state_view (
    /* verilator lint_off UNUSEDSIGNAL */
    input  wire [250:0] in_state,
    /* verilator lint_on UNUSEDSIGNAL */
    output wire [15:0]  out_maximum,   // BF16; -infinity where there is no element
    output wire [31:0]  out_index,
    output wire [31:0]  out_flags
);

    localparam [14:0] BIG = 15'h4680; // 2**14, the least magnitude that is big

    wire [15:0] key = in_state[15:0];

    unmask_key_code key_code (.key(key), .code(out_maximum));

    wire empty = key == 16'd0;
    wire nan = key == 16'hffff;
    wire positive = key == 16'hff80;
    wire negative = key == 16'h007f;
    wire big = out_maximum[14:0] >= BIG & ~(empty | nan | positive | negative);

    assign out_index = in_state[47:16];
    assign out_flags = {25'd0, in_state[250:249], big, negative, positive, nan, empty};

endmodule

`default_nettype wire
