; 1.5 squared
;! load fp 0: 1.5
S_LD_FP f1, gp0, 0
S_MUL_FP f2, f1, f1
C_BREAK
;! expect f2 = 2.25
