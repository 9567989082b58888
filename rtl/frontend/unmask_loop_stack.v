// Hardware loop stack. An entry: first word of the body, iterations left, counting register.
//
// Outputs show the innermost loop in the same cycle; push, next_iteration and pop take effect at
// the clock edge, at most one of them in a cycle. Push only when not full; the other two only
// when not empty, next_iteration only with 2 or more iterations left.
// The entries are a shift register, so that the innermost loop's start is read from flip-flops:
// it is on the path to the program memory's address.
`default_nettype none

module unmask_loop_stack #(
    // Entries: at least 2
    parameter DEPTH = 8,
    // Bits of a program address: at least 1
    parameter PC_BITS = 11,
    // Bits of an iteration count: at least 1
    parameter COUNT_BITS = 22
) (
    input  wire                  clk,
    input  wire                  clear,

    input  wire                  push,
    input  wire [PC_BITS-1:0]    push_start,
    input  wire [COUNT_BITS-1:0] push_count,
    input  wire [3:0]            push_register,
    input  wire                  next_iteration,
    input  wire                  pop,

    output wire                  empty,
    output wire                  full,
    output wire [PC_BITS-1:0]    top_start,
    output wire [COUNT_BITS-1:0] top_remaining,   // after the current iteration
    output wire [3:0]            top_register
);

    localparam ENTRY = PC_BITS + COUNT_BITS + 4;
    localparam LEVEL_BITS = $clog2(DEPTH + 1);
    localparam [31:0] ENTRIES = DEPTH;

    generate
        if (DEPTH < 2) begin : check_depth
            DEPTH_must_be_at_least_2 error();
        end
        if (PC_BITS < 1 || COUNT_BITS < 1) begin : check_bits
            PC_BITS_and_COUNT_BITS_must_be_at_least_1 error();
        end
    endgenerate

    // Innermost entry lowest. Entries above `level_reg` hold anything.
    reg [ENTRY*DEPTH-1:0] stack_reg;
    reg [LEVEL_BITS-1:0] level_reg;

    wire [COUNT_BITS-1:0] top_count;
    assign {top_start, top_register, top_count} = stack_reg[ENTRY-1:0];
    assign top_remaining = top_count - {{(COUNT_BITS - 1){1'b0}}, 1'b1};
    assign empty = level_reg == {LEVEL_BITS{1'b0}};
    assign full = level_reg == ENTRIES[LEVEL_BITS-1:0];

    always @(posedge clk) begin
        if (push)
            stack_reg <= {stack_reg[ENTRY*(DEPTH-1)-1:0], push_start, push_register, push_count};
        else if (pop) stack_reg[ENTRY*(DEPTH-1)-1:0] <= stack_reg[ENTRY*DEPTH-1:ENTRY];
        else if (next_iteration) stack_reg[COUNT_BITS-1:0] <= top_remaining;

        if (clear) level_reg <= {LEVEL_BITS{1'b0}};
        else if (push) level_reg <= level_reg + {{(LEVEL_BITS - 1){1'b0}}, 1'b1};
        else if (pop) level_reg <= level_reg - {{(LEVEL_BITS - 1){1'b0}}, 1'b1};
    end

endmodule

`default_nettype wire
