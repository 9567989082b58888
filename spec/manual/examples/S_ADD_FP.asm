; 1.5 + 2.25
;! load fp 0: 1.5 2.25
S_LD_FP f1, gp0, 0
S_LD_FP f2, gp0, 1
S_ADD_FP f3, f1, f2
C_BREAK
;! expect f3 = 3.75
