; Which elements are less than 1?
;! vlen 4
;! load vector 0: 0.5 1.0 nan -inf
;! load fp 0: 1.0
S_LD_FP f1, gp0, 0
S_ADDI_INT gp1, gp0, 4
V_CMP_MASK_VF gp1, gp0, f1, LT, gp0
C_BREAK
;! expect vector 4: 1.0 0.0 0.0 1.0
