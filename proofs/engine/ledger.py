"""Runs theorems, each in a process of its own, and records what came of it.

A process of its own gives each theorem its own peak memory, and lets one that crashes or never
ends be a failed row rather than the end of the run.
"""

from __future__ import annotations

import multiprocessing
import resource
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from unmask.proofs import registry
from unmask.proofs.engine import cache
from unmask.proofs.engine.obligation import Files, Theorem, discharge
from unmask.proofs.engine.record import PROVEN, Record
from unmask.spec import command
from unmask.spec.errors import UsageError

DEADLINE_S = 600  # for a whole theorem; each solver call has its own, shorter time-out
Progress = Callable[[str, Record | None], None]  # (name, None) at the start, (name, record) after


@dataclass(frozen=True)
class Task:
    """What a worker process needs to find its theorem again."""

    name: str
    dut: Path | None
    files: Files


def run(
    names: Sequence[str] = (),
    *,
    dut: Path | None = None,
    files: Files | None = None,
    jobs: int = 2,
    use_cache: bool = True,
    progress: Progress | None = None,
) -> list[Record]:
    """Prove theorems.

    Args:
        names: names or dotted prefixes; none means all.
        dut: a binding file whose theorems are meant, instead of this repository's.
        files: Verilog file -> file to read in its place, such as one with a planted bug.
        jobs: processes at a time.
        use_cache: whether a result under build/proofs may be used; results are always stored.
        progress: called as theorems start and end.

    Returns:
        One record a theorem, in the registry's order.

    Raises:
        UsageError: on unknown names, and on bindings or Verilog that do not fit together.
    """
    swap = {path.resolve(): to.resolve() for path, to in (files or {}).items()}
    chosen = registry.select(registry.theorems(dut), names)
    tell = progress or (lambda name, record: None)
    done: dict[str, Record] = {}
    keys = {theorem.name: cache.key(theorem, swap) for theorem in chosen}
    for theorem in chosen:
        stored = cache.read(keys[theorem.name]) if use_cache else None
        if stored is not None:
            done[theorem.name] = replace(stored, cached=True)
            tell(theorem.name, done[theorem.name])
    # The larger sizes stand last; started first, they leave less for one process at the end.
    left = [theorem for theorem in reversed(chosen) if theorem.name not in done]
    for record in _in_processes(left, dut, swap, jobs, tell):
        done[record.name] = record
        if record.verdict == PROVEN:
            cache.write(keys[record.name], record)
        tell(record.name, record)
    return [done[theorem.name] for theorem in chosen]


def _in_processes(
    theorems: Sequence[Theorem], dut: Path | None, files: Files, jobs: int, tell: Progress
) -> Iterable[Record]:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    waiting = list(theorems)
    running: dict[Any, tuple[Theorem, Any, float]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < max(1, jobs):
                theorem = waiting.pop(0)
                receiver, sender = context.Pipe(duplex=False)
                task = Task(theorem.name, dut, files)
                process = context.Process(target=_work, args=(task, sender), daemon=True)
                process.start()
                sender.close()
                running[receiver] = (theorem, process, time.monotonic())
                tell(theorem.name, None)
            ready = wait(list(running), timeout=1.0)
            late = [x for x, row in running.items() if time.monotonic() - row[2] > DEADLINE_S]
            for receiver in {*ready, *late}:
                theorem, process, begin = running.pop(receiver)
                answer = _answer(receiver) if receiver in ready else "time-out"
                process.kill()
                process.join()
                yield _record(theorem, dut, files, answer, time.monotonic() - begin)
    finally:
        for _, process, _ in running.values():
            process.kill()


def _answer(receiver: Any) -> Any:
    try:
        return receiver.recv()
    except EOFError:
        return "crashed"


def _work(task: Task, sender: Connection) -> None:
    """In the worker: prove one theorem and send (outcome, peak MiB), or what went wrong."""
    answer: Any
    try:
        theorem = registry.theorems(task.dut)[task.name]
        outcome = discharge(theorem, task.files)
        kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        answer = (outcome, max(resource.getrusage(kind).ru_maxrss for kind in kinds) / 1024)
    except UsageError as error:
        answer = error
    except Exception:
        answer = traceback.format_exc()
    sender.send(answer)


def _record(
    theorem: Theorem, dut: Path | None, files: Files, answer: Any, seconds: float
) -> Record:
    if isinstance(answer, UsageError):
        raise answer
    record = Record(
        name=theorem.name,
        statement=theorem.statement,
        bounds=theorem.bounds,
        engine=theorem.engine,
        seconds=round(seconds, 2),
    )
    if isinstance(answer, str):
        verdict = answer if answer in ("time-out", "crashed") else "error"
        text = f"no end after {DEADLINE_S} s" if answer == "time-out" else answer
        return replace(record, verdict=verdict, detail=text)
    outcome, peak = answer
    return replace(
        record,
        obligations=outcome.obligations,
        peak_mb=round(peak, 1),
        twin=outcome.twin,
        witness=outcome.witness,
        verdict=outcome.verdict,
        detail=outcome.detail
        and f"{outcome.detail}\n  replay: {_replay(theorem.name, dut, files)}",
    )


def _replay(name: str, dut: Path | None, files: Files) -> str:
    options = [f"--dut {dut}"] if dut else []
    options += [f"--replace {_short(path)}={_short(to)}" for path, to in files.items()]
    return command.python("unmask.proofs", name, *options)


def _short(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
