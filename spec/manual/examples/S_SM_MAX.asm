; The greatest element; -0 is shown as +0.
;! vlen 4
;! load vector 0: -3.0 -0.0 -1.0 -inf
V_RED_SM gp0, gp0, gp0, 1
S_SM_MAX f1, gp0
C_BREAK
;! expect f1 = 0.0
