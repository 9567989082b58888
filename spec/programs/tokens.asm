; The greedy token and the confidence key of each row of a packed logit slab: int[row], key[row].
; `python -m unmask.spec pack logits.npy --include logits.inc` writes the file that this includes.
.include "logits.inc"

    S_LUI_INT  gp3, LOGITS_VOCABULARY >> 12
    S_ADDI_INT gp3, gp3, LOGITS_VOCABULARY & 0xFFF
    C_SET_VL   gp3
    S_LUI_INT  gp3, LOGITS_SCALE >> 12
    S_ADDI_INT gp3, gp3, LOGITS_SCALE & 0xFFF
    C_SET_SCALE_REG gp3
    S_LUI_INT  gp3, LOGITS_PITCH >> 12
    S_ADDI_INT gp3, gp3, LOGITS_PITCH & 0xFFF

    ; gp1: the row, and the state that it uses; gp2: its first element
    C_LOOP_START gpF, LOGITS_ROWS
        H_RED_SM gp1, gp2, a0, gp0, LOGITS_FORMAT, 1
        S_SM_ST_IDX gp1, gp1
        S_SM_ST_KEY gp1, gp1
        S_ADDI_INT gp1, gp1, 1
        S_ADD_INT gp2, gp2, gp3
    C_LOOP_END gpF
    C_BREAK
