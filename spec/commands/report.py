"""What `certify` prints and writes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unmask.spec.certificates.certificate import BatchRow, Certificate, Position

SHOWN = 100  # positions printed at most
HEAD = ("step", "row", "position", "token", "chosen", "confidence", "margin", "sets")
Line = tuple[str, ...]


def show(
    steps: Sequence[Certificate],
    path: Path,
    shape: tuple[int, ...],
    contract: str,
    parameters: Mapping[str, Any],
) -> None:
    """The summary, then a table of positions."""
    sizes = ", ".join(f"{name} = {size:,}" for name, size in zip("TBLV", shape, strict=True))
    given = "".join(f", {name} = {_short(value)}" for name, value in parameters.items())
    print(f"{path}: {sizes}; {contract}{given}")
    for text, count, of in summary(steps):
        print(f"  {text:56} {count:>7,} of {of:<7,} {count / of:8.2%}" if of else f"  {text}: none")
    rounded = sum(step.rounded for step in steps)
    if rounded:
        print(f"  {rounded:,} logits were not BF16 and were rounded; all is said of the rounded")
    lines = [
        _line(number, batch, position, row)
        for number, step in enumerate(steps)
        for batch, row in enumerate(step.rows)
        for position in row.positions
    ]
    _table(lines[:SHOWN])
    if len(lines) > SHOWN:
        print(f"and {len(lines) - SHOWN:,} positions more: --json writes all")
    for number, step in enumerate(steps):
        for batch, row in enumerate(step.rows):
            if row.refused:
                print(f"step {number}, row {batch}: NOT ADMISSIBLE: {row.refused}")


def summary(steps: Sequence[Certificate]) -> list[tuple[str, int, int]]:
    """What, of how many sets (or tokens), of how many."""
    rows = [row for step in steps for row in step.rows]
    known = [row for row in rows if row.exact is not None]
    lines = [
        ("certified equal to exact arithmetic", sum(row.certified for row in rows), len(rows)),
        ("equal to it, of those computed exactly", sum(bool(r.equal) for r in known), len(known)),
        ("admissible, of the same", sum(row.refused is None for row in known), len(known)),
    ]
    for dtype in steps[0].rows[0].pytorch:
        own = ", the contract's" if dtype == steps[0].dtype else ""
        count = sum(row.pytorch[dtype] for row in rows)
        lines.append((f"certified equal to PyTorch in {dtype}{own}", count, len(rows)))
    asked = [(row, x) for row in rows for x in row.positions]
    same = sum(bool(row.tokens[steps[0].dtype][x.position]) for row, x in asked)
    lines.append((f"tokens certified equal to PyTorch in {steps[0].dtype}", same, len(asked)))
    return lines


def facts(steps: Sequence[Certificate], path: Path, contract: str) -> dict[str, Any]:
    """All of it, for JSON; an infinite margin is null."""
    return {
        "logits": str(path),
        "contract": contract,
        "dtype": steps[0].dtype,
        "shape": [len(steps), *steps[0].shape],
        "rounded": sum(step.rounded for step in steps),
        "summary": [{"what": what, "count": n, "of": of} for what, n, of in summary(steps)],
        "steps": [[_row(row) for row in step.rows] for step in steps],
    }


def _row(row: BatchRow) -> dict[str, Any]:
    return {
        "certified": row.certified,
        "equal": row.equal,
        "refused": row.refused,
        "pytorch": dict(row.pytorch),
        "as_published": dict(row.as_published),
        "transfer": [int(x) for x in row.transfer.nonzero()[0]],
        "positions": [
            {
                **vars(x),
                "margin": None if math.isinf(x.margin) else x.margin,
                "token_as_pytorch": {
                    dtype: bool(of[x.position]) for dtype, of in row.tokens.items()
                },
            }
            for x in row.positions
        ],
    }


def _line(step: int, batch: int, x: Position, row: BatchRow) -> Line:
    where = "all" if x.must else "some" if x.may else "none"
    return (
        str(step),
        str(batch),
        str(x.position),
        str(x.token),
        "yes" if x.chosen else "",
        "NaN" if x.confidence is None else _interval(*x.confidence),
        "-" if math.isinf(x.margin) else f"{x.margin:.3g}",
        where,
    )


def _interval(low: float, high: float) -> str:
    """Two numbers, or what they have in common; near 1, what they leave of it."""
    if low > 0.99:
        return f"1 - {1 - low:.5g} to 1 - {1 - high:.5g}"
    return f"{low:.7g} to {high:.7g}"


def _short(value: Any) -> str:
    return str(value) if isinstance(value, int | float | list) else "..."


def _table(lines: Sequence[Line]) -> None:
    try:
        from rich.console import Console
        from rich.table import Table
    except ImportError:
        _plain(lines)
        return
    table = Table(box=None, pad_edge=False)
    for name in HEAD:
        table.add_column(name, justify="right", no_wrap=True)
    for line in lines:
        table.add_row(*line)
    Console(highlight=False).print(table)


def _plain(lines: Sequence[Line]) -> None:
    widths = [max(map(len, column)) for column in zip(HEAD, *lines, strict=True)]
    for line in (HEAD, *lines):
        print("  ".join(f"{text:>{width}}" for text, width in zip(line, widths, strict=True)))
