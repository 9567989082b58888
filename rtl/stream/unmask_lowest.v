// The lowest of the keys that are there, in ITEMS / LEFT parts at a time: one step of a tree, with
// a register behind it. Item i of the result is the lowest of the items that are i modulo LEFT.
`default_nettype none

module unmask_lowest #(
    // Bits of a key: at least 1
    parameter KEY = 8,
    // Items: LEFT, 2 * LEFT or 4 * LEFT
    parameter ITEMS = 4,
    // Items left: at least 1
    parameter LEFT = 1
) (
    input  wire                 clk,
    input  wire [ITEMS-1:0]     in_valid,
    input  wire [KEY*ITEMS-1:0] in_key,
    output wire [LEFT-1:0]      out_valid,
    output wire [KEY*LEFT-1:0]  out_key
);

    localparam HALF = ITEMS >= 4 * LEFT ? 2 * LEFT : LEFT;

    wire [HALF-1:0] half_valid;
    wire [KEY*HALF-1:0] half_key;
    wire [LEFT-1:0] valid;
    wire [KEY*LEFT-1:0] key;

    genvar i;
    generate
        for (i = 0; i < HALF; i = i + 1) begin : halves
            if (ITEMS > HALF) begin : two
                wire [KEY-1:0] low = in_key[KEY*i +: KEY];
                wire [KEY-1:0] high = in_key[KEY*(i+HALF) +: KEY];
                wire other = in_valid[i+HALF] & (~in_valid[i] | high < low);
                assign half_valid[i] = in_valid[i] | in_valid[i+HALF];
                assign half_key[KEY*i +: KEY] = other ? high : low;
            end else begin : one
                assign half_valid[i] = in_valid[i];
                assign half_key[KEY*i +: KEY] = in_key[KEY*i +: KEY];
            end
        end
        for (i = 0; i < LEFT; i = i + 1) begin : quarters
            if (HALF > LEFT) begin : two
                wire [KEY-1:0] low = half_key[KEY*i +: KEY];
                wire [KEY-1:0] high = half_key[KEY*(i+LEFT) +: KEY];
                wire other = half_valid[i+LEFT] & (~half_valid[i] | high < low);
                assign valid[i] = half_valid[i] | half_valid[i+LEFT];
                assign key[KEY*i +: KEY] = other ? high : low;
            end else begin : one
                assign valid[i] = half_valid[i];
                assign key[KEY*i +: KEY] = half_key[KEY*i +: KEY];
            end
        end
    endgenerate

    reg [LEFT-1:0] valid_reg;
    reg [KEY*LEFT-1:0] key_reg;

    always @(posedge clk) begin
        valid_reg <= valid;
        key_reg <= key;
    end

    assign out_valid = valid_reg;
    assign out_key = key_reg;

endmodule

`default_nettype wire
