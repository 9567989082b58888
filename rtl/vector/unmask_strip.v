// Strip-mining: turns vectors of VL elements into chunks of VLEN lanes, on the way to a unit and
// on the way back.
//
// In the cycle of `start`, and in each cycle after it until all chunks are read, one row of each of
// three vectors is read (read_enable, read_rows); with start_slow in every fourth cycle. One cycle
// later, together with the rows' data, the beat's controls are valid. ceil(VL / VLEN) rows; only
// the last beat can have fewer than VLEN lanes. Indices wrap modulo 2**32.
// On the way back, to_row and to_count say where the unit's next result belongs, and to_last that
// it is the last one; `step` goes on to the one after.
//
// Ask for 1 or more elements that lie inside the memory, and start again only after the last
// row has been read and the last result has come.
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
    input  wire                       start_slow,   // a row in every fourth cycle
    input  wire [$clog2(VLEN*ROWS):0] start_vl,     // elements
    input  wire [3*$clog2(ROWS)-1:0]  start_rows,   // of the three vectors, the first one lowest
    input  wire [31:0]                start_base,   // index of the first element
    input  wire [$clog2(ROWS)-1:0]    start_to,     // row of the first result

    output wire                       read_enable,
    output wire [3*$clog2(ROWS)-1:0]  read_rows,

    output wire                       beat_valid,
    output wire                       beat_first,
    output wire                       beat_last,
    output wire [$clog2(VLEN):0]      beat_count,   // active lanes
    output wire [31:0]                beat_base,    // index of lane 0
    output wire [$clog2(ROWS)-1:0]    beat_row,     // the row that was read of the first vector

    input  wire                       step,
    output wire [$clog2(ROWS)-1:0]    to_row,
    output wire [$clog2(VLEN):0]      to_count,     // its lanes
    output wire                       to_last
);

    localparam LANE_BITS = $clog2(VLEN);
    localparam ROW_BITS = $clog2(ROWS);
    localparam [ROW_BITS-1:0] NEXT_ROW = 1;
    localparam [ROW_BITS:0] ONE = 1;

    generate
        if (VLEN < 2 || VLEN > 2048 || (VLEN & (VLEN - 1)) != 0) begin : check_vlen
            VLEN_must_be_a_power_of_two_from_2_to_2048 error();
        end
        if (ROWS < 2 || (ROWS & (ROWS - 1)) != 0) begin : check_rows
            ROWS_must_be_a_power_of_two_of_at_least_2 error();
        end
    endgenerate

    reg active_reg;               // rows are left to read
    reg slow_reg;
    reg [1:0] pause_reg;          // cycles until the next row, where they are slow
    reg [ROW_BITS:0] full_reg;    // whole chunks left to read
    reg [LANE_BITS-1:0] tail_reg; // elements of the partial chunk after them, 0: there is none

    reg valid_reg;
    reg first_reg;
    reg last_reg;
    reg [LANE_BITS:0] count_reg;
    reg [31:0] base_reg;
    reg [3*ROW_BITS-1:0] rows_reg;

    reg [ROW_BITS:0] to_full_reg; // whole chunks whose results have not come
    reg [ROW_BITS-1:0] to_row_reg;

    // What is left to read, the row read in this cycle included.
    wire [ROW_BITS:0] full = start ? start_vl[LANE_BITS +: ROW_BITS+1] : full_reg;
    wire [LANE_BITS-1:0] tail = start ? start_vl[LANE_BITS-1:0] : tail_reg;
    wire no_full = full == {(ROW_BITS + 1){1'b0}};
    wire last = no_full | (full == ONE & tail == {LANE_BITS{1'b0}});

    assign read_enable = start | (active_reg & (~slow_reg | pause_reg == 2'd0));
    assign read_rows = start ? start_rows : {
        rows_reg[2*ROW_BITS +: ROW_BITS] + NEXT_ROW,
        rows_reg[ROW_BITS +: ROW_BITS] + NEXT_ROW,
        rows_reg[0 +: ROW_BITS] + NEXT_ROW};

    always @(posedge clk) begin
        active_reg <= (read_enable ? ~last : active_reg) & ~rst;
        valid_reg <= read_enable & ~rst;
        pause_reg <= read_enable ? 2'd3 : pause_reg - 2'd1;
        if (start) slow_reg <= start_slow;
        if (read_enable) begin
            // After the partial chunk, which is the last, this wraps; nobody looks.
            full_reg <= full - ONE;
            tail_reg <= tail;
            first_reg <= start;
            last_reg <= last;
            count_reg <= no_full ? {1'b0, tail} : {1'b1, {LANE_BITS{1'b0}}};
            base_reg <= start ? start_base : base_reg + VLEN;
            rows_reg <= read_rows;
        end

        if (start) begin
            to_full_reg <= start_vl[LANE_BITS +: ROW_BITS+1];
            to_row_reg <= start_to;
        end else if (step) begin
            to_full_reg <= to_full_reg - ONE;
            to_row_reg <= to_row_reg + NEXT_ROW;
        end
    end

    assign beat_valid = valid_reg;
    assign beat_first = first_reg;
    assign beat_last = last_reg;
    assign beat_count = count_reg;
    assign beat_base = base_reg;
    assign beat_row = rows_reg[0 +: ROW_BITS];

    wire to_partial = to_full_reg == {(ROW_BITS + 1){1'b0}};
    assign to_row = to_row_reg;
    assign to_count = to_partial ? {1'b0, tail_reg} : {1'b1, {LANE_BITS{1'b0}}};
    assign to_last = to_partial | (to_full_reg == ONE & tail_reg == {LANE_BITS{1'b0}});

endmodule

`default_nettype wire
