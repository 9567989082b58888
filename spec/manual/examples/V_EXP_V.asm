; The BF16 value nearest to e is 2.71875.
;! vlen 4
;! load vector 0: 0.0 1.0 -inf inf
S_ADDI_INT gp1, gp0, 4
V_EXP_V gp1, gp0
C_BREAK
;! expect vector 4: 1.0 2.71875 0.0 inf
