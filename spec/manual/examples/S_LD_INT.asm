; Base register plus immediate: 1 + 2.
;! load int 0: 5 6 7 8
S_ADDI_INT gp1, gp0, 1
S_LD_INT gp2, gp1, 2
C_BREAK
;! expect gp2 = 8
