"""Twins of the softmax units."""

from __future__ import annotations

from unmask.proofs.engine.mutate import Mutation
from unmask.proofs.units.rtl import RTL

# Of equal maxima in a beat across the end of all indices the first lane wins.
WRAP_IGNORED = Mutation(
    RTL / "softmax" / "unmask_softmax.v",
    "wire wrapped = last_lanes & place[LEVELS];",
    "wire wrapped = last_lanes & place[LEVELS] & 1'b0;",
)
# Bins are compared modulo 256, so that very distant ones look near.
BINS_ALIAS = Mutation(
    RTL / "softmax" / "unmask_softmax_lane.v",
    "late_normal_reg & distance < 12'd5 & in_top",
    "late_normal_reg & distance[7:0] < 8'd5 & in_top",
)

_VIEW = RTL / "softmax" / "unmask_state_view.v"
_KEY_CODE = RTL / "softmax" / "unmask_key_code.v"

PLANTED = {
    # No element at all reads as a NaN's code.
    "s_sm_max": Mutation(_KEY_CODE, "key == 16'd0 ? 16'hff80", "key == 16'd0 ? 16'hffff"),
    # Every bit of the index one place off.
    "s_sm_idx": Mutation(_VIEW, "in_state[47:16]", "in_state[48:17]"),
    # Infinities count as big.
    "s_sm_flags": Mutation(_VIEW, "(empty | nan | positive | negative)", "(empty | nan)"),
}
