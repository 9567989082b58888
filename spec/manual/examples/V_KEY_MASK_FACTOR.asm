; Ranks 0 to 3 have the limits 50, 12, 30, 30: keys 10 and 20 keep theirs, 15 and 40 do not.
;! vlen 4
;! load key 0: 40 10 20 15
;! load key 8: 50 12 30 30
;! load vector 0: 1.0 1.0 1.0 1.0
S_ADDI_INT gp1, gp0, 4
S_ADDI_INT gp3, gp0, 8
V_KEY_MASK_FACTOR gp1, gp0, gp0, gp3
C_BREAK
;! expect vector 4: 0.0 1.0 1.0 0.0
