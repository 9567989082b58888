; Three scalars become the first elements of a vector; the fourth element is not touched.
;! vlen 4
;! load fp 0: 1.0 2.0 3.0 4.0 5.0
;! load vector 4: 9.0 9.0 9.0 9.0
S_ADDI_INT gp1, gp0, 4
S_ADDI_INT gp2, gp0, 3
S_MAP_V_FP gp1, gp0, 2, gp2
C_BREAK
;! expect vector 4: 3.0 4.0 5.0 9.0
