; The same as C_SET_CSR STRIDE, gp1, 0.
S_ADDI_INT gp1, gp0, 640
C_SET_STRIDE_REG gp1
C_BREAK
;! expect STRIDE = 640
