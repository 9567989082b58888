// An SRAM that the host and the core share: the host has it while the core is idle.
//
// `host_valid` must be low while the core is busy. An access outside the memory does nothing.
// `host_read` tells that a read was accepted: its data is on `rdata` from the next cycle on.
`default_nettype none

module unmask_bank #(
    // Bits of a word: at least 1
    parameter WIDTH = 32,
    // Words: a power of two, at least 2
    parameter WORDS = 1024
) (
    input  wire                     clk,

    input  wire                     host_valid,
    input  wire                     host_write,
    input  wire [31:0]              host_address,
    input  wire [WIDTH-1:0]         host_wdata,
    output wire                     host_read,

    input  wire                     core_enable,
    input  wire                     core_write,
    input  wire [$clog2(WORDS)-1:0] core_address,
    input  wire [WIDTH-1:0]         core_wdata,

    output wire [WIDTH-1:0]         rdata
);

    localparam ADDRESS_BITS = $clog2(WORDS);

    wire host_inside = host_address[31:ADDRESS_BITS] == {(32 - ADDRESS_BITS){1'b0}};
    wire host_enable = host_valid & host_inside;

    unmask_sram #(
        .WIDTH(WIDTH),
        .WORDS(WORDS)
    ) sram (
        .clk(clk),
        .en(host_enable | core_enable),
        .we(host_enable ? host_write : core_write),
        .addr(host_enable ? host_address[ADDRESS_BITS-1:0] : core_address),
        .wdata(host_enable ? host_wdata : core_wdata),
        .rdata(rdata)
    );

    assign host_read = host_enable & ~host_write;

endmodule

`default_nettype wire
