// The host interface with a program memory behind it; the bench is the core.
`default_nettype none

module host_bench #(
    parameter PROGRAM_WORDS = 16
) (
    input  wire        clk,
    input  wire        rst,
    input  wire [31:0] s_axi_awaddr,
    input  wire        s_axi_awvalid,
    output wire        s_axi_awready,
    input  wire [31:0] s_axi_wdata,
    input  wire [3:0]  s_axi_wstrb,
    input  wire        s_axi_wvalid,
    output wire        s_axi_wready,
    output wire [1:0]  s_axi_bresp,
    output wire        s_axi_bvalid,
    input  wire        s_axi_bready,
    input  wire [31:0] s_axi_araddr,
    input  wire        s_axi_arvalid,
    output wire        s_axi_arready,
    output wire [31:0] s_axi_rdata,
    output wire [1:0]  s_axi_rresp,
    output wire        s_axi_rvalid,
    input  wire        s_axi_rready,
    output wire        start,
    output wire        halt,
    output wire [31:0] program_length,
    output wire [63:0] window_first,
    output wire [63:0] window_end,
    input  wire        busy,
    input  wire        done,
    input  wire        halted,
    input  wire [3:0]  cause,
    input  wire [31:0] trap_pc,
    input  wire [63:0] fault_address,
    input  wire [63:0] cycles,
    input  wire [63:0] retired,
    output reg  [31:0] starts,      // cycles with `start`, with `halt`, since the reset
    output reg  [31:0] halts,
    output reg  [2:0]  error        // 0: B withdrawn or changed, 1: R, 2: program memory while busy
);

    localparam BITS = $clog2(PROGRAM_WORDS);

    wire program_valid, program_write;
    wire [31:0] program_address, program_wdata, program_rdata;

    unmask_host
`ifndef NETLIST
    #(.PROGRAM_WORDS(PROGRAM_WORDS), .VLEN(32), .RING(77))
`endif
    host (
        .clk(clk), .rst(rst),
        .s_axi_awaddr(s_axi_awaddr), .s_axi_awvalid(s_axi_awvalid),
        .s_axi_awready(s_axi_awready), .s_axi_wdata(s_axi_wdata), .s_axi_wstrb(s_axi_wstrb),
        .s_axi_wvalid(s_axi_wvalid), .s_axi_wready(s_axi_wready), .s_axi_bresp(s_axi_bresp),
        .s_axi_bvalid(s_axi_bvalid), .s_axi_bready(s_axi_bready),
        .s_axi_araddr(s_axi_araddr), .s_axi_arvalid(s_axi_arvalid),
        .s_axi_arready(s_axi_arready), .s_axi_rdata(s_axi_rdata), .s_axi_rresp(s_axi_rresp),
        .s_axi_rvalid(s_axi_rvalid), .s_axi_rready(s_axi_rready),
        .start(start), .halt(halt), .program_length(program_length),
        .window_first(window_first), .window_end(window_end),
        .program_valid(program_valid), .program_write(program_write),
        .program_address(program_address), .program_wdata(program_wdata),
        .program_rdata(program_rdata),
        .busy(busy), .done(done), .halted(halted), .cause(cause), .trap_pc(trap_pc),
        .fault_address(fault_address), .cycles(cycles), .retired(retired)
    );

    unmask_sram #(.WIDTH(32), .WORDS(PROGRAM_WORDS)) words (
        .clk(clk),
        .read_enable(program_valid & ~program_write), .read_address(program_address[BITS-1:0]),
        .read_data(program_rdata), .write_enable(program_valid & program_write),
        .write_address(program_address[BITS-1:0]), .write_data(program_wdata), .write_mask(1'b1)
    );

    reg b_waits_reg, r_waits_reg;
    reg [1:0] b_seen_reg;
    reg [33:0] r_seen_reg;

    always @(posedge clk) begin
        b_waits_reg <= s_axi_bvalid & ~s_axi_bready & ~rst;
        r_waits_reg <= s_axi_rvalid & ~s_axi_rready & ~rst;
        b_seen_reg <= s_axi_bresp;
        r_seen_reg <= {s_axi_rresp, s_axi_rdata};
        if (rst) begin
            starts <= 32'd0;
            halts <= 32'd0;
            error <= 3'd0;
        end else begin
            if (start) starts <= starts + 32'd1;
            if (halt) halts <= halts + 32'd1;
            if (b_waits_reg & (~s_axi_bvalid | b_seen_reg != s_axi_bresp)) error[0] <= 1'b1;
            if (r_waits_reg & (~s_axi_rvalid | r_seen_reg != {s_axi_rresp, s_axi_rdata}))
                error[1] <= 1'b1;
            if (busy & program_valid) error[2] <= 1'b1;
        end
    end

endmodule

`default_nettype wire
