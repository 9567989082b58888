; 1 - 1.5; what is written to f0 is lost.
;! load fp 0: 1.0 1.5
S_LD_FP f1, gp0, 0
S_LD_FP f2, gp0, 1
S_SUB_FP f3, f1, f2
S_SUB_FP f0, f1, f2
C_BREAK
;! expect f3 = -0.5
;! expect f0 = 0.0
