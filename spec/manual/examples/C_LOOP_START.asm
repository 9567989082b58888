; Three times 5; the counter shows the iterations left. A loop of 0 iterations is skipped.
C_LOOP_START gp1, 3
  S_ADDI_INT gp2, gp2, 5
C_LOOP_END gp1
C_LOOP_START gp1, 0
  S_ADDI_INT gp2, gp2, 1000
C_LOOP_END gp1
C_BREAK
;! expect gp2 = 15
;! expect gp1 = 0
