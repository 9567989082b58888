// From the FIFOs to BF16: a slice's elements to their lanes, each under its scale.
//
// The FIFOs and the ring are read in the cycle in which a slice is taken; the cycle after that its
// elements and scales are selected, in the next they are dequantised, and in the third after it
// was taken the codes are there. Inactive lanes carry anything. A word is in the first two lanes.
`default_nettype none

module unmask_read_lanes #(
    // Lanes: a power of two, 2 to 2048
    parameter VLEN = 8,
    // Bytes of a stripe: a power of two, at least 8
    parameter STRIPE = 8,
    // Bytes of scales that a slice may need: least(VLEN, STRIPE) / 8 + 1, at least 2
    parameter WINDOW = 2
) (
    input  wire                      clk,

    // In the cycle in which a slice is taken
    input  wire                      take_mx,
    input  wire                      take_by_8,
    input  wire                      take_bf16,
    input  wire                      take_e5m2,
    input  wire [$clog2(STRIPE)-1:0] take_place,
    input  wire [$clog2(VLEN)-1:0]   take_low,
    input  wire [$clog2(VLEN)-1:0]   take_high,
    input  wire [4:0]                take_lane,      // lane 0's place in 32 elements

    // In the cycle after that
    input  wire [8*STRIPE-1:0]       stripe_data,
    input  wire [8*WINDOW-1:0]       scale_data,     // from lane 0's scale on

    // In the third cycle after it
    output wire [16*VLEN-1:0]        out_data,
    output wire [VLEN-1:0]           out_active,
    output wire [2*VLEN-1:0]         out_flags
);

    localparam PLACE = $clog2(STRIPE);
    localparam LANE_BITS = $clog2(VLEN);
    // Bytes of a slice of BF16 and of MX codes: the lesser of the lanes' and a stripe's.
    localparam PAIRS = 2 * VLEN < STRIPE ? 2 * VLEN : STRIPE;
    localparam SINGLES = VLEN < STRIPE ? VLEN : STRIPE;
    localparam PAIR_SHIFT = $clog2(PAIRS);
    localparam SINGLE_SHIFT = $clog2(SINGLES);

    // -- select --

    reg mx_reg;
    reg by_8_reg;
    reg bf16_reg;
    reg e5m2_reg;
    /* verilator lint_off UNUSEDSIGNAL */
    reg [PLACE-1:0] place_reg;         // of slices that lie at a multiple of their size
    /* verilator lint_on UNUSEDSIGNAL */
    reg [LANE_BITS-1:0] low_reg;
    reg [LANE_BITS-1:0] high_reg;
    reg [4:0] lane_reg;

    always @(posedge clk) begin
        mx_reg <= take_mx;
        by_8_reg <= take_by_8;
        bf16_reg <= take_bf16;
        e5m2_reg <= take_e5m2;
        place_reg <= take_place;
        low_reg <= take_low;
        high_reg <= take_high;
        lane_reg <= take_lane;
    end

    // Each kind of slice lies at a multiple of its size; a smaller one in one of the next size.
    wire [8*PAIRS-1:0] pairs;
    wire [8*SINGLES-1:0] singles;
    wire [31:0] word;
    generate
        if (PAIRS < STRIPE) begin : slice_pairs
            assign pairs = stripe_data[8*PAIRS*place_reg[PLACE-1:PAIR_SHIFT] +: 8*PAIRS];
        end else begin : whole_pairs
            assign pairs = stripe_data;
        end
        if (SINGLES < PAIRS) begin : slice_singles
            assign singles = place_reg[SINGLE_SHIFT] ? pairs[8*SINGLES +: 8*SINGLES]
                : pairs[8*SINGLES-1:0];
        end else begin : whole_singles
            assign singles = pairs;
        end
        if (PAIRS > 4) begin : slice_word
            assign word = pairs[32*place_reg[PAIR_SHIFT-1:2] +: 32];
        end else begin : whole_word
            assign word = pairs;
        end
    endgenerate

    reg mx_now_reg;
    reg e5m2_now_reg;
    reg [VLEN-1:0] active_now_reg;
    reg [16*VLEN-1:0] code_now_reg;
    reg [8*VLEN-1:0] scale_now_reg;
    reg [16*VLEN-1:0] code_reg;
    reg [2*VLEN-1:0] flags_reg;
    reg [VLEN-1:0] active_reg;

    always @(posedge clk) begin
        mx_now_reg <= mx_reg;
        e5m2_now_reg <= e5m2_reg;
        active_now_reg <= ({VLEN{1'b1}} << low_reg) & ({VLEN{1'b1}} >> ~high_reg);
        active_reg <= active_now_reg;
    end

    genvar lane;
    generate
        for (lane = 0; lane < VLEN; lane = lane + 1) begin : lanes
            localparam [31:0] NUMBER = lane;
            // A lane beyond a slice of its kind is inactive: it takes what costs nothing.
            localparam SINGLE = lane < SINGLES ? lane : 0;
            localparam PAIR = 2 * lane < PAIRS ? lane : 0;
            wire [15:0] code;
            if (lane < 2) begin : low
                assign code = mx_reg ? {8'd0, singles[8*SINGLE +: 8]}
                    : bf16_reg ? pairs[16*PAIR +: 16]
                    : word[16*lane +: 16];
            end else begin : high
                assign code = mx_reg ? {8'd0, singles[8*SINGLE +: 8]} : pairs[16*PAIR +: 16];
            end

            // Where lane 0 is inside a block, the lanes of one block's length meet two scales.
            /* verilator lint_off UNUSEDSIGNAL */
            wire [5:0] sum_32 = {1'b0, NUMBER[4:0]} + {1'b0, lane_reg};
            wire [3:0] sum_8 = {1'b0, NUMBER[2:0]} + {1'b0, lane_reg[2:0]};
            /* verilator lint_on UNUSEDSIGNAL */
            wire [7:0] scale_32;
            wire [7:0] scale_8;
            if (lane < SINGLES) begin : scaled
                assign scale_32 = sum_32[5] ? scale_data[8*(lane/32 + 1) +: 8]
                    : scale_data[8*(lane/32) +: 8];
                assign scale_8 = sum_8[3] ? scale_data[8*(lane/8 + 1) +: 8]
                    : scale_data[8*(lane/8) +: 8];
            end else begin : bare
                assign scale_32 = scale_data[7:0];
                assign scale_8 = scale_data[7:0];
            end

            wire [15:0] lane_code;
            wire [1:0] lane_flags;
            unmask_dequantise dequantise (
                .in_mx(mx_now_reg), .in_e5m2(e5m2_now_reg),
                .in_code(code_now_reg[16*lane +: 16]), .in_scale(scale_now_reg[8*lane +: 8]),
                .out_code(lane_code), .out_flags(lane_flags)
            );
            always @(posedge clk) begin
                code_now_reg[16*lane +: 16] <= code;
                scale_now_reg[8*lane +: 8] <= by_8_reg ? scale_8 : scale_32;
                code_reg[16*lane +: 16] <= lane_code;
                flags_reg[2*lane +: 2] <= lane_flags;
            end
        end
    endgenerate

    assign out_data = code_reg;
    assign out_active = active_reg;
    assign out_flags = flags_reg;

endmodule

`default_nettype wire
