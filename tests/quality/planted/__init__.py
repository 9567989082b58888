"""Planted bugs: one text replacement in our Verilog each, and the checks that must catch it."""

from unmask.tests.quality.planted import frontend, scalar, softmax, stream, vector
from unmask.tests.quality.planted.bug import Bug

GROUPS = (vector, scalar, softmax, stream, frontend)  # the order of reports
BUGS = {bug.name: bug for group in GROUPS for bug in group.BUGS}

__all__ = ["BUGS", "Bug"]
