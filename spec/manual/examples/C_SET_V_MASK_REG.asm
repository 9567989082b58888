; The same as C_SET_CSR MASK, gp1, 0.
S_ADDI_INT gp1, gp0, 640
C_SET_V_MASK_REG gp1
C_BREAK
;! expect MASK = 640
