"""Twins of the vector units."""

from __future__ import annotations

from unmask.proofs.engine.mutate import Mutation
from unmask.proofs.units.rtl import RTL

_MAX_IDX = RTL / "vector" / "unmask_max_idx.v"

PLANTED = {
    # Of equal neighbours the later one wins.
    "v_red_max_idx": Mutation(
        _MAX_IDX, "wire later = first_key < second_key;", "wire later = first_key <= second_key;"
    ),
}
