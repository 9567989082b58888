"""RTL against the specification: some units, and the core, on two simulators; the gate runs all."""

import pytest

from unmask.spec import binding as bindings
from unmask.spec.contracts.sequenced import UNITS
from unmask.tests.cosim import jobs
from unmask.tests.cosim.paths import RTL
from unmask.tests.cosim.runner import available, simulate

SOME = ("vector/v_red_max_idx", "scalar/s_add_int", "scalar/s_mul_fp", "softmax/v_red_sm")
SIMULATORS = ["verilator"] + (["icarus"] if available("icarus") else [])


@pytest.mark.parametrize("simulator", SIMULATORS)
@pytest.mark.parametrize("name", SOME)
def test_unit(name, simulator):
    binding = bindings.load(RTL / f"{name}.toml")
    outcome = simulate(jobs.unit_job(binding, binding.sizes["simulate"][0], simulator, 50))
    assert outcome.failure is None, outcome.failure
    assert outcome.examples >= 50


@pytest.mark.parametrize("simulator", SIMULATORS)
@pytest.mark.parametrize("name", ["rank"])
def test_unit_with_memory_ports(name, simulator):
    outcome = simulate(jobs.sequenced_job(UNITS[name], jobs.sequenced_size(4), simulator, 20))
    assert outcome.failure is None, outcome.failure
    assert outcome.examples >= 20


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_core(simulator):
    outcome = simulate(jobs.core_job(simulator, 60))
    assert outcome.failure is None, outcome.failure
    assert outcome.examples >= 60


def test_core_on_a_real_row():
    outcome = simulate(jobs.real_rows_job(126_464, 2, 8))
    assert outcome.failure is None, outcome.failure
    assert (outcome.examples, outcome.facts["vocabulary"]) == (2, 126_464)
