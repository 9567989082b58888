; 1 / -8
;! load fp 0: -8.0
S_LD_FP f1, gp0, 0
S_RECI_FP f2, f1
C_BREAK
;! expect f2 = -0.125
