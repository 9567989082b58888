// Vector SRAM: rows of VLEN elements, the even ones in one bank and the odd ones in another, so
// that two neighbouring rows can be written in a cycle.
//
// Reads as in unmask_sram, by row; ports 0 to 2 are the front end's, port 3 the store engine's.
// The front end writes the lanes of a row that front_mask enables; the read engine the lanes of up
// to two rows, one even (lower half of each input) and one odd. They never write the same lane.
`default_nettype none

module unmask_vector_sram #(
    // Lanes: a power of two, 2 to 2048
    parameter VLEN = 8,
    // Rows: a power of two, at least 2
    parameter ROWS = 64
) (
    input  wire                        clk,

    input  wire [3:0]                  read_enable,
    input  wire [4*$clog2(ROWS)-1:0]   read_row,
    output wire [4*16*VLEN-1:0]        read_data,

    input  wire                        front_write,
    input  wire [$clog2(ROWS)-1:0]     front_row,
    input  wire [16*VLEN-1:0]          front_data,
    input  wire [VLEN-1:0]             front_mask,

    input  wire [1:0]                  engine_write,   // even row, odd row
    /* verilator lint_off UNUSEDSIGNAL */
    input  wire [2*$clog2(ROWS)-1:0]   engine_row,     // its lowest bit is known
    /* verilator lint_on UNUSEDSIGNAL */
    input  wire [2*16*VLEN-1:0]        engine_data,
    input  wire [2*VLEN-1:0]           engine_mask
);

    localparam ROW_BITS = $clog2(ROWS);
    localparam WORDS = ROWS > 2 ? ROWS / 2 : 2;   // of a bank: at least two
    localparam ADDRESS_BITS = $clog2(WORDS);

    generate
        if (VLEN < 2 || VLEN > 2048 || (VLEN & (VLEN - 1)) != 0) begin : check_vlen
            VLEN_must_be_a_power_of_two_from_2_to_2048 error();
        end
        if (ROWS < 2 || (ROWS & (ROWS - 1)) != 0) begin : check_rows
            ROWS_must_be_a_power_of_two_of_at_least_2 error();
        end
    endgenerate

    reg [3:0] odd_reg;   // the bank that the port read last
    wire [4*ADDRESS_BITS-1:0] address;
    wire [3:0] is_odd;
    wire [ADDRESS_BITS-1:0] front_address;
    wire [4*16*VLEN-1:0] even_data;
    wire [4*16*VLEN-1:0] odd_data;
    wire [8*16*VLEN-1:0] bank_data;

    assign {odd_data, even_data} = bank_data;

    genvar port;
    genvar bank;
    generate
        for (port = 0; port < 4; port = port + 1) begin : ports
            wire [ROW_BITS-1:0] row = read_row[ROW_BITS*port +: ROW_BITS];
            assign is_odd[port] = row[0];
            assign read_data[16*VLEN*port +: 16*VLEN] = odd_reg[port]
                ? odd_data[16*VLEN*port +: 16*VLEN]
                : even_data[16*VLEN*port +: 16*VLEN];
            always @(posedge clk) if (read_enable[port]) odd_reg[port] <= row[0];
            if (ROWS == 2) begin : single
                assign address[port] = 1'b0;
            end else begin : several
                assign address[ADDRESS_BITS*port +: ADDRESS_BITS] = row[ROW_BITS-1:1];
            end
        end
        if (ROWS == 2) begin : single
            assign front_address = 1'b0;
        end else begin : several
            assign front_address = front_row[ROW_BITS-1:1];
        end
        for (bank = 0; bank < 2; bank = bank + 1) begin : banks
            wire [ADDRESS_BITS-1:0] engine_address;
            if (ROWS == 2) begin : single
                assign engine_address = 1'b0;
            end else begin : several
                assign engine_address = engine_row[ROW_BITS*bank+1 +: ADDRESS_BITS];
            end
            unmask_sram #(
                .WIDTH(16*VLEN),
                .WORDS(WORDS),
                .READS(4),
                .WRITES(2),
                .MASK(VLEN)
            ) sram (
                .clk(clk),
                .read_enable(read_enable & (bank == 1 ? is_odd : ~is_odd)),
                .read_address(address),
                .read_data(bank_data[4*16*VLEN*bank +: 4*16*VLEN]),
                .write_enable({engine_write[bank], front_write & (front_row[0] == (bank == 1))}),
                .write_address({engine_address, front_address}),
                .write_data({engine_data[16*VLEN*bank +: 16*VLEN], front_data}),
                .write_mask({engine_mask[VLEN*bank +: VLEN], front_mask})
            );
        end
    endgenerate

endmodule

`default_nettype wire
