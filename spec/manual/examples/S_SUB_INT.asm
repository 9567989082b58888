; 3 - 5 is 2**32 - 2.
S_ADDI_INT gp1, gp0, 3
S_ADDI_INT gp2, gp0, 5
S_SUB_INT gp3, gp1, gp2
C_BREAK
;! expect gp3 = 4294967294
