// The scales that came and are not done with: a bank for each channel, two for a single one.
//
// Position p of the ring lies in bank p mod banks. Any `window`, neighbouring bytes from byte
// read_byte of the ring on, is read in a cycle, because it touches no bank twice; its bytes are
// there in the next cycle.
`default_nettype none

module unmask_scale_ring #(
    // Channels: a power of two, 1 to 64
    parameter CHANNELS = 1,
    // Bits of a beat: a power of two, 64 to 1024
    parameter BEAT_BITS = 64,
    // Scale beats: a power of two, at least 8 * CHANNELS
    parameter RING = 64,
    // Bytes read in a cycle: at most BEAT_BITS / 8 * CHANNELS / 8 + 1, or 2
    parameter WINDOW = 2,
    // Not to be set
    parameter PLACE_BITS = $clog2(RING) - $clog2(CHANNELS),
    parameter BYTE_BITS = $clog2(RING) + $clog2(BEAT_BITS / 8)
) (
    input  wire                           clk,

    input  wire [CHANNELS-1:0]            write,
    input  wire [PLACE_BITS*CHANNELS-1:0] write_place,
    input  wire [BEAT_BITS*CHANNELS-1:0]  write_data,

    input  wire                           read,
    input  wire [BYTE_BITS-1:0]           read_byte,
    output wire [8*WINDOW-1:0]            window
);

    localparam BANKS = CHANNELS > 1 ? CHANNELS : 2;
    localparam BANK_SHIFT = $clog2(BANKS);
    localparam BEAT_SHIFT = $clog2(BEAT_BITS / 8);
    localparam WORDS = RING / BANKS;
    localparam ADDRESS = $clog2(WORDS);
    localparam TURN = BEAT_SHIFT + BANK_SHIFT;      // bits of a byte in a row of all banks

    generate
        if (WINDOW > BEAT_BITS / 8 * BANKS / 8 + 2) begin : check_window
            WINDOW_must_not_touch_a_bank_twice error();
        end
    endgenerate

    wire [ADDRESS-1:0] row = read_byte[BYTE_BITS-1:TURN];
    wire [BANK_SHIFT-1:0] first_bank = read_byte[TURN-1:BEAT_SHIFT];
    wire [BEAT_BITS*BANKS-1:0] data;
    reg [TURN-1:0] turn_reg;

    always @(posedge clk) if (read) turn_reg <= read_byte[TURN-1:0];

    genvar bank;
    generate
        for (bank = 0; bank < BANKS; bank = bank + 1) begin : banks
            localparam [BANK_SHIFT-1:0] MINE = bank;
            wire write_here;
            wire [ADDRESS-1:0] write_row;
            wire [BEAT_BITS-1:0] write_beat;
            if (CHANNELS > 1) begin : several
                assign write_here = write[bank];
                assign write_row = write_place[PLACE_BITS*bank +: PLACE_BITS];
                assign write_beat = write_data[BEAT_BITS*bank +: BEAT_BITS];
            end else begin : single
                assign write_here = write[0] & write_place[0] == MINE;
                assign write_row = write_place[PLACE_BITS-1:1];
                assign write_beat = write_data;
            end
            // Banks before the first hold the beats behind the last one of this row.
            wire earlier;
            if (bank == BANKS - 1) begin : highest
                assign earlier = 1'b0;
            end else begin : lower
                assign earlier = MINE < first_bank;
            end
            wire [ADDRESS-1:0] read_row = row + {{(ADDRESS - 1){1'b0}}, earlier};
            unmask_sram #(.WIDTH(BEAT_BITS), .WORDS(WORDS)) words (
                .clk(clk), .read_enable(read), .read_address(read_row),
                .read_data(data[BEAT_BITS*bank +: BEAT_BITS]),
                .write_enable(write_here), .write_address(write_row), .write_data(write_beat),
                .write_mask(1'b1)
            );
        end
    endgenerate

    unmask_turn #(.BITS(8), .ITEMS(BANKS * BEAT_BITS / 8), .TAKEN(WINDOW)) turn (
        .in_data(data), .in_first(turn_reg), .out_data(window)
    );

endmodule

`default_nettype wire
