; 2: there is a NaN. State 5 modulo 4 is state 1.
;! vlen 4
;! load vector 0: 1.0 nan 2.0 3.0
S_ADDI_INT gp1, gp0, 5
V_RED_SM gp1, gp0, gp0, 1
S_SM_FLAGS gp2, gp1
C_BREAK
;! expect gp2 = 2
