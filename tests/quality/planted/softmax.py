"""Planted bugs of softmax units."""

from __future__ import annotations

from unmask.tests.quality.planted.bug import Bug

_ENGINE = "softmax/unmask_softmax.v"

BUGS = (
    Bug(
        "bins-alias",
        "bins are compared modulo 8, so an element far below the maximum is added near it",
        "softmax/unmask_softmax_lane.v",
        "late_normal_reg & distance < 12'd5 & in_top",
        "late_normal_reg & distance[2:0] < 3'd5 & in_top",
        ("proof red_sm.slots.2",),
    ),
    Bug(
        "big-count-stays",
        "maxima of the same bin pass for the same, so a greater big one keeps the count before it",
        _ENGINE,
        "(same | top != 12'd0);",
        "(same | top == old_top | top != 12'd0);",
        ("unit v_red_sm", "proof red_sm.slots.2"),
    ),
    Bug(
        "indices-do-not-wrap",
        "in a beat across the end of all indices the first lane wins, not the lowest index",
        _ENGINE,
        "wire wrapped = last_lanes & place[LEVELS];",
        "wire wrapped = 1'b0;",
        ("unit v_red_sm", "proof red_sm.maximum.2"),
    ),
    Bug(
        "nobody-is-banned",
        "the ban of all ones, which means nobody, bans the last index there is",
        _ENGINE,
        "banning_reg[ban] <= ~&in_bans[32*ban +: 32];",
        "banning_reg[ban] <= 1'b1;",
        ("unit v_red_sm",),
    ),
    Bug(
        "inactive-lane-added",
        "a lane behind the end of a row weighs what its code says",
        "softmax/unmask_softmax_lane.v",
        "normal_reg <= in_active & in_code",
        "normal_reg <= in_code",
        ("proof red_sm.slots.2",),
    ),
    Bug(
        "carry-lost",
        "the sum without the maximum's term loses the carry between its two upper slots",
        "softmax/unmask_key.v",
        "slot_0_reg + {16'd0, carried_1[33:16]}",
        "slot_0_reg + {18'd0, carried_1[31:16]}",
        ("proof softmax_key.key",),
    ),
    Bug(
        "divisor-stays",
        "the divisor does not leave a remainder that equals it",
        "softmax/unmask_key.v",
        "joined >= {1'b0, divisor_reg}",
        "joined > {1'b0, divisor_reg}",
        ("unit s_sm_key", "proof softmax_key.confidence"),
    ),
    Bug(
        "all-negative-infinite",
        "a row of nothing but -infinity gets a key, as if it had a confidence",
        "softmax/unmask_key.v",
        " || key_reg == 16'h007f",
        "",
        ("proof softmax_key.key",),
    ),
    Bug(
        "confidence-cut",
        "a confidence is cut instead of rounded",
        "softmax/unmask_key.v",
        "{8'd0, digits_reg[7:1]} + {14'd0, digits_reg[0]}",
        "{8'd0, digits_reg[7:1]}",
        ("unit s_sm_conf", "proof softmax_key.confidence"),
    ),
    Bug(
        "infinity-big",
        "the flags call an infinite maximum finite and big",
        "softmax/unmask_state_view.v",
        "(empty | nan | positive | negative)",
        "(empty | nan)",
        ("unit s_sm_flags", "proof unit.s_sm_flags.combinational"),
    ),
    Bug(
        "clears-what-it-writes",
        "emptying one state empties the one that is written in that cycle",
        "softmax/unmask_states.v",
        "clear && clear_number == number",
        "clear && write_number == number",
        ("proof softmax_states",),
    ),
)
