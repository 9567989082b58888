// The read engine: transfers from HBM to the softmax lanes, to vector SRAM, to int and key SRAM.
//
// A request (in_valid) is never refused; at most three may be under way. Each channel sends the
// addresses of all of them, back to back, as far ahead as it may; the lanes take slice after slice
// in the order of the requests. Times are those of model/README.md, "Reads", to the cycle: a
// slice's codes are on the stream_* outputs in the third cycle after it left the FIFOs, a write to
// SRAM is in the fifth, and so are out_valid and out_slot with the last one of a transfer that is
// no stream. A transfer that meets bus errors goes on to its end like any other; fault and the
// address of the lowest beat that failed, of the oldest such transfer under way, come with its end.
//
// HBM is striped over the channels; a channel's addresses are its own, each beat once.
// Reset only while no burst is under way, else its beats meet the next transfer's.
`default_nettype none

module unmask_read #(
    // Lanes: a power of two, 2 to 2048
    parameter VLEN = 8,
    // Rows of vector SRAM, words of int and key SRAM: powers of two, at least 2
    parameter VECTOR_ROWS = 64,
    parameter INT_WORDS = 4096,
    parameter KEY_WORDS = 1024,
    // AXI4 masters: a power of two, 1 to 64
    parameter CHANNELS = 1,
    // Bits of a beat: a power of two, 64 to 1024
    parameter BEAT_BITS = 64,
    // Most beats of a burst: a power of two, 1 to 32
    parameter BURST = 16,
    // Bursts that a channel may have under way: 1 to 1024
    parameter OUTSTANDING = 16,
    // Beats in a channel's FIFO: 1 to 4096
    parameter FIFO = 16,
    // Scale beats that are held, of all channels: a power of two, at least 8 * CHANNELS
    parameter RING = 2048,
    // Bits of an address that may be other than zero: 20 to 64
    parameter ADDRESS_BITS = 64,
    // Not to be set: bits of the address on the word port
    parameter WORD_BITS = $clog2(INT_WORDS > KEY_WORDS ? INT_WORDS : KEY_WORDS)
) (
    input  wire                              clk,
    input  wire                              rst,

    input  wire                              in_valid,
    input  wire [1:0]                        in_slot,
    input  wire [1:0]                        in_kind,      // 0 stream, 1 vector rows, 2 int, 3 key
    input  wire [2:0]                        in_format,    // as in the CSRs; of words nobody looks
    input  wire [63:0]                       in_first,     // byte address of the first element
    input  wire [63:0]                       in_scale,     // and of its scale
    input  wire [31:0]                       in_length,    // elements of a row, at least 1
    input  wire [31:0]                       in_rows,      // at least 1
    input  wire [31:0]                       in_pitch,     // elements from row to row
    input  wire [31:0]                       in_to,        // first element of the SRAM
    input  wire [1:0]                        in_state,     // of streams, handed on
    input  wire                              in_clear,
    input  wire [31:0]                       in_index,     // the first element's
    input  wire [127:0]                      in_bans,

    output wire [64*CHANNELS-1:0]            m_axi_araddr,
    output wire [8*CHANNELS-1:0]             m_axi_arlen,
    output wire [3*CHANNELS-1:0]             m_axi_arsize,
    output wire [2*CHANNELS-1:0]             m_axi_arburst,
    output wire [CHANNELS-1:0]               m_axi_arvalid,
    input  wire [CHANNELS-1:0]               m_axi_arready,
    input  wire [BEAT_BITS*CHANNELS-1:0]     m_axi_rdata,
    /* verilator lint_off UNUSEDSIGNAL */
    input  wire [2*CHANNELS-1:0]             m_axi_rresp,
    input  wire [CHANNELS-1:0]               m_axi_rlast,  // beats are counted
    /* verilator lint_on UNUSEDSIGNAL */
    input  wire [CHANNELS-1:0]               m_axi_rvalid,
    output wire [CHANNELS-1:0]               m_axi_rready,

    output wire                              stream_valid,
    output wire                              stream_first,
    output wire                              stream_last,
    output wire [16*VLEN-1:0]                stream_data,
    output wire [VLEN-1:0]                   stream_active,
    output wire [2*VLEN-1:0]                 stream_flags,
    output wire [31:0]                       stream_base,  // index of lane 0
    output wire [127:0]                      stream_bans,
    output wire [1:0]                        stream_state,
    output wire                              stream_clear,
    output wire [1:0]                        stream_slot,
    output wire                              stream_fault, // with stream_last
    output wire [63:0]                       stream_fault_address,

    output wire [1:0]                        vector_write, // an even row, an odd one
    output wire [2*$clog2(VECTOR_ROWS)-1:0]  vector_row,
    output wire [2*16*VLEN-1:0]              vector_data,
    output wire [2*VLEN-1:0]                 vector_mask,
    output wire                              int_write,
    output wire                              key_write,
    output wire [WORD_BITS-1:0]              word_address,
    output wire [31:0]                       word_data,

    output wire                              out_valid,
    output wire [1:0]                        out_slot,
    output wire                              out_fault,
    output wire [63:0]                       out_fault_address,

    output wire                              idle          // nothing under way
);

    localparam BEAT_SHIFT = $clog2(BEAT_BITS / 8);
    localparam CHANNEL_SHIFT = $clog2(CHANNELS);
    localparam CHANNEL_BITS = CHANNELS > 1 ? CHANNEL_SHIFT : 1;
    localparam STRIPE_SHIFT = BEAT_SHIFT + CHANNEL_SHIFT;
    localparam STRIPE = 1 << STRIPE_SHIFT;
    localparam HEAD = STRIPE_SHIFT > 5 ? STRIPE_SHIFT : 5;
    localparam ROW_BITS = ADDRESS_BITS - STRIPE_SHIFT;   // of a beat's number in its channel
    localparam PLACE_BITS = $clog2(RING) - CHANNEL_SHIFT;
    localparam POSITION_BITS = $clog2(RING) + 2;
    localparam BYTE_BITS = $clog2(RING) + BEAT_SHIFT;
    localparam COUNT = CHANNEL_SHIFT + 3;
    localparam LANE_BITS = $clog2(VLEN);
    localparam SINGLES = VLEN < STRIPE ? VLEN : STRIPE;
    localparam WINDOW = SINGLES > 8 ? SINGLES / 8 + 1 : 2;
    // As unmask_read_segments takes it apart
    localparam PLAN = 2 + HEAD + ROW_BITS + ADDRESS_BITS + BEAT_SHIFT + (ADDRESS_BITS - BEAT_SHIFT)
        + ADDRESS_BITS + (STRIPE_SHIFT + 6) + 4 * ADDRESS_BITS + 32;
    localparam [31:0] SIZE = BEAT_SHIFT;

    generate
        if (VLEN < 2 || VLEN > 2048 || (VLEN & (VLEN - 1)) != 0) begin : check_vlen
            VLEN_must_be_a_power_of_two_from_2_to_2048 error();
        end
        if (VECTOR_ROWS < 2 || (VECTOR_ROWS & (VECTOR_ROWS - 1)) != 0) begin : check_rows
            VECTOR_ROWS_must_be_a_power_of_two_of_at_least_2 error();
        end
        if ($clog2(VLEN) + $clog2(VECTOR_ROWS) > 30) begin : check_elements
            VLEN_times_VECTOR_ROWS_must_be_at_most_2_to_the_30 error();
        end
        if (INT_WORDS < 2 || (INT_WORDS & (INT_WORDS - 1)) != 0 || KEY_WORDS < 2
            || (KEY_WORDS & (KEY_WORDS - 1)) != 0) begin : check_words
            INT_WORDS_and_KEY_WORDS_must_be_powers_of_two_of_at_least_2 error();
        end
        if (CHANNELS < 1 || CHANNELS > 64 || (CHANNELS & (CHANNELS - 1)) != 0) begin : check_channels
            CHANNELS_must_be_a_power_of_two_from_1_to_64 error();
        end
        if (BEAT_BITS < 64 || BEAT_BITS > 1024 || (BEAT_BITS & (BEAT_BITS - 1)) != 0)
        begin : check_beat
            BEAT_BITS_must_be_a_power_of_two_from_64_to_1024 error();
        end
        if (BURST < 1 || BURST > 32 || (BURST & (BURST - 1)) != 0) begin : check_burst
            BURST_must_be_a_power_of_two_from_1_to_32 error();
        end
        if (OUTSTANDING < 1 || OUTSTANDING > 1024) begin : check_outstanding
            OUTSTANDING_must_be_from_1_to_1024 error();
        end
        if (FIFO < 1 || FIFO > 4096) begin : check_fifo
            FIFO_must_be_from_1_to_4096 error();
        end
        if (RING < 8 * CHANNELS || (RING & (RING - 1)) != 0 || BYTE_BITS > 27) begin : check_ring
            RING_must_be_a_power_of_two_of_at_least_8_CHANNELS_and_at_most_128_MiB error();
        end
        if (ADDRESS_BITS < 20 || ADDRESS_BITS > 64) begin : check_address
            ADDRESS_BITS_must_be_from_20_to_64 error();
        end
    endgenerate

    // -- requests --

    wire [3*PLAN-1:0] plan;
    wire [5:0] tag;
    wire [5:0] kind;
    wire [8:0] format;
    wire [95:0] to;
    wire [95:0] step;
    wire [5:0] state;
    wire [2:0] clear;
    wire [95:0] index;
    wire [383:0] bans;

    unmask_read_queue #(
        .VLEN(VLEN), .CHANNELS(CHANNELS), .BEAT_BITS(BEAT_BITS), .ADDRESS_BITS(ADDRESS_BITS),
        .PLAN(PLAN)
    ) queue (
        .clk(clk), .rst(rst), .in_valid(in_valid), .in_slot(in_slot), .in_kind(in_kind),
        .in_format(in_format), .in_first(in_first), .in_scale(in_scale), .in_length(in_length),
        .in_rows(in_rows), .in_pitch(in_pitch), .in_to(in_to), .in_state(in_state),
        .in_clear(in_clear), .in_index(in_index), .in_bans(in_bans),
        .plan(plan), .tag(tag), .kind(kind), .format(format), .to(to), .step(step),
        .state(state), .clear(clear), .index(index), .bans(bans)
    );

    // -- channels --

    wire [POSITION_BITS-1:0] freed;
    wire [CHANNELS-1:0] filled;
    wire [CHANNELS-1:0] scales_in;
    wire [CHANNELS-1:0] pop;
    wire take;
    wire load;
    wire [COUNT-1:0] load_count;
    wire [CHANNEL_BITS-1:0] load_channel;
    wire [BEAT_BITS*CHANNELS-1:0] stripe_data;
    wire [CHANNELS-1:0] ring_write;
    wire [PLACE_BITS*CHANNELS-1:0] ring_place;
    wire [CHANNELS-1:0] fault;
    wire [2*CHANNELS-1:0] fault_entry;
    wire [ROW_BITS*CHANNELS-1:0] fault_row;
    wire [1:0] entry;
    wire last;

    // A failed beat's address, in beats, and whether it is of the transfer in front
    localparam KEY = ROW_BITS + CHANNEL_SHIFT;
    wire [CHANNELS-1:0] mine;
    wire [KEY*CHANNELS-1:0] key;

    genvar c;
    generate
        for (c = 0; c < CHANNELS; c = c + 1) begin : masters
            localparam [CHANNEL_BITS-1:0] NUMBER = c;
            unmask_read_channel #(
                .CHANNELS(CHANNELS), .BEAT_BITS(BEAT_BITS), .ADDRESS_BITS(ADDRESS_BITS),
                .BURST(BURST), .OUTSTANDING(OUTSTANDING), .FIFO(FIFO), .RING(RING),
                .POSITION_BITS(POSITION_BITS), .PLAN(PLAN)
            ) master (
                .clk(clk), .rst(rst), .channel(NUMBER),
                .arrives(in_valid), .plan(plan), .freed(freed),
                .araddr(m_axi_araddr[64*c +: 64]), .arlen(m_axi_arlen[8*c +: 8]),
                .arvalid(m_axi_arvalid[c]), .arready(m_axi_arready[c]),
                .rdata(m_axi_rdata[BEAT_BITS*c +: BEAT_BITS]),
                .rerror(m_axi_rresp[2*c+1]), .rvalid(m_axi_rvalid[c]), .rready(m_axi_rready[c]),
                .filled(filled[c]), .take(take), .pop(pop[c]),
                .front_data(stripe_data[BEAT_BITS*c +: BEAT_BITS]),
                .ring_write(ring_write[c]), .ring_place(ring_place[PLACE_BITS*c +: PLACE_BITS]),
                .load(load), .load_count(load_count), .load_channel(load_channel),
                .scales_in(scales_in[c]),
                .fault(fault[c]), .fault_entry(fault_entry[2*c +: 2]),
                .fault_row(fault_row[ROW_BITS*c +: ROW_BITS]),
                .clear(take & last & mine[c])
            );
            assign mine[c] = fault[c] & fault_entry[2*c +: 2] == entry;
            if (CHANNELS > 1) begin : several
                assign key[KEY*c +: KEY] = {fault_row[ROW_BITS*c +: ROW_BITS], NUMBER};
            end else begin : single
                assign key = fault_row;
            end
        end
    endgenerate

    assign m_axi_arsize = {CHANNELS{SIZE[2:0]}};
    assign m_axi_arburst = {CHANNELS{2'b01}};

    // -- lanes --

    wire mx;
    wire by_8;
    wire bf16;
    wire first;
    wire [STRIPE_SHIFT-1:0] place;
    wire [LANE_BITS-1:0] low_lane;
    wire [LANE_BITS-1:0] high_lane;
    wire [31:0] element;
    wire [31:0] target;
    wire [BYTE_BITS-1:0] scale_byte;
    wire [4:0] scale_lane;
    wire [8*WINDOW-1:0] scale_data;

    unmask_stripe_join #(
        .VLEN(VLEN), .CHANNELS(CHANNELS), .BEAT_BITS(BEAT_BITS), .ADDRESS_BITS(ADDRESS_BITS),
        .RING(RING), .POSITION_BITS(POSITION_BITS), .PLAN(PLAN)
    ) join_stripes (
        .clk(clk), .rst(rst), .arrives(in_valid), .plan(plan), .kind(kind), .format(format),
        .to(to), .step(step), .freed(freed), .filled(filled), .scales_in(scales_in), .pop(pop),
        .load(load), .load_count(load_count), .load_channel(load_channel),
        .take(take), .entry(entry), .mx(mx), .by_8(by_8), .bf16(bf16), .first(first),
        .last(last), .place(place), .low_lane(low_lane), .high_lane(high_lane),
        .element(element), .target(target), .scale_byte(scale_byte), .scale_lane(scale_lane)
    );

    unmask_scale_ring #(
        .CHANNELS(CHANNELS), .BEAT_BITS(BEAT_BITS), .RING(RING), .WINDOW(WINDOW)
    ) ring (
        .clk(clk), .write(ring_write), .write_place(ring_place), .write_data(m_axi_rdata),
        .read(take & mx), .read_byte(scale_byte), .window(scale_data)
    );

    wire [2:0] format_now =
        entry[1] ? format[8:6] : entry[0] ? format[5:3] : format[2:0];
    wire [1:0] kind_now = entry[1] ? kind[5:4] : entry[0] ? kind[3:2] : kind[1:0];
    wire [31:0] index_now = entry[1] ? index[95:64] : entry[0] ? index[63:32] : index[31:0];
    wire [16*VLEN-1:0] codes;

    unmask_read_lanes #(.VLEN(VLEN), .STRIPE(STRIPE), .WINDOW(WINDOW)) lanes (
        .clk(clk), .take_mx(mx), .take_by_8(by_8), .take_bf16(bf16),
        .take_e5m2(format_now[2] | (&format_now[1:0])), .take_place(place), .take_low(low_lane),
        .take_high(high_lane), .take_lane(scale_lane),
        .stripe_data(stripe_data), .scale_data(scale_data),
        .out_data(codes), .out_active(stream_active), .out_flags(stream_flags)
    );

    // -- what goes along with a slice: number 1 is of the cycle after it was taken --

    reg [5:1] valid_reg;
    reg [5:1] last_reg;
    reg [3:1] first_reg;
    reg [9:0] kind_reg;                  // of 5 cycles, the newest lowest
    reg [9:0] entry_reg;
    reg [95:0] base_reg;
    /* verilator lint_off UNUSEDSIGNAL */
    reg [31:0] target_1_reg;             // the SRAMs are smaller
    reg [31:0] target_2_reg;
    reg [31:0] target_3_reg;
    /* verilator lint_on UNUSEDSIGNAL */
    reg [1:0] fault_reg;
    reg [2*KEY-1:0] fault_key_reg;
    reg [63:0] word_reg;
    reg [2*WORD_BITS-1:0] word_address_reg;
    reg [1:0] under_way_reg;

    wire stream = kind_reg[5:4] == 2'd0;
    wire [1:0] stream_entry = entry_reg[5:4];
    wire lowest_valid;
    wire [KEY-1:0] lowest_key;

    always @(posedge clk) begin
        if (rst) valid_reg <= 5'd0;
        else valid_reg <= {valid_reg[4:1], take};
        last_reg <= {last_reg[4:1], last};
        first_reg <= {first_reg[2:1], first};
        kind_reg <= {kind_reg[7:0], kind_now};
        entry_reg <= {entry_reg[7:0], entry};
        base_reg <= {base_reg[63:0], index_now + element};
        target_1_reg <= target;
        target_2_reg <= target_1_reg;
        target_3_reg <= target_2_reg;
        fault_reg <= {fault_reg[0], lowest_valid};
        fault_key_reg <= {fault_key_reg[KEY-1:0], lowest_key};
        word_reg <= {word_reg[31:0], codes[31:0]};
        word_address_reg <= {word_address_reg[WORD_BITS-1:0], target_3_reg[WORD_BITS-1:0]};
        if (rst) under_way_reg <= 2'd0;
        else under_way_reg <= under_way_reg + {1'b0, in_valid} - {1'b0, valid_reg[5] & last_reg[5]};
    end

    assign stream_valid = valid_reg[3] & stream;
    assign stream_first = first_reg[3];
    assign stream_last = last_reg[3];
    assign stream_data = codes;
    assign stream_base = base_reg[95:64];
    assign stream_slot = stream_entry[1] ? tag[5:4] : stream_entry[0] ? tag[3:2] : tag[1:0];
    assign stream_state = stream_entry[1] ? state[5:4] : stream_entry[0] ? state[3:2] : state[1:0];
    assign stream_clear = stream_entry[1] ? clear[2] : stream_entry[0] ? clear[1] : clear[0];
    assign stream_bans =
        stream_entry[1] ? bans[383:256] : stream_entry[0] ? bans[255:128] : bans[127:0];
    assign stream_fault = lowest_valid;
    assign stream_fault_address =
        {{(64 - KEY - BEAT_SHIFT){1'b0}}, lowest_key, {BEAT_SHIFT{1'b0}}};

    unmask_row_writer #(.VLEN(VLEN), .ROWS(VECTOR_ROWS)) writer (
        .clk(clk), .rst(rst), .in_valid(valid_reg[3] & kind_reg[5:4] == 2'd1), .in_data(codes),
        .in_active(stream_active), .in_target(target_3_reg[$clog2(VLEN*VECTOR_ROWS)-1:0]),
        .write(vector_write), .write_row(vector_row), .write_data(vector_data[16*VLEN-1:0]),
        .write_mask(vector_mask)
    );
    assign vector_data[2*16*VLEN-1:16*VLEN] = vector_data[16*VLEN-1:0];

    wire [1:0] out_entry = entry_reg[9:8];
    assign int_write = valid_reg[5] & kind_reg[9:8] == 2'd2;
    assign key_write = valid_reg[5] & kind_reg[9:8] == 2'd3;
    assign word_address = word_address_reg[WORD_BITS +: WORD_BITS];
    assign word_data = word_reg[63:32];

    assign out_valid = valid_reg[5] & last_reg[5] & kind_reg[9:8] != 2'd0;
    assign out_slot = out_entry[1] ? tag[5:4] : out_entry[0] ? tag[3:2] : tag[1:0];
    assign out_fault = fault_reg[1];
    assign out_fault_address =
        {{(64 - KEY - BEAT_SHIFT){1'b0}}, fault_key_reg[KEY +: KEY], {BEAT_SHIFT{1'b0}}};

    assign idle = under_way_reg == 2'd0;

    // -- the lowest beat that failed: three cycles --

    localparam LEFT_1 = CHANNELS > 4 ? CHANNELS / 4 : 1;
    localparam LEFT_2 = LEFT_1 > 4 ? LEFT_1 / 4 : 1;
    wire [LEFT_1-1:0] valid_1;
    wire [KEY*LEFT_1-1:0] key_1;
    wire [LEFT_2-1:0] valid_2;
    wire [KEY*LEFT_2-1:0] key_2;

    unmask_lowest #(.KEY(KEY), .ITEMS(CHANNELS), .LEFT(LEFT_1)) lowest_1 (
        .clk(clk), .in_valid(mine), .in_key(key), .out_valid(valid_1), .out_key(key_1)
    );
    unmask_lowest #(.KEY(KEY), .ITEMS(LEFT_1), .LEFT(LEFT_2)) lowest_2 (
        .clk(clk), .in_valid(valid_1), .in_key(key_1), .out_valid(valid_2), .out_key(key_2)
    );
    unmask_lowest #(.KEY(KEY), .ITEMS(LEFT_2), .LEFT(1)) lowest_3 (
        .clk(clk), .in_valid(valid_2), .in_key(key_2), .out_valid(lowest_valid),
        .out_key(lowest_key)
    );

endmodule

`default_nettype wire
