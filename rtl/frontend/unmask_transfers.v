// Transfers under way: at most three reads and a store, what each of them touches, and whether
// the instruction that is about to issue has to wait for one of them.
//
// An instruction waits for a transfer that writes what it reads or writes, or reads what it
// writes. Compared are ranges [first, end): of vector SRAM in elements, of key and int SRAM in
// words, of HBM in bytes, and the number of a softmax state. `hold` is combinational; it is high
// up to and with the cycle in which the transfer completes. Besides, a read waits for the third
// read before it, a store for the store before it, an instruction that ends the program for
// all, and V_RED_SM until the last slice of every stream comes to the lanes.
//
// A failed transfer completes like any other. From the cycle after the first such completion on
// `fault` is high; once nothing is under way, fault_pc and fault_address are those of the oldest
// transfer that failed.
`default_nettype none

module unmask_transfers #(
    // Bits of a program address: 1 to 32
    parameter PC_BITS = 11
) (
    input  wire               clk,
    input  wire               rst,
    input  wire               clear,         // a program starts; nothing is under way

    // The instruction that is about to issue. Its SRAM ranges: those of rd, rs1, rs2 and rs3,
    // rd lowest.
    input  wire [3:0]         touch,         // there is such a range
    input  wire [7:0]         touch_memory,  // 1 vector, 2 int, 3 key SRAM
    input  wire [1:0]         touch_write,   // it is written; those of rs2 and rs3 never are
    input  wire [127:0]       touch_first,
    input  wire [127:0]       touch_end,
    input  wire               touch_state,   // a softmax state
    input  wire [1:0]         state,
    input  wire               reduces,       // V_RED_SM
    input  wire               ends,          // C_BREAK or a trap
    input  wire               moves,         // a memory instruction that moves something
    input  wire               stores,        // writes HBM
    input  wire               streams,       // H_RED_SM
    input  wire [127:0]       hbm_first,     // elements lowest, then scales
    input  wire [127:0]       hbm_end,
    input  wire               scaled,
    input  wire [PC_BITS-1:0] pc,
    input  wire               issue,         // it issues in this cycle, and moves something
    output wire               hold,
    output wire [1:0]         slot,          // of its transfer: 0 to 2 reads, 3 the store

    // Transfers complete in this cycle
    input  wire               read_valid,    // other than streams
    input  wire [1:0]         read_slot,
    input  wire               read_fault,
    input  wire [63:0]        read_fault_address,
    input  wire               slice_last,    // last slice of the stream into slice_state
    input  wire [1:0]         slice_state,
    input  wire               slice_fault,
    input  wire [63:0]        slice_fault_address,
    input  wire               state_valid,   // the new state_number is there
    input  wire [1:0]         state_number,
    input  wire               write_valid,
    input  wire               write_fault,
    input  wire [63:0]        write_fault_address,

    output wire               under_way,     // any
    output wire [3:0]         complete,      // by slot, in this cycle
    output wire               fault,
    output wire [1:0]         fault_slot,
    output wire [PC_BITS-1:0] fault_pc,
    output wire [63:0]        fault_address
);

    reg [1:0] next_read_reg;      // slot of the next read

    wire [3:0] valid;
    wire [3:0] meets;
    wire [3:0] unread;            // a stream whose last slice has not come
    wire [3:0] failed;
    wire [4*PC_BITS-1:0] pcs;
    wire [255:0] addresses;

    assign slot = stores ? 2'd3 : next_read_reg;
    assign under_way = valid != 4'd0;
    assign hold = meets != 4'd0
        | (reduces & unread != 4'd0)
        | (moves & valid[slot])
        | (ends & under_way);

    genvar number;
    genvar operand;
    genvar mine;
    genvar theirs;
    generate
        for (number = 0; number < 4; number = number + 1) begin : slots
            reg valid_reg;
            reg stream_reg;
            reg unread_reg;
            reg [1:0] memory_reg;         // that SRAM range's
            reg [31:0] first_reg;
            reg [31:0] end_reg;
            reg [1:0] state_reg;
            reg scaled_reg;
            reg [127:0] hbm_first_reg;
            reg [127:0] hbm_end_reg;
            reg [PC_BITS-1:0] pc_of_reg;
            reg failed_reg;               // it completed, in this program, and had failed
            reg stream_fault_reg;         // known before the stream's state is there
            reg [63:0] address_reg;       // of the fault

            wire is_store = number == 3;
            wire taken = issue & slot == number;
            wire slices = valid_reg & stream_reg & slice_last & slice_state == state_reg;
            wire arrives = valid_reg & stream_reg & state_valid & state_number == state_reg;

            assign complete[number] = is_store ? write_valid
                : arrives | (read_valid & read_slot == number);
            assign valid[number] = valid_reg;
            assign unread[number] = valid_reg & unread_reg & ~slices;
            assign failed[number] = failed_reg;
            assign addresses[64*number +: 64] = address_reg;
            assign pcs[PC_BITS*number +: PC_BITS] = pc_of_reg;

            // SRAM: a read writes its range, so whoever touches that waits; a store reads it.
            wire [3:0] meets_sram;
            for (operand = 0; operand < 4; operand = operand + 1) begin : operands
                wire matters = touch[operand]
                    & (~is_store | (operand < 2 && touch_write[operand % 2]));
                assign meets_sram[operand] = matters & ~stream_reg
                    & touch_memory[2*operand +: 2] == memory_reg
                    & touch_first[32*operand +: 32] < end_reg
                    & first_reg < touch_end[32*operand +: 32];
            end

            // HBM: two reads do not meet.
            wire [3:0] meets_hbm;
            for (mine = 0; mine < 2; mine = mine + 1) begin : held
                for (theirs = 0; theirs < 2; theirs = theirs + 1) begin : asked
                    assign meets_hbm[2*mine+theirs] = moves & (is_store | stores)
                        & (mine == 0 | scaled_reg) & (theirs == 0 | scaled)
                        & hbm_first[64*theirs +: 64] < hbm_end_reg[64*mine +: 64]
                        & hbm_first_reg[64*mine +: 64] < hbm_end[64*theirs +: 64];
                end
            end

            assign meets[number] = valid_reg
                & (meets_sram != 4'd0 | meets_hbm != 4'd0
                    | (stream_reg & touch_state & state == state_reg));

            always @(posedge clk) begin
                valid_reg <= (taken | (valid_reg & ~complete[number])) & ~rst & ~clear;
                failed_reg <= ~rst & ~clear & (failed_reg | (complete[number]
                    & (is_store ? write_fault : stream_reg ? stream_fault_reg : read_fault)));
                if (taken) begin
                    stream_reg <= streams;
                    unread_reg <= streams;
                    memory_reg <= touch_memory[1:0];
                    first_reg <= touch_first[31:0];
                    end_reg <= touch_end[31:0];
                    state_reg <= state;
                    scaled_reg <= scaled;
                    hbm_first_reg <= hbm_first;
                    hbm_end_reg <= hbm_end;
                    pc_of_reg <= pc;
                end else if (slices) begin
                    unread_reg <= 1'b0;
                    stream_fault_reg <= slice_fault;
                end
                if (slices | (~stream_reg & complete[number]))
                    address_reg <= is_store ? write_fault_address
                        : stream_reg ? slice_fault_address : read_fault_address;
            end
        end
    endgenerate

    // Of several that failed, the oldest: they need not complete in order. Each slot but 0 knows of
    // each other one whether it was taken before that. Nothing is taken after a fault, so the slots
    // keep what they know of it.
    wire [3:1] oldest;            // else it is slot 0

    generate
        for (number = 1; number < 4; number = number + 1) begin : ages
            wire [3:0] hidden;            // failed, and no older than this one
            for (mine = 0; mine < 4; mine = mine + 1) begin : others
                reg older_reg;            // this slot was taken before that one
                assign hidden[mine] = mine == number | ~failed[mine] | older_reg;
                always @(posedge clk)
                    if (issue & (slot == number | slot == mine)) older_reg <= slot == mine;
            end
            assign oldest[number] = failed[number] & (&hidden);
        end
    endgenerate

    always @(posedge clk)
        if (rst | clear) next_read_reg <= 2'd0;
        else if (issue & ~stores)
            next_read_reg <= next_read_reg == 2'd2 ? 2'd0 : next_read_reg + 2'd1;

    assign fault = failed != 4'd0;
    assign fault_pc = oldest[3] ? pcs[3*PC_BITS +: PC_BITS]
        : oldest[2] ? pcs[2*PC_BITS +: PC_BITS]
        : oldest[1] ? pcs[PC_BITS +: PC_BITS] : pcs[0 +: PC_BITS];
    assign fault_address = oldest[3] ? addresses[255:192]
        : oldest[2] ? addresses[191:128]
        : oldest[1] ? addresses[127:64] : addresses[63:0];
    assign fault_slot = {oldest[3] | oldest[2], oldest[3] | oldest[1]};

endmodule

`default_nettype wire
