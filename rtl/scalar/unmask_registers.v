// A bank of registers: gp0 to gp15, f0 to f7, a0 to a7. Number 0 of gp and f is always 0.
//
// Reads are combinational and see the value before this cycle's write; the write happens at the
// clock edge; `clear` zeroes the whole bank. With ZERO a write to number 0 is lost.
`default_nettype none

module unmask_registers #(
    // Registers: a power of two, at least 2
    parameter COUNT = 16,
    // Bits of each: at least 1
    parameter WIDTH = 32,
    // Read ports: at least 1
    parameter READS = 2,
    // 1: number 0 is always 0; 0: it is a register like the others
    parameter ZERO = 1
) (
    input  wire                           clk,
    input  wire                           clear,

    input  wire [READS*$clog2(COUNT)-1:0] read_address,   // read port 0 lowest
    output wire [READS*WIDTH-1:0]         read_data,

    input  wire                           write,
    input  wire [$clog2(COUNT)-1:0]       write_address,
    input  wire [WIDTH-1:0]               write_data
);

    localparam ADDRESS_BITS = $clog2(COUNT);

    generate
        if (COUNT < 2 || (COUNT & (COUNT - 1)) != 0) begin : check_count
            COUNT_must_be_a_power_of_two_of_at_least_2 error();
        end
        if (WIDTH < 1) begin : check_width
            WIDTH_must_be_at_least_1 error();
        end
        if (ZERO != 0 && ZERO != 1) begin : check_zero
            ZERO_must_be_0_or_1 error();
        end
        if (READS < 1) begin : check_reads
            READS_must_be_at_least_1 error();
        end
    endgenerate

    // From the first real register on. Reading is a shift, number 0 being the zeros below.
    localparam FIRST = ZERO ? 1 : 0;
    reg [WIDTH*(COUNT-FIRST)-1:0] bank_reg;
    wire [WIDTH*COUNT-1:0] bank;

    genvar read;
    genvar number;
    generate
        if (FIRST == 1) begin : zero
            assign bank = {bank_reg, {WIDTH{1'b0}}};
        end else begin : plain
            assign bank = bank_reg;
        end
        for (read = 0; read < READS; read = read + 1) begin : reads
            wire [ADDRESS_BITS-1:0] address = read_address[ADDRESS_BITS*read +: ADDRESS_BITS];
            assign read_data[WIDTH*read +: WIDTH] = bank[WIDTH*address +: WIDTH];
        end
        for (number = FIRST; number < COUNT; number = number + 1) begin : registers
            always @(posedge clk)
                if (clear) bank_reg[WIDTH*(number-FIRST) +: WIDTH] <= {WIDTH{1'b0}};
                else if (write && write_address == number)
                    bank_reg[WIDTH*(number-FIRST) +: WIDTH] <= write_data;
        end
    endgenerate

endmodule

`default_nettype wire
