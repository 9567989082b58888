; What stands behind it is not executed.
S_ADDI_INT gp1, gp0, 1
C_BREAK
S_ADDI_INT gp1, gp0, 2
;! expect gp1 = 1
