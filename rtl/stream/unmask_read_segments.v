// Walks along the reads in the queue, segment by segment: 32 stripes, cut at multiples of 32 and at
// the ends of a piece. Every channel has a walker of its own, the lanes have one; all see the same
// segments, each in its own time.
//
// The segment in front is there (segment_valid) from the cycle after its request on; `advance`, only
// while it is, goes on to the next. Scale beats that a segment needs and no earlier one of the piece
// did are numbered by positions in the ring: one after the other, but that a piece's first one takes
// the next position that is its channel's number modulo CHANNELS.
`default_nettype none

module unmask_read_segments #(
    // Channels: a power of two, 1 to 64
    parameter CHANNELS = 1,
    // Bits of a beat: a power of two, 64 to 1024
    parameter BEAT_BITS = 64,
    // Bits of an address that may be other than zero: at most 64
    parameter ADDRESS_BITS = 64,
    // Bits of a position in the ring
    parameter POSITION_BITS = 8,
    // Bits of a plan: as below
    parameter PLAN = 1,
    // Not to be set
    parameter BEAT_SHIFT = $clog2(BEAT_BITS / 8),
    parameter STRIPE_SHIFT = BEAT_SHIFT + $clog2(CHANNELS),
    parameter HEAD = STRIPE_SHIFT > 5 ? STRIPE_SHIFT : 5,
    parameter COUNT = $clog2(CHANNELS) + 3
) (
    input  wire                                 clk,
    input  wire                                 rst,

    input  wire                                 arrives,   // a request goes into the queue
    input  wire [3*PLAN-1:0]                    plan,
    input  wire                                 advance,

    output wire                                 segment_valid,
    output wire [1:0]                           segment_entry,   // of the queue
    output wire                                 segment_mx,
    output wire                                 segment_by_8,    // elements that share a scale
    output wire                                 segment_begins,  // the transfer's first
    output wire                                 segment_fresh,   // the piece's first
    output wire                                 segment_final,   // the piece's last
    output wire                                 segment_ends,    // the transfer's last
    output wire [ADDRESS_BITS-STRIPE_SHIFT-1:0] segment_stripe,  // the first one
    output wire [4:0]                           segment_high,    // the last one's low bits
    output wire [HEAD-1:0]                      segment_head,    // the piece's first byte, low bits
    output wire [STRIPE_SHIFT-1:0]              segment_tail,    // the piece's last byte in its stripe
    output wire [ADDRESS_BITS-BEAT_SHIFT-1:0]   segment_asked,   // first scale beat to ask for
    output wire [COUNT-1:0]                     segment_count,   // scale beats to ask for
    output wire [POSITION_BITS-1:0]             segment_position,
    output wire [BEAT_SHIFT-1:0]                segment_scale,   // the piece's first scale in its beat
    output wire                                 segment_keeps    // the next one needs the last of them
);

    localparam A = ADDRESS_BITS;
    localparam STRIPES = A - STRIPE_SHIFT;
    localparam BEATS = A - BEAT_SHIFT;
    localparam SCALE_LOW = STRIPE_SHIFT + 6;   // bits that tell the scales of a segment apart
    localparam [31:0] CHANNEL_LAST = CHANNELS - 1;

    // The entry that is walked along, or begins.
    reg [1:0] entry_reg;
    wire mx;
    wire by_8;
    wire [HEAD-1:0] plan_head;
    wire [STRIPES-1:0] plan_stripe;
    wire [A-1:0] plan_last;
    wire [BEAT_SHIFT-1:0] plan_scale;
    wire [BEATS-1:0] plan_asked;
    wire [A-1:0] plan_scale_last;
    wire [SCALE_LOW-1:0] plan_scale_end;
    wire [A-1:0] pitch;
    wire [A-1:0] gap;
    wire [A-1:0] scale_pitch;
    wire [A-1:0] scale_gap;
    wire [31:0] plan_rows;
    assign {
        mx, by_8, plan_head, plan_stripe, plan_last, plan_scale, plan_asked, plan_scale_last,
        plan_scale_end, pitch, gap, scale_pitch, scale_gap, plan_rows
    } = entry_reg[1] ? plan[3*PLAN-1:2*PLAN]
        : entry_reg[0] ? plan[2*PLAN-1:PLAN]
        : plan[PLAN-1:0];

    reg [1:0] pending_reg;                  // transfers that are not walked to their end
    reg busy_reg;                           // the one in front is begun: registers hold where it is
    reg fresh_reg;
    reg [HEAD-1:0] head_reg;
    reg [STRIPES-1:0] stripe_reg;
    reg [A-1:0] last_reg;                   // the piece's last byte
    reg [BEAT_SHIFT-1:0] scale_reg;
    reg [BEATS-1:0] asked_reg;
    reg [A-1:0] scale_last_reg;             // the piece's last scale
    reg [SCALE_LOW-1:0] scale_end_reg;      // the last scale of a segment that goes to its end
    reg [31:0] rows_reg;
    reg [POSITION_BITS-1:0] position_reg;

    wire fresh = ~busy_reg | fresh_reg;
    wire [HEAD-1:0] head = busy_reg ? head_reg : plan_head;
    wire [STRIPES-1:0] stripe = busy_reg ? stripe_reg : plan_stripe;
    wire [A-1:0] last = busy_reg ? last_reg : plan_last;
    wire [BEAT_SHIFT-1:0] scale_low = busy_reg ? scale_reg : plan_scale;
    wire [BEATS-1:0] asked = busy_reg ? asked_reg : plan_asked;
    wire [A-1:0] scale_last = busy_reg ? scale_last_reg : plan_scale_last;
    wire [SCALE_LOW-1:0] scale_end = busy_reg ? scale_end_reg : plan_scale_end;
    wire [31:0] rows = busy_reg ? rows_reg : plan_rows;

    wire final_segment = stripe[STRIPES-1:5] == last[A-1:STRIPE_SHIFT+5];
    wire ends = final_segment & rows == 32'd1;

    wire [COUNT-1:0] last_beat = final_segment ? scale_last[BEAT_SHIFT +: COUNT]
        : scale_end[BEAT_SHIFT +: COUNT];
    wire [COUNT-1:0] count = mx
        ? last_beat - asked[COUNT-1:0] + {{(COUNT - 1){1'b0}}, 1'b1}
        : {COUNT{1'b0}};

    // From the position in front on, the first that is the channel's of `asked`.
    wire [POSITION_BITS-1:0] asked_low;
    wire [POSITION_BITS-1:0] aside = (asked_low - position_reg) & CHANNEL_LAST[POSITION_BITS-1:0];
    wire [POSITION_BITS-1:0] position = fresh & mx ? position_reg + aside : position_reg;

    // The next segment's first element shares its scale with this one's last, or their scales lie
    // in one beat.
    wire on_block = by_8 ? head[2:0] == 3'd0 : head[4:0] == 5'd0;
    wire keeps = ~final_segment & ~(on_block & (&scale_end[BEAT_SHIFT-1:0]));

    // The next piece
    wire [A-1:0] next_first = last + gap;
    wire [A-1:0] next_scale = scale_last + scale_gap;
    wire [STRIPE_SHIFT+4:0] rest = ~next_first[STRIPE_SHIFT+4:0] >> (by_8 ? 3 : 5);
    wire [SCALE_LOW-1:0] next_end = next_scale[SCALE_LOW-1:0] + {1'b0, rest};

    // Scales of a whole segment: stripes * 32 / 8 or 32
    localparam [SCALE_LOW-1:0] STEP_32 = 1 << STRIPE_SHIFT;
    localparam [SCALE_LOW-1:0] STEP_8 = 4 << STRIPE_SHIFT;

    generate
        if (POSITION_BITS > BEATS) begin : extend
            assign asked_low = {{(POSITION_BITS - BEATS){1'b0}}, asked};
        end else begin : cut
            assign asked_low = asked[POSITION_BITS-1:0];
        end
    endgenerate

    wire finish = advance & ends;

    always @(posedge clk) begin
        if (rst) begin
            entry_reg <= 2'd0;
            pending_reg <= 2'd0;
            busy_reg <= 1'b0;
            position_reg <= {POSITION_BITS{1'b0}};
        end else begin
            pending_reg <= pending_reg + {1'b0, arrives} - {1'b0, finish};
            if (finish) entry_reg <= entry_reg[1] ? 2'd0 : entry_reg + 2'd1;
            if (advance) begin
                busy_reg <= ~ends;
                position_reg <= position + {{(POSITION_BITS - COUNT){1'b0}}, count};
            end
        end
        if (advance) begin
            fresh_reg <= final_segment;
            if (final_segment) begin
                head_reg <= next_first[HEAD-1:0];
                stripe_reg <= next_first[A-1:STRIPE_SHIFT];
                last_reg <= last + pitch;
                scale_reg <= next_scale[BEAT_SHIFT-1:0];
                asked_reg <= next_scale[A-1:BEAT_SHIFT];
                scale_last_reg <= scale_last + scale_pitch;
                scale_end_reg <= next_end;
                rows_reg <= rows - 32'd1;
            end else begin
                head_reg <= head;
                stripe_reg <= {stripe[STRIPES-1:5] + {{(STRIPES - 6){1'b0}}, 1'b1}, 5'd0};
                last_reg <= last;
                scale_reg <= scale_low;
                asked_reg <= asked + {{(BEATS - COUNT){1'b0}}, count};
                scale_last_reg <= scale_last;
                scale_end_reg <= scale_end + (by_8 ? STEP_8 : STEP_32);
                rows_reg <= rows;
            end
        end
    end

    assign segment_valid = pending_reg != 2'd0;
    assign segment_entry = entry_reg;
    assign segment_mx = mx;
    assign segment_by_8 = by_8;
    assign segment_begins = ~busy_reg;
    assign segment_fresh = fresh;
    assign segment_final = final_segment;
    assign segment_ends = ends;
    assign segment_stripe = stripe;
    assign segment_high = final_segment ? last[STRIPE_SHIFT +: 5] : 5'd31;
    assign segment_head = head;
    assign segment_tail = last[STRIPE_SHIFT-1:0];
    assign segment_asked = asked;
    assign segment_count = count;
    assign segment_position = position;
    assign segment_scale = scale_low;
    assign segment_keeps = keeps;

endmodule

`default_nettype wire
