// Integer arithmetic modulo 2**32. Combinational.
//
// S_ADD_INT (in_op 0), S_ADDI_INT (1), S_LUI_INT (2), S_SUB_INT (3) and S_MUL_INT (4). Immediates
// come zero-extended to 32 bits.
`default_nettype none

module unmask_alu_int (
    input  wire [2:0]  in_op,     // 0 to 4; 5 to 7 are not used
    input  wire [31:0] in_rs1,
    input  wire [31:0] in_rs2,
    input  wire [31:0] in_imm18,
    input  wire [31:0] in_imm22,
    output wire [31:0] out_rd
);

    wire subtract = in_op == 3'd3;
    wire [31:0] second = subtract ? ~in_rs2 : in_rs2;
    wire [31:0] addend = in_op == 3'd1 ? in_imm18 : second;

    assign out_rd = in_op == 3'd4 ? in_rs1 * in_rs2
        : in_op == 3'd2 ? in_imm22 << 12
        : in_rs1 + addend + {31'd0, subtract};

endmodule

`default_nettype wire
