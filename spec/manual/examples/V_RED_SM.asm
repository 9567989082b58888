; Two equal logits share the probability; -infinity has none. Indices count from 10.
;! vlen 4
;! load vector 0: -inf 1.0 1.0 -inf
S_ADDI_INT gp3, gp0, 10
V_RED_SM gp0, gp0, gp3, 1
S_SM_CONF f1, gp0
S_SM_IDX gp4, gp0
C_BREAK
;! expect f1 = 0.5
;! expect gp4 = 11
