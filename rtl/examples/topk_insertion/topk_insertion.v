// A unit for V_TOPK_MASK that shares nothing with the core's own: it keeps the candidates seen so
// far in a sorted list and inserts one element a cycle. It has valid/ready on both sides, an
// asynchronous reset, and takes one chunk in each transaction.
//
// A chunk taken at a clock edge gives its result `s_count` + 1 cycles after the cycle of the
// handshake, and keeps it until m_ready. While it works, s_ready is low.
`default_nettype none

module topk_insertion #(
    // Elements of a chunk: a power of two, 2 to 2048
    parameter LANES = 8
) (
    input  wire                   clk,
    input  wire                   rst_n,

    input  wire                   s_valid,
    output wire                   s_ready,
    input  wire [16*LANES-1:0]    s_conf,    // BF16, the first element lowest
    input  wire [16*LANES-1:0]    s_mask,    // BF16, candidates are not zero
    input  wire [$clog2(LANES):0] s_count,   // elements of the chunk that count
    input  wire [31:0]            s_k,       // how many to choose

    output wire                   m_valid,
    input  wire                   m_ready,
    output reg  [16*LANES-1:0]    m_mask     // 1.0 or 0.0
);

    localparam [1:0] TAKE = 2'd0, SORT = 2'd1, GIVE = 2'd2;
    localparam LANE_BITS = $clog2(LANES);

    reg [1:0]              state;
    reg [16*LANES-1:0]     rest;        // elements not looked at yet
    reg [16*LANES-1:0]     rest_mask;
    reg [$clog2(LANES):0]  left;        // how many of them
    reg [LANE_BITS-1:0]    place;       // index of the next one
    reg [31:0]             k;

    // The list: the greatest first.
    reg [LANES-1:0]           used;
    reg [16*LANES-1:0]        code;
    reg [LANE_BITS*LANES-1:0] lane;

    assign s_ready = state == TAKE;
    assign m_valid = state == GIVE;

    // Whether x is strictly above y. NaN is above everything but NaN; the zeros are equal.
    function above(input [15:0] x, input [15:0] y);
        begin
            if (y[14:0] > 15'h7f80)
                above = 1'b0;
            else if (x[14:0] > 15'h7f80)
                above = 1'b1;
            else if (x[14:0] == 15'd0 && y[14:0] == 15'd0)
                above = 1'b0;
            else if (x[15] != y[15])
                above = y[15];
            else
                above = x[15] ? x[14:0] < y[14:0] : x[14:0] > y[14:0];
        end
    endfunction

    // Slots whose element goes before the next one: all used ones but those that it is above.
    // They are the first slots, as the list is sorted.
    reg [LANES-1:0] stays;
    integer i;
    always @* for (i = 0; i < LANES; i = i + 1)
        stays[i] = used[i] && !above(rest[15:0], code[16*i +: 16]);

    integer slot;
    always @(posedge clk) begin
        if (s_ready) begin
            rest      <= s_conf;
            rest_mask <= s_mask;
            left      <= s_count;
            place     <= {LANE_BITS{1'b0}};
            k         <= s_k;
            used      <= {LANES{1'b0}};
        end else if (state == SORT) begin
            rest      <= rest >> 16;
            rest_mask <= rest_mask >> 16;
            left      <= left - 1'b1;
            place     <= place + 1'b1;
            if (rest_mask[14:0] != 15'd0)
                for (slot = 0; slot < LANES; slot = slot + 1)
                    if (!stays[slot]) begin
                        if (slot == 0 || stays[slot == 0 ? 0 : slot-1]) begin
                            used[slot]                       <= 1'b1;
                            code[16*slot +: 16]              <= rest[15:0];
                            lane[LANE_BITS*slot +: LANE_BITS] <= place;
                        end else begin
                            used[slot]                       <= used[slot-1];
                            code[16*slot +: 16]              <= code[16*(slot-1) +: 16];
                            lane[LANE_BITS*slot +: LANE_BITS] <=
                                lane[LANE_BITS*(slot-1) +: LANE_BITS];
                        end
                    end
        end
    end

    always @(posedge clk or negedge rst_n) begin
        if (!rst_n)
            state <= TAKE;
        else
            case (state)
                TAKE:    if (s_valid) state <= SORT;
                SORT:    if (left <= 1) state <= GIVE;
                default: if (m_ready) state <= TAKE;
            endcase
    end

    // The first k slots name the lanes that are chosen.
    integer first;
    always @* begin
        m_mask = {(16*LANES){1'b0}};
        for (first = 0; first < LANES; first = first + 1)
            if (used[first] && first < k)
                m_mask[16*lane[LANE_BITS*first +: LANE_BITS] +: 16] = 16'h3f80;
    end

endmodule

`default_nettype wire
