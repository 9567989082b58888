// S_MAP_V_FP: elements from FP SRAM to vector SRAM.
//
// FP SRAM gives one element a cycle. The request is taken in the cycle of `in_valid`; elements are
// read from the next cycle on and each is written to its lane when its data are here, one cycle
// later; a lane that gets none keeps what it had. `out_valid` is high in the cycle of the last
// write: length + 2 cycles, that of `in_valid` included.
//
// Ask for 1 or more elements that lie inside the memories, and again only after out_valid.
`default_nettype none

module unmask_map #(
    // Lanes: a power of two, 2 to 2048
    parameter VLEN = 8,
    // Rows of vector SRAM: a power of two, at least 2
    parameter VECTOR_ROWS = 64,
    // Elements of FP SRAM: a power of two, at least 2
    parameter FP_WORDS = 1024
) (
    input  wire                           clk,
    input  wire                           rst,

    input  wire                           in_valid,
    input  wire [31:0]                    in_length,
    input  wire [$clog2(VECTOR_ROWS)-1:0] in_row,      // first row of the destination
    input  wire [31:0]                    in_source,   // address of the first element

    output wire                           fp_enable,
    output wire [$clog2(FP_WORDS)-1:0]    fp_address,
    input  wire [15:0]                    fp_data,

    output wire                           row_write,
    output wire [$clog2(VECTOR_ROWS)-1:0] row_address,
    output wire [VLEN-1:0]                row_mask,    // the one lane
    output wire [16*VLEN-1:0]             row_data,

    output wire                           out_valid
);

    localparam LANE_BITS = $clog2(VLEN);
    localparam ROW_BITS = $clog2(VECTOR_ROWS);
    localparam FP_BITS = $clog2(FP_WORDS);

    genvar lane;
    generate
        if (VLEN < 2 || VLEN > 2048 || (VLEN & (VLEN - 1)) != 0) begin : check_vlen
            VLEN_must_be_a_power_of_two_from_2_to_2048 error();
        end
        if (VECTOR_ROWS < 2 || (VECTOR_ROWS & (VECTOR_ROWS - 1)) != 0) begin : check_rows
            VECTOR_ROWS_must_be_a_power_of_two_of_at_least_2 error();
        end
        if (FP_WORDS < 2 || (FP_WORDS & (FP_WORDS - 1)) != 0) begin : check_words
            FP_WORDS_must_be_a_power_of_two_of_at_least_2 error();
        end
    endgenerate

    reg active_reg;                          // elements are left to read
    reg [FP_BITS-1:0] left_reg;              // after this one
    reg [FP_BITS-1:0] source_reg;
    reg [ROW_BITS+LANE_BITS-1:0] to_reg;     // element of vector SRAM

    reg word_reg;                            // an element's data are here
    reg last_reg;
    reg [ROW_BITS+LANE_BITS-1:0] word_to_reg;

    wire last = left_reg == {FP_BITS{1'b0}};

    always @(posedge clk) begin
        active_reg <= (in_valid | (active_reg & ~last)) & ~rst;
        word_reg <= active_reg & ~rst;
        last_reg <= last;
        word_to_reg <= to_reg;
        if (in_valid) begin
            left_reg <= in_length[FP_BITS-1:0] - {{(FP_BITS - 1){1'b0}}, 1'b1};
            source_reg <= in_source[FP_BITS-1:0];
            to_reg <= {in_row, {LANE_BITS{1'b0}}};
        end else if (active_reg) begin
            left_reg <= left_reg - {{(FP_BITS - 1){1'b0}}, 1'b1};
            source_reg <= source_reg + {{(FP_BITS - 1){1'b0}}, 1'b1};
            to_reg <= to_reg + {{(ROW_BITS + LANE_BITS - 1){1'b0}}, 1'b1};
        end
    end

    assign fp_enable = active_reg;
    assign fp_address = source_reg;
    assign row_write = word_reg;
    assign row_address = word_to_reg[LANE_BITS +: ROW_BITS];
    assign row_data = {VLEN{fp_data}};
    generate
        for (lane = 0; lane < VLEN; lane = lane + 1) begin : lanes
            assign row_mask[lane] = word_to_reg[LANE_BITS-1:0] == lane;
        end
    endgenerate
    assign out_valid = word_reg & last_reg;

    // Length and address were checked: what lies above is 0, or for a length that of all words.
    wire unused = &{1'b0, in_length[31:FP_BITS], in_source[31:FP_BITS]};

endmodule

`default_nettype wire
