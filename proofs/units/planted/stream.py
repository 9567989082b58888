"""Twins of the read engine: theorem of `proofs/units/read_engine` -> a bug that refutes it."""

from __future__ import annotations

from unmask.proofs.engine.mutate import Mutation
from unmask.proofs.units.rtl import RTL

_FOLDER = RTL / "stream"

TWINS = {
    # A tie is always rounded up.
    "dequantise": Mutation(
        _FOLDER / "unmask_dequantise.v",
        "wire up = moved[10] & (moved[9:0] != 10'd0 | moved[11]);",
        "wire up = moved[10];",
    ),
    # The last scale beat of a segment is given up although the next segment needs it.
    "segments": Mutation(
        _FOLDER / "unmask_read_segments.v",
        "~(on_block & (&scale_end[BEAT_SHIFT-1:0]))",
        "~(&scale_end[BEAT_SHIFT-1:0])",
    ),
    # A channel before the piece's first one reads the first stripe all the same.
    "bursts": Mutation(
        _FOLDER / "unmask_read_walker.v",
        "wire later = segment_fresh & before_first;",
        "wire later = segment_fresh & segment_final & before_first;",
    ),
    # The piece's last stripe is taken whole.
    "slices": Mutation(
        _FOLDER / "unmask_stripe_join.v",
        "wire [STRIPE_SHIFT-1:0] stop = bottom ? tail_reg : ALL;",
        "wire [STRIPE_SHIFT-1:0] stop = bottom & ~top_reg ? tail_reg : ALL;",
    ),
    # Blocks of 8 are counted from lane 0 on.
    "lanes": Mutation(
        _FOLDER / "unmask_read_lanes.v", "{1'b0, NUMBER[2:0]} + {1'b0, lane_reg[2:0]}",
        "{1'b0, NUMBER[2:0]}",
    ),
    # The circle ends at its last item.
    "turn": Mutation(
        _FOLDER / "unmask_turn.v", "{in_data, in_data}", "{{BITS*ITEMS{1'b0}}, in_data}"
    ),
    # What leaves at the top of a row is not written to the next one.
    "row_writer": Mutation(
        _FOLDER / "unmask_row_writer.v",
        "wire [VLEN-1:0] high_mask = turned_active & ~here;",
        "wire [VLEN-1:0] high_mask = turned_active & ~here & {VLEN{row_reg[0]}};",
    ),
}  # fmt: skip
