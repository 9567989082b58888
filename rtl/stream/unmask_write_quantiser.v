// Rows of vector SRAM, or words, as the bytes that a store writes, repeated over 2 * VLEN bytes.
//
// A row of BF16 is 2 * VLEN bytes; of MX elements VLEN; of their scales VLEN / block, at least one.
// A word is four. What is shorter than 2 * VLEN bytes is repeated, so that a rotation by the
// destination's address puts every copy where it belongs, whatever the length.
//
// `shift` takes a row in. Blocks that are wider than VLEN need rows of which some come later: the
// row that `out_bytes` shows in the next cycle is the one of `block / VLEN` shifts ago (of VLEN
// lanes or less in a block: the last one), and by then its scale is known. Rows begin on blocks.
// `out_bytes` is registered: two cycles after the row was on `row`.
`default_nettype none

module unmask_write_quantiser #(
    // Lanes: a power of two, 2 to 2048
    parameter VLEN = 8
) (
    input  wire               clk,

    /* verilator lint_off UNUSEDSIGNAL */
    input  wire               clear,       // start of a transfer: the next row begins a block
    /* verilator lint_on UNUSEDSIGNAL */
    input  wire               enable,      // low: everything stays
    input  wire [2:0]         format,      // as in the instruction set; held
    input  wire               words,       // of `word`, not of `row`; held
    input  wire               scales,      // with the row that is shown

    input  wire               shift,
    input  wire [16*VLEN-1:0] row,
    input  wire [31:0]        word,

    output wire [16*VLEN-1:0] out_bytes
);

    localparam GROUPS8 = VLEN < 8 ? 1 : VLEN / 8;
    localparam GROUPS32 = VLEN < 32 ? 1 : VLEN / 32;
    localparam ROWS8 = VLEN < 8 ? 8 / VLEN : 1;       // rows of a block
    localparam ROWS32 = VLEN < 32 ? 32 / VLEN : 1;

    wire block8 = format == 3'd2 | format == 3'd4;
    wire e5m2 = format == 3'd3 | format == 3'd4;
    wire mx = format != 3'd0 & ~words;

    // The rows that wait for the end of their block; number 0 is the newest.
    reg [16*VLEN*ROWS32-1:0] line_reg;
    reg [31:0] word_reg;
    wire [16*VLEN*ROWS32-1:0] line_next;

    generate
        if (ROWS32 == 1) begin : one_row
            assign line_next = row;
        end else begin : several_rows
            assign line_next = {line_reg[16*VLEN*(ROWS32-1)-1:0], row};
        end
    endgenerate

    always @(posedge clk)
        if (enable & shift) begin
            line_reg <= line_next;
            word_reg <= word;
        end

    wire [16*VLEN-1:0] newest = line_reg[16*VLEN-1:0];
    wire [16*VLEN-1:0] of8 = line_reg[16*VLEN*(ROWS8-1) +: 16*VLEN];
    wire [16*VLEN-1:0] of32 = line_reg[16*VLEN*(ROWS32-1) +: 16*VLEN];
    wire [16*VLEN-1:0] shown = ~mx ? newest : block8 ? of8 : of32;

    // Keys of the newest row, and from them the blocks' as they get whole.
    wire [8*GROUPS8-1:0] row_key8;
    wire [8*GROUPS32-1:0] row_key32;
    unmask_block_key #(.VLEN(VLEN)) keys (.codes(row), .key8(row_key8), .key32(row_key32));

    wire [8*GROUPS8-1:0] key8;
    wire [8*GROUPS32-1:0] key32;

    generate
        if (ROWS8 == 1) begin : whole8
            reg [8*GROUPS8-1:0] key_reg;
            always @(posedge clk) if (enable & shift) key_reg <= row_key8;
            assign key8 = key_reg;
        end else begin : parts8
            unmask_running_key #(.ROWS(ROWS8)) running (
                .clk(clk), .clear(clear), .shift(enable & shift), .key(row_key8), .whole(key8)
            );
        end
        if (ROWS32 == 1) begin : whole32
            reg [8*GROUPS32-1:0] key_reg;
            always @(posedge clk) if (enable & shift) key_reg <= row_key32;
            assign key32 = key_reg;
        end else begin : parts32
            unmask_running_key #(.ROWS(ROWS32)) running (
                .clk(clk), .clear(clear), .shift(enable & shift), .key(row_key32), .whole(key32)
            );
        end
    endgenerate

    // The shared scale: the key less the exponent of the format's top binade, at least 0.
    wire [7:0] top = e5m2 ? 8'd15 : 8'd8;
    wire [8*GROUPS8-1:0] scale8;
    wire [8*GROUPS32-1:0] scale32;
    wire [8*VLEN-1:0] elements;

    genvar group;
    genvar lane;
    generate
        for (group = 0; group < GROUPS8; group = group + 1) begin : groups8
            wire [7:0] key = key8[8*group +: 8];
            assign scale8[8*group +: 8] = key < top ? 8'd0 : key - top;
        end
        for (group = 0; group < GROUPS32; group = group + 1) begin : groups32
            wire [7:0] key = key32[8*group +: 8];
            assign scale32[8*group +: 8] = key < top ? 8'd0 : key - top;
        end
        for (lane = 0; lane < VLEN; lane = lane + 1) begin : lanes
            unmask_quantise quantise (
                .e5m2(e5m2),
                .code(shown[16*lane +: 16]),
                .scale(block8 ? scale8[8*(lane/8) +: 8] : scale32[8*(lane/32) +: 8]),
                .element(elements[8*lane +: 8])
            );
        end
    endgenerate

    reg [16*VLEN-1:0] bytes_reg;

    always @(posedge clk)
        if (enable)
            bytes_reg <= words ? {(VLEN / 2){word_reg}}
                : ~mx ? shown
                : ~scales ? {2{elements}}
                : block8 ? {(2 * VLEN / GROUPS8){scale8}} : {(2 * VLEN / GROUPS32){scale32}};

    assign out_bytes = bytes_reg;

endmodule

`default_nettype wire
