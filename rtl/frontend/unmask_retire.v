// Retire port, version 1: what each instruction did, for verification only.
//
// Two events, each in program order. A completion (retire_*) is registered: it is on the port in
// the cycle after the instruction retires. A beat (beat_*) is on the port in the cycle in which
// the chunk enters the vector unit, so before the completion of its instruction. An unused port
// leaves no logic behind.
`default_nettype none

module unmask_retire #(
    // Lanes: a power of two, 2 to 2048
    parameter VLEN = 8,
    // Rows of vector SRAM: a power of two, at least 2
    parameter VECTOR_ROWS = 64,
    // Bits of a program address, the place past the end included: 2 to 32
    parameter PC_BITS = 11
) (
    input  wire                           clk,
    input  wire                           rst,

    // What happens in this cycle
    input  wire                           start_taken,
    input  wire                           busy,
    input  wire                           retire,
    input  wire [3:0]                     cause,
    input  wire                           stop,
    input  wire [PC_BITS-1:0]             fetch_pc,
    input  wire [31:0]                    issue_pc,
    input  wire [31:0]                    issue_word,
    input  wire                           gp_write,
    input  wire [3:0]                     gp_address,
    input  wire [31:0]                    gp_data,
    input  wire                           f_write,
    input  wire [2:0]                     f_address,
    input  wire [15:0]                    f_data,
    input  wire                           vl_write,
    input  wire [31:0]                    vl_data,
    input  wire                           fp_store,
    input  wire                           int_store,
    input  wire [31:0]                    store_address,
    input  wire [15:0]                    fp_store_data,
    input  wire [31:0]                    int_store_data,
    input  wire                           unit_valid,
    input  wire                           unit_first,
    input  wire [$clog2(VECTOR_ROWS)-1:0] unit_row,
    input  wire [$clog2(VLEN):0]          unit_count,
    input  wire [16*VLEN-1:0]             unit_data,

    // The port
    output wire                           retire_valid,
    output wire [31:0]                    retire_order,
    output wire [31:0]                    retire_pc,
    output wire [31:0]                    retire_word,
    output wire [31:0]                    retire_next_pc,
    output wire [3:0]                     retire_cause,
    output wire                           retire_stop,
    output wire [31:0]                    retire_cycle,
    output wire                           retire_gp_write,
    output wire [3:0]                     retire_gp_address,
    output wire [31:0]                    retire_gp_data,
    output wire                           retire_f_write,
    output wire [2:0]                     retire_f_address,
    output wire [15:0]                    retire_f_data,
    output wire                           retire_vl_write,
    output wire [31:0]                    retire_vl_data,
    output wire                           retire_store,
    output wire [1:0]                     retire_store_select,
    output wire [31:0]                    retire_store_address,
    output wire [31:0]                    retire_store_data,
    output wire                           beat_valid,
    output wire [31:0]                    beat_order,
    output wire [31:0]                    beat_chunk,
    output wire [31:0]                    beat_row,
    output wire [$clog2(VLEN):0]          beat_count,
    output wire [16*VLEN-1:0]             beat_data
);

    `include "unmask_isa.vh"

    localparam [1:0] SELECT_FP = 2'd2;
    localparam [1:0] SELECT_INT = 2'd3;

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
    reg vl_write_reg;
    reg [31:0] vl_data_reg;
    reg store_reg;
    reg [1:0] store_select_reg;
    reg [31:0] store_address_reg;
    reg [31:0] store_data_reg;
    reg [31:0] next_chunk_reg;

    wire [31:0] chunk = unit_first ? 32'd0 : next_chunk_reg;

    always @(posedge clk) begin
        valid_reg <= retire & ~rst;
        cycle_reg <= start_taken ? 32'd0 : cycle_reg + {31'd0, busy};
        order_reg <= start_taken ? 32'd0 : order_reg + {31'd0, retire};
        if (unit_valid) next_chunk_reg <= chunk + 32'd1;

        retire_order_reg <= order_reg;
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
        vl_write_reg <= vl_write;
        vl_data_reg <= vl_write ? vl_data : 32'd0;
        store_reg <= fp_store | int_store;
        store_select_reg <= fp_store ? SELECT_FP : int_store ? SELECT_INT : 2'd0;
        store_address_reg <= fp_store | int_store ? store_address : 32'd0;
        store_data_reg <=
            fp_store ? {16'd0, fp_store_data} : int_store ? int_store_data : 32'd0;
    end

    assign retire_valid = valid_reg;
    assign retire_order = retire_order_reg;
    assign retire_pc = issue_pc;
    assign retire_word = issue_word;
    assign retire_next_pc =
        cause_reg != TRAP_NONE ? issue_pc : {{(32 - PC_BITS){1'b0}}, next_pc_reg};
    assign retire_cause = cause_reg;
    assign retire_stop = stop_reg;
    assign retire_cycle = retire_cycle_reg;
    assign retire_gp_write = gp_write_reg;
    assign retire_gp_address = gp_address_reg;
    assign retire_gp_data = gp_data_reg;
    assign retire_f_write = f_write_reg;
    assign retire_f_address = f_address_reg;
    assign retire_f_data = f_data_reg;
    assign retire_vl_write = vl_write_reg;
    assign retire_vl_data = vl_data_reg;
    assign retire_store = store_reg;
    assign retire_store_select = store_select_reg;
    assign retire_store_address = store_address_reg;
    assign retire_store_data = store_data_reg;

    assign beat_valid = unit_valid;
    assign beat_order = order_reg;
    assign beat_chunk = chunk;
    assign beat_row = {{(32 - $clog2(VECTOR_ROWS)){1'b0}}, unit_row};
    assign beat_count = unit_count;
    assign beat_data = unit_data;

endmodule

`default_nettype wire
