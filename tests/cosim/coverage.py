"""Coverage of the core: lines, branches and toggles by Verilator, functional bins by the table.

Drawn programs, random words and cases that aim at bins run on one build that counts, in lockstep as
ever. `coverage.toml` has the floors, and the reasons of what is never reached.
"""

from __future__ import annotations

import fnmatch
import json
import re
import tomllib
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import jinja2

from unmask.spec.errors import UsageError
from unmask.tests.cosim import jobs
from unmask.tests.cosim.bins import RUN, every
from unmask.tests.cosim.paths import BUILD, RTL
from unmask.tests.cosim.runner import Outcome, simulate

HERE = Path(__file__).parent
GOALS = HERE / "coverage.toml"
PROGRAMS, WORDS = 200, 1000  # drawn
KINDS = {"v_line": "lines", "v_branch": "lines", "v_toggle": "toggles"}
_FIELD = re.compile("\x01(\\w+)\x02([^\x01']*)")

Points = Counter[tuple[str, str, str]]  # (unit, "lines" or "toggles", place) -> times


@dataclass(frozen=True)
class Share:
    """How much of something was reached."""

    reached: int
    total: int

    @property
    def ratio(self) -> float:
        return self.reached / self.total if self.total else 1.0

    def __str__(self) -> str:
        return f"{self.reached:,} of {self.total:,}, {100 * self.ratio:.1f} %"


@dataclass(frozen=True)
class Goals:
    """Floors by name, and (pattern, why) of bins and of units whose lines are not reached."""

    floor: Mapping[str, float]
    bins: tuple[tuple[str, str], ...]
    lines: tuple[tuple[str, str], ...]


def goals(path: Path = GOALS) -> Goals:
    """The file's floors and reasons.

    Raises:
        UsageError: names the file and what is wrong in it.
    """
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
        floor = {name: float(found["floor"][name]) for name in ("bins", "lines", "toggles")}
        bins = tuple((x["pattern"], x["why"]) for x in found.get("bins", ()))
        lines = tuple((x["unit"], x["why"]) for x in found.get("lines", ()))
    except OSError as error:
        raise UsageError(f"cannot read: {error.strerror}", str(path)) from None
    except tomllib.TOMLDecodeError as error:
        raise UsageError(str(error), str(path)) from None
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f"no floors and reasons: {error!r}", str(path)) from None
    for name, value in floor.items():
        if not 0 <= value <= 1:
            raise UsageError(f"floor.{name} is {value}; expected 0 to 1", str(path))
    return Goals(floor, bins, lines)


@dataclass(frozen=True)
class Covered:
    """What runs have reached.

    Attributes:
        bins: every bin, and how often it was seen.
        points: of Verilator.
        programs: that were compared.
    """

    bins: Mapping[str, int]
    points: Points
    programs: int

    def share(self, kind: str, unit: str | None = None) -> Share:
        """Of "bins", "lines" or "toggles", of one unit or all."""
        if kind == "bins":
            return Share(sum(map(bool, self.bins.values())), len(self.bins))
        found = [n for (u, k, _), n in self.points.items() if k == kind and unit in (None, u)]
        return Share(sum(map(bool, found)), len(found))

    @property
    def units(self) -> list[str]:
        return sorted({unit for unit, _, _ in self.points})

    def missed(self, aims: Goals) -> list[tuple[str, str]]:
        """Bins never seen, each with the reason.

        Raises:
            UsageError: on a reason for what is seen, or for what is no bin.
        """
        for pattern, _ in aims.bins:
            match = [name for name in self.bins if name == pattern or _like(name, pattern)]
            if not match:
                raise UsageError(f"pattern {pattern!r} is no bin", str(GOALS))
            if seen := [name for name in match if self.bins[name]]:
                raise UsageError(f"pattern {pattern!r}: bin {seen[0]!r} is seen", str(GOALS))
        return [
            (name, next((why for p, why in aims.bins if p == name or _like(name, p)), "not drawn"))
            for name, times in self.bins.items()
            if not times
        ]

    def lines_missed(self, aims: Goals) -> list[tuple[str, str, str]]:
        """(unit, line of the source, reason) of lines and branches that are never reached.

        Raises:
            UsageError: on a reason for a unit that has none, or is none.
        """
        reasons = dict(aims.lines)
        found = sorted(
            (unit, int(place.split()[0]), place)
            for (unit, kind, place), times in self.points.items()
            if kind == "lines" and not times
        )
        if stale := reasons.keys() - {unit for unit, _, _ in found}:
            raise UsageError(f"unit {min(stale)!r} has no line that is not reached", str(GOALS))
        return [(unit, place, reasons.get(unit, "not drawn")) for unit, _, place in found]


def _like(name: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(name, pattern)


def points(text: str) -> Points:
    """What a file of Verilator's counts, of our units; copies of a unit count together.

    The format has a line for each point: C 'keys and values' count.
    """
    found: Points = Counter()
    for line in text.splitlines():
        if not line.startswith("C "):
            continue
        keys, _, times = line.rpartition("' ")
        fields = dict(_FIELD.findall(keys))
        path, kind = Path(fields["f"]), KINDS.get(fields["page"].split("/")[0])
        if kind is None or RTL not in path.parents:
            continue
        unit = str(path.relative_to(RTL).with_suffix(""))
        place = f"{fields['l']} {fields['o']} {fields['n']}"
        found[unit, kind, place] += int(times)
    return found


def run(programs: int = PROGRAMS, words: int = WORDS) -> tuple[Covered, Outcome | None]:
    """Simulate and count; the outcome that failed, if one did, ends it."""
    seen: Counter[str] = Counter()
    reached: Points = Counter()
    done = 0
    for job in jobs.coverage_jobs(programs, words):
        if job.module == "aimed":
            job = replace(job, options={**job.options, "seen": sorted(seen)})
        outcome = simulate(job)
        if outcome.failure is not None:
            return Covered({}, reached, done), outcome
        done += outcome.facts.get("programs", outcome.examples)
        seen.update(outcome.facts["bins"])
        counts = BUILD / "cosim" / job.name / "coverage.dat"
        reached.update(points(counts.read_text(encoding="utf-8")))
    return Covered({str(x): seen[str(x)] for x in every()}, reached, done), None


def below(covered: Covered, aims: Goals) -> list[str]:
    """The floors that are missed, a line each."""
    return [
        f"{name}: {covered.share(name)}; the floor is {100 * floor:.1f} %"
        for name, floor in aims.floor.items()
        if covered.share(name).ratio < floor
    ]


def write(covered: Covered, aims: Goals, folder: Path) -> Path:
    """index.html and coverage.json in a folder; returns the first."""
    folder.mkdir(parents=True, exist_ok=True)
    kinds = ("bins", "lines", "toggles")
    shares = {kind: covered.share(kind) for kind in kinds}
    units = [(u, covered.share("lines", u), covered.share("toggles", u)) for u in covered.units]
    missed, lines = covered.missed(aims), covered.lines_missed(aims)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    page = folder / "index.html"
    page.write_text(
        environment.get_template("coverage.html.j2").render(
            shares=shares,
            floor=aims.floor,
            units=units,
            table=_table(covered.bins),
            missed=missed,
            lines=[(u, place, _source(u, place), why) for u, place, why in lines],
            programs=covered.programs,
        ),
        encoding="utf-8",
    )
    facts: dict[str, Any] = {
        "programs": covered.programs,
        "shares": {kind: asdict(share) for kind, share in shares.items()},
        "units": {u: {"lines": asdict(a), "toggles": asdict(b)} for u, a, b in units},
        "bins": dict(covered.bins),
        "missed": [{"bin": name, "why": why} for name, why in missed],
    }
    (folder / "coverage.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")
    return page


def _table(bins: Mapping[str, int]) -> dict[str, list[tuple[str, int]]]:
    """First part of a bin's name -> (the rest, times)."""
    rows: dict[str, list[tuple[str, int]]] = {}
    for name, times in bins.items():
        what, _, rest = name.partition(", ")
        rows.setdefault(what, []).append((rest, times))
    runs = rows.pop(RUN, [])
    return rows | {RUN: runs}


def _source(unit: str, place: str) -> str:
    lines = (RTL / f"{unit}.v").read_text(encoding="utf-8").splitlines()
    return lines[int(place.split()[0]) - 1].strip()
