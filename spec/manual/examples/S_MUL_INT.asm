; The lower 32 bits of the product: 65537 * 65536 is 2**32 + 65536.
S_ADDI_INT gp1, gp0, 65537
S_ADDI_INT gp2, gp0, 65536
S_MUL_INT gp3, gp1, gp2
C_BREAK
;! expect gp3 = 65536
