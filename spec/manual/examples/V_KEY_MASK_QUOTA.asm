; The two smallest keys among the first three, which are the candidates.
;! vlen 4
;! load key 0: 40 10 20 10
;! load vector 0: 1.0 1.0 1.0 0.0
S_ADDI_INT gp1, gp0, 4
S_ADDI_INT gp3, gp0, 2
V_KEY_MASK_QUOTA gp1, gp0, gp0, gp3
C_BREAK
;! expect vector 4: 0.0 1.0 1.0 0.0
