// A word, STAGES cycles later.
`default_nettype none

module unmask_delay #(
    parameter WIDTH = 8,
    // Cycles: at least 1
    parameter STAGES = 1
) (
    input  wire             clk,
    input  wire [WIDTH-1:0] in,
    output wire [WIDTH-1:0] out
);

    generate
        if (STAGES < 1) begin : check_stages
            STAGES_must_be_at_least_1 error();
        end
    endgenerate

    reg [WIDTH*STAGES-1:0] line_reg; // the youngest word is lowest

    wire [WIDTH*STAGES+WIDTH-1:0] line = {line_reg, in};

    always @(posedge clk) line_reg <= line[WIDTH*STAGES-1:0];

    assign out = line[WIDTH*STAGES +: WIDTH];

endmodule

`default_nettype wire
