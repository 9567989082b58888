"""The synthesised netlist: formally equal to the RTL, and the same cosimulation runs on it."""

import re
from dataclasses import replace

import pytest

from unmask.proofs.engine import yosys
from unmask.spec import binding as bindings
from unmask.tests.cosim import jobs
from unmask.tests.cosim.paths import RTL
from unmask.tests.cosim.runner import simulate

MAX_IDX = RTL / "vector" / "v_red_max_idx.toml"
LANES = 4


@pytest.fixture(scope="module")
def netlist(tmp_path_factory):
    path = tmp_path_factory.mktemp("netlist") / "max_idx.v"
    facts = yosys.synthesise(yosys.Design.of(bindings.load(MAX_IDX), LANES), path)
    assert facts["flip_flops"] > 0
    return path


def test_same_cosimulation_on_the_netlist(netlist):
    job = jobs.unit_job(bindings.load(MAX_IDX), LANES, jobs.quick_simulator(), 60)
    outcome = simulate(jobs.on_netlist(job, netlist))
    assert outcome.failure is None, outcome.failure
    assert outcome.examples >= 60


@pytest.fixture(scope="module")
def broken(netlist):
    """The netlist with bit 0 of the result's index stuck at 0."""
    text, count = re.subn(r"(out_index_reg\[0\] <= )\S+;", r"\g<1>1'h0;", netlist.read_text())
    assert count == 1
    path = netlist.with_name("broken.v")
    path.write_text(text)
    return path


def test_equivalence_holds_and_can_fail(netlist, broken):
    gold = yosys.Design.of(bindings.load(MAX_IDX), LANES)
    same = yosys.equivalent(gold, yosys.Design((netlist,), gold.top), 8)
    assert same.equal and same.pairs > 50
    other = yosys.equivalent(gold, yosys.Design((broken,), gold.top), 8)
    assert not other.equal and other.unproven > 0


def test_functions_without_state_are_compared_as_a_whole(tmp_path):
    """A multiplier, which a search signal pair by signal pair does not answer in minutes."""
    gold = yosys.Design.of(bindings.load(RTL / "scalar" / "s_mul_int.toml"), 1)
    netlist, wrong = tmp_path / "netlist.v", tmp_path / "wrong.v"
    yosys.synthesise(gold, netlist)
    same = yosys.equivalent(gold, yosys.Design((netlist,), gold.top), 2)
    assert same.equal and same.pairs == 32
    text, count = re.subn(r"(assign out_rd\[31\] = )", r"\g<1>~", netlist.read_text())
    assert count == 1
    wrong.write_text(text)
    other = yosys.equivalent(gold, yosys.Design((wrong,), gold.top), 2)
    assert not other.equal and "in_in_rs1 = " in other.detail


def test_a_broken_netlist_fails_its_cosimulation(broken):
    job = jobs.unit_job(bindings.load(MAX_IDX), LANES, jobs.quick_simulator(), 200)
    outcome = simulate(replace(jobs.on_netlist(job, broken), name="broken-netlist"))
    assert outcome.failure is not None and "differs" in outcome.failure
