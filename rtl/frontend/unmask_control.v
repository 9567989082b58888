// Control: start and stop, program counter, the state machine that paces each instruction.
//
// An instruction issues in the first cycle in which it is there and nothing holds it back. Cycles
// from issue to retire, both included: 1; 2 where the state LOAD follows; until its unit is done;
// a loop of zero iterations 1 + words examined on the way to its end. The next instruction issues
// in the cycle after, if it need not wait. In the cycle after `start` is taken the first word is
// fetched, in the next it issues.
//
// `word` belongs to `pc` and stays there until the next fetch, so an instruction of several
// cycles finds its operands unchanged. The exception is a loop of zero iterations, which fetches
// the words that it skips: what is needed of it is kept in issue_word and issue_pc.
//
// A program ends by C_BREAK or a trap; both wait for the transfers under way, a loop of zero
// iterations without an end after it has looked for it. After `fault` or `halt` nothing issues any
// more: what is at work or under way goes on to its end, then the program ends, as FATAL or
// halted.
`default_nettype none

module unmask_control #(
    // Words of program memory: a power of two, at least 2
    parameter PROGRAM_WORDS = 1024
) (
    input  wire                           clk,
    input  wire                           rst,

    // Host
    input  wire                           start,           // ignored while busy
    input  wire                           halt,            // while busy: stop
    input  wire [31:0]                    program_length,
    output wire                           start_taken,
    output wire                           busy,
    output wire                           done,
    output wire                           halted,          // done, by `halt`
    output wire [3:0]                     trap_cause,
    output wire [31:0]                    trap_pc,

    // Program memory
    output wire                           fetch,
    output wire [$clog2(PROGRAM_WORDS):0] fetch_pc,
    input  wire [31:0]                    fetched_word,    // of the last fetch

    // Instruction under execution
    output wire [31:0]                    word,            // 0 past the end of the program
    output wire [$clog2(PROGRAM_WORDS):0] pc,
    output wire [$clog2(PROGRAM_WORDS):0] next_word_pc,    // pc + 1
    output wire                           issue,           // at most one of these four is high
    output wire                           in_load,
    output wire                           in_unit,
    output wire                           in_scan,
    input  wire                           hold,            // it must not issue yet
    input  wire                           is_load,         // what follows its issue
    input  wire                           is_unit,
    input  wire                           is_c_loop_start,
    input  wire                           is_c_break,
    input  wire                           loop_back,       // next comes loop_back_pc
    input  wire [$clog2(PROGRAM_WORDS):0] loop_back_pc,
    input  wire [3:0]                     issue_cause,     // trap, in the cycle of issue
    input  wire                           unit_done,

    // Transfers
    input  wire                           under_way,
    input  wire                           fault,
    input  wire [$clog2(PROGRAM_WORDS):0] fault_pc,

    // Completion
    output wire                           retire,
    output wire [3:0]                     cause,           // with retire
    output wire                           stop,            // with retire
    output wire [31:0]                    issue_pc,        // of the latest instruction issued,
    output wire [31:0]                    issue_word       // from the cycle after its issue
);

    `include "unmask_isa.vh"

    localparam PC_BITS = $clog2(PROGRAM_WORDS) + 1;   // the place past the end included
    localparam [PC_BITS-1:0] PC_ONE = 1;

    localparam [2:0] IDLE = 3'd0;
    localparam [2:0] FETCH = 3'd1;
    localparam [2:0] ISSUE = 3'd2;
    localparam [2:0] LOAD = 3'd3;
    localparam [2:0] UNIT = 3'd4;
    localparam [2:0] SCAN = 3'd5;

    generate
        if (PROGRAM_WORDS < 2 || (PROGRAM_WORDS & (PROGRAM_WORDS - 1)) != 0) begin : check_words
            PROGRAM_WORDS_must_be_a_power_of_two_of_at_least_2 error();
        end
    endgenerate

    reg [2:0] state_reg;
    reg [2:0] state_next;
    reg [PC_BITS-1:0] pc_reg;
    reg [PC_BITS-1:0] limit_reg;      // words of the program
    reg [PC_BITS-1:0] nesting_reg;    // loops opened and not closed among the words scanned
    reg [PC_BITS-1:0] issue_pc_reg;
    reg [31:0] issue_word_reg;
    reg halt_reg;
    reg done_reg;
    reg halted_reg;
    reg [3:0] cause_reg;

    wire in_issue = state_reg == ISSUE;
    assign busy = state_reg != IDLE;
    assign start_taken = start & ~busy;
    assign issue = in_issue & ~hold & ~fault & ~halt_reg;
    assign in_load = state_reg == LOAD;
    assign in_unit = state_reg == UNIT;
    assign in_scan = state_reg == SCAN;

    // Nothing issues any more, and nothing is under way.
    wire drained = in_issue & ~under_way;
    wire fatal = drained & fault;
    wire halting = drained & halt_reg & ~fault;

    wire present = pc_reg != limit_reg;   // pc goes up in ones and never passes the limit
    assign word = present ? fetched_word : 32'd0;
    assign pc = pc_reg;
    assign next_word_pc = pc_reg + PC_ONE;

    // Zero-trip loop: looks for the end that matches, by opcodes alone.
    wire scan_start = word[5:0] == OP_C_LOOP_START;
    wire scan_end = word[5:0] == OP_C_LOOP_END;
    wire scan_found = scan_end & nesting_reg == {PC_BITS{1'b0}};
    wire scan_goes_on = in_scan & present;

    wire ends = cause != TRAP_NONE | stop;
    wire zero_trip = is_c_loop_start & word[31:10] == 22'd0;
    wire issue_only = ~(is_load | is_unit | zero_trip) | issue_cause != TRAP_NONE;

    assign retire = (issue & issue_only) | fatal | in_load | (in_unit & unit_done)
        | (in_scan & (present ? scan_found : ~under_way));
    assign cause = fatal ? TRAP_FATAL
        : in_issue ? issue_cause
        : ~(in_scan & ~present) ? TRAP_NONE
        : fault ? TRAP_FATAL : TRAP_LOOP;
    assign stop = in_issue & is_c_break & ~fatal;

    // The word after is fetched too when the program ends: harmless, and no gate in the way.
    assign fetch = state_reg == FETCH | retire | (issue & zero_trip) | scan_goes_on;
    assign fetch_pc = state_reg == FETCH ? pc_reg : loop_back ? loop_back_pc : next_word_pc;

    always @* begin
        state_next = state_reg;
        case (state_reg)
            IDLE: if (start) state_next = FETCH;
            FETCH: state_next = ISSUE;
            default:
                if (halting) state_next = IDLE;
                else if (retire) state_next = ends ? IDLE : ISSUE;
                else if (issue) state_next = is_load ? LOAD : is_unit ? UNIT : SCAN;
        endcase
    end

    always @(posedge clk) begin
        if (rst) begin
            state_reg <= IDLE;
            halt_reg <= 1'b0;
            done_reg <= 1'b0;
            halted_reg <= 1'b0;
            cause_reg <= TRAP_NONE;
        end else begin
            state_reg <= state_next;
            halt_reg <= busy & (halt | halt_reg);
            if (start_taken) begin
                done_reg <= 1'b0;
                halted_reg <= 1'b0;
                cause_reg <= TRAP_NONE;
            end else if ((retire & ends) | halting) begin
                done_reg <= 1'b1;
                halted_reg <= halting;
                cause_reg <= halting ? TRAP_NONE : cause;
            end
        end

        if (start_taken) begin
            pc_reg <= {PC_BITS{1'b0}};
            limit_reg <= program_length < PROGRAM_WORDS ? program_length[PC_BITS-1:0]
                : {1'b1, {(PC_BITS - 1){1'b0}}};
        end else if (fetch) pc_reg <= fetch_pc;

        if (issue) begin
            issue_pc_reg <= pc_reg;
            issue_word_reg <= word;
            nesting_reg <= {PC_BITS{1'b0}};
        end else if (scan_start) nesting_reg <= nesting_reg + PC_ONE;
        else if (scan_end) nesting_reg <= nesting_reg - PC_ONE;
    end

    assign done = done_reg;
    assign halted = halted_reg;
    assign trap_cause = cause_reg;
    // The instruction that trapped is the last one that issued.
    assign trap_pc = cause_reg == TRAP_NONE ? 32'd0
        : cause_reg == TRAP_FATAL ? {{(32 - PC_BITS){1'b0}}, fault_pc} : issue_pc;
    assign issue_pc = {{(32 - PC_BITS){1'b0}}, issue_pc_reg};
    assign issue_word = issue_word_reg;

endmodule

`default_nettype wire
