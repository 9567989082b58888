"""Planted bugs of the read and write engines."""

from __future__ import annotations

from unmask.tests.quality.planted.bug import Bug

BUGS = (
    Bug(
        "scale-of-next-block-missed",
        "a lane behind the end of lane 0's block takes lane 0's scale, blocks of 8",
        "stream/unmask_read_lanes.v",
        "{1'b0, NUMBER[2:0]} + {1'b0, lane_reg[2:0]}",
        "{1'b0, NUMBER[2:0]}",
        ("read 1x64", "proof stream.lanes"),
    ),
    Bug(
        "credit-too-early",
        "scale bursts go out when the ring lacks a place",
        "stream/unmask_read_walker.v",
        "held <= ROOM[POSITION_BITS-1:0];",
        "held <= ROOM[POSITION_BITS-1:0] + 1;",
        ("proof stream.bursts",),
    ),
    Bug(
        "fifo-place-unused",
        "an element beat is refused while one place of the FIFO is free",
        "stream/unmask_read_channel.v",
        "fill_reg != FULL[FILL-1:0])",
        "fill_reg < FULL[FILL-1:0] - 1)",
        ("read 2x64",),
    ),
    Bug(
        "fault-of-highest-beat",
        "the highest beat that failed is reported instead of the lowest",
        "stream/unmask_read_channel.v",
        "row < fault_row_reg;",
        "row > fault_row_reg;",
        ("read 1x64",),
    ),
    Bug(
        "fault-left-over",
        "a beat that fails as an older failure is cleared is kept as that one: of the next program",
        "stream/unmask_read_channel.v",
        "(~fault_reg | clear | lower)",
        "(~fault_reg | lower)",
        ("core",),
    ),
    Bug(
        "tie-away-from-zero",
        "an element half way between two MX codes goes to the greater one",
        "stream/unmask_quantise.v",
        "guard & (sticky | kept[0])",
        "guard",
        ("write 1x64", "proof write.quantise"),
    ),
    Bug(
        "infinity-in-scale",
        "an infinity sets the scale of its block, whose other elements vanish",
        "stream/unmask_block_key.v",
        "&field ? 8'd0 : field",
        "field",
        ("write 1x64", "proof write.block_keys"),
    ),
    Bug(
        "guard-bytes-written",
        "the first slice of a region writes the bytes before its first one too",
        "stream/unmask_write_beats.v",
        "in_fresh ? in_first[IN-1:0] : offset",
        "offset",
        ("write 1x64", "proof write.beats"),
    ),
    Bug(
        "burst-without-end",
        "a burst whose last beat lies in the stripe before the region's last is one too long",
        "stream/unmask_write_beats.v",
        "behind_tail[channel] ? without : with_bottom",
        "with_bottom",
        ("write 2x64",),
    ),
    Bug(
        "row-before-forgotten",
        "a slice takes all its bytes from the newest row, whatever the destination's alignment",
        "stream/unmask_write_align.v",
        "old_reg[place] ? before_reg[8*place +: 8] : row_reg[8*place +: 8]",
        "row_reg[8*place +: 8]",
        ("write 1x64",),
    ),
    Bug(
        "first-fault-of-a-channel",
        "of a channel's bursts that failed the first that was answered is reported, not the lowest",
        "stream/unmask_write_channel.v",
        "if (~fault_reg | oldest_row < fault_row_reg)",
        "if (~fault_reg)",
        ("write 1x64",),
    ),
)
