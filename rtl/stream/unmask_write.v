// The write engine: a store from SRAM to HBM, one at a time.
//
//   t        in_valid: the cycle of issue
//   t + 1    the first row or word is read
//   t + 2    it is at the quantiser; the first step (later by block / VLEN - 1 where a block of
//            MX elements is several rows long, so that its scale is known)
//   t + 3    quantised    t + 4  rotated    t + 5  merged into its stripe
//   t + 6    the stripe's beats go into the channels' FIFOs, all at once
//   t + 7    the bursts' addresses    t + 8  their first beats
//
// One slice a cycle; where a FIFO has no room, everything up to it stands still. `out_valid` comes
// in the cycle behind the last answer; where one was an error CHANNELS + 1 cycles later, with
// `out_fault` and the lowest address of a burst that failed. Pages in rtl/README.md.
`default_nettype none

module unmask_write #(
    // Lanes: a power of two, 2 to 2048
    parameter VLEN = 8,
    // Rows of vector SRAM: a power of two, at least 2
    parameter VECTOR_ROWS = 64,
    // Words of int and key SRAM: powers of two, at least 2
    parameter INT_WORDS = 4096,
    parameter KEY_WORDS = 1024,
    // AXI4 masters: a power of two, 1 to 64
    parameter CHANNELS = 1,
    // Bits of a beat: a power of two, 64 to 1024
    parameter BEAT_BITS = 64,
    // Most beats of a burst: a power of two, 1 to 32
    parameter BURST = 16,
    // Bursts of a channel without an answer: 1 to 1024
    parameter OUTSTANDING = 16,
    // Beats that a channel's FIFO holds: 1 to 4096
    parameter FIFO = 16
) (
    input  wire                            clk,
    input  wire                            rst,

    input  wire                            in_valid,      // while nothing is under way
    input  wire [1:0]                      in_kind,       // 1 vector rows, 2 int, 3 key
    input  wire [2:0]                      in_format,     // of vector rows, as in the CSRs
    input  wire [63:0]                     in_first,      // byte address of the first element
    input  wire [63:0]                     in_scale,      // and of its scale
    input  wire [31:0]                     in_length,     // elements of a row: at least 1, whole
    input  wire [31:0]                     in_rows,       // blocks; rows, at least 1 (words: 1)
    input  wire [31:0]                     in_pitch,      // elements from row to row
    input  wire [31:0]                     in_from,       // vector element (a row's first) or word

    output wire                            vector_enable,
    output wire [$clog2(VECTOR_ROWS)-1:0]  vector_row,
    input  wire [16*VLEN-1:0]              vector_data,   // one cycle later, held until the next
    output wire                            int_enable,
    output wire                            key_enable,
    output wire [$clog2(INT_WORDS > KEY_WORDS ? INT_WORDS : KEY_WORDS)-1:0] word_address,
    input  wire [31:0]                     int_data,
    input  wire [31:0]                     key_data,

    output wire                            out_valid,
    output wire                            out_fault,
    output wire [63:0]                     out_fault_address,
    output wire                            idle,          // nothing under way

    output wire [64*CHANNELS-1:0]          m_axi_awaddr,
    output wire [8*CHANNELS-1:0]           m_axi_awlen,
    output wire [3*CHANNELS-1:0]           m_axi_awsize,
    output wire [2*CHANNELS-1:0]           m_axi_awburst,
    output wire [CHANNELS-1:0]             m_axi_awvalid,
    input  wire [CHANNELS-1:0]             m_axi_awready,
    output wire [BEAT_BITS*CHANNELS-1:0]   m_axi_wdata,
    output wire [BEAT_BITS/8*CHANNELS-1:0] m_axi_wstrb,
    output wire [CHANNELS-1:0]             m_axi_wlast,
    output wire [CHANNELS-1:0]             m_axi_wvalid,
    input  wire [CHANNELS-1:0]             m_axi_wready,
    input  wire [2*CHANNELS-1:0]           m_axi_bresp,
    input  wire [CHANNELS-1:0]             m_axi_bvalid,
    output wire [CHANNELS-1:0]             m_axi_bready
);

    localparam LEVELS = $clog2(VLEN);
    localparam BEAT = BEAT_BITS / 8;
    localparam STRIPE = CHANNELS * BEAT;
    localparam IN = $clog2(STRIPE);
    localparam ROW = 64 - IN;
    localparam BITS = $clog2(2 * VLEN);
    localparam ROW_BITS = $clog2(VECTOR_ROWS);
    localparam WORD_BITS = $clog2(INT_WORDS > KEY_WORDS ? INT_WORDS : KEY_WORDS);
    localparam PLACE_BITS = ROW_BITS > WORD_BITS ? ROW_BITS : WORD_BITS;
    // Bits that hold the bytes of any region, a stripe and a row, with one to spare.
    localparam OF_ROWS = $clog2(VECTOR_ROWS) + BITS + 2;
    localparam OF_WORDS = WORD_BITS + 4;
    localparam LONG = OF_ROWS > OF_WORDS ? OF_ROWS : OF_WORDS;
    localparam SPAN = LONG > IN + 6 ? LONG : IN + 6;
    localparam UNIT_BITS = BITS > IN ? BITS : IN;
    localparam SCAN_BITS = CHANNELS < 2 ? 1 : $clog2(CHANNELS);

    generate
        if (VLEN < 2 || VLEN > 2048 || (VLEN & (VLEN - 1)) != 0) begin : check_vlen
            VLEN_must_be_a_power_of_two_from_2_to_2048 error();
        end
        if (VECTOR_ROWS < 2 || (VECTOR_ROWS & (VECTOR_ROWS - 1)) != 0) begin : check_rows
            VECTOR_ROWS_must_be_a_power_of_two_of_at_least_2 error();
        end
        if (INT_WORDS < 2 || (INT_WORDS & (INT_WORDS - 1)) != 0) begin : check_int
            INT_WORDS_must_be_a_power_of_two_of_at_least_2 error();
        end
        if (KEY_WORDS < 2 || (KEY_WORDS & (KEY_WORDS - 1)) != 0) begin : check_key
            KEY_WORDS_must_be_a_power_of_two_of_at_least_2 error();
        end
    endgenerate

    reg busy_reg;
    reg int_reg;                          // of the words, those of int SRAM
    wire stall;
    wire enable = ~stall;

    // Steps.
    /* verilator lint_off UNUSEDSIGNAL */
    wire [31:0] from_place = in_kind[1] ? in_from : in_from >> LEVELS;
    /* verilator lint_on UNUSEDSIGNAL */
    wire active;
    wire [2:0] format;
    wire words;
    wire fetch;
    wire [PLACE_BITS-1:0] fetch_place;
    wire shift;
    wire step_valid;
    wire step_take;
    wire step_turn;
    wire step_scales;
    wire [UNIT_BITS-1:0] step_unit;
    wire [63:0] step_position;
    wire [SPAN-1:0] step_first;
    wire [SPAN-1:0] step_last;
    wire step_fresh;
    wire step_final;

    unmask_write_steps #(
        .VLEN(VLEN),
        .STRIPE(STRIPE),
        .PLACE_BITS(PLACE_BITS),
        .UNIT_BITS(UNIT_BITS),
        .SPAN(SPAN)
    ) steps (
        .clk(clk),
        .rst(rst),
        .in_valid(in_valid),
        .in_words(in_kind[1]),
        .in_format(in_format),
        .in_first(in_first),
        .in_scale(in_scale),
        .in_length(in_length),
        .in_rows(in_rows),
        .in_pitch(in_pitch),
        .in_from(from_place[PLACE_BITS-1:0]),
        .enable(enable),
        .active(active),
        .format(format),
        .words(words),
        .fetch(fetch),
        .fetch_place(fetch_place),
        .shift(shift),
        .out_valid(step_valid),
        .out_take(step_take),
        .out_turn(step_turn),
        .out_scales(step_scales),
        .out_unit(step_unit),
        .out_position(step_position),
        .out_first(step_first),
        .out_last(step_last),
        .out_fresh(step_fresh),
        .out_final(step_final)
    );

    assign vector_enable = fetch & ~words;
    assign vector_row = fetch_place[ROW_BITS-1:0];
    assign int_enable = fetch & words & int_reg;
    assign key_enable = fetch & words & ~int_reg;
    assign word_address = fetch_place[WORD_BITS-1:0];

    wire [16*VLEN-1:0] bytes;
    unmask_write_quantiser #(.VLEN(VLEN)) quantiser (
        .clk(clk),
        .clear(in_valid),
        .enable(enable),
        .format(format),
        .words(words),
        .scales(step_scales),
        .shift(shift),
        .row(vector_data),
        .word(int_reg ? int_data : key_data),
        .out_bytes(bytes)
    );

    // The step beside its bytes.
    reg valid_reg;
    reg take_reg;
    reg turn_reg;
    reg [UNIT_BITS-1:0] unit_reg;
    reg [63:0] position_reg;
    reg [SPAN-1:0] first_reg;
    reg [SPAN-1:0] last_reg;
    reg fresh_reg;
    reg final_reg;

    always @(posedge clk) begin
        if (rst) valid_reg <= 1'b0;
        else if (enable) valid_reg <= step_valid;
        if (enable) begin
            take_reg <= step_valid & step_take;
            turn_reg <= step_valid & step_turn;
            unit_reg <= step_unit;
            position_reg <= step_position;
            first_reg <= step_first;
            last_reg <= step_last;
            fresh_reg <= step_fresh;
            final_reg <= step_final;
        end
    end

    wire slice_opens;
    wire [STRIPE-1:0] slice_strobe;
    wire [8*STRIPE-1:0] data;

    unmask_write_align #(
        .VLEN(VLEN),
        .STRIPE(STRIPE)
    ) align (
        .clk(clk),
        .enable(enable),
        .in_take(take_reg),
        .in_turn(turn_reg),
        .in_bytes(bytes),
        .in_first(first_reg[BITS-1:0]),
        .in_unit(unit_reg[BITS-1:0]),
        .in_position(position_reg[BITS-1:0]),
        .slice_opens(slice_opens),
        .slice_strobe(slice_strobe),
        .out_data(data)
    );

    wire beats_busy;
    wire push;
    wire [STRIPE-1:0] strobe;
    wire [CHANNELS-1:0] present;
    wire [CHANNELS-1:0] begins;
    wire [CHANNELS-1:0] lasts;
    wire [5*CHANNELS-1:0] lengths;
    wire [ROW-1:0] row;

    unmask_write_beats #(
        .CHANNELS(CHANNELS),
        .BEAT(BEAT),
        .BURST(BURST),
        .SPAN(SPAN)
    ) beats (
        .clk(clk),
        .rst(rst),
        .enable(enable),
        .in_valid(valid_reg),
        .in_position(position_reg),
        .in_inside(unit_reg[IN-1:0]),
        .in_first(first_reg),
        .in_last(last_reg),
        .in_fresh(fresh_reg),
        .in_final(final_reg),
        .slice_opens(slice_opens),
        .slice_strobe(slice_strobe),
        .busy(beats_busy),
        .out_valid(push),
        .out_strobe(strobe),
        .out_present(present),
        .out_begin(begins),
        .out_last(lasts),
        .out_length(lengths),
        .out_row(row)
    );

    // Channels: a stripe goes into all FIFOs that it has a beat for, or into none.
    wire [CHANNELS-1:0] full;
    wire [CHANNELS-1:0] quiet;
    wire [CHANNELS-1:0] fault;
    wire [ROW*CHANNELS-1:0] fault_row;

    assign stall = push & |(present & full);

    genvar channel;
    generate
        for (channel = 0; channel < CHANNELS; channel = channel + 1) begin : channels
            unmask_write_channel #(
                .BEAT_BITS(BEAT_BITS),
                .ROW_BITS(ROW),
                .OUTSTANDING(OUTSTANDING),
                .FIFO(FIFO)
            ) port (
                .clk(clk),
                .rst(rst),
                .clear(in_valid),
                .push(push & ~stall & present[channel]),
                .push_data(data[BEAT_BITS*channel +: BEAT_BITS]),
                .push_strobe(strobe[BEAT*channel +: BEAT]),
                .push_last(lasts[channel]),
                .push_begin(begins[channel]),
                .push_row(row),
                .push_length(lengths[5*channel +: 5]),
                .full(full[channel]),
                .idle(quiet[channel]),
                .fault(fault[channel]),
                .fault_row(fault_row[ROW*channel +: ROW]),
                .m_axi_awaddr(m_axi_awaddr[64*channel +: 64]),
                .m_axi_awlen(m_axi_awlen[8*channel +: 8]),
                .m_axi_awvalid(m_axi_awvalid[channel]),
                .m_axi_awready(m_axi_awready[channel]),
                .m_axi_wdata(m_axi_wdata[BEAT_BITS*channel +: BEAT_BITS]),
                .m_axi_wstrb(m_axi_wstrb[BEAT*channel +: BEAT]),
                .m_axi_wlast(m_axi_wlast[channel]),
                .m_axi_wvalid(m_axi_wvalid[channel]),
                .m_axi_wready(m_axi_wready[channel]),
                .m_axi_bresp(m_axi_bresp[2*channel +: 2]),
                .m_axi_bvalid(m_axi_bvalid[channel]),
                .m_axi_bready(m_axi_bready[channel])
            );
        end
    endgenerate

    localparam [2:0] SIZE = BEAT == 8 ? 3'd3 : BEAT == 16 ? 3'd4 : BEAT == 32 ? 3'd5
        : BEAT == 64 ? 3'd6 : 3'd7;
    assign m_axi_awsize = {CHANNELS{SIZE}};
    assign m_axi_awburst = {CHANNELS{2'b01}};   // INCR

    // The end: all answered, and of errors the lowest address, one channel a cycle.
    reg scan_reg;
    reg scanned_reg;
    reg [SCAN_BITS-1:0] number_reg;
    reg [63:0] lowest_reg;

    wire over = busy_reg & ~(active | step_valid | valid_reg | beats_busy) & (&quiet);
    wire failed = |fault;
    wire [SCAN_BITS-1:0] looked_at = CHANNELS == 1 ? {SCAN_BITS{1'b0}} : number_reg;
    wire [63:0] number = {{(64 - SCAN_BITS){1'b0}}, looked_at};
    wire [63:0] failing =
        {fault_row[ROW*looked_at +: ROW], {IN{1'b0}}} | number << $clog2(BEAT);

    assign out_valid = over & (~failed | scanned_reg);

    always @(posedge clk) begin
        if (rst | out_valid) busy_reg <= 1'b0;
        else if (in_valid) busy_reg <= 1'b1;
        if (in_valid) int_reg <= ~in_kind[0];

        if (rst | in_valid) begin
            scan_reg <= 1'b0;
            scanned_reg <= 1'b0;
        end else if (over & failed) begin
            scan_reg <= 1'b1;
            if (scan_reg & {{(32 - SCAN_BITS){1'b0}}, number_reg} == CHANNELS - 1) scanned_reg <= 1'b1;
        end
        if (~scan_reg) begin
            number_reg <= {SCAN_BITS{1'b0}};
            lowest_reg <= {64{1'b1}};
        end else if (~scanned_reg) begin
            number_reg <= number_reg + 1'b1;
            if (fault[looked_at] & failing < lowest_reg) lowest_reg <= failing;
        end
    end

    assign out_fault = failed;
    assign out_fault_address = lowest_reg;
    assign idle = ~busy_reg;

endmodule

`default_nettype wire
