; Eight E5M2 elements straight from memory: four of 1.0 * 2**1 and four of -infinity.
;! vlen 8
;! load hbm 0: 0x3C 0xFC 0x3C 0xFC 0x3C 0xFC 0x3C 0xFC
;! load hbm 64: 0x80
C_SET_CSR SCALE, gp0, 64
H_RED_SM gp0, gp0, a0, gp0, E5M2_B8, 1
S_SM_CONF f1, gp0
S_SM_MAX f2, gp0
C_BREAK
;! expect f1 = 0.25
;! expect f2 = 2.0
