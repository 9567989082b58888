; Signs multiply, of zeros and infinities too; any NaN becomes the quiet NaN 0x7FC0.
;! vlen 4
;! load vector 0: 1.5 0.0 -inf 0x7F81
;! load fp 0: -2.0
S_LD_FP f1, gp0, 0
S_ADDI_INT gp1, gp0, 4
V_MUL_VF gp1, gp0, f1
C_BREAK
;! expect vector 4: -3.0 -0.0 inf 0x7FC0
