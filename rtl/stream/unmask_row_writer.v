// Lanes to vector SRAM: turns them to where their elements lie, in one row or in two neighbours.
//
// Two cycles: coarse steps of the turn in the first, fine ones in the second; the write is in the
// cycle after. Even row lowest.
`default_nettype none

module unmask_row_writer #(
    // Lanes: a power of two, 2 to 2048
    parameter VLEN = 8,
    // Rows of vector SRAM: a power of two, at least 2
    parameter ROWS = 64
) (
    input  wire                         clk,
    input  wire                         rst,

    input  wire                         in_valid,
    input  wire [16*VLEN-1:0]           in_data,
    input  wire [VLEN-1:0]              in_active,
    input  wire [$clog2(VLEN*ROWS)-1:0] in_target,   // element of vector SRAM for lane 0

    output wire [1:0]                   write,
    output wire [2*$clog2(ROWS)-1:0]    write_row,
    output wire [16*VLEN-1:0]           write_data,  // of both rows
    output wire [2*VLEN-1:0]            write_mask
);

    localparam LANE_BITS = $clog2(VLEN);
    localparam ROW_BITS = $clog2(ROWS);
    localparam FINE = LANE_BITS / 2;                 // bits of the turn in the second cycle

    // Places that lane i is moved up by: lane 0's place in its row. What leaves at the top comes
    // in below, and belongs to the next row.
    reg valid_reg;
    reg [ROW_BITS-1:0] row_reg;
    reg [LANE_BITS-1:0] by_reg;
    reg [16*VLEN-1:0] data_reg;
    reg [VLEN-1:0] active_reg;

    reg [1:0] write_reg;
    reg [2*ROW_BITS-1:0] write_row_reg;
    reg [16*VLEN-1:0] write_data_reg;
    reg [2*VLEN-1:0] write_mask_reg;

    wire [LANE_BITS-1:0] by = in_target[LANE_BITS-1:0];

    // What comes into each step of the turn and what leaves it; the widest step is the last number.
    wire [16*VLEN-1:0] data_in [0:LANE_BITS-1];
    wire [16*VLEN-1:0] data_out [0:LANE_BITS-1];
    wire [VLEN-1:0] active_in [0:LANE_BITS-1];
    wire [VLEN-1:0] active_out [0:LANE_BITS-1];

    genvar step;
    generate
        for (step = 0; step < LANE_BITS; step = step + 1) begin : turn
            localparam BY = 1 << step;
            wire turns = step >= FINE ? by[step] : by_reg[step];
            assign data_out[step] = turns
                ? {data_in[step][16*(VLEN-BY)-1:0], data_in[step][16*VLEN-1:16*(VLEN-BY)]}
                : data_in[step];
            assign active_out[step] = turns
                ? {active_in[step][VLEN-BY-1:0], active_in[step][VLEN-1:VLEN-BY]}
                : active_in[step];
            if (step == LANE_BITS - 1) begin : enter
                assign data_in[step] = in_data;
                assign active_in[step] = in_active;
            end else if (step == FINE - 1) begin : resume
                assign data_in[step] = data_reg;
                assign active_in[step] = active_reg;
            end else begin : follow
                assign data_in[step] = data_out[step+1];
                assign active_in[step] = active_out[step+1];
            end
        end
    endgenerate

    wire [16*VLEN-1:0] turned;
    wire [VLEN-1:0] turned_active;
    generate
        if (FINE > 0) begin : two
            assign turned = data_out[0];
            assign turned_active = active_out[0];
        end else begin : one
            assign turned = data_reg;
            assign turned_active = active_reg;
        end
    endgenerate

    wire [ROW_BITS-1:0] next_row = row_reg + {{(ROW_BITS - 1){1'b0}}, 1'b1};
    wire [VLEN-1:0] here = {VLEN{1'b1}} << by_reg;   // places from lane 0's on: in its row
    wire [VLEN-1:0] low_mask = turned_active & here;
    wire [VLEN-1:0] high_mask = turned_active & ~here;
    wire odd = row_reg[0];

    always @(posedge clk) begin
        valid_reg <= in_valid & ~rst;
        row_reg <= in_target[LANE_BITS +: ROW_BITS];
        by_reg <= by;
        data_reg <= data_out[FINE];
        active_reg <= active_out[FINE];

        write_reg <= {2{valid_reg & ~rst}}
            & (odd ? {|low_mask, |high_mask} : {|high_mask, |low_mask});
        write_row_reg <= odd ? {row_reg, next_row} : {next_row, row_reg};
        write_data_reg <= turned;
        write_mask_reg <= odd ? {low_mask, high_mask} : {high_mask, low_mask};
    end

    assign write = write_reg;
    assign write_row = write_row_reg;
    assign write_data = write_data_reg;
    assign write_mask = write_mask_reg;

endmodule

`default_nettype wire
