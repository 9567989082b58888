// One channel of `axi_memory`: when its addresses, beats and answers pass; the data is elsewhere.
`default_nettype none

module axi_memory_channel #(
    parameter CHANNEL = 0,
    parameter CHANNELS = 1,
    parameter BEAT_BITS = 64,
    parameter WORDS = 1024,
    parameter QUEUE = 64
) (
    input  wire                   clk,
    input  wire                   rst,
    input  wire [31:0]            cycle,

    input  wire [31:0]            set_latency,
    input  wire [31:0]            set_jitter,
    input  wire [31:0]            set_cycles,
    input  wire [31:0]            set_beats,
    input  wire [31:0]            set_period,
    input  wire [31:0]            set_length,
    input  wire [31:0]            set_shift,
    input  wire [31:0]            set_seed,
    input  wire [31:0]            set_outstanding,
    input  wire [255:0]           set_cuts,
    input  wire [63:0]            set_window_first,
    input  wire [63:0]            set_window_end,
    input  wire [127:0]           set_fault_first,
    input  wire [127:0]           set_fault_end,
    input  wire [3:0]             set_fault_code,
    input  wire [15:0]            set_hold,

    input  wire [63:0]            araddr,
    input  wire [7:0]             arlen,
    input  wire [2:0]             arsize,
    input  wire [1:0]             arburst,
    input  wire                   arvalid,
    output wire                   arready,
    output wire [1:0]             rresp,
    output wire                   rlast,
    output wire                   rvalid,
    input  wire                   rready,
    output wire [31:0]            read_index,

    input  wire [63:0]            awaddr,
    input  wire [7:0]             awlen,
    input  wire [2:0]             awsize,
    input  wire [1:0]             awburst,
    input  wire                   awvalid,
    output wire                   awready,
    input  wire [BEAT_BITS-1:0]   wdata,
    input  wire [BEAT_BITS/8-1:0] wstrb,
    input  wire                   wlast,
    input  wire                   wvalid,
    output wire                   wready,
    output wire [1:0]             bresp,
    output wire                   bvalid,
    input  wire                   bready,
    output wire                   write_enable,
    output wire [31:0]            write_index,

    output wire [15:0]            errors
);

    localparam BEAT_SHIFT = $clog2(BEAT_BITS / 8);
    localparam PLACE = $clog2(QUEUE);
    localparam [31:0] READ = 0, WRITE = 1, LATENCY = 2;
    localparam [31:0] MINE = CHANNEL;

    // -- randomness, as in model/kernel.py --

    function [31:0] drawn(input [31:0] stream, input [31:0] ordinal, input [31:0] seed);
        reg [31:0] x;
        begin
            x = ordinal * 32'h9E3779B1 + MINE * 32'h85EBCA6B
                + ((seed << 2) + stream) * 32'h27D4EB2F;
            x = (x ^ (x >> 16)) * 32'h7FEB352D;
            x = (x ^ (x >> 15)) * 32'h046CA68B;
            drawn = x ^ (x >> 16);
        end
    endfunction

    function [31:0] stall_of(
        input [31:0] stream, input [31:0] ordinal, input [31:0] seed, input [255:0] cuts
    );
        reg [31:0] x;
        integer n;
        begin
            x = drawn(stream, ordinal, seed) & 32'hFFFF;
            stall_of = 32'd0;
            for (n = 0; n < 16; n = n + 1)
                if (stall_of == n && x < {16'd0, cuts[16*n +: 16]}) stall_of = stall_of + 32'd1;
        end
    endfunction

    wire [31:0] phase = (cycle + set_shift * MINE) % set_period;
    wire closed = phase >= set_period - set_length;   // in refresh
    wire [31:0] whim = drawn(32'd3, cycle, set_seed ^ 32'h5A5A);
    wire refuses_read = whim[15:0] < set_hold;
    wire refuses_write = whim[31:16] < set_hold;

    function [31:0] global_beat(input [63:0] local_beat);
        global_beat = local_beat[31:0] * CHANNELS + MINE;
    endfunction

    function [1:0] answer_of(input [31:0] beat, input [127:0] first, input [127:0] last,
                             input [3:0] code);
        reg [63:0] at;
        begin
            at = {32'd0, beat} << BEAT_SHIFT;
            answer_of = 2'd0;
            if (first[63:0] <= at && at < last[63:0]) answer_of = code[1:0];
            else if (first[127:64] <= at && at < last[127:64]) answer_of = code[3:2];
        end
    endfunction

    function [3:0] wrongs(input [63:0] address, input [7:0] len, input [2:0] size,
                          input [1:0] burst, input [63:0] window_first, input [63:0] window_end);
        reg [63:0] final_byte, first_beat, final_beat;
        begin
            final_byte = address + ({56'd0, len} << BEAT_SHIFT);
            first_beat = (address >> BEAT_SHIFT) * CHANNELS + CHANNEL;
            final_beat = (final_byte >> BEAT_SHIFT) * CHANNELS + CHANNEL;
            wrongs[0] = burst != 2'b01 || {29'd0, size} != BEAT_SHIFT;
            wrongs[1] = (address & (BEAT_BITS / 8 - 1)) != 64'd0;
            wrongs[2] = address >> 12 != final_byte >> 12;
            wrongs[3] = (first_beat << BEAT_SHIFT) < window_first
                || ((final_beat + 64'd1) << BEAT_SHIFT) > window_end || final_beat >= WORDS
                || address >> 32 != 64'd0;
        end
    endfunction

    // -- reads --

    reg [31:0] ar_beat_reg [0:QUEUE-1];   // a channel's own beats
    reg [7:0] ar_len_reg [0:QUEUE-1];
    reg [31:0] ar_due_reg [0:QUEUE-1];
    reg [31:0] ar_in_reg;
    reg [31:0] ar_out_reg;
    reg [7:0] r_took_reg;
    reg r_begun_reg;
    reg r_offered_reg;
    reg [31:0] r_wait_reg;
    reg [31:0] r_beats_reg;
    reg [31:0] r_rate_reg;

    wire [PLACE-1:0] ar_front = ar_out_reg[PLACE-1:0];
    wire [31:0] r_rate = r_rate_reg + set_cycles;
    wire [31:0] r_gap = r_rate / set_beats - 32'd1
        + stall_of(READ, r_beats_reg, set_seed, set_cuts);
    wire [31:0] r_wait = r_begun_reg ? r_wait_reg : r_gap;
    wire r_begins = r_begun_reg | (ar_in_reg != ar_out_reg && cycle >= ar_due_reg[ar_front]);
    wire r_taken = rvalid & rready;
    wire [31:0] ar_extra = drawn(READ + LATENCY, ar_in_reg, set_seed) % (set_jitter + 32'd1);
    wire [31:0] r_local = ar_beat_reg[ar_front] + {24'd0, r_took_reg};

    assign arready = ar_in_reg - ar_out_reg < set_outstanding && !refuses_read;
    assign rvalid = r_offered_reg | (r_begins && r_wait == 32'd0 && !closed);
    assign rlast = rvalid ? r_took_reg == ar_len_reg[ar_front] : 1'bx;
    assign read_index = global_beat({32'd0, r_local});
    // EXOKAY is no error: one in four good answers is that. The ordinal of a beat draws it, since an
    // answer must stay while it waits.
    wire [31:0] r_whim = drawn(READ, r_beats_reg, ~set_seed);
    wire [1:0] r_resp = answer_of(read_index, set_fault_first, set_fault_end, set_fault_code);
    assign rresp = ~rvalid ? 2'bxx : r_resp == 2'd0 ? {1'b0, r_whim[1:0] == 2'd0} : r_resp;

    always @(posedge clk) begin
        if (arvalid & arready) begin
            ar_beat_reg[ar_in_reg[PLACE-1:0]] <= araddr[31+BEAT_SHIFT:BEAT_SHIFT];
            ar_len_reg[ar_in_reg[PLACE-1:0]] <= arlen;
            ar_due_reg[ar_in_reg[PLACE-1:0]] <= cycle + set_latency + ar_extra;
            ar_in_reg <= ar_in_reg + 32'd1;
        end
        r_begun_reg <= r_begins;
        r_offered_reg <= rvalid;
        r_wait_reg <= r_wait == 32'd0 ? 32'd0 : r_wait - 32'd1;
        if (r_taken) begin
            r_begun_reg <= 1'b0;
            r_offered_reg <= 1'b0;
            r_beats_reg <= r_beats_reg + 32'd1;
            r_rate_reg <= r_rate % set_beats;
            r_took_reg <= rlast ? 8'd0 : r_took_reg + 8'd1;
            if (rlast) ar_out_reg <= ar_out_reg + 32'd1;
        end
        if (rst) begin
            ar_in_reg <= 32'd0;
            ar_out_reg <= 32'd0;
            r_begun_reg <= 1'b0;
            r_offered_reg <= 1'b0;
            r_beats_reg <= 32'd0;
            r_rate_reg <= 32'd0;
            r_took_reg <= 8'd0;
        end
    end

    // -- writes: data is taken behind its address, answers keep their order --
    // An address waits for data to be offered, as AXI allows it: a core that does not offer data
    // before its address is taken hangs here. (The cocotbext-axi benches take either first.)

    reg [31:0] aw_beat_reg [0:QUEUE-1];
    reg [7:0] aw_len_reg [0:QUEUE-1];
    reg [1:0] b_resp_reg [0:QUEUE-1];
    reg [31:0] b_due_reg [0:QUEUE-1];
    reg [31:0] aw_in_reg;
    reg [31:0] w_burst_reg;               // bursts all of whose data came
    reg [31:0] b_out_reg;                 // answers that were taken
    reg [7:0] w_took_reg;
    reg [1:0] w_resp_reg;
    reg w_begun_reg;
    reg [31:0] w_wait_reg;
    reg [31:0] w_beats_reg;
    reg [31:0] w_rate_reg;

    wire [PLACE-1:0] w_front = w_burst_reg[PLACE-1:0];
    wire [PLACE-1:0] b_front = b_out_reg[PLACE-1:0];
    wire w_begins = wvalid & aw_in_reg != w_burst_reg;
    wire [31:0] w_rate = w_rate_reg + set_cycles;
    wire [31:0] w_gap = w_rate / set_beats - 32'd1
        + stall_of(WRITE, w_beats_reg, set_seed, set_cuts);
    wire [31:0] w_wait = w_begun_reg ? w_wait_reg : w_gap;
    wire w_taken = wvalid & wready;
    wire w_final = w_took_reg == aw_len_reg[w_front];
    wire [31:0] b_extra = drawn(WRITE + LATENCY, w_burst_reg, set_seed) % (set_jitter + 32'd1);
    wire [31:0] w_local = aw_beat_reg[w_front] + {24'd0, w_took_reg};
    wire [31:0] w_whim = drawn(WRITE, w_burst_reg, ~set_seed);
    wire [1:0] w_resp = answer_of(write_index, set_fault_first, set_fault_end, set_fault_code);

    assign awready = aw_in_reg - b_out_reg < set_outstanding && !refuses_write
        && wvalid;
    assign wready = w_begins && w_wait == 32'd0 && !closed;
    assign write_index = global_beat({32'd0, w_local});
    assign write_enable = w_taken & ~w_resp[1];
    assign bvalid = b_out_reg != w_burst_reg && cycle >= b_due_reg[b_front];
    assign bresp = bvalid ? b_resp_reg[b_front] : 2'bxx;

    always @(posedge clk) begin
        if (awvalid & awready) begin
            aw_beat_reg[aw_in_reg[PLACE-1:0]] <= awaddr[31+BEAT_SHIFT:BEAT_SHIFT];
            aw_len_reg[aw_in_reg[PLACE-1:0]] <= awlen;
            aw_in_reg <= aw_in_reg + 32'd1;
        end
        w_begun_reg <= w_begins;
        w_wait_reg <= w_wait == 32'd0 ? 32'd0 : w_wait - 32'd1;
        if (w_taken) begin
            w_begun_reg <= 1'b0;
            w_beats_reg <= w_beats_reg + 32'd1;
            w_rate_reg <= w_rate % set_beats;
            w_took_reg <= w_final ? 8'd0 : w_took_reg + 8'd1;
            w_resp_reg <= w_final ? 2'd0 : w_resp_reg | w_resp;
            if (w_final) begin
                w_burst_reg <= w_burst_reg + 32'd1;
                b_resp_reg[w_front] <= (w_resp_reg | w_resp) == 2'd0
                    ? {1'b0, w_whim[1:0] == 2'd0} : w_resp_reg | w_resp;
                b_due_reg[w_front] <= cycle + set_latency + b_extra;
            end
        end
        if (bvalid & bready) b_out_reg <= b_out_reg + 32'd1;
        if (rst) begin
            aw_in_reg <= 32'd0;
            w_burst_reg <= 32'd0;
            b_out_reg <= 32'd0;
            w_took_reg <= 8'd0;
            w_resp_reg <= 2'd0;
            w_begun_reg <= 1'b0;
            w_beats_reg <= 32'd0;
            w_rate_reg <= 32'd0;
        end
    end

    // -- what a master must not do --

    reg ar_waits_reg, aw_waits_reg, w_waits_reg;
    reg [76:0] ar_seen_reg, aw_seen_reg;
    reg [BEAT_BITS+BEAT_BITS/8:0] w_seen_reg;
    wire [76:0] ar_shown = {araddr, arlen, arsize, arburst};
    wire [76:0] aw_shown = {awaddr, awlen, awsize, awburst};
    wire [BEAT_BITS+BEAT_BITS/8:0] w_shown = {wdata, wstrb, wlast};

    assign errors[3:0] = arvalid === 1'b1
        ? wrongs(araddr, arlen, arsize, arburst, set_window_first, set_window_end) : 4'd0;
    assign errors[4] = ar_waits_reg & (~arvalid | ar_shown !== ar_seen_reg);
    assign errors[5] = w_waits_reg & (~wvalid | w_shown !== w_seen_reg);
    assign errors[6] = w_taken === 1'b1 && wlast !== w_final;
    assign errors[7] = ^{arvalid, rready, awvalid, wvalid, bready} === 1'bx;
    assign errors[11:8] = awvalid === 1'b1
        ? wrongs(awaddr, awlen, awsize, awburst, set_window_first, set_window_end) : 4'd0;
    assign errors[12] = aw_waits_reg & (~awvalid | aw_shown !== aw_seen_reg);
    assign errors[15:13] = 3'd0;

    always @(posedge clk) begin
        ar_waits_reg <= arvalid & ~arready & ~rst;
        aw_waits_reg <= awvalid & ~awready & ~rst;
        w_waits_reg <= wvalid & ~wready & ~rst;
        ar_seen_reg <= ar_shown;
        aw_seen_reg <= aw_shown;
        w_seen_reg <= w_shown;
    end

endmodule

`default_nettype wire
