// One pass of softmax over a stream of chunks: maximum, first argmax, slots of the sum of e**l.
//
// A transaction is one or more beats of VLEN lanes, of which any may be active. The first beat
// starts from in_start, a later one goes on from the beat before it. A state is 251 bits: flags,
// count, slots 4 to 0 of 34 bits, top, index, key, which is lowest; what each means, and that
// order and chunking do not matter, is in the specification (`spec/softmax.py`).
//
// Takes a beat each cycle, never refuses one. 2 * log2(VLEN) + 7 cycles from in_valid to out_valid:
//
//     bans | keys | levels of the key tree | maximum | bin, mantissas | distances | slices to
//     slots | levels of the slot trees | slots of the state
//
// The maximum comes first, so that a lane's slices are added where they stay: relative to the
// maximum of all elements up to and with their beat. Of the state's own slots, when a
// greater maximum comes, those that are still near move down.
//
// out_state is the state up to that beat, and the transaction's where out_last is high. It changes
// only with out_valid.
`default_nettype none

module unmask_softmax #(
    // Lanes: a power of two, 2 to 2048
    parameter VLEN = 8
) (
    input  wire               clk,
    input  wire               rst,

    input  wire               in_valid,
    input  wire               in_first,
    input  wire               in_last,
    input  wire [16*VLEN-1:0] in_data,   // BF16, lane 0 lowest
    input  wire [VLEN-1:0]    in_active,
    input  wire [2*VLEN-1:0]  in_flags,  // of each lane: saturated, inexact
    input  wire [31:0]        in_base,   // index of lane 0; indices wrap
    input  wire [127:0]       in_bans,   // four indices that count as -infinity; all ones: none
    input  wire [1:0]         in_tag,    // comes back with the state
    input  wire [250:0]       in_start,  // read with in_first only

    output wire               out_valid,
    output wire               out_last,  // means something with out_valid only
    output wire [1:0]         out_tag,
    output wire [250:0]       out_state
);

    localparam LEVELS = $clog2(VLEN);
    localparam STAGES = 2 * LEVELS + 7;
    localparam LOOP = LEVELS + 3;        // the stage whose registers hold the running maximum
    localparam [15:0] NEGATIVE_INFINITY = 16'hff80;

    genvar lane;
    genvar ban;
    genvar slot;
    generate
        if (VLEN < 2 || VLEN > 2048 || (VLEN & (VLEN - 1)) != 0) begin : check_vlen
            VLEN_must_be_a_power_of_two_from_2_to_2048 error();
        end
    endgenerate

    // What travels beside the lanes; bit n - 1 belongs to the registers of stage n.
    reg [STAGES-1:0] valid_reg;
    reg [STAGES-1:0] first_reg;

    always @(posedge clk) begin
        valid_reg <= rst ? {STAGES{1'b0}} : {valid_reg[STAGES-2:0], in_valid};
        first_reg <= {first_reg[STAGES-2:0], in_first};
    end

    // Stage 1: the lane that each ban means, if it is one.
    reg [16*VLEN-1:0] data_reg;
    reg [VLEN-1:0] active_reg;
    reg [2*VLEN-1:0] flags_reg;
    reg [31:0] base_reg;
    reg [127:0] ban_reg;
    reg [3:0] banning_reg;

    always @(posedge clk) begin
        data_reg <= in_data;
        active_reg <= in_active;
        flags_reg <= in_flags;
        base_reg <= in_base;
    end

    generate
        for (ban = 0; ban < 4; ban = ban + 1) begin : bans
            always @(posedge clk) begin
                ban_reg[32*ban +: 32] <= in_bans[32*ban +: 32] - in_base;
                banning_reg[ban] <= ~&in_bans[32*ban +: 32];
            end
        end
    endgenerate

    // Stage 2: codes and keys of the lanes. Codes go on beside the key tree, keys into it.
    wire last_lanes = &base_reg[31:LEVELS]; // the beat may reach across the end of all indices
    wire [17*VLEN-1:0] key;
    wire [17*VLEN-1:0] code;                // of each lane: whether it is active, code
    wire [17*VLEN-1:0] late_code;
    wire [2*VLEN-1:0] flags;

    generate
        for (lane = 0; lane < VLEN; lane = lane + 1) begin : lanes
            wire [LEVELS-1:0] number = lane;
            wire [3:0] hit;
            for (ban = 0; ban < 4; ban = ban + 1) begin : bans
                assign hit[ban] =
                    banning_reg[ban] & ban_reg[32*ban +: 32] == {{(32 - LEVELS){1'b0}}, number};
            end
            wire active = active_reg[lane];
            wire [15:0] own = |hit ? NEGATIVE_INFINITY : data_reg[16*lane +: 16];
            wire [15:0] own_key;
            unmask_order_key order_key (.code(own), .key(own_key));

            // Where the indices of a beat wrap, the first of them plus the lane's number carries.
            wire [LEVELS:0] place = {1'b0, base_reg[LEVELS-1:0]} + {1'b0, number};
            wire wrapped = last_lanes & place[LEVELS];

            assign code[17*lane +: 17] = {active, own};
            assign key[17*lane +: 17] = active ? {own_key, wrapped} : 17'd0;
            assign flags[2*lane +: 2] = active ? flags_reg[2*lane +: 2] : 2'd0;
        end
    endgenerate

    unmask_delay #(.WIDTH(17 * VLEN), .STAGES(LEVELS + 1)) codes (
        .clk(clk), .in(code), .out(late_code)
    );

    // Stages 3 to LOOP: the key tree and the running maximum; its bin one stage later.
    wire [31:0] late_base;
    wire [68:0] start;     // flags, count, index, key
    wire [11:0] start_top;
    wire [169:0] start_slots;

    unmask_delay #(.WIDTH(32), .STAGES(LEVELS + 1)) bases (
        .clk(clk), .in(base_reg), .out(late_base)
    );
    unmask_delay #(.WIDTH(69), .STAGES(LEVELS + 2)) starts (
        .clk(clk), .in({in_start[250:230], in_start[47:0]}), .out(start)
    );
    unmask_delay #(.WIDTH(12), .STAGES(LEVELS + 3)) start_tops (
        .clk(clk), .in(in_start[59:48]), .out(start_top)
    );

    wire [15:0] max_key;
    wire [31:0] max_index;
    wire [18:0] count;
    wire [1:0] all_flags;
    wire [11:0] top;
    wire [11:0] old_top;
    wire same;

    unmask_softmax_maximum #(.VLEN(VLEN)) maximum (
        .clk(clk),
        .in_key(key),
        .in_active(active_reg),
        .in_flags(flags),
        .in_valid(valid_reg[LOOP-2]),
        .in_first(first_reg[LOOP-2]),
        .in_base(late_base),
        .in_start_key(start[15:0]),
        .in_start_index(start[47:16]),
        .in_start_count(start[66:48]),
        .in_start_flags(start[68:67]),
        .in_late_valid(valid_reg[LOOP-1]),
        .in_late_first(first_reg[LOOP-1]),
        .in_late_top(start_top),
        .out_key(max_key),
        .out_index(max_index),
        .out_count(count),
        .out_flags(all_flags),
        .out_top(top),
        .out_old_top(old_top),
        .out_same(same)
    );

    // Stages LOOP to LOOP + 3: what each lane adds to which slot.
    wire [15:0] max_code = max_key[15] ? {1'b0, max_key[14:0]} : ~max_key;
    wire [80*VLEN-1:0] lane_slots;

    generate
        for (lane = 0; lane < VLEN; lane = lane + 1) begin : terms
            unmask_softmax_lane term (
                .clk(clk),
                .in_code(late_code[17*lane +: 16]),
                .in_active(late_code[17*lane + 16]),
                .in_maximum(max_code),
                .in_top(top),
                .out_slots(lane_slots[80*lane +: 80])
            );
        end
    endgenerate

    // Stages LOOP + 4 to STAGES - 1: their sums.
    wire [5*(16+LEVELS)-1:0] sums;

    unmask_softmax_sum #(.VLEN(VLEN)) sum (.clk(clk), .in_slots(lane_slots), .out_sums(sums));

    // Stage LOOP + 2: by how many slots the state's own ones move down, and whether they count at
    // all. Beside a maximum that is not normal (bin 0) only its equals do.
    wire [11:0] distance = top - old_top;
    reg [2:0] distance_reg;
    reg near_reg;

    always @(posedge clk) begin
        distance_reg <= distance[2:0];
        near_reg <= distance < 12'd5 & (same | top != 12'd0);
    end

    wire [2:0] late_distance;
    wire late_near;

    unmask_delay #(.WIDTH(4), .STAGES(LEVELS + 1)) moves (
        .clk(clk), .in({near_reg, distance_reg}), .out({late_near, late_distance})
    );
    unmask_delay #(.WIDTH(170), .STAGES(STAGES - 1)) all_start_slots (
        .clk(clk), .in(in_start[229:60]), .out(start_slots)
    );

    // Stage STAGES: the slots.
    reg [169:0] slots_reg;
    reg [169:0] moved;

    wire [169:0] slots = first_reg[STAGES-2] ? start_slots : slots_reg;

    always @(*) begin
        case (late_distance)
            3'd0: moved = slots;
            3'd1: moved = {slots[135:0], 34'd0};
            3'd2: moved = {slots[101:0], 68'd0};
            3'd3: moved = {slots[67:0], 102'd0};
            default: moved = {slots[33:0], 136'd0};
        endcase
        if (!late_near) moved = 170'd0;
    end

    generate
        for (slot = 0; slot < 5; slot = slot + 1) begin : slot_sums
            always @(posedge clk)
                if (valid_reg[STAGES-2])
                    slots_reg[34*slot +: 34] <= moved[34*slot +: 34]
                        + {{(18 - LEVELS){1'b0}}, sums[(16+LEVELS)*slot +: 16+LEVELS]};
        end
    endgenerate

    wire [68:0] late_max;
    wire [11:0] late_top;

    unmask_delay #(.WIDTH(69), .STAGES(STAGES - LOOP)) maxima (
        .clk(clk), .in({all_flags, count, max_index, max_key}), .out(late_max)
    );
    unmask_delay #(.WIDTH(12), .STAGES(STAGES - LOOP - 1)) tops (
        .clk(clk), .in(top), .out(late_top)
    );
    unmask_delay #(.WIDTH(3), .STAGES(STAGES)) marks (
        .clk(clk), .in({in_last, in_tag}), .out({out_last, out_tag})
    );

    assign out_valid = valid_reg[STAGES-1];
    assign out_state = {late_max[68:48], slots_reg, late_top, late_max[47:0]};

endmodule

`default_nettype wire
