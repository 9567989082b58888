// The addresses of one channel: its bursts of all reads in the queue, in order.
//
// For each segment the scale beats that lie on the channel, then its element beats, as bursts that
// end before each beat whose number in the channel is a multiple of BURST. A segment's bursts are
// offered when the ring has room for all its scale beats; one with nothing for the channel takes a
// cycle. The first burst is offered two cycles after its request at the earliest.
`default_nettype none

module unmask_read_walker #(
    // Channels: a power of two, 1 to 64
    parameter CHANNELS = 1,
    // Bits of a beat: a power of two, 64 to 1024
    parameter BEAT_BITS = 64,
    // Bits of an address that may be other than zero: at most 64
    parameter ADDRESS_BITS = 64,
    // Most beats of a burst: a power of two, 1 to 32
    parameter BURST = 16,
    // Scale beats in the ring: a power of two
    parameter RING = 64,
    // Bits of a position in the ring: log2(RING) + 2
    parameter POSITION_BITS = 8,
    // Bits of a plan, as unmask_read_segments has it
    parameter PLAN = 1,
    // Bits of a channel's number, of a beat's number in its channel, and of one in the ring's bank
    parameter CHANNEL_BITS = CHANNELS > 1 ? $clog2(CHANNELS) : 1,
    parameter ROW_BITS = ADDRESS_BITS - $clog2(BEAT_BITS / 8) - $clog2(CHANNELS),
    parameter PLACE_BITS = $clog2(RING) - $clog2(CHANNELS)
) (
    input  wire                     clk,
    input  wire                     rst,
    input  wire [CHANNEL_BITS-1:0]  channel,       // which one it is: a constant

    input  wire                     arrives,
    input  wire [3*PLAN-1:0]        plan,
    input  wire [POSITION_BITS-1:0] freed,         // scale beats done with

    input  wire                     room,          // for one more burst under way
    output wire                     burst_valid,
    input  wire                     burst_ready,
    output wire                     burst_scale,   // of scales, else of elements
    output wire [1:0]               burst_entry,
    output wire [ROW_BITS-1:0]      burst_row,     // first beat's number in the channel
    output wire [4:0]               burst_length,  // beats, less one
    output wire [PLACE_BITS-1:0]    burst_place    // of scales: the first one's place in the bank
);

    localparam BEAT_SHIFT = $clog2(BEAT_BITS / 8);
    localparam CHANNEL_SHIFT = $clog2(CHANNELS);
    localparam STRIPE_SHIFT = BEAT_SHIFT + CHANNEL_SHIFT;
    localparam HEAD = STRIPE_SHIFT > 5 ? STRIPE_SHIFT : 5;
    localparam COUNT = CHANNEL_SHIFT + 3;
    localparam BURST_SHIFT = $clog2(BURST);
    localparam [31:0] BURST_LAST = BURST - 1;
    localparam [5:0] WITHIN = BURST_LAST[5:0];     // bits of a beat's place in its burst
    localparam [31:0] ROOM = RING;

    wire segment_valid;
    wire [1:0] segment_entry;
    wire segment_mx;
    wire segment_fresh;
    wire segment_final;
    wire [ROW_BITS-1:0] segment_stripe;
    wire [4:0] segment_high;
    wire [ADDRESS_BITS-BEAT_SHIFT-1:0] segment_asked;
    wire [COUNT-1:0] segment_count;
    wire [POSITION_BITS-1:0] segment_position;
    wire advance;
    // The lanes look at the rest.
    /* verilator lint_off UNUSEDSIGNAL */
    wire [HEAD-1:0] segment_head;
    wire [STRIPE_SHIFT-1:0] segment_tail;
    wire segment_by_8;
    wire segment_begins;
    wire segment_ends;
    wire [BEAT_SHIFT-1:0] segment_scale;
    wire segment_keeps;
    /* verilator lint_on UNUSEDSIGNAL */

    unmask_read_segments #(
        .CHANNELS(CHANNELS), .BEAT_BITS(BEAT_BITS), .ADDRESS_BITS(ADDRESS_BITS),
        .POSITION_BITS(POSITION_BITS), .PLAN(PLAN)
    ) segments (
        .clk(clk), .rst(rst), .arrives(arrives), .plan(plan), .advance(advance),
        .segment_valid(segment_valid), .segment_entry(segment_entry), .segment_mx(segment_mx),
        .segment_by_8(segment_by_8), .segment_begins(segment_begins),
        .segment_fresh(segment_fresh), .segment_final(segment_final),
        .segment_ends(segment_ends), .segment_stripe(segment_stripe),
        .segment_high(segment_high), .segment_head(segment_head), .segment_tail(segment_tail),
        .segment_asked(segment_asked), .segment_count(segment_count),
        .segment_position(segment_position), .segment_scale(segment_scale),
        .segment_keeps(segment_keeps)
    );

    // -- the segment's beats that lie on this channel --

    wire [CHANNEL_BITS-1:0] scale_channel;
    wire before_first;                   // so not in the piece's first stripe
    wire before_scale;
    wire behind_last;                    // so not in its last stripe
    wire [ROW_BITS-1:0] scale_stripe = segment_asked[ADDRESS_BITS-BEAT_SHIFT-1:CHANNEL_SHIFT];
    generate
        if (CHANNELS > 1) begin : several
            wire [CHANNEL_BITS-1:0] first_channel = segment_head[STRIPE_SHIFT-1:BEAT_SHIFT];
            wire [CHANNEL_BITS-1:0] last_channel = segment_tail[STRIPE_SHIFT-1:BEAT_SHIFT];
            assign scale_channel = segment_asked[CHANNEL_SHIFT-1:0];
            assign before_first = channel < first_channel;
            assign before_scale = channel < scale_channel;
            assign behind_last = channel > last_channel;
        end else begin : single
            assign scale_channel = 1'b0;
            assign before_first = 1'b0;
            assign before_scale = 1'b0;
            assign behind_last = 1'b0;
        end
    endgenerate

    // Elements: stripes first_element .. last_element, in 6 bits by their low bits
    wire later = segment_fresh & before_first;
    wire earlier = segment_final & behind_last;
    wire [ROW_BITS-1:0] first_element = segment_stripe + {{(ROW_BITS - 1){1'b0}}, later};
    wire [5:0] last_element = {1'b0, segment_high} - {5'd0, earlier};
    wire [5:0] elements = last_element - {1'b0, segment_stripe[4:0]} - {5'd0, later};
    wire any_element = ~elements[5];

    // Scales: of `count` neighbours those that are `channel` modulo CHANNELS
    wire [CHANNEL_BITS-1:0] aside = channel - scale_channel;
    wire [COUNT-1:0] skipped = {{(COUNT - CHANNEL_BITS){1'b0}}, aside};
    wire any_scale = skipped < segment_count;
    /* verilator lint_off UNUSEDSIGNAL */
    wire [COUNT-1:0] behind = segment_count - {{(COUNT - 1){1'b0}}, 1'b1} - skipped;
    /* verilator lint_on UNUSEDSIGNAL */
    wire [2:0] more = behind[COUNT-1:CHANNEL_SHIFT];
    wire [ROW_BITS-1:0] first_scale =
        scale_stripe + {{(ROW_BITS - 1){1'b0}}, before_scale};
    /* verilator lint_off UNUSEDSIGNAL */
    wire [POSITION_BITS-3:0] first_position =
        segment_position[POSITION_BITS-3:0] + {{(POSITION_BITS - COUNT - 2){1'b0}}, skipped};
    /* verilator lint_on UNUSEDSIGNAL */
    wire [POSITION_BITS-1:0] needs =
        segment_position + {{(POSITION_BITS - COUNT){1'b0}}, segment_count};

    // -- the segment whose bursts go out --

    reg valid_reg;
    reg [1:0] entry_reg;
    reg mx_reg;
    reg [POSITION_BITS-1:0] needs_reg;
    reg scale_reg;                       // scale beats are left
    reg element_reg;                     // element beats are left
    reg [ROW_BITS-1:0] scale_row_reg;
    reg [5:0] scale_last_reg;            // low bits
    reg [PLACE_BITS-1:0] place_reg;
    reg [ROW_BITS-1:0] element_row_reg;
    reg [5:0] element_last_reg;

    wire [POSITION_BITS-1:0] held = needs_reg - freed;
    wire credit = ~mx_reg | held <= ROOM[POSITION_BITS-1:0];

    wire [ROW_BITS-1:0] row = scale_reg ? scale_row_reg : element_row_reg;
    wire [5:0] last = scale_reg ? scale_last_reg : element_last_reg;
    wire final_burst = (row[5:0] | WITHIN) == (last | WITHIN);
    wire [4:0] stop = final_burst ? last[4:0] : row[4:0] | WITHIN[4:0];
    wire [4:0] length = stop - row[4:0];
    wire [ROW_BITS-BURST_SHIFT-1:0] next_burst =
        row[ROW_BITS-1:BURST_SHIFT] + {{(ROW_BITS - BURST_SHIFT - 1){1'b0}}, 1'b1};
    wire [ROW_BITS-1:0] next_row;
    generate
        if (BURST > 1) begin : long
            assign next_row = {next_burst, {BURST_SHIFT{1'b0}}};
        end else begin : short
            assign next_row = next_burst;
        end
    endgenerate

    assign burst_valid = valid_reg & credit & room & (scale_reg | element_reg);
    assign burst_scale = scale_reg;
    assign burst_entry = entry_reg;
    assign burst_row = row;
    assign burst_length = length;
    assign burst_place = place_reg;

    wire sent = burst_valid & burst_ready;
    wire nothing = ~scale_reg & ~element_reg & credit;
    wire done = nothing | (sent & final_burst & ~(scale_reg & element_reg));
    wire load = segment_valid & (~valid_reg | done);
    assign advance = load;

    // So far the ring's bank is filled; a burst of scales is shorter than 8.
    wire [PLACE_BITS-1:0] next_place =
        place_reg + {{(PLACE_BITS - 3){1'b0}}, length[2:0]} + {{(PLACE_BITS - 1){1'b0}}, 1'b1};

    always @(posedge clk) begin
        if (rst) valid_reg <= 1'b0;
        else if (load) valid_reg <= 1'b1;
        else if (done) valid_reg <= 1'b0;

        if (load) begin
            entry_reg <= segment_entry;
            mx_reg <= segment_mx;
            needs_reg <= needs;
            scale_reg <= any_scale;
            element_reg <= any_element;
            scale_row_reg <= first_scale;
            scale_last_reg <= first_scale[5:0] + {3'd0, more};
            place_reg <= first_position[POSITION_BITS-3:CHANNEL_SHIFT];
            element_row_reg <= first_element;
            element_last_reg <= first_element[5:0] + elements;
        end else if (sent) begin
            if (scale_reg) begin
                scale_reg <= ~final_burst;
                scale_row_reg <= next_row;
                place_reg <= next_place;
            end else begin
                element_reg <= ~final_burst;
                element_row_reg <= next_row;
            end
        end
    end

endmodule

`default_nettype wire
