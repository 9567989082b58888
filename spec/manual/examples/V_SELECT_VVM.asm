; A mask element is false if it is a zero of either sign; NaN is true.
;! vlen 4
;! load vector 0: 1.0 2.0 3.0 4.0
;! load vector 4: 5.0 6.0 7.0 8.0
;! load vector 8: 1.0 0.0 -0.0 nan
S_ADDI_INT gp1, gp0, 12
S_ADDI_INT gp2, gp0, 4
S_ADDI_INT gp3, gp0, 8
V_SELECT_VVM gp1, gp0, gp2, gp3
C_BREAK
;! expect vector 12: 1.0 6.0 7.0 4.0
