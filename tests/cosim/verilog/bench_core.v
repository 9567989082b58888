// Bench of the core, for simulation: loads memories from a file, runs a program with a memory
// behind the core, and writes what happened into another file, so that Python acts twice a program.
//
// Each change of `go` runs the case in case.hex, whose lines are, from the top: SETTINGS settings
// (SET_* below), then {select, address, data} of each word to load. A `done` that equals `go` says
// that records.txt is complete. Its lines begin with a letter:
//   R completion, B beat, S state, W row, V word, M rows from HBM, N word from HBM, C transfers
//   complete, each with the bench's own cycle first; G when the host asked for a halt and when that
//   was answered; E the end; H a control register and D a word of a memory afterwards
// and hold hexadecimal numbers, with an x where a bit is unknown.
`default_nettype none

module bench_core #(
    parameter VLEN = 8,
    parameter VECTOR_ROWS = 8,
    parameter FP_WORDS = 16,
    parameter KEY_WORDS = 16,
    parameter INT_WORDS = 16,
    parameter PROGRAM_WORDS = 64,
    parameter LOOP_DEPTH = 2,
    parameter CHANNELS = 1,
    parameter BEAT_BITS = 64,
    parameter BURST = 16,
    parameter OUTSTANDING = 16,
    parameter FIFO = 16,
    parameter RING = 256,
    parameter HBM_BYTES = 1024,
    parameter ENTRIES = 65536            // of case.hex
) (
    input  wire        clk,
    input  wire        go,
    input  wire [31:0] count,            // lines of case.hex
    output reg         done
);

    localparam ROW_WIDTH = 16 * VLEN;
    localparam DATA = ROW_WIDTH > BEAT_BITS ? ROW_WIDTH : BEAT_BITS;   // both at least 32
    localparam LINE = DATA + 64;
    localparam BEATS = HBM_BYTES * 8 / BEAT_BITS;

    // Places of the settings
    localparam SET_ENTRIES = 0;      // words to load
    localparam SET_FLAGS = 1;        // 1 reset first, 2 a host that disturbs, 4 read memories back,
                                     // 8 all of HBM is in hbm.hex, 16 read what the core was built with
    localparam SET_LENGTH = 2;       // program length
    localparam SET_ABANDON = 3;      // cycles of a first run that a reset ends, plus 1; 0: none
    localparam SET_HALT = 4;         // cycle in which the host halts, plus 1; 0: never
    localparam SET_LIMIT = 5;        // cycles after which it is hopeless
    localparam SET_QUIET = 6;        // cycle from which on the host asks for nothing
    localparam SET_WINDOW = 7;       // and the next
    localparam SET_BUS = 9;          // latency, jitter, cycles, beats, period, length, shift, seed,
                                     // outstanding, hold
    localparam SET_FAULT = 19;       // first, end, first, end, codes
    localparam SET_CUTS = 24;        // four numbers of 64 bits
    localparam SET_WORD = 28;        // of program memory, written by AXI4-Lite: place, value
    localparam SETTINGS = 30;

    reg [LINE-1:0] lines [0:ENTRIES-1];

    localparam [3:0] IDLE = 4'd0;
    localparam [3:0] LOAD = 4'd1;
    localparam [3:0] FIRST = 4'd2;
    localparam [3:0] AGAIN = 4'd3;
    localparam [3:0] START = 4'd4;
    localparam [3:0] RUN = 4'd5;
    localparam [3:0] AFTER = 4'd6;
    localparam [3:0] READ = 4'd7;
    localparam [3:0] WAIT = 4'd8;
    localparam [3:0] BORDER = 4'd9;
    localparam [3:0] CONFIG = 4'd10;
    localparam [3:0] STATUS = 4'd11;
    localparam [3:0] OUTSIDE = 4'd12;

    reg [3:0] state;
    reg [31:0] place;
    reg [31:0] cycle;                // cycle 0 follows the edge that takes `start`
    reg abandoned;
    reg [2:0] select;
    integer file;

    reg rst;
    reg host_valid;
    reg host_write;
    reg [2:0] host_select;
    reg [31:0] host_address;
    reg [ROW_WIDTH-1:0] host_wdata;
    wire [ROW_WIDTH-1:0] host_rdata;
    reg [ROW_WIDTH-1:0] kept;
    reg [31:0] control_address;      // AXI4-Lite
    reg [31:0] control_data;
    reg control_awvalid;
    reg control_wvalid;
    reg control_arvalid;
    wire control_awready;
    wire control_wready;
    wire [1:0] control_bresp;
    wire control_bvalid;
    wire control_arready;
    wire [31:0] control_rdata;
    wire [1:0] control_rresp;
    wire control_rvalid;
    reg waits;                       // for the answer
    reg [31:0] patience;             // cycles that it has waited
    reg [1:0] owed_resp;             // the answer that is due
    reg [2:0] owed_kind;             // and its data, one of OWED_*
    reg [31:0] owed_data;
    reg [5:0] step;
    reg halted_once;
    reg halt_waits;
    reg [31:0] halt_cycle;           // in which it was asked for
    reg [31:0] retired;              // instructions that the retire port has shown
    reg hbm_write;
    reg [31:0] hbm_address;
    reg [BEAT_BITS-1:0] hbm_wdata;
    wire [BEAT_BITS-1:0] hbm_rdata;

    wire busy;
    wire core_done;
    wire halted;
    wire [3:0] trap_cause;
    wire [31:0] trap_pc;
    wire [63:0] fault_address;
    wire [15:0] memory_error;
    wire [31:0] memory_cycle;

    wire retire_valid;
    wire [31:0] retire_order;
    wire [31:0] retire_pc;
    wire [31:0] retire_word;
    wire [31:0] retire_next_pc;
    wire [3:0] retire_cause;
    wire retire_stop;
    wire [31:0] retire_cycle;
    wire retire_gp_write;
    wire [3:0] retire_gp_address;
    wire [31:0] retire_gp_data;
    wire retire_f_write;
    wire [2:0] retire_f_address;
    wire [15:0] retire_f_data;
    wire retire_a_write;
    wire [2:0] retire_a_address;
    wire [63:0] retire_a_data;
    wire retire_csr_write;
    wire [3:0] retire_csr_number;
    wire [31:0] retire_csr_data;
    wire retire_store;
    wire [2:0] retire_store_select;
    wire [31:0] retire_store_address;
    wire [31:0] retire_store_data;
    wire retire_clear;
    wire [1:0] retire_clear_number;
    wire beat_valid;
    wire [31:0] beat_order;
    wire [31:0] beat_chunk;
    wire [31:0] beat_row;
    wire [$clog2(VLEN):0] beat_count;
    wire [16*VLEN-1:0] beat_data;
    wire state_valid;
    wire [31:0] state_order;
    wire [1:0] state_number;
    wire [250:0] state_value;
    wire row_valid;
    wire [31:0] row_order;
    wire [31:0] row_address;
    wire [VLEN-1:0] row_mask;
    wire [16*VLEN-1:0] row_data;
    wire word_valid;
    wire [31:0] word_order;
    wire [31:0] word_address;
    wire [31:0] word_data;
    wire [1:0] moved_row_valid;
    wire [31:0] moved_row_order;
    wire [63:0] moved_row_address;
    wire [2*VLEN-1:0] moved_row_mask;
    wire [32*VLEN-1:0] moved_row_data;
    wire moved_word_valid;
    wire [31:0] moved_word_order;
    wire [2:0] moved_word_select;
    wire [31:0] moved_word_address;
    wire [31:0] moved_word_data;
    wire [3:0] complete_valid;
    wire [127:0] complete_order;

    // Cycle 0 is the first in which the core is busy; the memory's cycles are to be the same, so it
    // is reset up to the cycle before.
    wire memory_reset = ~busy;

    // A busy core's wide port opens to nobody: reads and writes of all memories, up to the last
    // cycle, in which a host that disturbs must still be refused.
    wire disturbs = flags[1] & (state == RUN | state == FIRST) & busy;
    wire [31:0] whim = mixed(cycle);
    wire [31:0] whim_place = mixed(~cycle);
    wire [2:0] whim_select = whim[3:1];
    wire [31:0] whim_address = whim[5:4] == 2'd0 ? whim_place
        : whim_place & (size(whim_select) - 32'd1);

    wire [LINE-1:0] line = lines[SETTINGS + place];
    wire [31:0] flags = lines[SET_FLAGS][31:0];

    wire [64*CHANNELS-1:0] araddr;
    wire [8*CHANNELS-1:0] arlen;
    wire [3*CHANNELS-1:0] arsize;
    wire [2*CHANNELS-1:0] arburst;
    wire [CHANNELS-1:0] arvalid;
    wire [CHANNELS-1:0] arready;
    wire [BEAT_BITS*CHANNELS-1:0] rdata;
    wire [2*CHANNELS-1:0] rresp;
    wire [CHANNELS-1:0] rlast;
    wire [CHANNELS-1:0] rvalid;
    wire [CHANNELS-1:0] rready;
    wire [64*CHANNELS-1:0] awaddr;
    wire [8*CHANNELS-1:0] awlen;
    wire [3*CHANNELS-1:0] awsize;
    wire [2*CHANNELS-1:0] awburst;
    wire [CHANNELS-1:0] awvalid;
    wire [CHANNELS-1:0] awready;
    wire [BEAT_BITS*CHANNELS-1:0] wdata;
    wire [BEAT_BITS/8*CHANNELS-1:0] wstrb;
    wire [CHANNELS-1:0] wlast;
    wire [CHANNELS-1:0] wvalid;
    wire [CHANNELS-1:0] wready;
    wire [2*CHANNELS-1:0] bresp;
    wire [CHANNELS-1:0] bvalid;
    wire [CHANNELS-1:0] bready;

`ifdef NETLIST
    unmask_core core (
`else
    unmask_core #(
        .VLEN(VLEN), .VECTOR_ROWS(VECTOR_ROWS), .FP_WORDS(FP_WORDS), .KEY_WORDS(KEY_WORDS),
        .INT_WORDS(INT_WORDS), .PROGRAM_WORDS(PROGRAM_WORDS), .LOOP_DEPTH(LOOP_DEPTH),
        .CHANNELS(CHANNELS), .BEAT_BITS(BEAT_BITS), .BURST(BURST), .OUTSTANDING(OUTSTANDING),
        .FIFO(FIFO), .RING(RING)
    ) core (
`endif
        .clk(clk), .rst(rst),
        .s_axi_awaddr(control_address), .s_axi_awvalid(control_awvalid),
        .s_axi_awready(control_awready), .s_axi_wdata(control_data), .s_axi_wstrb(4'hf),
        .s_axi_wvalid(control_wvalid), .s_axi_wready(control_wready),
        .s_axi_bresp(control_bresp), .s_axi_bvalid(control_bvalid), .s_axi_bready(1'b1),
        .s_axi_araddr(control_address), .s_axi_arvalid(control_arvalid),
        .s_axi_arready(control_arready), .s_axi_rdata(control_rdata),
        .s_axi_rresp(control_rresp), .s_axi_rvalid(control_rvalid), .s_axi_rready(1'b1),
        .halted(halted), .fault_address(fault_address),
        .busy(busy), .done(core_done), .trap_cause(trap_cause), .trap_pc(trap_pc),
        .host_valid(host_valid | disturbs), .host_write(disturbs ? whim[0] : host_write),
        .host_select(disturbs ? whim_select : host_select),
        .host_address(disturbs ? whim_address : host_address),
        .host_wdata(disturbs ? {(ROW_WIDTH/32){whim}} : host_wdata), .host_rdata(host_rdata),
        .m_axi_araddr(araddr), .m_axi_arlen(arlen), .m_axi_arsize(arsize), .m_axi_arburst(arburst),
        .m_axi_arvalid(arvalid), .m_axi_arready(arready), .m_axi_rdata(rdata), .m_axi_rresp(rresp),
        .m_axi_rlast(rlast), .m_axi_rvalid(rvalid), .m_axi_rready(rready), .m_axi_awaddr(awaddr),
        .m_axi_awlen(awlen), .m_axi_awsize(awsize), .m_axi_awburst(awburst),
        .m_axi_awvalid(awvalid), .m_axi_awready(awready), .m_axi_wdata(wdata), .m_axi_wstrb(wstrb),
        .m_axi_wlast(wlast), .m_axi_wvalid(wvalid), .m_axi_wready(wready), .m_axi_bresp(bresp),
        .m_axi_bvalid(bvalid), .m_axi_bready(bready),
        .retire_valid(retire_valid), .retire_order(retire_order), .retire_pc(retire_pc),
        .retire_word(retire_word), .retire_next_pc(retire_next_pc), .retire_cause(retire_cause),
        .retire_stop(retire_stop), .retire_cycle(retire_cycle), .retire_gp_write(retire_gp_write),
        .retire_gp_address(retire_gp_address), .retire_gp_data(retire_gp_data),
        .retire_f_write(retire_f_write), .retire_f_address(retire_f_address),
        .retire_f_data(retire_f_data), .retire_a_write(retire_a_write),
        .retire_a_address(retire_a_address), .retire_a_data(retire_a_data),
        .retire_csr_write(retire_csr_write), .retire_csr_number(retire_csr_number),
        .retire_csr_data(retire_csr_data), .retire_store(retire_store),
        .retire_store_select(retire_store_select), .retire_store_address(retire_store_address),
        .retire_store_data(retire_store_data), .retire_clear(retire_clear),
        .retire_clear_number(retire_clear_number), .beat_valid(beat_valid),
        .beat_order(beat_order), .beat_chunk(beat_chunk), .beat_row(beat_row),
        .beat_count(beat_count), .beat_data(beat_data), .state_valid(state_valid),
        .state_order(state_order), .state_number(state_number), .state_value(state_value),
        .row_valid(row_valid), .row_order(row_order), .row_address(row_address),
        .row_mask(row_mask), .row_data(row_data), .word_valid(word_valid), .word_order(word_order),
        .word_address(word_address), .word_data(word_data), .moved_row_valid(moved_row_valid),
        .moved_row_order(moved_row_order), .moved_row_address(moved_row_address),
        .moved_row_mask(moved_row_mask), .moved_row_data(moved_row_data),
        .moved_word_valid(moved_word_valid), .moved_word_order(moved_word_order),
        .moved_word_select(moved_word_select), .moved_word_address(moved_word_address),
        .moved_word_data(moved_word_data), .complete_valid(complete_valid),
        .complete_order(complete_order)
    );

    axi_memory #(
        .CHANNELS(CHANNELS), .BEAT_BITS(BEAT_BITS), .WORDS(BEATS)
    ) memory (
        .clk(clk), .rst(rst | memory_reset),
        .set_latency(lines[SET_BUS][31:0]), .set_jitter(lines[SET_BUS + 1][31:0]),
        .set_cycles(lines[SET_BUS + 2][31:0]), .set_beats(lines[SET_BUS + 3][31:0]),
        .set_period(lines[SET_BUS + 4][31:0]), .set_length(lines[SET_BUS + 5][31:0]),
        .set_shift(lines[SET_BUS + 6][31:0]), .set_seed(lines[SET_BUS + 7][31:0]),
        .set_outstanding(lines[SET_BUS + 8][31:0]), .set_hold(lines[SET_BUS + 9][15:0]),
        .set_cuts({lines[SET_CUTS + 3][63:0], lines[SET_CUTS + 2][63:0],
            lines[SET_CUTS + 1][63:0], lines[SET_CUTS][63:0]}),
        .set_window_first(lines[SET_WINDOW][63:0]), .set_window_end(lines[SET_WINDOW + 1][63:0]),
        .set_fault_first({lines[SET_FAULT + 2][63:0], lines[SET_FAULT][63:0]}),
        .set_fault_end({lines[SET_FAULT + 3][63:0], lines[SET_FAULT + 1][63:0]}),
        .set_fault_code(lines[SET_FAULT + 4][3:0]),
        .host_write(hbm_write), .host_address(hbm_address), .host_wdata(hbm_wdata),
        .host_rdata(hbm_rdata),
        .s_axi_araddr(araddr), .s_axi_arlen(arlen), .s_axi_arsize(arsize), .s_axi_arburst(arburst),
        .s_axi_arvalid(arvalid), .s_axi_arready(arready), .s_axi_rdata(rdata), .s_axi_rresp(rresp),
        .s_axi_rlast(rlast), .s_axi_rvalid(rvalid), .s_axi_rready(rready), .s_axi_awaddr(awaddr),
        .s_axi_awlen(awlen), .s_axi_awsize(awsize), .s_axi_awburst(awburst),
        .s_axi_awvalid(awvalid), .s_axi_awready(awready), .s_axi_wdata(wdata), .s_axi_wstrb(wstrb),
        .s_axi_wlast(wlast), .s_axi_wvalid(wvalid), .s_axi_wready(wready), .s_axi_bresp(bresp),
        .s_axi_bvalid(bvalid), .s_axi_bready(bready),
        .cycle(memory_cycle), .error(memory_error)
    );

    retire_log #(.VLEN(VLEN)) log (
        .clk(clk), .enable(state == RUN | state == AFTER), .file(file), .cycle(cycle),
        .retire_valid(retire_valid), .retire_order(retire_order), .retire_pc(retire_pc),
        .retire_word(retire_word), .retire_next_pc(retire_next_pc), .retire_cause(retire_cause),
        .retire_stop(retire_stop), .retire_cycle(retire_cycle),
        .retire_gp_write(retire_gp_write), .retire_gp_address(retire_gp_address),
        .retire_gp_data(retire_gp_data), .retire_f_write(retire_f_write),
        .retire_f_address(retire_f_address), .retire_f_data(retire_f_data),
        .retire_a_write(retire_a_write), .retire_a_address(retire_a_address),
        .retire_a_data(retire_a_data), .retire_csr_write(retire_csr_write),
        .retire_csr_number(retire_csr_number), .retire_csr_data(retire_csr_data),
        .retire_store(retire_store), .retire_store_select(retire_store_select),
        .retire_store_address(retire_store_address), .retire_store_data(retire_store_data),
        .retire_clear(retire_clear), .retire_clear_number(retire_clear_number),
        .beat_valid(beat_valid), .beat_order(beat_order), .beat_chunk(beat_chunk),
        .beat_row(beat_row), .beat_count(beat_count), .beat_data(beat_data),
        .state_valid(state_valid), .state_order(state_order), .state_number(state_number),
        .state_value(state_value), .row_valid(row_valid), .row_order(row_order),
        .row_address(row_address), .row_mask(row_mask), .row_data(row_data),
        .word_valid(word_valid), .word_order(word_order), .word_address(word_address),
        .word_data(word_data), .moved_row_valid(moved_row_valid),
        .moved_row_order(moved_row_order), .moved_row_address(moved_row_address),
        .moved_row_mask(moved_row_mask), .moved_row_data(moved_row_data),
        .moved_word_valid(moved_word_valid), .moved_word_order(moved_word_order),
        .moved_word_select(moved_word_select), .moved_word_address(moved_word_address),
        .moved_word_data(moved_word_data), .complete_valid(complete_valid),
        .complete_order(complete_order)
    );

    initial begin
        done = 1'b0;
        state = IDLE;
        rst = 1'b1;
        control_awvalid = 1'b0;
        control_wvalid = 1'b0;
        control_arvalid = 1'b0;
        waits = 1'b0;
        halt_waits = 1'b0;
        control_address = 32'd0;
        control_data = 32'd0;
        host_valid = 1'b0;
        host_write = 1'b0;
        hbm_write = 1'b0;
        host_select = 3'd0;
        host_address = 32'd0;
        host_wdata = {ROW_WIDTH{1'b0}};
        file = 0;
    end

    function [31:0] size(input [2:0] which);
        size = which == 3'd0 ? PROGRAM_WORDS : which == 3'd1 ? VECTOR_ROWS
            : which == 3'd2 ? FP_WORDS : which == 3'd3 ? INT_WORDS
            : which == 3'd4 ? KEY_WORDS : BEATS;
    endfunction

    // A number that looks random, another one for each seed of the case.
    function [31:0] mixed(input [31:0] number);
        reg [31:0] x;
        begin
            x = number * 32'h9E3779B1 + lines[SET_BUS + 7][31:0] * 32'h85EBCA6B;
            x = (x ^ (x >> 16)) * 32'h7FEB352D;
            x = (x ^ (x >> 15)) * 32'h046CA68B;
            mixed = x ^ (x >> 16);
        end
    endfunction

    // Addresses outside a memory, from the first one on; their low bits are those of a word in it.
    function [31:0] outside(input [2:0] which, input [1:0] number);
        reg [31:0] words, low;
        begin
            words = size(which);
            low = mixed({27'd0, number, which}) & (words - 32'd1);
            outside = number == 2'd0 ? words : low | (number == 2'd1 ? 2 * words
                : number == 2'd2 ? words | 32'h00010000 : 32'h80000000);
        end
    endfunction

    // Registers as they are read at the end: STATUS, TRAP_PC, FAULT_ADDRESS, CYCLES and RETIRED
    // (0 to 7), the settings (8 to 12), and what the core was built with (15 to 27).
    localparam [5:0] SETTING = 6'd8, WRITE_WORD = 6'd13, READ_WORD = 6'd14, BUILT = 6'd15;
    localparam [5:0] ALL = 6'd28;

    function [31:0] register(input [5:0] number);
        register = number < 6'd2 ? 32'h0C + 4 * number
            : number < SETTING ? 32'h18 + 4 * (number - 6'd2)
            : number == SETTING ? 32'h30
            : number < WRITE_WORD ? 32'h38 + 4 * (number - 6'd9)
            : number < BUILT ? 32'h04000000 + 4 * lines[SET_WORD][31:0]
            : 32'h80 + 4 * (number - BUILT);
    endfunction

    function [31:0] setting(input [5:0] number);
        setting = number == SETTING ? lines[SET_LENGTH][31:0]
            : number == 6'd9 ? lines[SET_WINDOW][31:0]
            : number == 6'd10 ? lines[SET_WINDOW][63:32]
            : number == 6'd11 ? lines[SET_WINDOW + 1][31:0] : lines[SET_WINDOW + 1][63:32];
    endfunction

    task quiet;
        begin
            rst <= 1'b0;
            host_valid <= 1'b0;
            host_write <= 1'b0;
            hbm_write <= 1'b0;
        end
    endtask

    // -- AXI4-Lite: one transaction at a time --

    localparam [1:0] OKAY = 2'b00, SLVERR = 2'b10;
    localparam [2:0] OWED_ANY = 3'd0;      // is not looked at here
    localparam [2:0] OWED_VALUE = 3'd1;    // owed_data
    localparam [2:0] OWED_CYCLE = 3'd2;    // cycles, from owed_data to now
    localparam [2:0] OWED_COUNT = 3'd3;    // instructions that retired, likewise

    wire answered = waits & (control_bvalid === 1'b1 | control_rvalid === 1'b1);
    wire [1:0] answer = control_bvalid === 1'b1 ? control_bresp : control_rresp;
    wire [31:0] latest = owed_kind == OWED_VALUE ? owed_data
        : owed_kind == OWED_CYCLE ? cycle : retired;
    wire as_owed = answer === owed_resp & (owed_kind == OWED_ANY
        | ((owed_data <= control_rdata & control_rdata <= latest) === 1'b1));

    task ask(input write, input [31:0] address, input [31:0] data, input [1:0] resp,
             input [2:0] kind, input [31:0] least);
        begin
            control_awvalid <= write;
            control_wvalid <= write;
            control_arvalid <= ~write;
            control_address <= address;
            control_data <= data;
            owed_resp <= resp;
            owed_kind <= kind;
            owed_data <= least;
            waits <= 1'b1;
            patience <= 32'd0;
        end
    endtask

    task listen;
        begin
            if (control_awready === 1'b1) control_awvalid <= 1'b0;
            if (control_wready === 1'b1) control_wvalid <= 1'b0;
            if (control_arready === 1'b1) control_arvalid <= 1'b0;
            patience <= patience + 32'd1;
            if (answered) begin
                waits <= 1'b0;
                halt_waits <= 1'b0;
                if (halt_waits) $fdisplay(file, "G %h %h", halt_cycle, cycle);
                if (~as_owed)
                    $fdisplay(file, "X %h %h %h %h", cycle, control_address, answer, control_rdata);
            end else if (waits & patience > 32'd1000) begin
                $fdisplay(file, "X %h %h", cycle, control_address);
                waits <= 1'b0;
                state <= WAIT;
            end
        end
    endtask

    // What a busy core must refuse, and what it says of itself meanwhile.
    task disturb(input [31:0] chance);
        reg [5:0] which;
        reg [31:0] word;
        begin
            which = SETTING + {3'd0, chance[6:4]} % 6'd5;
            word = 32'h04000000 + 4 * (chance[31:8] % PROGRAM_WORDS);
            case (chance[2:0])
                3'd0: ask(1'b1, 32'h08, 32'd1, SLVERR, OWED_ANY, 32'd0);
                3'd1: ask(1'b1, register(which), chance, SLVERR, OWED_ANY, 32'd0);
                3'd2: ask(1'b1, word, chance, SLVERR, OWED_ANY, 32'd0);
                3'd3: ask(1'b0, word, 32'd0, SLVERR, OWED_ANY, 32'd0);
                3'd4: ask(1'b0, register(6'd0), 32'd0, OKAY, OWED_VALUE, 32'd1);
                3'd5: ask(1'b0, register(6'd4), 32'd0, OKAY, OWED_CYCLE, cycle);
                3'd6: ask(1'b0, register(6'd6), 32'd0, OKAY, OWED_COUNT, retired);
                default: ask(1'b0, register(which), 32'd0, OKAY, OWED_VALUE, setting(which));
            endcase
        end
    endtask

    always @(posedge clk) begin
        quiet;
        listen;
        cycle <= cycle + 32'd1;
        place <= place + 32'd1;
        if (retire_valid === 1'b1 & retire_cause === 4'd0) retired <= retired + 32'd1;
        case (state)
            IDLE: if (go != done) begin
                $readmemh("case.hex", lines, 0, count - 1);
                if (lines[SET_FLAGS][3]) $readmemh("hbm.hex", memory.store_reg);
                file = $fopen("records.txt", "w");
                state <= LOAD;
                place <= 32'd0;
                abandoned <= 1'b0;
            end
            LOAD: begin
                // Nothing is loaded in the cycle of a reset: before it, nobody knows whether the core
                // is busy.
                if (place == 32'd0 & (flags[0] | abandoned) & ~rst) begin
                    rst <= 1'b1;
                    place <= 32'd0;
                end else if (place < lines[SET_ENTRIES][31:0]) begin
                    host_valid <= line[DATA+32 +: 3] < 3'd5;
                    hbm_write <= line[DATA+32 +: 3] == 3'd5;
                    host_write <= 1'b1;
                    host_select <= line[DATA+32 +: 3];
                    host_address <= line[DATA +: 32];
                    hbm_address <= line[DATA +: 32];
                    host_wdata <= line[ROW_WIDTH-1:0];
                    hbm_wdata <= line[BEAT_BITS-1:0];
                end else if (place != 32'd0) begin
                    state <= CONFIG;
                    step <= flags[0] | abandoned ? 6'd0 : SETTING;
                    halted_once <= 1'b0;
                end
            end
            // After a reset registers 0 to 7 read 0; then the settings, then start.
            CONFIG: if (~waits) begin
                step <= step + 6'd1;
                if (step < SETTING)
                    ask(1'b0, register(step), 32'd0, OKAY, OWED_VALUE, 32'd0);
                else if (step < WRITE_WORD)
                    ask(1'b1, register(step), setting(step), OKAY, OWED_ANY, 32'd0);
                else begin
                    ask(1'b1, 32'h08, 32'd1, OKAY, OWED_ANY, 32'd0);
                    state <= START;
                    place <= 32'd0;
                end
            end
            START: if (busy === 1'b1) begin
                cycle <= 32'd1;
                retired <= 32'd0;
                state <= lines[SET_ABANDON][31:0] != 32'd0 & ~abandoned ? FIRST : RUN;
            end else if (place > 32'd100000) begin
                $fdisplay(file, "X %h", place);
                state <= WAIT;
            end
            FIRST: if (cycle + 32'd1 >= lines[SET_ABANDON][31:0]) begin
                rst <= 1'b1;
                control_awvalid <= 1'b0;
                control_wvalid <= 1'b0;
                control_arvalid <= 1'b0;
                waits <= 1'b0;
                abandoned <= 1'b1;
                state <= LOAD;
                place <= 32'd0;
            end
            RUN: begin
                // What is asked for is decided within three cycles, so while the core is busy.
                if (~waits) begin
                    if (lines[SET_HALT][31:0] != 32'd0 & cycle >= lines[SET_HALT][31:0]) begin
                        if (~halted_once) begin
                            ask(1'b1, 32'h08, 32'd2, OKAY, OWED_ANY, 32'd0);
                            halted_once <= 1'b1;
                            halt_waits <= 1'b1;
                            halt_cycle <= cycle + 32'd1;
                        end
                    end else if (flags[1] & cycle + 32'd3 < lines[SET_QUIET][31:0])
                        disturb(mixed(cycle ^ 32'h5A5A5A5A));
                end
                if (core_done !== 1'b0 | cycle > lines[SET_LIMIT][31:0]) begin
                    $fdisplay(file, "E %h %h %h %h %h %h %h %h", cycle, core_done, busy, halted,
                        trap_cause, trap_pc, fault_address, memory_error);
                    state <= AFTER;
                    place <= 32'd0;
                end else if (busy !== 1'b1 | trap_cause !== 4'd0)
                    $fdisplay(file, "X %h %h %h", cycle, busy, trap_cause);
            end
            AFTER: begin
                if (core_done !== 1'b1 | busy !== 1'b0)
                    $fdisplay(file, "X %h %h %h", cycle, busy, core_done);
                if (place >= 32'd4 & ~waits) begin
                    state <= STATUS;
                    step <= 6'd0;
                end
            end
            STATUS: if (answered) begin
                $fdisplay(file, "H %h %h %h", step, answer,
                    step == WRITE_WORD ? 32'd0 : control_rdata);
                step <= step + 6'd1;
                if (step + 6'd1 == (flags[4] ? ALL : BUILT)) begin
                    state <= flags[2] ? OUTSIDE : WAIT;
                    place <= 32'd0;
                end
            end else if (~waits)
                ask(step == WRITE_WORD, register(step), lines[SET_WORD + 1][31:0], OKAY, OWED_ANY,
                    32'd0);
            // Writes outside of every memory, and to selections that are none: what is read back
            // afterwards shows that they did nothing.
            OUTSIDE: begin
                host_valid <= 1'b1;
                host_write <= 1'b1;
                host_select <= place[2:0];
                host_address <= outside(place[2:0], place[4:3]);
                host_wdata <= {(ROW_WIDTH/32){mixed(place)}};
                if (place == 32'd31) begin
                    state <= READ;
                    place <= 32'd0;
                    select <= 3'd0;
                end
            end
            READ: begin
                // A word shows in the cycle after its address, which is the second after this.
                host_valid <= place < size(select) & select != 3'd5;
                host_select <= select;
                host_address <= place;
                hbm_address <= place;
                if (place >= 32'd2 & place < size(select) + 32'd2) begin
                    if (select == 3'd5)
                        $fdisplay(file, "D %h %h", select, hbm_rdata_reg);
                    else $fdisplay(file, "D %h %h", select, host_rdata);
                end
                if (place == size(select) + 32'd1) begin
                    kept <= host_rdata;
                    state <= select == 3'd5 ? WAIT : BORDER;
                    place <= 32'd0;
                end
            end
            BORDER: begin
                // Neither another selection alone nor reads outside a memory do anything.
                host_valid <= place != 32'd0 & place < 32'd5;
                host_select <= place == 32'd0 ? (select == 3'd0 ? 3'd1 : 3'd0) : select;
                host_address <= outside(select, place[1:0] - 2'd1);
                if (place > 32'd1 & host_rdata !== kept)
                    $fdisplay(file, "X %h %h %h", cycle, select, place);
                if (place == 32'd6) begin
                    select <= select + 3'd1;
                    state <= READ;
                    place <= 32'd0;
                end
            end
            WAIT: begin
                $fclose(file);
                done <= go;
                state <= IDLE;
            end
            default: state <= IDLE;
        endcase
    end

    reg [BEAT_BITS-1:0] hbm_rdata_reg;
    always @(posedge clk) hbm_rdata_reg <= hbm_rdata;

endmodule

`default_nettype wire
