// Writes the retire port down, for `tests/cosim/retire.py`: a line for each event, see there.
// Connect it to any core that has the port (rtl/README.md) and open `file` before `enable` rises.
`default_nettype none

module retire_log #(
    parameter VLEN = 8
) (
    input  wire        clk,
    input  wire        enable,
    input  wire [31:0] file,             // from $fopen
    input  wire [31:0] cycle,            // 0: the first in which the core is busy
    input  wire                  retire_valid,
    input  wire [31:0]           retire_order,
    input  wire [31:0]           retire_pc,
    input  wire [31:0]           retire_word,
    input  wire [31:0]           retire_next_pc,
    input  wire [3:0]            retire_cause,
    input  wire                  retire_stop,
    input  wire [31:0]           retire_cycle,
    input  wire                  retire_gp_write,
    input  wire [3:0]            retire_gp_address,
    input  wire [31:0]           retire_gp_data,
    input  wire                  retire_f_write,
    input  wire [2:0]            retire_f_address,
    input  wire [15:0]           retire_f_data,
    input  wire                  retire_a_write,
    input  wire [2:0]            retire_a_address,
    input  wire [63:0]           retire_a_data,
    input  wire                  retire_csr_write,
    input  wire [3:0]            retire_csr_number,
    input  wire [31:0]           retire_csr_data,
    input  wire                  retire_store,
    input  wire [2:0]            retire_store_select,
    input  wire [31:0]           retire_store_address,
    input  wire [31:0]           retire_store_data,
    input  wire                  retire_clear,
    input  wire [1:0]            retire_clear_number,
    input  wire                  beat_valid,
    input  wire [31:0]           beat_order,
    input  wire [31:0]           beat_chunk,
    input  wire [31:0]           beat_row,
    input  wire [$clog2(VLEN):0] beat_count,
    input  wire [16*VLEN-1:0]    beat_data,
    input  wire                  state_valid,
    input  wire [31:0]           state_order,
    input  wire [1:0]            state_number,
    input  wire [250:0]          state_value,
    input  wire                  row_valid,
    input  wire [31:0]           row_order,
    input  wire [31:0]           row_address,
    input  wire [VLEN-1:0]       row_mask,
    input  wire [16*VLEN-1:0]    row_data,
    input  wire                  word_valid,
    input  wire [31:0]           word_order,
    input  wire [31:0]           word_address,
    input  wire [31:0]           word_data,
    input  wire [1:0]            moved_row_valid,
    input  wire [31:0]           moved_row_order,
    input  wire [63:0]           moved_row_address,
    input  wire [2*VLEN-1:0]     moved_row_mask,
    input  wire [32*VLEN-1:0]    moved_row_data,
    input  wire                  moved_word_valid,
    input  wire [31:0]           moved_word_order,
    input  wire [2:0]            moved_word_select,
    input  wire [31:0]           moved_word_address,
    input  wire [31:0]           moved_word_data,
    input  wire [3:0]            complete_valid,
    input  wire [127:0]          complete_order
);

    always @(posedge clk) if (enable) begin
        if (retire_valid !== 1'b0)
            $fdisplay(file, "R %h %h %h %h %h %h %h %h %h %h %h %h %h %h %h %h %h %h %h %h %h %h %h %h %h %h", cycle,
                retire_order, retire_pc, retire_word, retire_next_pc, retire_cause,
                retire_stop, retire_cycle, retire_gp_write, retire_gp_address, retire_gp_data,
                retire_f_write, retire_f_address, retire_f_data, retire_a_write,
                retire_a_address, retire_a_data, retire_csr_write, retire_csr_number,
                retire_csr_data, retire_store, retire_store_select, retire_store_address,
                retire_store_data, retire_clear, retire_clear_number);
        if (beat_valid !== 1'b0)
            $fdisplay(file, "B %h %h %h %h %h %h", cycle, beat_order, beat_chunk, beat_row,
                beat_count, beat_data);
        if (state_valid !== 1'b0)
            $fdisplay(file, "S %h %h %h %h", cycle, state_order, state_number, state_value);
        if (row_valid !== 1'b0)
            $fdisplay(file, "W %h %h %h %h %h", cycle, row_order, row_address, row_mask,
                row_data);
        if (word_valid !== 1'b0)
            $fdisplay(file, "V %h %h %h %h", cycle, word_order, word_address, word_data);
        if (moved_row_valid !== 2'd0)
            $fdisplay(file, "M %h %h %h %h %h %h", cycle, moved_row_order, moved_row_valid,
                moved_row_address, moved_row_mask, moved_row_data);
        if (moved_word_valid !== 1'b0)
            $fdisplay(file, "N %h %h %h %h %h", cycle, moved_word_order, moved_word_select,
                moved_word_address, moved_word_data);
        if (complete_valid !== 4'd0)
            $fdisplay(file, "C %h %h %h", cycle, complete_valid, complete_order);
    end

endmodule

`default_nettype wire
