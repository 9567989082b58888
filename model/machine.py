"""Fast bit-exact execution with cycles.

The model is the specification's interpreter with two additions: vector work runs on whole arrays,
with tables made from the specification's own functions, and each retired instruction carries the
cycles in which it issues, retires and completes. `model/README.md` says which these are; what a
single instruction costs is in its row of the table (`Instruction.cycles`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from unmask.model.memory import Memory, Transfer, bursts, transfer_of
from unmask.model.pipeline import Footprint, Pipeline
from unmask.model.settings import Bus, Core, Profile
from unmask.spec import isa
from unmask.spec.bits import Bits, arrays, ints
from unmask.spec.encoding import Effect, Instruction, Step, Trap
from unmask.spec.formats import order_key
from unmask.spec.machine import Access, Decoded, Machine, Retired
from unmask.spec.reductions import INDEX_WIDTH, MaxIndex
from unmask.spec.softmax import SoftmaxState, State, lane_of
from unmask.spec.state import Config, plain, softmax_of
from unmask.spec.vectors import CODES, Each, Whole

COUNTED = 1024  # elements from which on a row is counted, not folded


@dataclass(frozen=True)
class Timed:
    """A retired instruction and its clock cycles.

    Attributes:
        record: what it did.
        issue, retire: the first and last cycle in which the front end is at it.
        complete: the cycle after which everything it did can be seen: `retire`, but for memory
            instructions, which go on after they retired.
    """

    record: Retired
    issue: int
    retire: int
    complete: int


@cache
def order_keys() -> NDArray[np.uint16]:
    """`order_key` of all 65,536 BF16 codes; 128 KiB."""
    return order_key(arrays(16, np.arange(1 << 16))).value.astype(np.uint16)


class Codes(NamedTuple):
    """BF16 elements that stand for their softmax lanes."""

    code: Bits


class Fast(Whole):
    """Vectors on arrays; the running argmax by its keys alone, softmax states by counting codes."""

    def table(self, function: Callable[[Bits], Any], vector: Bits) -> Any:
        """As `Whole.table`; lanes of long rows stay codes."""
        if function is lane_of and vector.value.size >= COUNTED and counting() is not None:
            return Codes(vector)
        return super().table(function, vector)

    def reduce(self, reduction: Any, start: Any, *operands: Any) -> Any:
        """As `Whole.reduce`; numpy's argmax takes the first of equals too."""
        if isinstance(operands[0], Codes):
            return _counted(start, *operands)
        if reduction is not MaxIndex or self.length(operands[0]) == 0:
            return super().reduce(reduction, start, *operands)
        codes, indices = operands
        place = int(order_keys()[codes.value].argmax())
        winner = MaxIndex.lane(self.at(codes, place), self.at(indices, place))
        return MaxIndex.combine(start, winner)


@cache
def counting() -> Any:
    """The compiled functions that count a row's codes; None where numba is not installed."""
    try:
        from unmask.spec.sampler import counting as compiled
    except ImportError:
        return None
    return compiled


def _counted(start: State, codes: Codes, indices: Bits, flags: Bits | None = None) -> State:
    """`start` and a row: a state is a function of how often each code occurs, and where first.

    Args:
        indices: consecutive modulo 2**32. Where they wrap, two rows begin: of equals the lower
            index wins, not the first place.
    """
    kernel, row = counting(), codes.code.value.astype(np.uint16)
    counts, found = np.zeros(CODES, np.int32), np.empty(CODES, np.uint16)
    packed = np.empty(len(plain(start)), np.int64)
    wrap = min(row.size, (1 << INDEX_WIDTH) - int(indices.value[0]))
    if flags is not None:
        marks = ints(2, int(np.bitwise_or.reduce(flags.value)))
        start = start._replace(flags=start.flags | marks)
    for first, part in ((0, row[:wrap]), (wrap, row[wrap:])):
        if part.size:
            kernel.row_state(part, kernel.by_code(), counts, found, packed)
            values = packed.tolist()
            values[1] += int(indices.value[first])
            start = SoftmaxState.combine(start, softmax_of(tuple(values)))
    return start


FAST = Fast()


class Model(Machine):
    """A core that runs one program, with cycles.

    Args:
        program, config: as `unmask.spec.machine.Machine`.
        table: the instructions that exist.
        memory: the bus and what is behind it; default: a beat a cycle after one cycle, on the
            channels of the configuration.
        vectors: how vector work runs.
        faulty: ranges of HBM addresses, in whole beats, that answer with a bus error.

    Attributes:
        moved: transfers so far, each with whether it writes HBM.
        touched: the footprint of the last instruction; None if it trapped.
    """

    def __init__(
        self,
        program: Sequence[int],
        config: Config | None = None,
        table: isa.Table = isa.TABLE,
        memory: Memory | None = None,
        vectors: Each | Whole = FAST,
        faulty: Sequence[tuple[int, int]] = (),
    ) -> None:
        super().__init__(program, config, vectors, table, faulty)
        self.memory = memory or Memory(at_once(self.config))
        self._pipeline = Pipeline(self.config.vlen, self.memory)
        self.moved: list[tuple[Transfer, bool]] = []
        self.touched: Footprint | None = None
        self._times = (0, 0, 0)  # of the last record
        self._examined = 0  # words that the last instruction looked at before it trapped

    def trace(self) -> Iterator[Timed]:
        """Retire instructions, with their cycles, until the program stops or traps."""
        for record in self.run():
            yield Timed(record, *self._times)

    def halt(self) -> Timed | None:
        """End the run here, by the host: the FATAL of the oldest transfer that failed, if one did.

        What is under way goes on to its end first. A halt hides no failure.
        """
        self.stopped = True
        return None if self._failed is None else Timed(self._give_up(), *self._times)

    def _admits(self, decoded: Decoded, effect: Effect, examined: int) -> bool:
        row, vlen, pipeline = decoded.row, self.config.vlen, self._pipeline
        touched = self.footprint(row, effect)
        issue = pipeline.issue(touched, effect.stop)
        if issue > pipeline.fault:
            return False
        length = 0 if row.length is None else row.length(self._operands)
        cycles = row.cycles(Step(vlen, self.state.vl, examined, length))
        self._times = pipeline.place(cycles, touched, issue)
        self.touched = touched
        if touched.transfer is not None:
            self.moved.append((touched.transfer, touched.stores))
        return True

    def _bus_error(self, decoded: Decoded, effect: Effect) -> Retired | None:
        record, touched = super()._bus_error(decoded, effect), self.touched
        if record is not None and touched is not None and touched.stores:
            assert touched.transfer is not None
            record.fault = min(
                first
                for first, beats in bursts(touched.transfer, self.memory.bus)
                if any(f <= beat < end for beat in beats for f, end in self.faulty)
            )
        return record

    def _fail(self, failed: Retired) -> None:
        super()._fail(failed)
        self._times = (*self._times[:2], self._pipeline.fail())

    def footprint(self, row: Instruction, effect: Effect) -> Footprint:
        """What the instruction whose operands are bound touches."""
        x = self._operands
        writes = [Access(memory, at.as_int(), at.as_int() + 1) for memory, at, _ in effect.stores]
        for write in effect.writes:
            first, length = write.address.as_int(), x.vectors.length(write.values)
            if length:  # of HBM the spans below count
                writes.append(Access(write.memory, first, first + length))
        if effect.softmax is not None:
            number = x.state_number(effect.softmax[0])
            writes.append(Access("softmax", number, number + 1))
        if row.transfers is None:
            return Footprint(row, tuple(x.reads), tuple(writes))
        spans = [Access("hbm", x.number(s.first), x.number(s.end)) for s in row.transfers(x)]
        return Footprint(row, whole(x.reads, spans), whole(writes, spans), transfer_of(row, x))

    def _refuse(self, word: int, cause: Trap, examined: int = 0) -> Retired:
        self._examined = examined if self._pipeline.next <= self._pipeline.fault else 0
        if self._failed is None:
            self._end()
        return super()._refuse(word, cause, examined)

    def _give_up(self) -> Retired:
        self._end()
        return super()._give_up()

    def _end(self) -> None:
        """The run ends without an instruction that does anything.

        A loop of no iterations has looked for its end before it waits for what is under way.
        """
        self.touched = None
        first = self._pipeline.next
        ended = self._pipeline.issue(None, last=True)
        issue = first if self._examined else ended
        retire = max(issue + self._examined, ended)
        self._times = (issue, retire, retire)


def whole(accesses: Sequence[Access], spans: Sequence[Access]) -> tuple[Access, ...]:
    """A transfer's accesses as they are compared: one range of each memory; of HBM its spans."""
    found: dict[str, Access] = {}
    for access in accesses:
        known = found.get(access.memory, access)
        first, end = min(known.first, access.first), max(known.end, access.end)
        found[access.memory] = Access(access.memory, first, end)
    touched = tuple(spans) if found.pop("hbm", None) else ()
    return (*found.values(), *touched)


def at_once(config: Config) -> Bus:
    """A memory that answers in the next cycle, a beat a cycle and channel."""
    made = Profile("", "", config.channels, 8 * config.beat_bytes, 0, 0)
    return Core(config.vlen, ring_bytes=1 << 16).bus(made)  # enough for any configuration
