; E4M3 in a block of 8: the greatest is 2**2, E4M3 reaches 2**8, so the scale is 2**-6 (0x79) and
; each element is stored times 64: 64, -128, 32, 256, 0, 96, 192, 16.
;! vlen 8
;! load vector 0: 1.0 -2.0 0.5 4.0 0.0 1.5 3.0 0.25
C_SET_CSR FMT1, gp0, 2
C_SET_CSR SCALE, gp0, 64
H_STORE_V gp0, gp0, a0, 0, 1
C_BREAK
;! expect hbm 0: 0x68 0xF0 0x60 0x78 0x00 0x6C 0x74 0x58
;! expect hbm 64: 0x79
