// The reads under way, at most three: one at the lanes, two behind it.
//
// A request is kept from the cycle after in_valid until the third one after it overwrites it. Its
// `plan` is what the channels and the lanes walk along, with all that does not change on the way
// worked out; see unmask_read_segments. The other fields are for the lanes alone.
`default_nettype none

module unmask_read_queue #(
    // Lanes: a power of two, 2 to 2048
    parameter VLEN = 8,
    // Channels: a power of two, 1 to 64
    parameter CHANNELS = 1,
    // Bits of a beat: a power of two, 64 to 1024
    parameter BEAT_BITS = 64,
    // Bits of an address that may be other than zero: at most 64
    parameter ADDRESS_BITS = 64,
    // Bits of a plan, as unmask_read_segments has it
    parameter PLAN = 1
) (
    input  wire             clk,
    input  wire             rst,

    input  wire             in_valid,
    input  wire [1:0]       in_slot,
    input  wire [1:0]       in_kind,
    input  wire [2:0]       in_format,
    /* verilator lint_off UNUSEDSIGNAL */
    input  wire [63:0]      in_first,
    input  wire [63:0]      in_scale,
    /* verilator lint_on UNUSEDSIGNAL */
    input  wire [31:0]      in_length,
    input  wire [31:0]      in_rows,
    input  wire [31:0]      in_pitch,
    input  wire [31:0]      in_to,
    input  wire [1:0]       in_state,
    input  wire             in_clear,
    input  wire [31:0]      in_index,
    input  wire [127:0]     in_bans,

    // Entry 0 lowest
    output wire [3*PLAN-1:0] plan,
    output wire [5:0]       tag,       // in_slot
    output wire [5:0]       kind,
    output wire [8:0]       format,
    output wire [95:0]      to,        // of the first row
    output wire [95:0]      step,      // elements of vector SRAM from one row to the next
    output wire [5:0]       state,
    output wire [2:0]       clear,
    output wire [95:0]      index,
    output wire [383:0]     bans
);

    localparam BEAT_SHIFT = $clog2(BEAT_BITS / 8);
    localparam STRIPE_SHIFT = BEAT_SHIFT + $clog2(CHANNELS);
    localparam HEAD = STRIPE_SHIFT > 5 ? STRIPE_SHIFT : 5;
    localparam SCALE_LOW = STRIPE_SHIFT + 6;
    localparam [31:0] ROUND = VLEN - 1;

    wire word = in_kind[1];
    wire bf16 = ~word & in_format == 3'd0;
    wire mx = ~word & in_format != 3'd0;
    wire by_8 = mx & ~in_format[0];          // formats 2 and 4
    wire [1:0] size = {word, bf16};          // bytes, log2

    /* verilator lint_off UNUSEDSIGNAL */
    // Bytes from the first to the last, and from the last one of a row to the first of the next;
    // the same of scales. All sums are of whole addresses, modulo 2**ADDRESS_BITS.
    wire [63:0] first = in_first;
    wire [63:0] scale = in_scale;
    wire [63:0] span = ({32'd0, in_length} << size) - 64'd1;
    wire [63:0] pitch = {32'd0, in_pitch} << size;
    wire [63:0] last = first + span;
    wire [63:0] gap = pitch - span;
    wire [31:0] blocks = (in_length - 32'd1) >> (by_8 ? 3 : 5);
    wire [63:0] scale_pitch = {32'd0, in_pitch >> (by_8 ? 3 : 5)};
    wire [63:0] scale_last = scale + {32'd0, blocks};
    wire [63:0] scale_gap = scale_pitch - {32'd0, blocks};
    // The scale of the last byte of the first segment, if the row goes so far
    wire [STRIPE_SHIFT+4:0] rest = ~first[STRIPE_SHIFT+4:0] >> (by_8 ? 3 : 5);
    wire [SCALE_LOW-1:0] segment = scale[SCALE_LOW-1:0] + {1'b0, rest};
    /* verilator lint_on UNUSEDSIGNAL */

    wire [PLAN-1:0] fresh = {
        mx, by_8,
        first[HEAD-1:0], first[ADDRESS_BITS-1:STRIPE_SHIFT], last[ADDRESS_BITS-1:0],
        scale[BEAT_SHIFT-1:0], scale[ADDRESS_BITS-1:BEAT_SHIFT], scale_last[ADDRESS_BITS-1:0],
        segment,
        pitch[ADDRESS_BITS-1:0], gap[ADDRESS_BITS-1:0],
        scale_pitch[ADDRESS_BITS-1:0], scale_gap[ADDRESS_BITS-1:0],
        in_rows
    };

    reg [1:0] next_reg;
    reg [3*PLAN-1:0] plan_reg;
    reg [5:0] tag_reg;
    reg [5:0] kind_reg;
    reg [8:0] format_reg;
    reg [95:0] to_reg;
    reg [95:0] step_reg;
    reg [5:0] state_reg;
    reg [2:0] clear_reg;
    reg [95:0] index_reg;
    reg [383:0] bans_reg;

    integer n;
    always @(posedge clk) begin
        if (rst) next_reg <= 2'd0;
        else if (in_valid) next_reg <= next_reg == 2'd2 ? 2'd0 : next_reg + 2'd1;
        for (n = 0; n < 3; n = n + 1)
            if (in_valid && {30'd0, next_reg} == n) begin
                plan_reg[PLAN*n +: PLAN] <= fresh;
                tag_reg[2*n +: 2] <= in_slot;
                kind_reg[2*n +: 2] <= in_kind;
                format_reg[3*n +: 3] <= in_format;
                to_reg[32*n +: 32] <= in_to;
                step_reg[32*n +: 32] <= (in_length + ROUND) & ~ROUND;
                state_reg[2*n +: 2] <= in_state;
                clear_reg[n] <= in_clear;
                index_reg[32*n +: 32] <= in_index;
                bans_reg[128*n +: 128] <= in_bans;
            end
    end

    assign plan = plan_reg;
    assign tag = tag_reg;
    assign kind = kind_reg;
    assign format = format_reg;
    assign to = to_reg;
    assign step = step_reg;
    assign state = state_reg;
    assign clear = clear_reg;
    assign index = index_reg;
    assign bans = bans_reg;

endmodule

`default_nettype wire
