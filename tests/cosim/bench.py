"""What the cocotb test modules share: clock, four-state reads, hypothesis in one simulation.

The bench drives the clock itself: inputs change while it is low, outputs are sampled just before
it rises, which means the same thing in every simulator.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

from cocotb.task import bridge, resume
from cocotb.triggers import Timer
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

ENVIRONMENT = "UNMASK_COSIM"  # a file, JSON: the options of a run, see `runner.Job`


class Mismatch(AssertionError):
    """Hardware and specification differ; the text says where and how."""


def options() -> dict[str, Any]:
    """The options of this run."""
    text = Path(os.environ[ENVIRONMENT]).read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def read(handle: Any) -> int:
    """A signal as an unsigned integer; an X or Z in it is a mismatch."""
    text = str(handle.value)  # far cheaper than the bit-by-bit accessors of LogicArray
    try:
        return int(text, 2)
    except ValueError:
        raise Mismatch(f"{handle._name} has undefined bits: {text}") from None


def bases(bits: int, size: int) -> st.SearchStrategy[int]:
    """Where a memory of `size` bytes, a power of two, may begin, of addresses of so many bits.

    At 0, at high single bits, near the end, anywhere; and so that a 32-bit carry lies inside.
    Always a multiple of half the memory: alignment is that of addresses from 0.
    """
    carry = min(32, bits - 1)
    some = [1 << carry, (1 << carry) - size // 2, 1 << bits - 1, (1 << bits) - 2 * size]
    anywhere = st.integers(0, (1 << bits) // size - 2).map(lambda number: number * size)
    return st.sampled_from([0, 0, *some]) | anywhere


class Clocked:
    """A design whose clock the bench drives. `cycle` counts rising edges."""

    def __init__(self, dut: Any, clock: str | None) -> None:
        self.dut = dut
        self._clock = None if clock is None else getattr(dut, clock)
        self.cycle = 0

    async def settle(self) -> None:
        """Clock low; inputs written before take effect, outputs may be read."""
        if self._clock is not None:
            self._clock.value = 0
        await Timer(1, unit="ns")

    async def edge(self) -> None:
        """The rising edge."""
        if self._clock is not None:
            self._clock.value = 1
        await Timer(1, unit="ns")
        self.cycle += 1

    async def step(self) -> None:
        await self.settle()
        await self.edge()


async def explore(
    strategy: SearchStrategy[Any],
    run: Callable[[Any], Coroutine[Any, Any, Any]],
    to_json: Callable[[Any], dict[str, Any]],
    directed: Sequence[dict[str, Any]] = (),
    from_json: Callable[[dict[str, Any]], Any] = lambda case: case,
    facts: Callable[[], dict[str, Any]] = dict,
) -> None:
    """Run `directed` cases in order, then `run` on examples of `strategy`, in this simulation.

    A failure is shrunk and reported. Examples are the same in every run, unless the environment
    says UNMASK_HYPOTHESIS=explore. `facts` go into the report.

    Writes the options' `result` file: examples run, seconds, and on failure the smallest case.
    """
    option = options()
    if not await replay(directed, run, from_json):
        return
    examples = len(directed)
    failures: dict[str, str] = {}  # case as JSON -> what was wrong
    before: dict[str, list[Any]] = {}  # the same -> the case before it, whose traces it may meet
    previous: list[Any] = list(directed[-1:])
    shown, first_failure = "", 0.0
    begin = time.monotonic()

    @settings(
        max_examples=option["examples"],
        derandomize=os.environ.get("UNMASK_HYPOTHESIS") != "explore",
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        # Every example is a whole program or burst: large, and slow next to plain Python.
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(case=strategy)
    def check(case: Any) -> None:
        nonlocal examples, shown, first_failure, previous
        text = json.dumps(to_json(case))
        if failures and time.monotonic() - first_failure > option["shrink_s"]:
            if text in failures:  # the smallest so far, which hypothesis shows once more
                shown = text
                raise Mismatch(failures[text])
            return
        examples += 1
        try:
            resume(run)(case)
        except Mismatch as error:
            first_failure = first_failure or time.monotonic()
            failures[text], before[text], shown = str(error), previous, text
            raise
        finally:
            previous = [json.loads(text)]

    try:
        await bridge(check)()
    except Exception:  # several distinct failures come as a group
        if not failures:
            raise
    failure, case = (failures[shown], json.loads(shown)) if failures else (None, None)
    report(examples, time.monotonic() - begin, failure, case, before.get(shown, []), **facts())
    if failure is not None:
        raise Mismatch(failure)


async def replay(
    cases: Sequence[dict[str, Any]],
    run: Callable[[Any], Coroutine[Any, Any, Any]],
    from_json: Callable[[dict[str, Any]], Any],
) -> bool:
    """Run saved cases in order, up to the first that fails, and report it; whether all passed."""
    begin, failure, done, case = time.monotonic(), None, 0, None
    for case in cases:
        done += 1
        try:
            await run(from_json(case))
        except Mismatch as error:
            failure = str(error)
            break
    report(done, time.monotonic() - begin, failure, case, list(cases[: done - 1]))
    return failure is None


def report(
    examples: int,
    seconds: float,
    failure: str | None,
    case: Any = None,
    before: Sequence[Any] = (),
    **facts: Any,
) -> None:
    """Write the run's result file, which the runner reads.

    `before`: the cases that ran before the failing one, whose traces a core that was not reset
    may still hold; a replay runs them first.
    """
    result = {"examples": examples, "seconds": seconds, "failure": failure, "case": case}
    result |= {"before": list(before), **facts}
    Path(options()["result"]).write_text(json.dumps(result), encoding="utf-8")
