; gp0 reads 0, so this loads a constant; the immediate goes up to 2**18 - 1.
S_ADDI_INT gp1, gp0, 5
S_ADDI_INT gp2, gp1, 262143
C_BREAK
;! expect gp1 = 5
;! expect gp2 = 262148
