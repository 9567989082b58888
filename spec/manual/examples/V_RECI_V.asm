; The reciprocal of a zero is the infinity of its sign; 171/512 is the BF16 value nearest to 1/3.
;! vlen 4
;! load vector 0: 2.0 -4.0 -0.0 3.0
S_ADDI_INT gp1, gp0, 4
V_RECI_V gp1, gp0
C_BREAK
;! expect vector 4: 0.5 -0.25 -inf 0.333984375
