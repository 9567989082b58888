; inf + -inf is NaN; 1 + 2**-8 lies midway between two BF16 values and goes to the even one.
;! vlen 4
;! load vector 0: 1.0 -2.0 inf 1.0
;! load vector 4: 0.5 2.0 -inf 0x3B80
S_ADDI_INT gp1, gp0, 8
S_ADDI_INT gp2, gp0, 4
V_ADD_VV gp1, gp0, gp2
C_BREAK
;! expect vector 8: 1.5 0.0 nan 1.0
