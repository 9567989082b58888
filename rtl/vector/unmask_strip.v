// Strip-mining: turns a vector of VL elements into chunks of VLEN lanes.
//
// In the cycle of `start`, and in each cycle after it until all chunks are read, one row of
// vector SRAM is read (read_enable, read_row). One cycle later, together with the row's data, the
// beat's controls are valid. ceil(VL / VLEN) rows; only the last beat can have fewer than VLEN
// lanes. Indices wrap modulo 2**32.
//
// Ask for 1 or more elements that lie inside the memory, and start again only after the last
// row has been read.
`default_nettype none

module unmask_strip #(
    // Lanes: a power of two, 2 to 2048
    parameter VLEN = 8,
    // Rows of vector SRAM: a power of two, at least 2
    parameter ROWS = 64
) (
    input  wire                       clk,
    input  wire                       rst,

    input  wire                       start,
    input  wire [$clog2(VLEN*ROWS):0] start_vl,     // elements
    input  wire [$clog2(ROWS)-1:0]    start_row,
    input  wire [31:0]                start_base,   // index of the first element

    output wire                       read_enable,
    output wire [$clog2(ROWS)-1:0]    read_row,

    output wire                       beat_valid,
    output wire                       beat_first,
    output wire                       beat_last,
    output wire [$clog2(VLEN):0]      beat_count,   // active lanes
    output wire [31:0]                beat_base,    // index of lane 0
    output wire [$clog2(ROWS)-1:0]    beat_row      // the row that was read
);

    localparam LANE_BITS = $clog2(VLEN);
    localparam ROW_BITS = $clog2(ROWS);

    generate
        if (VLEN < 2 || VLEN > 2048 || (VLEN & (VLEN - 1)) != 0) begin : check_vlen
            VLEN_must_be_a_power_of_two_from_2_to_2048 error();
        end
        if (ROWS < 2 || (ROWS & (ROWS - 1)) != 0) begin : check_rows
            ROWS_must_be_a_power_of_two_of_at_least_2 error();
        end
    endgenerate

    reg active_reg;               // rows are left to read
    reg [ROW_BITS:0] full_reg;    // whole chunks left to read
    reg [LANE_BITS-1:0] tail_reg; // elements of the partial chunk after them, 0: there is none

    reg valid_reg;
    reg first_reg;
    reg last_reg;
    reg [LANE_BITS:0] count_reg;
    reg [31:0] base_reg;
    reg [ROW_BITS-1:0] row_reg;

    // What is left to read, the row read in this cycle included.
    wire [ROW_BITS:0] full = start ? start_vl[LANE_BITS +: ROW_BITS+1] : full_reg;
    wire [LANE_BITS-1:0] tail = start ? start_vl[LANE_BITS-1:0] : tail_reg;
    wire no_full = full == {(ROW_BITS + 1){1'b0}};
    wire one_full = full == {{ROW_BITS{1'b0}}, 1'b1};
    wire last = no_full | (one_full & tail == {LANE_BITS{1'b0}});

    assign read_enable = start | active_reg;
    assign read_row = start ? start_row : row_reg + {{(ROW_BITS - 1){1'b0}}, 1'b1};

    always @(posedge clk) begin
        active_reg <= read_enable & ~last & ~rst;
        valid_reg <= read_enable & ~rst;
        if (read_enable) begin
            // After the partial chunk, which is the last, this wraps; nobody looks.
            full_reg <= full - {{ROW_BITS{1'b0}}, 1'b1};
            tail_reg <= tail;
            first_reg <= start;
            last_reg <= last;
            count_reg <= no_full ? {1'b0, tail} : {1'b1, {LANE_BITS{1'b0}}};
            base_reg <= start ? start_base : base_reg + VLEN;
            row_reg <= read_row;
        end
    end

    assign beat_valid = valid_reg;
    assign beat_first = first_reg;
    assign beat_last = last_reg;
    assign beat_count = count_reg;
    assign beat_base = base_reg;
    assign beat_row = row_reg;

endmodule

`default_nettype wire
