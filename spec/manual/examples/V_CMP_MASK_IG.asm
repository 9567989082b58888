; Three ids against 7 (a mask token, say); the mask is filled up to the chunk with 0.0.
;! vlen 4
;! load int 0: 5 7 9 7
;! load vector 0: 9.0 9.0 9.0 9.0
S_ADDI_INT gp3, gp0, 7
S_ADDI_INT gp4, gp0, 3
V_CMP_MASK_IG gp0, gp0, gp3, EQ, gp4
C_BREAK
;! expect vector 0: 0.0 1.0 0.0 0.0
