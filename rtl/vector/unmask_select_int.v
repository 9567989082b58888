// S_SELECT_INT: ids chosen by a mask, from int SRAM to int SRAM.
//
// Int SRAM takes one access a cycle: an element is a read, of the one word that is chosen, and a
// write. The request is taken in the cycle of `in_valid`.
//
//     cycle          0      1      2      3      4      5
//     in_valid       1
//     mask_enable           row 0         (a new row only)
//     int SRAM                     read 0 write  read 1 write
//
// `out_valid` is high in the cycle of the last write: 2 * length + 2 cycles, that of `in_valid`
// included. The mask's data must stay until the next read of that port. An element counts as true
// unless it is zero: NaN is true, -0 is false. The destination may be one of the sources, as each
// element is read before it is written.
//
// Ask for 1 or more elements that lie inside the memories, and again only after out_valid.
`default_nettype none

module unmask_select_int #(
    // Lanes: a power of two, 2 to 2048
    parameter VLEN = 8,
    // Rows of vector SRAM: a power of two, at least 2
    parameter VECTOR_ROWS = 64,
    // Words of int SRAM: a power of two, at least 2
    parameter INT_WORDS = 4096
) (
    input  wire                           clk,
    input  wire                           rst,

    input  wire                           in_valid,
    input  wire [31:0]                    in_length,
    input  wire [31:0]                    in_to,        // addresses
    input  wire [31:0]                    in_yes,
    input  wire [31:0]                    in_no,
    input  wire [$clog2(VECTOR_ROWS)-1:0] in_mask_row,  // first row of the mask

    output wire                           int_enable,   // an access
    output wire                           int_write,    // with it: a write
    output wire [$clog2(INT_WORDS)-1:0]   int_address,
    output wire [31:0]                    int_wdata,
    input  wire [31:0]                    int_data,

    output wire                           mask_enable,
    output wire [$clog2(VECTOR_ROWS)-1:0] mask_row,
    input  wire [16*VLEN-1:0]             mask_data,

    output wire                           out_valid
);

    localparam LANE_BITS = $clog2(VLEN);
    localparam ROW_BITS = $clog2(VECTOR_ROWS);
    localparam INT_BITS = $clog2(INT_WORDS);

    generate
        if (VLEN < 2 || VLEN > 2048 || (VLEN & (VLEN - 1)) != 0) begin : check_vlen
            VLEN_must_be_a_power_of_two_from_2_to_2048 error();
        end
        if (VECTOR_ROWS < 2 || (VECTOR_ROWS & (VECTOR_ROWS - 1)) != 0) begin : check_rows
            VECTOR_ROWS_must_be_a_power_of_two_of_at_least_2 error();
        end
        if (INT_WORDS < 2 || (INT_WORDS & (INT_WORDS - 1)) != 0) begin : check_words
            INT_WORDS_must_be_a_power_of_two_of_at_least_2 error();
        end
    endgenerate

    reg active_reg;                      // elements are left to read
    reg turn_reg;                        // 0: the mask is asked, 1: it is here, and a word read
    reg [INT_BITS-1:0] left_reg;         // elements after this one
    reg [INT_BITS-1:0] yes_reg;
    reg [INT_BITS-1:0] no_reg;
    reg [INT_BITS-1:0] to_reg;
    reg [ROW_BITS-1:0] row_reg;
    reg [LANE_BITS-1:0] lane_reg;

    reg write_reg;                       // a word's data are here
    reg write_last_reg;
    reg [INT_BITS-1:0] write_to_reg;

    wire last = left_reg == {INT_BITS{1'b0}};
    wire reads = active_reg & turn_reg;
    wire [15:0] element = mask_data[16*lane_reg +: 16];

    always @(posedge clk) begin
        active_reg <= (in_valid | (active_reg & ~(turn_reg & last))) & ~rst;
        write_reg <= reads & ~rst;
        write_last_reg <= last;
        write_to_reg <= to_reg;
        if (in_valid) begin
            turn_reg <= 1'b0;
            left_reg <= in_length[INT_BITS-1:0] - {{(INT_BITS - 1){1'b0}}, 1'b1};
            yes_reg <= in_yes[INT_BITS-1:0];
            no_reg <= in_no[INT_BITS-1:0];
            to_reg <= in_to[INT_BITS-1:0];
            row_reg <= in_mask_row;
            lane_reg <= {LANE_BITS{1'b0}};
        end else if (active_reg) begin
            turn_reg <= ~turn_reg;
            if (turn_reg) begin
                left_reg <= left_reg - {{(INT_BITS - 1){1'b0}}, 1'b1};
                yes_reg <= yes_reg + {{(INT_BITS - 1){1'b0}}, 1'b1};
                no_reg <= no_reg + {{(INT_BITS - 1){1'b0}}, 1'b1};
                to_reg <= to_reg + {{(INT_BITS - 1){1'b0}}, 1'b1};
                lane_reg <= lane_reg + {{(LANE_BITS - 1){1'b0}}, 1'b1};
                if (&lane_reg) row_reg <= row_reg + {{(ROW_BITS - 1){1'b0}}, 1'b1};
            end
        end
    end

    assign mask_enable = active_reg & ~turn_reg & lane_reg == {LANE_BITS{1'b0}};
    assign mask_row = row_reg;
    assign int_enable = reads | write_reg;
    assign int_write = write_reg;
    assign int_address = write_reg ? write_to_reg : |element[14:0] ? yes_reg : no_reg;
    assign int_wdata = int_data;
    assign out_valid = write_reg & write_last_reg;

    // The sign of a mask element means nothing. Length and addresses were checked: what lies above
    // is 0, or for a length that of all words.
    wire unused = &{1'b0, element[15], in_length[31:INT_BITS], in_to[31:INT_BITS],
                    in_yes[31:INT_BITS], in_no[31:INT_BITS]};

endmodule

`default_nettype wire
