; Base register plus immediate: 2 + 1.
;! load fp 0: 1.0 2.0 3.0 4.0
S_ADDI_INT gp1, gp0, 2
S_LD_FP f1, gp1, 1
C_BREAK
;! expect f1 = 4.0
