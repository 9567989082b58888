; Key 10 has rank 0, below kmin = 1; key 15 has rank 1, below KMAX, and is at most LIMIT; 20 is not.
;! vlen 4
;! load key 0: 40 10 20 15
;! load vector 0: 1.0 1.0 1.0 1.0
C_SET_CSR LIMIT, gp0, 15
C_SET_CSR KMAX, gp0, 3
S_ADDI_INT gp1, gp0, 4
S_ADDI_INT gp3, gp0, 1
V_KEY_MASK_RULE gp1, gp0, gp0, gp3
C_BREAK
;! expect vector 4: 0.0 1.0 0.0 1.0
