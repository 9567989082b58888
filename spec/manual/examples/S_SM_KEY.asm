; Of four equal logits three are in excess: delta = 3 = 1.5 * 2**1, key = (1 + 81) * 2**25 + 2**24.
;! vlen 4
;! load vector 0: 2.0 2.0 2.0 2.0
V_RED_SM gp0, gp0, gp0, 1
S_SM_KEY gp1, gp0
C_BREAK
;! expect gp1 = 2768240640
