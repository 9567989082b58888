"""Units of the gate's work: tasks, their results, a scheduler on processes, a cache.

A task is a top-level function with plain arguments, so that it can run in another process. Its key
is a hash of all that its result can depend on; a result that passed is kept under
`build/gate-cache` and taken from there while the key stays the same. Failures are never cached.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from unmask.spec.errors import UsageError
from unmask.tests.cosim.paths import BUILD, ROOT

PASS, FAIL, NOT_RUN, ERROR = "PASS", "FAIL", "NOT RUN", "ERROR"


@dataclass(frozen=True)
class Result:
    """What a task found.

    Attributes:
        verdict: PASS, FAIL, NOT RUN (a tool is absent) or ERROR (the check could not run).
        count: how many things were checked; a PASS with 0 is turned into a FAIL.
        unit: what they are ("examples", "theorems", ...).
        detail: for a person, on failure: decoded case and the command that replays it.
        facts: figures for the report and `gate.json`.
        files: files that the task made and later tasks read -> their SHA-256.
    """

    verdict: str
    count: int
    unit: str
    detail: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    cached: bool = False


@dataclass(frozen=True)
class Task:
    """One piece of a step.

    Attributes:
        step: name of the row of the gate's table that it belongs to.
        name: unique.
        call: top-level function that returns a `Result`.
        arguments: for it, picklable, with a stable `repr`.
        inputs: files and folders (below the root) that the result depends on.
        after: names of tasks that must have passed; if one did not, this is not run.
        cost: rough seconds; the dearest start first, so that none runs alone at the end.
    """

    step: str
    name: str
    call: Callable[..., Result]
    arguments: tuple[Any, ...] = ()
    inputs: tuple[Path | str, ...] = ()
    after: tuple[str, ...] = ()
    cost: int = 5


Progress = Callable[[str, Task, Result | None], None]


def run(
    tasks: Sequence[Task], workers: int, use_cache: bool, progress: Progress
) -> dict[str, Result]:
    """Run tasks, `workers` at a time, dependencies first. Returns results by task name.

    `progress` is called with ("start" | "done", task, result).
    """
    names = [task.name for task in tasks]
    unknown = {name for task in tasks for name in task.after} - set(names)
    if unknown or len(names) != len(set(names)):
        raise ValueError(f"tasks of one name, or after an unknown one: {unknown or names}")
    results: dict[str, Result] = {}
    waiting = sorted(tasks, key=lambda task: -task.cost)
    keys = {task.name: key(task) for task in tasks} if use_cache else {}
    running: dict[Future[Result], Task] = {}

    def finish(task: Task, result: Result) -> None:
        results[task.name] = result
        progress("done", task, result)

    pool = ProcessPoolExecutor(workers)
    try:
        while waiting or running:
            for task in [task for task in waiting if all(name in results for name in task.after)]:
                broken = [name for name in task.after if results[name].verdict != PASS]
                kept = None if broken else _cached(task, keys.get(task.name))
                if broken:
                    finish(task, Result(NOT_RUN, 0, "", f"{broken[0]} did not pass"))
                elif kept is not None:
                    finish(task, kept)
                elif len(running) < workers:
                    progress("start", task, None)
                    running[pool.submit(guarded, task)] = task
                else:
                    break
                waiting.remove(task)
            if running:
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    task = running.pop(future)
                    try:
                        result = future.result()
                    except BrokenProcessPool:  # killed, for memory perhaps: say so, go on
                        result = Result(ERROR, 0, "", "the check's process was killed")
                        pool.shutdown(wait=False)
                        pool = ProcessPoolExecutor(workers)
                    if use_cache and result.verdict == PASS:
                        keep(task, keys[task.name], result)
                    finish(task, result)
    finally:
        pool.shutdown()
    return results


def guarded(task: Task) -> Result:
    """Run a task in this process: time it, and turn what it raises into a result."""
    begin = time.monotonic()
    try:
        result = task.call(*task.arguments)
    except UsageError as error:
        result = Result(ERROR, 0, "", str(error))
    except Exception:  # a fault of the gate itself must be shown, not lost
        result = Result(ERROR, 0, "", traceback.format_exc())
    if result.verdict == PASS and result.count == 0:
        result = replace(result, verdict=FAIL, detail="green, but nothing was checked")
    return replace(result, seconds=time.monotonic() - begin)


def key(task: Task) -> str:
    """Hash of everything that a task's result can depend on."""
    digest = hashlib.sha256()
    digest.update(repr((task.name, task.call.__qualname__, task.arguments, tools())).encode())
    for path in sorted({file for entry in task.inputs for file in files(ROOT / entry)}):
        digest.update(str(path).encode() + b"\0" + _content(path))
    return digest.hexdigest()


def files(path: Path) -> Iterator[Path]:
    """The files at or below a path, whatever their names; caches and hidden files left out.

    Raises:
        UsageError: if there is nothing at the path, so that a misspelt input is not silent.
    """
    if path.is_dir():
        for entry in sorted(path.iterdir()):
            if entry.name != "__pycache__" and not entry.name.startswith("."):
                yield from files(entry)
    elif path.is_file():
        yield path
    else:
        raise UsageError("no such file or folder, though a check depends on it", str(path))


@functools.cache
def _content(path: Path) -> bytes:
    return hashlib.sha256(path.read_bytes()).digest()


@functools.cache
def tools() -> str:
    """Versions of what is not pinned by the lock file, and the lock file itself."""
    lines = [sys.version]
    for command in (["g++", "--version"], ["iverilog", "-V"]):
        if shutil.which(command[0]):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            lines += done.stdout.splitlines()[:1]
    lines.append(hashlib.sha256((ROOT / "ci" / "requirements.lock").read_bytes()).hexdigest())
    return "\n".join(lines)


def _place(task: Task) -> Path:
    name = "".join(c if c.isalnum() or c in "-_." else "_" for c in task.name)
    return BUILD / "gate-cache" / f"{name}.json"


def _cached(task: Task, wanted: str | None) -> Result | None:
    try:
        saved = json.loads(_place(task).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if wanted is None or saved["key"] != wanted:
        return None
    result = replace(Result(**saved["result"]), cached=True)
    for name, digest in result.files.items():  # what the task made must still be there, unchanged
        path = Path(name)
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            return None
    return result


def keep(task: Task, wanted: str, result: Result) -> None:
    """Let a result that passed stand for its task while the key stays the same."""
    place = _place(task)
    place.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"key": wanted, "result": asdict(result)}, default=str)
    temporary = place.with_suffix(f".{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(place)


def worst(verdicts: Iterable[str]) -> str:
    """The verdict of a step from those of its tasks."""
    found = set(verdicts)
    return next((x for x in (FAIL, ERROR, NOT_RUN, PASS) if x in found), NOT_RUN)
