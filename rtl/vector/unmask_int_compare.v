// V_CMP_MASK_IG and V_CMP_MASK_II: a mask from integers, element by element, unsigned.
//
// Int SRAM gives one word a cycle, so an element takes a cycle, or two where both sides come from
// there (first source, then second). The request is taken in the cycle of `in_valid`; words are
// read from the next cycle on, their data are here one cycle later, and a row is written in the
// cycle after its last lane was compared. `out_valid` is high in the cycle of the last write:
// length + 3 cycles (IG) or 2 * length + 3 (II), that of `in_valid` included. A row behind the
// last element is filled up with 0.0.
//
// Ask for 1 or more elements that lie inside the memories, and again only after out_valid.
`default_nettype none

module unmask_int_compare #(
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
    input  wire [2:0]                     in_relation,  // GE GT EQ NE LE LT
    input  wire                           in_two,       // the second source is in int SRAM too
    input  wire [31:0]                    in_length,
    input  wire [$clog2(VECTOR_ROWS)-1:0] in_row,       // first row of the mask
    input  wire [31:0]                    in_first,     // address
    input  wire [31:0]                    in_second,    // address, or the value

    output wire                           int_enable,
    output wire [$clog2(INT_WORDS)-1:0]   int_address,
    input  wire [31:0]                    int_data,

    output wire                           row_write,
    output wire [$clog2(VECTOR_ROWS)-1:0] row_address,
    output wire [16*VLEN-1:0]             row_data,

    output wire                           out_valid
);

    localparam LANE_BITS = $clog2(VLEN);
    localparam ROW_BITS = $clog2(VECTOR_ROWS);
    localparam INT_BITS = $clog2(INT_WORDS);
    localparam [2:0] GE = 3'd0, GT = 3'd1, EQ = 3'd2, NE = 3'd3, LE = 3'd4;

    genvar lane;
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

    // The request.
    reg [2:0] relation_reg;
    reg two_reg;
    reg [INT_BITS-1:0] first_reg;    // address of the next element, of each source
    reg [31:0] second_reg;           // address or value

    // Reading: `left` elements after this one.
    reg active_reg;
    reg turn_reg;                    // 1: of two words the second
    reg [INT_BITS-1:0] left_reg;
    reg [LANE_BITS-1:0] lane_reg;

    wire half = two_reg & ~turn_reg; // this word is the first of two
    wire last = left_reg == {INT_BITS{1'b0}};

    assign int_enable = active_reg;
    assign int_address = turn_reg ? second_reg[INT_BITS-1:0] : first_reg;

    // The word's data are here: the first of two waits for the second.
    reg word_reg;
    reg half_reg;
    reg word_last_reg;
    reg [LANE_BITS-1:0] word_lane_reg;
    reg [31:0] held_reg;

    wire [31:0] a = two_reg ? held_reg : int_data;
    wire [31:0] b = two_reg ? int_data : second_reg;
    wire less = a < b;
    wire equal = a == b;
    wire holds =
        relation_reg == GE ? ~less :
        relation_reg == GT ? ~less & ~equal :
        relation_reg == EQ ? equal :
        relation_reg == NE ? ~equal :
        relation_reg == LE ? less | equal :
        less;

    always @(posedge clk) begin
        active_reg <= (in_valid | (active_reg & ~(last & ~half))) & ~rst;
        word_reg <= active_reg & ~rst;
        half_reg <= half;
        word_last_reg <= last;
        word_lane_reg <= lane_reg;
        if (word_reg && half_reg) held_reg <= int_data;
        if (in_valid) begin
            relation_reg <= in_relation;
            two_reg <= in_two;
            first_reg <= in_first[INT_BITS-1:0];
            second_reg <= in_second;
            turn_reg <= 1'b0;
            left_reg <= in_length[INT_BITS-1:0] - {{(INT_BITS - 1){1'b0}}, 1'b1};
            lane_reg <= {LANE_BITS{1'b0}};
        end else if (active_reg) begin
            turn_reg <= half;
            if (!half) begin
                first_reg <= first_reg + {{(INT_BITS - 1){1'b0}}, 1'b1};
                second_reg <= second_reg + {31'd0, two_reg};
                left_reg <= left_reg - {{(INT_BITS - 1){1'b0}}, 1'b1};
                lane_reg <= lane_reg + {{(LANE_BITS - 1){1'b0}}, 1'b1};
            end
        end
    end

    // Rows.
    reg [ROW_BITS-1:0] row_reg;
    wire row_last;
    wire [VLEN-1:0] row_bits;

    unmask_row_fill #(.VLEN(VLEN)) row_fill (
        .clk(clk), .rst(rst),
        .in_valid(word_reg & ~half_reg), .in_last(word_last_reg),
        .in_lane(word_lane_reg), .in_bit(holds),
        .out_valid(row_write), .out_last(row_last), .out_bits(row_bits)
    );

    always @(posedge clk)
        if (in_valid) row_reg <= in_row;
        else if (row_write) row_reg <= row_reg + {{(ROW_BITS - 1){1'b0}}, 1'b1};

    assign row_address = row_reg;
    generate
        for (lane = 0; lane < VLEN; lane = lane + 1) begin : lanes
            assign row_data[16*lane +: 16] = row_bits[lane] ? 16'h3F80 : 16'h0000;
        end
    endgenerate

    assign out_valid = row_write & row_last;

    // Lengths and addresses were checked: what lies above is 0, or for a length that of all words.
    wire unused = &{1'b0, in_length[31:INT_BITS], in_first[31:INT_BITS]};

endmodule

`default_nettype wire
