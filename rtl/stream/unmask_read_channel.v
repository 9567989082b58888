// The read side of one AXI4 master: its addresses, its beats, its FIFO of element beats.
//
// Beats come in the order of the addresses. An element beat is refused while the FIFO is full; a
// scale beat never is, room for it in the ring was there before its address went out. `filled` and
// `scales_in` are of registers: what came in a cycle is seen in the next. The FIFO's front is read
// with `take` and is on front_data in the next cycle; `pop` removes it.
//
// A beat that comes with an error is stored like any other. Of the oldest transfer that met one
// the lowest such beat is kept, until `clear`.
`default_nettype none

module unmask_read_channel #(
    // Channels: a power of two, 1 to 64
    parameter CHANNELS = 1,
    // Bits of a beat: a power of two, 64 to 1024
    parameter BEAT_BITS = 64,
    // Bits of an address that may be other than zero: at most 64
    parameter ADDRESS_BITS = 64,
    // Most beats of a burst: a power of two, 1 to 32
    parameter BURST = 16,
    // Bursts under way: 1 to 1024
    parameter OUTSTANDING = 16,
    // Beats in the FIFO: 1 to 4096
    parameter FIFO = 16,
    // Scale beats in the ring: a power of two
    parameter RING = 64,
    // Bits of a position in the ring: log2(RING) + 2
    parameter POSITION_BITS = 8,
    // Bits of a plan, as unmask_read_segments has it
    parameter PLAN = 1,
    // As in unmask_read_walker
    parameter CHANNEL_BITS = CHANNELS > 1 ? $clog2(CHANNELS) : 1,
    parameter ROW_BITS = ADDRESS_BITS - $clog2(BEAT_BITS / 8) - $clog2(CHANNELS),
    parameter PLACE_BITS = $clog2(RING) - $clog2(CHANNELS),
    parameter COUNT = $clog2(CHANNELS) + 3
) (
    input  wire                     clk,
    input  wire                     rst,
    input  wire [CHANNEL_BITS-1:0]  channel,       // which one it is: a constant

    input  wire                     arrives,
    input  wire [3*PLAN-1:0]        plan,
    input  wire [POSITION_BITS-1:0] freed,

    output wire [63:0]              araddr,
    output wire [7:0]               arlen,
    output wire                     arvalid,
    input  wire                     arready,
    input  wire [BEAT_BITS-1:0]     rdata,
    input  wire                     rerror,        // RRESP is SLVERR or DECERR
    input  wire                     rvalid,
    output wire                     rready,

    output wire                     filled,        // an element beat is in front
    input  wire                     take,
    input  wire                     pop,
    output wire [BEAT_BITS-1:0]     front_data,

    output wire                     ring_write,    // of rdata
    output wire [PLACE_BITS-1:0]    ring_place,

    // The lanes come to a segment with so many scale beats from a position on.
    input  wire                     load,
    input  wire [COUNT-1:0]         load_count,
    input  wire [CHANNEL_BITS-1:0]  load_channel,  // of the first of them
    output wire                     scales_in,     // all of them have come, on this channel

    output wire                     fault,
    output wire [1:0]               fault_entry,
    output wire [ROW_BITS-1:0]      fault_row,
    input  wire                     clear          // what `fault` says was seen
);

    localparam BEAT_SHIFT = $clog2(BEAT_BITS / 8);
    localparam CHANNEL_SHIFT = $clog2(CHANNELS);
    localparam WORDS = FIFO > 2 ? 1 << $clog2(FIFO) : 2;
    localparam POINTER = $clog2(WORDS);
    localparam FILL = $clog2(FIFO + 1);
    localparam QUEUE = OUTSTANDING > 1 ? $clog2(OUTSTANDING) : 1;
    localparam FLYING = $clog2(OUTSTANDING + 1);
    localparam INFO = 1 + 2 + 5 + PLACE_BITS + ROW_BITS;
    localparam SURPLUS = PLACE_BITS + 2;
    localparam [31:0] FULL = FIFO;
    localparam [31:0] MOST = OUTSTANDING;
    localparam [31:0] QUEUE_LAST = OUTSTANDING - 1;

    // -- addresses --

    reg [FLYING-1:0] flying_reg;         // bursts under way

    wire burst_scale;
    wire [1:0] burst_entry;
    wire [ROW_BITS-1:0] burst_row;
    wire [4:0] burst_length;
    wire [PLACE_BITS-1:0] burst_place;
    wire sent = arvalid & arready;

    unmask_read_walker #(
        .CHANNELS(CHANNELS), .BEAT_BITS(BEAT_BITS), .ADDRESS_BITS(ADDRESS_BITS), .BURST(BURST),
        .RING(RING), .POSITION_BITS(POSITION_BITS), .PLAN(PLAN)
    ) walker (
        .clk(clk), .rst(rst), .channel(channel),
        .arrives(arrives), .plan(plan), .freed(freed),
        .room(flying_reg != MOST[FLYING-1:0]), .burst_valid(arvalid), .burst_ready(arready),
        .burst_scale(burst_scale), .burst_entry(burst_entry), .burst_row(burst_row),
        .burst_length(burst_length), .burst_place(burst_place)
    );

    assign araddr = {{(64 - ROW_BITS - BEAT_SHIFT){1'b0}}, burst_row, {BEAT_SHIFT{1'b0}}};
    assign arlen = {3'd0, burst_length};

    // -- bursts under way --

    reg [INFO-1:0] info_reg [0:OUTSTANDING-1];
    reg [QUEUE-1:0] in_reg;
    reg [QUEUE-1:0] out_reg;
    reg [4:0] took_reg;                  // beats of the burst in front that came

    wire front_scale;
    wire [1:0] front_entry;
    wire [4:0] front_length;
    wire [PLACE_BITS-1:0] front_place;
    wire [ROW_BITS-1:0] front_row;
    assign {front_scale, front_entry, front_length, front_place, front_row} = info_reg[out_reg];

    reg [FILL-1:0] fill_reg;             // beats in the FIFO

    wire any = flying_reg != {FLYING{1'b0}};
    assign rready = any & (front_scale | fill_reg != FULL[FILL-1:0]);
    wire taken = rvalid & rready;
    wire closes = taken & took_reg == front_length;
    wire push = taken & ~front_scale;

    assign ring_write = taken & front_scale;
    assign ring_place = front_place + {{(PLACE_BITS - 3){1'b0}}, took_reg[2:0]};

    always @(posedge clk) begin
        if (sent) info_reg[in_reg] <=
            {burst_scale, burst_entry, burst_length, burst_place, burst_row};
        if (rst) begin
            flying_reg <= {FLYING{1'b0}};
            in_reg <= {QUEUE{1'b0}};
            out_reg <= {QUEUE{1'b0}};
            took_reg <= 5'd0;
        end else begin
            flying_reg <= flying_reg + {{(FLYING - 1){1'b0}}, sent}
                - {{(FLYING - 1){1'b0}}, closes};
            if (sent) in_reg <= in_reg == QUEUE_LAST[QUEUE-1:0] ? {QUEUE{1'b0}}
                : in_reg + {{(QUEUE - 1){1'b0}}, 1'b1};
            if (closes) out_reg <= out_reg == QUEUE_LAST[QUEUE-1:0] ? {QUEUE{1'b0}}
                : out_reg + {{(QUEUE - 1){1'b0}}, 1'b1};
            if (taken) took_reg <= closes ? 5'd0 : took_reg + 5'd1;
        end
    end

    // -- elements --

    reg [POINTER-1:0] write_reg;
    reg [POINTER-1:0] read_reg;

    assign filled = fill_reg != {FILL{1'b0}};

    always @(posedge clk)
        if (rst) begin
            fill_reg <= {FILL{1'b0}};
            write_reg <= {POINTER{1'b0}};
            read_reg <= {POINTER{1'b0}};
        end else begin
            fill_reg <= fill_reg + {{(FILL - 1){1'b0}}, push} - {{(FILL - 1){1'b0}}, pop};
            write_reg <= write_reg + {{(POINTER - 1){1'b0}}, push};
            read_reg <= read_reg + {{(POINTER - 1){1'b0}}, pop};
        end

    unmask_sram #(.WIDTH(BEAT_BITS), .WORDS(WORDS)) fifo (
        .clk(clk), .read_enable(take), .read_address(read_reg), .read_data(front_data),
        .write_enable(push), .write_address(write_reg), .write_data(rdata), .write_mask(1'b1)
    );

    // -- scales: those that came, less those that the lanes' segments need --

    reg [SURPLUS-1:0] surplus_reg;

    wire [CHANNEL_BITS-1:0] aside = channel - load_channel;
    wire [COUNT-1:0] skipped = {{(COUNT - CHANNEL_BITS){1'b0}}, aside};
    /* verilator lint_off UNUSEDSIGNAL */
    wire [COUNT-1:0] behind = load_count - {{(COUNT - 1){1'b0}}, 1'b1} - skipped;
    /* verilator lint_on UNUSEDSIGNAL */
    wire [3:0] mine = skipped < load_count ? {1'b0, behind[COUNT-1:CHANNEL_SHIFT]} + 4'd1 : 4'd0;
    wire [SURPLUS-1:0] loaded = load ? {{(SURPLUS - 4){1'b0}}, mine} : {SURPLUS{1'b0}};

    assign scales_in = ~surplus_reg[SURPLUS-1];

    always @(posedge clk)
        if (rst) surplus_reg <= {SURPLUS{1'b0}};
        else surplus_reg <= surplus_reg + {{(SURPLUS - 1){1'b0}}, ring_write} - loaded;

    // -- errors --

    reg fault_reg;
    reg [1:0] fault_entry_reg;
    reg [ROW_BITS-1:0] fault_row_reg;

    wire [ROW_BITS-1:0] row = front_row + {{(ROW_BITS - 5){1'b0}}, took_reg};
    wire lower = fault_entry_reg == front_entry & row < fault_row_reg;
    wire failed = taken & rerror;

    always @(posedge clk) begin
        if (rst) fault_reg <= 1'b0;
        else if (failed) fault_reg <= 1'b1;
        else if (clear) fault_reg <= 1'b0;
        if (failed & (~fault_reg | clear | lower)) begin
            fault_entry_reg <= front_entry;
            fault_row_reg <= row;
        end
    end

    assign fault = fault_reg;
    assign fault_entry = fault_entry_reg;
    assign fault_row = fault_row_reg;

endmodule

`default_nettype wire
