; Two loops, one within the other: 2 * 3 iterations. An end must name the register of its start.
C_LOOP_START gp1, 2
  C_LOOP_START gp2, 3
    S_ADDI_INT gp3, gp3, 1
  C_LOOP_END gp2
C_LOOP_END gp1
C_BREAK
;! expect gp3 = 6
