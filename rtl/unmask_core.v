// The core: fetches a program, runs it, stops. Here the parts are wired together.
//
// Host: control by AXI4-Lite (unmask_host). While the core is idle, words of the memories are
// written and read through host_* (vector SRAM by rows).
// A read's data is on host_rdata from the next cycle on and stays until the next read or start (of
// program memory AXI4-Lite's reads count too); an access outside the memory, while busy, or to
// program memory in the very cycle of an AXI4-Lite access, does nothing. A start runs the
// program from pc 0, with all registers at their start values, until C_BREAK, a trap, a bus error
// or a halt; then `done` is high, with cause and pc (both 0 without a trap), until the next start.
// Reset stops a run; memories keep what they hold.
//
// Cycles: see model/README.md. retire_*, beat_*, ... are for verification only: see unmask_retire.
`default_nettype none

module unmask_core #(
    // Lanes: a power of two, 2 to 2048
    parameter VLEN = 8,
    // Rows of vector SRAM: a power of two, at least 2; VLEN * VECTOR_ROWS at most 2**30
    parameter VECTOR_ROWS = 64,
    // Words of FP, key, int and program memory: powers of two, 2 to 2**24
    parameter FP_WORDS = 1024,
    parameter KEY_WORDS = 1024,
    parameter INT_WORDS = 4096,
    parameter PROGRAM_WORDS = 1024,
    // Loops that may be nested: at least 2
    parameter LOOP_DEPTH = 8,
    // AXI4 masters, 1 to 64, and bits of their data, 64 to 1024: powers of two
    parameter CHANNELS = 1,
    parameter BEAT_BITS = 64,
    // Most beats of a burst: a power of two, 1 to 32
    parameter BURST = 16,
    // Transactions of a channel that may be under way: at least 1
    parameter OUTSTANDING = 16,
    // Beats in the FIFO of a channel: at least 1
    parameter FIFO = 16,
    // Scale beats that are held, of all channels: a power of two, at least 8 * CHANNELS
    parameter RING = 2048
) (
    input  wire                     clk,
    input  wire                     rst,

    // Control, AXI4-Lite: see unmask_host
    input  wire [31:0]              s_axi_awaddr,
    input  wire                     s_axi_awvalid,
    output wire                     s_axi_awready,
    input  wire [31:0]              s_axi_wdata,
    input  wire [3:0]               s_axi_wstrb,
    input  wire                     s_axi_wvalid,
    output wire                     s_axi_wready,
    output wire [1:0]               s_axi_bresp,
    output wire                     s_axi_bvalid,
    input  wire                     s_axi_bready,
    input  wire [31:0]              s_axi_araddr,
    input  wire                     s_axi_arvalid,
    output wire                     s_axi_arready,
    output wire [31:0]              s_axi_rdata,
    output wire [1:0]               s_axi_rresp,
    output wire                     s_axi_rvalid,
    input  wire                     s_axi_rready,

    // The same as its status registers
    output wire                     halted,
    output wire [63:0]              fault_address,
    output wire                     busy,
    output wire                     done,
    output wire [3:0]               trap_cause,
    output wire [31:0]              trap_pc,

    // Memories, while idle
    input  wire                     host_valid,
    input  wire                     host_write,
    input  wire [2:0]               host_select,    // 0 program, 1 vector, 2 FP, 3 int, 4 key
    input  wire [31:0]              host_address,   // words
    input  wire [16*VLEN-1:0]       host_wdata,
    output wire [16*VLEN-1:0]       host_rdata,

    // AXI4 masters, channel 0 lowest
    output wire [64*CHANNELS-1:0]        m_axi_araddr,
    output wire [8*CHANNELS-1:0]         m_axi_arlen,
    output wire [3*CHANNELS-1:0]         m_axi_arsize,
    output wire [2*CHANNELS-1:0]         m_axi_arburst,
    output wire [CHANNELS-1:0]           m_axi_arvalid,
    input  wire [CHANNELS-1:0]           m_axi_arready,
    input  wire [BEAT_BITS*CHANNELS-1:0] m_axi_rdata,
    input  wire [2*CHANNELS-1:0]         m_axi_rresp,
    input  wire [CHANNELS-1:0]           m_axi_rlast,
    input  wire [CHANNELS-1:0]           m_axi_rvalid,
    output wire [CHANNELS-1:0]           m_axi_rready,
    output wire [64*CHANNELS-1:0]        m_axi_awaddr,
    output wire [8*CHANNELS-1:0]         m_axi_awlen,
    output wire [3*CHANNELS-1:0]         m_axi_awsize,
    output wire [2*CHANNELS-1:0]         m_axi_awburst,
    output wire [CHANNELS-1:0]           m_axi_awvalid,
    input  wire [CHANNELS-1:0]           m_axi_awready,
    output wire [BEAT_BITS*CHANNELS-1:0] m_axi_wdata,
    output wire [BEAT_BITS/8*CHANNELS-1:0] m_axi_wstrb,
    output wire [CHANNELS-1:0]           m_axi_wlast,
    output wire [CHANNELS-1:0]           m_axi_wvalid,
    input  wire [CHANNELS-1:0]           m_axi_wready,
    input  wire [2*CHANNELS-1:0]         m_axi_bresp,
    input  wire [CHANNELS-1:0]           m_axi_bvalid,
    output wire [CHANNELS-1:0]           m_axi_bready,

    // Retire port, version 2
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

    generate
        if ($clog2(VLEN) + $clog2(VECTOR_ROWS) > 30) begin : check_elements
            VLEN_times_VECTOR_ROWS_must_be_at_most_2_to_30 error();
        end
    endgenerate

    localparam LANE_BITS = $clog2(VLEN);
    localparam ROW_BITS = $clog2(VECTOR_ROWS);
    localparam FP_BITS = $clog2(FP_WORDS);
    localparam KEY_BITS = $clog2(KEY_WORDS);
    localparam INT_BITS = $clog2(INT_WORDS);
    localparam PROGRAM_BITS = $clog2(PROGRAM_WORDS);
    localparam PC_BITS = PROGRAM_BITS + 1;   // the place past the end included
    localparam ROW_WIDTH = 16 * VLEN;
    localparam WORD_BITS = INT_BITS > KEY_BITS ? INT_BITS : KEY_BITS;

    // A softmax state: flags, count, five slots, top, index, key.
    localparam [250:0] EMPTY_STATE = {2'd0, 19'd0, 170'd0, 12'd0, 32'hFFFFFFFF, 16'd0};
    localparam COUNT_PLACE = 230;

    localparam [15:0] NEG_INF = 16'hFF80;
    localparam [15:0] NEG_ZERO = 16'h8000;

    // ---- control ----
    wire start_taken;
    wire fetch;
    wire [PC_BITS-1:0] fetch_pc;
    wire [PC_BITS-1:0] pc;
    wire [PC_BITS-1:0] next_word_pc;
    wire [31:0] fetched_word;
    wire [31:0] word;
    wire issue;
    wire in_load;
    wire in_unit;
    wire in_scan;
    wire [3:0] issue_cause;
    wire unit_done;
    wire retire;
    wire [3:0] cause;
    wire stop;
    wire [31:0] issue_pc;
    wire [31:0] issue_word;
    wire hold;
    wire under_way;
    wire fault;
    wire [1:0] fault_slot;
    wire [PC_BITS-1:0] fault_pc;
    wire [63:0] fault_place;

    wire [63:0] row;
    wire issue_ok = issue & issue_cause == TRAP_NONE;

    // ---- what the instruction asks for ----
    wire is_float = row[ROW_S_ADD_FP] | row[ROW_S_SUB_FP] | row[ROW_S_MAX_FP] | row[ROW_S_MUL_FP]
        | row[ROW_S_EXP_FP] | row[ROW_S_RECI_FP] | row[ROW_S_SQRT_FP];
    wire is_scalar_second = row[ROW_V_ADD_VF] | row[ROW_V_SUB_VF] | row[ROW_V_MUL_VF];
    wire is_two_vectors = row[ROW_V_ADD_VV] | row[ROW_V_SUB_VV] | row[ROW_V_MUL_VV];
    wire is_arithmetic = is_two_vectors | is_scalar_second | row[ROW_V_EXP_V] | row[ROW_V_RECI_V];
    wire is_select = row[ROW_V_SELECT_VVM];
    wire is_elementwise = is_arithmetic | is_select;
    wire is_compare = row[ROW_V_CMP_MASK_VV] | row[ROW_V_CMP_MASK_VF];
    wire is_maximum = row[ROW_V_RED_MAX] | row[ROW_V_RED_MAX_IDX];
    wire is_strip = is_elementwise | is_compare | is_maximum | row[ROW_V_RED_SUM]
        | row[ROW_V_RED_SM];
    wire is_rank = row[ROW_V_TOPK_MASK] | row[ROW_V_KEY_MASK_QUOTA] | row[ROW_V_KEY_MASK_RULE]
        | row[ROW_V_KEY_MASK_FACTOR];
    wire is_int_compare = row[ROW_V_CMP_MASK_IG] | row[ROW_V_CMP_MASK_II];
    wire is_select_int = row[ROW_S_SELECT_INT];
    wire is_map = row[ROW_S_MAP_V_FP];
    wire is_key = row[ROW_S_SM_KEY] | row[ROW_S_SM_CONF] | row[ROW_S_SM_ST_KEY];
    wire is_load = row[ROW_S_LD_FP] | row[ROW_S_LD_INT] | row[ROW_S_LD_KEY] | row[ROW_S_SM_MAX]
        | row[ROW_S_SM_IDX] | row[ROW_S_SM_FLAGS] | row[ROW_S_SM_ST_IDX];
    wire takes_in = row[ROW_V_RED_SM] | row[ROW_H_RED_SM];
    wire is_store = row[ROW_H_STORE_V] | row[ROW_H_ST_INT] | row[ROW_H_ST_KEY];
    wire is_rows = row[ROW_H_PREFETCH_V] | row[ROW_H_STORE_V];
    wire is_memory = is_store | row[ROW_H_PREFETCH_V] | row[ROW_H_LD_INT] | row[ROW_H_LD_KEY]
        | row[ROW_H_RED_SM];

    wire [31:0] length;
    wire some = length != 32'd0;
    wire is_unit = is_float | is_key
        | ((is_strip | is_rank | is_int_compare | is_select_int | is_map) & some);

    wire stack_empty;
    wire stack_full;
    wire [PC_BITS-1:0] loop_back_pc;
    wire [21:0] loop_remaining;
    wire [3:0] loop_register;
    wire loop_last = loop_remaining == 22'd0;
    wire loop_end = issue_ok & row[ROW_C_LOOP_END];
    wire loop_back = loop_end & ~loop_last;

    // ---- host ----
    wire start;
    wire halt;
    wire [31:0] program_length;
    wire [63:0] window_first;
    wire [63:0] window_end;
    wire program_valid;
    wire program_write;
    /* verilator lint_off UNUSEDSIGNAL */
    wire [31:0] program_address;     // the host sees to it that it lies inside
    /* verilator lint_on UNUSEDSIGNAL */
    wire [31:0] program_wdata;
    reg [63:0] cycles_reg;           // since the start, up to the end
    reg [63:0] retired_reg;          // instructions, but for one that traps

    always @(posedge clk)
        if (rst | start_taken) begin
            cycles_reg <= 64'd0;
            retired_reg <= 64'd0;
        end else begin
            cycles_reg <= cycles_reg + {63'd0, busy};
            retired_reg <= retired_reg + {63'd0, retire & cause == TRAP_NONE};
        end

    assign fault_address = trap_cause == TRAP_FATAL ? fault_place : 64'd0;

    unmask_host #(
        .VLEN(VLEN),
        .VECTOR_ROWS(VECTOR_ROWS),
        .FP_WORDS(FP_WORDS),
        .INT_WORDS(INT_WORDS),
        .KEY_WORDS(KEY_WORDS),
        .PROGRAM_WORDS(PROGRAM_WORDS),
        .LOOP_DEPTH(LOOP_DEPTH),
        .CHANNELS(CHANNELS),
        .BEAT_BITS(BEAT_BITS),
        .BURST(BURST),
        .OUTSTANDING(OUTSTANDING),
        .FIFO(FIFO),
        .RING(RING)
    ) host (
        .clk(clk),
        .rst(rst),
        .s_axi_awaddr(s_axi_awaddr),
        .s_axi_awvalid(s_axi_awvalid),
        .s_axi_awready(s_axi_awready),
        .s_axi_wdata(s_axi_wdata),
        .s_axi_wstrb(s_axi_wstrb),
        .s_axi_wvalid(s_axi_wvalid),
        .s_axi_wready(s_axi_wready),
        .s_axi_bresp(s_axi_bresp),
        .s_axi_bvalid(s_axi_bvalid),
        .s_axi_bready(s_axi_bready),
        .s_axi_araddr(s_axi_araddr),
        .s_axi_arvalid(s_axi_arvalid),
        .s_axi_arready(s_axi_arready),
        .s_axi_rdata(s_axi_rdata),
        .s_axi_rresp(s_axi_rresp),
        .s_axi_rvalid(s_axi_rvalid),
        .s_axi_rready(s_axi_rready),
        .start(start),
        .halt(halt),
        .program_length(program_length),
        .window_first(window_first),
        .window_end(window_end),
        .program_valid(program_valid),
        .program_write(program_write),
        .program_address(program_address),
        .program_wdata(program_wdata),
        .program_rdata(fetched_word),
        .busy(busy),
        .done(done),
        .halted(halted),
        .cause(trap_cause),
        .trap_pc(trap_pc),
        .fault_address(fault_address),
        .cycles(cycles_reg),
        .retired(retired_reg)
    );

    unmask_control #(
        .PROGRAM_WORDS(PROGRAM_WORDS)
    ) control (
        .clk(clk),
        .rst(rst),
        .start(start),
        .halt(halt),
        .program_length(program_length),
        .start_taken(start_taken),
        .busy(busy),
        .done(done),
        .halted(halted),
        .trap_cause(trap_cause),
        .trap_pc(trap_pc),
        .fetch(fetch),
        .fetch_pc(fetch_pc),
        .fetched_word(fetched_word),
        .word(word),
        .pc(pc),
        .next_word_pc(next_word_pc),
        .issue(issue),
        .in_load(in_load),
        .in_unit(in_unit),
        .in_scan(in_scan),
        .hold(hold),
        .is_load(is_load),
        .is_unit(is_unit),
        .is_c_loop_start(row[ROW_C_LOOP_START]),
        .is_c_break(row[ROW_C_BREAK]),
        .loop_back(loop_back),
        .loop_back_pc(loop_back_pc),
        .issue_cause(issue_cause),
        .unit_done(unit_done),
        .under_way(under_way),
        .fault(fault),
        .fault_pc(fault_pc),
        .retire(retire),
        .cause(cause),
        .stop(stop),
        .issue_pc(issue_pc),
        .issue_word(issue_word)
    );

    unmask_decode decode (
        .word(word),
        .row(row)
    );

    unmask_loop_stack #(
        .DEPTH(LOOP_DEPTH),
        .PC_BITS(PC_BITS),
        .COUNT_BITS(22)
    ) loop_stack (
        .clk(clk),
        .clear(start_taken),
        .push(issue_ok & row[ROW_C_LOOP_START] & word[31:10] != 22'd0),
        .push_start(next_word_pc),
        .push_count(word[31:10]),
        .push_register(word[9:6]),
        .next_iteration(loop_back),
        .pop(loop_end & loop_last),
        .empty(stack_empty),
        .full(stack_full),
        .top_start(loop_back_pc),
        .top_remaining(loop_remaining),
        .top_register(loop_register)
    );

    // ---- registers and integer arithmetic ----
    wire [31:0] rd;
    wire [31:0] rs1;
    wire [31:0] rs2;
    wire [31:0] rs3;
    wire [31:0] rs4;
    wire [31:0] alu_rd;
    wire [15:0] f_rs1;
    wire [15:0] f_rs2;
    wire [15:0] f_other;       // rs3 of V_RED_MAX_IDX, else rd
    wire [63:0] base;
    wire [15:0] fp_rdata;
    wire [31:0] int_rdata;
    wire [31:0] key_rdata;
    wire [15:0] float_data;
    wire [15:0] best_code;
    wire [15:0] best_maximum;
    wire [31:0] best_index;
    wire [15:0] sum_code;
    wire [31:0] key_key;
    wire [15:0] key_confidence;
    wire [15:0] view_maximum;
    wire [31:0] view_index;
    wire [31:0] view_flags;

    // What changes nothing on purpose writes nothing: a trap, no elements, gp0 and f0.
    wire gp_at_issue = row[ROW_S_ADD_INT] | row[ROW_S_ADDI_INT] | row[ROW_S_SUB_INT]
        | row[ROW_S_MUL_INT] | row[ROW_S_LUI_INT] | row[ROW_C_LOOP_START] | row[ROW_C_LOOP_END];
    wire gp_at_load = row[ROW_S_LD_INT] | row[ROW_S_LD_KEY] | row[ROW_S_SM_IDX]
        | row[ROW_S_SM_FLAGS];
    wire gp_result = issue ? issue_ok & gp_at_issue
        : in_load ? gp_at_load
        : in_unit ? row[ROW_V_RED_MAX_IDX] | row[ROW_S_SM_KEY]
        : in_scan & cause == TRAP_NONE;
    wire [3:0] gp_address = in_scan ? issue_word[9:6] : word[9:6];
    wire gp_write = retire & gp_result & gp_address != 4'd0;
    wire [31:0] gp_data = in_scan ? 32'd0
        : row[ROW_C_LOOP_START] ? {10'd0, word[31:10]}
        : row[ROW_C_LOOP_END] ? {10'd0, loop_remaining}
        : row[ROW_S_LD_INT] ? int_rdata
        : row[ROW_S_LD_KEY] ? key_rdata
        : row[ROW_S_SM_IDX] ? view_index
        : row[ROW_S_SM_FLAGS] ? view_flags
        : row[ROW_V_RED_MAX_IDX] ? best_index
        : row[ROW_S_SM_KEY] ? key_key
        : alu_rd;

    // V_RED_SUM and V_RED_MAX of no elements make a NaN the quiet one, as they do of any.
    wire reduced_nothing = issue_ok & (row[ROW_V_RED_SUM] | row[ROW_V_RED_MAX]) & ~some;
    wire [15:0] quiet = f_other[14:0] > 15'h7f80 ? 16'h7fc0 : f_other;
    wire f_result = reduced_nothing | (in_load & (row[ROW_S_LD_FP] | row[ROW_S_SM_MAX]))
        | (in_unit & (is_float | is_maximum | row[ROW_V_RED_SUM] | row[ROW_S_SM_CONF]));
    wire [2:0] f_address = row[ROW_V_RED_MAX_IDX] ? word[20:18] : word[8:6];
    wire f_write = retire & f_result & f_address != 3'd0;
    wire [15:0] f_data = reduced_nothing ? quiet
        : row[ROW_S_LD_FP] ? fp_rdata
        : row[ROW_S_SM_MAX] ? view_maximum
        : row[ROW_V_RED_SUM] ? sum_code
        : row[ROW_V_RED_MAX] ? best_maximum
        : row[ROW_V_RED_MAX_IDX] ? best_code
        : row[ROW_S_SM_CONF] ? key_confidence
        : float_data;

    wire a_write = issue_ok & row[ROW_C_SET_ADDR_REG];

    unmask_registers #(
        .COUNT(16),
        .WIDTH(32),
        .READS(5)
    ) gp (
        .clk(clk),
        .clear(start_taken),
        .read_address({word[25:22], word[21:18], word[17:14], word[13:10], word[9:6]}),
        .read_data({rs4, rs3, rs2, rs1, rd}),
        .write(gp_write),
        .write_address(gp_address),
        .write_data(gp_data)
    );

    unmask_registers #(
        .COUNT(8),
        .WIDTH(16),
        .READS(3)
    ) f (
        .clk(clk),
        .clear(start_taken),
        .read_address({f_address, word[16:14], word[12:10]}),
        .read_data({f_other, f_rs2, f_rs1}),
        .write(f_write),
        .write_address(f_address),
        .write_data(f_data)
    );

    unmask_registers #(
        .COUNT(8),
        .WIDTH(64),
        .READS(1),
        .ZERO(0)
    ) a (
        .clk(clk),
        .clear(start_taken),
        .read_address(word[16:14]),
        .read_data(base),
        .write(a_write),
        .write_address(word[8:6]),
        .write_data({rs1, rs2})
    );

    unmask_alu_int alu_int (
        .in_op(row[ROW_S_ADD_INT] ? 3'd0 : row[ROW_S_ADDI_INT] ? 3'd1 : row[ROW_S_LUI_INT] ? 3'd2
            : row[ROW_S_SUB_INT] ? 3'd3 : 3'd4),
        .in_rs1(rs1),
        .in_rs2(rs2),
        .in_imm18({14'd0, word[31:14]}),
        .in_imm22({10'd0, word[31:10]}),
        .out_rd(alu_rd)
    );

    wire [31:0] vl;
    wire [31:0] stride;
    wire [31:0] scale;
    /* verilator lint_off UNUSEDSIGNAL */
    wire [31:0] mask;          // of fewer lanes than 32 the lowest bits count
    /* verilator lint_on UNUSEDSIGNAL */
    wire [31:0] rows;
    wire [2:0] fmt0;
    wire [2:0] fmt1;
    wire nan_last;
    wire [31:0] limit;
    wire [31:0] kmax;
    wire [127:0] bans;
    wire [31:0] sum;           // rs1 + imm18

    wire csr_write = issue_ok & (row[ROW_C_SET_CSR] | row[ROW_C_SET_SCALE_REG]
        | row[ROW_C_SET_STRIDE_REG] | row[ROW_C_SET_V_MASK_REG]);
    wire [3:0] csr_number = row[ROW_C_SET_SCALE_REG] ? CSR_SCALE
        : row[ROW_C_SET_STRIDE_REG] ? CSR_STRIDE
        : row[ROW_C_SET_V_MASK_REG] ? CSR_MASK : word[9:6];
    wire [31:0] csr_data = row[ROW_C_SET_CSR] ? sum : rd;

    unmask_csrs #(
        .VLEN(VLEN)
    ) csrs (
        .clk(clk),
        .clear(start_taken),
        .write(csr_write),
        .number(csr_number),
        .data(csr_data),
        .vl(vl),
        .stride(stride),
        .scale(scale),
        .mask(mask),
        .rows(rows),
        .fmt0(fmt0),
        .fmt1(fmt1),
        .nan_last(nan_last),
        .limit(limit),
        .kmax(kmax),
        .bans(bans)
    );

    // ---- traps, footprint, transfers under way ----
    wire [2:0] format;
    wire scaled;
    wire [4:0] block_mask;
    wire [31:0] pitch;
    wire moved;
    wire [71:0] element_first;
    wire [71:0] element_end;
    wire [71:0] scale_first;
    wire [71:0] scale_end;
    wire [69:0] sram_end;
    wire [31:0] map_address;
    wire [250:0] own_state;      // the state that the instruction names

    unmask_span #(
        .VLEN(VLEN)
    ) span (
        .row(row),
        .word(word),
        .rd(rd),
        .rs1(rs1),
        .rs3(rs3),
        .base(base),
        .vl(vl),
        .stride(stride),
        .scale(scale),
        .rows(rows),
        .fmt0(fmt0),
        .fmt1(fmt1),
        .format(format),
        .scaled(scaled),
        .block_mask(block_mask),
        .pitch(pitch),
        .moved(moved),
        .element_first(element_first),
        .element_end(element_end),
        .scale_first(scale_first),
        .scale_end(scale_end),
        .sram_end(sram_end)
    );

    unmask_trap_check #(
        .VLEN(VLEN),
        .VECTOR_ROWS(VECTOR_ROWS),
        .FP_WORDS(FP_WORDS),
        .KEY_WORDS(KEY_WORDS),
        .INT_WORDS(INT_WORDS)
    ) trap_check (
        .row(row),
        .word(word),
        .stack_full(stack_full),
        .stack_empty(stack_empty),
        .stack_match(loop_register == word[9:6]),
        .rd(rd),
        .rs1(rs1),
        .rs2(rs2),
        .rs3(rs3),
        .rs4(rs4),
        .base(base[1:0]),
        .vl(vl),
        .rows(rows),
        .state_count(own_state[COUNT_PLACE +: 19]),
        .window_first(window_first),
        .window_end(window_end),
        .scaled(scaled),
        .block_mask(block_mask),
        .pitch(pitch[4:0]),
        .element_first(element_first),
        .element_end(element_end),
        .scale_first(scale_first),
        .scale_end(scale_end),
        .sram_end(sram_end),
        .length(length),
        .sum(sum),
        .map_address(map_address),
        .cause(issue_cause)
    );

    wire [3:0] touch;
    wire [7:0] touch_memory;
    wire [1:0] touch_write;
    wire [127:0] touch_first;
    wire [127:0] touch_end;
    wire touch_state;
    wire [1:0] state;

    unmask_footprint footprint (
        .row(row),
        .rd(rd),
        .rs1(rs1),
        .rs2(rs2),
        .rs3(rs3),
        .length(length),
        .sum(sum),
        .moved(moved),
        .sram_end(sram_end[31:0]),
        .touch(touch),
        .touch_memory(touch_memory),
        .touch_write(touch_write),
        .touch_first(touch_first),
        .touch_end(touch_end),
        .touch_state(touch_state),
        .state(state)
    );

    wire moves = is_memory & moved;
    wire request = issue_ok & moves;
    wire [1:0] slot;
    wire [3:0] slot_complete;
    wire read_valid;
    wire [1:0] read_slot;
    wire read_fault;
    wire [63:0] read_fault_address;
    wire stream_valid;
    wire stream_first;
    wire stream_last;
    wire [ROW_WIDTH-1:0] stream_data;
    wire [VLEN-1:0] stream_active;
    wire [2*VLEN-1:0] stream_flags;
    wire [31:0] stream_base;
    wire [127:0] stream_bans;
    wire [1:0] stream_state;
    wire stream_clear;
    wire stream_fault;
    wire [63:0] stream_fault_address;
    wire softmax_valid;            // a state has come, of V_RED_SM or a stream
    wire [1:0] softmax_tag;
    wire [250:0] softmax_state;
    wire write_valid;
    wire write_fault;
    wire [63:0] write_fault_address;

    unmask_transfers #(
        .PC_BITS(PC_BITS)
    ) transfers (
        .clk(clk),
        .rst(rst),
        .clear(start_taken),
        .touch(touch),
        .touch_memory(touch_memory),
        .touch_write(touch_write),
        .touch_first(touch_first),
        .touch_end(touch_end),
        .touch_state(touch_state),
        .state(state),
        .reduces(row[ROW_V_RED_SM]),
        .ends(row[ROW_C_BREAK] | issue_cause != TRAP_NONE),
        .moves(moves),
        .stores(is_store),
        .streams(row[ROW_H_RED_SM]),
        .hbm_first({scale_first[63:0], element_first[63:0]}),
        .hbm_end({scale_end[63:0], element_end[63:0]}),
        .scaled(scaled),
        .pc(pc),
        .issue(request),
        .hold(hold),
        .slot(slot),
        .read_valid(read_valid),
        .read_slot(read_slot),
        .read_fault(read_fault),
        .read_fault_address(read_fault_address),
        .slice_last(stream_valid & stream_last),
        .slice_state(stream_state),
        .slice_fault(stream_fault),
        .slice_fault_address(stream_fault_address),
        .state_valid(softmax_valid),
        .state_number(softmax_tag),
        .write_valid(write_valid),
        .write_fault(write_fault),
        .write_fault_address(write_fault_address),
        .under_way(under_way),
        .complete(slot_complete),
        .fault(fault),
        .fault_slot(fault_slot),
        .fault_pc(fault_pc),
        .fault_address(fault_place)
    );

    // ---- vectors through the lanes ----
    wire vector_start = issue_ok & is_strip & some;
    wire strip_read;
    wire [3*ROW_BITS-1:0] strip_rows;
    wire beat;
    wire beat_is_first;
    wire beat_is_last;
    wire [LANE_BITS:0] lanes_active;
    wire [31:0] beat_index;
    wire [ROW_BITS-1:0] beat_from;
    wire strip_step;
    wire [ROW_BITS-1:0] to_row;
    wire [LANE_BITS:0] to_count;
    wire to_last;
    wire [4*ROW_WIDTH-1:0] source_data;
    wire [ROW_WIDTH-1:0] first_data = source_data[0 +: ROW_WIDTH];
    wire [ROW_WIDTH-1:0] second_data = is_scalar_second | row[ROW_V_CMP_MASK_VF]
        ? {VLEN{f_rs2}} : source_data[ROW_WIDTH +: ROW_WIDTH];
    wire [ROW_WIDTH-1:0] third_data = source_data[2*ROW_WIDTH +: ROW_WIDTH];

    // rmask: the lanes that MASK enables. In its place V_SELECT_VVM and others have a register.
    wire masked = word[18] & (is_arithmetic | row[ROW_V_RED_SUM] | row[ROW_V_RED_MAX]);
    wire [VLEN-1:0] enabled;
    wire [VLEN-1:0] to_lanes;              // of the next result, those that are written
    wire [ROW_WIDTH-1:0] sum_in;
    wire [ROW_WIDTH-1:0] maximum_in;
    wire [31:0] to_lane_count = {{(31 - LANE_BITS){1'b0}}, to_count};

    genvar lane;
    generate
        for (lane = 0; lane < VLEN; lane = lane + 1) begin : lanes
            wire [15:0] code = first_data[16*lane +: 16];
            assign enabled[lane] = ~masked | mask[lane % 32];
            assign to_lanes[lane] = is_compare | (lane < to_lane_count & enabled[lane]);
            assign sum_in[16*lane +: 16] = enabled[lane] ? code : NEG_ZERO;
            assign maximum_in[16*lane +: 16] = enabled[lane] ? code : NEG_INF;
        end
    endgenerate

    unmask_strip #(
        .VLEN(VLEN),
        .ROWS(VECTOR_ROWS)
    ) strip (
        .clk(clk),
        .rst(rst),
        .start(vector_start),
        .start_slow(row[ROW_V_RED_SUM]),
        .start_vl(length[LANE_BITS+ROW_BITS:0]),
        .start_rows({rs3[LANE_BITS +: ROW_BITS], rs2[LANE_BITS +: ROW_BITS],
            rs1[LANE_BITS +: ROW_BITS]}),
        .start_base(row[ROW_V_RED_SM] ? rs3 : rs2),
        .start_to(rd[LANE_BITS +: ROW_BITS]),
        .read_enable(strip_read),
        .read_rows(strip_rows),
        .beat_valid(beat),
        .beat_first(beat_is_first),
        .beat_last(beat_is_last),
        .beat_count(lanes_active),
        .beat_base(beat_index),
        .beat_row(beat_from),
        .step(strip_step),
        .to_row(to_row),
        .to_count(to_count),
        .to_last(to_last)
    );

    wire [2:0] elementwise_op = is_select ? 3'd6
        : row[ROW_V_EXP_V] ? 3'd4
        : row[ROW_V_RECI_V] ? 3'd5
        : row[ROW_V_MUL_VV] | row[ROW_V_MUL_VF] ? 3'd3
        : row[ROW_V_ADD_VV] | row[ROW_V_ADD_VF] ? 3'd0
        : word[22] ? 3'd2 : 3'd1;
    wire elementwise_valid;
    wire [ROW_WIDTH-1:0] elementwise_data;
    wire compare_valid;
    wire [ROW_WIDTH-1:0] compare_data;
    wire best_valid;
    wire best_last;
    wire sum_valid;
    wire sum_last;

    unmask_elementwise #(
        .VLEN(VLEN)
    ) elementwise (
        .clk(clk),
        .rst(rst),
        .in_valid(beat & is_elementwise),
        .in_op(elementwise_op),
        .in_a(first_data),
        .in_b(second_data),
        .in_mask(third_data),
        .out_valid(elementwise_valid),
        .out_data(elementwise_data)
    );

    unmask_compare #(
        .VLEN(VLEN)
    ) comparison (
        .clk(clk),
        .rst(rst),
        .in_valid(beat & is_compare),
        .in_relation(word[28:26]),
        .in_count(lanes_active),
        .in_a(first_data),
        .in_b(second_data),
        .out_valid(compare_valid),
        .out_data(compare_data)
    );

    unmask_max_idx #(
        .VLEN(VLEN)
    ) max_idx (
        .clk(clk),
        .rst(rst),
        .in_valid(beat & is_maximum),
        .in_first(beat_is_first),
        .in_last(beat_is_last),
        .in_data(maximum_in),
        .in_count(lanes_active),
        .in_base(beat_index),
        .in_start_code(f_other),
        .in_start_index(rd),
        .out_valid(best_valid),
        .out_last(best_last),
        .out_code(best_code),
        .out_index(best_index),
        .out_maximum(best_maximum)
    );

    /* verilator lint_off PINCONNECTEMPTY */
    unmask_red_sum #(
        .VLEN(VLEN)
    ) red_sum (
        .clk(clk),
        .rst(rst),
        .in_valid(beat & row[ROW_V_RED_SUM]),
        .in_ready(),                       // the beats come in every fourth cycle
        .in_first(beat_is_first),
        .in_last(beat_is_last),
        .in_data(sum_in),
        .in_count(lanes_active),
        .in_start(f_other),
        .out_valid(sum_valid),
        .out_last(sum_last),
        .out_code(sum_code)
    );
    /* verilator lint_on PINCONNECTEMPTY */

    assign strip_step = elementwise_valid | compare_valid;

    // ---- scalar BF16 ----
    wire float_valid;

    unmask_float float (
        .clk(clk),
        .rst(rst),
        .in_valid(issue_ok & is_float),
        .in_op(row[ROW_S_ADD_FP] ? 3'd0 : row[ROW_S_SUB_FP] ? 3'd1 : row[ROW_S_MAX_FP] ? 3'd2
            : row[ROW_S_MUL_FP] ? 3'd3 : row[ROW_S_EXP_FP] ? 3'd4 : row[ROW_S_RECI_FP] ? 3'd5
            : 3'd6),
        .in_a(f_rs1),
        .in_b(f_rs2),
        .out_valid(float_valid),
        .out_data(float_data)
    );

    // ---- ranks, integer vectors ----
    wire rank_mask_enable;
    wire [ROW_BITS-1:0] rank_mask_row;
    wire rank_conf_enable;
    wire [ROW_BITS-1:0] rank_conf_row;
    wire rank_key_enable;
    wire [KEY_BITS-1:0] rank_key_address;
    wire rank_write;
    wire [ROW_BITS-1:0] rank_row;
    wire [ROW_WIDTH-1:0] rank_data;
    wire rank_valid;
    wire int_compare_enable;
    wire [INT_BITS-1:0] int_compare_address;
    wire int_compare_write;
    wire [ROW_BITS-1:0] int_compare_row;
    wire [ROW_WIDTH-1:0] int_compare_data;
    wire int_compare_valid;
    wire select_enable;
    wire select_write;
    wire [INT_BITS-1:0] select_address;
    wire [31:0] select_wdata;
    wire select_mask_enable;
    wire [ROW_BITS-1:0] select_mask_row;
    wire select_valid;
    wire map_enable;
    wire [FP_BITS-1:0] map_fp_address;
    wire map_write;
    wire [ROW_BITS-1:0] map_row;
    wire [VLEN-1:0] map_lanes;
    wire [ROW_WIDTH-1:0] map_data;
    wire map_valid;

    unmask_rank #(
        .VLEN(VLEN),
        .VECTOR_ROWS(VECTOR_ROWS),
        .KEY_WORDS(KEY_WORDS)
    ) ranks (
        .clk(clk),
        .rst(rst),
        .in_valid(issue_ok & is_rank & some),
        .in_kind(row[ROW_V_TOPK_MASK] ? 2'd3 : row[ROW_V_KEY_MASK_FACTOR] ? 2'd2
            : row[ROW_V_KEY_MASK_RULE] ? 2'd1 : 2'd0),
        .in_length(length),
        .in_row(rd[LANE_BITS +: ROW_BITS]),
        .in_mask_row(rs2[LANE_BITS +: ROW_BITS]),
        .in_conf_row(rs1[LANE_BITS +: ROW_BITS]),
        .in_key(rs1),
        .in_k(rs3),
        .in_limit(limit),
        .in_kmax(kmax),
        .mask_enable(rank_mask_enable),
        .mask_row(rank_mask_row),
        .mask_data(first_data),
        .conf_enable(rank_conf_enable),
        .conf_row(rank_conf_row),
        .conf_data(source_data[ROW_WIDTH +: ROW_WIDTH]),
        .key_enable(rank_key_enable),
        .key_address(rank_key_address),
        .key_data(key_rdata),
        .row_write(rank_write),
        .row_address(rank_row),
        .row_data(rank_data),
        .out_valid(rank_valid)
    );

    unmask_int_compare #(
        .VLEN(VLEN),
        .VECTOR_ROWS(VECTOR_ROWS),
        .INT_WORDS(INT_WORDS)
    ) int_compare (
        .clk(clk),
        .rst(rst),
        .in_valid(issue_ok & is_int_compare & some),
        .in_relation(word[28:26]),
        .in_two(row[ROW_V_CMP_MASK_II]),
        .in_length(length),
        .in_row(rd[LANE_BITS +: ROW_BITS]),
        .in_first(rs1),
        .in_second(rs2),
        .int_enable(int_compare_enable),
        .int_address(int_compare_address),
        .int_data(int_rdata),
        .row_write(int_compare_write),
        .row_address(int_compare_row),
        .row_data(int_compare_data),
        .out_valid(int_compare_valid)
    );

    unmask_select_int #(
        .VLEN(VLEN),
        .VECTOR_ROWS(VECTOR_ROWS),
        .INT_WORDS(INT_WORDS)
    ) select_int (
        .clk(clk),
        .rst(rst),
        .in_valid(issue_ok & is_select_int & some),
        .in_length(length),
        .in_to(rd),
        .in_yes(rs1),
        .in_no(rs2),
        .in_mask_row(rs3[LANE_BITS +: ROW_BITS]),
        .int_enable(select_enable),
        .int_write(select_write),
        .int_address(select_address),
        .int_wdata(select_wdata),
        .int_data(int_rdata),
        .mask_enable(select_mask_enable),
        .mask_row(select_mask_row),
        .mask_data(first_data),
        .out_valid(select_valid)
    );

    unmask_map #(
        .VLEN(VLEN),
        .VECTOR_ROWS(VECTOR_ROWS),
        .FP_WORDS(FP_WORDS)
    ) mapping (
        .clk(clk),
        .rst(rst),
        .in_valid(issue_ok & is_map & some),
        .in_length(length),
        .in_row(rd[LANE_BITS +: ROW_BITS]),
        .in_source(map_address),
        .fp_enable(map_enable),
        .fp_address(map_fp_address),
        .fp_data(fp_rdata),
        .row_write(map_write),
        .row_address(map_row),
        .row_mask(map_lanes),
        .row_data(map_data),
        .out_valid(map_valid)
    );

    // ---- softmax states ----
    wire key_valid;
    wire is_mine = row[ROW_V_RED_SM] & softmax_tag == rd[1:0];   // in_unit: no stream has this tag
    wire state_clear = issue_ok & (row[ROW_S_SM_CLEAR] | (takes_in & word[26] & ~some));

    wire [250:0] stream_value;

    unmask_states states (
        .clk(clk),
        .clear_all(start_taken),
        .clear(state_clear),
        .clear_number(state),
        .write(softmax_valid),
        .write_number(softmax_tag),
        .write_state(softmax_state),
        .read_number(state),
        .read_state(own_state),
        .stream_number(stream_state),
        .stream_state(stream_value)
    );

    unmask_state_view state_view (
        .in_state(own_state),
        .out_maximum(view_maximum),
        .out_index(view_index),
        .out_flags(view_flags)
    );

    /* verilator lint_off PINCONNECTEMPTY */
    unmask_key key_unit (
        .clk(clk),
        .rst(rst),
        .in_valid(issue_ok & is_key),
        .in_ready(),                       // one at a time
        .in_confidence(row[ROW_S_SM_CONF]),
        .in_nan_last(nan_last),
        .in_state(own_state),
        .out_valid(key_valid),
        .out_key(key_key),
        .out_confidence(key_confidence)
    );
    /* verilator lint_on PINCONNECTEMPTY */

    // A stream and V_RED_SM are never at the lanes at once: that one waits.
    wire softmax_out_valid;
    wire softmax_out_last;

    unmask_softmax #(
        .VLEN(VLEN)
    ) softmax (
        .clk(clk),
        .rst(rst),
        .in_valid(stream_valid | (beat & row[ROW_V_RED_SM])),
        .in_first(stream_valid ? stream_first : beat_is_first),
        .in_last(stream_valid ? stream_last : beat_is_last),
        .in_data(stream_valid ? stream_data : first_data),
        .in_active(stream_valid ? stream_active : beat_lanes),
        .in_flags(stream_valid ? stream_flags : {2*VLEN{1'b0}}),
        .in_base(stream_valid ? stream_base : beat_index),
        .in_bans(stream_valid ? stream_bans : bans),
        .in_tag(stream_valid ? stream_state : rd[1:0]),
        .in_start(stream_valid ? (stream_clear ? EMPTY_STATE : stream_value)
            : word[26] ? EMPTY_STATE : own_state),
        .out_valid(softmax_out_valid),
        .out_last(softmax_out_last),
        .out_tag(softmax_tag),
        .out_state(softmax_state)
    );

    wire [VLEN-1:0] beat_lanes;
    wire [31:0] beat_lane_count = {{(31 - LANE_BITS){1'b0}}, lanes_active};
    generate
        for (lane = 0; lane < VLEN; lane = lane + 1) begin : active
            assign beat_lanes[lane] = lane < beat_lane_count;
        end
    endgenerate

    assign softmax_valid = softmax_out_valid & softmax_out_last;

    assign unit_done = (is_float & float_valid)
        | (is_elementwise & elementwise_valid & to_last)
        | (is_compare & compare_valid & to_last)
        | (is_maximum & best_valid & best_last)
        | (row[ROW_V_RED_SUM] & sum_valid & sum_last)
        | (is_mine & softmax_valid)
        | (is_key & key_valid)
        | (is_rank & rank_valid)
        | (is_int_compare & int_compare_valid)
        | (is_select_int & select_valid)
        | (is_map & map_valid);

    // ---- transfers between HBM and the SRAMs ----
    wire [1:0] engine_write;
    wire [2*ROW_BITS-1:0] engine_row;
    wire [2*ROW_WIDTH-1:0] engine_data;
    wire [2*VLEN-1:0] engine_mask;
    wire engine_int_write;
    wire engine_key_write;
    /* verilator lint_off UNUSEDSIGNAL */
    wire [WORD_BITS-1:0] engine_address;   // of the smaller SRAM the lowest bits
    wire [WORD_BITS-1:0] store_address;
    /* verilator lint_on UNUSEDSIGNAL */
    wire [31:0] engine_word;
    wire store_vector_enable;
    wire [ROW_BITS-1:0] store_vector_row;
    wire store_int_enable;
    wire store_key_enable;
    wire [31:0] store_int_data;
    wire [31:0] store_key_data;
    wire [1:0] request_kind = row[ROW_H_RED_SM] ? 2'd0
        : is_rows ? 2'd1
        : row[ROW_H_LD_INT] | row[ROW_H_ST_INT] ? 2'd2 : 2'd3;
    wire [31:0] request_rows = is_rows ? rows : 32'd1;

    /* verilator lint_off PINCONNECTEMPTY */
    unmask_read #(
        .VLEN(VLEN),
        .VECTOR_ROWS(VECTOR_ROWS),
        .INT_WORDS(INT_WORDS),
        .KEY_WORDS(KEY_WORDS),
        .CHANNELS(CHANNELS),
        .BEAT_BITS(BEAT_BITS),
        .BURST(BURST),
        .OUTSTANDING(OUTSTANDING),
        .FIFO(FIFO),
        .RING(RING)
    ) reader (
        .clk(clk),
        .rst(rst),
        .in_valid(request & ~is_store),
        .in_slot(slot),
        .in_kind(request_kind),
        .in_format(format),
        .in_first(element_first[63:0]),
        .in_scale(scale_first[63:0]),
        .in_length(length),
        .in_rows(request_rows),
        .in_pitch(pitch),
        .in_to(rd),
        .in_state(rd[1:0]),
        .in_clear(word[26]),
        .in_index(rs3),
        .in_bans(bans),
        .m_axi_araddr(m_axi_araddr),
        .m_axi_arlen(m_axi_arlen),
        .m_axi_arsize(m_axi_arsize),
        .m_axi_arburst(m_axi_arburst),
        .m_axi_arvalid(m_axi_arvalid),
        .m_axi_arready(m_axi_arready),
        .m_axi_rdata(m_axi_rdata),
        .m_axi_rresp(m_axi_rresp),
        .m_axi_rlast(m_axi_rlast),
        .m_axi_rvalid(m_axi_rvalid),
        .m_axi_rready(m_axi_rready),
        .stream_valid(stream_valid),
        .stream_first(stream_first),
        .stream_last(stream_last),
        .stream_data(stream_data),
        .stream_active(stream_active),
        .stream_flags(stream_flags),
        .stream_base(stream_base),
        .stream_bans(stream_bans),
        .stream_state(stream_state),
        .stream_clear(stream_clear),
        .stream_slot(),                    // the state says which stream it is
        .stream_fault(stream_fault),
        .stream_fault_address(stream_fault_address),
        .vector_write(engine_write),
        .vector_row(engine_row),
        .vector_data(engine_data),
        .vector_mask(engine_mask),
        .int_write(engine_int_write),
        .key_write(engine_key_write),
        .word_address(engine_address),
        .word_data(engine_word),
        .out_valid(read_valid),
        .out_slot(read_slot),
        .out_fault(read_fault),
        .out_fault_address(read_fault_address),
        .idle()
    );
    /* verilator lint_on PINCONNECTEMPTY */

    /* verilator lint_off PINCONNECTEMPTY */
    unmask_write #(
        .VLEN(VLEN),
        .VECTOR_ROWS(VECTOR_ROWS),
        .INT_WORDS(INT_WORDS),
        .KEY_WORDS(KEY_WORDS),
        .CHANNELS(CHANNELS),
        .BEAT_BITS(BEAT_BITS),
        .BURST(BURST),
        .OUTSTANDING(OUTSTANDING),
        .FIFO(FIFO)
    ) writer (
        .clk(clk),
        .rst(rst),
        .in_valid(request & is_store),
        .in_kind(request_kind),
        .in_format(format),
        .in_first(element_first[63:0]),
        .in_scale(scale_first[63:0]),
        .in_length(length),
        .in_rows(request_rows),
        .in_pitch(pitch),
        .in_from(rd),
        .vector_enable(store_vector_enable),
        .vector_row(store_vector_row),
        .vector_data(source_data[3*ROW_WIDTH +: ROW_WIDTH]),
        .int_enable(store_int_enable),
        .key_enable(store_key_enable),
        .word_address(store_address),
        .int_data(store_int_data),
        .key_data(store_key_data),
        .out_valid(write_valid),
        .out_fault(write_fault),
        .out_fault_address(write_fault_address),
        .idle(),
        .m_axi_awaddr(m_axi_awaddr),
        .m_axi_awlen(m_axi_awlen),
        .m_axi_awsize(m_axi_awsize),
        .m_axi_awburst(m_axi_awburst),
        .m_axi_awvalid(m_axi_awvalid),
        .m_axi_awready(m_axi_awready),
        .m_axi_wdata(m_axi_wdata),
        .m_axi_wstrb(m_axi_wstrb),
        .m_axi_wlast(m_axi_wlast),
        .m_axi_wvalid(m_axi_wvalid),
        .m_axi_wready(m_axi_wready),
        .m_axi_bresp(m_axi_bresp),
        .m_axi_bvalid(m_axi_bvalid),
        .m_axi_bready(m_axi_bready)
    );
    /* verilator lint_on PINCONNECTEMPTY */

    // ---- memories ----
    // The host has the front end's ports while the core is idle.
    wire [4:0] host_inside;
    wire [4:0] host_bank = host_valid & ~busy ? host_inside & (5'd1 << host_select) : 5'd0;
    wire [4:0] host_reads = host_write ? 5'd0 : host_bank;
    wire [4:0] host_writes = host_write ? host_bank : 5'd0;
    reg [2:0] host_select_reg;   // of the latest read

    assign host_inside = {host_address >> KEY_BITS == 32'd0, host_address >> INT_BITS == 32'd0,
        host_address >> FP_BITS == 32'd0, host_address >> ROW_BITS == 32'd0,
        host_address >> PROGRAM_BITS == 32'd0 & ~program_valid};

    always @(posedge clk)
        if (rst) host_select_reg <= 3'd0;
        else if (host_reads != 5'd0) host_select_reg <= host_select;

    assign host_rdata = host_select_reg == 3'd0 ? host_word(fetched_word)
        : host_select_reg == 3'd1 ? first_data
        : host_select_reg == 3'd2 ? host_word({16'd0, fp_rdata})
        : host_select_reg == 3'd3 ? host_word(int_rdata)
        : host_word(key_rdata);

    function [ROW_WIDTH-1:0] host_word(input [31:0] value);
        begin
            host_word = {ROW_WIDTH{1'b0}};
            host_word[31:0] = value;
        end
    endfunction

    // Program memory: the control interface goes before the host port.
    wire [PROGRAM_BITS-1:0] program_place = busy ? fetch_pc[PROGRAM_BITS-1:0]
        : program_valid ? program_address[PROGRAM_BITS-1:0] : host_address[PROGRAM_BITS-1:0];

    unmask_sram #(
        .WIDTH(32),
        .WORDS(PROGRAM_WORDS)
    ) program_memory (
        .clk(clk),
        .read_enable(fetch | (program_valid & ~program_write) | host_reads[0]),
        .read_address(program_place),
        .read_data(fetched_word),
        .write_enable((program_valid & program_write) | host_writes[0]),
        .write_address(program_place),
        .write_data(program_valid ? program_wdata : host_wdata[31:0]),
        .write_mask(1'b1)
    );

    wire read_second = strip_read & (is_two_vectors | is_select | row[ROW_V_CMP_MASK_VV]);
    wire row_write = strip_step | rank_write | int_compare_write | map_write;
    wire [ROW_BITS-1:0] front_row = rank_write ? rank_row
        : int_compare_write ? int_compare_row : map_write ? map_row : to_row;
    wire [ROW_WIDTH-1:0] row_wdata = rank_write ? rank_data
        : int_compare_write ? int_compare_data : map_write ? map_data
        : compare_valid ? compare_data : elementwise_data;
    wire [VLEN-1:0] row_lanes = rank_write | int_compare_write ? {VLEN{1'b1}}
        : map_write ? map_lanes : to_lanes;

    unmask_vector_sram #(
        .VLEN(VLEN),
        .ROWS(VECTOR_ROWS)
    ) vector_memory (
        .clk(clk),
        .read_enable({
            store_vector_enable,
            strip_read & is_select,
            read_second | rank_conf_enable,
            strip_read | rank_mask_enable | select_mask_enable | host_reads[1]}),
        .read_row({
            store_vector_row,
            strip_rows[2*ROW_BITS +: ROW_BITS],
            rank_conf_enable ? rank_conf_row : strip_rows[ROW_BITS +: ROW_BITS],
            ~busy ? host_address[ROW_BITS-1:0]
                : rank_mask_enable ? rank_mask_row
                : select_mask_enable ? select_mask_row : strip_rows[0 +: ROW_BITS]}),
        .read_data(source_data),
        .front_write(row_write | host_writes[1]),
        .front_row(busy ? front_row : host_address[ROW_BITS-1:0]),
        .front_data(busy ? row_wdata : host_wdata),
        .front_mask(busy ? row_lanes : {VLEN{1'b1}}),
        .engine_write(engine_write),
        .engine_row(engine_row),
        .engine_data(engine_data),
        .engine_mask(engine_mask)
    );

    wire fp_store = issue_ok & row[ROW_S_ST_FP];

    unmask_sram #(
        .WIDTH(16),
        .WORDS(FP_WORDS)
    ) fp_memory (
        .clk(clk),
        .read_enable((issue_ok & row[ROW_S_LD_FP]) | map_enable | host_reads[2]),
        .read_address(~busy ? host_address[FP_BITS-1:0]
            : map_enable ? map_fp_address : sum[FP_BITS-1:0]),
        .read_data(fp_rdata),
        .write_enable(fp_store | host_writes[2]),
        .write_address(busy ? sum[FP_BITS-1:0] : host_address[FP_BITS-1:0]),
        .write_data(busy ? f_other : host_wdata[15:0]),
        .write_mask(1'b1)
    );

    wire state_to_int = in_load & row[ROW_S_SM_ST_IDX];
    wire int_store = (issue_ok & row[ROW_S_ST_INT]) | state_to_int;
    wire [31:0] int_store_address = row[ROW_S_SM_ST_IDX] ? rd : sum;
    wire [31:0] int_store_data = row[ROW_S_SM_ST_IDX] ? view_index : rd;
    wire [31:0] int_other_data;

    unmask_sram #(
        .WIDTH(32),
        .WORDS(INT_WORDS),
        .READS(2),
        .WRITES(2)
    ) int_memory (
        .clk(clk),
        .read_enable({store_int_enable, (issue_ok & row[ROW_S_LD_INT]) | int_compare_enable
            | (select_enable & ~select_write) | host_reads[3]}),
        .read_address({store_address[INT_BITS-1:0],
            ~busy ? host_address[INT_BITS-1:0]
                : int_compare_enable ? int_compare_address
                : select_enable ? select_address : sum[INT_BITS-1:0]}),
        .read_data({int_other_data, int_rdata}),
        .write_enable({engine_int_write, int_store | (select_enable & select_write)
            | host_writes[3]}),
        .write_address({engine_address[INT_BITS-1:0],
            ~busy ? host_address[INT_BITS-1:0]
                : select_enable ? select_address : int_store_address[INT_BITS-1:0]}),
        .write_data({engine_word,
            ~busy ? host_wdata[31:0] : select_enable ? select_wdata : int_store_data}),
        .write_mask(2'b11)
    );

    wire state_to_key = in_unit & row[ROW_S_SM_ST_KEY] & key_valid;
    wire key_store = (issue_ok & row[ROW_S_ST_KEY]) | state_to_key;
    wire [31:0] key_store_address = row[ROW_S_SM_ST_KEY] ? rd : rs1;
    wire [31:0] key_store_data = row[ROW_S_SM_ST_KEY] ? key_key : rd;
    wire [31:0] key_other_data;

    unmask_sram #(
        .WIDTH(32),
        .WORDS(KEY_WORDS),
        .READS(2),
        .WRITES(2)
    ) key_memory (
        .clk(clk),
        .read_enable({store_key_enable,
            (issue_ok & row[ROW_S_LD_KEY]) | rank_key_enable | host_reads[4]}),
        .read_address({store_address[KEY_BITS-1:0],
            ~busy ? host_address[KEY_BITS-1:0]
                : rank_key_enable ? rank_key_address : rs1[KEY_BITS-1:0]}),
        .read_data({key_other_data, key_rdata}),
        .write_enable({engine_key_write, key_store | host_writes[4]}),
        .write_address({engine_address[KEY_BITS-1:0],
            busy ? key_store_address[KEY_BITS-1:0] : host_address[KEY_BITS-1:0]}),
        .write_data({engine_word, busy ? key_store_data : host_wdata[31:0]}),
        .write_mask(2'b11)
    );

    assign store_int_data = int_other_data;
    assign store_key_data = key_other_data;

    // ---- retire port ----
    unmask_retire #(
        .VLEN(VLEN),
        .VECTOR_ROWS(VECTOR_ROWS),
        .PC_BITS(PC_BITS)
    ) retire_port (
        .clk(clk),
        .rst(rst),
        .start_taken(start_taken),
        .busy(busy),
        .retire(retire),
        .cause(cause),
        .stop(stop),
        .fetch_pc(fetch_pc),
        .issue_pc(issue_pc),
        .issue_word(issue_word),
        .gp_write(gp_write),
        .gp_address(gp_address),
        .gp_data(gp_data),
        .f_write(f_write),
        .f_address(f_address),
        .f_data(f_data),
        .a_write(a_write),
        .a_address(word[8:6]),
        .a_data({rs1, rs2}),
        .csr_write(csr_write),
        .csr_number(csr_number),
        .csr_data(csr_data),
        .fp_store(fp_store),
        .fp_store_address(sum),
        .fp_store_data(f_other),
        .int_store(int_store),
        .int_store_address(int_store_address),
        .int_store_data(int_store_data),
        .key_store(key_store),
        .key_store_address(key_store_address),
        .key_store_data(key_store_data),
        .unit_valid(beat),
        .unit_first(beat_is_first),
        .unit_row(beat_from),
        .unit_count(lanes_active),
        .unit_data(first_data),
        .state_clear(state_clear),
        .state_cleared(state),
        .state_write(softmax_valid),
        .state_mine(in_unit & is_mine),
        .state_written(softmax_tag),
        .state_data(softmax_state),
        .row_write(row_write),
        .row_written(front_row),
        .row_lanes(row_lanes),
        .row_wdata(row_wdata),
        .word_write(select_enable & select_write),
        .word_written({{(32 - INT_BITS){1'b0}}, select_address}),
        .word_wdata(select_wdata),
        .engine_write(engine_write),
        .engine_row(engine_row),
        .engine_data(engine_data),
        .engine_mask(engine_mask),
        .engine_int_write(engine_int_write),
        .engine_key_write(engine_key_write),
        .engine_address({{(32 - WORD_BITS){1'b0}}, engine_address}),
        .engine_word(engine_word),
        .request(request),
        .slot(slot),
        .request_kind(request_kind),
        .request_state(state),
        .slot_complete(slot_complete),
        .fault_slot(fault_slot),
        .fault_pc(fault_pc),
        .retire_valid(retire_valid),
        .retire_order(retire_order),
        .retire_pc(retire_pc),
        .retire_word(retire_word),
        .retire_next_pc(retire_next_pc),
        .retire_cause(retire_cause),
        .retire_stop(retire_stop),
        .retire_cycle(retire_cycle),
        .retire_gp_write(retire_gp_write),
        .retire_gp_address(retire_gp_address),
        .retire_gp_data(retire_gp_data),
        .retire_f_write(retire_f_write),
        .retire_f_address(retire_f_address),
        .retire_f_data(retire_f_data),
        .retire_a_write(retire_a_write),
        .retire_a_address(retire_a_address),
        .retire_a_data(retire_a_data),
        .retire_csr_write(retire_csr_write),
        .retire_csr_number(retire_csr_number),
        .retire_csr_data(retire_csr_data),
        .retire_store(retire_store),
        .retire_store_select(retire_store_select),
        .retire_store_address(retire_store_address),
        .retire_store_data(retire_store_data),
        .retire_clear(retire_clear),
        .retire_clear_number(retire_clear_number),
        .beat_valid(beat_valid),
        .beat_order(beat_order),
        .beat_chunk(beat_chunk),
        .beat_row(beat_row),
        .beat_count(beat_count),
        .beat_data(beat_data),
        .state_valid(state_valid),
        .state_order(state_order),
        .state_number(state_number),
        .state_value(state_value),
        .row_valid(row_valid),
        .row_order(row_order),
        .row_address(row_address),
        .row_mask(row_mask),
        .row_data(row_data),
        .word_valid(word_valid),
        .word_order(word_order),
        .word_address(word_address),
        .word_data(word_data),
        .moved_row_valid(moved_row_valid),
        .moved_row_order(moved_row_order),
        .moved_row_address(moved_row_address),
        .moved_row_mask(moved_row_mask),
        .moved_row_data(moved_row_data),
        .moved_word_valid(moved_word_valid),
        .moved_word_order(moved_word_order),
        .moved_word_select(moved_word_select),
        .moved_word_address(moved_word_address),
        .moved_word_data(moved_word_data),
        .complete_valid(complete_valid),
        .complete_order(complete_order)
    );

endmodule

`default_nettype wire
