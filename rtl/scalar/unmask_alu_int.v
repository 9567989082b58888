// Integer arithmetic modulo 2**32. Combinational.
//
// S_ADD_INT (in_op 0), S_ADDI_INT (1) and S_LUI_INT (2). Op 1 is also the address of scalar loads
// and stores and the value of C_SET_CSR. Immediates come zero-extended to 32 bits.
`default_nettype none

module unmask_alu_int (
    input  wire [1:0]  in_op,     // 0, 1 or 2; 3 is not used and does what 2 does
    input  wire [31:0] in_rs1,
    input  wire [31:0] in_rs2,
    input  wire [31:0] in_imm18,
    input  wire [31:0] in_imm22,
    output wire [31:0] out_rd
);

    wire [31:0] addend = in_op[0] ? in_imm18 : in_rs2;

    assign out_rd = in_op[1] ? in_imm22 << 12 : in_rs1 + addend;

endmodule

`default_nettype wire
