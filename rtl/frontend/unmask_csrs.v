// The control and status registers. A write takes effect at the clock edge; `clear` sets what a
// program starts with. Values are within the limits of the table: the trap check sees to that.
`default_nettype none

module unmask_csrs #(
    // Lanes, what VL starts with: a power of two, 2 to 2048
    parameter VLEN = 8
) (
    input  wire         clk,
    input  wire         clear,
    input  wire         write,
    input  wire [3:0]   number,
    input  wire [31:0]  data,

    output wire [31:0]  vl,
    output wire [31:0]  stride,
    output wire [31:0]  scale,
    output wire [31:0]  mask,
    output wire [31:0]  rows,
    output wire [2:0]   fmt0,
    output wire [2:0]   fmt1,
    output wire         nan_last,
    output wire [31:0]  limit,
    output wire [31:0]  kmax,
    output wire [127:0] bans      // BAN0 lowest
);

    `include "unmask_isa.vh"

    localparam [31:0] NO_TOKEN = 32'hFFFFFFFF;

    reg [31:0] vl_reg;
    reg [31:0] stride_reg;
    reg [31:0] scale_reg;
    reg [31:0] mask_reg;
    reg [31:0] rows_reg;
    reg [2:0] fmt0_reg;
    reg [2:0] fmt1_reg;
    reg nan_reg;
    reg [31:0] limit_reg;
    reg [31:0] kmax_reg;
    reg [127:0] bans_reg;

    always @(posedge clk)
        if (clear) begin
            vl_reg <= VLEN;
            stride_reg <= 32'd0;
            scale_reg <= 32'd0;
            mask_reg <= 32'd0;
            rows_reg <= 32'd1;
            fmt0_reg <= 3'd0;
            fmt1_reg <= 3'd0;
            nan_reg <= 1'b0;
            limit_reg <= 32'd0;
            kmax_reg <= 32'd0;
            bans_reg <= {4{NO_TOKEN}};
        end else if (write) begin
            if (number == CSR_VL) vl_reg <= data;
            if (number == CSR_STRIDE) stride_reg <= data;
            if (number == CSR_SCALE) scale_reg <= data;
            if (number == CSR_MASK) mask_reg <= data;
            if (number == CSR_ROWS) rows_reg <= data;
            if (number == CSR_FMT0) fmt0_reg <= data[2:0];
            if (number == CSR_FMT1) fmt1_reg <= data[2:0];
            if (number == CSR_NAN) nan_reg <= data[0];
            if (number == CSR_LIMIT) limit_reg <= data;
            if (number == CSR_KMAX) kmax_reg <= data;
            if (number == CSR_BAN0) bans_reg[31:0] <= data;
            if (number == CSR_BAN1) bans_reg[63:32] <= data;
            if (number == CSR_BAN2) bans_reg[95:64] <= data;
            if (number == CSR_BAN3) bans_reg[127:96] <= data;
        end

    assign vl = vl_reg;
    assign stride = stride_reg;
    assign scale = scale_reg;
    assign mask = mask_reg;
    assign rows = rows_reg;
    assign fmt0 = fmt0_reg;
    assign fmt1 = fmt1_reg;
    assign nan_last = nan_reg;
    assign limit = limit_reg;
    assign kmax = kmax_reg;
    assign bans = bans_reg;

endmodule

`default_nettype wire
