// Bytes to their places: a rotation by the destination's address, and the two rows of a slice.
//
// `in_bytes` is a unit of bytes, repeated over 2 * VLEN. Rotated by the region's first address,
// byte q of HBM (modulo 2 * VLEN) holds its byte of the unit, whatever the unit's length. Of a unit
// that begins at q = 0, the bytes before `first` (modulo the unit) belong to the row before.
// `out_data` is the stripe as far as its slices were seen, in step with unmask_write_beats.
`default_nettype none

module unmask_write_align #(
    // Lanes: a power of two, 2 to 2048
    parameter VLEN = 8,
    // Bytes of a stripe: a power of two, 8 to 8192
    parameter STRIPE = 8
) (
    input  wire                     clk,

    input  wire                     enable,
    input  wire                     in_take,
    input  wire                     in_turn,
    input  wire [16*VLEN-1:0]       in_bytes,
    input  wire [$clog2(2*VLEN)-1:0] in_first,     // of the region, modulo 2 * VLEN
    input  wire [$clog2(2*VLEN)-1:0] in_unit,      // its bytes less one
    /* verilator lint_off UNUSEDSIGNAL */          // all that may select a stripe's part
    input  wire [$clog2(2*VLEN)-1:0] in_position,
    /* verilator lint_on UNUSEDSIGNAL */

    // A cycle later, from unmask_write_beats
    input  wire                     slice_opens,
    input  wire [STRIPE-1:0]        slice_strobe,

    output wire [8*STRIPE-1:0]      out_data
);

    localparam BYTES = 2 * VLEN;
    localparam BITS = $clog2(BYTES);
    localparam IN = $clog2(STRIPE);

    // First stage: rotate, and which bytes are those of the row before.
    wire [8*BYTES*(BITS+1)-1:0] turned;
    wire [BYTES*(BITS+1)-1:0] old;
    wire [BITS-1:0] begins = in_first & in_unit;

    assign turned[8*BYTES-1:0] = in_bytes;
    assign old[BYTES-1:0] = ~({BYTES{1'b1}} << begins);

    genvar level;
    generate
        for (level = 0; level < BITS; level = level + 1) begin : levels
            localparam FAR = 1 << level;
            wire [8*BYTES-1:0] from = turned[8*BYTES*level +: 8*BYTES];
            wire [BYTES-1:0] marks = old[BYTES*level +: BYTES];
            assign turned[8*BYTES*(level+1) +: 8*BYTES] =
                in_first[level] ? {from[0 +: 8*(BYTES-FAR)], from[8*BYTES-1 -: 8*FAR]} : from;
            // Marks are repeated as the bytes are.
            assign old[BYTES*(level+1) +: BYTES] =
                in_unit[level] ? marks : marks | (marks << FAR);
        end
    endgenerate

    reg [8*BYTES-1:0] row_reg;
    reg [8*BYTES-1:0] before_reg;
    reg [BYTES-1:0] old_reg;

    always @(posedge clk)
        if (enable) begin
            if (in_turn) before_reg <= row_reg;
            if (in_take) row_reg <= turned[8*BYTES*BITS +: 8*BYTES];
            old_reg <= old[BYTES*BITS +: BYTES];
        end

    // Second stage: the two rows, and the part that is this stripe.
    reg [8*BYTES-1:0] both;
    reg [8*STRIPE-1:0] stripe_reg;
    wire [8*STRIPE-1:0] slice;
    reg [8*STRIPE-1:0] stripe_next;
    integer place;
    integer other;

    always @* begin
        for (place = 0; place < BYTES; place = place + 1)
            both[8*place +: 8] =
                old_reg[place] ? before_reg[8*place +: 8] : row_reg[8*place +: 8];
    end

    generate
        if (BYTES <= STRIPE) begin : repeated
            assign slice = {(STRIPE / BYTES){both}};
        end else begin : selected
            reg [BITS-IN-1:0] part_reg;
            always @(posedge clk) if (enable) part_reg <= in_position[BITS-1:IN];
            assign slice = both[8*STRIPE*part_reg +: 8*STRIPE];
        end
    endgenerate

    // Bytes that nobody writes are 0: what was there before is nobody's business.
    always @* begin
        for (other = 0; other < STRIPE; other = other + 1)
            stripe_next[8*other +: 8] = slice_strobe[other] ? slice[8*other +: 8]
                : slice_opens ? 8'd0 : stripe_reg[8*other +: 8];
    end

    always @(posedge clk) if (enable) stripe_reg <= stripe_next;

    assign out_data = stripe_reg;

endmodule

`default_nettype wire
