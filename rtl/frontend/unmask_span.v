// Where a memory instruction's elements and scales lie in HBM, and its rows in vector SRAM.
// Combinational; sums are exact. Means something for H_* rows only.
//
// A region is [first, end) in bytes: from the first byte of the first row to the last of the last
// one. Where nothing moves, its end is its first.
`default_nettype none

module unmask_span #(
    // Lanes: a power of two, 2 to 2048
    parameter VLEN = 8
) (
    /* verilator lint_off UNUSEDSIGNAL */
    input  wire [63:0] row,             // decoded, one-hot; of the others nothing is asked
    input  wire [31:0] word,            // its fields rstride, precision, format
    /* verilator lint_on UNUSEDSIGNAL */
    input  wire [31:0] rd,
    input  wire [31:0] rs1,
    input  wire [31:0] rs3,
    input  wire [63:0] base,            // of address register rs2
    input  wire [31:0] vl,
    input  wire [31:0] stride,
    input  wire [31:0] scale,
    input  wire [31:0] rows,
    input  wire [2:0]  fmt0,
    input  wire [2:0]  fmt1,

    output wire [2:0]  format,          // 0 for words
    output wire        scaled,          // there are scales
    output wire [4:0]  block_mask,      // elements that share a scale, less 1
    output wire [31:0] pitch,           // elements from one row to the next
    output wire        moved,           // there are elements
    output wire [71:0] element_first,
    output wire [71:0] element_end,
    output wire [71:0] scale_first,
    output wire [71:0] scale_end,
    output wire [69:0] sram_end         // behind the rows, each filled up to whole chunks
);

    `include "unmask_isa.vh"

    localparam [31:0] LANES = VLEN;
    localparam [69:0] ONE = 70'd1;
    localparam [69:0] LAST_LANE = {38'd0, LANES} - ONE;

    wire is_words = row[ROW_H_LD_INT] | row[ROW_H_ST_INT] | row[ROW_H_LD_KEY] | row[ROW_H_ST_KEY];
    wire is_rows = row[ROW_H_PREFETCH_V] | row[ROW_H_STORE_V];

    assign format = is_words ? 3'd0 : row[ROW_H_RED_SM] ? word[24:22] : word[22] ? fmt1 : fmt0;
    assign scaled = format != 3'd0;
    assign block_mask = ~scaled ? 5'd0 : format[0] ? 5'd31 : 5'd7;
    assign pitch = word[18] ? stride : vl;

    // In elements. Seventy bits hold any offset.
    wire [69:0] first = {38'd0, rs1};
    wire [69:0] rows_end = first + {38'd0, pitch} * ({38'd0, rows} - ONE) + {38'd0, vl};
    wire rows_move = rows != 32'd0 & vl != 32'd0;
    wire [69:0] last = is_rows ? (rows_move ? rows_end : first)
        : first + {38'd0, is_words ? rs3 : vl};

    // In bytes.
    wire [71:0] from = {2'd0, first};
    wire [71:0] to = {2'd0, last};
    wire [71:0] from_bytes = is_words ? from << 2 : scaled ? from : from << 1;
    wire [71:0] to_bytes = is_words ? to << 2 : scaled ? to : to << 1;
    /* verilator lint_off UNUSEDSIGNAL */
    wire [69:0] last_element = last - ONE;   // its low bits tell elements of a block apart
    /* verilator lint_on UNUSEDSIGNAL */
    wire [71:0] scales = {8'd0, base} + {40'd0, scale};

    assign moved = first < last;
    assign element_first = {8'd0, base} + from_bytes;
    assign element_end = moved ? {8'd0, base} + to_bytes : element_first;
    assign scale_first = scales + (format[0] ? {7'd0, first[69:5]} : {5'd0, first[69:3]});
    assign scale_end = ~moved ? scale_first
        : scales + (format[0] ? {7'd0, last_element[69:5]} : {5'd0, last_element[69:3]}) + 72'd1;

    wire [69:0] padded = ({38'd0, vl} + LAST_LANE) & ~LAST_LANE;
    assign sram_end = {38'd0, rd} + padded * {38'd0, rows};

endmodule

`default_nettype wire
