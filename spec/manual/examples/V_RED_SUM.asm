; In BF16 256 + 1 is 256; the sum is made in FP32 and rounded once, so both ones count.
;! vlen 4
;! load vector 0: 256.0 1.0 1.0 0.0
V_RED_SUM f1, gp0
C_BREAK
;! expect f1 = 258.0
