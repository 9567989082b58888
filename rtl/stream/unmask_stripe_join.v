// Where the channels meet: takes stripes off the FIFOs, slice by slice, in the order of the reads.
//
// A stripe's first slice is taken as soon as a beat of each of its channels is in front of its FIFO
// and the scales of its segment are in the ring; then one a cycle. With the last one the beats
// leave. What is said of a slice is of the cycle in which it is taken (`take`).
`default_nettype none

module unmask_stripe_join #(
    // Lanes: a power of two, 2 to 2048
    parameter VLEN = 8,
    // Channels: a power of two, 1 to 64
    parameter CHANNELS = 1,
    // Bits of a beat: a power of two, 64 to 1024
    parameter BEAT_BITS = 64,
    // Bits of an address that may be other than zero: at most 64
    parameter ADDRESS_BITS = 64,
    // Scale beats in the ring: a power of two
    parameter RING = 64,
    // Bits of a position in the ring: log2(RING) + 2
    parameter POSITION_BITS = 8,
    // Bits of a plan, as unmask_read_segments has it
    parameter PLAN = 1,
    // Not to be set
    parameter LANE_BITS = $clog2(VLEN),
    parameter CHANNEL_BITS = CHANNELS > 1 ? $clog2(CHANNELS) : 1,
    parameter STRIPE_SHIFT = $clog2(BEAT_BITS / 8) + $clog2(CHANNELS),
    parameter COUNT = $clog2(CHANNELS) + 3,
    parameter BYTE_BITS = $clog2(RING) + $clog2(BEAT_BITS / 8)
) (
    input  wire                     clk,
    input  wire                     rst,

    input  wire                     arrives,
    input  wire [3*PLAN-1:0]        plan,
    /* verilator lint_off UNUSEDSIGNAL */
    input  wire [5:0]               kind,          // of each entry of the queue
    /* verilator lint_on UNUSEDSIGNAL */
    input  wire [8:0]               format,
    input  wire [95:0]              to,
    input  wire [95:0]              step,
    output wire [POSITION_BITS-1:0] freed,         // scale beats done with

    input  wire [CHANNELS-1:0]      filled,
    input  wire [CHANNELS-1:0]      scales_in,
    output wire [CHANNELS-1:0]      pop,
    output wire                     load,          // comes to a segment that needs these scales
    output wire [COUNT-1:0]         load_count,
    output wire [CHANNEL_BITS-1:0]  load_channel,

    output wire                     take,
    output wire [1:0]               entry,         // of the queue
    output wire                     mx,
    output wire                     by_8,          // elements that share a scale: 8, else 32
    output wire                     bf16,
    output wire                     first,         // the transfer's first slice
    output wire                     last,          // the transfer's last slice
    output wire [STRIPE_SHIFT-1:0]  place,         // the slice's first byte in its stripe
    output wire [LANE_BITS-1:0]     low_lane,      // active lanes
    output wire [LANE_BITS-1:0]     high_lane,
    output wire [31:0]              element,       // lane 0's number in its row, modulo 2**32
    output wire [31:0]              target,        // where it goes in its SRAM
    output wire [BYTE_BITS-1:0]     scale_byte,    // lane 0's scale in the ring
    output wire [4:0]               scale_lane     // lane 0's place in 32 elements
);

    localparam BEAT_SHIFT = $clog2(BEAT_BITS / 8);
    localparam CHANNEL_SHIFT = $clog2(CHANNELS);
    localparam HEAD = STRIPE_SHIFT > 5 ? STRIPE_SHIFT : 5;
    localparam STRIPES = ADDRESS_BITS - STRIPE_SHIFT;
    localparam BEATS = ADDRESS_BITS - BEAT_SHIFT;
    // Bytes of a slice, less one, by what an element is
    localparam [STRIPE_SHIFT-1:0] ALL = {STRIPE_SHIFT{1'b1}};
    localparam [31:0] VLEN_LESS = VLEN - 1;
    localparam [31:0] TWICE_LESS = 2 * VLEN - 1;
    localparam [STRIPE_SHIFT-1:0] MX_SLICE =
        LANE_BITS < STRIPE_SHIFT ? VLEN_LESS[STRIPE_SHIFT-1:0] : ALL;
    localparam [STRIPE_SHIFT-1:0] BF16_SLICE =
        LANE_BITS + 1 < STRIPE_SHIFT ? TWICE_LESS[STRIPE_SHIFT-1:0] : ALL;
    localparam [STRIPE_SHIFT-1:0] WORD_SLICE = 3;
    localparam WIDE = STRIPE_SHIFT > LANE_BITS ? STRIPE_SHIFT : LANE_BITS;

    wire segment_valid;
    wire [1:0] segment_entry;
    wire segment_mx;
    wire segment_by_8;
    wire segment_begins;
    wire segment_fresh;
    wire segment_final;
    wire segment_ends;
    wire [4:0] segment_high;
    wire [STRIPE_SHIFT-1:0] segment_tail;
    wire [COUNT-1:0] segment_count;
    wire [POSITION_BITS-1:0] segment_position;
    wire [BEAT_SHIFT-1:0] segment_scale;
    wire segment_keeps;
    // Addresses are the walkers' business.
    /* verilator lint_off UNUSEDSIGNAL */
    wire [STRIPES-1:0] segment_stripe;
    wire [BEATS-1:0] segment_asked;
    wire [HEAD-1:0] segment_head;
    /* verilator lint_on UNUSEDSIGNAL */

    unmask_read_segments #(
        .CHANNELS(CHANNELS), .BEAT_BITS(BEAT_BITS), .ADDRESS_BITS(ADDRESS_BITS),
        .POSITION_BITS(POSITION_BITS), .PLAN(PLAN)
    ) segments (
        .clk(clk), .rst(rst), .arrives(arrives), .plan(plan), .advance(load),
        .segment_valid(segment_valid), .segment_entry(segment_entry), .segment_mx(segment_mx),
        .segment_by_8(segment_by_8), .segment_begins(segment_begins),
        .segment_fresh(segment_fresh), .segment_final(segment_final),
        .segment_ends(segment_ends), .segment_stripe(segment_stripe),
        .segment_high(segment_high), .segment_head(segment_head), .segment_tail(segment_tail),
        .segment_asked(segment_asked), .segment_count(segment_count),
        .segment_position(segment_position), .segment_scale(segment_scale),
        .segment_keeps(segment_keeps)
    );

    wire [STRIPE_SHIFT-1:0] segment_first = segment_head[STRIPE_SHIFT-1:0];
    wire segment_word = segment_entry[1] ? kind[5] : segment_entry[0] ? kind[3] : kind[1];
    wire [2:0] segment_format =
        segment_entry[1] ? format[8:6] : segment_entry[0] ? format[5:3] : format[2:0];
    wire [31:0] segment_to = segment_entry[1] ? to[95:64] : segment_entry[0] ? to[63:32] : to[31:0];
    wire [31:0] segment_step =
        segment_entry[1] ? step[95:64] : segment_entry[0] ? step[63:32] : step[31:0];
    wire segment_bf16 = ~segment_word & segment_format == 3'd0;
    wire [STRIPE_SHIFT-1:0] segment_slice =
        segment_mx ? MX_SLICE : segment_bf16 ? BF16_SLICE : WORD_SLICE;

    // -- the segment that is taken, and the slice in front --

    reg valid_reg;
    reg [1:0] entry_reg;
    reg mx_reg;
    reg by_8_reg;
    reg bf16_reg;
    reg first_reg;                       // nothing of the transfer is taken
    reg ends_reg;                        // the transfer ends with it
    reg final_reg;                       // the piece ends with it
    reg [4:0] stripe_reg;                // the one in front, modulo 32
    reg [4:0] high_reg;                  // the segment's last
    /* verilator lint_off UNUSEDSIGNAL */
    reg top_reg;                         // the one in front is the piece's first
    /* verilator lint_on UNUSEDSIGNAL */
    reg lead_reg;                        // and so is the slice
    reg [STRIPE_SHIFT-1:0] head_reg;     // the piece's first and last byte in their stripes
    reg [STRIPE_SHIFT-1:0] tail_reg;
    reg [STRIPE_SHIFT-1:0] slice_reg;    // bytes of a slice, less one
    reg [STRIPE_SHIFT-1:0] place_reg;
    reg [31:0] element_reg;
    reg [31:0] to_reg;                   // where the piece's first element goes
    reg [BYTE_BITS-1:0] scale_reg;       // the piece's first scale in the ring
    reg [POSITION_BITS-1:0] frees_reg;   // scale beats done with at the segment's end
    reg [POSITION_BITS-1:0] freed_reg;

    wire bottom = final_reg & stripe_reg == high_reg;
    wire [STRIPE_SHIFT-1:0] stop = bottom ? tail_reg : ALL;
    wire last_slice = (place_reg | slice_reg) == (stop | slice_reg);
    wire segment_done = last_slice & stripe_reg == high_reg;

    wire [CHANNELS-1:0] member;          // channels of the stripe in front
    generate
        if (CHANNELS > 1) begin : several
            wire [CHANNEL_BITS-1:0] low =
                top_reg ? head_reg[STRIPE_SHIFT-1:BEAT_SHIFT] : {CHANNEL_BITS{1'b0}};
            wire [CHANNEL_BITS-1:0] high = stop[STRIPE_SHIFT-1:BEAT_SHIFT];
            assign member = ({CHANNELS{1'b1}} << low) & ({CHANNELS{1'b1}} >> ~high);
        end else begin : single
            assign member = 1'b1;
        end
    endgenerate

    assign take = valid_reg & (&(filled | ~member)) & (&scales_in);
    assign pop = {CHANNELS{take & last_slice}} & member;
    assign load = segment_valid & (~valid_reg | (take & segment_done));
    assign load_count = segment_count;
    generate
        if (CHANNELS > 1) begin : spread
            assign load_channel = segment_position[CHANNEL_SHIFT-1:0];
        end else begin : narrow
            assign load_channel = 1'b0;
        end
    endgenerate

    // Elements from one slice to the next, of a full stripe
    wire [STRIPE_SHIFT:0] slice_bytes = {1'b0, slice_reg} + {{STRIPE_SHIFT{1'b0}}, 1'b1};
    wire [STRIPE_SHIFT:0] lanes = mx_reg ? slice_bytes
        : bf16_reg ? slice_bytes >> 1 : {{STRIPE_SHIFT{1'b0}}, 1'b1};
    wire [31:0] next_element = element_reg + {{(31 - STRIPE_SHIFT){1'b0}}, lanes};

    // Lanes of the first slice that come before the piece
    wire [STRIPE_SHIFT-1:0] outside_bytes = segment_first & segment_slice;
    wire [STRIPE_SHIFT-1:0] outside = segment_mx ? outside_bytes
        : segment_bf16 ? outside_bytes >> 1 : {STRIPE_SHIFT{1'b0}};

    wire [POSITION_BITS-1:0] behind =
        segment_position + {{(POSITION_BITS - COUNT){1'b0}}, segment_count};

    always @(posedge clk) begin
        if (rst) valid_reg <= 1'b0;
        else if (load) valid_reg <= 1'b1;
        else if (take & segment_done) valid_reg <= 1'b0;

        if (rst) freed_reg <= {POSITION_BITS{1'b0}};
        else if (take & segment_done & mx_reg) freed_reg <= frees_reg;

        if (load) begin
            entry_reg <= segment_entry;
            mx_reg <= segment_mx;
            by_8_reg <= segment_by_8;
            bf16_reg <= segment_bf16;
            first_reg <= segment_begins;
            ends_reg <= segment_ends;
            final_reg <= segment_final;
            stripe_reg <= segment_stripe[4:0];
            high_reg <= segment_high;
            top_reg <= segment_fresh;
            lead_reg <= segment_fresh;
            head_reg <= segment_first;
            tail_reg <= segment_tail;
            slice_reg <= segment_slice;
            place_reg <= segment_fresh ? segment_first & ~segment_slice : {STRIPE_SHIFT{1'b0}};
            frees_reg <= behind - {{(POSITION_BITS - 1){1'b0}}, segment_keeps};
            element_reg <= segment_fresh ? 32'd0 - {{(32 - STRIPE_SHIFT){1'b0}}, outside}
                : next_element;
            if (segment_begins) to_reg <= segment_to;
            else if (segment_fresh) to_reg <= to_reg + segment_step;
            if (segment_fresh)
                scale_reg <= {segment_position[POSITION_BITS-3:0], segment_scale};
        end else if (take) begin
            first_reg <= 1'b0;
            lead_reg <= 1'b0;
            element_reg <= next_element;
            place_reg <= place_reg + slice_bytes[STRIPE_SHIFT-1:0];   // 0 behind a whole stripe
            if (last_slice) begin
                top_reg <= 1'b0;
                stripe_reg <= stripe_reg + 5'd1;
            end
        end
    end

    // Active lanes: all of the slice but before the piece and behind it
    wire [WIDE-1:0] low_byte = {{(WIDE - STRIPE_SHIFT){1'b0}}, head_reg & slice_reg};
    wire [WIDE-1:0] high_byte = {{(WIDE - STRIPE_SHIFT){1'b0}},
        (bottom & last_slice ? tail_reg : ALL) & slice_reg};
    /* verilator lint_off UNUSEDSIGNAL */
    wire [WIDE-1:0] low_of = mx_reg ? low_byte : bf16_reg ? low_byte >> 1 : {WIDE{1'b0}};
    wire [WIDE-1:0] high_of = mx_reg ? high_byte : bf16_reg ? high_byte >> 1 : {WIDE{1'b0}};
    /* verilator lint_on UNUSEDSIGNAL */

    // The lane's block, counted from the piece's first; the head's lanes are before it.
    wire [BYTE_BITS-1:0] block = by_8_reg ? element_reg[3 +: BYTE_BITS] : element_reg[5 +: BYTE_BITS];

    assign freed = freed_reg;
    assign entry = entry_reg;
    assign mx = mx_reg;
    assign by_8 = by_8_reg;
    assign bf16 = bf16_reg;
    assign first = first_reg;
    assign last = last_slice & stripe_reg == high_reg & ends_reg;
    assign place = place_reg;
    assign low_lane = lead_reg ? low_of[LANE_BITS-1:0] : {LANE_BITS{1'b0}};
    assign high_lane = high_of[LANE_BITS-1:0];
    assign element = element_reg;
    assign target = to_reg + element_reg;
    assign scale_byte = scale_reg + block;
    assign scale_lane = element_reg[4:0];

endmodule

`default_nettype wire
