"""cocotb: a unit, bound by its TOML file, against the contract of its instruction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cocotb
from hypothesis import strategies as st

from unmask.spec import binding as bindings
from unmask.spec.bits import Bits, ints
from unmask.spec.contracts import Port
from unmask.spec.formats import describe
from unmask.tests import strategies
from unmask.tests.cosim import states
from unmask.tests.cosim.bench import Clocked, Mismatch, explore, options, read, replay
from unmask.tests.cosim.paths import ROOT

SLACK = 8  # cycles a unit may take to accept a beat beyond its latency before it counts as hung


@dataclass(frozen=True)
class Transaction:
    """Beats (logical port -> value), idle cycles before each, cycles the result is held off."""

    beats: tuple[dict[str, int], ...]
    gaps: tuple[int, ...]
    stall: int


def port_values(port: Port, lanes: int) -> st.SearchStrategy[int]:
    """Values of a logical port."""
    if port.kind == "count":
        return st.integers(1, lanes) | st.just(lanes)  # shrinks to few active lanes
    if port.choices is not None:
        return st.integers(0, port.choices - 1)
    if port.kind == "state":
        return states.words
    width = port.width(lanes)
    if port.kind == "bf16":
        size = width // 16
        rows = strategies.logits(size, size)
        return rows.map(lambda row: sum(code << 16 * lane for lane, code in enumerate(row)))
    near = st.integers(0, 100) | st.integers((1 << width) - 100, (1 << width) - 1)
    return near | st.integers(0, (1 << width) - 1)


def transactions(binding: bindings.Binding, lanes: int) -> st.SearchStrategy[list[Transaction]]:
    """One to four transactions, back to back or with gaps."""
    ports = [port for port in binding.contract.inputs if port.name not in ("first", "last")]
    most = 4 if binding.beats else 1
    if any(port.kind == "bans" for port in ports):
        rows = states.beats(lanes, most)
    else:
        beat = st.fixed_dictionaries({port.name: port_values(port, lanes) for port in ports})
        rows = st.lists(beat, min_size=1, max_size=most)

    def whole(beats: list[dict[str, int]], gap: list[int], stall: int) -> Transaction:
        marked = []
        for place, beat in enumerate(beats):
            marks = {"first": int(place == 0), "last": int(place == len(beats) - 1)}
            marked.append({**beat, **(marks if binding.beats else {})})
        return Transaction(tuple(marked), tuple(gap[: len(beats)]), stall)

    pause = st.just(0) | st.integers(0, 3)
    one = st.builds(
        whole,
        rows,
        st.lists(pause, min_size=most, max_size=most),
        pause if binding.output.ready else st.just(0),
    )
    return st.lists(one, min_size=1, max_size=4)


class UnitBench(Clocked):
    """Drives a unit's handshakes and compares each result with the contract."""

    def __init__(self, dut: Any, binding: bindings.Binding, lanes: int) -> None:
        super().__init__(dut, binding.clock)
        self.binding, self.lanes = binding, lanes
        side = binding.input
        for name, value in (side.tie or {}).items():
            getattr(dut, name).value = value
        self.inputs = {name: getattr(dut, port) for name, port in side.ports.items()}
        self.outputs = {name: getattr(dut, port) for name, port in binding.output.ports.items()}
        self.started = False

    def _signal(self, name: str | None) -> Any:
        return None if name is None else getattr(self.dut, name)

    async def reset(self) -> None:
        binding = self.binding
        if binding.clock is None:
            return
        self._signal(binding.input.valid).value = 0
        if binding.output.ready is not None:
            self._signal(binding.output.ready).value = 0
        self._signal(binding.reset).value = binding.reset_active
        for _ in range(binding.reset_cycles):
            await self.step()
        self._signal(binding.reset).value = 1 - binding.reset_active

    async def run(self, work: list[Transaction]) -> None:
        """Run transactions from reset.

        Raises:
            Mismatch: on a wrong, late, early, missing or surplus result.
        """
        await self.reset()
        expected = [self._expected(transaction) for transaction in work]
        if self.binding.clock is None:
            for number, transaction in enumerate(work):
                self._drive(transaction.beats[0])
                await self.settle()
                self._compare(transaction, expected[number])
            return
        await self._run_clocked(work, expected)

    async def _run_clocked(self, work: list[Transaction], expected: list[dict[str, int]]) -> None:
        binding = self.binding
        valid, ready = self._signal(binding.input.valid), self._signal(binding.input.ready)
        out_valid, out_ready = (
            self._signal(binding.output.valid),
            self._signal(binding.output.ready),
        )
        last = self._signal(binding.output.last)
        beats = [
            (gap, beat, number if place == len(item.beats) - 1 else None)
            for number, item in enumerate(work)
            for place, (gap, beat) in enumerate(zip(item.gaps, item.beats, strict=True))
        ]
        taken: list[int] = []  # cycle in which each transaction's last beat was taken
        done, held, shown = 0, 0, None
        position, wait = 0, beats[0][0]
        latency = binding.cycles(self.lanes)
        idle, limit = 0, latency + SLACK + 4
        drain = latency + 4
        while done < len(work) or drain:
            present = position < len(beats) and wait == 0
            valid.value = int(present)
            if present:
                self._drive(beats[position][1])
            stalled = done < len(work) and held < work[done].stall
            if out_ready is not None:
                out_ready.value = int(not stalled)
            await self.settle()
            progress = False
            if present and (ready is None or read(ready)):
                number = beats[position][2]
                if number is not None:
                    taken.append(self.cycle)
                position += 1
                wait = beats[position][0] if position < len(beats) else 0
                progress = True
            elif wait:
                wait -= 1
                progress = True
            if read(out_valid) and (last is None or read(last)):
                if done >= len(taken):
                    raise Mismatch(f"{binding.name}: a result that no transaction asked for")
                shown = self.cycle if shown is None else shown
                if stalled:
                    held += 1
                else:
                    self._compare(work[done], expected[done])
                    self._check_time(shown - taken[done], latency, work)
                    done, held, shown = done + 1, 0, None
                progress = True
            idle = 0 if progress else idle + 1
            if done == len(work):
                drain -= 1
            elif idle > limit:
                raise Mismatch(f"{binding.name}: no result after {idle} idle cycles")
            await self.edge()
        valid.value = 0

    def _drive(self, beat: dict[str, int]) -> None:
        for name, value in beat.items():
            self.inputs[name].value = value

    def _expected(self, transaction: Transaction) -> dict[str, int]:
        contract = self.binding.contract
        widths = {port.name: port.width(self.lanes) for port in contract.inputs}
        beats: list[dict[str, Bits]] = [
            {name: ints(widths[name], value) for name, value in beat.items()}
            for beat in transaction.beats
        ]
        result = contract.result(beats, self.lanes, self.binding.shape)
        return {name: value.as_int() for name, value in result.items()}

    def _compare(self, transaction: Transaction, expected: dict[str, int]) -> None:
        got = {name: read(handle) for name, handle in self.outputs.items()}
        if got != expected:
            raise Mismatch(self.explain(transaction, expected, got))

    def _check_time(self, cycles: int, latency: int, work: list[Transaction]) -> None:
        stalls = sum(item.stall for item in work)
        if self.binding.exact and not stalls and cycles != latency:
            raise Mismatch(f"{self.binding.name}: result after {cycles} cycles, not {latency}")
        if cycles > latency + stalls:
            raise Mismatch(f"{self.binding.name}: result after {cycles} cycles, over {latency}")

    def explain(
        self, transaction: Transaction, expected: dict[str, int], got: dict[str, int]
    ) -> str:
        """The case decoded: operands by name, lanes as floats, expected and got."""
        contract = self.binding.contract
        lines = [f"{contract.row.mnemonic} on {self.binding.name}, {self.lanes} lanes:"]
        ports = {port.name: port for port in (*contract.inputs, *contract.outputs)}
        for number, beat in enumerate(transaction.beats):
            for name, value in beat.items():
                lines.append(f"  beat {number} {name:12} {self._text(ports[name], value, beat)}")
        for name, value in expected.items():
            mark = "" if got[name] == value else "   <-- differs"
            lines.append(
                f"  {name:12} expected {self._text(ports[name], value, {})}, "
                f"got {self._text(ports[name], got[name], {})}{mark}"
            )
        return "\n".join(lines)

    def _text(self, port: Port, value: int, beat: dict[str, int]) -> str:
        """A value for a person; of lanes, the active ones."""
        if port.kind != "bf16":
            return str(value)
        lanes = port.width(self.lanes) // 16
        active = min(lanes, beat.get("count", lanes))
        shown = [describe(value >> 16 * lane & 0xFFFF) for lane in range(active)]
        return shown[0] if lanes == 1 else f"[{', '.join(shown)}]"


def to_json(work: list[Transaction]) -> dict[str, Any]:
    return {"transactions": [vars(item) for item in work]}


def from_json(case: dict[str, Any]) -> list[Transaction]:
    return [
        Transaction(tuple(item["beats"]), tuple(item["gaps"]), item["stall"])
        for item in case["transactions"]
    ]


@cocotb.test()
async def unit_equals_contract(dut: Any) -> None:
    """Every drawn burst of transactions gives the results that the specification owes."""
    option = options()
    binding = bindings.load(ROOT / option["binding"])
    bench = UnitBench(dut, binding, option["lanes"])
    if "cases" in option:
        await replay(option["cases"], bench.run, from_json)
        return
    await explore(transactions(binding, option["lanes"]), bench.run, to_json)
