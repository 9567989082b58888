; Vector minus scalar, and with rorder = 1 scalar minus vector.
;! vlen 4
;! load vector 0: 1.0 2.0 3.0 4.0
;! load fp 0: 1.0
S_LD_FP f1, gp0, 0
S_ADDI_INT gp1, gp0, 4
S_ADDI_INT gp2, gp0, 8
V_SUB_VF gp1, gp0, f1
V_SUB_VF gp2, gp0, f1, 0, 1
C_BREAK
;! expect vector 4: 0.0 1.0 2.0 3.0
;! expect vector 8: 0.0 -1.0 -2.0 -3.0
