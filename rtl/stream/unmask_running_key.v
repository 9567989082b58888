// The greatest key of a block that is several rows long.
//
// Every ROWS-th `shift` after `clear` ends a block: from the next cycle on `whole` is the greatest
// key of its rows, until the next block ends.
`default_nettype none

module unmask_running_key #(
    // Rows of a block: 2, 4, 8 or 16
    parameter ROWS = 4
) (
    input  wire       clk,
    input  wire       clear,
    input  wire       shift,
    input  wire [7:0] key,
    output wire [7:0] whole
);

    localparam BITS = $clog2(ROWS);

    generate
        if (ROWS < 2 || ROWS > 16 || (ROWS & (ROWS - 1)) != 0) begin : check_rows
            ROWS_must_be_2_4_8_or_16 error();
        end
    endgenerate

    reg [BITS-1:0] count_reg;   // rows of the block so far
    reg [7:0] part_reg;         // the greatest of them
    reg [7:0] whole_reg;

    wire first = count_reg == {BITS{1'b0}};
    wire last = &count_reg;
    wire [7:0] greatest = ~first & key < part_reg ? part_reg : key;

    always @(posedge clk) begin
        if (clear) count_reg <= {BITS{1'b0}};
        else if (shift) count_reg <= count_reg + {{(BITS - 1){1'b0}}, 1'b1};
        if (shift) part_reg <= greatest;
        if (shift & last) whole_reg <= greatest;
    end

    assign whole = whole_reg;

endmodule

`default_nettype wire
