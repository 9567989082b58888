"""`python -m unmask.proofs`: prove the theorems and print the ledger."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from unmask.proofs import registry
from unmask.proofs.engine import ledger
from unmask.proofs.engine.record import PROVEN, Record
from unmask.spec.errors import UsageError


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m unmask.proofs",
        description="Prove the theorems and print the ledger. Exit code: 0 all proven, "
        "1 one is not, 2 bad input.",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="theorem, or dotted prefix")
    parser.add_argument("--list", action="store_true", help="list the theorems, prove nothing")
    parser.add_argument("--dut", type=Path, metavar="FILE.toml", help="prove your own bound unit")
    parser.add_argument(
        "--replace",
        action="append",
        default=[],
        metavar="FILE.v=OTHER.v",
        help="read OTHER.v in place of FILE.v",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the ledger as JSON too")
    parser.add_argument("--no-cache", action="store_true", help="prove again what was proven")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="processes (default 2)")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    options = _parser().parse_args(argv)
    console = Console(soft_wrap=False)
    try:
        if not 1 <= options.jobs <= 64:
            raise UsageError(f"--jobs {options.jobs}: expected 1 to 64")
        if options.list:
            _list(console, options.dut, options.names)
            return 0
        records = _prove(console, options)
        if options.json:
            _write(options.json, records)
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    console.print(_table({record.name: record for record in records}))
    failed = [record for record in records if record.verdict != PROVEN]
    for record in failed:
        console.print(f"\n[bold red]{record.verdict}[/] {escape(record.name)}")
        console.print(escape(record.detail), highlight=False, soft_wrap=True)
    console.print(f"\n{len(records) - len(failed)} of {len(records)} theorems proven")
    return 1 if failed else 0


def _list(console: Console, dut: Path | None, names: Sequence[str]) -> None:
    for theorem in registry.select(registry.theorems(dut), names):
        console.print(f"[bold]{escape(theorem.name)}[/] ({escape(theorem.bounds)})")
        console.print(escape(theorem.statement) + "\n", highlight=False)


def _prove(console: Console, options: argparse.Namespace) -> list[Record]:
    chosen = registry.select(registry.theorems(options.dut), options.names)
    rows: dict[str, Record | str | None] = {theorem.name: "" for theorem in chosen}
    with Live(console=console, refresh_per_second=4, transient=True) as live:

        def progress(name: str, record: Record | None) -> None:
            rows[name] = record
            live.update(_table(rows))

        return ledger.run(
            options.names,
            dut=options.dut,
            files=dict(map(_replacement, options.replace)),
            jobs=options.jobs,
            use_cache=not options.no_cache,
            progress=progress,
        )


def _replacement(pair: str) -> tuple[Path, Path]:
    original, _, other = pair.partition("=")
    for name in (original, other):
        if not Path(name).is_file():
            raise UsageError(f"--replace {pair}: no file {name!r}")
    return Path(original), Path(other)


def _table(rows: Mapping[str, Record | str | None]) -> Table:
    """The ledger so far; a theorem under proof has None, one that waits has a blank."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("theorem", "bounds", "engine"):
        table.add_column(title, overflow="fold")
    for title in ("cases", "s", "MB"):
        table.add_column(title, justify="right")
    for title in ("twin", "result", ""):
        table.add_column(title, overflow="fold")
    for name, row in rows.items():
        if isinstance(row, Record):
            good = row.verdict == PROVEN
            table.add_row(
                name,
                row.bounds,
                row.engine,
                str(row.obligations),
                f"{row.seconds:.1f}",
                f"{row.peak_mb:.0f}",
                "refuted" if row.twin else "-",
                f"[green]{row.verdict}[/]" if good else f"[red]{row.verdict}[/]",
                "cached" if row.cached else "fresh",
            )
        else:
            table.add_row(name, "", "", "", "", "", "", "proving" if row is None else "", "")
    return table


def _write(path: Path, records: Sequence[Record]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps([asdict(record) for record in records], indent=1)
        path.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write: {error.strerror}", str(path)) from None


if __name__ == "__main__":
    sys.exit(main())
