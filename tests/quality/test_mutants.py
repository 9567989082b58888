"""The mutants' own machinery: real changes are noticed, what changes nothing is not."""

import ast
from dataclasses import replace

import pytest

from unmask.spec import arith
from unmask.spec.errors import UsageError
from unmask.tests.mutants import corpus, equivalents, loader, trial
from unmask.tests.mutants.__main__ import all_mutants, diff, faults, main, summary

ROWS = ("S_ADD_FP", "C_SET_CSR", "V_TOPK_MASK", "V_ADD_VV", "V_RED_SM", "S_LD_FP")
# In functions, in one that a table captured, at a module's level, in traps; a loop without an end.
KILLED = (
    "arith._add: large.sign ^ small.sign -> large.sign | small.sign",
    "instructions.scalar: arith.add -> arith.sub",
    "softmax.SoftmaxState.combine: a.count + b.count -> a.count - b.count",
    "softmax: 141 -> 140",
    "instructions.control._over_limit: x['rs1'] + x['imm18'] -> x['rs1']",
    "instructions.rules.overlap.condition: to.ult(from_ + n) -> to.ule(from_ + n)",
    "arith.normalise: step >>= 1 -> (left out)",
)


@pytest.fixture(scope="module")
def made():
    return {mutant.name: mutant for mutant in all_mutants()}


@pytest.fixture(scope="module")
def small():
    return corpus.build(25, rows=ROWS, groups=("constants",))


def test_names_are_unique_and_many(made):
    assert len(made) == len(all_mutants()) > 1000


def test_seeded_mutants_are_killed_and_a_change_of_nothing_survives(made, small):
    chosen = [made[name] for name in KILLED]
    one = chosen[0]
    parent, field, index = one.place
    same = getattr(parent, field) if index is None else getattr(parent, field)[index]
    verdicts = trial.run([*chosen, replace(one, value=same, mutated=one.original)], small, jobs=2)
    assert [x.mutant.name for x in verdicts[:-1] if not x.killed] == []
    assert verdicts[-1].how == trial.SURVIVED
    facts = summary(verdicts, {KILLED[0]: "a wrong reason"}, whole=False)
    assert len(facts["unresolved"]) == 1 and facts["killed"] == len(chosen)
    assert len(facts["listed but killed"]) == 1 and len(faults(facts)) == 2


def test_listed_mutants_exist(made):
    assert [name for name in equivalents.load() if name not in made] == []


def test_a_listed_mutant_that_is_gone_is_an_error():
    facts = summary([], {"arith.nothing: a -> b": "gone"}, whole=True)
    assert faults(facts) == ["listed but gone: arith.nothing: a -> b"]


def test_a_mutant_changes_the_text_only_while_it_runs(made):
    before = ast.dump(loader.tree_of("arith"))
    shown = diff(next(x for x in made.values() if x.module == "arith"))
    assert "\n-" in shown and "\n+" in shown
    assert ast.dump(loader.tree_of("arith")) == before
    assert arith.add.__module__ == "unmask.spec.arith"


def test_what_depends_on_a_module_is_loaded_anew():
    affected = loader.affected("arith")
    assert affected[0] == "arith" and affected[-1] == "machine" and "bits" not in affected
    assert {"mx", "instructions.scalar", "isa"} <= set(affected)


def test_bad_input(tmp_path, capsys):
    assert main(["--module", "nothing"]) == 2
    assert main(["--sample", "0"]) == 2
    assert "no module 'nothing'" in capsys.readouterr().err
    file = tmp_path / "list.toml"
    for text in ("[", "[[equivalent]]\nmutants = ['a']", "[[equivalent]]\nreason = 'r'"):
        file.write_text(text)
        with pytest.raises(UsageError):
            equivalents.load(file)
    file.write_text("[[equivalent]]\nreason = 'r'\nmutants = ['a', 'a']")
    with pytest.raises(UsageError, match="twice"):
        equivalents.load(file)
