// The greatest scale key of each group of lanes: exponent fields, those of infinities and NaNs 0.
// Combinational: a tree over 8 lanes, and over up to 32.
`default_nettype none

module unmask_block_key #(
    // Lanes: a power of two, 2 to 2048
    parameter VLEN = 8
) (
    /* verilator lint_off UNUSEDSIGNAL */
    input  wire [16*VLEN-1:0]                   codes,    // BF16, lane 0 lowest
    /* verilator lint_on UNUSEDSIGNAL */
    output wire [8*(VLEN < 8 ? 1 : VLEN/8)-1:0]   key8,   // of 8 lanes each, or of all there are
    output wire [8*(VLEN < 32 ? 1 : VLEN/32)-1:0] key32   // of 32 lanes each, or of all there are
);

    localparam LEVELS = VLEN < 32 ? $clog2(VLEN) : 5;
    localparam LEVEL8 = LEVELS < 3 ? LEVELS : 3;

    genvar lane;
    genvar level;
    genvar node;
    generate
        if (VLEN < 2 || VLEN > 2048 || (VLEN & (VLEN - 1)) != 0) begin : check_vlen
            VLEN_must_be_a_power_of_two_from_2_to_2048 error();
        end

        for (level = 0; level <= LEVELS; level = level + 1) begin : tree
            localparam NODES = VLEN >> level;
            wire [8*NODES-1:0] key;
            if (level == 0) begin : leaves
                for (lane = 0; lane < VLEN; lane = lane + 1) begin : lanes
                    wire [7:0] field = codes[16*lane + 7 +: 8];
                    assign key[8*lane +: 8] = &field ? 8'd0 : field;
                end
            end else begin : inner
                for (node = 0; node < NODES; node = node + 1) begin : nodes
                    wire [7:0] a = tree[level-1].key[16*node +: 8];
                    wire [7:0] b = tree[level-1].key[16*node + 8 +: 8];
                    assign key[8*node +: 8] = a < b ? b : a;
                end
            end
        end
    endgenerate

    assign key8 = tree[LEVEL8].key;
    assign key32 = tree[LEVELS].key;

endmodule

`default_nettype wire
