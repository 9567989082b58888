; The greater of two; NaN if one of them is NaN.
;! load fp 0: -1.0 -2.0 nan
S_LD_FP f1, gp0, 0
S_LD_FP f2, gp0, 1
S_LD_FP f3, gp0, 2
S_MAX_FP f4, f1, f2
S_MAX_FP f5, f1, f3
C_BREAK
;! expect f4 = -1.0
;! expect f5 = nan
