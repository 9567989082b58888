"""Planted bugs: one text replacement in our Verilog each, and the checks that must catch it.

A check is named by kind and argument: `unit BINDING` (cosimulation of the bound unit), `core`
(lockstep of the whole core) or `proof THEOREM`.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from unmask.proofs.engine import ledger
from unmask.proofs.engine.record import REFUTED
from unmask.spec import binding as bindings
from unmask.spec.errors import UsageError
from unmask.tests.cosim import jobs
from unmask.tests.cosim.paths import BUILD, RTL
from unmask.tests.cosim.runner import explain, simulate

LANES = 4  # small: a counterexample has few lanes
EXAMPLES = 400  # tried before a check counts as green; most bugs fall within ten


@dataclass(frozen=True)
class Bug:
    """A planted bug.

    Attributes:
        name: what `ci/gate --demo` takes.
        doc: what a designer did wrong.
        file: Verilog file below `rtl`.
        old, new: the text replaced; `old` must stand there exactly once.
        caught_by: checks that must turn red.
    """

    name: str
    doc: str
    file: str
    old: str
    new: str
    caught_by: tuple[str, ...]


_MAX_IDX = ("unit v_red_max_idx", "core", "proof unit.v_red_max_idx.transactions.4")

BUGS = {
    bug.name: bug
    for bug in (
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
        Bug(
            "immediate-ignored",
            "S_ADDI_INT adds rs2 instead of the immediate",
            "scalar/unmask_alu_int.v",
            "in_op[0] ? in_imm18 : in_rs2",
            "in_rs2",
            ("unit s_addi_int", "core", "proof unit.s_addi_int.combinational"),
        ),
        Bug(
            "upper-shift-short",
            "S_LUI_INT shifts by 11",
            "scalar/unmask_alu_int.v",
            "in_imm22 << 12",
            "in_imm22 << 11",
            ("unit s_lui_int", "core", "proof unit.s_lui_int.combinational"),
        ),
        Bug(
            "unused-bits-ignored",
            "S_ADD_INT with bits set that it does not use is executed",
            "frontend/unmask_decode.v",
            "(word & MASK_S_ADD_INT) == MATCH_S_ADD_INT;",
            "word[5:0] == OP_S_ADD_INT;",
            ("proof decode",),
        ),
        Bug(
            "loop-wrong-register",
            "a loop end that counts in another register than its start is accepted",
            "frontend/unmask_trap_check.v",
            "(stack_empty | ~stack_match)",
            "stack_empty",
            ("core", "proof trap_check"),
        ),
        Bug(
            "range-off-by-one",
            "the word behind the end of FP SRAM is accepted",
            "frontend/unmask_trap_check.v",
            "scalar_address >= FP_WORDS",
            "scalar_address > FP_WORDS",
            ("core", "proof trap_check"),
        ),
        Bug(
            "vector-end-wraps",
            "the end of a vector is computed in 32 bits, so one near 2**32 seems to lie inside",
            "frontend/unmask_trap_check.v",
            "{1'b0, vector_address} + {1'b0, vl}",
            "{1'b0, vector_address + vl}",
            ("core", "proof trap_check"),
        ),
        Bug(
            "vl-not-reset",
            "a program starts with the vector length that the one before it left",
            "unmask_core.v",
            "if (start_taken) vl_reg <= VLEN;",
            "if (rst) vl_reg <= VLEN;",
            ("core",),
        ),
        Bug(
            "loop-stack-keeps-count",
            "an iteration does not count down",
            "frontend/unmask_loop_stack.v",
            "stack_reg[COUNT_BITS-1:0] <= top_remaining;",
            "stack_reg[COUNT_BITS-1:0] <= top_count;",
            ("core", "proof loop_stack"),
        ),
    )
}


def plant(bug: Bug, folder: Path) -> dict[Path, Path]:
    """Write the broken copy below `folder`; returns {our file: the copy}.

    Raises:
        UsageError: if the text to replace is not there exactly once.
    """
    original = RTL / bug.file
    text = original.read_text(encoding="utf-8")
    if text.count(bug.old) != 1:
        raise UsageError(
            f"bug {bug.name}: {bug.old!r} stands {text.count(bug.old)} times, expected once",
            str(original),
        )
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    copy = folder / original.name
    copy.write_text(text.replace(bug.old, bug.new), encoding="utf-8")
    return {original: copy}


def catch(bug: Bug, check: str) -> str | None:
    """Run one check on a copy with the bug: the decoded counterexample, or None if it is green."""
    kind, _, argument = check.partition(" ")
    name = check.replace(" ", "-")
    swap = plant(bug, BUILD / "bugs" / f"{bug.name}-{name}")
    if kind == "proof":
        records = ledger.run([argument], files=swap, jobs=1)
        # Refuted, not timed out or crashed: only a counterexample shows that the check works.
        return "\n".join(x.detail for x in records if x.verdict == REFUTED) or None
    if kind == "unit":
        binding = binding_named(argument)
        lanes = LANES if binding.lanes_parameter else 1
        job = jobs.unit_job(binding, lanes, jobs.quick_simulator(), EXAMPLES, swap)
    else:
        job = jobs.core_job(jobs.quick_simulator(), EXAMPLES, swap=swap)
    outcome = simulate(job)
    return None if outcome.counterexample is None else explain(outcome)


def binding_named(name: str) -> bindings.Binding:
    """One of our own bindings by its file's name."""
    return bindings.load(next(path for path in RTL.rglob("*.toml") if path.stem == name))
