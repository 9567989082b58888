; Nothing beside the greatest element: delta = 0 has the key 1, the most confident.
;! vlen 4
;! load vector 0: -inf -inf 5.0 -inf
S_ADDI_INT gp1, gp0, 6
V_RED_SM gp0, gp0, gp0, 1
S_SM_ST_KEY gp1, gp0
C_BREAK
;! expect key 6: 1
