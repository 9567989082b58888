; 1 * 2**32 + 7
S_ADDI_INT gp1, gp0, 1
S_ADDI_INT gp2, gp0, 7
C_SET_ADDR_REG a1, gp1, gp2
C_BREAK
;! expect a1 = 0x100000007
