; VL = 40 + 2; MASK = 7, the register operand being gp0.
S_ADDI_INT gp1, gp0, 40
C_SET_CSR VL, gp1, 2
C_SET_CSR MASK, gp0, 7
C_BREAK
;! expect VL = 42
;! expect MASK = 7
