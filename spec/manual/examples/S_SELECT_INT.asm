; Ids from the first list where the mask is true, else from the second.
;! vlen 4
;! load int 0: 10 11 12 13
;! load int 4: 20 21 22 23
;! load vector 0: 1.0 0.0 1.0 0.0
S_ADDI_INT gp1, gp0, 8
S_ADDI_INT gp2, gp0, 4
S_SELECT_INT gp1, gp0, gp2, gp0
C_BREAK
;! expect int 8: 10 21 12 23
