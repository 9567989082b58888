// Neighbouring items of a circle, from item in_first on. Combinational.
//
// A barrel of two-way selections, the widest step first: after each, only the items that the
// steps left can still reach are kept.
`default_nettype none

module unmask_turn #(
    // Bits of an item: at least 1
    parameter BITS = 8,
    // Items of the circle: a power of two, at least 2
    parameter ITEMS = 16,
    // Items taken: 1 to ITEMS
    parameter TAKEN = 2
) (
    input  wire [BITS*ITEMS-1:0]      in_data,
    input  wire [$clog2(ITEMS)-1:0]   in_first,
    output wire [BITS*TAKEN-1:0]      out_data
);

    localparam STEPS = $clog2(ITEMS);

    generate
        if (ITEMS < 2 || (ITEMS & (ITEMS - 1)) != 0) begin : check_items
            ITEMS_must_be_a_power_of_two_of_at_least_2 error();
        end
        if (BITS < 1 || TAKEN < 1 || TAKEN > ITEMS) begin : check_taken
            TAKEN_must_be_from_1_to_ITEMS_and_BITS_at_least_1 error();
        end
    endgenerate

    genvar step;
    generate
        for (step = STEPS - 1; step >= 0; step = step - 1) begin : level
            localparam KEPT = (1 << step) - 1 + TAKEN;
            wire [BITS*KEPT-1:0] kept;
            if (step == STEPS - 1) begin : top
                // The circle goes on at its beginning.
                /* verilator lint_off UNUSEDSIGNAL */
                wire [2*BITS*ITEMS-1:0] twice = {in_data, in_data};
                /* verilator lint_on UNUSEDSIGNAL */
                assign kept = in_first[step] ? twice[BITS*ITEMS/2 +: BITS*KEPT]
                    : twice[BITS*KEPT-1:0];
            end else begin : below
                assign kept = in_first[step]
                    ? level[step+1].kept[BITS*(1 << step) +: BITS*KEPT]
                    : level[step+1].kept[BITS*KEPT-1:0];
            end
        end
    endgenerate

    assign out_data = level[0].kept;

endmodule

`default_nettype wire
