// The sequence of a store: which rows are read, and which slice of HBM each step fills.
//
// A transfer is a list of regions: of each row of the transfer its elements, then its scales. A
// region is cut at multiples of a slice, min(unit, stripe) bytes, where a unit is what a row of
// vector SRAM (or a word) gives: 2 * VLEN bytes of BF16, VLEN elements, VLEN / block scales (at
// least one), 4. A step is a slice, one a cycle; of scales whose block is longer than VLEN one in
// as many cycles as the block has rows. Scales come from a second pass over the row: storing those
// of a row would take an eighth of vector SRAM again.
//
// Cycle t is `in_valid`. Row 0 is read in t + 1 and is at the quantiser's door in t + 2, from where
// rows go in by `shift`. A block of several rows is read ahead: so many steps begin the transfer.
// Each shift reads the row after. The step's description is registered; in it
//   take    the row that is shown begins to be used
//   turn    a new unit begins: what was taken last becomes the one before
//   slice   bytes position .. of HBM, but nothing before `first` or behind `last`
`default_nettype none

module unmask_write_steps #(
    // Lanes: a power of two, 2 to 2048
    parameter VLEN = 8,
    // Bytes of a stripe: a power of two, 8 to 8192
    parameter STRIPE = 8,
    // Bits of addresses of rows and words
    parameter PLACE_BITS = 12,
    // Bits of a place in a unit or a stripe, whichever is longer
    parameter UNIT_BITS = 4,
    // Bits of a region's length in bytes, and of the differences of addresses in it
    parameter SPAN = 16
) (
    input  wire                  clk,
    input  wire                  rst,

    input  wire                  in_valid,       // the cycle of issue; while idle
    input  wire                  in_words,
    input  wire [2:0]            in_format,
    input  wire [63:0]           in_first,
    input  wire [63:0]           in_scale,
    input  wire [31:0]           in_length,      // of a row, at least 1, whole blocks; in SRAM
    input  wire [31:0]           in_rows,        // at least 1
    input  wire [31:0]           in_pitch,       // from row to row, elements
    input  wire [PLACE_BITS-1:0] in_from,        // a row, or a word

    input  wire                  enable,
    output wire                  active,         // steps are left
    output wire [2:0]            format,
    output wire                  words,

    output wire                  fetch,
    output wire [PLACE_BITS-1:0] fetch_place,
    output wire                  shift,

    output wire                  out_valid,      // a slice
    output wire                  out_take,
    output wire                  out_turn,
    output wire                  out_scales,
    output wire [UNIT_BITS-1:0]  out_unit,       // bytes of a unit, less one
    output wire [63:0]           out_position,   // of the slice, a multiple of its width
    output wire [SPAN-1:0]       out_first,      // first byte of the region, modulo 2**SPAN
    output wire [SPAN-1:0]       out_last,       // its last byte
    output wire                  out_fresh,      // the region's first slice
    output wire                  out_final       // its last
);

    localparam LEVELS = $clog2(VLEN);
    localparam [SPAN-1:0] UNIT_BF16 = {SPAN{1'b1}} >> (SPAN - LEVELS - 1);
    localparam [SPAN-1:0] UNIT_MX = {SPAN{1'b1}} >> (SPAN - LEVELS);
    localparam [SPAN-1:0] UNIT_SCALE8 = {SPAN{1'b1}} >> (LEVELS < 3 ? SPAN : SPAN - LEVELS + 3);
    localparam [SPAN-1:0] UNIT_SCALE32 = {SPAN{1'b1}} >> (LEVELS < 5 ? SPAN : SPAN - LEVELS + 5);
    localparam [SPAN-1:0] UNIT_WORD = 3;
    localparam [SPAN-1:0] IN_STRIPE = {SPAN{1'b1}} >> (SPAN - $clog2(STRIPE));
    // Rows of a block, less one.
    localparam [4:0] AHEAD8 = 5'd31 >> (LEVELS < 3 ? 2 + LEVELS : 5);
    localparam [4:0] AHEAD32 = 5'd31 >> (LEVELS < 5 ? LEVELS : 5);
    localparam [SPAN-1:0] ONE = 1;

    // The request.
    reg start_reg;                       // the cycle after in_valid
    reg words_reg;
    reg [2:0] format_reg;
    reg [SPAN-1:0] length_reg;
    reg [31:0] pitch_reg;

    /* verilator lint_off UNUSEDSIGNAL */
    wire [63:0] length = {32'd0, in_length};
    /* verilator lint_on UNUSEDSIGNAL */
    wire block8 = format_reg == 3'd2 | format_reg == 3'd4;
    wire mx = ~words_reg & format_reg != 3'd0;
    wire [4:0] ahead = ~mx ? 5'd0 : block8 ? AHEAD8 : AHEAD32;

    // Rows to read: of each row of the transfer once, of MX twice.
    reg [PLACE_BITS-1:0] place_reg;
    reg [PLACE_BITS-1:0] again_reg;      // where the second pass begins
    reg [SPAN-1:0] left_reg;             // of this pass, after this one
    reg second_reg;
    reg [31:0] unread_reg;               // rows of the transfer

    wire [SPAN-1:0] most = words_reg ? length_reg - ONE : (length_reg - ONE) >> LEVELS;
    wire [SPAN-1:0] left = start_reg ? most : left_reg;
    wire pass_ends = left == {SPAN{1'b0}};
    wire repeats = pass_ends & mx & ~second_reg;

    assign fetch = (start_reg | (shift & enable)) & unread_reg != 32'd0;
    assign fetch_place = place_reg;

    // Regions to come.
    reg [63:0] elements_reg;
    reg [63:0] scales_at_reg;
    reg [31:0] pieces_reg;
    reg next_scales_reg;

    wire more = pieces_reg != 32'd0;
    wire [63:0] next_first = next_scales_reg ? scales_at_reg : elements_reg;
    wire [SPAN-1:0] next_bytes = next_scales_reg ? (block8 ? length_reg >> 3 : length_reg >> 5)
        : words_reg ? length_reg << 2 : mx ? length_reg : length_reg << 1;
    wire [SPAN-1:0] next_unit = next_scales_reg ? (block8 ? UNIT_SCALE8 : UNIT_SCALE32)
        : words_reg ? UNIT_WORD : mx ? UNIT_MX : UNIT_BF16;
    wire [63:0] next_inside = {{(64 - SPAN){1'b0}}, next_unit & IN_STRIPE};
    wire [63:0] pitch_bytes = mx ? {32'd0, pitch_reg} : {31'd0, pitch_reg, 1'b0};
    wire [63:0] pitch_scales = block8 ? {35'd0, pitch_reg[31:3]} : {37'd0, pitch_reg[31:5]};

    // The region in work.
    reg active_reg;
    reg [4:0] warm_reg;                  // rows to read ahead before the first step
    reg scales_reg;
    reg [SPAN-1:0] unit_reg;             // its bytes less one
    reg [63:0] position_reg;
    reg [SPAN-1:0] first_reg;
    reg [SPAN-1:0] last_reg;
    reg fresh_reg;
    reg [4:0] pace_reg;                  // rows of the scale's block so far

    wire [SPAN-1:0] in_slice = unit_reg & IN_STRIPE;   // bytes of a slice less one
    wire [SPAN-1:0] apart = position_reg[SPAN-1:0] ^ last_reg;
    wire ends = (apart & ~in_slice) == {SPAN{1'b0}};
    wire last_unit = (apart & ~unit_reg) == {SPAN{1'b0}};
    // The first and the last unit share a row, so the last needs none.
    wire shared = (last_reg & unit_reg) < (first_reg & unit_reg);
    wire turn = fresh_reg | (position_reg[SPAN-1:0] & unit_reg) == {SPAN{1'b0}};
    wire take = turn & (fresh_reg | ~(last_unit & shared));
    wire warm = warm_reg != 5'd0;
    wire paced = scales_reg & ahead != 5'd0;
    wire step = active_reg & ~warm & (~paced | pace_reg == ahead);
    wire load = start_reg | (step & enable & ends);

    assign shift = active_reg & (warm | paced | take);

    reg valid_out_reg;
    reg take_out_reg;
    reg turn_out_reg;
    reg scales_out_reg;
    reg [UNIT_BITS-1:0] unit_out_reg;
    reg [63:0] position_out_reg;
    reg [SPAN-1:0] first_out_reg;
    reg [SPAN-1:0] last_out_reg;
    reg fresh_out_reg;
    reg final_out_reg;

    always @(posedge clk) begin
        start_reg <= in_valid & ~rst;
        if (in_valid) begin
            words_reg <= in_words;
            format_reg <= in_format;
            length_reg <= length[SPAN-1:0];
            pitch_reg <= in_pitch;
            place_reg <= in_from;
            again_reg <= in_from;
            second_reg <= 1'b0;
            unread_reg <= in_rows;
            elements_reg <= in_first;
            scales_at_reg <= in_scale;
            pieces_reg <= in_rows;
            next_scales_reg <= 1'b0;
        end

        if (fetch) begin
            left_reg <= pass_ends ? most : left - ONE;
            place_reg <= repeats ? again_reg : place_reg + {{(PLACE_BITS - 1){1'b0}}, 1'b1};
            if (pass_ends) begin
                second_reg <= repeats;
                if (~repeats) begin
                    again_reg <= place_reg + {{(PLACE_BITS - 1){1'b0}}, 1'b1};
                    unread_reg <= unread_reg - 32'd1;
                end
            end
        end

        if (load & more) begin
            scales_reg <= next_scales_reg;
            unit_reg <= next_unit;
            position_reg <= next_first & ~next_inside;
            first_reg <= next_first[SPAN-1:0];
            last_reg <= next_first[SPAN-1:0] + next_bytes - ONE;
            next_scales_reg <= mx & ~next_scales_reg;
            if (~mx | next_scales_reg) begin
                elements_reg <= elements_reg + pitch_bytes;
                scales_at_reg <= scales_at_reg + pitch_scales;
                pieces_reg <= pieces_reg - 32'd1;
            end
        end else if (step & enable)
            position_reg <= position_reg + {{(64 - SPAN){1'b0}}, in_slice} + 64'd1;

        if (rst) active_reg <= 1'b0;
        else if (load) active_reg <= more;
        if (load) fresh_reg <= 1'b1;
        else if (step & enable) fresh_reg <= 1'b0;
        if (start_reg) warm_reg <= ahead;
        else if (active_reg & enable & warm) warm_reg <= warm_reg - 5'd1;
        if (load) pace_reg <= 5'd0;
        else if (active_reg & enable & ~warm) pace_reg <= step ? 5'd0 : pace_reg + 5'd1;

        if (rst) valid_out_reg <= 1'b0;
        else if (enable) valid_out_reg <= step;
        if (enable) begin
            take_out_reg <= take;
            turn_out_reg <= turn;
            scales_out_reg <= scales_reg;
            unit_out_reg <= unit_reg[UNIT_BITS-1:0];
            position_out_reg <= position_reg;
            first_out_reg <= first_reg;
            last_out_reg <= last_reg;
            fresh_out_reg <= fresh_reg;
            final_out_reg <= ends;
        end
    end

    assign active = start_reg | active_reg;
    assign format = format_reg;
    assign words = words_reg;
    assign out_valid = valid_out_reg;
    assign out_take = take_out_reg;
    assign out_turn = turn_out_reg;
    assign out_scales = scales_out_reg;
    assign out_unit = unit_out_reg;
    assign out_position = position_out_reg;
    assign out_first = first_out_reg;
    assign out_last = last_out_reg;
    assign out_fresh = fresh_out_reg;
    assign out_final = final_out_reg;

endmodule

`default_nettype wire
