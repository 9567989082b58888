// The maximum of a softmax state: key, index and bin, the number of elements and their flags.
//
// A tree of the beat's lanes, then the running values, started anew with in_first. The greater key
// wins, of equals the lower index. LEVELS + 2 cycles from the inputs to out_key, out_index,
// out_count, out_flags; one cycle later out_top and out_old_top, the bins of the maximum with and
// without the beat. Between beats all of them are held, but for out_same, which belongs to a beat.
//
// Indices wrap modulo 2**32, so in a beat across the end the lanes behind it have the lower ones. A
// lane's key carries that as its last bit: the strictly greater of two neighbours is then the
// later lane exactly if it wins.
`default_nettype none

module unmask_softmax_maximum #(
    // Lanes: a power of two, 2 to 2048
    parameter VLEN = 8
) (
    input  wire               clk,

    // A beat's lanes; inactive ones have keys of 0.
    input  wire [17*VLEN-1:0] in_key,      // order key, then whether the index has wrapped
    input  wire [VLEN-1:0]    in_active,
    input  wire [2*VLEN-1:0]  in_flags,

    // Its controls, LEVELS + 1 cycles later
    input  wire               in_valid,
    input  wire               in_first,
    input  wire [31:0]        in_base,
    input  wire [15:0]        in_start_key,
    input  wire [31:0]        in_start_index,
    input  wire [18:0]        in_start_count,
    input  wire [1:0]         in_start_flags,

    // And LEVELS + 2 cycles later
    input  wire               in_late_valid,
    input  wire               in_late_first,
    input  wire [11:0]        in_late_top,

    output wire [15:0]        out_key,
    output wire [31:0]        out_index,
    output wire [18:0]        out_count,
    output wire [1:0]         out_flags,
    output wire [11:0]        out_top,
    output wire [11:0]        out_old_top,
    output wire               out_same     // beside out_top: the key is what it was before the beat
);

    localparam LEVELS = $clog2(VLEN);

    genvar level;
    genvar node;

    // Level 0: the lanes.
    reg [17*VLEN-1:0] lane_key_reg;
    reg [VLEN-1:0] lane_active_reg;
    reg [2*VLEN-1:0] lane_flags_reg;

    always @(posedge clk) begin
        lane_key_reg <= in_key;
        lane_active_reg <= in_active;
        lane_flags_reg <= in_flags;
    end

    // Levels 1 to LEVELS. A node of level n knows its winner's place in n bits, and of how many
    // active lanes it is in n + 1.
    generate
        for (level = 1; level <= LEVELS; level = level + 1) begin : tree
            localparam NODES = VLEN >> level;
            wire [34*NODES-1:0] key_in;
            wire [2*level*NODES-1:0] count_in;
            wire [4*NODES-1:0] flags_in;
            reg [17*NODES-1:0] key_reg;
            reg [level*NODES-1:0] place_reg;
            reg [(level+1)*NODES-1:0] count_reg;
            reg [2*NODES-1:0] flags_reg;

            if (level == 1) begin : from_lanes
                assign key_in = lane_key_reg;
                assign count_in = lane_active_reg;
                assign flags_in = lane_flags_reg;
            end else begin : from_level
                assign key_in = tree[level-1].key_reg;
                assign count_in = tree[level-1].count_reg;
                assign flags_in = tree[level-1].flags_reg;
            end

            for (node = 0; node < NODES; node = node + 1) begin : nodes
                wire [16:0] first_key = key_in[34*node +: 17];
                wire [16:0] second_key = key_in[34*node + 17 +: 17];
                wire later = first_key < second_key;
                wire [level-1:0] place;

                if (level == 1) begin : leaf
                    assign place = later;
                end else begin : inner
                    wire [level-2:0] first = tree[level-1].place_reg[2*node*(level-1) +: level-1];
                    wire [level-2:0] second =
                        tree[level-1].place_reg[(2*node+1)*(level-1) +: level-1];
                    assign place = {later, later ? second : first};
                end

                always @(posedge clk) begin
                    key_reg[17*node +: 17] <= later ? second_key : first_key;
                    place_reg[level*node +: level] <= place;
                    count_reg[(level+1)*node +: level+1] <=
                        {1'b0, count_in[2*level*node +: level]}
                        + {1'b0, count_in[2*level*node + level +: level]};
                    flags_reg[2*node +: 2] <= flags_in[4*node +: 2] | flags_in[4*node + 2 +: 2];
                end
            end
        end
    endgenerate

    // The running values. No element: key 0 and an index of all ones, which win against nothing.
    reg [15:0] key_reg;
    reg [31:0] index_reg;
    reg [18:0] count_reg;
    reg [1:0] flags_reg;

    wire [15:0] best_key = in_first ? in_start_key : key_reg;
    wire [31:0] best_index = in_first ? in_start_index : index_reg;
    wire [18:0] best_count = in_first ? in_start_count : count_reg;
    wire [1:0] best_flags = in_first ? in_start_flags : flags_reg;

    wire [15:0] beat_key = tree[LEVELS].key_reg[16:1];
    wire unused_wrapped = tree[LEVELS].key_reg[0];
    wire [31:0] beat_index = beat_key == 16'd0
        ? 32'hffffffff : in_base + {{(32 - LEVELS){1'b0}}, tree[LEVELS].place_reg};
    wire same = best_key == beat_key;
    wire later = best_key < beat_key | (same & beat_index < best_index);

    always @(posedge clk) begin
        if (in_valid) begin
            key_reg <= later ? beat_key : best_key;
            index_reg <= later ? beat_index : best_index;
            count_reg <= best_count + {{(18 - LEVELS){1'b0}}, tree[LEVELS].count_reg};
            flags_reg <= best_flags | tree[LEVELS].flags_reg;
        end
    end

    // The beat's bin, from its key: 0 unless it is normal. Which of two zeros it was is of no
    // matter to it.
    wire [15:0] beat_code = beat_key[15] ? {1'b0, beat_key[14:0]} : ~beat_key;
    wire [11:0] beat_bin;
    wire [3:0] unused_place;
    wire [16:0] unused_fraction;
    unmask_base2 base2 (
        .code(beat_code), .bin(beat_bin), .place(unused_place), .fraction(unused_fraction)
    );

    reg later_reg;
    reg same_reg;
    reg [11:0] beat_top_reg;

    always @(posedge clk) begin
        later_reg <= later;
        same_reg <= same | ~later;
        beat_top_reg <= beat_code[14:0] < 15'h4680 ? beat_bin : 12'd0;
    end

    reg [11:0] top_reg;
    reg [11:0] old_top_reg;
    reg same_late_reg;

    wire [11:0] best_top = in_late_first ? in_late_top : top_reg;

    always @(posedge clk) begin
        same_late_reg <= same_reg;
        if (in_late_valid) begin
            top_reg <= later_reg ? beat_top_reg : best_top;
            old_top_reg <= best_top;
        end
    end

    assign out_key = key_reg;
    assign out_index = index_reg;
    assign out_count = count_reg;
    assign out_flags = flags_reg;
    assign out_top = top_reg;
    assign out_old_top = old_top_reg;
    assign out_same = same_late_reg;

endmodule

`default_nettype wire
