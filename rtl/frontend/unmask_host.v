// The host interface: an AXI4-Lite slave over the core's control registers and program memory.
//
// Byte addresses; all registers are 32 bits, read and written whole (WSTRB 1111).
//
//   000 ID               r   "unMk": 756E4D6B
//   004 VERSION          r   major in [31:16], minor in [15:0]
//   008 CONTROL          w   bit 0 start, bit 1 halt; reads 0. Both at once: halt
//   00C STATUS           r   bit 0 busy, 1 done, 2 halted, [7:4] cause of the trap or fatal error
//   010 TRAP_PC          r
//   018 FAULT_ADDRESS    r   low, 01C high: first address that the memory refused
//   020 CYCLES           r   low, 024 high
//   028 RETIRED          r   low, 02C high
//   030 PROGRAM_LENGTH   rw  words; takes effect at start
//   038 WINDOW_FIRST     rw  low, 03C high: what transfers may touch, in whole beats
//   040 WINDOW_END       rw  low, 044 high
//   080 VLEN  084 VECTOR_ROWS  088 FP_WORDS  08C INT_WORDS  090 KEY_WORDS  094 PROGRAM_WORDS
//   098 LOOP_DEPTH  09C CHANNELS  0A0 BEAT_BITS  0A4 BURST  0A8 OUTSTANDING  0AC FIFO  0B0 RING
//                        r   what the core was built with
//   04000000 on          rw  program memory, one word each
//
// A read of the low half of a pair keeps the high half for the read after it, so that a pair is
// one moment's. SLVERR and no effect: an address with nothing behind it or off a word, a write of
// what is read-only, or of a part of a word, of a window's low half with an address inside a beat;
// while busy a write of WINDOW_*, PROGRAM_LENGTH or of the start bit, and any access to program
// memory.
//
// Each channel is taken into a register of its own, so that no output depends on an input in the
// same cycle, as AXI wants it. One transaction is served at a time: a write once both its parts are
// there, whichever came first; of a read and a write that wait the write, but a read comes between
// two writes. Served in the cycle after its last part at the earliest, it is answered in the cycle
// after that, a read of program memory one later.
`default_nettype none

module unmask_host #(
    // What the core was built with, for the host to read
    parameter VLEN = 8,
    parameter VECTOR_ROWS = 64,
    parameter FP_WORDS = 1024,
    parameter INT_WORDS = 4096,
    parameter KEY_WORDS = 1024,
    // Words of program memory: a power of two, 2 to 2**24
    parameter PROGRAM_WORDS = 1024,
    parameter LOOP_DEPTH = 8,
    parameter CHANNELS = 1,
    parameter BEAT_BITS = 64,
    parameter BURST = 16,
    parameter OUTSTANDING = 16,
    parameter FIFO = 16,
    parameter RING = 256
) (
    input  wire        clk,
    input  wire        rst,

    input  wire [31:0] s_axi_awaddr,
    input  wire        s_axi_awvalid,
    output wire        s_axi_awready,
    input  wire [31:0] s_axi_wdata,
    input  wire [3:0]  s_axi_wstrb,
    input  wire        s_axi_wvalid,
    output wire        s_axi_wready,
    output wire [1:0]  s_axi_bresp,
    output wire        s_axi_bvalid,
    input  wire        s_axi_bready,
    input  wire [31:0] s_axi_araddr,
    input  wire        s_axi_arvalid,
    output wire        s_axi_arready,
    output wire [31:0] s_axi_rdata,
    output wire [1:0]  s_axi_rresp,
    output wire        s_axi_rvalid,
    input  wire        s_axi_rready,

    output wire        start,            // one cycle
    output wire        halt,             // one cycle
    output wire [31:0] program_length,
    output wire [63:0] window_first,
    output wire [63:0] window_end,

    output wire        program_valid,    // while the core is not busy
    output wire        program_write,
    output wire [31:0] program_address,  // in words
    output wire [31:0] program_wdata,
    input  wire [31:0] program_rdata,    // in the cycle after a read

    input  wire        busy,
    input  wire        done,
    input  wire        halted,
    input  wire [3:0]  cause,
    input  wire [31:0] trap_pc,
    input  wire [63:0] fault_address,
    input  wire [63:0] cycles,
    input  wire [63:0] retired
);

    localparam [31:0] ID = 32'h756E4D6B;
    localparam [31:0] VERSION = 32'h00010000;
    localparam [1:0] OKAY = 2'b00;
    localparam [1:0] SLVERR = 2'b10;

    generate
        if (PROGRAM_WORDS < 2 || PROGRAM_WORDS > 16777216
            || (PROGRAM_WORDS & (PROGRAM_WORDS - 1)) != 0) begin : check_words
            PROGRAM_WORDS_must_be_a_power_of_two_from_2_to_16777216 error();
        end
    endgenerate

    localparam [31:0] BEAT_MASK = BEAT_BITS / 8 - 1;

    localparam [1:0] IDLE = 2'd0;
    localparam [1:0] ANSWER_WRITE = 2'd1;
    localparam [1:0] FETCH = 2'd2;
    localparam [1:0] ANSWER_READ = 2'd3;

    // What the channels brought and is not served yet.
    reg write_address_held_reg;
    reg [31:0] write_address_reg;
    reg write_data_held_reg;
    reg [31:0] write_data_reg;
    reg [3:0] write_strobe_reg;
    reg read_address_held_reg;
    reg [31:0] read_address_reg;
    reg read_next_reg;               // a read that waits goes before the next write

    reg [1:0] state_reg;
    reg error_reg;
    reg [31:0] data_reg;
    reg [31:0] high_reg;             // the other half of the pair that was read
    reg high_valid_reg;
    reg [5:0] high_place_reg;        // and its register
    reg start_reg;
    reg halt_reg;
    reg [31:0] length_reg;
    reg [63:0] first_reg;
    reg [63:0] end_reg;

    wire idle = state_reg == IDLE;
    wire take_write = idle & write_address_held_reg & write_data_held_reg
        & ~(read_address_held_reg & read_next_reg);
    wire take_read = idle & read_address_held_reg & ~take_write;

    wire [31:0] address = take_write ? write_address_reg : read_address_reg;
    wire aligned = address[1:0] == 2'b00;
    wire of_program = address[31:26] == 6'b000001;
    wire [31:0] word = {8'd0, address[25:2]};
    wire in_program = of_program & word < PROGRAM_WORDS;
    wire of_registers = ~|address[31:8];
    wire [5:0] place = address[7:2];

    // The value of a register, and whether there is one.
    reg [31:0] value;
    reg readable;

    always @* begin
        readable = 1'b1;
        case (place)
            6'h00: value = ID;
            6'h01: value = VERSION;
            6'h02: value = 32'd0;
            6'h03: value = {24'd0, cause, 1'b0, halted, done, busy};
            6'h04: value = trap_pc;
            6'h06: value = fault_address[31:0];
            6'h07: value = fault_address[63:32];
            6'h08: value = cycles[31:0];
            6'h09: value = cycles[63:32];
            6'h0A: value = retired[31:0];
            6'h0B: value = retired[63:32];
            6'h0C: value = length_reg;
            6'h0E: value = first_reg[31:0];
            6'h0F: value = first_reg[63:32];
            6'h10: value = end_reg[31:0];
            6'h11: value = end_reg[63:32];
            6'h20: value = VLEN;
            6'h21: value = VECTOR_ROWS;
            6'h22: value = FP_WORDS;
            6'h23: value = INT_WORDS;
            6'h24: value = KEY_WORDS;
            6'h25: value = PROGRAM_WORDS;
            6'h26: value = LOOP_DEPTH;
            6'h27: value = CHANNELS;
            6'h28: value = BEAT_BITS;
            6'h29: value = BURST;
            6'h2A: value = OUTSTANDING;
            6'h2B: value = FIFO;
            6'h2C: value = RING;
            default: begin
                value = 32'd0;
                readable = 1'b0;
            end
        endcase
    end

    // The counters' high halves, to be kept when their low half is read.
    wire low_half = place == 6'h06 | place == 6'h08 | place == 6'h0A;
    wire [31:0] other_half = place == 6'h06 ? fault_address[63:32]
        : place == 6'h08 ? cycles[63:32] : retired[63:32];
    wire kept = high_valid_reg & place == high_place_reg;

    wire control = of_registers & place == 6'h02;
    wire setting = of_registers & (place == 6'h0C | place == 6'h0E | place == 6'h0F
        | place == 6'h10 | place == 6'h11);
    wire in_beat = (place == 6'h0E | place == 6'h10) & (write_data_reg & BEAT_MASK) != 32'd0;
    wire starts = control & write_data_reg[0] & ~write_data_reg[1];
    wire program_open = in_program & ~busy & ~start_reg;
    wire write_right = aligned & (&write_strobe_reg)
        & ((control & ~(starts & (busy | start_reg))) | (setting & ~in_beat & ~busy & ~start_reg)
           | program_open);
    wire read_right = aligned & ((of_registers & readable) | program_open);
    wire written = take_write & write_right;

    assign s_axi_awready = ~write_address_held_reg;
    assign s_axi_wready = ~write_data_held_reg;
    assign s_axi_arready = ~read_address_held_reg;
    assign s_axi_bvalid = state_reg == ANSWER_WRITE;
    assign s_axi_bresp = error_reg ? SLVERR : OKAY;
    assign s_axi_rvalid = state_reg == ANSWER_READ;
    assign s_axi_rresp = error_reg ? SLVERR : OKAY;
    assign s_axi_rdata = data_reg;

    assign program_valid = (written | (take_read & read_right)) & of_program;
    assign program_write = take_write;
    assign program_address = word;
    assign program_wdata = write_data_reg;

    always @(posedge clk) begin
        write_address_held_reg <= ~rst & ~take_write & (write_address_held_reg | s_axi_awvalid);
        write_data_held_reg <= ~rst & ~take_write & (write_data_held_reg | s_axi_wvalid);
        read_address_held_reg <= ~rst & ~take_read & (read_address_held_reg | s_axi_arvalid);
        // From the reset on they are known: gates that combine them with `held` need not see that
        // nothing is.
        if (rst) write_address_reg <= 32'd0;
        else if (s_axi_awready) write_address_reg <= s_axi_awaddr;
        if (rst) {write_strobe_reg, write_data_reg} <= 36'd0;
        else if (s_axi_wready) {write_strobe_reg, write_data_reg} <= {s_axi_wstrb, s_axi_wdata};
        if (rst) read_address_reg <= 32'd0;
        else if (s_axi_arready) read_address_reg <= s_axi_araddr;
        read_next_reg <= ~rst & ~take_read & (read_next_reg | take_write);

        if (rst) state_reg <= IDLE;
        else
            case (state_reg)
                IDLE:
                    if (take_write) state_reg <= ANSWER_WRITE;
                    else if (take_read)
                        state_reg <= of_program & read_right ? FETCH : ANSWER_READ;
                ANSWER_WRITE: if (s_axi_bready) state_reg <= IDLE;
                FETCH: state_reg <= ANSWER_READ;
                default: if (s_axi_rready) state_reg <= IDLE;
            endcase

        if (take_write) error_reg <= ~write_right;
        else if (take_read) error_reg <= ~read_right;

        if (take_read) data_reg <= ~read_right ? 32'd0 : kept ? high_reg : value;
        else if (state_reg == FETCH) data_reg <= program_rdata;

        if (rst) high_valid_reg <= 1'b0;
        else if (take_read) high_valid_reg <= read_right & of_registers & low_half;
        if (take_read) begin
            high_reg <= other_half;
            high_place_reg <= place | 6'd1;
        end

        start_reg <= written & starts & ~rst;
        halt_reg <= written & control & write_data_reg[1] & ~rst;
        if (rst) begin
            length_reg <= 32'd0;
            first_reg <= 64'd0;
            end_reg <= 64'd0;
        end else if (written & of_registers) begin
            if (place == 6'h0C) length_reg <= write_data_reg;
            if (place == 6'h0E) first_reg[31:0] <= write_data_reg;
            if (place == 6'h0F) first_reg[63:32] <= write_data_reg;
            if (place == 6'h10) end_reg[31:0] <= write_data_reg;
            if (place == 6'h11) end_reg[63:32] <= write_data_reg;
        end
    end

    assign start = start_reg;
    assign halt = halt_reg;
    assign program_length = length_reg;
    assign window_first = first_reg;
    assign window_end = end_reg;

endmodule

`default_nettype wire
