; Of a negative number there is no root.
;! load fp 0: 2.25 -1.0
S_LD_FP f1, gp0, 0
S_LD_FP f2, gp0, 1
S_SQRT_FP f3, f1
S_SQRT_FP f4, f2
C_BREAK
;! expect f3 = 1.5
;! expect f4 = nan
