; int[6] = the index of the greatest element, from 1000 on; BAN0 takes token 1002 out.
;! vlen 4
;! load vector 0: 1.0 4.0 9.0 2.0
C_SET_CSR BAN0, gp0, 1002
S_ADDI_INT gp1, gp0, 6
S_ADDI_INT gp2, gp0, 1000
V_RED_SM gp0, gp0, gp2, 1
S_SM_ST_IDX gp1, gp0
C_BREAK
;! expect int 6: 1001
