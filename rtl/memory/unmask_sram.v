// The one SRAM of the core: replace this module with your macro.
//
// Read ports are synchronous: with read_enable[p] the word at its address is on its part of
// read_data from the next cycle on, and stays until that port reads again; a word that is written
// in the same cycle is read as it was. Write ports write the parts of a word that write_mask
// enables. No two ports write the same part of a word in a cycle. Not reset, and unknown until
// written. Port 0 lowest everywhere.
`default_nettype none

module unmask_sram #(
    // Bits of a word: a multiple of MASK, at least 1
    parameter WIDTH = 32,
    // Words: a power of two, at least 2
    parameter WORDS = 1024,
    // Ports: at least 1 each
    parameter READS = 1,
    parameter WRITES = 1,
    // Equal parts of a word that are written or not: at least 1
    parameter MASK = 1
) (
    input  wire                            clk,
    input  wire [READS-1:0]                read_enable,
    input  wire [READS*$clog2(WORDS)-1:0]  read_address,
    output wire [READS*WIDTH-1:0]          read_data,
    input  wire [WRITES-1:0]               write_enable,
    input  wire [WRITES*$clog2(WORDS)-1:0] write_address,
    input  wire [WRITES*WIDTH-1:0]         write_data,
    input  wire [WRITES*MASK-1:0]          write_mask
);

    localparam ADDRESS_BITS = $clog2(WORDS);
    localparam PART = WIDTH / MASK;

    generate
        if (WIDTH < 1 || MASK < 1 || WIDTH % MASK != 0) begin : check_width
            WIDTH_must_be_a_multiple_of_MASK error();
        end
        if (WORDS < 2 || (WORDS & (WORDS - 1)) != 0) begin : check_words
            WORDS_must_be_a_power_of_two_of_at_least_2 error();
        end
        if (READS < 1 || WRITES < 1) begin : check_ports
            READS_and_WRITES_must_be_at_least_1 error();
        end
    endgenerate

    reg [WIDTH-1:0] memory [0:WORDS-1];
    reg [READS*WIDTH-1:0] read_data_reg;

    integer port;
    integer part;

    always @(posedge clk) begin
        for (port = 0; port < READS; port = port + 1)
            if (read_enable[port])
                read_data_reg[WIDTH*port +: WIDTH] <=
                    memory[read_address[ADDRESS_BITS*port +: ADDRESS_BITS]];
        for (port = 0; port < WRITES; port = port + 1)
            for (part = 0; part < MASK; part = part + 1)
                if (write_enable[port] & write_mask[MASK*port + part])
                    memory[write_address[ADDRESS_BITS*port +: ADDRESS_BITS]][PART*part +: PART] <=
                        write_data[WIDTH*port + PART*part +: PART];
    end

    assign read_data = read_data_reg;

endmodule

`default_nettype wire
