; Four equal logits: the greatest has a quarter of the probability, whatever its value.
;! vlen 4
;! load vector 0: -100.0 -100.0 -100.0 -100.0
V_RED_SM gp0, gp0, gp0, 1
S_SM_CONF f1, gp0
C_BREAK
;! expect f1 = 0.25
