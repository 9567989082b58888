"""A file dropped into `cases` is a test: a counterexample once found must pass for ever.

Files are what the cosimulation saves (`counterexample.json`), renamed to say what was wrong. All
cases of one unit, or of the core, run in one simulation.
"""

from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import pytest

from unmask.tests.cosim import jobs
from unmask.tests.cosim.runner import load_counterexample, simulate

CASES = sorted(Path(__file__).parent.glob("cases/*.json"))


def grouped():
    """(module, top, parameters) -> the job of the first such file, and all their cases."""
    groups = defaultdict(list)
    for path in CASES:
        job = load_counterexample(path)
        groups[(job.module, job.top, str(job.parameters), str(job.options.get("lanes")))].append(
            (job, job.options["cases"])
        )
    return groups


@pytest.mark.parametrize("group", grouped().values(), ids=lambda group: group[0][0].top)
def test_saved_cases_agree_now(group):
    job = group[0][0]
    outcome = simulate(
        replace(
            job,
            name=f"regressions-{job.top}",
            simulator=jobs.quick_simulator(),
            options={**job.options, "cases": [case for _, cases in group for case in cases]},
            waves=False,
        )
    )
    assert outcome.failure is None, outcome.failure
    assert outcome.examples == sum(len(cases) for _, cases in group)


def test_the_published_faults_are_among_them():
    """Faults of the published reference that have a counterpart here."""
    names = {path.stem for path in CASES}
    assert names >= {
        "running-max-from-zero",
        "vocabulary-tail-dropped",
        "last-lane-dropped",
        "ties",
    }
