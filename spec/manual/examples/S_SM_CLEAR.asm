; State 1 takes in a chunk and is emptied again: flag 1 says that it holds no element.
;! vlen 4
S_ADDI_INT gp1, gp0, 1
V_RED_SM gp1, gp0, gp0
S_SM_CLEAR gp1
S_SM_FLAGS gp2, gp1
S_SM_IDX gp3, gp1
C_BREAK
;! expect gp2 = 1
;! expect gp3 = 0xFFFFFFFF
