// Where a slice lies in its stripe: the bytes that are written, and the bursts of its beats.
//
// Two cycles behind the slice's description comes `out_valid` with the stripe's last slice: which
// bytes all of its slices wrote, which channels have a beat, and of each beat whether it is the
// first of its burst, of how many, and whether the last. A burst ends at the region's last beat of
// the channel, and before each beat whose number in the channel is a multiple of BURST.
`default_nettype none

module unmask_write_beats #(
    // Channels: a power of two, 1 to 64
    parameter CHANNELS = 1,
    // Bytes of a beat: a power of two, 8 to 128
    parameter BEAT = 8,
    // Most beats of a burst: a power of two, 1 to 32
    parameter BURST = 16,
    // Bits of a region's length, as in unmask_write_steps
    parameter SPAN = 16
) (
    input  wire                                 clk,
    input  wire                                 rst,

    input  wire                                 enable,
    input  wire                                 in_valid,
    input  wire [63:0]                          in_position,
    input  wire [$clog2(CHANNELS*BEAT)-1:0]     in_inside,     // bytes of a slice less one
    input  wire [SPAN-1:0]                      in_first,
    input  wire [SPAN-1:0]                      in_last,
    input  wire                                 in_fresh,
    input  wire                                 in_final,

    output wire                                 slice_opens,   // one cycle behind: the stripe's first
    output wire [CHANNELS*BEAT-1:0]             slice_strobe,  // bytes of this slice alone

    output wire                                 busy,
    output wire                                 out_valid,
    output wire [CHANNELS*BEAT-1:0]             out_strobe,
    output wire [CHANNELS-1:0]                  out_present,
    output wire [CHANNELS-1:0]                  out_begin,
    output wire [CHANNELS-1:0]                  out_last,
    output wire [5*CHANNELS-1:0]                out_length,    // beats of the burst, less one
    output wire [63-$clog2(CHANNELS*BEAT):0]    out_row        // number of the stripe
);

    localparam STRIPE = CHANNELS * BEAT;
    localparam IN = $clog2(STRIPE);
    localparam ROW = 64 - IN;              // bits of a stripe's number
    localparam FAR = SPAN - IN;            // bits of a difference of two of a region
    localparam [SPAN-1:0] MOST = {SPAN{1'b1}} >> (SPAN - $clog2(BURST));

    generate
        if (CHANNELS < 1 || CHANNELS > 64 || (CHANNELS & (CHANNELS - 1)) != 0)
        begin : check_channels
            CHANNELS_must_be_a_power_of_two_from_1_to_64 error();
        end
        if (BEAT < 8 || BEAT > 128 || (BEAT & (BEAT - 1)) != 0) begin : check_beat
            BEAT_must_be_a_power_of_two_from_8_to_128 error();
        end
        if (BURST < 1 || BURST > 32 || (BURST & (BURST - 1)) != 0) begin : check_burst
            BURST_must_be_a_power_of_two_from_1_to_32 error();
        end
    endgenerate

    // First stage: first and last byte, and how far the region's ends are.
    wire [IN-1:0] offset = in_position[IN-1:0];
    wire [IN-1:0] slice_last = offset | in_inside;
    wire [FAR-1:0] in_row = in_position[SPAN-1:IN];

    reg valid_reg;
    reg opens_reg;
    reg closes_reg;
    reg [IN-1:0] low_reg;
    reg [IN-1:0] high_reg;
    reg [IN-1:0] head_reg;                 // the region's first and last byte in their stripes
    reg [IN-1:0] tail_reg;
    reg [FAR-1:0] done_reg;                // stripes of the region before this one
    reg [FAR-1:0] left_reg;                // and behind it
    reg [ROW-1:0] row_reg;

    always @(posedge clk) begin
        if (rst) valid_reg <= 1'b0;
        else if (enable) valid_reg <= in_valid;
        if (enable) begin
            opens_reg <= in_fresh | offset == {IN{1'b0}};
            closes_reg <= in_final | (&slice_last);
            low_reg <= in_fresh ? in_first[IN-1:0] : offset;
            high_reg <= in_final ? in_last[IN-1:0] : slice_last;
            head_reg <= in_first[IN-1:0];
            tail_reg <= in_last[IN-1:0];
            done_reg <= in_row - in_first[SPAN-1:IN];
            left_reg <= in_last[SPAN-1:IN] - in_row;
            row_reg <= in_position[63:IN];
        end
    end

    // Second stage: strobes, and what each channel's beat is.
    wire [IN-1:0] above = ~high_reg;       // bytes behind the last one
    wire [STRIPE-1:0] strobe = ({STRIPE{1'b1}} << low_reg) & ({STRIPE{1'b1}} >> above);
    wire top = done_reg == {FAR{1'b0}};
    wire second = done_reg == {{(FAR - 1){1'b0}}, 1'b1};
    wire bottom = left_reg == {FAR{1'b0}};
    wire second_last = left_reg == {{(FAR - 1){1'b0}}, 1'b1};
    // Beats up to the end of the aligned burst, and of the region: for a channel that has a beat
    // in the bottom stripe, and for one that has not.
    wire [SPAN-1:0] room = MOST & ~row_reg[SPAN-1:0];
    wire [SPAN-1:0] left = {{IN{1'b0}}, left_reg};
    wire cut = room == {SPAN{1'b0}};
    wire begun = (MOST & row_reg[SPAN-1:0]) == {SPAN{1'b0}};
    wire [4:0] with_bottom = room < left ? room[4:0] : left[4:0];
    wire [4:0] without = room < left ? room[4:0] : left[4:0] - 5'd1;

    wire [31:0] head = {{(32 - IN){1'b0}}, head_reg};
    wire [31:0] tail = {{(32 - IN){1'b0}}, tail_reg} | (BEAT - 1);   // the end of its beat
    wire [CHANNELS-1:0] before_head;
    wire [CHANNELS-1:0] behind_tail;

    reg push_reg;
    reg [STRIPE-1:0] strobe_reg;
    reg [CHANNELS-1:0] present_reg;
    reg [CHANNELS-1:0] begin_reg;
    reg [CHANNELS-1:0] last_reg;
    reg [5*CHANNELS-1:0] length_reg;
    reg [ROW-1:0] row_out_reg;

    genvar channel;
    generate
        for (channel = 0; channel < CHANNELS; channel = channel + 1) begin : channels
            assign before_head[channel] = BEAT * channel + BEAT - 1 < head;
            assign behind_tail[channel] = BEAT * channel + BEAT - 1 > tail;
            always @(posedge clk)
                if (enable)
                    length_reg[5*channel +: 5] <= behind_tail[channel] ? without : with_bottom;
        end
    endgenerate

    always @(posedge clk) begin
        if (rst) push_reg <= 1'b0;
        else if (enable) push_reg <= valid_reg & closes_reg;
        if (enable) begin
            if (valid_reg) strobe_reg <= (opens_reg ? {STRIPE{1'b0}} : strobe_reg) | strobe;
            present_reg <= ~({CHANNELS{top}} & before_head) & ~({CHANNELS{bottom}} & behind_tail);
            begin_reg <= {CHANNELS{top | begun}} | ({CHANNELS{second}} & before_head);
            last_reg <= {CHANNELS{bottom | cut}} | ({CHANNELS{second_last}} & behind_tail);
            row_out_reg <= row_reg;
        end
    end

    assign slice_opens = opens_reg;
    assign slice_strobe = valid_reg ? strobe : {STRIPE{1'b0}};
    assign busy = valid_reg | push_reg;
    assign out_valid = push_reg;
    assign out_strobe = strobe_reg;
    assign out_present = present_reg;
    assign out_begin = begin_reg;
    assign out_last = last_reg;
    assign out_length = length_reg;
    assign out_row = row_out_reg;

endmodule

`default_nettype wire
