; The same as C_SET_CSR SCALE, gp1, 0.
S_ADDI_INT gp1, gp0, 640
C_SET_SCALE_REG gp1
C_BREAK
;! expect SCALE = 640
