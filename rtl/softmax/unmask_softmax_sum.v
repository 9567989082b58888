// Five sums over VLEN lanes, log2(VLEN) cycles: a registered tree that is a bit wider each level,
// so that nothing overflows.
`default_nettype none

module unmask_softmax_sum #(
    // Lanes: a power of two, 2 to 2048
    parameter VLEN = 8
) (
    input  wire                           clk,
    input  wire [80*VLEN-1:0]             in_slots, // 5 of 16 bits a lane
    output wire [5*(16+$clog2(VLEN))-1:0] out_sums
);

    localparam LEVELS = $clog2(VLEN);

    genvar level;
    genvar node;
    generate
        for (level = 1; level <= LEVELS; level = level + 1) begin : tree
            // Sums of the level, five a node.
            localparam SUMS = 5 * (VLEN >> level);
            localparam WIDTH = 16 + level;
            wire [2*SUMS*(WIDTH-1)-1:0] sum_in;
            reg [SUMS*WIDTH-1:0] sum_reg;

            if (level == 1) begin : from_lanes
                assign sum_in = in_slots;
            end else begin : from_level
                assign sum_in = tree[level-1].sum_reg;
            end

            for (node = 0; node < SUMS; node = node + 1) begin : nodes
                // Slots 0 to 4 of the first of two neighbours, then those of the second.
                localparam FIRST = 10 * (node / 5) + node % 5;
                always @(posedge clk)
                    sum_reg[WIDTH*node +: WIDTH] <=
                        {1'b0, sum_in[(WIDTH-1)*FIRST +: WIDTH-1]}
                        + {1'b0, sum_in[(WIDTH-1)*(FIRST+5) +: WIDTH-1]};
            end
        end
    endgenerate

    assign out_sums = tree[LEVELS].sum_reg;

endmodule

`default_nettype wire
