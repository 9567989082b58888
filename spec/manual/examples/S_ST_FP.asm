; fp[1 + 4] = f1
;! load fp 0: -1.5
S_LD_FP f1, gp0, 0
S_ADDI_INT gp1, gp0, 1
S_ST_FP f1, gp1, 4
C_BREAK
;! expect fp 4: 0.0 -1.5 0.0
