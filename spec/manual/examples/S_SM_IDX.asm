; The first of the greatest.
;! vlen 4
;! load vector 0: -2.0 -1.0 -2.0 -1.0
V_RED_SM gp0, gp0, gp0, 1
S_SM_IDX gp1, gp0
C_BREAK
;! expect gp1 = 1
