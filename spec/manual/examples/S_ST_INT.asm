; int[3 + 2] = 77
S_ADDI_INT gp1, gp0, 77
S_ADDI_INT gp2, gp0, 3
S_ST_INT gp1, gp2, 2
C_BREAK
;! expect int 4: 0 77 0
