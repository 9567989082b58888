; Of the confidences 0.5, 0.75 and 0.25 (lane 1 is no candidate) the two greatest.
;! vlen 4
;! load vector 0: 0.5 0.75 0.75 0.25
;! load vector 4: 1.0 0.0 1.0 1.0
S_ADDI_INT gp1, gp0, 8
S_ADDI_INT gp2, gp0, 4
S_ADDI_INT gp3, gp0, 2
V_TOPK_MASK gp1, gp0, gp2, gp3
C_BREAK
;! expect vector 8: 1.0 0.0 1.0 0.0
