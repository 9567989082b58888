; Infinity times zero is NaN; subnormals are kept.
;! vlen 4
;! load vector 0: 1.5 inf -0.5 0x0001
;! load vector 4: 2.0 0.0 4.0 2.0
S_ADDI_INT gp1, gp0, 8
S_ADDI_INT gp2, gp0, 4
V_MUL_VV gp1, gp0, gp2
C_BREAK
;! expect vector 8: 3.0 nan -2.0 0x0002
