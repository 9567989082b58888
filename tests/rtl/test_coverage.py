"""Coverage: bins follow from the table, counts add up, floors and reasons are held to the truth."""

import json
from collections import Counter

import pytest

from unmask.spec import isa
from unmask.spec.encoding import Trap
from unmask.spec.errors import UsageError
from unmask.tests.cosim import aimed, coverage
from unmask.tests.cosim.bins import NO_ROW, RUN, every
from unmask.tests.cosim.coverage import Covered, Goals
from unmask.tests.cosim.paths import RTL
from unmask.tests.strategies import SMALL

SOURCE = RTL / "frontend" / "unmask_host.v"
FLOOR = {"bins": 0.5, "lines": 0.5, "toggles": 0.5}


def counted(line: int, kind: str, what: str, instance: str, times: int) -> str:
    keys = {"f": SOURCE, "l": line, "n": 9, "page": f"{kind}/unmask_host", "o": what, "h": instance}
    return f"C '{''.join(f'{chr(1)}{k}{chr(2)}{v}' for k, v in keys.items())}' {times}\n"


def covered(bins: dict[str, int], text: str = "") -> Covered:
    return Covered(bins, coverage.points(text), 3)


def test_every_row_has_a_bin_for_each_way_to_end():
    found: dict[str, set[str]] = {}
    names = [str(x) for x in every()]
    assert len(names) == len(set(names))
    for kind in every():
        found.setdefault(kind.what, set()).add(kind.end)
    assert found.keys() == {NO_ROW, RUN, *(row.mnemonic for row in isa.TABLE)}
    for row in isa.TABLE:
        assert {"NONE", *(cause.name for cause, _ in row.traps)} <= found[row.mnemonic]
        assert ("FATAL" in found[row.mnemonic]) == (row.transfers is not None)
    assert {cause.name for cause in Trap} <= found[RUN]


def test_cases_show_the_bins_that_they_aim_at():
    wanted = [x for x in every() if x.what in ("V_ADD_VV", "S_ST_KEY", "C_LOOP_END")]
    cases = aimed.cases(SMALL, wanted)
    shown = set().union(*(aimed._shown(case, SMALL) for case in cases))
    assert len([x for x in wanted if x not in shown]) <= 1
    assert aimed.cases(SMALL, wanted) == cases


def test_copies_of_a_unit_count_together_and_benches_do_not():
    text = counted(5, "v_line", "if", "a", 0) + counted(5, "v_line", "if", "b", 2)
    text += counted(6, "v_toggle", "x[0]:0->1", "a", 0) + counted(
        7, "v_branch", "cond_then", "a", 0
    )
    other = counted(9, "v_line", "if", "a", 1).replace(str(SOURCE), str(RTL.parent / "bench.v"))
    made = covered({}, f"# a comment\n{text}{other}")
    assert made.units == ["frontend/unmask_host"]
    assert (made.share("lines").reached, made.share("lines").total) == (1, 2)
    assert (made.share("toggles").reached, made.share("toggles").total) == (0, 1)
    twice = made.points + Counter()
    twice.update(coverage.points(text))
    assert max(twice.values()) == 4


def test_a_missed_floor_is_said():
    made = covered({"a, b": 1, "a, c": 0, "d, e": 0})
    (line,) = coverage.below(made, Goals(FLOOR, (), ()))
    assert line == "bins: 1 of 3, 33.3 %; the floor is 50.0 %"
    assert coverage.below(covered({"a, b": 1}), Goals(FLOOR, (), ())) == []


@pytest.mark.parametrize(
    ("aims", "text"),
    [
        (Goals(FLOOR, (("z, *", "why"),), ()), "pattern 'z, *' is no bin"),
        (Goals(FLOOR, (("a, *", "why"),), ()), "pattern 'a, *': bin 'a, b' is seen"),
        (Goals(FLOOR, (), (("x/y", "why"),)), "unit 'x/y' has no line that is not reached"),
    ],
)
def test_a_reason_for_nothing_is_refused(aims, text):
    made = covered({"a, b": 1, "d, e": 0}, counted(5, "v_line", "if", "a", 0))
    with pytest.raises(UsageError) as error:
        made.missed(aims)
        made.lines_missed(aims)
    assert text in str(error.value) and "coverage.toml" in str(error.value)


def test_the_page_and_the_facts(tmp_path):
    made = covered(
        {"V_ADD_VV, RANGE": 0, "V_ADD_VV, no trap": 2}, counted(5, "v_line", "if", "a", 0)
    )
    aims = Goals(
        FLOOR, (("V_ADD_VV, RANGE", "it is hard"),), (("frontend/unmask_host", "elsewhere"),)
    )
    page = coverage.write(made, aims, tmp_path).read_text()
    assert "it is hard" in page and "elsewhere" in page and "unmask_host.v:5" in page
    facts = json.loads((tmp_path / "coverage.json").read_text())
    assert facts["missed"] == [{"bin": "V_ADD_VV, RANGE", "why": "it is hard"}]
    assert facts["shares"]["bins"] == {"reached": 1, "total": 2}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("floor = 1", "no floors and reasons"),
        ("[floor]\nbins = 2\nlines = 0\ntoggles = 0", "floor.bins is 2.0; expected 0 to 1"),
        ("[floor", "Expected"),
    ],
)
def test_bad_goals(text, message, tmp_path):
    path = tmp_path / "goals.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=message) as error:
        coverage.goals(path)
    assert "goals.toml" in str(error.value)
    with pytest.raises(UsageError, match="cannot read"):
        coverage.goals(tmp_path / "none.toml")


def test_our_goals_are_read():
    assert coverage.goals().floor.keys() == FLOOR.keys()
