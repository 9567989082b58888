// The read engine on the simulated memory, with its outputs gathered in a few ports.
`default_nettype none

module read_bench #(
    parameter VLEN = 4,
    parameter VECTOR_ROWS = 64,
    parameter INT_WORDS = 1024,
    parameter KEY_WORDS = 1024,
    parameter CHANNELS = 1,
    parameter BEAT_BITS = 64,
    parameter BURST = 16,
    parameter OUTSTANDING = 16,
    parameter FIFO = 16,
    parameter RING = 64,
    parameter ADDRESS_BITS = 64,
    parameter WORDS = 1024,
    parameter WORD_BITS = $clog2(INT_WORDS > KEY_WORDS ? INT_WORDS : KEY_WORDS),
    parameter ROWS = $clog2(VECTOR_ROWS)
) (
    input  wire                 clk,
    input  wire                 rst,

    // Where the memory begins on the bus: its own addresses count from there
    input  wire [63:0]          base,
    // axi_memory's settings, last port lowest
    input  wire [1103:0]        settings,
    input  wire                 host_write,
    input  wire [31:0]          host_address,
    input  wire [BEAT_BITS-1:0] host_wdata,

    input  wire                 in_valid,
    // Its ports from in_slot to in_bans, in_slot highest
    input  wire [457:0]         request,

`ifdef SLAVE    // one channel, whose slave is the bench's
    output wire                 m_axi_arid,
    output wire [63:0]          m_axi_araddr,
    output wire [7:0]           m_axi_arlen,
    output wire [2:0]           m_axi_arsize,
    output wire [1:0]           m_axi_arburst,
    output wire                 m_axi_arvalid,
    input  wire                 m_axi_arready,
    input  wire                 m_axi_rid,
    input  wire [BEAT_BITS-1:0] m_axi_rdata,
    input  wire [1:0]           m_axi_rresp,
    input  wire                 m_axi_rlast,
    input  wire                 m_axi_rvalid,
    output wire                 m_axi_rready,
`endif

    output wire [31:0]          cycle,
    output wire [15:0]          error,
    // out_valid, key_write, int_write, vector_write, stream_valid
    output wire [5:0]           events,
    output wire                 idle,

    // slot, state, clear, first, last, fault, address of the fault, base, bans
    output wire [231:0]         stream,
    output wire [16*VLEN-1:0]   data,
    output wire [2*VLEN-1:0]    flags,
    output wire [VLEN-1:0]      active,
    output wire [2*ROWS-1:0]    vector_row,
    output wire [16*VLEN-1:0]   vector_data,
    output wire [2*VLEN-1:0]    vector_mask,
    output wire [WORD_BITS+31:0] word,
    output wire [66:0]          done        // slot, fault, address of the fault
);

    wire [16*VLEN-1:0] vector_data_high;   // the same as below
    wire [64*CHANNELS-1:0] araddr;
    wire [64*CHANNELS-1:0] place;          // the same, from the memory's beginning
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

    wire [1:0] slot;
    wire [1:0] kind;
    wire [2:0] format;
    wire [63:0] first;
    wire [63:0] scale;
    wire [31:0] length;
    wire [31:0] rows;
    wire [31:0] pitch;
    wire [31:0] to;
    wire [1:0] state;
    wire clear;
    wire [31:0] index;
    wire [127:0] bans;
    assign {slot, kind, format, first, scale, length, rows, pitch, to, state, clear, index, bans}
        = request;

`ifdef NETLIST
    unmask_read engine (
`else
    unmask_read #(
        .VLEN(VLEN), .VECTOR_ROWS(VECTOR_ROWS), .INT_WORDS(INT_WORDS), .KEY_WORDS(KEY_WORDS),
        .CHANNELS(CHANNELS), .BEAT_BITS(BEAT_BITS), .BURST(BURST), .OUTSTANDING(OUTSTANDING),
        .FIFO(FIFO), .RING(RING), .ADDRESS_BITS(ADDRESS_BITS)
    ) engine (
`endif
        .clk(clk), .rst(rst),
        .in_valid(in_valid), .in_slot(slot), .in_kind(kind), .in_format(format),
        .in_first(first), .in_scale(scale), .in_length(length), .in_rows(rows),
        .in_pitch(pitch), .in_to(to), .in_state(state), .in_clear(clear), .in_index(index),
        .in_bans(bans),
        .m_axi_araddr(araddr), .m_axi_arlen(arlen), .m_axi_arsize(arsize),
        .m_axi_arburst(arburst), .m_axi_arvalid(arvalid), .m_axi_arready(arready),
        .m_axi_rdata(rdata), .m_axi_rresp(rresp), .m_axi_rlast(rlast), .m_axi_rvalid(rvalid),
        .m_axi_rready(rready),
        .stream_valid(events[0]), .stream_first(stream[226]), .stream_last(stream[225]),
        .stream_data(data), .stream_active(active), .stream_flags(flags),
        .stream_base(stream[159:128]), .stream_bans(stream[127:0]),
        .stream_state(stream[229:228]), .stream_clear(stream[227]),
        .stream_slot(stream[231:230]),
        .stream_fault(stream[224]), .stream_fault_address(stream[223:160]),
        .vector_write(events[2:1]), .vector_row(vector_row), .vector_data({vector_data_high, vector_data}),
        .vector_mask(vector_mask), .int_write(events[3]), .key_write(events[4]),
        .word_address(word[32 +: WORD_BITS]), .word_data(word[31:0]),
        .out_valid(events[5]), .out_slot(done[66:65]), .out_fault(done[64]),
        .out_fault_address(done[63:0]), .idle(idle)
    );


    // An address below the base or a bit too short comes out of all memories.
    genvar c;
    generate
        for (c = 0; c < CHANNELS; c = c + 1) begin : places
            assign place[64*c +: 64] = araddr[64*c +: 64] - base / CHANNELS;
        end
    endgenerate

`ifdef SLAVE
    assign m_axi_arid = 1'b0;
    assign m_axi_araddr = place;
    assign m_axi_arlen = arlen;
    assign m_axi_arsize = arsize;
    assign m_axi_arburst = arburst;
    assign m_axi_arvalid = arvalid;
    assign arready = m_axi_arready;
    assign rdata = m_axi_rdata;
    assign rresp = m_axi_rresp;
    assign rlast = m_axi_rlast;
    assign rvalid = m_axi_rvalid;
    assign m_axi_rready = rready;
    assign cycle = 32'd0;
    assign error = 16'd0;
`else
    axi_memory #(
        .CHANNELS(CHANNELS), .BEAT_BITS(BEAT_BITS), .WORDS(WORDS)
    ) memory (
        .clk(clk), .rst(rst),
        .set_latency(settings[31:0]), .set_jitter(settings[63:32]),
        .set_cycles(settings[95:64]), .set_beats(settings[127:96]),
        .set_period(settings[159:128]), .set_length(settings[191:160]),
        .set_shift(settings[223:192]), .set_seed(settings[255:224]),
        .set_outstanding(settings[287:256]), .set_cuts(settings[543:288]),
        .set_window_first(settings[607:544]), .set_window_end(settings[671:608]),
        .set_fault_first(settings[799:672]), .set_fault_end(settings[927:800]),
        .set_fault_code(settings[931:928]), .set_hold(settings[947:932]),
        .host_write(host_write), .host_address(host_address), .host_wdata(host_wdata),
        .host_rdata(),
        .s_axi_araddr(place), .s_axi_arlen(arlen), .s_axi_arsize(arsize),
        .s_axi_arburst(arburst), .s_axi_arvalid(arvalid), .s_axi_arready(arready),
        .s_axi_rdata(rdata), .s_axi_rresp(rresp), .s_axi_rlast(rlast), .s_axi_rvalid(rvalid),
        .s_axi_rready(rready),
        .s_axi_awaddr({64*CHANNELS{1'b0}}), .s_axi_awlen({8*CHANNELS{1'b0}}),
        .s_axi_awsize({3*CHANNELS{1'b0}}), .s_axi_awburst({2*CHANNELS{1'b0}}),
        .s_axi_awvalid({CHANNELS{1'b0}}), .s_axi_awready(),
        .s_axi_wdata({BEAT_BITS*CHANNELS{1'b0}}), .s_axi_wstrb({BEAT_BITS/8*CHANNELS{1'b0}}),
        .s_axi_wlast({CHANNELS{1'b0}}), .s_axi_wvalid({CHANNELS{1'b0}}), .s_axi_wready(),
        .s_axi_bresp(), .s_axi_bvalid(), .s_axi_bready({CHANNELS{1'b0}}),
        .cycle(cycle), .error(error)
    );
`endif

endmodule

`default_nettype wire
