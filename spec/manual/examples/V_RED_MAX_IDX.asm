; Of equal logits the first wins; indices count from gp3 = 100.
;! vlen 4
;! load vector 0: -3.0 -1.0 -1.0 -2.0
;! load fp 0: -inf
S_LD_FP f1, gp0, 0
S_ADDI_INT gp3, gp0, 100
V_RED_MAX_IDX gp2, gp0, gp3, f1
C_BREAK
;! expect gp2 = 101
;! expect f1 = -1.0
