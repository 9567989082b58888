// The four softmax states: two read ports, one write port, and a way to empty one or all of them.
//
// Reads are combinational and see the values before this cycle's write. Of what is asked for in one
// cycle, clear_all goes before write, and write before clear.
`default_nettype none

module unmask_states (
    input  wire         clk,

    input  wire         clear_all,
    input  wire         clear,
    input  wire [1:0]   clear_number,
    input  wire         write,
    input  wire [1:0]   write_number,
    input  wire [250:0] write_state,

    input  wire [1:0]   read_number,
    output wire [250:0] read_state,
    input  wire [1:0]   stream_number,
    output wire [250:0] stream_state
);

    // No element: key 0 and the index all ones.
    localparam [250:0] EMPTY = {203'd0, 32'hffffffff, 16'd0};

    reg [1003:0] states_reg; // state 0 lowest

    genvar number;
    generate
        for (number = 0; number < 4; number = number + 1) begin : states
            wire written = write && write_number == number;
            wire cleared = clear && clear_number == number;

            always @(posedge clk) begin
                if (clear_all) states_reg[251*number +: 251] <= EMPTY;
                else if (written) states_reg[251*number +: 251] <= write_state;
                else if (cleared) states_reg[251*number +: 251] <= EMPTY;
            end
        end
    endgenerate

    assign read_state = states_reg[251*read_number +: 251];
    assign stream_state = states_reg[251*stream_number +: 251];

endmodule

`default_nettype wire
