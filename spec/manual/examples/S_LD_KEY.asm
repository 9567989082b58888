; gp1 = key[2]
;! load key 0: 5 6 0x80000000
S_ADDI_INT gp2, gp0, 2
S_LD_KEY gp1, gp2
C_BREAK
;! expect gp1 = 0x80000000
