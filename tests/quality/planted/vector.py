"""Planted bugs of vector units."""

from __future__ import annotations

from unmask.tests.quality.planted.bug import Bug

_MAX_IDX = ("unit v_red_max_idx", "core", "proof unit.v_red_max_idx.transactions.4")

BUGS = (
    Bug(
        "start-from-zero",
        "the running maximum starts from 0.0, so a row of negative logits gives token 0",
        "vector/unmask_max_idx.v",
        "first ? start_code_reg[16*LEVELS +: 16] : out_code_reg",
        "first ? 16'h0000 : out_code_reg",
        (*_MAX_IDX, "proof unit.v_red_max_idx.induction.4"),
    ),
    Bug(
        "last-index-wins",
        "of equal logits the last one wins, not the first",
        "vector/unmask_max_idx.v",
        "wire later = first_key < second_key;",
        "wire later = first_key <= second_key;",
        _MAX_IDX,
    ),
    Bug(
        "last-lane-dropped",
        "the last lane never enters the tree",
        "vector/unmask_max_idx.v",
        "lane < count ? key : 16'd0",
        "lane < count && lane != VLEN - 1 ? key : 16'd0",
        _MAX_IDX,
    ),
    Bug(
        "nan-skipped",
        "NaN ranks by its bits, so one with its sign set loses against everything",
        "vector/unmask_order_key.v",
        "wire is_nan = (&code[14:7]) & (|code[6:0]);",
        "wire is_nan = 1'b0;",
        _MAX_IDX,
    ),
    Bug(
        "tail-not-masked",
        "lanes behind the end of the row compete",
        "vector/unmask_max_idx.v",
        "lane < count ? key : 16'd0",
        "key",
        _MAX_IDX,
    ),
    Bug(
        "offset-off-by-one",
        "each chunk's index base is one too small",
        "vector/unmask_strip.v",
        "base_reg + VLEN;",
        "base_reg + VLEN - 1;",
        ("core", "proof strip"),
    ),
    Bug(
        "tail-dropped",
        "a partial last chunk is not read, as if VLEN divided the vocabulary",
        "vector/unmask_strip.v",
        "wire last = no_full | (one_full & tail == {LANE_BITS{1'b0}});",
        "wire last = no_full | one_full;",
        ("core", "proof strip"),
    ),
)
