// A unit for V_RED_MAX_IDX that shares nothing with the core's own: it looks at one element a
// cycle, has valid/ready on both sides and an asynchronous reset, and takes one chunk together
// with the maximum so far in each transaction. It is here to show that such a unit can be held
// to the specification with a binding file alone.
//
// A chunk taken at a clock edge gives its result `s_count` + 1 cycles after the cycle of the
// handshake, and keeps it until m_ready. While it works, s_ready is low.
`default_nettype none

module argmax_scan #(
    // Elements of a chunk: a power of two, 2 to 2048
    parameter LANES = 8
) (
    input  wire                   clk,
    input  wire                   rst_n,

    input  wire                   s_valid,
    output wire                   s_ready,
    input  wire [16*LANES-1:0]    s_data,    // BF16, the first element lowest
    input  wire [$clog2(LANES):0] s_count,   // elements of the chunk that count
    input  wire [31:0]            s_base,    // index of the first element
    input  wire [15:0]            s_code,    // maximum so far
    input  wire [31:0]            s_index,   // its index

    output wire                   m_valid,
    input  wire                   m_ready,
    output wire [15:0]            m_code,
    output wire [31:0]            m_index
);

    localparam [1:0] TAKE = 2'd0, SCAN = 2'd1, GIVE = 2'd2;

    reg [1:0]             state;
    reg [16*LANES-1:0]    rest;     // elements not looked at yet
    reg [$clog2(LANES):0] left;     // how many of them
    reg [31:0]            place;    // index of the next one
    reg [15:0]            code;
    reg [31:0]            index;

    assign s_ready = state == TAKE;
    assign m_valid = state == GIVE;
    assign m_code  = code;
    assign m_index = index;

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

    always @(posedge clk or negedge rst_n) begin
        if (!rst_n)
            state <= TAKE;
        else
            case (state)
                TAKE:    if (s_valid) state <= SCAN;
                SCAN:    if (left <= 1) state <= GIVE;
                default: if (m_ready) state <= TAKE;
            endcase
    end

    always @(posedge clk) begin
        if (s_ready) begin
            rest  <= s_data;
            left  <= s_count;
            place <= s_base;
            code  <= s_code;
            index <= s_index;
        end else if (state == SCAN) begin
            rest  <= rest >> 16;
            left  <= left - 1'b1;
            place <= place + 32'd1;
            if (above(rest[15:0], code)) begin
                code  <= rest[15:0];
                index <= place;
            end
        end
    end

endmodule

`default_nettype wire
