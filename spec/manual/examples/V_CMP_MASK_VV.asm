; NaN relates to nothing; -0 equals +0.
;! vlen 4
;! load vector 0: 1.0 2.0 nan -0.0
;! load vector 4: 2.0 2.0 1.0 0.0
S_ADDI_INT gp1, gp0, 8
S_ADDI_INT gp2, gp0, 4
V_CMP_MASK_VV gp1, gp0, gp2, GE, gp0
C_BREAK
;! expect vector 8: 0.0 1.0 0.0 1.0
