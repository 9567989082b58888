"""Units of the stream path and the host interface by name: they have no binding file."""

from __future__ import annotations

from unmask.tests.cosim import read_jobs, write_jobs

UNITS = {**write_jobs.UNITS, **read_jobs.UNITS}
