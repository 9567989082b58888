; Integers are unsigned: 2**32 - 1 is the greatest.
;! vlen 4
;! load int 0: 1 2 3 4
;! load int 4: 4 2 1 0xFFFFFFFF
S_ADDI_INT gp2, gp0, 4
V_CMP_MASK_II gp0, gp0, gp2, LE, gp0
C_BREAK
;! expect vector 0: 1.0 1.0 0.0 1.0
