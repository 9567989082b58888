// The memory behind the core, for simulation: AXI4 channels over one striped store, with the times
// of `model/kernel.py` to the cycle.
//
// Beat b of the store lies on channel b mod CHANNELS; a channel's own addresses are contiguous.
// Cycles count from the reset: the cycle in which `rst` was high last is the one before cycle 0.
// All settings are to be held while anything is under way; beside `set_hold`, which the model does
// not know, they are the fields of `model.settings.Bus` and of `model.kernel.Side`.
`default_nettype none

module axi_memory #(
    // AXI masters: a power of two
    parameter CHANNELS = 1,
    // Bits of a beat: a power of two, at least 64
    parameter BEAT_BITS = 64,
    // Beats of the store: a power of two; addresses beyond wrap (and set `error`)
    parameter WORDS = 1024,
    // Transactions that a channel can hold: a power of two
    parameter QUEUE = 64
) (
    input  wire                            clk,
    input  wire                            rst,

    input  wire [31:0]                     set_latency,
    input  wire [31:0]                     set_jitter,
    input  wire [31:0]                     set_cycles,       // `beats` take so many cycles
    input  wire [31:0]                     set_beats,
    input  wire [31:0]                     set_period,       // of refresh, at least 1
    input  wire [31:0]                     set_length,       // of refresh, 0: never
    input  wire [31:0]                     set_shift,
    input  wire [31:0]                     set_seed,
    input  wire [31:0]                     set_outstanding,  // at most QUEUE
    input  wire [255:0]                    set_cuts,         // 16 numbers of 16 bits, first lowest
    input  wire [63:0]                     set_window_first, // bytes that may be touched
    input  wire [63:0]                     set_window_end,
    input  wire [127:0]                    set_fault_first,  // two ranges of bytes, in whole beats,
    input  wire [127:0]                    set_fault_end,    // that answer with an error
    input  wire [3:0]                      set_fault_code,   // RRESP and BRESP of each; of all
                                                             // others OKAY or EXOKAY
    input  wire [15:0]                     set_hold,         // of 65536 cycles, so many refuse addresses

    // The store, a beat a cycle; reads show at once
    input  wire                            host_write,
    input  wire [31:0]                     host_address,
    input  wire [BEAT_BITS-1:0]            host_wdata,
    output wire [BEAT_BITS-1:0]            host_rdata,

    input  wire [64*CHANNELS-1:0]          s_axi_araddr,
    input  wire [8*CHANNELS-1:0]           s_axi_arlen,
    input  wire [3*CHANNELS-1:0]           s_axi_arsize,
    input  wire [2*CHANNELS-1:0]           s_axi_arburst,
    input  wire [CHANNELS-1:0]             s_axi_arvalid,
    output wire [CHANNELS-1:0]             s_axi_arready,
    output wire [BEAT_BITS*CHANNELS-1:0]   s_axi_rdata,
    output wire [2*CHANNELS-1:0]           s_axi_rresp,
    output wire [CHANNELS-1:0]             s_axi_rlast,
    output wire [CHANNELS-1:0]             s_axi_rvalid,
    input  wire [CHANNELS-1:0]             s_axi_rready,

    input  wire [64*CHANNELS-1:0]          s_axi_awaddr,
    input  wire [8*CHANNELS-1:0]           s_axi_awlen,
    input  wire [3*CHANNELS-1:0]           s_axi_awsize,
    input  wire [2*CHANNELS-1:0]           s_axi_awburst,
    input  wire [CHANNELS-1:0]             s_axi_awvalid,
    output wire [CHANNELS-1:0]             s_axi_awready,
    input  wire [BEAT_BITS*CHANNELS-1:0]   s_axi_wdata,
    input  wire [BEAT_BITS/8*CHANNELS-1:0] s_axi_wstrb,
    input  wire [CHANNELS-1:0]             s_axi_wlast,
    input  wire [CHANNELS-1:0]             s_axi_wvalid,
    output wire [CHANNELS-1:0]             s_axi_wready,
    output wire [2*CHANNELS-1:0]           s_axi_bresp,
    output wire [CHANNELS-1:0]             s_axi_bvalid,
    input  wire [CHANNELS-1:0]             s_axi_bready,

    output reg  [31:0]                     cycle,
    // What a master did wrong since the reset. 0 to 4 of read addresses, 8 to 12 of write
    // addresses: no INCR burst of whole beats; not aligned to beats; crosses 4 KiB; outside the
    // window or store; changed or withdrawn while it waited. 5: write data changed or withdrawn.
    // 6: a last beat that is none, or the other way round.
    output reg  [15:0]                     error
);

    localparam INDEX = $clog2(WORDS);

    reg [BEAT_BITS-1:0] store_reg [0:WORDS-1];

    assign host_rdata = store_reg[host_address[INDEX-1:0]];

    wire [32*CHANNELS-1:0] read_index;    // beats of the store
    wire [32*CHANNELS-1:0] write_index;
    wire [CHANNELS-1:0] write_enable;
    wire [16*CHANNELS-1:0] errors;

    genvar c;
    generate
        for (c = 0; c < CHANNELS; c = c + 1) begin : channel
            axi_memory_channel #(
                .CHANNEL(c), .CHANNELS(CHANNELS), .BEAT_BITS(BEAT_BITS), .WORDS(WORDS),
                .QUEUE(QUEUE)
            ) part (
                .clk(clk), .rst(rst), .cycle(cycle),
                .set_latency(set_latency), .set_jitter(set_jitter),
                .set_cycles(set_cycles), .set_beats(set_beats),
                .set_period(set_period), .set_length(set_length), .set_shift(set_shift),
                .set_seed(set_seed), .set_outstanding(set_outstanding), .set_cuts(set_cuts),
                .set_window_first(set_window_first), .set_window_end(set_window_end),
                .set_fault_first(set_fault_first), .set_fault_end(set_fault_end),
                .set_fault_code(set_fault_code), .set_hold(set_hold),
                .araddr(s_axi_araddr[64*c +: 64]), .arlen(s_axi_arlen[8*c +: 8]),
                .arsize(s_axi_arsize[3*c +: 3]), .arburst(s_axi_arburst[2*c +: 2]),
                .arvalid(s_axi_arvalid[c]), .arready(s_axi_arready[c]),
                .rresp(s_axi_rresp[2*c +: 2]), .rlast(s_axi_rlast[c]),
                .rvalid(s_axi_rvalid[c]), .rready(s_axi_rready[c]),
                .read_index(read_index[32*c +: 32]),
                .awaddr(s_axi_awaddr[64*c +: 64]), .awlen(s_axi_awlen[8*c +: 8]),
                .awsize(s_axi_awsize[3*c +: 3]), .awburst(s_axi_awburst[2*c +: 2]),
                .awvalid(s_axi_awvalid[c]), .awready(s_axi_awready[c]),
                .wdata(s_axi_wdata[BEAT_BITS*c +: BEAT_BITS]),
                .wstrb(s_axi_wstrb[BEAT_BITS/8*c +: BEAT_BITS/8]),
                .wlast(s_axi_wlast[c]), .wvalid(s_axi_wvalid[c]), .wready(s_axi_wready[c]),
                .bresp(s_axi_bresp[2*c +: 2]), .bvalid(s_axi_bvalid[c]),
                .bready(s_axi_bready[c]),
                .write_enable(write_enable[c]), .write_index(write_index[32*c +: 32]),
                .errors(errors[16*c +: 16])
            );
            // Data that is not valid is nothing; what an error comes with is wrong.
            assign s_axi_rdata[BEAT_BITS*c +: BEAT_BITS] =
                ~s_axi_rvalid[c] ? {BEAT_BITS{1'bx}}
                : s_axi_rresp[2*c+1] ? ~store_reg[read_index[32*c +: INDEX]]
                : store_reg[read_index[32*c +: INDEX]];
        end
    endgenerate

    integer n, byte_number;
    always @(posedge clk) begin
        cycle <= rst ? 32'd0 : cycle + 32'd1;
        if (rst) error <= 16'd0;
        else
            for (n = 0; n < CHANNELS; n = n + 1)
                if (errors[16*n +: 16] != 16'd0) error <= error | errors[16*n +: 16];
        for (n = 0; n < CHANNELS; n = n + 1)
            if (write_enable[n])
                for (byte_number = 0; byte_number < BEAT_BITS / 8; byte_number = byte_number + 1)
                    if (s_axi_wstrb[BEAT_BITS/8*n + byte_number])
                        store_reg[write_index[32*n +: INDEX]][8*byte_number +: 8]
                            <= s_axi_wdata[BEAT_BITS*n + 8*byte_number +: 8];
        if (host_write) store_reg[host_address[INDEX-1:0]] <= host_wdata;
    end

endmodule

`default_nettype wire
