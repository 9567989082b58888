; VL = 3: the element behind the end keeps what it held.
;! vlen 4
;! load vector 0: 5.0 1.0 -1.0 9.0
;! load vector 4: 2.0 1.0 1.0 9.0
;! load vector 8: 7.0 7.0 7.0 7.0
S_ADDI_INT gp1, gp0, 8
S_ADDI_INT gp2, gp0, 4
C_SET_CSR VL, gp0, 3
V_SUB_VV gp1, gp0, gp2
C_BREAK
;! expect vector 8: 3.0 0.0 -2.0 7.0
