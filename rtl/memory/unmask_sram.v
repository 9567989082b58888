// The one SRAM of the core: replace this module with your macro.
//
// Single port. With `en`, a word is written (`we`) or read at the clock edge; `rdata` then holds
// the word read until the next read. Not reset, and unknown until written.
`default_nettype none

module unmask_sram #(
    // Bits of a word: at least 1
    parameter WIDTH = 32,
    // Words: a power of two, at least 2
    parameter WORDS = 1024
) (
    input  wire                     clk,
    input  wire                     en,
    input  wire                     we,
    input  wire [$clog2(WORDS)-1:0] addr,
    input  wire [WIDTH-1:0]         wdata,
    output wire [WIDTH-1:0]         rdata
);

    generate
        if (WIDTH < 1) begin : check_width
            WIDTH_must_be_at_least_1 error();
        end
        if (WORDS < 2 || (WORDS & (WORDS - 1)) != 0) begin : check_words
            WORDS_must_be_a_power_of_two_of_at_least_2 error();
        end
    endgenerate

    reg [WIDTH-1:0] memory [0:WORDS-1];
    reg [WIDTH-1:0] rdata_reg;

    always @(posedge clk)
        if (en) begin
            if (we) memory[addr] <= wdata;
            else rdata_reg <= memory[addr];
        end

    assign rdata = rdata_reg;

endmodule

`default_nettype wire
