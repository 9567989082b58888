// The write side of one AXI4 master: a FIFO of beats, the addresses of their bursts, the answers.
//
// `push` takes a beat; never while `full`. With its burst's first beat come address and length. A
// burst's address is offered in the cycle after at the earliest, while fewer than OUTSTANDING
// bursts have no answer; its data from the same cycle on, since a memory may wait for data before
// it takes an address. Addresses stay until answered, so that a bus error has one: `fault_row` is
// the lowest of those that failed. Everything that was pushed is sent and waits for its answer,
// whatever the answers say.
`default_nettype none

module unmask_write_channel #(
    // Bits of a beat: a power of two, 64 to 1024
    parameter BEAT_BITS = 64,
    // Bits of a beat's number in the channel
    parameter ROW_BITS = 61,
    // Bursts without an answer: 1 to 1024
    parameter OUTSTANDING = 16,
    // Beats in the FIFO: 1 to 4096
    parameter FIFO = 16
) (
    input  wire                   clk,
    input  wire                   rst,

    input  wire                   clear,          // start of a transfer, while idle
    input  wire                   push,
    input  wire [BEAT_BITS-1:0]   push_data,
    input  wire [BEAT_BITS/8-1:0] push_strobe,
    input  wire                   push_last,      // of its burst
    input  wire                   push_begin,     // first of its burst
    input  wire [ROW_BITS-1:0]    push_row,       // with push_begin: its number
    input  wire [4:0]             push_length,    // with push_begin: beats of the burst, less one
    output wire                   full,
    output wire                   idle,           // all sent and answered

    output wire                   fault,
    output wire [ROW_BITS-1:0]    fault_row,

    output wire [63:0]            m_axi_awaddr,
    output wire [7:0]             m_axi_awlen,
    output wire                   m_axi_awvalid,
    input  wire                   m_axi_awready,
    output wire [BEAT_BITS-1:0]   m_axi_wdata,
    output wire [BEAT_BITS/8-1:0] m_axi_wstrb,
    output wire                   m_axi_wlast,
    output wire                   m_axi_wvalid,
    input  wire                   m_axi_wready,
    /* verilator lint_off UNUSEDSIGNAL */
    input  wire [1:0]             m_axi_bresp,    // 2 and 3 are errors
    /* verilator lint_on UNUSEDSIGNAL */
    input  wire                   m_axi_bvalid,
    output wire                   m_axi_bready
);

    localparam SHIFT = $clog2(BEAT_BITS / 8);
    localparam ENTRY = BEAT_BITS + BEAT_BITS / 8 + 1;
    localparam RING = FIFO + OUTSTANDING;          // bursts that are begun and not answered
    localparam BEATS = $clog2(FIFO + 1);           // bits of counters
    localparam BURSTS = $clog2(RING + 1);
    localparam PLACES = FIFO < 2 ? 1 : $clog2(FIFO);   // bits of places in the FIFO,
    localparam NUMBERS = $clog2(RING);                 // in the ring
    localparam [BEATS-1:0] BEAT_ONE = 1;
    localparam [PLACES-1:0] PLACE_ONE = 1;
    localparam [BURSTS-1:0] ONE = 1;
    localparam [NUMBERS-1:0] NEXT = 1;

    generate
        if (BEAT_BITS < 64 || BEAT_BITS > 1024 || (BEAT_BITS & (BEAT_BITS - 1)) != 0)
        begin : check_beat
            BEAT_BITS_must_be_a_power_of_two_from_64_to_1024 error();
        end
        if (OUTSTANDING < 1 || OUTSTANDING > 1024) begin : check_outstanding
            OUTSTANDING_must_be_1_to_1024 error();
        end
        if (FIFO < 1 || FIFO > 4096) begin : check_fifo
            FIFO_must_be_1_to_4096 error();
        end
    endgenerate

    // Beats.
    reg [ENTRY-1:0] beat_reg [0:FIFO-1];
    reg [PLACES-1:0] in_reg;
    reg [PLACES-1:0] out_reg;
    reg [BEATS-1:0] beats_reg;

    // Bursts: places of a ring, in the order in which they begin.
    reg [ROW_BITS-1:0] row_reg [0:RING-1];
    reg [4:0] length_reg [0:RING-1];
    reg [NUMBERS-1:0] begin_reg;       // place of the next one
    reg [NUMBERS-1:0] address_reg;     // of the next one whose address goes out
    reg [NUMBERS-1:0] answer_reg;      // of the next one that is answered
    reg [BURSTS-1:0] unsent_reg;      // bursts that wait for their address to go out,
    reg [BURSTS-1:0] data_reg;        // then for their last beat to be sent,
    reg [BURSTS-1:0] waiting_reg;     // then for their answer
    reg [BURSTS-1:0] open_reg;        // those whose address went out, not answered
    reg ahead_reg;                    // the next address to go out has all its data sent
    reg fault_reg;
    reg [ROW_BITS-1:0] fault_row_reg;

    wire most_open = {{(32 - BURSTS){1'b0}}, open_reg} == OUTSTANDING;
    wire address_sent = m_axi_awvalid & m_axi_awready;
    wire beat_sent = m_axi_wvalid & m_axi_wready;
    wire last_sent = beat_sent & m_axi_wlast;
    wire answered = m_axi_bvalid & m_axi_bready;
    wire begins = push & push_begin;
    wire overtakes = last_sent & ~address_sent & data_reg == {BURSTS{1'b0}};

    wire [ENTRY-1:0] beat = beat_reg[out_reg];
    wire [ROW_BITS-1:0] row = row_reg[address_reg];
    wire [ROW_BITS-1:0] oldest_row = row_reg[answer_reg];

    assign full = {{(32 - BEATS){1'b0}}, beats_reg} == FIFO;
    assign idle = unsent_reg == {BURSTS{1'b0}} & open_reg == {BURSTS{1'b0}};

    assign m_axi_awvalid = unsent_reg != {BURSTS{1'b0}} & ~most_open;
    assign m_axi_awaddr = {{(64 - ROW_BITS){1'b0}}, row} << SHIFT;
    assign m_axi_awlen = {3'd0, length_reg[address_reg]};
    assign m_axi_wvalid = beats_reg != {BEATS{1'b0}}
        & (data_reg != {BURSTS{1'b0}} | (m_axi_awvalid & ~ahead_reg));
    assign {m_axi_wlast, m_axi_wstrb, m_axi_wdata} = beat;
    assign m_axi_bready = waiting_reg != {BURSTS{1'b0}};

    function [NUMBERS-1:0] after;
        input [NUMBERS-1:0] number;
        after = {{(32 - NUMBERS){1'b0}}, number} == RING - 1 ? {NUMBERS{1'b0}} : number + NEXT;
    endfunction

    wire in_wraps = {{(32 - PLACES){1'b0}}, in_reg} == FIFO - 1;
    wire out_wraps = {{(32 - PLACES){1'b0}}, out_reg} == FIFO - 1;

    always @(posedge clk) begin
        if (push) beat_reg[in_reg] <= {push_last, push_strobe, push_data};
        if (begins) row_reg[begin_reg] <= push_row;
        if (begins) length_reg[begin_reg] <= push_length;

        if (rst) begin
            in_reg <= {PLACES{1'b0}};
            out_reg <= {PLACES{1'b0}};
            beats_reg <= {BEATS{1'b0}};
            begin_reg <= {NUMBERS{1'b0}};
            address_reg <= {NUMBERS{1'b0}};
            answer_reg <= {NUMBERS{1'b0}};
            unsent_reg <= {BURSTS{1'b0}};
            data_reg <= {BURSTS{1'b0}};
            waiting_reg <= {BURSTS{1'b0}};
            open_reg <= {BURSTS{1'b0}};
            ahead_reg <= 1'b0;
        end else begin
            if (push) in_reg <= in_wraps ? {PLACES{1'b0}} : in_reg + PLACE_ONE;
            if (beat_sent) out_reg <= out_wraps ? {PLACES{1'b0}} : out_reg + PLACE_ONE;
            if (push & ~beat_sent) beats_reg <= beats_reg + BEAT_ONE;
            if (beat_sent & ~push) beats_reg <= beats_reg - BEAT_ONE;

            if (begins) begin_reg <= after(begin_reg);
            if (address_sent) address_reg <= after(address_reg);
            if (answered) answer_reg <= after(answer_reg);
            if (begins & ~address_sent) unsent_reg <= unsent_reg + ONE;
            if (address_sent & ~begins) unsent_reg <= unsent_reg - ONE;
            ahead_reg <= overtakes | (ahead_reg & ~address_sent);
            if (address_sent & ~last_sent & ~ahead_reg) data_reg <= data_reg + ONE;
            if (last_sent & ~address_sent & ~overtakes) data_reg <= data_reg - ONE;
            if (last_sent & ~answered) waiting_reg <= waiting_reg + ONE;
            if (answered & ~last_sent) waiting_reg <= waiting_reg - ONE;
            if (address_sent & ~answered) open_reg <= open_reg + ONE;
            if (answered & ~address_sent) open_reg <= open_reg - ONE;
        end

        if (clear) fault_reg <= 1'b0;
        else if (answered & m_axi_bresp[1]) begin
            fault_reg <= 1'b1;
            if (~fault_reg | oldest_row < fault_row_reg) fault_row_reg <= oldest_row;
        end
    end

    assign fault = fault_reg;
    assign fault_row = fault_row_reg;

endmodule

`default_nettype wire
