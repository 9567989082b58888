; key[2] = 9
S_ADDI_INT gp1, gp0, 9
S_ADDI_INT gp2, gp0, 2
S_ST_KEY gp1, gp2
C_BREAK
;! expect key 1: 0 9 0
