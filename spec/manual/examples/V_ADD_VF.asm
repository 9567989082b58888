; In place, and only in lanes 0 and 2, which MASK = 0b0101 enables.
;! vlen 4
;! load vector 0: 1.0 2.0 -3.0 0.5
;! load fp 0: 1.5
S_LD_FP f1, gp0, 0
C_SET_CSR MASK, gp0, 5
V_ADD_VF gp0, gp0, f1, 1
C_BREAK
;! expect vector 0: 2.5 2.0 -1.5 0.5
