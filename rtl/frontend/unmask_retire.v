// Retire port, version 2: what each instruction did, for verification only.
//
// A completion (retire_*) is registered: it is on the port in the cycle after the instruction
// retires, in program order. The other events are on the port in the cycle in which they happen:
// a chunk that enters a vector unit (beat_*), a softmax state that is written (state_*), a row of
// vector SRAM or a word of int SRAM that a unit writes (row_*, word_*), rows and words that come
// from HBM (moved_*), transfers that complete (complete_*). Each carries the order number of its
// instruction. An unused port leaves no logic behind.
`default_nettype none

module unmask_retire #(
    // Lanes: a power of two, 2 to 2048
    parameter VLEN = 8,
    // Rows of vector SRAM: a power of two, at least 2
    parameter VECTOR_ROWS = 64,
    // Bits of a program address, the place past the end included: 2 to 32
    parameter PC_BITS = 11
) (
    input  wire                             clk,
    input  wire                             rst,

    // What happens in this cycle
    input  wire                             start_taken,
    input  wire                             busy,
    input  wire                             retire,
    input  wire [3:0]                       cause,
    input  wire                             stop,
    input  wire [PC_BITS-1:0]               fetch_pc,
    input  wire [31:0]                      issue_pc,
    input  wire [31:0]                      issue_word,
    input  wire                             gp_write,
    input  wire [3:0]                       gp_address,
    input  wire [31:0]                      gp_data,
    input  wire                             f_write,
    input  wire [2:0]                       f_address,
    input  wire [15:0]                      f_data,
    input  wire                             a_write,
    input  wire [2:0]                       a_address,
    input  wire [63:0]                      a_data,
    input  wire                             csr_write,
    input  wire [3:0]                       csr_number,
    input  wire [31:0]                      csr_data,
    input  wire                             fp_store,
    input  wire [31:0]                      fp_store_address,
    input  wire [15:0]                      fp_store_data,
    input  wire                             int_store,
    input  wire [31:0]                      int_store_address,
    input  wire [31:0]                      int_store_data,
    input  wire                             key_store,
    input  wire [31:0]                      key_store_address,
    input  wire [31:0]                      key_store_data,
    input  wire                             unit_valid,
    input  wire                             unit_first,
    input  wire [$clog2(VECTOR_ROWS)-1:0]   unit_row,
    input  wire [$clog2(VLEN):0]            unit_count,
    input  wire [16*VLEN-1:0]               unit_data,
    input  wire                             state_clear,
    input  wire [1:0]                       state_cleared,
    input  wire                             state_write,
    input  wire                             state_mine,
    input  wire [1:0]                       state_written,
    input  wire [250:0]                     state_data,
    input  wire                             row_write,
    input  wire [$clog2(VECTOR_ROWS)-1:0]   row_written,
    input  wire [VLEN-1:0]                  row_lanes,
    input  wire [16*VLEN-1:0]               row_wdata,
    input  wire                             word_write,
    input  wire [31:0]                      word_written,
    input  wire [31:0]                      word_wdata,
    input  wire [1:0]                       engine_write,
    input  wire [2*$clog2(VECTOR_ROWS)-1:0] engine_row,
    input  wire [32*VLEN-1:0]               engine_data,
    input  wire [2*VLEN-1:0]                engine_mask,
    input  wire                             engine_int_write,
    input  wire                             engine_key_write,
    input  wire [31:0]                      engine_address,
    input  wire [31:0]                      engine_word,
    input  wire                             request,
    input  wire [1:0]                       slot,
    input  wire [1:0]                       request_kind,
    input  wire [1:0]                       request_state,
    input  wire [3:0]                       slot_complete,
    input  wire [1:0]                       fault_slot,
    input  wire [PC_BITS-1:0]               fault_pc,

    // The port
    output wire                             retire_valid,
    output wire [31:0]                      retire_order,
    output wire [31:0]                      retire_pc,
    output wire [31:0]                      retire_word,
    output wire [31:0]                      retire_next_pc,
    output wire [3:0]                       retire_cause,
    output wire                             retire_stop,
    output wire [31:0]                      retire_cycle,
    output wire                             retire_gp_write,
    output wire [3:0]                       retire_gp_address,
    output wire [31:0]                      retire_gp_data,
    output wire                             retire_f_write,
    output wire [2:0]                       retire_f_address,
    output wire [15:0]                      retire_f_data,
    output wire                             retire_a_write,
    output wire [2:0]                       retire_a_address,
    output wire [63:0]                      retire_a_data,
    output wire                             retire_csr_write,
    output wire [3:0]                       retire_csr_number,
    output wire [31:0]                      retire_csr_data,
    output wire                             retire_store,
    output wire [2:0]                       retire_store_select,
    output wire [31:0]                      retire_store_address,
    output wire [31:0]                      retire_store_data,
    output wire                             retire_clear,
    output wire [1:0]                       retire_clear_number,
    output wire                             beat_valid,
    output wire [31:0]                      beat_order,
    output wire [31:0]                      beat_chunk,
    output wire [31:0]                      beat_row,
    output wire [$clog2(VLEN):0]            beat_count,
    output wire [16*VLEN-1:0]               beat_data,
    output wire                             state_valid,
    output wire [31:0]                      state_order,
    output wire [1:0]                       state_number,
    output wire [250:0]                     state_value,
    output wire                             row_valid,
    output wire [31:0]                      row_order,
    output wire [31:0]                      row_address,
    output wire [VLEN-1:0]                  row_mask,
    output wire [16*VLEN-1:0]               row_data,
    output wire                             word_valid,
    output wire [31:0]                      word_order,
    output wire [31:0]                      word_address,
    output wire [31:0]                      word_data,
    output wire [1:0]                       moved_row_valid,
    output wire [31:0]                      moved_row_order,
    output wire [63:0]                      moved_row_address,
    output wire [2*VLEN-1:0]                moved_row_mask,
    output wire [32*VLEN-1:0]               moved_row_data,
    output wire                             moved_word_valid,
    output wire [31:0]                      moved_word_order,
    output wire [2:0]                       moved_word_select,
    output wire [31:0]                      moved_word_address,
    output wire [31:0]                      moved_word_data,
    output wire [3:0]                       complete_valid,
    output wire [127:0]                     complete_order
);

    `include "unmask_isa.vh"

    localparam [2:0] SELECT_FP = 3'd2;
    localparam [2:0] SELECT_INT = 3'd3;
    localparam [2:0] SELECT_KEY = 3'd4;
    localparam [1:0] STREAM = 2'd0;
    localparam [1:0] ROWS = 2'd1;
    localparam ROW_BITS = $clog2(VECTOR_ROWS);

    reg valid_reg;
    reg [31:0] order_reg;          // of the instruction under execution
    reg [31:0] cycle_reg;          // of this cycle
    reg [31:0] retire_order_reg;
    reg [31:0] retire_cycle_reg;
    reg [PC_BITS-1:0] next_pc_reg; // after a trap unused: the port shows the pc
    reg [3:0] cause_reg;
    reg stop_reg;
    reg gp_write_reg;
    reg [3:0] gp_address_reg;
    reg [31:0] gp_data_reg;
    reg f_write_reg;
    reg [2:0] f_address_reg;
    reg [15:0] f_data_reg;
    reg a_write_reg;
    reg [2:0] a_address_reg;
    reg [63:0] a_data_reg;
    reg csr_write_reg;
    reg [3:0] csr_number_reg;
    reg [31:0] csr_data_reg;
    reg store_reg;
    reg [2:0] store_select_reg;
    reg [31:0] store_address_reg;
    reg [31:0] store_data_reg;
    reg clear_reg;
    reg [1:0] clear_number_reg;
    reg [31:0] next_chunk_reg;

    wire [31:0] chunk = unit_first ? 32'd0 : next_chunk_reg;
    wire store = fp_store | int_store | key_store;

    // Of each transfer under way: its order and word; of reads what kind they are. A completion of
    // a failed one still finds them here.
    reg [127:0] order_of_reg;
    reg [127:0] word_of_reg;
    reg [7:0] kind_of_reg;
    reg [7:0] state_of_reg;
    reg [3:0] under_way_reg;
    reg issued_reg;                // an instruction with a transfer issued in the cycle before
    reg [1:0] issued_slot_reg;

    integer number;

    always @(posedge clk) begin
        valid_reg <= retire & ~rst;
        cycle_reg <= start_taken ? 32'd0 : cycle_reg + {31'd0, busy};
        order_reg <= start_taken ? 32'd0 : order_reg + {31'd0, retire};
        if (unit_valid) next_chunk_reg <= chunk + 32'd1;

        retire_order_reg <= cause == TRAP_FATAL ? order_of_reg[32*fault_slot +: 32] : order_reg;
        retire_cycle_reg <= cycle_reg;
        next_pc_reg <= fetch_pc;
        cause_reg <= cause;
        stop_reg <= stop;
        gp_write_reg <= gp_write;
        gp_address_reg <= gp_write ? gp_address : 4'd0;
        gp_data_reg <= gp_write ? gp_data : 32'd0;
        f_write_reg <= f_write;
        f_address_reg <= f_write ? f_address : 3'd0;
        f_data_reg <= f_write ? f_data : 16'd0;
        a_write_reg <= a_write;
        a_address_reg <= a_write ? a_address : 3'd0;
        a_data_reg <= a_write ? a_data : 64'd0;
        csr_write_reg <= csr_write;
        csr_number_reg <= csr_write ? csr_number : 4'd0;
        csr_data_reg <= csr_write ? csr_data : 32'd0;
        clear_reg <= state_clear;
        clear_number_reg <= state_clear ? state_cleared : 2'd0;
        store_reg <= store;
        store_select_reg <= fp_store ? SELECT_FP : int_store ? SELECT_INT
            : key_store ? SELECT_KEY : 3'd0;
        store_address_reg <= fp_store ? fp_store_address : int_store ? int_store_address
            : key_store ? key_store_address : 32'd0;
        store_data_reg <= fp_store ? {16'd0, fp_store_data} : int_store ? int_store_data
            : key_store ? key_store_data : 32'd0;

        issued_reg <= request;
        issued_slot_reg <= slot;
        under_way_reg <= start_taken ? 4'd0
            : (under_way_reg & ~slot_complete) | (request ? 4'd1 << slot : 4'd0);
        if (request) begin
            order_of_reg[32*slot +: 32] <= order_reg;
            kind_of_reg[2*slot +: 2] <= request_kind;
            state_of_reg[2*slot +: 2] <= request_state;
        end
        if (issued_reg) word_of_reg[32*issued_slot_reg +: 32] <= issue_word;
    end

    wire fatal = cause_reg == TRAP_FATAL;
    wire [31:0] retired_pc = fatal ? {{(32 - PC_BITS){1'b0}}, fault_pc} : issue_pc;

    assign retire_valid = valid_reg;
    assign retire_order = retire_order_reg;
    assign retire_pc = retired_pc;
    assign retire_word = fatal ? word_of_reg[32*fault_slot +: 32] : issue_word;
    assign retire_next_pc =
        cause_reg != TRAP_NONE ? retired_pc : {{(32 - PC_BITS){1'b0}}, next_pc_reg};
    assign retire_cause = cause_reg;
    assign retire_stop = stop_reg;
    assign retire_cycle = retire_cycle_reg;
    assign retire_gp_write = gp_write_reg;
    assign retire_gp_address = gp_address_reg;
    assign retire_gp_data = gp_data_reg;
    assign retire_f_write = f_write_reg;
    assign retire_f_address = f_address_reg;
    assign retire_f_data = f_data_reg;
    assign retire_a_write = a_write_reg;
    assign retire_a_address = a_address_reg;
    assign retire_a_data = a_data_reg;
    assign retire_csr_write = csr_write_reg;
    assign retire_csr_number = csr_number_reg;
    assign retire_csr_data = csr_data_reg;
    assign retire_store = store_reg;
    assign retire_store_select = store_select_reg;
    assign retire_store_address = store_address_reg;
    assign retire_store_data = store_data_reg;

    assign retire_clear = clear_reg;
    assign retire_clear_number = clear_number_reg;

    assign beat_valid = unit_valid;
    assign beat_order = order_reg;
    assign beat_chunk = chunk;
    assign beat_row = {{(32 - ROW_BITS){1'b0}}, unit_row};
    assign beat_count = unit_count;
    assign beat_data = unit_data;

    // The oldest read under way of a kind is the one that writes; the stream into a state is the
    // only one.
    reg [31:0] rows_order;
    reg [31:0] words_order;
    reg [31:0] stream_order;
    reg rows_found;
    reg words_found;

    always @* begin
        rows_order = 32'd0;
        words_order = 32'd0;
        stream_order = 32'd0;
        rows_found = 1'b0;
        words_found = 1'b0;
        for (number = 0; number < 3; number = number + 1)
            if (under_way_reg[number]) begin
                if (kind_of_reg[2*number +: 2] == STREAM) begin
                    if (state_of_reg[2*number +: 2] == state_written)
                        stream_order = order_of_reg[32*number +: 32];
                end else if (kind_of_reg[2*number +: 2] == ROWS) begin
                    if (~rows_found | order_of_reg[32*number +: 32] < rows_order)
                        rows_order = order_of_reg[32*number +: 32];
                    rows_found = 1'b1;
                end else begin
                    if (~words_found | order_of_reg[32*number +: 32] < words_order)
                        words_order = order_of_reg[32*number +: 32];
                    words_found = 1'b1;
                end
            end
    end

    assign state_valid = state_write;
    assign state_order = state_mine ? order_reg : stream_order;
    assign state_number = state_written;
    assign state_value = state_data;

    assign row_valid = row_write;
    assign row_order = order_reg;
    assign row_address = {{(32 - ROW_BITS){1'b0}}, row_written};
    assign row_mask = row_lanes;

    assign word_valid = word_write;
    assign word_order = order_reg;
    assign word_address = word_written;
    assign word_data = word_wdata;

    assign moved_row_valid = engine_write;
    assign moved_row_order = rows_order;
    assign moved_row_address = {
        {(32 - ROW_BITS){1'b0}}, engine_row[ROW_BITS +: ROW_BITS] & {ROW_BITS{engine_write[1]}},
        {(32 - ROW_BITS){1'b0}}, engine_row[0 +: ROW_BITS] & {ROW_BITS{engine_write[0]}}};

    assign moved_word_valid = engine_int_write | engine_key_write;
    assign moved_word_order = words_order;
    assign moved_word_select = engine_int_write ? SELECT_INT : SELECT_KEY;
    assign moved_word_address = engine_address;
    assign moved_word_data = engine_word;

    assign complete_valid = slot_complete & under_way_reg;

    // What is not written, or does not complete, shows as 0.
    genvar lane;
    genvar slot_number;
    generate
        for (lane = 0; lane < VLEN; lane = lane + 1) begin : lanes
            assign row_data[16*lane +: 16] = row_wdata[16*lane +: 16] & {16{row_lanes[lane]}};
        end
        for (lane = 0; lane < 2 * VLEN; lane = lane + 1) begin : moved_lanes
            assign moved_row_mask[lane] = engine_mask[lane] & engine_write[lane / VLEN];
            assign moved_row_data[16*lane +: 16] =
                engine_data[16*lane +: 16] & {16{moved_row_mask[lane]}};
        end
        for (slot_number = 0; slot_number < 4; slot_number = slot_number + 1) begin : slots
            assign complete_order[32*slot_number +: 32] =
                order_of_reg[32*slot_number +: 32] & {32{complete_valid[slot_number]}};
        end
    endgenerate

endmodule

`default_nettype wire
