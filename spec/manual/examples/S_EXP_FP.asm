; 1/e is 0.36788; the nearest BF16 is 188/512.
;! load fp 0: -1.0
S_LD_FP f1, gp0, 0
S_EXP_FP f2, f1
C_BREAK
;! expect f2 = 0.3671875
