"""Units of the stream path and the host interface by name: they have no binding file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from unmask.tests.cosim import read_jobs, write_jobs
from unmask.tests.cosim.runner import Job

UNITS = {**write_jobs.UNITS, **read_jobs.UNITS}
# Engines of one channel that run on a slave of cocotbext-axi too, which checks the protocol by
# itself: with long bursts, and with queues that little fills.
SLAVES = ("write 1x64", "write netlist", "read 1x64")


def slave_job(
    name: str, simulator: str, examples: int, swap: Mapping[Path, Path] | None = None
) -> Job:
    """One of `SLAVES` on such a slave."""
    job = UNITS[name].job(f"{name} slave", simulator, examples, swap)
    module = f"{name.partition(' ')[0]}_slave"
    return replace(job, defines={"SLAVE": 1}, module=module)
