; With S_ADDI_INT it makes any constant: 0x12345678 = 0x12345 * 4096 + 0x678.
S_LUI_INT gp1, 0x12345
S_ADDI_INT gp1, gp1, 0x678
C_BREAK
;! expect gp1 = 0x12345678
