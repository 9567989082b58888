// V_KEY_MASK_QUOTA, _RULE, _FACTOR and V_TOPK_MASK: a mask by the rank of each element.
//
// The rank of an element is the number of candidates before it: a smaller key, or the same key and
// a lower index. For V_TOPK_MASK the key is the complement of a confidence's order. CELLS elements
// at a time (a block) are held in comparator cells, all elements are streamed past them, and each
// cell counts those that come before its own:
//
//     phase     cycles               what
//     LOAD      of the block         one element a cycle into the cells, in order
//     STREAM    length               every element past all cells
//     DRAIN     2                    until the last of them has been counted
//     EMIT      of the block         one cell a cycle, in order: accepted or not
//     (again from LOAD for the next block)
//     FINISH    2                    until the last decision is stored
//     WRITE     ceil(length / VLEN)  the mask's rows, filled up with 0.0
//
// The request is taken in the cycle of `in_valid`, LOAD begins in the next one, and `out_valid` is
// high in the cycle of the last write: with P = ceil(length / CELLS),
//
//     (P + 2) * length + 2 * P + ceil(length / VLEN) + 3
//
// cycles, that of `in_valid` included; neither the kind nor k matters. Key SRAM gives one word a
// cycle: a key in LOAD and STREAM, the limit at the table's entry number rank in EMIT (factor).
// Decisions are kept here until the last element has been streamed, because the destination may
// be the mask, or the confidences, itself. An element of LOAD or STREAM goes through two stages:
// its row or word is here one cycle after it was asked for, its lane is picked into a register,
// and then the cells see it. A row is asked for once and must stay until that port's next read.
//
// Ask for 1 to KEY_WORDS elements that lie inside the memories, and again only after out_valid.
`default_nettype none

module unmask_rank #(
    // Lanes: a power of two, 2 to 2048
    parameter VLEN = 8,
    // Rows of vector SRAM: a power of two, at least 2
    parameter VECTOR_ROWS = 64,
    // Words of key SRAM, and so elements that can be ranked: a power of two, at least 2
    parameter KEY_WORDS = 1024,
    // Comparators: a power of two, at least 2
    parameter CELLS = 32
) (
    input  wire                           clk,
    input  wire                           rst,

    input  wire                           in_valid,
    input  wire [1:0]                     in_kind,      // 0 quota, 1 rule, 2 factor, 3 top-k
    input  wire [31:0]                    in_length,
    input  wire [$clog2(VECTOR_ROWS)-1:0] in_row,       // first rows: of the destination,
    input  wire [$clog2(VECTOR_ROWS)-1:0] in_mask_row,  // the candidates,
    input  wire [$clog2(VECTOR_ROWS)-1:0] in_conf_row,  // the confidences (top-k)
    input  wire [31:0]                    in_key,       // address of the first key
    input  wire [31:0]                    in_k,         // k, kmin, or the table's address
    input  wire [31:0]                    in_limit,     // LIMIT and KMAX (rule)
    input  wire [31:0]                    in_kmax,

    output wire                           mask_enable,
    output wire [$clog2(VECTOR_ROWS)-1:0] mask_row,
    input  wire [16*VLEN-1:0]             mask_data,

    output wire                           conf_enable,
    output wire [$clog2(VECTOR_ROWS)-1:0] conf_row,
    input  wire [16*VLEN-1:0]             conf_data,

    output wire                           key_enable,
    output wire [$clog2(KEY_WORDS)-1:0]   key_address,
    input  wire [31:0]                    key_data,

    output wire                           row_write,
    output wire [$clog2(VECTOR_ROWS)-1:0] row_address,
    output wire [16*VLEN-1:0]             row_data,

    output wire                           out_valid
);

    localparam LANE_BITS = $clog2(VLEN);
    localparam ROW_BITS = $clog2(VECTOR_ROWS);
    localparam KEY_BITS = $clog2(KEY_WORDS);
    localparam CELL_BITS = $clog2(CELLS);
    localparam CHOSEN_ROWS = KEY_WORDS > VLEN ? KEY_WORDS / VLEN : 1;
    localparam CHOSEN_BITS = CHOSEN_ROWS > 1 ? $clog2(CHOSEN_ROWS) : 1;
    localparam [1:0] RULE = 2'd1, FACTOR = 2'd2, TOP_K = 2'd3;
    localparam [2:0] IDLE = 3'd0, LOAD = 3'd1, STREAM = 3'd2, DRAIN = 3'd3, EMIT = 3'd4,
                     FINISH = 3'd5, WRITE = 3'd6;

    genvar bit_number;
    genvar number;
    genvar lane;
    generate
        if (VLEN < 2 || VLEN > 2048 || (VLEN & (VLEN - 1)) != 0) begin : check_vlen
            VLEN_must_be_a_power_of_two_from_2_to_2048 error();
        end
        if (VECTOR_ROWS < 2 || (VECTOR_ROWS & (VECTOR_ROWS - 1)) != 0) begin : check_rows
            VECTOR_ROWS_must_be_a_power_of_two_of_at_least_2 error();
        end
        if (KEY_WORDS < 2 || (KEY_WORDS & (KEY_WORDS - 1)) != 0) begin : check_words
            KEY_WORDS_must_be_a_power_of_two_of_at_least_2 error();
        end
        if (CELLS < 2 || (CELLS & (CELLS - 1)) != 0) begin : check_cells
            CELLS_must_be_a_power_of_two_of_at_least_2 error();
        end
    endgenerate

    // -- the request --
    reg [1:0] kind_reg;
    reg [KEY_BITS-1:0] end_reg;      // the last element
    reg [ROW_BITS-1:0] row_reg;      // row of the destination, counted up
    reg [ROW_BITS-1:0] mask_row_reg;
    reg [ROW_BITS-1:0] conf_row_reg;
    reg [KEY_BITS-1:0] key_reg;
    reg [31:0] k_reg;
    reg [31:0] limit_reg;
    reg [31:0] kmax_reg;

    // -- the sequence --
    reg [2:0] phase_reg;
    reg wait_reg;                    // of DRAIN and FINISH: the second cycle
    reg [KEY_BITS-1:0] block_reg;    // first element of the block
    reg [KEY_BITS-1:0] place_reg;    // the element of this cycle

    // An element's row and lane, its cell, and whether its cell is the last one.
    wire [ROW_BITS-1:0] chunk;
    wire [LANE_BITS-1:0] place_lane;
    wire [CELL_BITS-1:0] place_cell;
    generate
        for (bit_number = 0; bit_number < ROW_BITS; bit_number = bit_number + 1) begin : chunks
            if (LANE_BITS + bit_number < KEY_BITS) begin : used
                assign chunk[bit_number] = place_reg[LANE_BITS+bit_number];
            end else begin : zero
                assign chunk[bit_number] = 1'b0;
            end
        end
        for (bit_number = 0; bit_number < LANE_BITS; bit_number = bit_number + 1) begin : lanes
            if (bit_number < KEY_BITS) begin : used
                assign place_lane[bit_number] = place_reg[bit_number];
            end else begin : zero
                assign place_lane[bit_number] = 1'b0;
            end
        end
        for (bit_number = 0; bit_number < CELL_BITS; bit_number = bit_number + 1) begin : cells
            if (bit_number < KEY_BITS) begin : used
                assign place_cell[bit_number] = place_reg[bit_number];
            end else begin : zero
                assign place_cell[bit_number] = 1'b0;
            end
        end
    endgenerate

    wire loads = phase_reg == LOAD;
    wire streams = phase_reg == STREAM;
    wire emits = phase_reg == EMIT;
    wire reads = loads | streams;
    wire top_k = kind_reg == TOP_K;
    wire factor = kind_reg == FACTOR;
    wire at_end = place_reg == end_reg;
    wire block_end = at_end | (&place_cell);

    always @(posedge clk) begin
        wait_reg <= (phase_reg == DRAIN || phase_reg == FINISH) & ~wait_reg & ~rst;
        if (rst) phase_reg <= IDLE;
        else case (phase_reg)
            LOAD:    if (block_end) phase_reg <= STREAM;
            STREAM:  if (at_end) phase_reg <= DRAIN;
            DRAIN:   if (wait_reg) phase_reg <= EMIT;
            EMIT:    if (block_end) phase_reg <= at_end ? FINISH : LOAD;
            FINISH:  if (wait_reg) phase_reg <= WRITE;
            WRITE:   if (out_valid) phase_reg <= IDLE;
            default: if (in_valid) phase_reg <= LOAD;
        endcase
    end

    always @(posedge clk)
        if (in_valid) begin
            place_reg <= {KEY_BITS{1'b0}};
            block_reg <= {KEY_BITS{1'b0}};
        end else begin
            if (loads & block_end) place_reg <= {KEY_BITS{1'b0}};
            else if (streams & at_end) place_reg <= block_reg;
            else if (reads | emits) place_reg <= place_reg + {{(KEY_BITS - 1){1'b0}}, 1'b1};
            if (emits & block_end) block_reg <= place_reg + {{(KEY_BITS - 1){1'b0}}, 1'b1};
        end

    always @(posedge clk)
        if (in_valid) begin
            kind_reg <= in_kind;
            end_reg <= in_length[KEY_BITS-1:0] - {{(KEY_BITS - 1){1'b0}}, 1'b1};
            mask_row_reg <= in_mask_row;
            conf_row_reg <= in_conf_row;
            key_reg <= in_key[KEY_BITS-1:0];
            k_reg <= in_k;
            limit_reg <= in_limit;
            kmax_reg <= in_kmax;
        end

    // A row is asked for with its first element of a phase.
    wire new_row = place_lane == {LANE_BITS{1'b0}} | (loads & place_cell == {CELL_BITS{1'b0}});
    wire [KEY_BITS-1:0] emit_rank;

    assign mask_enable = reads & new_row;
    assign mask_row = mask_row_reg + chunk;
    assign conf_enable = reads & new_row & top_k;
    assign conf_row = conf_row_reg + chunk;
    assign key_enable = (reads & ~top_k) | (emits & factor);
    assign key_address = emits ? k_reg[KEY_BITS-1:0] + emit_rank : key_reg + place_reg;

    // -- an element of LOAD or STREAM: its row is here --
    reg row_loads_reg;
    reg row_streams_reg;
    reg [LANE_BITS-1:0] row_lane_reg; // of EMIT too
    reg [CELL_BITS-1:0] row_cell_reg;
    reg row_before_reg;              // it lies in an earlier block than the cells' elements
    reg row_within_reg;              // it lies in their block

    wire [15:0] mask_element = mask_data[16*row_lane_reg +: 16];
    wire [15:0] order;
    unmask_order_key order_key (.code(conf_data[16*row_lane_reg +: 16]), .key(order));

    // -- it is picked --
    reg loads_reg;
    reg streams_reg;
    reg [CELL_BITS-1:0] cell_reg;
    reg before_reg;
    reg within_reg;
    reg there_reg;                   // it is a candidate
    reg [31:0] element_reg;          // its key

    // Blocks begin at multiples of CELLS: block_reg has zeros there.
    wire [KEY_BITS-1:0] place_block;
    generate
        for (bit_number = 0; bit_number < KEY_BITS; bit_number = bit_number + 1) begin : blocks
            assign place_block[bit_number] = bit_number < CELL_BITS ? 1'b0 : place_reg[bit_number];
        end
    endgenerate

    always @(posedge clk) begin
        row_loads_reg <= loads & ~rst;
        row_streams_reg <= streams & ~rst;
        row_lane_reg <= place_lane;
        row_cell_reg <= place_cell;
        row_before_reg <= place_block < block_reg;
        row_within_reg <= place_block == block_reg;

        loads_reg <= row_loads_reg & ~rst;
        streams_reg <= row_streams_reg & ~rst;
        cell_reg <= row_cell_reg;
        before_reg <= row_before_reg;
        within_reg <= row_within_reg;
        there_reg <= |mask_element[14:0];
        element_reg <= top_k ? {16'd0, ~order} : key_data;
    end

    // -- the cells; lowest first --
    reg [32*CELLS-1:0] cell_key_reg;
    reg [CELLS-1:0] cell_there_reg;
    reg [KEY_BITS*CELLS-1:0] cell_rank_reg;

    // Cells above the element's own place in a block: there it is the lower one of the two.
    wire [CELLS-1:0] above_cell = {{(CELLS - 1){1'b1}}, 1'b0} << cell_reg;

    generate
        for (number = 0; number < CELLS; number = number + 1) begin : comparators
            localparam ABOVE = number + 1 < CELLS ? number + 1 : number;
            wire [31:0] key = cell_key_reg[32*number +: 32];
            wire lower = before_reg | (within_reg & above_cell[number]);
            wire counts = there_reg & (element_reg < key | (element_reg == key & lower));
            wire taken = loads_reg & cell_reg == number;

            always @(posedge clk) begin
                if (emits) begin
                    cell_key_reg[32*number +: 32] <= cell_key_reg[32*ABOVE +: 32];
                    cell_there_reg[number] <= cell_there_reg[ABOVE];
                    cell_rank_reg[KEY_BITS*number +: KEY_BITS] <=
                        cell_rank_reg[KEY_BITS*ABOVE +: KEY_BITS];
                end else if (taken) begin
                    cell_key_reg[32*number +: 32] <= element_reg;
                    cell_there_reg[number] <= there_reg;
                    cell_rank_reg[KEY_BITS*number +: KEY_BITS] <= {KEY_BITS{1'b0}};
                end else if (streams_reg) begin
                    cell_rank_reg[KEY_BITS*number +: KEY_BITS] <=
                        cell_rank_reg[KEY_BITS*number +: KEY_BITS]
                        + {{(KEY_BITS - 1){1'b0}}, counts};
                end
            end
        end
    endgenerate

    // -- the decision, with the table's limit --
    reg decide_reg;
    reg decide_last_reg;
    reg [31:0] decide_key_reg;
    reg decide_there_reg;
    reg [KEY_BITS-1:0] decide_rank_reg;

    assign emit_rank = cell_rank_reg[KEY_BITS-1:0];

    always @(posedge clk) begin
        decide_reg <= emits & ~rst;
        decide_last_reg <= at_end;
        decide_key_reg <= cell_key_reg[31:0];
        decide_there_reg <= cell_there_reg[0];
        decide_rank_reg <= emit_rank;
    end

    wire [31:0] rank = {{(32 - KEY_BITS){1'b0}}, decide_rank_reg};
    wire first_k = rank < k_reg;
    wire by_limit = decide_key_reg <= (factor ? key_data : limit_reg);
    wire by_rule = first_k | (by_limit & rank < kmax_reg);
    wire accepted = decide_there_reg & (factor ? by_limit : kind_reg == RULE ? by_rule : first_k);

    // -- the mask, a bit an element, until all is decided --
    wire fill_valid;
    wire fill_last;
    wire [VLEN-1:0] fill_bits;

    unmask_row_fill #(.VLEN(VLEN)) row_fill (
        .clk(clk), .rst(rst),
        .in_valid(decide_reg), .in_last(decide_last_reg),
        .in_lane(row_lane_reg), .in_bit(accepted),
        .out_valid(fill_valid), .out_last(fill_last), .out_bits(fill_bits)
    );

    reg [VLEN*CHOSEN_ROWS-1:0] chosen_reg;
    reg [CHOSEN_BITS-1:0] chosen_row_reg;     // the row to fill, then to write
    reg [CHOSEN_BITS-1:0] chosen_end_reg;     // the last one

    always @(posedge clk) begin
        if (fill_valid & fill_last) chosen_end_reg <= chosen_row_reg;
        if (in_valid | (fill_valid & fill_last)) chosen_row_reg <= {CHOSEN_BITS{1'b0}};
        else if (fill_valid | row_write)
            chosen_row_reg <= chosen_row_reg + {{(CHOSEN_BITS - 1){1'b0}}, 1'b1};
        if (in_valid) row_reg <= in_row;
        else if (row_write) row_reg <= row_reg + {{(ROW_BITS - 1){1'b0}}, 1'b1};
    end

    generate
        for (number = 0; number < CHOSEN_ROWS; number = number + 1) begin : chosen_rows
            always @(posedge clk)
                if (fill_valid && chosen_row_reg == number)
                    chosen_reg[VLEN*number +: VLEN] <= fill_bits;
        end
    endgenerate

    wire [VLEN-1:0] row_bits = chosen_reg[VLEN*chosen_row_reg +: VLEN];

    assign row_write = phase_reg == WRITE;
    assign row_address = row_reg;
    generate
        for (lane = 0; lane < VLEN; lane = lane + 1) begin : codes
            assign row_data[16*lane +: 16] = row_bits[lane] ? 16'h3F80 : 16'h0000;
        end
    endgenerate
    assign out_valid = row_write & chosen_row_reg == chosen_end_reg;

    // The sign of a mask element means nothing. Length and address were checked: what lies above
    // is 0, or for a length that of all words.
    wire unused = &{1'b0, mask_element[15], in_length[31:KEY_BITS], in_key[31:KEY_BITS]};

endmodule

`default_nettype wire
