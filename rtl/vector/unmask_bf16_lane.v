// BF16 arithmetic on one pair of operands, rounded once: three cycles, one operation a cycle.
//
// Cycle 0 and 1: all operations side by side, each in its own module. Cycle 2: the one that is
// asked for is rounded, or replaced by its special value. What is asked for comes with cycle 1, so
// that many lanes can share one register for it.
`default_nettype none

module unmask_bf16_lane #(
    // 1: with the square root; 0: without it, and pick 4 is not used
    parameter ROOT = 0
) (
    input  wire        clk,
    input  wire [15:0] in_a,
    input  wire [15:0] in_b,
    input  wire        in_negate_b,  // of a sum
    input  wire [15:0] in_other,     // a code that passes as it is
    input  wire [2:0]  pick,         // cycle 1: 0 a +- b, 1 a * b, 2 e**a, 3 1 / a, 4 root, 5 other
    output wire [15:0] out_data      // cycle 3
);

    localparam [15:0] NAN = 16'h7fc0;
    localparam [14:0] INFINITY = 15'h7f80;

    generate
        if (ROOT != 0 && ROOT != 1) begin : check_root
            ROOT_must_be_0_or_1 error();
        end
    endgenerate

    // What is to be rounded, from every operation; its number is its place.
    localparam OPERATIONS = 5;
    wire [OPERATIONS-1:0] sign;
    wire [10*OPERATIONS-1:0] exponent;
    wire [12*OPERATIONS-1:0] significand;
    wire [OPERATIONS-1:0] is_infinite;
    wire [OPERATIONS-1:0] is_nan;

    unmask_bf16_add add (
        .clk(clk),
        .in_a(in_a),
        .in_b({in_b[15] ^ in_negate_b, in_b[14:0]}),
        .sign(sign[0]),
        .exponent(exponent[9:0]),
        .significand(significand[11:0]),
        .is_infinite(is_infinite[0]),
        .is_nan(is_nan[0])
    );
    unmask_bf16_mul mul (
        .clk(clk),
        .in_a(in_a),
        .in_b(in_b),
        .sign(sign[1]),
        .exponent(exponent[19:10]),
        .significand(significand[23:12]),
        .is_infinite(is_infinite[1]),
        .is_nan(is_nan[1])
    );
    unmask_bf16_exp exp (
        .clk(clk),
        .in_a(in_a),
        .sign(sign[2]),
        .exponent(exponent[29:20]),
        .significand(significand[35:24]),
        .is_infinite(is_infinite[2]),
        .is_nan(is_nan[2])
    );
    unmask_bf16_reciprocal reciprocal (
        .clk(clk),
        .in_a(in_a),
        .sign(sign[3]),
        .exponent(exponent[39:30]),
        .significand(significand[47:36]),
        .is_infinite(is_infinite[3]),
        .is_nan(is_nan[3])
    );
    generate
        if (ROOT) begin : with_root
            unmask_bf16_sqrt square_root (
                .clk(clk),
                .in_a(in_a),
                .sign(sign[4]),
                .exponent(exponent[49:40]),
                .significand(significand[59:48]),
                .is_infinite(is_infinite[4]),
                .is_nan(is_nan[4])
            );
        end else begin : without_root
            assign sign[4] = 1'b0;
            assign exponent[49:40] = 10'd0;
            assign significand[59:48] = 12'd0;
            assign is_infinite[4] = 1'b0;
            assign is_nan[4] = 1'b0;
        end
    endgenerate

    reg [15:0] other_reg;

    always @(posedge clk) other_reg <= in_other;

    reg sign_mux;
    reg [9:0] exponent_mux;
    reg [11:0] significand_mux;
    reg infinite_mux;
    reg nan_mux;

    always @(*) begin
        case (pick)
            3'd0: begin
                sign_mux = sign[0];
                exponent_mux = exponent[9:0];
                significand_mux = significand[11:0];
                infinite_mux = is_infinite[0];
                nan_mux = is_nan[0];
            end
            3'd1: begin
                sign_mux = sign[1];
                exponent_mux = exponent[19:10];
                significand_mux = significand[23:12];
                infinite_mux = is_infinite[1];
                nan_mux = is_nan[1];
            end
            3'd2: begin
                sign_mux = sign[2];
                exponent_mux = exponent[29:20];
                significand_mux = significand[35:24];
                infinite_mux = is_infinite[2];
                nan_mux = is_nan[2];
            end
            3'd3: begin
                sign_mux = sign[3];
                exponent_mux = exponent[39:30];
                significand_mux = significand[47:36];
                infinite_mux = is_infinite[3];
                nan_mux = is_nan[3];
            end
            default: begin
                sign_mux = sign[4];
                exponent_mux = exponent[49:40];
                significand_mux = significand[59:48];
                infinite_mux = is_infinite[4];
                nan_mux = is_nan[4];
            end
        endcase
    end

    reg sign_reg;
    reg [9:0] exponent_reg;
    reg [11:0] significand_reg;
    reg is_special_reg;
    reg [15:0] special_reg;
    reg [15:0] out_data_reg;

    wire other = pick == 3'd5;
    wire [15:0] rounded;

    unmask_bf16_round round (
        .sign(sign_reg),
        .exponent(exponent_reg),
        .significand(significand_reg),
        .code(rounded)
    );

    always @(posedge clk) begin
        sign_reg <= sign_mux;
        exponent_reg <= exponent_mux;
        significand_reg <= significand_mux;
        is_special_reg <= other | infinite_mux | nan_mux;
        special_reg <= other ? other_reg : nan_mux ? NAN : {sign_mux, INFINITY};
        out_data_reg <= is_special_reg ? special_reg : rounded;
    end

    assign out_data = out_data_reg;

endmodule

`default_nettype wire
