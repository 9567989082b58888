"""Whether a check catches a planted bug (`planted`).

A check is named by kind and argument: `unit BINDING` (cosimulation of the bound unit),
`sequenced NAME` (of a unit with memory ports of its own), `write SETUP` and `host` (of
the write engine and the host interface), `core` (lockstep of the whole core) or `proof THEOREM`.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from unmask.proofs.engine import ledger
from unmask.proofs.engine.record import REFUTED
from unmask.spec import binding as bindings
from unmask.spec.contracts.sequenced import UNITS
from unmask.spec.errors import UsageError
from unmask.tests.cosim import jobs, stream_jobs
from unmask.tests.cosim.paths import BUILD, RTL
from unmask.tests.cosim.runner import explain, simulate
from unmask.tests.quality.planted import BUGS, Bug

LANES = 4  # small: a counterexample has few lanes
SEQUENCED_LANES = 2
EXAMPLES = 400  # tried before a check counts as green; most bugs fall within ten

__all__ = ["BUGS", "Bug", "catch", "plant"]


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
    elif check in stream_jobs.UNITS:
        job = stream_jobs.UNITS[check].job(check, jobs.quick_simulator(), EXAMPLES, swap)
    elif kind == "slave":
        job = stream_jobs.slave_job(argument, jobs.quick_simulator(), EXAMPLES, swap)
    elif kind == "sequenced":
        size = jobs.sequenced_size(SEQUENCED_LANES)
        job = jobs.sequenced_job(UNITS[argument], size, jobs.quick_simulator(), EXAMPLES, swap)
    else:
        job = jobs.core_job(jobs.quick_simulator(), EXAMPLES, swap=swap)
    outcome = simulate(job)
    return None if outcome.counterexample is None else explain(outcome)


def binding_named(name: str) -> bindings.Binding:
    """One of our own bindings by its file's name."""
    return bindings.load(next(path for path in RTL.rglob("*.toml") if path.stem == name))
