// Collects one bit an element into rows of mask bits, for the units that make a mask from data
// that comes word by word.
//
// Elements come in order, at most one a cycle, each with its lane. A row is shown, for one cycle,
// in the cycle after its last lane or after `in_last`; lanes behind the last element are 0. Lane 0
// begins a row, so nothing of an earlier one stays.
`default_nettype none

module unmask_row_fill #(
    // Lanes: a power of two, 2 to 2048
    parameter VLEN = 8
) (
    input  wire                    clk,
    input  wire                    rst,

    input  wire                    in_valid,
    input  wire                    in_last,    // the last element of all
    input  wire [$clog2(VLEN)-1:0] in_lane,
    input  wire                    in_bit,

    output wire                    out_valid,
    output wire                    out_last,   // with out_valid: of the row with the last element
    output wire [VLEN-1:0]         out_bits
);

    localparam LANE_BITS = $clog2(VLEN);

    genvar lane;
    generate
        if (VLEN < 2 || VLEN > 2048 || (VLEN & (VLEN - 1)) != 0) begin : check_vlen
            VLEN_must_be_a_power_of_two_from_2_to_2048 error();
        end
    endgenerate

    reg valid_reg;
    reg last_reg;
    reg [VLEN-1:0] bits_reg;

    wire begins = in_lane == {LANE_BITS{1'b0}};

    always @(posedge clk) begin
        valid_reg <= in_valid & (in_last | (&in_lane)) & ~rst;
        last_reg <= in_last;
    end

    generate
        for (lane = 0; lane < VLEN; lane = lane + 1) begin : lanes
            always @(posedge clk)
                if (in_valid) begin
                    if (in_lane == lane) bits_reg[lane] <= in_bit;
                    else if (begins) bits_reg[lane] <= 1'b0;
                end
        end
    endgenerate

    assign out_valid = valid_reg;
    assign out_last = last_reg;
    assign out_bits = bits_reg;

endmodule

`default_nettype wire
