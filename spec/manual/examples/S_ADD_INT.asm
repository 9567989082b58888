; Sums wrap around: 2**32 - 1 + 3 is 2.
;! load int 0: 0xFFFFFFFF 3
S_LD_INT gp1, gp0, 0
S_LD_INT gp2, gp0, 1
S_ADD_INT gp3, gp1, gp2
C_BREAK
;! expect gp3 = 2
