// The core: fetches a program, runs it, stops. Here the parts are wired together.
//
// Host: while the core is idle, words of the four memories are written and read through host_*
// (vector SRAM by rows). A read's data is on host_rdata from the next cycle on and stays until the
// next read or start; an access outside the memory, or while busy, does nothing, host_rdata
// included. `start` runs program words 0 to program_length - 1 from pc 0 with all registers zero
// and VL = VLEN, until C_BREAK or a trap; then `done` is high, with trap_cause and trap_pc (both
// 0 without a trap), until the next start. Reset stops a run; memories keep what they hold.
//
// Cycles from issue to retire, both included: 1; S_LD_FP and S_LD_INT 2; V_RED_MAX_IDX of n > 0
// chunks n + log2(VLEN) + 3; C_LOOP_START of zero iterations 1 + words examined. The next
// instruction issues in the cycle after; hardware loops cost nothing.
//
// retire_* and beat_* are for verification only: see unmask_retire.
`default_nettype none

module unmask_core #(
    // Lanes: a power of two, 2 to 2048
    parameter VLEN = 8,
    // Rows of vector SRAM: a power of two, at least 2; VLEN * VECTOR_ROWS at most 2**30
    parameter VECTOR_ROWS = 64,
    // Words of FP, int and program memory: powers of two, 2 to 2**24
    parameter FP_WORDS = 1024,
    parameter INT_WORDS = 4096,
    parameter PROGRAM_WORDS = 1024,
    // Loops that may be nested: at least 2
    parameter LOOP_DEPTH = 8
) (
    input  wire                  clk,
    input  wire                  rst,

    // Host
    input  wire                  host_valid,
    input  wire                  host_write,
    input  wire [1:0]            host_select,    // 0 program, 1 vector, 2 FP, 3 int
    input  wire [31:0]           host_address,   // words
    input  wire [16*VLEN-1:0]    host_wdata,
    output wire [16*VLEN-1:0]    host_rdata,

    input  wire                  start,
    input  wire [31:0]           program_length, // words, read with start
    output wire                  busy,
    output wire                  done,
    output wire [3:0]            trap_cause,
    output wire [31:0]           trap_pc,

    // Retire port, version 1
    output wire                  retire_valid,
    output wire [31:0]           retire_order,
    output wire [31:0]           retire_pc,
    output wire [31:0]           retire_word,
    output wire [31:0]           retire_next_pc,
    output wire [3:0]            retire_cause,
    output wire                  retire_stop,
    output wire [31:0]           retire_cycle,
    output wire                  retire_gp_write,
    output wire [3:0]            retire_gp_address,
    output wire [31:0]           retire_gp_data,
    output wire                  retire_f_write,
    output wire [2:0]            retire_f_address,
    output wire [15:0]           retire_f_data,
    output wire                  retire_vl_write,
    output wire [31:0]           retire_vl_data,
    output wire                  retire_store,
    output wire [1:0]            retire_store_select,
    output wire [31:0]           retire_store_address,
    output wire [31:0]           retire_store_data,
    output wire                  beat_valid,
    output wire [31:0]           beat_order,
    output wire [31:0]           beat_chunk,
    output wire [31:0]           beat_row,
    output wire [$clog2(VLEN):0] beat_count,
    output wire [16*VLEN-1:0]    beat_data
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
    localparam INT_BITS = $clog2(INT_WORDS);
    localparam PC_BITS = $clog2(PROGRAM_WORDS) + 1;   // the place past the end included

    // ---- control ----
    wire start_taken;
    wire fetch;
    wire [PC_BITS-1:0] fetch_pc;
    wire [PC_BITS-1:0] next_word_pc;
    wire [31:0] fetched_word;
    wire [31:0] word;
    wire in_issue;
    wire in_load;
    wire in_vector;
    wire in_scan;
    wire [3:0] issue_cause;
    wire vector_done;
    wire retire;
    wire [3:0] cause;
    wire stop;
    wire [31:0] issue_pc;
    wire [31:0] issue_word;

    wire legal;
    wire is_s_ld_fp;
    wire is_s_st_fp;
    wire is_s_add_int;
    wire is_s_addi_int;
    wire is_s_lui_int;
    wire is_s_ld_int;
    wire is_s_st_int;
    wire is_c_loop_start;
    wire is_c_loop_end;
    wire is_v_red_max_idx;
    wire is_c_break;
    wire is_c_set_csr;

    reg [31:0] vl_reg;

    wire issue_ok = in_issue & issue_cause == TRAP_NONE;
    wire is_vector = is_v_red_max_idx & vl_reg != 32'd0;

    wire stack_empty;
    wire stack_full;
    wire [PC_BITS-1:0] loop_back_pc;
    wire [21:0] loop_remaining;
    wire [3:0] loop_register;
    wire loop_last = loop_remaining == 22'd0;
    wire loop_end = issue_ok & is_c_loop_end;
    wire loop_back = loop_end & ~loop_last;

    unmask_control #(
        .PROGRAM_WORDS(PROGRAM_WORDS)
    ) control (
        .clk(clk),
        .rst(rst),
        .start(start),
        .program_length(program_length),
        .start_taken(start_taken),
        .busy(busy),
        .done(done),
        .trap_cause(trap_cause),
        .trap_pc(trap_pc),
        .fetch(fetch),
        .fetch_pc(fetch_pc),
        .fetched_word(fetched_word),
        .word(word),
        .next_word_pc(next_word_pc),
        .in_issue(in_issue),
        .in_load(in_load),
        .in_vector(in_vector),
        .in_scan(in_scan),
        .is_load(is_s_ld_fp | is_s_ld_int),
        .is_vector(is_vector),
        .is_c_loop_start(is_c_loop_start),
        .is_c_break(is_c_break),
        .loop_back(loop_back),
        .loop_back_pc(loop_back_pc),
        .issue_cause(issue_cause),
        .vector_done(vector_done),
        .retire(retire),
        .cause(cause),
        .stop(stop),
        .issue_pc(issue_pc),
        .issue_word(issue_word)
    );

    unmask_decode decode (
        .word(word),
        .legal(legal),
        .is_s_ld_fp(is_s_ld_fp),
        .is_s_st_fp(is_s_st_fp),
        .is_s_add_int(is_s_add_int),
        .is_s_addi_int(is_s_addi_int),
        .is_s_lui_int(is_s_lui_int),
        .is_s_ld_int(is_s_ld_int),
        .is_s_st_int(is_s_st_int),
        .is_c_loop_start(is_c_loop_start),
        .is_c_loop_end(is_c_loop_end),
        .is_v_red_max_idx(is_v_red_max_idx),
        .is_c_break(is_c_break),
        .is_c_set_csr(is_c_set_csr)
    );

    unmask_loop_stack #(
        .DEPTH(LOOP_DEPTH),
        .PC_BITS(PC_BITS),
        .COUNT_BITS(22)
    ) loop_stack (
        .clk(clk),
        .clear(start_taken),
        .push(issue_ok & is_c_loop_start & word[31:10] != 22'd0),
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
    wire [31:0] rs1;
    wire [31:0] rs2_or_rd;
    wire [31:0] alu_rd;
    wire [15:0] f_operand;
    wire [15:0] unit_code;
    wire [31:0] unit_index;
    wire [15:0] fp_rdata;
    wire [31:0] int_rdata;

    // What changes nothing on purpose writes nothing: a trap, VL = 0, gp0 and f0.
    wire gp_result = in_issue
        ? issue_ok & (is_s_add_int | is_s_addi_int | is_s_lui_int | is_c_loop_start | is_c_loop_end)
        : in_load ? is_s_ld_int
        : cause == TRAP_NONE;
    wire [3:0] gp_address = in_scan ? issue_word[9:6] : word[9:6];
    wire gp_write = retire & gp_result & gp_address != 4'd0;
    wire [31:0] gp_data = in_vector ? unit_index
        : in_load ? int_rdata
        : in_scan ? 32'd0
        : is_c_loop_start ? {10'd0, word[31:10]}
        : is_c_loop_end ? {10'd0, loop_remaining}
        : alu_rd;

    wire f_result = in_vector | (in_load & is_s_ld_fp);
    wire [2:0] f_address = in_vector ? word[20:18] : word[8:6];
    wire f_write = retire & f_result & f_address != 3'd0;
    wire [15:0] f_data = in_vector ? unit_code : fp_rdata;

    // Two read ports do for three operands: S_ST_INT has no rs2, and V_RED_MAX_IDX needs rs2 when
    // it issues but rd, where the running index is, a cycle later.
    unmask_registers #(
        .COUNT(16),
        .WIDTH(32),
        .READS(2)
    ) gp (
        .clk(clk),
        .clear(start_taken),
        .read_address({in_vector | is_s_st_int ? word[9:6] : word[17:14], word[13:10]}),
        .read_data({rs2_or_rd, rs1}),
        .write(gp_write),
        .write_address(gp_address),
        .write_data(gp_data)
    );

    unmask_registers #(
        .COUNT(8),
        .WIDTH(16),
        .READS(1)
    ) f (
        .clk(clk),
        .clear(start_taken),
        .read_address(f_address),
        .read_data(f_operand),
        .write(f_write),
        .write_address(f_address),
        .write_data(f_data)
    );

    unmask_alu_int alu_int (
        .in_op(is_s_add_int ? 2'd0 : is_s_lui_int ? 2'd2 : 2'd1),
        .in_rs1(rs1),
        .in_rs2(rs2_or_rd),
        .in_imm18({14'd0, word[31:14]}),
        .in_imm22({10'd0, word[31:10]}),
        .out_rd(alu_rd)
    );

    wire vl_write = issue_ok & is_c_set_csr;

    always @(posedge clk)
        if (start_taken) vl_reg <= VLEN;
        else if (vl_write) vl_reg <= alu_rd;

    unmask_trap_check #(
        .VLEN(VLEN),
        .VECTOR_ROWS(VECTOR_ROWS),
        .FP_WORDS(FP_WORDS),
        .INT_WORDS(INT_WORDS)
    ) trap_check (
        .legal(legal),
        .is_c_loop_start(is_c_loop_start),
        .is_c_loop_end(is_c_loop_end),
        .is_v_red_max_idx(is_v_red_max_idx),
        .is_fp_access(is_s_ld_fp | is_s_st_fp),
        .is_int_access(is_s_ld_int | is_s_st_int),
        .stack_full(stack_full),
        .stack_empty(stack_empty),
        .stack_match(loop_register == word[9:6]),
        .vector_address(rs1),
        .vl(vl_reg),
        .scalar_address(alu_rd),
        .cause(issue_cause)
    );

    // ---- vector unit ----
    wire row_read;
    wire [ROW_BITS-1:0] row_address;
    wire [16*VLEN-1:0] row_data;
    wire unit_in_valid;
    wire unit_in_first;
    wire unit_in_last;
    wire [LANE_BITS:0] unit_in_count;
    wire [31:0] unit_in_base;
    wire [ROW_BITS-1:0] unit_in_row;
    wire unit_valid;
    wire unit_last;

    unmask_strip #(
        .VLEN(VLEN),
        .ROWS(VECTOR_ROWS)
    ) strip (
        .clk(clk),
        .rst(rst),
        .start(issue_ok & is_vector),
        .start_vl(vl_reg[LANE_BITS+ROW_BITS:0]),
        .start_row(rs1[LANE_BITS +: ROW_BITS]),
        .start_base(rs2_or_rd),
        .read_enable(row_read),
        .read_row(row_address),
        .beat_valid(unit_in_valid),
        .beat_first(unit_in_first),
        .beat_last(unit_in_last),
        .beat_count(unit_in_count),
        .beat_base(unit_in_base),
        .beat_row(unit_in_row)
    );

    unmask_max_idx #(
        .VLEN(VLEN)
    ) max_idx (
        .clk(clk),
        .rst(rst),
        .in_valid(unit_in_valid),
        .in_first(unit_in_first),
        .in_last(unit_in_last),
        .in_data(row_data),
        .in_count(unit_in_count),
        .in_base(unit_in_base),
        .in_start_code(f_operand),
        .in_start_index(rs2_or_rd),
        .out_valid(unit_valid),
        .out_last(unit_last),
        .out_code(unit_code),
        .out_index(unit_index)
    );

    assign vector_done = unit_valid & unit_last;

    // ---- memories ----
    reg [1:0] host_select_reg;   // of the latest read
    wire [3:0] host_read;
    wire [3:0] host_bank = host_valid & ~busy ? 4'd1 << host_select : 4'd0;
    wire fp_store = issue_ok & is_s_st_fp;
    wire int_store = issue_ok & is_s_st_int;

    always @(posedge clk)
        if (rst) host_select_reg <= 2'd0;
        else if (host_read != 4'd0) host_select_reg <= host_select;

    assign host_rdata = host_select_reg == 2'd0 ? host_word(fetched_word)
        : host_select_reg == 2'd1 ? row_data
        : host_select_reg == 2'd2 ? host_word({16'd0, fp_rdata})
        : host_word(int_rdata);

    function [16*VLEN-1:0] host_word(input [31:0] value);
        begin
            host_word = {16*VLEN{1'b0}};
            host_word[31:0] = value;
        end
    endfunction

    unmask_bank #(
        .WIDTH(32),
        .WORDS(PROGRAM_WORDS)
    ) program_memory (
        .clk(clk),
        .host_valid(host_bank[0]),
        .host_write(host_write),
        .host_address(host_address),
        .host_wdata(host_wdata[31:0]),
        .host_read(host_read[0]),
        .core_enable(fetch),
        .core_write(1'b0),
        .core_address(fetch_pc[PC_BITS-2:0]),
        .core_wdata(32'd0),
        .rdata(fetched_word)
    );

    unmask_bank #(
        .WIDTH(16*VLEN),
        .WORDS(VECTOR_ROWS)
    ) vector_memory (
        .clk(clk),
        .host_valid(host_bank[1]),
        .host_write(host_write),
        .host_address(host_address),
        .host_wdata(host_wdata),
        .host_read(host_read[1]),
        .core_enable(row_read),
        .core_write(1'b0),
        .core_address(row_address),
        .core_wdata({16*VLEN{1'b0}}),
        .rdata(row_data)
    );

    unmask_bank #(
        .WIDTH(16),
        .WORDS(FP_WORDS)
    ) fp_memory (
        .clk(clk),
        .host_valid(host_bank[2]),
        .host_write(host_write),
        .host_address(host_address),
        .host_wdata(host_wdata[15:0]),
        .host_read(host_read[2]),
        .core_enable(fp_store | (issue_ok & is_s_ld_fp)),
        .core_write(fp_store),
        .core_address(alu_rd[FP_BITS-1:0]),
        .core_wdata(f_operand),
        .rdata(fp_rdata)
    );

    unmask_bank #(
        .WIDTH(32),
        .WORDS(INT_WORDS)
    ) int_memory (
        .clk(clk),
        .host_valid(host_bank[3]),
        .host_write(host_write),
        .host_address(host_address),
        .host_wdata(host_wdata[31:0]),
        .host_read(host_read[3]),
        .core_enable(int_store | (issue_ok & is_s_ld_int)),
        .core_write(int_store),
        .core_address(alu_rd[INT_BITS-1:0]),
        .core_wdata(rs2_or_rd),
        .rdata(int_rdata)
    );

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
        .vl_write(vl_write),
        .vl_data(alu_rd),
        .fp_store(fp_store),
        .int_store(int_store),
        .store_address(alu_rd),
        .fp_store_data(f_operand),
        .int_store_data(rs2_or_rd),
        .unit_valid(unit_in_valid),
        .unit_first(unit_in_first),
        .unit_row(unit_in_row),
        .unit_count(unit_in_count),
        .unit_data(row_data),
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
        .retire_vl_write(retire_vl_write),
        .retire_vl_data(retire_vl_data),
        .retire_store(retire_store),
        .retire_store_select(retire_store_select),
        .retire_store_address(retire_store_address),
        .retire_store_data(retire_store_data),
        .beat_valid(beat_valid),
        .beat_order(beat_order),
        .beat_chunk(beat_chunk),
        .beat_row(beat_row),
        .beat_count(beat_count),
        .beat_data(beat_data)
    );

endmodule

`default_nettype wire
