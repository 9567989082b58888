"""What `ci/test` has passed counts for the gate, so that no folder of tests runs twice.

Reads pytest's JUnit file. A task of the gate that runs pytest on some folders is kept as passed if
all tests of those folders passed, none was skipped, and nothing that the task depends on has
changed since the tests began.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from xml.etree import ElementTree

from unmask.ci import checks
from unmask.ci.steps import STEPS, Scope
from unmask.ci.task import PASS, Result, Task, files, keep, key
from unmask.tests.cosim.paths import ROOT


def count(suite: ElementTree.Element, folders: Sequence[str]) -> int:
    """How many tests of these folders passed; 0 if any did not."""
    prefixes = tuple(folder.replace("/", ".") + "." for folder in folders)
    cases = [x for x in suite.iter("testcase") if x.get("classname", "").startswith(prefixes)]
    wrong = [
        x for x in cases for kind in ("failure", "error", "skipped") if x.find(kind) is not None
    ]
    return 0 if wrong else len(cases)


def unchanged(task: Task, since: float) -> bool:
    """Whether all that a task depends on is older than a time, in seconds since 1970."""
    return all(path.stat().st_mtime < since for x in task.inputs for path in files(ROOT / x))


def main(argv: Sequence[str] | None = None) -> int:
    (path,) = sys.argv[1:] if argv is None else argv
    suite = ElementTree.parse(Path(path)).getroot().find("testsuite")
    assert suite is not None
    begun = datetime.fromisoformat(suite.get("timestamp", "")).timestamp()
    (step,) = (step for step in STEPS if step.name == "property tests")
    for task in step.tasks(Scope((), own=True)):
        if task.call is checks.pytest and unchanged(task, begun):
            tests = count(suite, task.arguments)
            if tests:
                keep(task, key(task), Result(PASS, tests, "tests"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
