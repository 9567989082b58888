"""Runs mutants, each in a process of its own, until something notices it."""

from __future__ import annotations

import gc
import os
import resource
import selectors
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from unmask.tests.mutants import loader
from unmask.tests.mutants.corpus import Corpus, Known, judge
from unmask.tests.mutants.operators import Mutant
from unmask.tests.witness.dense import Dense

ITEM_SECONDS = 2  # processor time for one situation or check; then the mutant counts as killed
CPU_SECONDS = 60  # for all of them, where no Python code runs that a signal could interrupt
WALL_SECONDS = 300  # a process that neither works nor ends
MEMORY = 3 << 30  # address space
FIRST = 30  # situations before the first dense check

# How a mutant was noticed, or that it was not.
WRONG, RAISED, TIMEOUT, SURVIVED = "wrong result", "exception", "timeout", "survived"


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant; `by` names the situation or check that noticed it."""

    mutant: Mutant
    how: str
    by: str = ""

    @property
    def killed(self) -> bool:
        return self.how != SURVIVED


class _Late(BaseException):
    """Not an Exception, so that nothing on the way takes it for one."""


def _late(*_: object) -> None:
    raise _Late


def _try(mutant: Mutant, corpus: Corpus) -> tuple[str, str]:
    """Load the mutant and look for a difference: how it was noticed, and by what."""
    tree = loader.tree_of(mutant.module)
    mutant.apply()
    by = "import"
    signal.signal(signal.SIGVTALRM, _late)
    signal.setitimer(signal.ITIMER_VIRTUAL, ITEM_SECONDS)
    try:
        code = compile(tree, str(loader.path_of(mutant.module)), "exec")
        modules = loader.load(mutant.module, code)
        three = (modules["machine"], modules["state"], modules["vectors"])
        situations, checks = corpus.concerning(mutant)
        items: list[Known | Dense] = [*situations[:FIRST], *checks, *situations[FIRST:]]
        for item in items:
            by = item.name
            signal.setitimer(signal.ITIMER_VIRTUAL, ITEM_SECONDS)
            wrong = judge(item, three) if isinstance(item, Known) else not item.agrees(modules)
            if wrong:
                return WRONG, by
    except _Late:
        return TIMEOUT, by
    except Exception:
        return RAISED, by
    return SURVIVED, ""


def _child(mutant: Mutant, corpus: Corpus, pipe: int) -> None:
    """In the forked process: the verdict into the pipe."""
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 1))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    np.seterr(all="ignore")
    how, by = _try(mutant, corpus)
    os.write(pipe, f"{how}\n{by}".encode())


def run(
    mutants: Sequence[Mutant],
    corpus: Corpus,
    jobs: int,
    told: Callable[[Verdict], None] = lambda verdict: None,
) -> list[Verdict]:
    """Verdicts in the order of `mutants`; `told` hears of each as it is known."""
    for module in {mutant.module for mutant in mutants}:
        for name in loader.affected(module):
            loader.code_of(name)
    gc.collect()
    gc.freeze()  # or each process would copy what its collector only looks at
    verdicts: dict[int, Verdict] = {}
    waiting = iter(enumerate(mutants))
    running: dict[int, tuple[int, int, float]] = {}  # pipe -> number, process, start
    with selectors.DefaultSelector() as selector:
        while True:
            while len(running) < jobs and (following := next(waiting, None)) is not None:
                number, mutant = following
                pipe, process = _start(mutant, corpus)
                running[pipe] = (number, process, time.monotonic())
                selector.register(pipe, selectors.EVENT_READ)
            if not running:
                break
            for key, _ in selector.select(timeout=1):
                pipe = key.fd
                selector.unregister(pipe)
                number, process, _ = running.pop(pipe)
                answer = os.read(pipe, 4096).decode()
                os.close(pipe)
                os.waitpid(process, 0)
                how, _, by = answer.partition("\n") if answer else (TIMEOUT, "", "")
                verdicts[number] = Verdict(mutants[number], how, by)
                told(verdicts[number])
            for _, process, start in running.values():
                if time.monotonic() - start > WALL_SECONDS:
                    os.kill(process, signal.SIGKILL)
    gc.unfreeze()
    return [verdicts[number] for number in range(len(mutants))]


def _start(mutant: Mutant, corpus: Corpus) -> tuple[int, int]:
    """Fork: (pipe to read the verdict from, process); a pipe that just ends means it was killed."""
    reading, writing = os.pipe()
    process = os.fork()
    if process:
        os.close(writing)
        return reading, process
    code: Any = 1
    try:
        os.close(reading)
        _child(mutant, corpus, writing)
        code = 0
    finally:
        os._exit(code)  # no cleanup of what belongs to the parent
