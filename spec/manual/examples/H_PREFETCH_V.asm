; Two rows of three BF16 elements, eight elements apart; each row starts a chunk.
;! vlen 4
;! load hbm.bf16 0: 1.0 2.0 3.0 4.0 5.0 6.0 7.0 8.0
;! load hbm.bf16 16: 9.0 10.0 11.0 12.0
C_SET_CSR VL, gp0, 3
C_SET_CSR ROWS, gp0, 2
C_SET_CSR STRIDE, gp0, 8
S_ADDI_INT gp1, gp0, 4
H_PREFETCH_V gp1, gp0, a0, 1
C_BREAK
;! expect vector 4: 1.0 2.0 3.0 0.0
;! expect vector 8: 9.0 10.0 11.0 0.0
