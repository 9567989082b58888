; Two words to word 1 of memory, the lowest byte first.
;! load int 5: 0x01020304 7
S_ADDI_INT gp1, gp0, 5
S_ADDI_INT gp2, gp0, 1
S_ADDI_INT gp3, gp0, 2
H_ST_INT gp1, gp2, a0, gp3
C_BREAK
;! expect hbm 4: 0x04 0x03 0x02 0x01 0x07 0x00 0x00 0x00
