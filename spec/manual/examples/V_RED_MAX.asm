; The running maximum starts from -infinity; VL = 3 leaves the last element out.
;! vlen 4
;! load vector 0: -3.0 -1.0 -2.0 -0.5
;! load fp 0: -inf
S_LD_FP f1, gp0, 0
C_SET_CSR VL, gp0, 3
V_RED_MAX f1, gp0
C_BREAK
;! expect f1 = -1.0
