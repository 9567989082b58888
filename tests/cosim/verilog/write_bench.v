// The write engine between SRAMs that the bench fills and the memory of `axi_memory`.
`default_nettype none

module write_bench #(
    parameter VLEN = 8,
    parameter VECTOR_ROWS = 32,
    parameter INT_WORDS = 64,
    parameter KEY_WORDS = 32,
    parameter CHANNELS = 1,
    parameter BEAT_BITS = 64,
    parameter BURST = 16,
    parameter OUTSTANDING = 16,
    parameter FIFO = 16,
    parameter WORDS = 256     // beats of the memory
) (
    input  wire                 clk,
    input  wire                 rst,

    // Where the memory begins on the bus: its own addresses count from there
    input  wire [63:0]          base,

    input  wire                 in_valid,
    input  wire [1:0]           in_kind,
    input  wire [2:0]           in_format,
    input  wire [63:0]          in_first,
    input  wire [63:0]          in_scale,
    input  wire [31:0]          in_length,
    input  wire [31:0]          in_rows,
    input  wire [31:0]          in_pitch,
    input  wire [31:0]          in_from,
    output wire                 out_valid,
    output wire                 out_fault,
    output wire [63:0]          out_fault_address,
    output wire                 idle,

    input  wire                 fill,           // all memories, from `seed`
    input  wire [31:0]          seed,
    input  wire                 show,           // at its rise the memory comes to `image`
    output reg  [BEAT_BITS*WORDS-1:0] image,

`ifdef SLAVE    // one channel, whose slave is the bench's
    output wire                 m_axi_awid,
    output wire [63:0]          m_axi_awaddr,
    output wire [7:0]           m_axi_awlen,
    output wire [2:0]           m_axi_awsize,
    output wire [1:0]           m_axi_awburst,
    output wire                 m_axi_awvalid,
    input  wire                 m_axi_awready,
    output wire [BEAT_BITS-1:0] m_axi_wdata,
    output wire [BEAT_BITS/8-1:0] m_axi_wstrb,
    output wire                 m_axi_wlast,
    output wire                 m_axi_wvalid,
    input  wire                 m_axi_wready,
    input  wire                 m_axi_bid,
    input  wire [1:0]           m_axi_bresp,
    input  wire                 m_axi_bvalid,
    output wire                 m_axi_bready
);
`else
    input  wire [31:0]          set_latency,
    input  wire [31:0]          set_jitter,
    input  wire [31:0]          set_cycles,
    input  wire [31:0]          set_beats,
    input  wire [31:0]          set_period,
    input  wire [31:0]          set_length,
    input  wire [31:0]          set_shift,
    input  wire [31:0]          set_seed,
    input  wire [31:0]          set_outstanding,
    input  wire [255:0]         set_cuts,
    input  wire [63:0]          set_window_first,
    input  wire [63:0]          set_window_end,
    input  wire [127:0]         set_fault_first,
    input  wire [127:0]         set_fault_end,
    input  wire [3:0]           set_fault_code,
    input  wire [15:0]          set_hold,
    output wire [31:0]          cycle,
    output wire [15:0]          error
);
`endif

    localparam ROW_BITS = $clog2(VECTOR_ROWS);
    localparam INT_BITS = $clog2(INT_WORDS);
    localparam KEY_BITS = $clog2(KEY_WORDS);

    wire vector_enable, int_enable, key_enable;
    wire [ROW_BITS-1:0] vector_row;
    wire [16*VLEN-1:0] vector_data;
    wire [$clog2(INT_WORDS > KEY_WORDS ? INT_WORDS : KEY_WORDS)-1:0] word_address;
    wire [31:0] int_data, key_data;

    unmask_sram #(.WIDTH(16 * VLEN), .WORDS(VECTOR_ROWS)) vectors (
        .clk(clk),
        .read_enable(vector_enable), .read_address(vector_row), .read_data(vector_data),
        .write_enable(1'b0), .write_address({ROW_BITS{1'b0}}), .write_data({16*VLEN{1'b0}}),
        .write_mask(1'b0)
    );
    unmask_sram #(.WIDTH(32), .WORDS(INT_WORDS)) ints (
        .clk(clk),
        .read_enable(int_enable), .read_address(word_address[INT_BITS-1:0]),
        .read_data(int_data), .write_enable(1'b0),
        .write_address({INT_BITS{1'b0}}), .write_data(32'd0), .write_mask(1'b0)
    );
    unmask_sram #(.WIDTH(32), .WORDS(KEY_WORDS)) keys (
        .clk(clk),
        .read_enable(key_enable), .read_address(word_address[KEY_BITS-1:0]),
        .read_data(key_data), .write_enable(1'b0),
        .write_address({KEY_BITS{1'b0}}), .write_data(32'd0), .write_mask(1'b0)
    );

    wire [64*CHANNELS-1:0] awaddr;
    wire [64*CHANNELS-1:0] place;          // the same, from the memory's beginning
    wire [8*CHANNELS-1:0] awlen;
    wire [3*CHANNELS-1:0] awsize;
    wire [2*CHANNELS-1:0] awburst;
    wire [CHANNELS-1:0] awvalid, awready, wlast, wvalid, wready, bvalid, bready;
    wire [BEAT_BITS*CHANNELS-1:0] wdata;
    wire [BEAT_BITS/8*CHANNELS-1:0] wstrb;
    wire [2*CHANNELS-1:0] bresp;

    unmask_write
`ifndef NETLIST
    #(
        .VLEN(VLEN), .VECTOR_ROWS(VECTOR_ROWS), .INT_WORDS(INT_WORDS), .KEY_WORDS(KEY_WORDS),
        .CHANNELS(CHANNELS), .BEAT_BITS(BEAT_BITS), .BURST(BURST), .OUTSTANDING(OUTSTANDING),
        .FIFO(FIFO)
    )
`endif
    engine (
        .clk(clk), .rst(rst),
        .in_valid(in_valid), .in_kind(in_kind), .in_format(in_format), .in_first(in_first),
        .in_scale(in_scale), .in_length(in_length), .in_rows(in_rows), .in_pitch(in_pitch),
        .in_from(in_from),
        .vector_enable(vector_enable), .vector_row(vector_row), .vector_data(vector_data),
        .int_enable(int_enable), .key_enable(key_enable), .word_address(word_address),
        .int_data(int_data), .key_data(key_data),
        .out_valid(out_valid), .out_fault(out_fault), .out_fault_address(out_fault_address),
        .idle(idle),
        .m_axi_awaddr(awaddr), .m_axi_awlen(awlen), .m_axi_awsize(awsize),
        .m_axi_awburst(awburst), .m_axi_awvalid(awvalid), .m_axi_awready(awready),
        .m_axi_wdata(wdata), .m_axi_wstrb(wstrb), .m_axi_wlast(wlast), .m_axi_wvalid(wvalid),
        .m_axi_wready(wready),
        .m_axi_bresp(bresp), .m_axi_bvalid(bvalid), .m_axi_bready(bready)
    );

    // An address below the base or a bit too short comes out of all memories.
    genvar c;
    generate
        for (c = 0; c < CHANNELS; c = c + 1) begin : places
            assign place[64*c +: 64] = awaddr[64*c +: 64] - base / CHANNELS;
        end
    endgenerate

`ifdef SLAVE
    assign m_axi_awid = 1'b0;
    assign m_axi_awaddr = place;
    assign m_axi_awlen = awlen;
    assign m_axi_awsize = awsize;
    assign m_axi_awburst = awburst;
    assign m_axi_awvalid = awvalid;
    assign awready = m_axi_awready;
    assign m_axi_wdata = wdata;
    assign m_axi_wstrb = wstrb;
    assign m_axi_wlast = wlast;
    assign m_axi_wvalid = wvalid;
    assign wready = m_axi_wready;
    assign bresp = m_axi_bresp;
    assign bvalid = m_axi_bvalid;
    assign m_axi_bready = bready;
`else
    axi_memory #(.CHANNELS(CHANNELS), .BEAT_BITS(BEAT_BITS), .WORDS(WORDS)) memory (
        .clk(clk), .rst(rst),
        .set_latency(set_latency), .set_jitter(set_jitter), .set_cycles(set_cycles),
        .set_beats(set_beats), .set_period(set_period), .set_length(set_length),
        .set_shift(set_shift), .set_seed(set_seed), .set_outstanding(set_outstanding),
        .set_cuts(set_cuts), .set_window_first(set_window_first),
        .set_window_end(set_window_end), .set_fault_first(set_fault_first),
        .set_fault_end(set_fault_end), .set_fault_code(set_fault_code), .set_hold(set_hold),
        .host_write(1'b0), .host_address(32'd0), .host_wdata({BEAT_BITS{1'b0}}), .host_rdata(),
        .s_axi_araddr({64*CHANNELS{1'b0}}), .s_axi_arlen({8*CHANNELS{1'b0}}),
        .s_axi_arsize({3*CHANNELS{1'b0}}), .s_axi_arburst({2*CHANNELS{1'b0}}),
        .s_axi_arvalid({CHANNELS{1'b0}}), .s_axi_rready({CHANNELS{1'b0}}),
        .s_axi_arready(), .s_axi_rdata(), .s_axi_rresp(), .s_axi_rlast(), .s_axi_rvalid(),
        .s_axi_awaddr(place), .s_axi_awlen(awlen), .s_axi_awsize(awsize),
        .s_axi_awburst(awburst), .s_axi_awvalid(awvalid), .s_axi_awready(awready),
        .s_axi_wdata(wdata), .s_axi_wstrb(wstrb), .s_axi_wlast(wlast), .s_axi_wvalid(wvalid),
        .s_axi_wready(wready),
        .s_axi_bresp(bresp), .s_axi_bvalid(bvalid), .s_axi_bready(bready),
        .cycle(cycle), .error(error)
    );
`endif

    // What lies where: as `contents` in write_engine.py, number by number.
    function [31:0] mixed(input [31:0] number, input [31:0] salt);
        reg [31:0] x;
        begin
            x = number * 32'h9E3779B1 + salt * 32'h85EBCA6B;
            x = (x ^ (x >> 16)) * 32'h7FEB352D;
            x = (x ^ (x >> 15)) * 32'h046CA68B;
            mixed = x ^ (x >> 16);
        end
    endfunction

    // Exponents of eight neighbours lie near each other; some codes are special, some anything.
    function [15:0] code(input [31:0] number, input [31:0] salt);
        reg [31:0] own;
        reg [31:0] group;
        reg [7:0] field;
        begin
            own = mixed(number, salt);
            group = mixed(number >> 3, salt + 32'd1);
            field = group[7:0] ^ {4'd0, own[11:8]};
            code = own[31:28] != 4'd0 ? {own[0], field, own[7:1]}
                : own[27] ? own[26:11]
                : {own[0], own[12] ? 8'hFF : {8{own[13]}} ^ 8'd1, {7{own[14]}}};
            if (own[31:28] == 4'd0 && !own[27] && own[15]) code = {own[0], own[12] ? 15'h7F80 : 15'd0};
        end
    endfunction

    integer n;
    integer lane;
    reg [16*VLEN-1:0] row;

    always @(posedge clk)
        if (fill) begin
            for (n = 0; n < VECTOR_ROWS; n = n + 1) begin
                for (lane = 0; lane < VLEN; lane = lane + 1)
                    row[16*lane +: 16] = code(VLEN * n + lane, seed);
                vectors.memory[n] = row;
            end
            for (n = 0; n < INT_WORDS; n = n + 1) ints.memory[n] = mixed(n, seed + 32'd2);
            for (n = 0; n < KEY_WORDS; n = n + 1) keys.memory[n] = mixed(n, seed + 32'd3);
`ifndef SLAVE
            for (n = 0; n < WORDS; n = n + 1)
                for (lane = 0; lane < BEAT_BITS / 32; lane = lane + 1)
                    memory.store_reg[n][32*lane +: 32] = mixed(BEAT_BITS / 32 * n + lane, seed + 32'd4);
`endif
        end

`ifndef SLAVE
    integer beat;
    always @(posedge show)
        for (beat = 0; beat < WORDS; beat = beat + 1)
            image[BEAT_BITS*beat +: BEAT_BITS] = memory.store_reg[beat];
`endif

endmodule

`default_nettype wire
